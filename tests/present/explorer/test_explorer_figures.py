"""The explorer's figures: what a page and its total cost, each queried once and shown the same everywhere."""

import contextlib
import datetime as dt
import re
import threading
from dataclasses import replace
from html import unescape

from cell_output import cell_output
from explorers import Held, at_the_beginning, heard, ids, slow_unbounded
from oracle import Wire, day, fill, make_claim
from proxy import Proxy
from servers import SLOW, under_way, wait_for

from pbm_lib import (
    ClaimExplorer,
    ServerUnavailable,
    connect,
    count_claims,
    explain_claims,
    explain_count,
    list_providers,
    observe_claims,
)
from pbm_lib.query.filters import ClaimQuery

WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 3, 31))


def in_march(explorer, **choice):
    return explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], **choice)


def log_rows(explorer):
    """Return the rows of the log in the HTML, each as the texts of its columns."""
    html = cell_output(explorer)["text/html"]
    rows = re.findall(r"<tr>(.*?)</tr>", html[html.index("Request log") :], re.DOTALL)
    cells = [re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in rows[1:]]
    return [[unescape(re.sub(r"<.*?>", "", cell, flags=re.DOTALL)) for cell in row] for row in cells]


def tiles(html):
    """Return the time, keys examined, and documents examined of the page, as the tiles above the table show them."""
    labels = "page time|keys examined|documents examined"
    return [text for text, _ in re.findall(rf">([^<>]+)</div><div[^>]*>({labels})", html)]


def mql(html):
    """Return the query of the page."""
    return unescape(re.search(r"MQL of the page[^<]*</div><pre[^>]*>(.*?)</pre>", html, re.DOTALL)[1])


def steps_of_ten_requests(explorer):
    """Read ten pages of all kinds, and yield what the panel shows after each."""
    for step in (
        explorer.first,
        explorer.next,
        explorer.last,
        explorer.previous,
        lambda: explorer.jump(dt.date(2025, 2, 10)),
        lambda: in_march(explorer, page_size=10),
        explorer.next,
        lambda: explorer.choose(bounded=False),
        lambda: explorer.choose(order="newest"),
        explorer.last,
    ):
        step()
        yield cell_output(explorer)["text/html"]


class TestEverywhereTheSame:
    def test_in_the_panel_in_the_log_and_in_the_servers_profiler(self, filled):
        explorer = ClaimExplorer(filled)
        database = filled.collection.database
        explorer.clear_log()
        database.command("profile", 2)
        try:
            panels = [(tiles(html), mql(html)) for html in steps_of_ten_requests(explorer)]
        finally:
            database.command("profile", 0)
        profiled = [
            (entry.get("keysExamined"), entry.get("docsExamined"))
            for entry in database["system.profile"].find({"ns": filled.collection.full_name}, sort=[("ts", 1)])
            if "find" in entry["command"] or "$match" in str(entry["command"].get("pipeline", "")[:1])
        ]
        logged = explorer.requests[::-1]
        assert [(each.plan.keys_examined, each.plan.docs_examined) for each in logged] == profiled
        pages = [each for each in logged if not each.is_count]
        assert len(pages) == len(panels) == 10
        rows = log_rows(explorer)[::-1]
        assert [row[1] for row in rows] == ["aggregate" if each.is_count else "find" for each in logged]
        assert [tuple(row[3:5]) for row in rows] == [(f"{keys:,}", f"{documents:,}") for keys, documents in profiled]
        of_pages = [row for row in rows if row[1] == "find"]
        for (_, _, *costs, _, sent), (figures, query) in zip(of_pages, panels, strict=True):
            assert figures == costs
            assert re.sub(r"\s", "", sent) == re.sub(r"\s", "", query)

    def test_as_explain_reports_them_for_the_page_and_one_more_claim(self, explorer, loaded_store):
        in_march(explorer, page_size=10)
        plan = explain_claims(loaded_store, explorer.shown.choice.question.tin, *WINDOW, page_size=11)
        assert replace(explorer.explain(), server_ms=0) == replace(plan, server_ms=0)
        assert f">{plan.docs_examined:,}</div>" in cell_output(explorer)["text/html"]

    def test_the_counts_of_a_total_are_what_explain_says(self, explorer, loaded_store):
        explorer.clear_log()
        in_march(explorer).follow_up()
        plans = explain_count(loaded_store, explorer.shown.choice.question.tin, *WINDOW)
        counts = [request.plan for request in explorer.requests[::-1] if request.is_count]
        assert [(plan.keys_examined, plan.returned) for plan in counts] == [
            (plan.keys_examined, plan.returned) for plan in plans
        ]
        assert sum(plan.returned for plan in counts) == explorer.total

    def test_the_mql_is_what_was_sent(self, explorer, loaded_store):
        in_march(explorer, page_size=10).next()
        assert explorer.explain().mql in re.sub(r"(?m)^    ", "", repr(explorer))
        for part in explain_count(loaded_store, explorer.shown.choice.question.tin, *WINDOW):
            assert part.mql in re.sub(r"(?m)^    ", "", repr(explorer))


class TestNothingTwice:
    def test_a_total_is_counted_once_however_many_pages_are_read(self, explorer):
        with heard(explorer, Wire()) as wire:
            explorer.choose(page_size=10)
            for _ in range(3):
                repr(explorer.next())
        assert wire.names.count("aggregate") == 1

    def test_a_total_is_counted_with_each_page_if_that_is_chosen(self, explorer):
        explorer.choose(page_size=10, count_each_page=True)
        with heard(explorer, Wire()) as wire:
            for _ in range(3):
                repr(explorer.next())
            assert explorer.total == 3_000
        assert wire.names.count("aggregate") == 3

    def test_a_slow_query_is_not_run_again_to_see_what_it_examined(self, explorer, loaded_store):
        explorer.explain()
        with slow_unbounded(150), heard(explorer, Wire()) as wire:
            at_the_beginning(explorer, page_size=3, bounded=False)
            question = explorer.shown.choice.question
            plan = explorer.explain()
            exact = explain_claims(loaded_store, *question, page_size=4, bounded=False)
        explains = [command for name, command in wire.sent if name == "explain"]
        assert [command["verbosity"] for command in explains] == ["queryPlanner"]
        assert explorer.page_ms > 4 * 150
        assert (plan.keys_examined, plan.docs_examined, plan.returned, plan.complete) == (
            exact.keys_examined, exact.docs_examined, 4, True
        )  # fmt: skip
        assert plan.stages == exact.stages

    def test_without_access_to_the_log_an_explain_runs_for_one_second_and_says_so(
        self, loaded_store, test_uri, monkeypatch
    ):
        def refuse(command, reply):
            denied = {"ok": 0.0, "errmsg": "not authorized", "code": 13, "codeName": "Unauthorized"}
            return denied if "getLog" in command else reply

        with Proxy(test_uri, answer=refuse) as proxy:
            monkeypatch.setenv("MONGODB_URI", proxy.uri)
            with connect(loaded_store.config) as store:
                explorer = ClaimExplorer(store)
                with slow_unbounded(150):
                    at_the_beginning(explorer, page_size=8, bounded=False)
                    with heard(explorer, Wire()) as wire:
                        plan = explorer.explain()
                    question = explorer.shown.choice.question
                    observed = observe_claims(store, *question, bounded=False, page_size=8)
        limits = [command.get("maxTimeMS") for name, command in wire.sent if name == "explain"]
        assert limits[0] == 1_000  # for the slow page, which is the latest
        assert not plan.complete
        assert 0 < plan.docs_examined < 9
        assert f"more than {plan.docs_examined}" in repr(explorer)
        assert "(stopped after 1 s)" in repr(observed)

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
    """A total is counted once, and again only after `first()` or after a count that failed."""

    def test_first_counts_again_and_other_pages_do_not(self, store):
        tin = list_providers(store.config)[0].tin
        fill(store, [make_claim(number, day(number), day(number), tin) for number in range(3)])
        explorer = ClaimExplorer(store).choose(page_size=1)
        assert explorer.total == 3
        store.collection.insert_one(make_claim(3, day(3), day(3), tin))
        assert (explorer.next().total, explorer.previous().total) == (3, 3)
        assert explorer.first().shown.total is None
        assert (explorer.total, explorer.shown.total) == (4, 4)
        # Each query has its own total, which is not counted again on a later page.
        explorer.next()
        store.collection.delete_one({"_id": explorer.page[0]["_id"]})
        assert explorer.choose(bounded=False).shown.total is None
        assert explorer.total == 3
        assert explorer.choose(bounded=True).shown.total == 4

    def test_a_count_that_a_page_ended_runs_again_after_it(self, explorer, loaded_store, monkeypatch):
        totals: list[int] = []
        explorer.choose(page_size=5)
        client, name = loaded_store.collection.database.client, loaded_store.collection.full_name
        with monkeypatch.context() as patch:
            patch.setattr(ClaimQuery, "count_filters", lambda query: [{**SLOW, "_id": {"$in": ids(explorer.page)}}])
            reader = threading.Thread(target=lambda: totals.append(explorer.total))
            reader.start()
            wait_for(lambda: under_way(client, name), 10, "the count")
        beside: list[list[str]] = []

        def look() -> None:
            # A separate thread, because the explorer's is bound to another client's session.
            looking = threading.Thread(target=lambda: beside.append(under_way(client, name)))
            looking.start()
            looking.join()

        with heard(explorer, Held(look)):
            explorer.next()
            reader.join(10)
        assert beside == [[]]
        assert totals == [3_000]
        assert [(each.is_count, each.error) for each in explorer.requests[:3]] == [
            (True, None), (False, None), (True, "Interrupted")
        ]  # fmt: skip

    def test_a_failed_count_fails_for_everyone_waiting_for_it_and_is_tried_again(self, proxied):
        behind, proxy = proxied
        with behind.reopened(serverSelectionTimeoutMS=5_000) as store:
            explorer = ClaimExplorer(store)
            seen: list[object] = []

            def read():
                try:
                    seen.append(explorer.total)
                except ServerUnavailable as error:
                    seen.append(type(error))

            def cut(times: int) -> None:
                proxy.cut_at(b"aggregate\0", times=times)

            def is_counted() -> bool:
                # On a busy machine the driver may take a while to see that the server is back.
                with contextlib.suppress(ServerUnavailable):
                    return explorer.total == 3_000
                return False

            cut(1_000)
            readers = [threading.Thread(target=read, daemon=True) for _ in range(3)]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(20)
            assert seen == [ServerUnavailable] * 3
            assert (explorer.shown.total, explorer.shown.count_ms, len(explorer.page)) == (None, None, 100)
            cut(0)
            wait_for(is_counted, 10, "a count that succeeds")
            assert explorer.shown.total == 3_000
            # A failed count that follows a page raises nothing. The explorer shows the error instead.
            explorer.first()
            cut(1_000)
            explorer.follow_up()
            assert "is not responding" in explorer.error
            cut(0)
            wait_for(is_counted, 10, "a count that succeeds")
            assert explorer.first().error is None
            explorer.follow_up()
            assert (explorer.shown.total, explorer.error) == (3_000, None)
            assert explorer.total == count_claims(store, explorer.shown.choice.question.tin)
