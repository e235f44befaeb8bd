"""The explorer: its steps without a browser, what it shows, and its panel of widgets."""

import datetime as dt
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cell_output import cell_output
from oracle import Wire, day, fill, listened_to, make_claim
from servers import SLOW, Mongod, free_port, running, under_way, wait_for

from pbm_lib import (
    ClaimExplorer,
    InvalidQuery,
    PbmError,
    ServerUnavailable,
    connect,
    count_claims,
    explain_claims,
    explain_count,
    find_claims,
    iter_claims,
    list_providers,
    sample_claim,
    setup_collection,
)
from pbm_lib.query.filters import ClaimQuery

WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 3, 31))


@pytest.fixture
def explorer(loaded_store):
    return ClaimExplorer(loaded_store)


class SlowPages(Wire):
    """Holds each page back on its way to the server."""

    def __init__(self, hold):
        super().__init__()
        self._hold = hold

    def started(self, event):
        super().started(event)
        if event.command_name == "find":
            self._hold()


@contextmanager
def heard(explorer, wire):
    """Within the block, a wire notes what the explorer's steps send."""
    store = explorer.store
    with listened_to(store, wire) as explorer.store:
        wire.clear()
        yield wire
        explorer.store = store


def ids(claims):
    return [claim["_id"] for claim in claims]


def html_of(explorer):
    return cell_output(explorer)["text/html"]


class TestSteps:
    def test_it_begins_with_the_first_page_of_the_first_provider(self, explorer, loaded_store):
        provider = list_providers(loaded_store.config)[0]
        assert explorer.page.documents == find_claims(loaded_store, provider.tin, with_total=False).documents
        assert explorer.total == 3_000

    @pytest.mark.parametrize("dates", [(None, None), WINDOW], ids=["all dates", "a month"])
    @pytest.mark.parametrize("bounded", [True, False])
    def test_walking_forward_shows_every_claim_once_and_back_again(self, explorer, loaded_store, dates, bounded):
        tin = list_providers(loaded_store.config, "300")[0].tin
        expected = ids(iter_claims(loaded_store, tin, *dates))
        explorer.choose(tin=tin, service_date_start=dates[0], service_date_end=dates[1], page_size=7, bounded=bounded)
        seen, places = ids(explorer.page), [explorer.shown.before]
        while explorer.page.next_cursor:
            seen += ids(explorer.next().page)
            places.append(explorer.shown.before)
        assert seen == expected
        assert explorer.total == len(expected)
        assert places == list(range(0, len(expected), 7))
        for place in reversed(places[:-1]):
            assert explorer.previous().shown.before == place
            assert ids(explorer.page) == expected[place : place + 7]

    def test_first_leads_back_from_anywhere(self, explorer):
        begin = ids(explorer.page)
        assert ids(explorer.next().next().first().page) == begin
        assert explorer.shown.before == 0

    def test_the_other_query_stays_on_the_page_and_another_page_size_begins_anew(self, explorer):
        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10).next()
        place, claims, total = explorer.shown.before, ids(explorer.page), explorer.total
        explorer.choose(bounded=False)
        assert (explorer.shown.before, ids(explorer.page), explorer.total) == (place, claims, total)
        assert explorer.choose(page_size=20).shown.before == 0

    @pytest.mark.parametrize(
        ("choice", "named"),
        [
            ({"tin": "12"}, "tin"),
            ({"bounded": "fast"}, "bounded"),
            ({"page_size": 0}, "page_size"),
            ({"service_date_start": "x"}, "service_date_start"),
            ({"service_date_end": 2025}, "service_date_end"),
        ],
        ids=["tin", "bounded", "page_size", "start", "end"],
    )
    def test_a_value_that_is_not_accepted_changes_nothing(self, explorer, choice, named):
        before = explorer.shown
        with pytest.raises(InvalidQuery, match=rf"^{named} must be "):
            explorer.choose(**choice)
        assert explorer.shown is before

    def test_there_is_nothing_beyond_the_ends(self, explorer):
        with pytest.raises(InvalidQuery, match="no page before"):
            explorer.previous()
        explorer.choose(tin=list_providers(explorer.store.config, "60")[0].tin)
        with pytest.raises(InvalidQuery, match="no next page"):
            explorer.next()

    def test_dates_out_of_order_are_a_sentence_and_the_next_change_mends_it(self, explorer):
        explorer.choose(service_date_start=WINDOW[1])
        with pytest.raises(InvalidQuery):
            explorer.choose(service_date_end=WINDOW[0])
        assert explorer.page is None
        assert "2025-03-01, is before the first, 2025-03-31" in explorer.error
        assert "Not answered." in html_of(explorer)
        assert explorer.choose(service_date_start=WINDOW[0]).error is None
        assert explorer.total == count_claims(explorer.store, explorer.shown.choice.question.tin, WINDOW[0], WINDOW[0])

    def test_a_date_and_a_datetime_out_of_order_are_a_sentence_too(self, explorer):
        explorer.choose(service_date_start=WINDOW[1])
        with pytest.raises(InvalidQuery):
            explorer.choose(service_date_end=dt.datetime(2025, 3, 1, 12))
        assert "2025-03-01 12:00:00, is before the first, 2025-03-31" in explorer.error
        assert not explorer.shown.reading


class TestWhatItCosts:
    def test_keys_and_documents_are_what_explain_says(self, explorer, loaded_store):
        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10)
        plan = explain_claims(loaded_store, explorer.shown.choice.question.tin, *WINDOW, page_size=10)
        assert replace(explorer.explain(), server_ms=0) == replace(plan, server_ms=0)
        assert f">{plan.docs_examined:,}</div>" in html_of(explorer)

    def test_the_mql_is_what_explain_shows(self, explorer, loaded_store):
        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10).next()
        shown = re.sub(r"\s+", " ", repr(explorer))
        assert explorer.explain().mql in shown
        for part in explain_count(loaded_store, explorer.shown.choice.question.tin, *WINDOW):
            assert part.mql in shown

    def test_a_question_is_counted_once_however_many_pages_are_turned(self, explorer):
        with heard(explorer, Wire()) as wire:
            explorer.choose(page_size=10)
            for _ in range(3):
                repr(explorer.next())
        assert wire.names.count("aggregate") == 1

    def test_a_slow_page_is_not_run_again_unasked(self, explorer):
        with heard(explorer, SlowPages(lambda: time.sleep(1.1))) as wire:
            explorer.choose(page_size=10, bounded=False)
            shown = repr(explorer)
        assert "explain" not in wire.names
        assert re.search(r"documents examined +not asked", shown)
        assert explorer.explain().docs_examined == 10
        assert re.search(r"documents examined +10", repr(explorer))

    @pytest.mark.parametrize("what", ["page", "total", "explain"])
    def test_a_slow_query_that_nobody_waits_for_has_ended_before_the_next_page_is_read(
        self, explorer, loaded_store, monkeypatch, what
    ):
        claims, fast = loaded_store.collection, ClaimQuery.filter
        client, name = claims.database.client, claims.full_name

        def filter_(query, *where):
            return {**fast(query, *where), **(SLOW if not query.bounded else {})}

        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1])
        if what != "page":
            explorer.choose(bounded=False)
        monkeypatch.setattr(ClaimQuery, "filter", filter_)
        slow = {
            "page": lambda: explorer.choose(bounded=False),
            "total": lambda: explorer.total,
            "explain": lambda: explorer.explain(),
        }[what]
        given: list[PbmError] = []

        def abandoned() -> None:
            try:
                slow()
            except PbmError as error:
                given.append(error)

        reader = threading.Thread(target=abandoned)
        reader.start()
        wait_for(lambda: len(under_way(client, name)) == 1, 10, "the slow query")
        beside: list[list[str]] = []

        def look() -> None:
            # A thread of its own: the explorer's is bound to a session of another client.
            looking = threading.Thread(target=lambda: beside.append(under_way(client, name)))
            looking.start()
            looking.join()

        with heard(explorer, SlowPages(look)):
            explorer.choose(bounded=True)
        under_way(client, name, kill=True)
        reader.join(10)
        assert beside == [[]]
        assert "was ended" in str(given[0])
        assert (explorer.error, explorer.shown.explaining, explorer.shown.choice.bounded) == (None, False, True)
        assert explorer.total == count_claims(loaded_store, explorer.shown.choice.question.tin, *WINDOW)

    def test_a_total_that_is_still_wanted_goes_on_while_a_page_is_turned(self, explorer, loaded_store, monkeypatch):
        totals: list[int] = []
        explorer.choose(page_size=5)
        name = loaded_store.collection.full_name
        with monkeypatch.context() as patch:
            patch.setattr(ClaimQuery, "count_filters", lambda query: [{**SLOW, "_id": {"$in": ids(explorer.page)}}])
            reader = threading.Thread(target=lambda: totals.append(explorer.total))
            reader.start()
            wait_for(lambda: under_way(loaded_store.collection.database.client, name), 10, "the count")
        explorer.next()
        reader.join(10)
        assert totals == [5]

    def test_many_readers_of_a_total_share_one_count(self, explorer):
        explorer.choose(page_size=10)
        totals: list[int] = []
        with heard(explorer, Wire()) as wire:
            readers = [threading.Thread(target=lambda: totals.append(explorer.total)) for _ in range(8)]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
        assert totals == [3_000] * 8
        assert wire.names.count("aggregate") == 1


class TestTotal:
    """A total is counted once, and anew after `first()` or after a count that failed."""

    def test_first_counts_anew_and_a_turn_of_the_page_does_not(self, store):
        tin = list_providers(store.config)[0].tin
        fill(store, [make_claim(number, day(number), day(number), tin) for number in range(3)])
        explorer = ClaimExplorer(store).choose(page_size=1)
        assert explorer.total == 3
        store.collection.insert_one(make_claim(3, day(3), day(3), tin))
        assert (explorer.next().total, explorer.previous().total) == (3, 3)
        assert explorer.first().shown.total is None
        assert (explorer.total, explorer.shown.total) == (4, 4)
        # Each query has a total of its own; on a later page it is not counted again.
        explorer.next()
        store.collection.delete_one({"_id": explorer.page[0]["_id"]})
        assert explorer.choose(bounded=False).shown.total is None
        assert explorer.total == 3
        assert explorer.choose(bounded=True).shown.total == 4

    def test_first_waits_for_a_count_under_way_instead_of_a_second_one(self, explorer):
        began, released = threading.Event(), threading.Event()

        class SlowCount(Wire):
            def started(self, event):
                super().started(event)
                if event.command_name == "aggregate" and "$match" in event.command["pipeline"][0]:
                    began.set()
                    released.wait(10)

        with heard(explorer, SlowCount()) as wire:
            counting = threading.Thread(target=lambda: explorer.total)
            counting.start()
            assert began.wait(10)
            explorer.first()
            assert counting.is_alive()
            released.set()
            assert explorer.total == 3_000
            counting.join(10)
        assert wire.names.count("aggregate") == 1

    def test_a_count_that_failed_fails_for_all_who_wait_for_it_and_is_tried_again(self, proxied):
        behind, proxy = proxied
        with behind.reopened(serverSelectionTimeoutMS=5_000) as store:
            explorer = ClaimExplorer(store)
            seen: list[object] = []

            def read():
                try:
                    seen.append(explorer.total)
                except ServerUnavailable as error:
                    seen.append(type(error))

            proxy.cut_at(b"aggregate\0", times=4)  # the driver sends it twice, and so do we
            readers = [threading.Thread(target=read, daemon=True) for _ in range(3)]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(20)
            assert seen == [ServerUnavailable] * 3
            assert (explorer.shown.total, explorer.shown.count_ms, len(explorer.page)) == (None, None, 100)
            assert (explorer.total, explorer.shown.total) == (3_000, 3_000)
            # Nobody is told of a count that follows a page by an error: it is shown.
            proxy.cut_at(b"aggregate\0", times=4)
            explorer.first().follow_up()
            assert "is not responding" in explorer.error
            assert explorer.first().error is None
            explorer.follow_up()
            assert (explorer.shown.total, explorer.error) == (3_000, None)


class TestWhatItShows:
    def test_headless_it_is_a_table_and_no_widget(self, explorer):
        bundle = cell_output(explorer)
        assert set(bundle) == {"text/plain", "text/html"}
        assert bundle["text/html"].count("<tr>") == 1 + len(explorer.page)
        assert ">3,000</div>" in bundle["text/html"]

    def test_it_needs_nothing_from_elsewhere(self, explorer):
        assert not re.search(r"<script|<link|<img|src=|url\(|https?:|@import", html_of(explorer))

    def test_the_columns_are_the_claims(self, explorer):
        claim = explorer.page[0]
        shown = html_of(explorer)
        amount = claim["processedAmounts"]["overpaymentAmount"]["amount"]
        for value in (
            claim["identifiers"]["claimSystemClaimId"],
            claim["serviceEndDate"].date(),
            claim["renderingProvider"]["providerName"],
            claim["patientInformation"]["fullName"],
            "overpayment",
            f">{amount.to_decimal():,}<",
            claim["recoveryMethod"],
        ):
            assert str(value) in shown

    def test_a_claim_that_lacks_fields_or_holds_markup_is_shown_all_the_same(self, open_store):
        store = open_store()
        tin = list_providers(store.config)[0].tin
        store.collection.insert_one(
            {"_id": 1, "billingProvider": {"providerTin": tin}, "recoveryMethod": "<script>", "identifiers": "none"}
        )
        shown = ClaimExplorer(store)
        assert "&lt;script&gt;" in html_of(shown)
        assert "nothing on the server bounds how long a claim lasts" in repr(shown)

    def test_an_empty_answer_says_so(self, explorer):
        explorer.choose(tin="999999999")
        assert "No claim matches." in html_of(explorer)
        assert re.search(r"total +0\n", repr(explorer))


class TestServerGone:
    def test_it_is_one_sentence_and_the_next_step_goes_on_when_the_server_is_back(
        self, tmp_path, monkeypatch, make_config
    ):
        with running(Mongod(tmp_path / "db", port=free_port())) as mongod:
            # Longer than the driver's half a second between two looks at a server, or it may not see that it is back.
            monkeypatch.setenv("MONGODB_URI", f"{mongod.uri}&serverSelectionTimeoutMS=800")
            with setup_collection(connect(make_config())) as store:
                claim = sample_claim()
                claim["billingProvider"]["providerTin"] = list_providers(store.config)[0].tin
                second = {**claim, "_id": type(claim["_id"])()}
                second["identifiers"] = {**claim["identifiers"], "claimSystemClaimId": "NCPDP_D0-000000000002"}
                store.collection.insert_many([claim, second])
                explorer = ClaimExplorer(store).choose(page_size=1)
                mongod.kill()
                with pytest.raises(ServerUnavailable):
                    explorer.next()
                shown = html_of(explorer)
                assert "Not answered.</b> The MongoDB server is not responding." in shown
                assert "Traceback" not in shown
                assert len(explorer.page) == 1
                mongod.start()
                assert explorer.next().error is None
                assert explorer.shown.before == 1


class TestPanel:
    """The widgets themselves, without a front end: what a click starts and what is shown then."""

    @pytest.fixture
    def panel(self, explorer, monkeypatch):
        front_end = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "explorer"}})
        monkeypatch.setattr("pbm_lib.present.explorer.get_ipython", lambda: front_end)
        bundle = cell_output(explorer)
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "<table" in bundle["text/html"]
        return explorer.panel

    def settled(self, explorer):
        def followed() -> bool:
            shown = explorer.shown
            return not shown.reading and (shown.error or (shown.examined and shown.total is not None))

        wait_for(followed, 10, "the explorer")
        return explorer

    def test_the_buttons_turn_the_pages(self, explorer, panel):
        first = ids(explorer.page)
        assert panel.previous.disabled
        panel.next.click()
        wait_for(lambda: explorer.shown.before == 100, 10, "the second page")
        assert not panel.previous.disabled
        panel.previous.click()
        wait_for(lambda: explorer.shown.before == 0 and not explorer.shown.reading, 10, "the first page")
        assert ids(explorer.page) == first
        wait_for(lambda: "1 to 100" in panel.figures.value, 10, "the panel, which is told a little later")

    def test_a_tier_leads_to_its_first_provider_and_fills_the_list(self, explorer, panel):
        providers = list_providers(explorer.store.config, "300")
        panel.tier.value = "300"
        wait_for(lambda: panel.provider.value == providers[0].tin, 10, "the provider")
        assert len(panel.provider.options) == 8
        panel.provider.value = providers[3].tin
        wait_for(lambda: providers[3].name in panel.head.value, 10, "the headline")
        assert self.settled(explorer).total == 300

    def test_dates_out_of_order_are_said_in_the_panel(self, explorer, panel):
        panel.start.value = WINDOW[1]
        panel.end.value = WINDOW[0]
        wait_for(lambda: "is before the first" in panel.head.value, 10, "the sentence")
        assert panel.page.value == ""
        assert panel.next.disabled
        panel.all_dates.click()
        wait_for(lambda: panel.end.value is None and panel.page.value, 10, "all dates")
        assert "Not answered" not in panel.head.value

    @pytest.mark.parametrize(
        ("control", "value"), [("start", WINDOW[0]), ("end", WINDOW[1]), ("tier", "60"), ("size", 50)]
    )
    def test_another_choice_on_a_later_page_begins_with_its_first(self, explorer, panel, control, value):
        panel.next.click()
        wait_for(lambda: explorer.shown.before == 100 and not explorer.shown.reading, 10, "the second page")
        getattr(panel, control).value = value
        wait_for(lambda: explorer.shown.before == 0, 10, "the first page")
        assert self.settled(explorer).error is None
        choice = explorer.shown.choice
        first = find_claims(explorer.store, *choice.question, page_size=choice.page_size, with_total=False)
        assert ids(explorer.page) == ids(first)

    def test_what_one_page_examined_is_not_said_of_the_next(self, explorer):
        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10)
        asked, answered = threading.Event(), threading.Event()

        class PlanDuringPage(Wire):
            def succeeded(self, event):
                super().succeeded(event)
                if event.command_name == "explain":
                    asked.set()
                    answered.wait(10)

            def started(self, event):
                super().started(event)
                if event.command_name == "find":
                    answered.set()  # the plan of the page before arrives while this one is being read
                    explaining.join(10)

        with heard(explorer, PlanDuringPage()):
            explaining = threading.Thread(target=explorer.explain)
            explaining.start()
            assert asked.wait(10)
            explorer.next()
            second = explain_claims(
                explorer.store, *explorer.shown.choice.question, page_size=10, cursor=explorer.shown.cursor
            )
            assert explorer.explain().mql == second.mql

    def test_a_year_that_is_being_typed_asks_nothing(self, explorer, panel):
        self.settled(explorer)
        with heard(explorer, Wire()) as wire:
            panel.start.value = dt.date(202, 1, 1)
            panel.start.value = dt.date(2025, 1, 1)
            wait_for(lambda: explorer.shown.choice.question.start == dt.date(2025, 1, 1), 10, "the date")
            self.settled(explorer)
        assert wire.names.count("find") == 1

    def test_a_step_in_code_moves_the_controls(self, clock, explorer, panel):
        self.settled(explorer)
        with heard(explorer, Wire()) as wire:
            explorer.choose(tin=list_providers(explorer.store.config, "60")[2].tin, page_size=30, bounded=False)
        assert (panel.tier.value, panel.size.value, panel.bounded.value) == ("60", 30, False)
        assert wire.names == ["find"]

    def test_an_answer_that_comes_too_late_is_not_shown(self, explorer, panel):
        self.settled(explorer)
        released = threading.Event()

        def hold_clicks():
            if threading.current_thread() is not threading.main_thread():
                released.wait(10)

        with heard(explorer, SlowPages(hold_clicks)) as wire:
            panel.bounded.value = False
            wait_for(lambda: explorer.shown.reading, 10, "the slow page")
            late = next(thread for thread in threading.enumerate() if thread.name == "explorer choose")
            other = list_providers(explorer.store.config, "60")[0].tin
            explorer.choose(tin=other, bounded=True)
            released.set()
            late.join(10)
        assert wire.names.count("find") == 2
        assert explorer.shown.choice.question.tin == other
        assert len(explorer.page) == 60
        assert panel.provider.value == other


def test_every_control_has_a_label(explorer):
    panel = explorer.panel
    controls = [panel.tier, panel.provider, panel.start, panel.end, panel.size, panel.next]
    assert all(control.description for control in controls)
    assert [label for label, _ in panel.bounded.options] == ["bounded query", "unbounded query"]
