"""The figures that charts, sentences, and tables share: what is paired, and when a machine is at its limit."""

from dataclasses import replace

import pytest
from fake_runs import complete_run, fake_run, series

from pbm_lib.measure.records import Level
from pbm_lib.measure.samples import Sample
from pbm_lib.report.figures import (
    Gain,
    Way,
    clients_at_their_limit,
    gain_of,
    service_of,
    totals_ways_of,
    ways_of,
)

UNBOUNDED, BOUNDED = Way("unbounded", "three_field"), Way("bounded", "three_field")
OTHER = Way("bounded", "overlap")


@pytest.fixture(scope="module")
def config(make_config):
    return make_config()


def windows(times, way, tier="3K", operation="first_page", **labels):
    """Return the samples of a way to query a range, given its times by window number."""
    found = {"section": "ranges", "scenario": "range", "tier": tier, "operation": operation, **labels}
    return [
        Sample(ms=ms, iteration=number, contestant=way.query, index=way.index, **found) for number, ms in times.items()
    ]


def test_a_gain_pairs_the_windows_that_both_ways_ran_and_no_others(config):
    fast = {1: 45.0, 2: 100.0, 4: 40.0, 7: 1.0}
    samples = [
        *windows({0: 100.0, 1: 90.0, 2: 400.0, 3: 50.0, 4: 10.0}, UNBOUNDED),
        *windows(fast, BOUNDED),
        # The slow way ran these windows as well, but they must not be paired: the calls do not count or are unrelated.
        *windows({0: 1.0}, BOUNDED, warmup=True),
        *windows({3: 1.0}, BOUNDED, error="AutoReconnect"),
        *windows({3: 1.0}, BOUNDED, retries=1),
        *windows({0: 1.0, 3: 1.0}, BOUNDED, tier="300"),
        *windows({0: 1.0, 3: 1.0}, BOUNDED, operation="count"),
        *windows({0: 4.0, 3: 0.0, 9: 1.0}, OTHER),
    ]
    for order in (samples, samples[::-1]):
        run = fake_run(config, order)
        # 90 over 45, 400 over 100, 10 over 40.
        assert gain_of(run, "3K", "first_page", UNBOUNDED, BOUNDED) == Gain(2.0, 0.25, 4.0, 3)
        # 100 over 4, and 50 over the replacement for 0 ms.
        assert gain_of(run, "3K", "first_page", UNBOUNDED, OTHER) == (25_012.5, 25.0, pytest.approx(50_000), 2)
        assert gain_of(run, "3K", "first_page", BOUNDED, UNBOUNDED) == Gain(0.5, 0.25, 4.0, 3)
        for tier, operation in (("300", "first_page"), ("60", "first_page"), ("3K", "count")):
            assert gain_of(run, tier, operation, UNBOUNDED, BOUNDED) is None
    apart = [*windows({0: 9.0, 2: 9.0}, UNBOUNDED), *windows({1: 1.0, 3: 1.0}, BOUNDED)]
    assert gain_of(fake_run(config, apart), "3K", "first_page", UNBOUNDED, BOUNDED) is None


def test_the_ways_are_those_measured_with_the_obvious_one_first(config):
    ways = {way: windows({0: 1.0}, way) for way in (OTHER, BOUNDED, UNBOUNDED)}
    run = fake_run(config, [sample for samples in ways.values() for sample in samples])
    assert ways_of(run) == [UNBOUNDED, BOUNDED, OTHER]
    assert [way.words(run) for way in ways_of(run)] == [
        "unbounded query", "bounded query", "bounded query on the overlap index",
    ]  # fmt: skip
    for gone in ways:
        kept = [sample for way, samples in ways.items() if way != gone for sample in samples]
        assert ways_of(fake_run(config, kept)) == [way for way in (UNBOUNDED, BOUNDED, OTHER) if way != gone]
    # The unbounded query on the other index is not a way; neither are other sections, warm-ups, and failures.
    elsewhere = [
        *windows({0: 1.0}, Way("unbounded", "overlap")),
        *windows({0: 1.0}, BOUNDED, section="latency"),
        *windows({0: 1.0}, UNBOUNDED, warmup=True),
        *windows({0: 1.0}, OTHER, error="AutoReconnect"),
    ]
    assert ways_of(fake_run(config, elsewhere)) == ways_of(fake_run(config, [])) == []


def test_with_the_overlap_index_the_other_index_is_the_three_field_one(config):
    obvious = Way("unbounded", "overlap")
    samples = [sample for way in (BOUNDED, OTHER, obvious, UNBOUNDED) for sample in windows({0: 1.0}, way)]
    run = fake_run(config, samples)
    run = replace(run, settings=replace(run.settings, index="overlap"))
    assert ways_of(run) == [obvious, OTHER, BOUNDED]
    assert [way.words(run) for way in ways_of(run)] == [
        "unbounded query", "bounded query", "bounded query on the three-field index",
    ]  # fmt: skip


def test_ways_to_get_a_total_are_those_measured_in_their_order(config):
    run = complete_run(config)
    assert totals_ways_of(run) == ["count_documents", "capped", "rollup", "facet"]
    for gone in totals_ways_of(run):
        kept = tuple(sample for sample in run.samples if sample.contestant != gone)
        ways = [way for way in ("count_documents", "capped", "rollup", "facet") if way != gone]
        assert totals_ways_of(replace(run, samples=kept)) == ways
    # A rollup that was built but never queried is not a way to get a total; neither is a call that failed.
    built = run.select(operation="build", contestant="rollup")
    failed = series([1.0], section="totals", scenario="provider", operation="count", contestant="capped", error="Gone")
    assert len(built) == 1
    assert totals_ways_of(replace(run, samples=(*built, *failed))) == []


def test_service_time_starts_when_a_call_was_sent(config):
    labels = {"section": "open_loop", "operation": "page", "clients": 2}
    times = [(10.0, 3.0), (20.0, 5.0), (900.0, 4.0)]
    samples = [Sample(ms=ms, service_ms=sent, iteration=n, load=25, **labels) for n, (ms, sent) in enumerate(times)]
    samples += [
        Sample(ms=9.0, service_ms=100.0, load=25, warmup=True, **labels),
        Sample(ms=9.0, service_ms=100.0, load=25, error="AutoReconnect", **labels),
        Sample(ms=9.0, service_ms=100.0, load=25, retries=2, **labels),
        Sample(ms=9.0, service_ms=7.0, load=75, **labels),
        Sample(ms=9.0, service_ms=100.0, load=25, **{**labels, "section": "concurrency"}),
    ]
    run = fake_run(config, samples)
    figures = service_of(run, 25)
    assert (figures.n, figures.min, figures.p50, figures.max) == (3, 3.0, 4.0, 5.0)
    assert (figures.failed, figures.retried) == (1, 1)
    assert (service_of(run, 75).n, service_of(run, 75).p50) == (1, 7.0)
    assert (service_of(run, 50).n, service_of(run, 50).p50) == (0, None)


@pytest.mark.parametrize(
    ("cpus", "busy", "limited"),
    [(2, 1.7, True), (2, 1.69, False), (2, None, False), (8, 6.7, False), (8, 6.8, True), (1, 0.85, True)],
)
def test_clients_are_at_their_limit_when_85_percent_of_the_cpus_are_busy(config, cpus, busy, limited):
    # It does not matter what keeps them busy: the clients, the server, or another program.
    run = fake_run(config, [], levels=(Level(1, 2.0, 0.1, 0.1, 0.2), Level(4, 2.0, 0.1, 0.1, busy)))
    machine = replace(run.conditions.machine, cpus=cpus)
    run = replace(run, conditions=replace(run.conditions, machine=machine))
    assert clients_at_their_limit(run, 4) is limited
    assert not clients_at_their_limit(run, 1) and not clients_at_their_limit(run, 8)
