"""The open loop: calls that start when they are due, and what a stalled server does to them."""

import itertools
import random
import signal
import threading

import numpy as np
import psutil
import pytest
from crowds import clients_of_ours, recording, server_with_claims

from pbm_lib.measure import open_loop
from pbm_lib.measure.client import Job
from pbm_lib.measure.clients import measure_concurrency
from pbm_lib.measure.crowd import Crowd
from pbm_lib.measure.open_loop import LOADS, arrivals, dealt, fastest_level, measure_open_loop
from pbm_lib.measure.samples import Series

PAGE = {"section": "open_loop", "operation": "page"}


def gaps_of(moments):
    return np.diff(moments)


@pytest.fixture(scope="module")
def run(loaded_store, tmp_path_factory):
    """A run with one client, then two, and the open loop at fractions of the higher rate."""
    path = tmp_path_factory.mktemp("open") / "run.json"
    settings = {"concurrency": (1, 2), "concurrency_seconds": 1.0}
    with recording(loaded_store, path, **settings) as recorder, Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
        measure_open_loop(recorder, crowd)
    assert clients_of_ours() == []
    return recorder.run


# When calls are due


def test_due_times_follow_a_poisson_process():
    moments = arrivals(20_000, 50.0, random.Random(1))
    assert len(moments) == 20_000 and moments == sorted(moments)
    assert moments[0] > 0 and moments[-1] < 50
    gaps = gaps_of(moments)
    assert gaps.mean() == pytest.approx(1 / 400, rel=0.01)
    assert gaps.var() == pytest.approx(1 / 400**2, rel=0.06)
    # The shares of exponential gaps that are above their mean, and above twice their mean.
    assert (gaps > gaps.mean()).mean() == pytest.approx(np.exp(-1), rel=0.05)
    assert (gaps > 2 * gaps.mean()).mean() == pytest.approx(np.exp(-2), rel=0.1)


def test_each_call_goes_to_one_client_whose_due_times_follow_a_poisson_process():
    moments = arrivals(20_000, 50.0, random.Random(1))
    shares = dealt(moments, 4, random.Random(2))
    assert sorted(itertools.chain(*shares)) == moments
    for share in shares:
        gaps = gaps_of(share)
        assert gaps.mean() == pytest.approx(1 / 100, rel=0.06)
        assert gaps.var() == pytest.approx(1 / 100**2, rel=0.12)


def test_the_same_seed_gives_the_same_due_times():
    assert arrivals(100, 5.0, random.Random("7 x")) == arrivals(100, 5.0, random.Random("7 x"))
    assert arrivals(100, 5.0, random.Random("7 x")) != arrivals(100, 5.0, random.Random("8 x"))


# What a run records


def test_each_rate_is_a_fraction_of_the_highest_closed_loop_rate(run):
    level, highest = fastest_level(run)
    assert highest == max(
        run.throughput(Series("concurrency", "page", clients=clients)).pages_per_s for clients in (1, 2)
    )
    assert [rate.load for rate in run.offered] == list(LOADS) == [25, 50, 75]
    for rate in run.offered:
        assert rate.clients == level.clients
        assert rate.offered == pytest.approx(highest * rate.load / 100, abs=1)
        assert 0 < rate.client_cpu <= psutil.cpu_count()


def test_the_achieved_rate_covers_all_calls_up_to_the_last_answer(run):
    for rate in run.offered:
        calls = run.select(load=rate.load, clients=rate.clients, warmup=False, **PAGE)
        assert len(calls) == round(rate.offered * 1.0)
        assert all(sample.counts for sample in calls)
        achieved = run.throughput(calls[0].series).pages_per_s
        assert achieved == pytest.approx(len(calls) / rate.seconds)
        assert 0.2 * rate.offered < achieved <= rate.offered * 1.000001
    assert not run.notes


def test_a_calls_time_starts_when_it_was_due(run):
    for sample in run.select(warmup=False, **PAGE):
        assert 0 < sample.service_ms <= sample.ms
    # A thread that sleeps until its call is due wakes up a little late.
    assert any(sample.service_ms < sample.ms for sample in run.select(warmup=False, **PAGE))
    assert not [sample.service_ms for sample in run.select(section="concurrency") if sample.service_ms]


def test_without_a_closed_loop_there_is_no_open_loop_and_a_note_says_why(loaded_store, tmp_path):
    with recording(loaded_store, tmp_path / "run.json", concurrency=()) as recorder, Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
        measure_open_loop(recorder, crowd)
    assert not recorder.run.samples and not recorder.run.offered
    (note,) = recorder.run.notes
    assert note.startswith("Open loop: not measured")


# A server that stalls


@pytest.fixture
def own_server(tmp_path, make_config):
    with server_with_claims(tmp_path / "mongod", make_config()) as both:
        yield both


@pytest.fixture
def stalled(own_server, tmp_path):
    """Return a function that runs a job on one client and stops the server `after` seconds into it, for `seconds`."""
    server, store = own_server

    def work(job, after, seconds, **labels):
        stop = threading.Timer(after, server.process.send_signal, [signal.SIGSTOP])
        goes_on = threading.Timer(after + seconds, server.process.send_signal, [signal.SIGCONT])
        with recording(store, tmp_path / "run.json") as recorder, Crowd(recorder) as crowd:
            crowd.work([Job("first", 0.1)], section="concurrency", operation="page", clients=1)
            for timer in (stop, goes_on):
                timer.start()
            together = crowd.work([job], clients=1, load=50, **PAGE)
            for timer in (stop, goes_on):
                timer.join()
        return together, recorder.run

    return work


def test_a_server_stall_shows_in_the_open_loops_p99_but_not_in_that_of_the_service_time(stalled):
    due = tuple(arrivals(500, 5.0, random.Random(3)))
    _, run = stalled(Job("stall", 5.0, due, 30.0), 2.5, 0.5)
    calls = run.select(warmup=False, counts=True, **PAGE)
    assert len(calls) == 500
    p99, service_p99 = np.percentile([(call.ms, call.service_ms) for call in calls], 99, axis=0)
    assert p99 > 250 > service_p99
    # Only the calls in progress saw the stall in their service time: one for each thread of the client.
    assert 1 <= sum(call.service_ms > 250 for call in calls) <= 4
    assert sum(call.ms > 100 for call in calls) > 20


def test_calls_that_never_started_are_counted_and_reported(stalled, own_server, tmp_path, monkeypatch):
    together, run = stalled(Job("stall", 1.0, tuple(arrivals(200, 1.0, random.Random(3))), 0.1), 0.8, 2.0)
    (outcome,) = together.outcomes
    assert outcome.unasked > 10
    assert len(run.select(warmup=False, **PAGE)) == 200 - outcome.unasked
    # The same as part of a run, at rates that no client can keep up with.
    monkeypatch.setattr(open_loop, "_OVERTIME_SECONDS", 0.0)
    monkeypatch.setattr(open_loop, "LOADS", (1_000,))
    settings = {"concurrency": (1,), "concurrency_seconds": 0.5}
    with recording(own_server[1], tmp_path / "other.json", **settings) as recorder, Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
        measure_open_loop(recorder, crowd)
    (rate,) = recorder.run.offered
    (note,) = recorder.run.notes
    assert note.startswith("Open loop at 1000%: ") and "calls that had not started 0 seconds after" in note
    assert recorder.run.throughput(Series("open_loop", "page", clients=1, load=1_000)).pages_per_s < rate.offered / 2
