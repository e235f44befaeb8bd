"""The explorer in a real JupyterLab, in a real browser: every control, by clicking and typing.

Set `PBM_SCREENSHOTS` to a folder to keep the pictures.
"""

import datetime as dt
import os
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from conftest import write_config
from lab_browser import HEIGHT, WIDTH, ExplorerOnPage, LabPage, chromium, notebooks_in_lab
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from servers import under_way, wait_for

from pbm_lib import (
    connect,
    count_claims,
    explain_claims,
    find_claims,
    list_providers,
    load_claims,
    load_config,
    setup_collection,
)
from pbm_lib.present.explorer.view import TIMES
from pbm_lib.query.jump import cursor_at
from pbm_lib.store.connection import open_client

pytestmark = pytest.mark.browser
TESTS = Path(__file__).parents[1]
SLOWED = f"""import sys

sys.path.insert(0, {str(TESTS)!r})
from explorers import slow_unbounded

slow = slow_unbounded(400)
slow.__enter__()"""
"""Code that makes a kernel's unbounded query take 0.4 s per claim on the server. A page of 25 takes over 10 s."""
LIMIT_SECONDS = 5


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def config(home):
    return load_config(write_config(home, {"mongodb": {"database": f"pbm_test_explorer_{os.getpid()}"}}))


@pytest.fixture(scope="module")
def store(config, test_uri):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URI", test_uri)
        with setup_collection(connect(config)) as store:
            load_claims(store)
            yield store


@pytest.fixture(scope="module")
def address(home, config, store, test_uri):
    with notebooks_in_lab(home, config, test_uri, add_slow_notebooks) as address:
        yield address


def add_slow_notebooks(folder):
    """Add copies of 03 in which the unbounded query is slow. In one of them, the explorer waits only a few seconds."""
    kept = ("title", "parameters", "connect", "explorer-text", "explorer", "explorer-notice")
    for name, call in (
        ("03_slow", "pbm.ClaimExplorer(store)"),
        ("03_limited", f"pbm.ClaimExplorer(store, seconds={LIMIT_SECONDS})"),
    ):
        notebook = nbformat.read(folder / "03_explore.ipynb", as_version=4)
        notebook.cells = [cell for cell in notebook.cells if cell.id in kept]
        assert len(notebook.cells) == len(kept)
        notebook.cells.insert(kept.index("connect") + 1, nbformat.v4.new_code_cell(SLOWED))
        (cell,) = [cell for cell in notebook.cells if cell.id == "explorer"]
        cell.source = call
        nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def page(home, address, tmp_path_factory):
    pictures = Path(os.environ.get("PBM_SCREENSHOTS") or tmp_path_factory.mktemp("pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    with chromium(home / "profile") as browser:
        yield LabPage(browser, address, pictures)


@pytest.fixture
def busy(store, test_uri):
    """Return a function that lists the commands that the server is running on the claims."""
    with open_client(test_uri) as client:
        yield lambda: under_way(client, store.collection.full_name)


def opened(page, name):
    """Open and run a notebook, and return its explorer once all its figures are shown."""
    page.open(name)
    assert not [output for cell in page.run_all() for output in cell["outputs"] if output["output_type"] == "error"]
    explorer = ExplorerOnPage(page.browser)
    explorer.control("Tier", "select")
    explorer.settle()
    return explorer


def ids(claims):
    return [claim["identifiers"]["claimSystemClaimId"] for claim in claims]


def wait_page(explorer, claims, place):
    """Wait until exactly these claims are shown, with all their figures and their place; return the figures."""

    def is_there() -> bool:
        return explorer.place() == place and explorer.claims() == ids(claims)

    wait_for(is_there, 20, f"{place} and its claims; it says {explorer.place()}")
    figures = explorer.settle()
    assert is_there()
    return figures


def typed(explorer, label, date):
    """Type a date as a person does. The input takes month, day, and year."""
    control = explorer.control(label, "input")
    control.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, f"{date:%m%d%Y}")
    return control


def first(store, tin, *dates, **how):
    return find_claims(store, tin, *dates, with_total=False, **how)


@pytest.fixture(scope="class")
def opened_once(page):
    return opened(page, "03_explore")


class TestControls:
    """These tests share one explorer. Each starts on the first page of 100 claims of the first tier, oldest first."""

    @pytest.fixture
    def explorer(self, opened_once, store):
        explorer = opened_once
        Select(explorer.control("Tier", "select")).select_by_visible_text("3K")
        Select(explorer.control("Page size", "select")).select_by_visible_text("100")
        for text in ("bounded query", "Oldest first", "once", "All dates", "First"):
            if explorer.button(text).is_enabled() and not explorer.is_chosen(text):
                explorer.button(text).click()
        wait_page(explorer, first(store, self.tin(store)), "1-100 of 3,000 · page 1 of 30")
        return explorer

    def tin(self, store, tier="3K", number=0):
        return list_providers(store.config, tier)[number].tin

    def test_it_starts_with_the_first_page_and_its_figures(self, page, explorer, store):
        assert [explorer.is_chosen(text) for text in ("bounded query", "Oldest first", "once")] == [True] * 3
        for text in ("First", "Previous", "Cancel"):
            assert not explorer.button(text).is_enabled()
        figures = explorer.figures()
        plan = explain_claims(store, self.tin(store), page_size=101)
        assert figures["keys examined"] == f"{plan.keys_examined:,}"
        assert figures["documents examined"] == f"{plan.docs_examined:,}"
        assert figures["total"] == "3,000"
        (find,) = [row for row in explorer.log() if row[1] == "find"][:1]
        assert find[2:6] == [
            figures["page time"], figures["keys examined"], figures["documents examined"], "101"
        ]  # fmt: skip
        size = "return [...document.querySelectorAll('.pbm-figures .widget-html-content > div > div > div')]"
        size += ".map(e => [parseFloat(getComputedStyle(e).fontSize), e.innerText])"
        sizes = sorted(page.browser.execute_script(size), reverse=True)
        assert sizes[0][1] == figures["page time"]
        assert sizes[0][0] > 1.5 * sizes[1][0]
        page.picture("explorer_start")

    def test_tier_and_provider(self, explorer, store):
        Select(explorer.control("Tier", "select")).select_by_visible_text("300")
        wait_page(explorer, first(store, self.tin(store, "300")), "1-100 of 300 · page 1 of 3")
        provider = list_providers(store.config, "300")[3]
        chooser = Select(explorer.control("Provider", "select"))
        assert len(chooser.options) == 8
        chooser.select_by_visible_text(f"{provider.name} · {provider.tin}")
        wait_page(explorer, first(store, provider.tin), "1-100 of 300 · page 1 of 3")
        explorer.wait_text(f"{provider.name} · TIN {provider.tin} · all service dates")

    def test_page_size(self, explorer, store):
        Select(explorer.control("Page size", "select")).select_by_visible_text("25")
        wait_page(explorer, first(store, self.tin(store), page_size=25), "1-25 of 3,000 · page 1 of 120")
        assert ".limit(26)" in explorer.text()

    def test_the_paging_buttons(self, page, explorer, store):
        begin = first(store, self.tin(store))
        second = first(store, self.tin(store), cursor=begin.next_cursor)
        end = first(store, self.tin(store), last=True)
        explorer.button("Next").click()
        wait_page(explorer, second, "101-200 of 3,000 · page 2 of 30")
        explorer.button("Last").click()
        wait_page(explorer, end, "2,901-3,000 of 3,000 · page 30 of 30")
        enabled = [explorer.button(text).is_enabled() for text in ("First", "Previous", "Next", "Last")]
        assert enabled == [True, True, False, False]
        page.picture("explorer_last_page")
        explorer.button("Previous").click()
        before = first(store, self.tin(store), cursor=end.prev_cursor)
        wait_page(explorer, before, "2,801-2,900 of 3,000 · page 29 of 30")
        explorer.button("First").click()
        wait_page(explorer, begin, "1-100 of 3,000 · page 1 of 30")
        explorer.button("Next").click()
        wait_page(explorer, second, "101-200 of 3,000 · page 2 of 30")
        explorer.button("Previous").click()
        wait_page(explorer, begin, "1-100 of 3,000 · page 1 of 30")

    def test_newest_first(self, page, explorer, store):
        explorer.button("Newest first").click()
        wait_page(explorer, first(store, self.tin(store), order="newest"), "1-100 of 3,000 · page 1 of 30")
        assert (explorer.is_chosen("Newest first"), explorer.is_chosen("Oldest first")) == (True, False)
        assert "· newest first" in explorer.text()
        page.picture("explorer_newest_first")

    def test_dates_all_dates_and_the_other_query(self, page, explorer, store):
        start, end, tin = dt.date(2025, 10, 1), dt.date(2025, 10, 31), self.tin(store)
        total = count_claims(store, tin, start, end)
        typed(explorer, "From", start)
        explorer.wait_text(f"service dates {start} to the last")
        typed(explorer, "to", end)
        claims = first(store, tin, start, end)
        place = f"1-100 of {total} · page 1 of 2"
        before = wait_page(explorer, claims, place)
        explorer.wait_text(f"service dates {start} to {end} · bounded query")
        explorer.button("unbounded query").click()
        explorer.wait_text(f"service dates {start} to {end} · unbounded query")
        figures = wait_page(explorer, claims, place)
        assert (explorer.is_chosen("unbounded query"), explorer.is_chosen("bounded query")) == (True, False)
        assert figures["bounded query"] == before["page time, bounded query"]
        (compared,) = [label for label in figures if label.startswith(("as long", "as fast"))]
        assert compared.endswith(", the same claims")
        plan = explain_claims(store, tin, start, end, page_size=101, bounded=False)
        assert figures["keys examined"] == f"{plan.keys_examined:,}"
        assert int(figures["keys examined"].replace(",", "")) > 10 * int(before["keys examined"].replace(",", ""))
        page.picture("explorer_unbounded")
        explorer.button("bounded query").click()
        wait_page(explorer, claims, place)
        explorer.button("All dates").click()
        wait_page(explorer, first(store, tin), "1-100 of 3,000 · page 1 of 30")
        assert explorer.control("From", "input").get_property("value") == ""
        assert explorer.control("to", "input").get_property("value") == ""

    def test_it_says_where_the_data_ends(self, explorer, store):
        data = store.config.data_generation
        explorer.wait_text(f"Claims begin between {data.first_service_date} and {data.last_service_date}.")

    def test_dates_out_of_order_give_a_clear_message(self, page, explorer):
        typed(explorer, "From", dt.date(2025, 10, 1))
        typed(explorer, "to", dt.date(2025, 9, 1))
        explorer.wait_text("Not answered. The last service date, 2025-09-01, is before the first, 2025-10-01.")
        assert explorer.rows() == []
        assert set(explorer.figures().values()) == {"—"}
        assert not explorer.button("Next").is_enabled()
        page.picture("explorer_error")

    def test_a_jump_to_a_date(self, page, explorer, store):
        tin, day = self.tin(store), dt.datetime(2025, 2, 10)
        for _ in range(2):
            control = typed(explorer, "Jump to", day)
            claims = first(store, tin, cursor=cursor_at(store, (tin, None, None), day))
            wait_page(explorer, claims, "100 claims of 3,000 · page number not known")
            assert explorer.rows()[0][0] >= f"{day:%Y-%m-%d}"
            wait_for(lambda control=control: control.get_property("value") == "", 5, "the empty input")
            page.picture("explorer_jump")
            explorer.button("First").click()
            wait_page(explorer, first(store, tin), "1-100 of 3,000 · page 1 of 30")

    def test_the_total_is_counted_once_or_with_each_page(self, explorer):
        sent = {}
        for text, number in (("with each page", 2), ("once", 1)):
            explorer.button(text).click()
            explorer.settle()
            assert explorer.is_chosen(text)
            explorer.button("Clear log").click()
            wait_for(lambda: explorer.log() == [], 10, "the empty log")
            explorer.button("Next").click()
            wait_for(lambda number=number: len(explorer.log()) == number, 10, "the next request")
            explorer.settle()
            sent[text] = [row[1] for row in explorer.log()]
        assert sent == {"with each page": ["aggregate", "find"], "once": ["find"]}

    def test_the_log_shows_what_was_sent_and_can_be_cleared(self, page, explorer):
        explorer.button("Clear log").click()
        explorer.wait_text("No request since the log was cleared.")
        explorer.button("Next").click()
        wait_for(lambda: len(explorer.log()) == 1, 10, "the request")
        figures = explorer.settle()
        ((_, command, ms, keys, documents, returned, mql),) = explorer.log()
        assert (command, returned) == ("find", "101")
        assert ms == figures["page time"]
        assert (keys, documents) == (figures["keys examined"], figures["documents examined"])
        assert re.sub(r"\s", "", mql) in re.sub(r"\s", "", explorer.text())
        for _ in range(8):
            explorer.button("Next").click()
            explorer.settle()
        assert len({row[6] for row in explorer.log()}) == 9
        heights = page.browser.execute_script(
            "const box = document.querySelector('.pbm-log table').parentElement;"
            "return [box.clientHeight, box.scrollHeight, ...[...box.querySelectorAll('tr')].map(r => r.clientHeight)]"
        )
        assert heights[0] < heights[1]
        assert max(heights[2:]) < 30  # pixels, so each row is on one line
        page.picture("explorer_log")

    @pytest.mark.parametrize("width", [WIDTH, 1_000])
    def test_nothing_is_cut_off(self, page, explorer, store, width):
        page.browser.set_window_size(width, HEIGHT)
        try:
            for text in ("Newest first", "unbounded query", "with each page"):
                explorer.button(text).click()
                wait_for(lambda text=text: explorer.is_chosen(text), 10, text)
                explorer.settle()
                assert explorer.cut_off() == []
            explorer.button("Last").click()
            end = first(store, self.tin(store), last=True, order="newest")
            wait_page(explorer, end, "2,901-3,000 of 3,000 · page 30 of 30")
            assert explorer.cut_off() == []
            page.picture(f"explorer_{width}")
        finally:
            page.browser.set_window_size(WIDTH, HEIGHT)

    def test_the_dark_theme_is_readable(self, page, explorer):
        page.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
        try:
            for selector in (".pbm-page tbody td", ".pbm-log td", ".pbm-place", ".pbm-explorer pre"):
                wait_for(lambda selector=selector: min(self.color(page, selector)) > 180, 10, f"light {selector}")
            red, green, _ = self.color(page, ".pbm-figures .widget-html-content > div > div > div")
            assert green > 180 > red
            page.picture("explorer_dark")
        finally:
            page.command("apputils:change-theme", {"theme": "JupyterLab Light"})

    def color(self, page, selector):
        color = page.browser.execute_script(
            "return getComputedStyle(document.querySelector(arguments[0])).color", selector
        )
        return [int(part) for part in re.findall(r"\d+", color)[:3]]


class TestSlowQuery:
    """The unbounded query of a range that ends at the provider's 30th claim takes over ten seconds."""

    @pytest.fixture
    def slow(self, page, store, busy):
        """A fresh explorer on that range. Afterward, the kernel restarts, and nothing that it ran is left."""
        explorer = opened(page, "03_slow")
        provider = list_providers(store.config)[0]
        Select(explorer.control("Page size", "select")).select_by_visible_text("25")
        end = first(store, provider.tin)[29]["serviceBeginDate"].date()
        typed(explorer, "to", end)
        wait_page(
            explorer,
            first(store, provider.tin, None, end, page_size=25),
            f"1-25 of {count_claims(store, provider.tin, None, end)} · page 1 of 2",
        )
        yield explorer
        page.restart()
        wait_for(lambda: busy() == [], 10, "nothing left of it")

    def begin(self, explorer, busy):
        explorer.button("unbounded query").click()
        wait_for(lambda: busy() == ["find"], 10, "the slow query")
        wait_for(lambda: "unbounded query, still running" in explorer.figures(), 10, "the stopwatch")

    def test_it_is_timed_on_screen_and_can_be_canceled(self, page, slow, busy):
        explorer, fast, claims = slow, slow.figures(), slow.claims()
        top, place = explorer.table_top(), explorer.place()
        self.begin(explorer, busy)
        wait_for(lambda: explorer.opacity() < 0.5, 5, "the dimmed table")
        assert explorer.claims() == claims
        running = explorer.figures()
        assert running["bounded query, last page read"] == fast["page time, bounded query"]
        first_reading = running["unbounded query, still running"]
        time.sleep(0.5)
        second_reading = explorer.figures()["unbounded query, still running"]
        assert float(second_reading.removesuffix(" s")) > float(first_reading.removesuffix(" s"))
        assert explorer.table_top() == top
        for text in ("First", "Previous", "Next", "Last"):
            assert not explorer.button(text).is_enabled()
        page.picture("explorer_slow_running")
        explorer.button("Cancel").click()
        said = explorer.wait_text("Canceled after")
        assert re.search(r"Canceled after \d+\.\d s: the unbounded query was ended on the server\.", said)
        wait_for(lambda: busy() == [], 1, "the server to be done with it")  # it answers first
        wait_for(lambda: explorer.opacity() == 1, 5, "the table")
        explorer.settle()
        assert (explorer.figures(), explorer.claims(), explorer.place()) == (fast, claims, place)
        assert explorer.is_chosen("bounded query")
        assert explorer.log()[0][1] == "find"
        assert explorer.log()[0][5] == "ended (Interrupted)"
        assert not explorer.button("Cancel").is_enabled()
        assert explorer.table_top() == top
        page.picture("explorer_canceled")

    def test_it_is_compared_once_it_has_arrived(self, page, slow, busy):
        explorer, fast, claims = slow, slow.figures(), slow.claims()
        top = explorer.table_top()
        self.begin(explorer, busy)
        wait_for(lambda: "as long, the same claims" in explorer.figures(), 30, "the slow page")
        assert explorer.table_top() == top
        figures = explorer.settle(30)
        assert float(figures["page time, unbounded query"].removesuffix(" s")) > 10
        assert figures["bounded query"] == fast["page time, bounded query"]
        assert float(figures["as long, the same claims"].removesuffix(TIMES).replace(",", "")) > 10
        assert figures["keys examined"] == "26"
        assert (explorer.claims(), figures["total"]) == (claims, fast["total"])
        assert explorer.table_top() == top
        page.picture("explorer_slow_finished")
        explorer.button("bounded query").click()
        wait_for(lambda: "as fast, the same claims" in explorer.figures(), 20, "the fast page")
        explorer.settle()
        assert explorer.table_top() == top
        page.picture("explorer_fast")

    def test_no_second_query_runs_at_the_same_time_whatever_is_clicked(self, page, slow, busy, store):
        explorer, tin = slow, list_providers(store.config, "300")[0].tin
        with watched(busy) as seen:
            self.begin(explorer, busy)
            Select(explorer.control("Page size", "select")).select_by_visible_text("50")
            time.sleep(0.5)
            explorer.button("Newest first").click()
            time.sleep(0.5)
            explorer.button("with each page").click()
            explorer.button("Clear log").click()
            time.sleep(0.5)
            Select(explorer.control("Tier", "select")).select_by_visible_text("300")
            explorer.button("All dates").click()
            time.sleep(0.5)
            explorer.button("bounded query").click()
            wait_page(explorer, first(store, tin, order="newest", page_size=50), "1-50 of 300 · page 1 of 6")
        assert set(seen) == {0, 1}
        assert "Timed again" not in explorer.text()

    def test_a_closed_tab_leaves_nothing_on_the_server(self, page, busy):
        explorer = opened(page, "03_limited")
        self.begin(explorer, busy)
        closed = page.browser.current_window_handle
        page.browser.switch_to.new_window("tab")
        other = page.browser.current_window_handle
        page.browser.switch_to.window(closed)
        page.browser.close()
        page.browser.switch_to.window(other)
        wait_for(lambda: busy() == [], LIMIT_SECONDS + 2, "the server to end it")
        time.sleep(1)
        assert busy() == []

    def test_a_restarted_kernel_leaves_nothing_on_the_server(self, page, slow, busy):
        self.begin(slow, busy)
        page.restart()
        wait_for(lambda: busy() == [], 3, "the server to end it")


@contextmanager
def watched(busy):
    """Record repeatedly, within the block, how many commands the server is running on the claims."""
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(len(busy()))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        done.set()
        watching.join(10)
