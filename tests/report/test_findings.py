"""The sentences of a report: what a reader must know, and what was found, for good and bad runs."""

from dataclasses import replace

import pytest
from fake_runs import (
    ARRIVALS,
    FIRST_PAGE,
    START,
    around,
    complete_run,
    fake_run,
    good_samples,
    series,
    with_times,
    without,
)

from pbm_lib.measure.records import Check
from pbm_lib.report.findings import (
    arrivals_finding,
    cautions,
    examined_finding,
    problems,
    totals_finding,
    volume_finding,
)


@pytest.fixture(scope="module")
def good(make_config):
    return fake_run(make_config(), good_samples())


# What a reader must know before relying on the report


def test_a_good_run_has_no_problems_and_a_run_that_was_stopped_says_so(good):
    assert problems(good) == []
    assert problems(replace(good, complete=False, samples=(), levels=(), checks=())) == [
        "The run was stopped before its end. The report shows what it had measured by then."
    ]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check("ranges", "3K", "first_page", "unbounded", 3, 1), "first page at 3K (ranges), unbounded query"),
        (Check("ranges", "60", "count", "overlap", 3, 1), "total at 60 (ranges), overlap index"),
        (Check("ranges", "60", "count", "three_field", 3, 1), "total at 60 (ranges), three-field index"),
        (Check("totals", "300", "count", "capped", 3, 1), "total at 300 (totals), capped count"),
        (Check("totals", "300", "count", "rollup", 3, 1), "total at 300 (totals), rollup"),
        (Check("totals", "60", "page_and_total", "facet", 3, 1), "page and total in one call at 60 (totals), $facet"),
        (Check("depth", "3K", "page", "skip", 3, 1), "page at 3K (depth), skip/limit"),
        (Check("volume", "3K", "stream", "two_streams", 3, 1), "whole provider streamed at 3K (volume), two streams"),
    ],
    ids=lambda value: value.against if isinstance(value, Check) else "",
)
def test_answers_that_differ_are_named_with_what_they_were_compared_with(good, check, said):
    equal = replace(check, equal=check.compared)
    assert problems(replace(good, checks=(equal, check))) == [
        f"Answers differ: {said} against the application's own way, 2 of 3 pairs."
    ]


def test_failures_and_retries_are_reported(good):
    failed = series([900.0] * 2, error="AutoReconnect", **FIRST_PAGE) + series([80.0], retries=1, **FIRST_PAGE)
    bad = replace(good, samples=(*good.samples, *failed))
    assert problems(bad) == [
        "2 calls failed with AutoReconnect. No figure includes them.",
        "The driver retried 1 call. No figure includes it.",
    ]
    assert bad.statistics(**FIRST_PAGE) == replace(good.statistics(**FIRST_PAGE), failed=2, retried=1)
    other = [*series([1.0], error="NetworkTimeout", **FIRST_PAGE), *series([80.0] * 2, retries=1, **FIRST_PAGE)]
    assert problems(replace(good, samples=(*good.samples, *other))) == [
        "1 call failed with NetworkTimeout. No figure includes it.",
        "The driver retried 2 calls. No figure includes them.",
    ]


def test_series_that_changed_during_the_run_are_named(good):
    slower = with_times(good, [*around(14.0), *around(24.0)], **FIRST_PAGE)
    faster = with_times(slower, [*around(3.0), *around(1.0)], section="floor", operation="ping", claims=None)
    text = "series changed during the run, so their p95 is less certain than its interval says. The largest change:"
    (one,), (two,) = cautions(slower), cautions(faster)
    series = len(good.series())
    page = "first page, date range, three-field index, bounded query, 3K"
    assert one == f"1 of {series} {text} {page} (not steady: second half 1.7 times the first)."
    assert two == f"2 of {series} {text} ping (not steady: first half 3.0 times the second)."


def test_series_whose_calls_are_alike_are_named(good):
    waves = [10.0 + (number % 20 >= 10) + number % 7 / 100 for number in range(120)]
    wavy = with_times(good, waves, **FIRST_PAGE)
    likeness = wavy.statistics(**FIRST_PAGE).likeness
    assert (problems(wavy), cautions(good)) == ([], [])
    assert cautions(wavy) == [
        f"In 1 of {len(good.series())} series, consecutive calls are correlated, so their p95 is less certain than its "
        "interval says. Most correlated: first page, date range, three-field index, bounded query, 3K "
        f"(rank correlation {likeness:.1f})."
    ]


def test_a_provider_of_another_size_is_a_problem(good):
    conditions = replace(good.conditions, provider_claims={"3K": 2_999, "300": 300, "60": 60})
    assert problems(replace(good, conditions=conditions)) == [
        "The 3K provider has 2,999 claims, not 3,000 as configured."
    ]


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


def test_the_sentence_on_pages_while_claims_arrive(good):
    fed, exact = (
        good.arrivals,
        "Pages lost 0 claims and repeated 0, in 45,678 checks of claims that were present throughout.",
    )
    assert arrivals_finding(good) == (
        "While 498 claims/s arrived, the p95 of a page was 21 ms, against 11 ms before. That is 1.9 times as long, and "
        "the 95% intervals do not overlap. In a burst beforehand, the server kept up with twice that rate. "
        f"Including the burst, 3,975 claims were fed, all of which were removed again. {exact}"
    )
    slow = replace(fed, offered=310.0, achieved=280.0, burst_achieved=620.0, left=5, lost=3, repeated=4)
    said = arrivals_finding(replace(good, arrivals=slow))
    assert said.startswith("While 280 claims/s arrived (310 were due), ")
    assert " In a burst beforehand, the server took 620 claims/s. The feed was set to half of that. " in said
    assert (
        " 3,975 claims were fed, 5 of which are still in the collection. Pages lost 3 claims and repeated 4, in 45,678 "
        in said
    )


def test_pages_that_hardly_differ_while_claims_arrive_are_not_called_different(good):
    during = {"section": "live", "operation": "page", "contestant": "during"}
    alike = arrivals_finding(with_times(good, around(3.0), **during))
    assert "against 11 ms before. The 95% intervals overlap, so these samples do not tell the two apart. In a" in alike
    few = arrivals_finding(with_times(good, around(9.0, count=71), **during))
    assert "against 11 ms before. There are too few samples to compare the two. In a" in few
    drifting = arrivals_finding(with_times(good, [*around(9.0), *around(19.0)], **during))
    assert (
        "intervals do not overlap; as the times drifted or were correlated, the intervals are too narrow. In"
        in drifting
    )
    for contestant in ("before", "during"):
        assert arrivals_finding(without(good, section="live", contestant=contestant)) == ""
    assert arrivals_finding(replace(good, arrivals=None)) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"lost": 1},
            "Pages lost 1 claim and repeated 0, in 45,678 checks of claims that were present throughout, while ",
        ),
        (
            {"repeated": 2},
            "Pages lost 0 claims and repeated 2, in 45,678 checks of claims that were present throughout, ",
        ),
        ({"left": 3}, "3 of the fed claims could not be removed. Run remove_fed_claims(store)."),
    ],
    ids=str,
)
def test_a_feed_that_went_wrong_is_a_problem(good, changes, said):
    (problem,) = problems(replace(good, arrivals=replace(ARRIVALS, **changes)))
    assert problem.startswith(said)


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


def test_the_sentence_on_what_was_examined(make_config):
    run = complete_run(make_config())
    own = (
        "On the three-field index, the bounded query also examines claims that began up to 30 days before the range, "
        "to see whether they reach into it."
    )
    assert examined_finding(run) == f"{own} The overlap index lets the server skip most of those claims."
    three_field = [cost for cost in run.costs if cost.variant == "three_field"]
    assert examined_finding(replace(run, costs=tuple(three_field))) == own
    for other in ({"tier": "300"}, {"operation": "count"}, {"scenario": "provider"}, {"query": "unbounded"}):
        assert examined_finding(replace(run, costs=(replace(run.costs[0], **other),))) == ""
    overlap = [cost for cost in run.costs if cost.variant == "overlap"]
    assert overlap and examined_finding(replace(run, costs=tuple(overlap))) == ""
