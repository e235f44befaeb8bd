"""The first page of a report: its headline, its lead, the numbers to remember, and the limits."""

from dataclasses import replace

import pytest
from fake_runs import (
    ARRIVALS,
    FIRST_PAGE,
    application,
    around,
    complete_run,
    fake_run,
    good_samples,
    series,
    with_times,
    without,
)

from pbm_lib.measure.records import Check
from pbm_lib.measure.targets import target_results
from pbm_lib.report.first_page import headline, key_figures, lead, limits

SMALL_PAGE = application("60", "first_page", "range")
SPREAD = (
    "With one client at a time, the p95 of a page is 17 ms to 96 ms, depending on the page and the provider size (60 "
    "to 3K claims)"
)


@pytest.fixture(scope="module")
def config(make_config):
    targets = {"first_page_p95_ms": {"3K": 60, "60": 50}, "count_p95_ms": {"3K": 130}}
    return make_config({"performance": {"targets": targets}})


@pytest.fixture(scope="module")
def good(config):
    return fake_run(config, good_samples())


@pytest.fixture(scope="module")
def shallow(good):
    """The run without its depth section."""
    return without(good, section="depth")


# The headline


def test_the_headline_is_the_deepest_page(good):
    assert headline(good) == "A page 2,700 claims deep takes 9.6 ms"
    less = without(good, section="depth", depth=2_700)
    assert headline(less) == "A page 1,000 claims deep takes 8.8 ms"
    assert headline(without(good, section="depth", contestant="keyset")) == "First pages stay flat, 60 to 3K claims"


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (6.1, "First pages stay flat, 60 to 3K claims"),
        (9.3, "First pages stay flat, 60 to 3K claims"),
        (9.5, "The first page takes 9.5 ms at 3K claims"),
        (2.7, "First pages stay flat, 60 to 3K claims"),
        (2.6, "The first page takes 2.6 ms at 3K claims"),
    ],
)
def test_without_depth_the_headline_is_how_pages_scale_with_size(shallow, ms, said):
    assert headline(with_times(shallow, around(ms), **application("3K", "first_page", "provider"))) == said


def test_with_date_ranges_alone_the_headline_is_their_first_page(shallow):
    ranges = without(shallow, scenario="provider")
    assert headline(ranges) == "First pages stay flat, 60 to 3K claims"
    assert headline(without(ranges, tier="300")) == "First pages stay flat, 60 to 3K claims"
    one = replace(ranges, samples=tuple(ranges.select(tier="3K")))
    assert headline(one) == "The first page takes 14 ms at 3K claims"


def test_bad_news_is_the_headline(good):
    bad = with_times(good, around(30.0), **FIRST_PAGE)
    assert headline(bad) == "1 of 3 targets missed"
    check = Check("ranges", "3K", "first_page", "unbounded", 1_003, 1)
    assert headline(replace(bad, checks=(check,))) == "Answers differ, so the timings are not valid"
    assert headline(replace(bad, checks=(check,), complete=False)) == (
        "Incomplete run: answers differ, so the timings are not valid"
    )
    for wrong in ({"lost": 1}, {"repeated": 1}):
        lossy = replace(bad, arrivals=replace(ARRIVALS, **wrong))
        assert headline(lossy) == "Claims were lost or repeated while others arrived"
    performance = replace(good.settings.performance, targets={"first_page_p95_ms": {"3K": 40}})
    single = replace(good, settings=replace(good.settings, performance=performance))
    assert headline(single) == "1 of 1 target missed"


def test_an_incomplete_run_says_so_first(good):
    stopped = replace(good, complete=False)
    assert headline(stopped) == "Incomplete run: a page 2,700 claims deep takes 9.6 ms"
    nothing = replace(stopped, samples=(), levels=(), checks=())
    cold = replace(nothing, samples=tuple(good.select(section="cold")))
    for run in (nothing, cold):
        assert headline(run) == "Incomplete run: no page latency was measured"
        assert lead(run) == ""
    assert headline(replace(cold, complete=True)) == "No page latency was measured"


def test_no_headline_is_longer_than_ten_words(good, shallow):
    missed = with_times(good, around(3_000.0), **FIRST_PAGE)
    wrong = replace(good, checks=(Check("depth", "3K", "page", "skip", 5, 4),))
    lossy = replace(good, arrivals=replace(ARRIVALS, lost=1))
    runs = [good, shallow, missed, wrong, lossy, without(shallow, scenario="provider"), replace(good, samples=())]
    for run in runs:
        for complete in (True, False):
            assert len(headline(replace(run, complete=complete)).split()) <= 10


# The lead below the headline


def test_the_lead_counts_the_targets(good):
    assert lead(good) == f"All 3 targets met. {SPREAD}."
    bad = with_times(good, around(30.0), **FIRST_PAGE)
    assert lead(bad) == (
        "1 of 3 targets missed. The worst is first page at 3K: p95 107 ms against a target of 60 ms. With one "
        "client at a time, the p95 of a page is 17 ms to 107 ms, depending on the page and the provider size (60 to "
        "3K claims)."
    )
    # The worst is 2.8 times its target; the 320 ms of the total are only 2.5 times a longer target.
    worse = with_times(bad, around(40.0), **SMALL_PAGE)
    worse = with_times(worse, around(90.0), **application("3K", "count", "range"))
    assert lead(worse).startswith(
        "3 of 3 targets missed. The worst is first page at 60: p95 142 ms against a target of 50 ms. "
    )


def test_a_target_that_is_not_decided_is_in_the_lead(good):
    open_ = with_times(good, around(16.0), **FIRST_PAGE)
    assert lead(open_) == f"2 of 3 targets met, 1 not decided. {SPREAD}."
    worse = with_times(open_, around(40.0), **SMALL_PAGE)
    assert lead(worse).startswith(
        "1 of 3 targets missed, 1 not decided. The worst is first page at 60: p95 142 ms against a target of 50 ms. "
    )
    few = replace(good, samples=tuple(sample for sample in good.samples if sample.iteration < 71))
    assert lead(few).startswith("None of the 3 targets is decided. With one client")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (60, "The target is met."),
        (50, "The target is not decided."),
        (40, "1 of 1 target missed. The worst is first page at 3K: p95 50 ms against a target of 40 ms."),
        (None, "No target was set for anything measured."),
    ],
)
def test_a_single_target_or_none_has_its_own_wording(make_config, target, said):
    targets = {"first_page_p95_ms": {"3K": target}} if target else {}
    run = fake_run(make_config({"performance": {"targets": targets}}), good_samples())
    assert lead(run) == f"{said} {SPREAD}."


def test_one_tier_and_one_time_need_no_range(good):
    performance = replace(good.settings.performance, tiers_to_test=("3K",), targets={})
    run = replace(good, settings=replace(good.settings, performance=performance))
    assert lead(run).endswith(" the p95 of a page is 22 ms to 96 ms, depending on the page and the date range.")
    one = replace(run, samples=tuple(run.select(**FIRST_PAGE)))
    assert lead(one).endswith(" the p95 of a page is 50 ms, depending on the page and the date range.")


def test_a_lead_with_few_samples_or_failed_calls_says_so(good):
    few = with_times(good, around(14.0, count=71), **FIRST_PAGE)
    assert lead(few).endswith("(60 to 3K claims). There are too few samples for a firm p95.")
    failed = replace(good, samples=(*good.samples, *series([900.0] * 2, error="AutoReconnect", **FIRST_PAGE)))
    assert lead(failed).startswith(f"2 of {len(failed.samples):,} calls failed. All 3 targets met.")


# The numbers to remember


def test_there_are_four_numbers_each_with_its_basis(make_config):
    deep, page, total, cost = key_figures(complete_run(make_config()))
    assert (deep.text, deep.what, deep.against) == ("9.6 ms", "for a page 2,700 claims deep", "skip/limit: 400 ms")
    # The 1st and the 7th of 7 squares, in units of 0.6 ms and 25 ms.
    assert deep.basis == ("Median, 95% interval 0.60 ms to 29 ms (n = 7); skip/limit 25 ms to 1.2 s (n = 7)")
    assert (page.text, page.what) == ("14 ms", "for the first page of 90 days at 3K claims")
    assert page.against == "unbounded query: 700 ms\noverlap index: 4.5 ms"
    # The 50th and the 72nd of 121 squares. The speedup is per window, on the 7 windows that both ran.
    assert page.basis == (
        "Median, 95% interval 9.4 ms to 20 ms (n = 121); unbounded query 44 ms to 2.1 s (n = 7); overlap index 0.72 ms "
        "to 12 ms (n = 9); speedup 41 to 69 on 7 ranges that both ran"
    )
    assert (total.text, total.what, total.against) == (
        "31 ms", "for the exact total at 3K claims", "$facet: 350 ms\ncapped count: 2.1 ms\nrollup: 1.1 ms",
    )  # fmt: skip
    assert total.basis.startswith("Median, 95% interval 21 ms to 43 ms (n = 121); $facet (n = 1); capped count ")
    assert (cost.text, cost.what) == ("M10", "is the smallest Atlas tier that holds 3,000,000 claims")
    assert cost.against == "about 58 USD per month"
    assert cost.basis == (
        "M10 is enough for a demo. Atlas recommends M30 and larger for production: M30 at about 394 USD per month."
    )
    assert [figure.ms for figure in (deep, page, total, cost)] == [pytest.approx(ms) for ms in (9.6, 14, 31)] + [None]


def test_numbers_from_few_calls_say_how_few(good):
    few = with_times(good, around(10.0, count=1), **FIRST_PAGE)
    for way in ("facet", "capped", "rollup"):
        few = without(few, section="totals", contestant=way)
    few = without(without(few, section="depth", contestant="skip"), section="ranges", index="overlap")
    deep, page, total, _ = key_figures(few)
    assert (deep.against, page.against) == ("", "unbounded query: 700 ms")
    assert deep.basis == "Median, 95% interval 0.60 ms to 29 ms (n = 7)"
    assert page.basis.startswith("Median (n = 1); unbounded query 44 ms")
    assert page.basis.endswith("; speedup 70 to 70 on 1 range that both ran")
    assert total.against == ""


def test_what_was_not_measured_has_no_number(good):
    assert [figure.text for figure in key_figures(replace(good, samples=()))] == ["M10"]
    empty = replace(good, samples=(), footprint=replace(good.footprint, claims=0))
    assert key_figures(empty) == []


def test_claims_that_no_tier_holds_need_shards(good):
    huge = replace(good.footprint, storage_bytes=10**12)
    cost = key_figures(replace(good, footprint=huge))[-1]
    assert (cost.text, cost.what) == ("2 \u00d7 M80", "shards: no single Atlas tier holds 3,000,000 claims")
    assert cost.against == "about 10,658 USD per month, not counting config servers"


# The limits


@pytest.mark.parametrize(
    ("elections", "said"),
    [(0, "no node failed"), (1, "the primary changed once meanwhile"), (2, "the primary changed 2 times meanwhile")],
)
def test_limits_say_what_was_written_and_what_failed(good, elections, said):
    half = replace(good, arrivals=replace(ARRIVALS, offered=123.4, elections=elections))
    assert f" Claims were written in one short part of the run, 123 per second, and {said}. Measure" in limits(half)
    assert " No claim was written during the run, and no node failed. Measure" in limits(replace(good, arrivals=None))


def test_limits_name_what_was_shared_and_what_was_missing(good):
    assert limits(good) == (
        "Server and client shared one machine with 2 CPUs: times exclude network latency, and the two compete for the "
        "CPUs. A single node does not replicate. The claims fit in that machine's memory, so few reads, if "
        "any, should have waited for a disk. The claims are synthetic. Claims were written in one short part of "
        "the run, 500 per second, and no node failed. Measure again on the cluster that you plan to use."
    )
    atlas = replace(good.conditions, host_kind="Atlas", topology="replica set")
    assert limits(replace(good, conditions=atlas)).startswith(
        "Every time includes the network between client and server. The claims are synthetic. Claims were"
    )
    slower = with_times(good, [*around(14.0), *around(24.0)], **FIRST_PAGE)
    assert (
        f" In 1 of {len(good.series())} series (those above are marked *, and the tables have notes), times drifted "
        "or were correlated: their intervals are too narrow. Measure again"
    ) in limits(slower)
    large = replace(good.footprint, storage_bytes=4 * 2**30)  # half of that machine's memory, plus the indexes
    assert "memory" not in limits(replace(good, footprint=large))


def test_a_number_whose_calls_were_not_independent_has_a_star(good):
    slower = with_times(good, [*around(14.0), *around(24.0)], **FIRST_PAGE)
    assert "(n = 242*); unbounded query 44 ms to 2.1 s (n = 7);" in key_figures(slower)[1].basis


# Targets


def test_targets_take_the_slower_scenario_and_say_what_is_missing(good):
    slow = with_times(good, around(50.0), **application("3K", "count", "provider"))
    first, small, count = target_results(slow)
    values = [pytest.approx(median * 13_225 / 3_721) for median in (14.0, 11.0, 50.0)]
    assert [result.value_ms for result in (first, small, count)] == values
    assert [result.scenario for result in (first, small, count)] == ["date range", "date range", "provider only"]
    assert [(result.tier, result.verdict, result.n) for result in (first, small, count)] == [
        ("3K", "met", 121), ("60", "met", 121), ("3K", "missed", 121),
    ]  # fmt: skip
    unmeasured = [result.verdict for result in target_results(replace(good, samples=()))]
    assert unmeasured == ["not measured"] * 3
    few = with_times(good, [10.0] * 4, **FIRST_PAGE)
    few = with_times(few, [1.0] * 4, **application("3K", "first_page", "provider"))
    assert target_results(few)[0].note == "n < 72: too few for an upper bound on p95"
