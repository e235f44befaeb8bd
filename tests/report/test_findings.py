"""The words of a report: sentences and titles of known samples, of good runs and of bad ones."""

from dataclasses import replace

import pytest
from fake_runs import START, application, around, complete_run, fake_run, good_samples, series

from pbm_lib import PerformanceRun
from pbm_lib.measure.records import Check, Level
from pbm_lib.measure.targets import target_results
from pbm_lib.report.chart_texts import (
    concurrency_described,
    concurrency_finding,
    keyset_described,
    keyset_finding,
    latency_described,
    latency_finding,
    plans_described,
    plans_finding,
)
from pbm_lib.report.findings import (
    examined_finding,
    headline,
    key_figures,
    problems,
    totals_finding,
    volume_finding,
)


@pytest.fixture(scope="module")
def config(make_config):
    targets = {"first_page_p95_ms": {"3K": 60, "60": 50}, "count_p95_ms": {"3K": 130}}
    return make_config({"performance": {"targets": targets}})


@pytest.fixture(scope="module")
def good(config):
    return fake_run(config, good_samples())


def with_times(run, times, **labels):
    """The run, with other times for the samples with these labels."""
    kept = [s for s in run.samples if not all(getattr(s, name) == value for name, value in labels.items())]
    return replace(run, samples=(*kept, *series(times, **labels)))


def without(run: PerformanceRun, **labels) -> PerformanceRun:
    """The run without the samples with these labels."""
    return with_times(run, [], **labels)


FIRST_PAGE = application("3K", "first_page", "range")
SMALL_PAGE = application("60", "first_page", "range")
UNBOUNDED = {**FIRST_PAGE, "contestant": "unbounded"}
SPREAD = "95% of pages return within 17 ms to 96 ms, depending on the page and the provider size (60 to 3K claims)"


# The headline


def test_a_good_run_has_a_good_headline(good):
    assert headline(good) == f"All 3 targets met. {SPREAD}."
    assert problems(good) == []


def test_a_missed_target_is_in_the_headline(good):
    bad = with_times(good, around(30.0), **FIRST_PAGE)
    assert headline(bad) == (
        "1 of 3 targets missed. The worst is first page at 3K: p95 107 ms against a target of 60 ms. 95% of pages "
        "return within 17 ms to 107 ms, depending on the page and the provider size (60 to 3K claims)."
    )
    # The worst: 2.8 times its target, not the 320 ms that are 2.5 times a longer one.
    worse = with_times(bad, around(40.0), **SMALL_PAGE)
    worse = with_times(worse, around(90.0), **application("3K", "count", "range"))
    assert headline(worse).startswith(
        "3 of 3 targets missed. The worst is first page at 60: p95 142 ms against a target of 50 ms. "
    )


def test_a_target_that_is_not_decided_is_in_the_headline(good):
    open_ = with_times(good, around(16.0), **FIRST_PAGE)
    assert headline(open_) == f"2 of 3 targets met, 1 not decided. {SPREAD}."
    worse = with_times(open_, around(40.0), **SMALL_PAGE)
    assert headline(worse).startswith(
        "1 of 3 targets missed, 1 not decided. The worst is first page at 60: p95 142 ms against a target of 50 ms. 95%"
    )
    few = replace(good, samples=tuple(sample for sample in good.samples if sample.iteration < 71))
    assert headline(few).startswith("None of the 3 targets is decided. 95% of pages")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (60, "The target is met."),
        (50, "The target is not decided."),
        (40, "1 of 1 targets missed. The worst is first page at 3K: p95 50 ms against a target of 40 ms."),
        (None, "No target was set for anything measured."),
    ],
)
def test_a_single_target_or_none_is_said_in_the_singular(make_config, target, said):
    targets = {"first_page_p95_ms": {"3K": target}} if target else {}
    run = fake_run(make_config({"performance": {"targets": targets}}), good_samples())
    assert headline(run) == f"{said} {SPREAD}."


def test_one_tier_and_one_time_need_no_range(good):
    performance = replace(good.settings.performance, tiers_to_test=("3K",), targets={})
    run = replace(good, settings=replace(good.settings, performance=performance))
    assert headline(run).endswith(
        " 95% of pages return within 22 ms to 96 ms, depending on the page and the date range."
    )
    one = replace(run, samples=tuple(run.select(**FIRST_PAGE)))
    assert headline(one).endswith(" 95% of pages return within 50 ms, depending on the page and the date range.")


def test_a_headline_on_few_samples_says_so(good):
    few = with_times(good, around(14.0, count=71), **FIRST_PAGE)
    assert headline(few).endswith("(60 to 3K claims); too few samples for a firm p95.")


def test_an_incomplete_run_says_so_first(good):
    assert headline(replace(good, complete=False)) == f"Incomplete run. All 3 targets met. {SPREAD}."
    nothing = replace(good, complete=False, samples=(), levels=(), checks=())
    cold = replace(nothing, samples=tuple(good.select(section="cold")))
    for run in (nothing, cold):
        assert headline(run) == "Incomplete run. No page latency had been measured."
    assert headline(replace(cold, complete=True)) == "No page latency was measured."
    assert problems(nothing) == ["The run was stopped before its end. The report shows what it had measured by then."]


# What a reader must know before believing it


def test_answers_that_differ_come_before_every_time(good):
    checks = (Check("ranges", "3K", "first_page", "unbounded", 1_003, 1), Check("depth", "3K", "page", "skip", 5, 5))
    bad = replace(good, checks=checks)
    assert headline(bad) == f"1,002 of 1,008 compared answers differ, so the timings are not valid. {SPREAD}."
    assert len(problems(bad)) == 1


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check("ranges", "3K", "first_page", "unbounded", 3, 1), "first page at 3K (ranges), unbounded query"),
        (Check("ranges", "60", "count", "overlap", 3, 1), "count at 60 (ranges), overlap index"),
        (Check("ranges", "60", "count", "three_field", 3, 1), "count at 60 (ranges), three-field index"),
        (Check("totals", "300", "count", "capped", 3, 1), "count at 300 (totals), capped count"),
        (Check("totals", "300", "count", "rollup", 3, 1), "count at 300 (totals), rollup"),
        (Check("totals", "60", "page_and_total", "facet", 3, 1), "page and total in one call at 60 (totals), $facet"),
        (Check("depth", "3K", "page", "skip", 3, 1), "page at 3K (depth), skip/limit"),
        (Check("volume", "3K", "stream", "two_streams", 3, 1), "whole provider streamed at 3K (volume), two streams"),
    ],
    ids=lambda value: value.against if isinstance(value, Check) else "",
)
def test_answers_that_differ_are_named_with_what_they_were_held_against(good, check, said):
    equal = replace(check, equal=check.compared)
    assert problems(replace(good, checks=(equal, check))) == [
        f"Answers differ: {said} against the application's own way, 2 of 3 pairs."
    ]


def test_failures_and_retries_are_said(good):
    failed = series([900.0] * 2, error="AutoReconnect", **FIRST_PAGE) + series([80.0], retries=1, **FIRST_PAGE)
    bad = replace(good, samples=(*good.samples, *failed))
    assert headline(bad).startswith(f"2 of {len(bad.samples):,} calls failed. All 3 targets met.")
    assert problems(bad) == [
        "2 calls failed with AutoReconnect. No figure includes them.",
        "The driver repeated 1 call. No figure includes it.",
    ]
    assert bad.statistics(**FIRST_PAGE) == replace(good.statistics(**FIRST_PAGE), failed=2, retried=1)
    other = [*series([1.0], error="NetworkTimeout", **FIRST_PAGE), *series([80.0] * 2, retries=1, **FIRST_PAGE)]
    assert problems(replace(good, samples=(*good.samples, *other))) == [
        "1 call failed with NetworkTimeout. No figure includes it.",
        "The driver repeated 2 calls. No figure includes them.",
    ]


def test_series_that_changed_during_the_run_are_a_problem(good):
    slower = with_times(good, [*around(14.0), *around(24.0)], **FIRST_PAGE)
    faster = with_times(slower, [*around(3.0), *around(1.0)], section="floor", operation="ping", claims=None)
    text = "series changed during the run, so their p95 is less certain than its interval says. The largest change:"
    (one,), (two,) = problems(slower), problems(faster)
    series = len(good.series())
    page = "first page, date range, three-field index, bounded query, 3K"
    assert one == f"1 of {series} {text} {page} (not steady: second half 1.7 times the first)."
    assert two == f"2 of {series} {text} ping (not steady: first half 3.0 times the second)."


def test_series_whose_calls_are_alike_are_a_problem(good):
    waves = [10.0 + (number % 20 >= 10) + number % 7 / 100 for number in range(120)]
    wavy = with_times(good, waves, **FIRST_PAGE)
    likeness = wavy.statistics(**FIRST_PAGE).likeness
    assert problems(wavy) == [
        f"In 1 of {len(good.series())} series calls in a row are alike, so their p95 is less certain than its interval "
        "says. Most alike: first page, date range, three-field index, bounded query, 3K (rank correlation "
        f"{likeness:.1f})."
    ]


def test_a_provider_of_another_size_is_a_problem(good):
    conditions = replace(good.conditions, provider_claims={"3K": 2_999, "300": 300, "60": 60})
    assert problems(replace(good, conditions=conditions)) == [
        "The 3K provider has 2,999 claims, not 3,000 as configured."
    ]


# Three numbers, and targets


def test_three_numbers(good):
    page, gain, cost = key_figures(good)
    assert (page.text, page.number) == ("50 ms", pytest.approx(14.0 * 13_225 / 3_721))
    assert page.label == "first page of a 90-day range at 3K claims (p95 of 121 calls)"
    slow, fast = ([s.ms for s in good.select(**labels)] for labels in (UNBOUNDED, FIRST_PAGE))
    ratios = sorted(a / b for a, b in zip(slow, fast, strict=False))
    assert (len(ratios), gain.number) == (7, pytest.approx(ratios[3]))
    assert gain.text == "52 times"
    assert gain.label == "as fast as the unbounded query for that page (median of 7 windows, from 41 to 69)"
    assert (round(ratios[0]), round(ratios[3]), round(ratios[6])) == (41, 52, 69)
    assert (cost.text, cost.number) == ("M10", 0.08)
    assert cost.label == "cheapest Atlas tier that holds 3,000,000 claims, $0.16 for a 2-hour demo"


def test_three_numbers_of_little(good):
    few = with_times(good, around(10.0, count=1), **FIRST_PAGE)
    page, gain, _ = key_figures(few)
    assert page.label.endswith("(p95 of 1 call, few samples)")
    assert gain.label == "as fast as the unbounded query for that page (median of 1 window, from 70 to 70)"
    nothing = key_figures(replace(good, samples=()))
    assert [figure.text for figure in nothing] == ["not measured", "not measured", "M10"]
    assert nothing[1].label == "speedup over the unbounded query for that page"


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
    assert target_results(few)[0].note == "n < 72: p95 has no upper end"


# Titles of charts


@pytest.mark.parametrize(
    ("times", "title"),
    [
        (around(14.0), "median 11 ms at 60, 14 ms at 3K, flat"),
        (around(40.0), "median 11 ms at 60, 40 ms at 3K, 3.6 times the latency for 50 times the claims"),
        (around(2.0), "median 11 ms at 60, 2.0 ms at 3K, faster for the larger provider"),
    ],
)
def test_the_title_of_the_latency_chart(good, times, title):
    all_claims = "First page of all claims: median 4.7 ms at 60, 6.1 ms at 3K, flat"
    assert latency_finding(with_times(good, times, **FIRST_PAGE)) == f"{all_claims}; of a date range: {title}"


def test_the_title_of_the_latency_chart_says_nothing_of_what_is_missing(good):
    half = replace(good, samples=tuple(s for s in good.samples if s.scenario == "range" and s.tier == "3K"))
    assert latency_finding(half) == "First page of a date range: median 14 ms at 3K"
    assert latency_finding(replace(good, samples=())) == "Latency by tier: not measured"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (50.0, "50 times faster on the same windows at 3K: median first page 14 ms against 700 ms"),
        (1.05, "no faster on the same windows at 3K: median first page 14 ms against 15 ms"),
        (0.2, "5.0 times slower on the same windows at 3K: median first page 14 ms against 2.8 ms"),
    ],
)
def test_the_title_of_the_plans_chart(good, factor, verdict):
    times = [factor * sample.ms for sample in good.select(**FIRST_PAGE)]
    run = with_times(good, times, **UNBOUNDED)
    ending = "; same answers in all 3 comparisons"
    assert plans_finding(run) == f"Bounded query {verdict}, 4.5 ms on the overlap index{ending}"
    two = without(run, section="ranges", index="overlap")
    assert plans_finding(two) == f"Bounded query {verdict}{ending}"


def test_the_title_of_the_plans_chart_says_what_was_compared(good):
    def ending(*checks):
        return plans_finding(replace(good, checks=checks)).partition("index")[2]

    same = (Check("ranges", "3K", "count", "unbounded", 3, 3), Check("ranges", "60", "count", "overlap", 4, 4))
    elsewhere = Check("depth", "3K", "page", "skip", 9, 0)
    assert ending(*same, elsewhere) == "; same answers in all 7 comparisons"
    assert ending(*same, Check("ranges", "3K", "count", "overlap", 3, 2)) == "; BUT 1 of 10 answers differ"
    assert ending(elsewhere) == "; answers not compared"


def test_the_title_of_the_plans_chart_takes_the_largest_tier_that_has_both(good):
    assert " at 300: " in plans_finding(without(good, **UNBOUNDED))
    gone = without(good, section="ranges", contestant="unbounded")
    assert plans_finding(gone) == "Bounded vs. unbounded query: not measured"


KEYSET = {"section": "depth", "tier": "3K", "scenario": "provider", "operation": "page", "contestant": "keyset"}


@pytest.mark.parametrize(
    ("keyset", "title"),
    [
        (
            9.6,
            "stay flat: 8.0 ms at the start, 9.6 ms after 2,700 claims; skip/limit takes 400 ms there, 42 times as "
            "long",
        ),
        (500.0, "get slower: 8.0 ms at the start, 500 ms after 2,700 claims; skip/limit takes 400 ms there, no slower"),
    ],
)
def test_the_title_of_the_keyset_chart(good, keyset, title):
    assert keyset_finding(with_times(good, around(keyset, count=7), depth=2_700, **KEYSET)) == f"Keyset pages {title}"


def test_keyset_pages_that_are_slow_in_the_middle_are_not_called_flat(good):
    title = keyset_finding(with_times(good, around(30.0, count=7), depth=1_000, **KEYSET))
    assert title.startswith(
        "Keyset pages vary: 8.0 ms at the start, 9.6 ms after 2,700 claims, 8.0 ms to 30 ms overall;"
    )


TWO = {"section": "concurrency", "operation": "page", "clients": 2}


def test_the_title_of_the_concurrency_chart(good):
    assert concurrency_finding(good) == (
        "2 clients: 72 pages/s, 5,792 claims/s, 1.4 times the rate of 1 client; p95 46 ms"
    )
    worse = with_times(good, around(60.0, count=51), **TWO)
    assert concurrency_finding(worse) == "1 client: 50 pages/s, 3,500 claims/s, no gain from more clients; p95 43 ms"
    hardly = with_times(good, around(20.0, count=135), **TWO)
    assert concurrency_finding(hardly).startswith("2 clients: 54 pages/s, 5,400 claims/s, no gain from more clients;")
    one = replace(good, levels=good.levels[1:])
    assert concurrency_finding(one) == "2 clients: 72 pages/s, 5,792 claims/s; p95 46 ms"
    assert concurrency_finding(replace(good, levels=())) == "Concurrent clients: not measured"


def test_a_rate_at_the_machines_limit_is_no_capacity(good):
    def title(*levels):
        return concurrency_finding(replace(good, levels=levels))

    at_limit = (
        "2 clients: 72 pages/s, 5,792 claims/s, limited by the client machine's CPUs, so not the server's capacity; "
        "p95 46 ms"
    )
    one, busy = Level(1, 2.02, 0.4, 0.5, 0.9), Level(2, 2.5, 0.9, 0.8, 1.7)  # of 2 processors
    assert title(one, busy) == title(one, Level(2, 2.5, None, None, 1.7)) == title(busy) == at_limit
    free = "2 clients: 72 pages/s, 5,792 claims/s, 1.4 times the rate of 1 client; p95 46 ms"
    assert title(one, Level(2, 2.5, 0.9, 0.79, 1.69)) == free
    # Only the number of clients that is named counts: the others' rate is not claimed.
    assert title(Level(1, 2.02, 1.0, 1.0), Level(2, 2.5, 0.9, 0.7)) == free


# Sentences


def test_the_sentence_on_reading_a_whole_provider(good):
    assert volume_finding(good) == (
        "All claims of a 3K provider, read in order: one stream 2,143 claims/s (1.4 MB/s of BSON, n = 3), two streams "
        "3,673 claims/s (2.4 MB/s of BSON, n = 3), 1.7 times as fast."
    )
    one = without(good, contestant="two_streams")
    assert volume_finding(one) == (
        "All claims of a 3K provider, read in order: one stream 2,143 claims/s (1.4 MB/s of BSON, n = 3)."
    )
    plain = [replace(s, contestant=None, bytes=None) for s in one.select(section="volume")]
    assert volume_finding(replace(good, samples=tuple(plain))) == (
        "All claims of a 3K provider, read in order: 2,143 claims/s (n = 3)."
    )
    labels = {"section": "volume", "operation": "stream", "tier": "3K", "scenario": "provider", "claims": 3_000}
    slower = with_times(good, [2_000.0] * 2, contestant="two_streams", **labels)
    assert volume_finding(slower).endswith("two streams 1,500 claims/s (n = 2), 0.7 times as fast.")
    assert volume_finding(replace(good, samples=())) == ""


def test_the_sentence_on_the_rollup(good):
    exact = (
        "Its totals are exact as of 2026-11-22 08:15:00 UTC. Later writes do not change them unless something updates "
        "the rollup."
    )
    assert good.rollup.as_of == START
    assert totals_finding(good) == (
        f"The rollup has 36 documents, one per provider and month, and took 1.7 s to build. {exact}"
    )
    untimed = without(good, operation="build", contestant="rollup")
    assert totals_finding(untimed) == f"The rollup has 36 documents, one per provider and month. {exact}"
    assert totals_finding(replace(good, rollup=None)) == ""


def test_the_sentence_on_what_was_examined(config):
    run = complete_run(config)
    own = (
        "On the three-field index, the bounded query also examines the claims of the 30 days before the range, to see "
        "whether they reach into it."
    )
    assert examined_finding(run) == f"{own} The overlap index lets the server skip most of those claims."
    three_field = [cost for cost in run.costs if cost.variant == "three_field"]
    assert examined_finding(replace(run, costs=tuple(three_field))) == own
    for other in ({"tier": "300"}, {"operation": "count"}, {"scenario": "provider"}, {"query": "unbounded"}):
        assert examined_finding(replace(run, costs=(replace(run.costs[0], **other),))) == ""
    overlap = [cost for cost in run.costs if cost.variant == "overlap"]
    assert overlap and examined_finding(replace(run, costs=tuple(overlap))) == ""


def nothing_but(run: PerformanceRun, section: str) -> PerformanceRun:
    """The run with the samples of one section alone."""
    return replace(run, samples=tuple(run.select(section=section)))


def test_what_was_not_measured_is_not_described(good):
    nothing = replace(good, samples=(), levels=())
    described = (latency_described, plans_described, keyset_described, concurrency_described)
    assert [said(nothing) for said in described] == [""] * 4
    ranges = without(nothing_but(good, "ranges"), tier="300")
    assert latency_described(ranges).endswith(" p95 of the first page with a date range: 3K 50 ms, 60 39 ms.")
    assert latency_described(nothing_but(good, "latency")).endswith(
        "provider only on the left, with a date range on the right."
    )
