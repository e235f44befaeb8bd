"""The explorer as it is displayed: a table in batch, text in a shell, and its panel of widgets without a front end."""

import datetime as dt
import re
import threading
import time
from types import SimpleNamespace

import pytest
from cell_output import cell_output
from explorers import Held, heard, ids, settled, slow_unbounded
from oracle import Wire
from servers import wait_for

from pbm_lib import ClaimExplorer, find_claims, list_providers

WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 3, 31))


def html_of(explorer):
    return cell_output(explorer)["text/html"]


class TestWhatItShows:
    def test_headless_it_is_a_table_and_not_a_widget(self, explorer):
        bundle = cell_output(explorer)
        assert set(bundle) == {"text/plain", "text/html"}
        rows = 1 + len(explorer.page) + 1 + len(explorer.requests)
        assert bundle["text/html"].count("<tr>") == rows
        assert ">3,000</div>" in bundle["text/html"]

    def test_it_loads_nothing_from_elsewhere(self, explorer):
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

    def test_a_claim_that_lacks_fields_or_contains_markup_is_still_shown(self, open_store):
        store = open_store()
        tin = list_providers(store.config)[0].tin
        store.collection.insert_one(
            {"_id": 1, "billingProvider": {"providerTin": tin}, "recoveryMethod": "<script>", "identifiers": "none"}
        )
        shown = ClaimExplorer(store)
        assert "&lt;script&gt;" in html_of(shown)
        assert "the server does not limit how long a claim lasts" in repr(shown)

    def test_an_empty_answer_says_so(self, explorer):
        explorer.choose(tin="999999999")
        assert "No claim matches." in html_of(explorer)
        assert re.search(r"total +0\n", repr(explorer))


class TestPanel:
    """The widgets themselves, without a front end: what a click starts, and what is shown afterward."""

    @pytest.fixture
    def panel(self, explorer, monkeypatch):
        front_end = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "explorer"}})
        monkeypatch.setattr("pbm_lib.present.explorer.explorer.get_ipython", lambda: front_end)
        bundle = cell_output(explorer)
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "<table" in bundle["text/html"]
        return explorer.panel

    def test_the_buttons_turn_the_pages(self, explorer, panel):
        first = ids(explorer.page)
        assert panel.controls.previous.disabled
        panel.controls.next.click()
        wait_for(lambda: explorer.shown.place == 100, 10, "the second page")
        assert not panel.controls.previous.disabled
        panel.controls.previous.click()
        wait_for(lambda: explorer.shown.place == 0 and not explorer.shown.reading, 10, "the first page")
        assert ids(explorer.page) == first
        wait_for(lambda: panel.place.value.startswith("1-100 of"), 10, "the panel, which is told a little later")

    def test_choosing_a_tier_selects_its_first_provider_and_fills_the_list(self, explorer, panel):
        providers = list_providers(explorer.store.config, "300")
        panel.controls.tier.value = "300"
        wait_for(lambda: panel.controls.provider.value == providers[0].tin, 10, "the provider")
        assert len(panel.controls.provider.options) == 8
        panel.controls.provider.value = providers[3].tin
        wait_for(lambda: providers[3].name in panel.head.value, 10, "the headline")
        assert settled(explorer).total == 300

    def test_dates_out_of_order_are_reported_in_the_panel(self, explorer, panel):
        panel.controls.start.value = WINDOW[1]
        panel.controls.end.value = WINDOW[0]
        wait_for(lambda: "is before the first" in panel.head.value, 10, "the sentence")
        assert panel.page.value == ""
        assert panel.controls.next.disabled
        panel.controls.all_dates.click()
        wait_for(lambda: panel.controls.end.value is None and panel.page.value, 10, "all dates")
        assert "Not answered" not in panel.head.value

    @pytest.mark.parametrize(
        ("control", "value"),
        [("start", WINDOW[0]), ("end", WINDOW[1]), ("tier", "60"), ("size", 50), ("order", "newest")],
    )
    def test_a_new_choice_on_a_later_page_starts_with_its_first_page(self, explorer, panel, control, value):
        panel.controls.next.click()
        wait_for(lambda: explorer.shown.place == 100 and not explorer.shown.reading, 10, "the second page")
        getattr(panel.controls, control).value = value
        wait_for(lambda: explorer.shown.place == 0, 10, "the first page")
        assert settled(explorer).error is None
        choice = explorer.shown.choice
        how = {"page_size": choice.page_size, "order": choice.order, "with_total": False}
        first = find_claims(explorer.store, *choice.question, **how)
        assert ids(explorer.page) == ids(first)

    def test_a_partly_typed_year_sends_no_query(self, explorer, panel):
        settled(explorer)
        with heard(explorer, Wire()) as wire:
            panel.controls.start.value = dt.date(202, 1, 1)
            panel.controls.start.value = dt.date(2025, 1, 1)
            wait_for(lambda: explorer.shown.choice.question.start == dt.date(2025, 1, 1), 10, "the date")
            settled(explorer)
        assert wire.names.count("find") == 1

    def test_a_step_in_code_updates_the_controls(self, clock, explorer, panel):
        settled(explorer)
        with heard(explorer, Wire()) as wire:
            explorer.choose(tin=list_providers(explorer.store.config, "60")[2].tin, page_size=30, bounded=False)
        assert (panel.controls.tier.value, panel.controls.size.value, panel.controls.bounded.value) == ("60", 30, False)
        assert wire.names == ["find"]

    def test_dates_are_limited_to_those_of_the_data(self, explorer, panel):
        data = explorer.store.config.data_generation
        latest = data.last_service_date + dt.timedelta(days=data.max_claim_days)
        settled(explorer)
        panel.controls.start.value = dt.date(1999, 5, 5)
        panel.controls.end.value = dt.date(2199, 5, 5)
        wait_for(lambda: explorer.shown.choice.question[1:] == (data.first_service_date, latest), 10, "the dates")
        assert (panel.controls.start.value, panel.controls.end.value) == (data.first_service_date, latest)
        panel.controls.jump_to.value = dt.date(2199, 5, 5)
        wait_for(lambda: "This is the last page" in panel.head.value, 10, "the last page")

    def test_the_place_is_shown_next_to_the_buttons(self, explorer, panel):
        settled(explorer)
        assert panel.place.value == "1-100 of 3,000 · page 1 of 30"
        panel.controls.last.click()
        wait_for(lambda: panel.place.value == "2,901-3,000 of 3,000 · page 30 of 30", 10, "the last page")
        assert (panel.controls.next.disabled, panel.controls.last.disabled) == (True, True)
        panel.controls.first.click()
        wait_for(lambda: panel.place.value == "1-100 of 3,000 · page 1 of 30", 10, "the first page")
        assert (panel.controls.first.disabled, panel.controls.next.disabled) == (True, False)

    def test_a_jump_can_be_made_twice(self, explorer, panel):
        for _ in range(2):
            panel.controls.jump_to.value = WINDOW[0]
            wait_for(lambda: explorer.shown.place is None and not explorer.shown.reading, 10, "the jump")
            assert explorer.page[0]["serviceBeginDate"].date() >= WINDOW[0]
            wait_for(lambda: panel.controls.jump_to.value is None, 10, "the picker to be empty again")
            panel.controls.first.click()
            wait_for(lambda: explorer.shown.place == 0 and not explorer.shown.reading, 10, "the first page")

    def test_newest_first_and_a_count_with_each_page(self, explorer, panel):
        settled(explorer)
        panel.controls.order.value = "newest"
        wait_for(lambda: "newest first" in panel.head.value, 10, "the headline")
        newest = find_claims(explorer.store, explorer.shown.choice.question.tin, order="newest", with_total=False)
        wait_for(lambda: ids(explorer.page) == ids(newest), 10, "the page")
        panel.controls.count_each_page.value = True
        settled(explorer)
        with heard(explorer, Wire()) as wire:
            panel.controls.next.click()
            wait_for(lambda: explorer.shown.place == 100, 10, "the second page")
            settled(explorer)
        assert wire.names.count("aggregate") == 1

    def test_the_log_can_be_cleared(self, explorer, panel):
        settled(explorer)
        assert panel.log.value.count("<tr>") == 1 + len(explorer.requests) > 1
        panel.controls.clear.click()
        wait_for(lambda: "No request since the log was cleared" in panel.log.value, 10, "the empty log")
        assert explorer.requests == ()
        panel.controls.next.click()
        wait_for(lambda: panel.log.value.count("<tr>") == 2, 10, "the next request")

    def test_a_slow_page_dims_the_old_one_and_shows_a_stopwatch_until_it_is_canceled(self, explorer, panel):
        explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10).follow_up()
        settled(explorer)
        fast = explorer.page_ms
        table = panel.page.value
        assert panel.controls.cancel.disabled
        with slow_unbounded(300):
            panel.controls.bounded.value = False
            wait_for(lambda: "unbounded query, still running" in panel.figures.value, 10, "the stopwatch")
            first = panel.figures.value
            wait_for(lambda: panel.figures.value != first, 10, "the stopwatch to run")
            assert "pbm-waiting" in panel.page.get_state()["_dom_classes"]
            assert panel.page.value == table
            assert "bounded query, last page read" in panel.figures.value
            assert re.search(rf">{fast:.1f} ms<|>{fast:.2f} ms<|>{fast:.0f} ms<", panel.figures.value)
            assert not panel.controls.cancel.disabled
            panel.controls.cancel.click()
            wait_for(lambda: "Canceled after" in panel.head.value, 10, "the word of it")
        wait_for(lambda: "pbm-waiting" not in panel.page.get_state()["_dom_classes"], 10, "the page to be undimmed")
        assert (panel.controls.bounded.value, panel.page.value) == (True, table)
        wait_for(lambda: panel.controls.cancel.disabled, 10, "nothing to be awaited")
        assert "still running" not in panel.figures.value

    def test_a_page_that_arrives_at_once_shows_no_stopwatch(self, explorer, panel):
        settled(explorer)
        seen: list[str] = []
        panel.figures.observe(lambda change: seen.append(change["new"]), "value")
        panel.controls.next.click()
        wait_for(lambda: explorer.shown.place == 100, 10, "the second page")
        settled(explorer)
        assert seen
        # On a busy machine, the page may take longer.
        assert explorer.page_ms > 200 or not [text for text in seen if "still running" in text]

    def test_the_strip_has_a_bar_for_each_of_the_last_50_pages(self, explorer, panel):
        explorer.choose(page_size=10)
        for _ in range(60):
            explorer.next()
        assert panel.strip.value.count("<rect") == 50
        assert "last 50 pages: median" in panel.strip.value

    def test_no_stopwatch_thread_is_left_running(self, explorer, panel):
        settled(explorer)
        time.sleep(0.3)
        assert not [thread for thread in threading.enumerate() if thread.name == "stopwatch"]

    def test_clicks_that_overlap_show_the_last_one(self, explorer, panel):
        settled(explorer)
        with heard(explorer, Held(lambda: time.sleep(0.05))):
            for size in (10, 25, 50, 250):
                panel.controls.size.value = size
            wait_for(lambda: len(explorer.page) == 250 and not explorer.shown.reading, 10, "the last choice")
            settled(explorer)
        assert panel.controls.size.value == 250


def test_every_control_has_a_label(explorer):
    controls = vars(explorer.panel.controls)
    unlabeled = {name for name, control in controls.items() if not control.description}
    assert unlabeled == {"order", "bounded"}  # their options explain themselves
    assert [label for label, _ in controls["bounded"].options] == ["bounded query", "unbounded query"]
