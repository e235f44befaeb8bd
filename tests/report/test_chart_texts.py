"""Titles, subtitles, and descriptions of the charts, computed from known samples of good and bad runs."""

from dataclasses import replace

import pytest
from fake_runs import FIRST_PAGE, application, around, fake_run, good_samples, with_times, without

from pbm_lib import PerformanceRun
from pbm_lib.measure.records import Check, Level
from pbm_lib.report.chart_texts import (
    concurrency_described,
    concurrency_subtitle,
    concurrency_title,
    keyset_described,
    keyset_subtitle,
    keyset_title,
    latency_described,
    latency_subtitle,
    latency_title,
    plans_described,
    plans_subtitle,
    plans_title,
)
from pbm_lib.report.charts import CHARTS

ALL_PAGES = application("3K", "first_page", "provider")
UNBOUNDED = {**FIRST_PAGE, "contestant": "unbounded"}
KEYSET = {"section": "depth", "tier": "3K", "scenario": "provider", "operation": "page", "contestant": "keyset"}
TWO = {"section": "concurrency", "operation": "page", "clients": 2}


@pytest.fixture(scope="module")
def good(make_config):
    return fake_run(make_config(), good_samples())


def test_no_title_is_longer_than_eight_words(good):
    nothing = replace(good, samples=(), levels=())
    wrong = replace(good, checks=(Check("ranges", "3K", "first_page", "unbounded", 5, 4),))
    few = replace(good, samples=tuple(s for s in good.samples if s.iteration < 4))
    slow = with_times(with_times(good, around(90.0), **ALL_PAGES), around(90.0), depth=2_700, **KEYSET)
    busy = replace(good, levels=(Level(1, 2.02, 0.4, 0.5, 2.0), Level(2, 2.5, 0.9, 0.8, 2.0)))
    for run in (good, nothing, wrong, few, slow, busy):
        for chart in CHARTS:
            assert 2 <= len(chart.title(run).split()) <= 8, chart.title(run)


# Latency by size


@pytest.mark.parametrize(
    ("median", "title", "trend"),
    [
        (6.1, "Provider-only pages stay flat, 60 to 3K claims", "4.7 ms at 60 claims and 6.1 ms at 3K, flat"),
        (
            12.0,
            "Provider-only pages take longer as providers grow",
            "4.7 ms at 60 claims and 12 ms at 3K, 2.6 times the latency for 50 times the claims",
        ),
        (
            2.0,
            "Provider-only pages get no slower as providers grow",
            "4.7 ms at 60 claims and 2.0 ms at 3K, faster for the larger provider (at most 5.3 ms, at 300)",
        ),
    ],
)
def test_latency_by_size_says_how_pages_scale_with_it(good, median, title, trend):
    run = with_times(good, around(median), **ALL_PAGES)
    assert latency_title(run) == title
    assert latency_subtitle(run) == (
        f"Median of the first page: provider only, {trend}; date range, 11 ms at 60 claims and 14 ms at 3K, flat."
    )


def test_a_tier_in_between_that_is_slower_than_both_ends_is_named(good):
    run = with_times(good, around(50.0), **application("300", "first_page", "range"))
    assert latency_subtitle(run).endswith(" 11 ms at 60 claims and 14 ms at 3K, flat (at most 50 ms, at 300).")


def test_latency_by_size_leaves_out_what_is_missing(good):
    half = replace(good, samples=tuple(s for s in good.samples if s.scenario == "range" and s.tier == "3K"))
    assert latency_title(half) == "Latency by provider size"
    assert latency_subtitle(half) == "Median of the first page: date range, 14 ms at 3K claims (n = 121)."
    one = replace(good, samples=tuple(s for s in good.samples if s.scenario == "provider" and s.tier == "300"))
    assert latency_title(one) == "First page: 5.3 ms at 300 claims"
    nothing = replace(good, samples=())
    assert (latency_title(nothing), latency_subtitle(nothing)) == ("Latency by provider size", "Not measured.")


# Date ranges


@pytest.mark.parametrize(
    ("factor", "title"),
    [
        (50.0, "3K first page: 50 times faster"),
        (1.05, "The bounded query is no faster"),
        (0.92, "The bounded query is no faster"),
        (0.2, "The bounded query is slower"),
    ],
)
def test_date_ranges_say_what_the_bound_gains(good, factor, title):
    run = with_times(good, [factor * sample.ms for sample in good.select(**FIRST_PAGE)], **UNBOUNDED)
    assert plans_title(run) == title


def test_the_gain_on_few_windows_is_given_as_a_range(good):
    times = [
        sample.ms * factor for sample, factor in zip(good.select(**FIRST_PAGE), (40, 50, 60, 45, 80), strict=False)
    ]
    assert plans_title(with_times(good, times, **UNBOUNDED)) == "3K first page: 40 to 80 times faster"
    assert plans_title(with_times(good, times[:1], **UNBOUNDED)) == "3K first page: 40 times faster"


def test_date_ranges_have_each_way_and_the_gain_in_the_subtitle(good):
    assert plans_subtitle(good) == (
        "Median of the first page at 3K: unbounded query 700 ms (n = 7), bounded query 14 ms (n = 121), bounded query "
        "on the overlap index 4.5 ms (n = 9). On the 7 ranges that both ran, the unbounded query takes a median of 52 "
        "times as long (41 to 69). All 3 compared answers agree."
    )
    two = without(good, section="ranges", index="overlap")
    assert "bounded query 14 ms (n = 121). On the 7 ranges that both ran, the unbounded query takes" in plans_subtitle(
        two
    )
    one = with_times(good, [700.0], **UNBOUNDED)
    assert "On the one range that both ran, the unbounded query takes " in plans_subtitle(one)


def test_answers_that_differ_become_the_title(good):
    def of(*checks):
        run = replace(good, checks=checks)
        return plans_title(run), plans_subtitle(run).rpartition("to 69). ")[2]

    same = (Check("ranges", "3K", "count", "unbounded", 3, 3), Check("ranges", "60", "count", "overlap", 4, 4))
    elsewhere = Check("depth", "3K", "page", "skip", 9, 0)
    faster = "3K first page: 52 times faster"
    assert of(*same, elsewhere) == (faster, "All 7 compared answers agree.")
    assert of(*same, Check("ranges", "3K", "count", "overlap", 3, 2)) == (
        "Answers differ, so the timings are not valid", "1 of 10 compared answers differ.",
    )  # fmt: skip
    assert of(elsewhere) == (faster, "Answers were not compared.")


def test_the_gain_is_that_of_the_largest_tier_that_has_both(good):
    assert plans_subtitle(without(good, **UNBOUNDED)).startswith("Median of the first page at 300: ")
    gone = without(good, section="ranges", contestant="unbounded")
    assert (plans_title(gone), plans_subtitle(gone)) == ("Ways to query a date range", "Not compared.")


# Depth


@pytest.mark.parametrize(
    ("median", "title", "said"),
    [
        (
            9.6,
            "Keyset pages stay flat at any depth",
            "9.6 ms after 2,700 claims (8.0 ms to 9.6 ms overall). A skip/limit page takes 400 ms there, 42 times as "
            "long.",
        ),
        (
            500.0,
            "Keyset pages get slower with depth",
            "500 ms after 2,700 claims (8.0 ms to 500 ms overall). A skip/limit page takes 400 ms there, no longer.",
        ),
    ],
)
def test_depth_compares_both_ways_at_the_end(good, median, title, said):
    run = with_times(good, around(median, count=7), depth=2_700, **KEYSET)
    assert keyset_title(run) == title
    assert keyset_subtitle(run) == f"A keyset page takes 8.0 ms at the start and {said} All are medians."


def test_keyset_pages_that_are_slow_in_the_middle_are_not_called_flat(good):
    run = with_times(good, around(30.0, count=7), depth=1_000, **KEYSET)
    assert keyset_title(run) == "Keyset pages vary with depth"
    assert "(8.0 ms to 30 ms overall)" in keyset_subtitle(run)
    nothing = without(good, section="depth", contestant="skip")
    assert (keyset_title(nothing), keyset_subtitle(nothing)) == ("Keyset vs. skip/limit", "Not measured.")


# Concurrent clients


def test_clients_have_their_highest_rate_in_the_title(good):
    assert concurrency_title(good) == "72 pages per second with 2 clients"
    assert concurrency_subtitle(good) == (
        "2 clients: 72 pages and 5,792 claims per second, with a p95 of 46 ms. That is 1.4 times the rate of 1 client."
    )
    worse = with_times(good, around(60.0, count=51), **TWO)
    assert concurrency_title(worse) == "50 pages per second with 1 client"
    assert concurrency_subtitle(worse) == "1 client: 50 pages and 3,500 claims per second, with a p95 of 43 ms."
    one = replace(good, levels=good.levels[1:])
    assert concurrency_subtitle(one) == "2 clients: 72 pages and 5,792 claims per second, with a p95 of 46 ms."
    nothing = replace(good, levels=())
    assert (concurrency_title(nothing), concurrency_subtitle(nothing)) == ("Concurrent clients", "Not measured.")


def test_a_rate_at_the_machines_limit_is_not_called_a_capacity(good):
    def of(*levels):
        run = replace(good, levels=levels)
        return concurrency_title(run), concurrency_subtitle(run).partition("46 ms. ")[2]

    at_limit = (
        "72 pages per second, limited by this machine",
        "This machine's CPUs, shared by clients and server, are the limit, so this is not the server's capacity.",
    )
    one, busy = Level(1, 2.02, 0.4, 0.5, 0.9), Level(2, 2.5, 0.9, 0.8, 1.7)  # of 2 processors
    assert of(one, busy) == of(one, Level(2, 2.5, None, None, 1.7)) == of(busy) == at_limit
    free = ("72 pages per second with 2 clients", "That is 1.4 times the rate of 1 client.")
    assert of(one, Level(2, 2.5, 0.9, 0.79, 1.69)) == free
    # Only the number of clients in the title counts. The title says nothing about the rates of the others.
    assert of(Level(1, 2.02, 1.0, 1.0), Level(2, 2.5, 0.9, 0.7)) == free


# Descriptions


def nothing_but(run: PerformanceRun, section: str) -> PerformanceRun:
    """Return the run with only the samples of one section."""
    return replace(run, samples=tuple(run.select(section=section)))


def test_what_was_not_measured_is_not_described(good):
    nothing = replace(good, samples=(), levels=())
    described = (latency_described, plans_described, keyset_described, concurrency_described)
    assert [said(nothing) for said in described] == [""] * 4
    ranges = without(nothing_but(good, "ranges"), tier="300")
    assert latency_described(ranges).endswith(" p95 of the first page of a date range: 3K 50 ms, 60 39 ms.")
    assert latency_described(nothing_but(good, "latency")).endswith("and the first page of a date range by each query.")
