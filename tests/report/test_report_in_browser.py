"""The report in a real browser: readable by everyone, on a screen, a phone, and paper, in light and dark mode."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import PROJECT, write_config
from fake_runs import complete_run
from full_run import full_run
from lab_browser import chromium
from report_screen import DESKTOP, PAPER, PHONE, ReportScreen
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers import wait_for

from pbm_lib import PerformanceRun, load_config, write_report

pytestmark = pytest.mark.browser

KINDS = ["complete", "killed", "killed at once", "schema 1", "baseline", "one tier", "reader"]
SCHEMA_1 = Path(__file__).parents[1] / "measure" / "schema_1_run.json"
LEAST_LETTERS = 9  # CSS pixels
LEAST_CONTRAST = 4.5  # WCAG 2, level AA
TEXTS = """
const luminance = color => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const page = luminance(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll('.panels svg text')].map(text => {
    const matrix = text.getScreenCTM(), style = getComputedStyle(text), ink = luminance(style.fill);
    const [box, panel] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    return {
        words: text.textContent,
        pixels: parseFloat(style.fontSize) * Math.hypot(matrix.a, matrix.b),
        contrast: (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05),
        cut: Math.max(panel.left - box.left, panel.top - box.top, box.right - panel.right, box.bottom - panel.bottom),
    };
});
"""
COLORS = """
const drawn = [...document.querySelectorAll('.panels svg :is(path, use, text)')];
return ['fill', 'stroke'].flatMap(name =>
    drawn.filter(element => element.style[name]).map(element => getComputedStyle(element)[name])
).filter(color => color !== 'none');
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The runs by kind, each with its baseline."""
    targets = {"first_page_p95_ms": {"3K": 60, "60": 50}, "count_p95_ms": {"3K": 130}}
    config = load_config(write_config(tmp_path_factory.mktemp("config"), {"performance": {"targets": targets}}))
    complete, schema_1 = complete_run(config), PerformanceRun.load(SCHEMA_1)
    ended = {"complete": False, "levels": (), "offered": (), "checks": (), "costs": (), "rollup": None,
             "index_uses": {}}  # fmt: skip
    at_once = replace(complete, samples=(), footprint=replace(complete.footprint, claims=0), **ended)
    slower = replace(complete, samples=tuple(replace(s, ms=4 * s.ms) for s in complete.samples))
    one = replace(complete.settings.performance, tiers_to_test=("3K",))
    return {
        "complete": (complete, None),
        "killed": (replace(complete, samples=tuple(complete.select(section="cold")), **ended), None),
        "killed at once": (at_once, None),
        "schema 1": (schema_1, None),
        "baseline": (complete, slower),
        "one tier": (
            replace(
                complete,
                settings=replace(complete.settings, performance=one),
                samples=tuple(sample for sample in complete.samples if sample.tier in ("3K", None)),
                checks=tuple(check for check in complete.checks if check.tier == "3K"),
                costs=tuple(cost for cost in complete.costs if cost.tier == "3K"),
            ),
            None,
        ),
        "reader": (
            replace(
                complete,
                samples=tuple(s for s in complete.samples if s.index != "overlap" and s.contestant != "rollup"),
                rollup=None,
                index_uses={},
                notes=("Totals: no rollup was built. No right.",),
            ),
            None,
        ),
        "full": (full_run(load_config(PROJECT / "config.yaml")), None),
    }


@pytest.fixture(scope="module")
def page_of(runs, tmp_path_factory):
    """Return a function that returns the report file for the name of a kind of run. Each file is written once."""
    written = {}

    def page(kind):
        if kind not in written:
            run, baseline = runs[kind]
            people = {"customer": "Acme Health", "presenter": "Dana Reyes", "next_steps": "Load your own claims."}
            written[kind] = write_report(run, tmp_path_factory.mktemp("report"), baseline, **people).html
        return written[kind]

    return page


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile"), logs_requests=True) as browser:
        yield ReportScreen(browser)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_everyone_can_read_it(screen, page_of, kind, dark, width):
    screen.show(page_of(kind), width, dark=dark)
    assert screen.faults() == []


def test_a_fault_would_be_found(screen, page_of):
    screen.show(page_of("killed"))
    screen.script("document.querySelector('.lead, .sub').style.color = '#ccc'; document.documentElement.lang = ''")
    found = " ".join(screen.faults())
    assert "color-contrast (serious)" in found and "html-has-lang (serious)" in found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [*(kind for kind in KINDS if "killed" not in kind), "full"])  # those have no charts
def test_text_in_the_charts_has_enough_contrast_and_is_not_cut_off(screen, page_of, kind, dark):
    for width in (DESKTOP, PHONE):
        screen.show(page_of(kind), width, dark=dark)
        texts = screen.script(TEXTS)
        assert len(texts) > 20
        assert [text for text in texts if text["contrast"] < LEAST_CONTRAST] == []
        assert [text for text in texts if text["cut"] > 1] == []
        assert [text for text in texts if text["pixels"] < LEAST_LETTERS] == []


def test_nothing_is_requested_from_the_network(screen, page_of):
    page = page_of("full")
    screen.show(page)
    for width, media in ((PHONE, ""), (PAPER, "print")):
        screen.requests()
        screen.show(page, width, media=media)
        assert [asked for asked in screen.requests() if not asked.startswith("data:")] == [page.as_uri()]
    # The log records what a page requests, whether or not there is an answer.
    screen.script("new Image().src = 'http://127.0.0.1:9/picture.png'")
    wait_for(lambda: "http://127.0.0.1:9/picture.png" in screen.requests(), 10, "the request")


@pytest.mark.parametrize("kind", [*KINDS, "full"])
def test_a_phone_shows_everything_in_one_column(screen, page_of, kind):
    screen.show(page_of(kind), PHONE)
    assert screen.script("const page = document.documentElement; return [page.scrollWidth, page.clientWidth]") == [
        PHONE, PHONE,
    ]  # fmt: skip
    for panels in places(screen):
        assert all(lower["top"] >= upper["bottom"] for upper, lower in pairwise(panels))
    boxes = screen.script(
        "return [...document.querySelectorAll('.scroll')].map(box => { box.scrollLeft = 9999; return {"
        "   right: box.getBoundingClientRect().right, moved: box.scrollLeft, wider: box.scrollWidth - box.clientWidth,"
        "   caption: box.querySelector('caption').getBoundingClientRect()"
        "}})"
    )
    assert all(box["right"] <= PHONE and abs(box["moved"] - box["wider"]) < 1 for box in boxes)
    assert any(box["wider"] > 20 for box in boxes)
    # The caption of a table is visible however far the table is scrolled.
    assert all(box["caption"]["left"] >= 0 and box["caption"]["right"] <= PHONE for box in boxes)


@pytest.mark.parametrize("kind", ["full", "complete", "schema 1"])
def test_a_desktop_shows_panels_side_by_side_and_whole_tables(screen, page_of, kind):
    screen.show(page_of(kind))
    found = places(screen)
    assert sorted({len(panels) for panels in found}) == [1, 2]
    for panels in found:
        assert all(left["right"] <= right["left"] and left["top"] == right["top"] for left, right in pairwise(panels))
    assert too_wide(screen) == []


def places(screen):
    """Return where the panels of each chart are."""
    return screen.script(
        "return [...document.querySelectorAll('.panels')].map("
        "   chart => [...chart.children].map(panel => panel.getBoundingClientRect()))"
    )


def too_wide(screen):
    """Return the captions of the tables that are wider than their box."""
    return screen.script(
        "return [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
        "   .map(box => box.getAttribute('aria-label'))"
    )


@pytest.mark.parametrize("kind", ["complete", "full"])
def test_it_prints_on_at_most_six_pages(screen, page_of, kind):
    for dark in (False, True):
        screen.show(page_of(kind), dark=dark)
        assert 4 <= screen.printed_pages() <= 6


@pytest.mark.parametrize("kind", ["baseline", "full"])
def test_paper_is_white_whatever_the_screen_is(screen, page_of, kind):
    screen.show(page_of(kind), PAPER)
    light = screen.script(COLORS)
    screen.show(page_of(kind), PAPER, dark=True, media="print")
    assert screen.script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert screen.script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert screen.script(COLORS) == light
    heights = "return [...document.querySelectorAll(arguments[0])].map(element => element.offsetHeight)"
    assert set(screen.script(heights, ".no-print")) == {0}
    assert min(screen.script(heights, ".only-print")) > 0
    # Paper does not scroll.
    assert too_wide(screen) == []
    assert screen.script("return document.documentElement.scrollWidth") == PAPER


def test_a_dark_screen_has_a_dark_page_and_light_charts(screen, page_of):
    looks = []
    for dark in (False, True):
        screen.show(page_of("full"), dark=dark)
        looks.append((screen.script("return getComputedStyle(document.body).backgroundColor"), screen.script(COLORS)))
    (paper, by_day), (slate, by_night) = looks
    assert paper == "rgb(255, 255, 255)" and slate == "rgb(6, 24, 31)"
    assert len(by_day) == len(by_night) > 100
    assert set(by_day) & set(by_night) == set()


@pytest.mark.parametrize("kind", [*KINDS, "full"])
def test_its_outline_has_one_title_and_the_contents_lead_to_every_section(screen, page_of, kind):
    screen.show(page_of(kind))
    levels = screen.script("return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in pairwise(levels))
    ids = screen.script("return [...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
    contents = screen.script(
        "return [...document.querySelectorAll('nav a')].map(link => [link.getAttribute('href'), link.textContent])"
    )
    sections = screen.script(
        "return [...document.querySelectorAll('section')]"
        "   .map(part => ['#' + part.id, part.querySelector('h2').textContent])"
    )
    assert contents == sections and len(sections) >= 7
    links = screen.script("return [...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_a_link_in_the_contents_scrolls_to_its_section(screen, page_of):
    screen.show(page_of("full"))
    for name in ("cost", "method"):
        screen.browser.find_element(By.CSS_SELECTOR, f"nav a[href='#{name}']").send_keys(Keys.ENTER)
        place = f"return document.querySelector('#{name} h2').getBoundingClientRect().top"
        wait_for(lambda place=place: 0 <= screen.script(place) < 100, 10, name)


@pytest.mark.parametrize("kind", ["complete", "killed"])
def test_a_keyboard_reaches_and_scrolls_every_table(screen, page_of, kind):
    screen.show(page_of(kind), PHONE)
    tables = screen.script(
        "return [...document.querySelectorAll('.scroll')].map(box => box.getAttribute('aria-label'))"
    )
    links = screen.script("return document.querySelectorAll('a').length")
    reached, scrolled = [], 0
    for _ in range(links + len(tables)):
        ActionChains(screen.browser).send_keys(Keys.TAB).perform()
        focused = screen.browser.switch_to.active_element
        if focused.get_attribute("role") != "region":
            continue
        reached.append(focused.get_attribute("aria-label"))
        assert focused.value_of_css_property("outline-style") != "none"
        if screen.script("return arguments[0].scrollWidth - arguments[0].clientWidth > 20", focused):
            focused.send_keys(Keys.ARROW_RIGHT)
            wait_for(lambda box=focused: screen.script("return arguments[0].scrollLeft > 0", box), 10, reached[-1])
            scrolled += 1
    assert reached == tables
    assert scrolled > 1


def test_a_report_of_a_default_run_is_at_most_1_mb(page_of, runs):
    run, _ = runs["full"]
    assert len(run.samples) > 13_000
    assert page_of("full").stat().st_size <= 1_000_000
