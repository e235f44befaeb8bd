"""Concurrent clients are processes: what they measure, and that none is left behind, whichever process fails."""

import itertools
import os
import signal
import subprocess
import threading
import time
from collections import Counter

import crowds
import psutil
import pytest
from crowds import clients_of_ours, recording, server_with_claims
from processes import have_ended, run_python, spawned, start_python
from secure_servers import files_with_traces
from servers import wait_for

from pbm_lib import PbmError, PerformanceRun, list_providers
from pbm_lib.claims.document import BEGIN
from pbm_lib.measure.client import Job
from pbm_lib.measure.clients import measure_concurrency
from pbm_lib.measure.crowd import Crowd
from pbm_lib.measure.mix import PAGES, places, walks
from pbm_lib.measure.questions import Questions
from pbm_lib.query.find import find_claims
from pbm_lib.query.jump import cursor_at

PAGE = {"section": "concurrency", "operation": "page"}
HEAVY = {"pandas", "matplotlib", "jinja2", "ipywidgets", "IPython", "papermill", "faker"}


def jobs(count, seconds):
    return [Job(f"number {number}", seconds) for number in range(count)]


@pytest.fixture(scope="module")
def levels(loaded_store, tmp_path_factory):
    """A run that measured one client and then two."""
    path = tmp_path_factory.mktemp("levels") / "run.json"
    settings = {"concurrency": (1, 2), "concurrency_seconds": 0.5}
    with recording(loaded_store, path, **settings) as recorder, Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
    assert clients_of_ours() == []
    return recorder.run


# What they measure


def test_each_number_of_clients_works_for_the_configured_time(levels):
    assert [level.clients for level in levels.levels] == [1, 2]
    # A page that ends just before the time is up is the last one, so a level can end slightly early.
    assert all(level.seconds > 0.4 for level in levels.levels)
    for level in levels.levels:
        warm_ups = levels.select(clients=level.clients, warmup=True, **PAGE)
        assert level.clients <= len(warm_ups) <= level.clients * PAGES
        pages = levels.select(clients=level.clients, warmup=False, **PAGE)
        assert [sample.iteration for sample in pages] == list(range(len(pages)))
        assert not [sample for sample in pages if not sample.counts or not 0 < sample.claims <= 100]
        # Each client makes one call at a time.
        assert sum(sample.ms for sample in pages) / 1000 <= level.seconds * level.clients


def test_the_rate_of_clients_is_their_pages_divided_by_their_time(levels):
    for series, samples in levels.series().items():
        (level,) = [level for level in levels.levels if level.clients == series.clients]
        pages = [sample for sample in samples if sample.counts]
        rates = levels.throughput(series)
        assert rates.pages_per_s == pytest.approx(len(pages) / level.seconds)
        assert rates.claims_per_s == pytest.approx(sum(sample.claims for sample in pages) / level.seconds)


def test_the_cpu_use_of_clients_and_a_local_server_is_recorded(levels, loaded_store):
    for level in levels.levels:
        assert 0 < level.client_cpu <= psutil.cpu_count()
        if "MONGODB_URI_TEST" not in os.environ:
            assert 0 <= level.server_cpu <= psutil.cpu_count()
    if "MONGODB_URI_TEST" not in os.environ:
        assert max(level.server_cpu for level in levels.levels) > 0


def test_a_user_who_may_not_see_the_servers_process_gets_everything_else(as_user, tmp_path):
    settings = {"concurrency": (1,), "concurrency_seconds": 0.2}
    with recording(as_user("reader"), tmp_path / "run.json", **settings) as recorder, Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
    (level,) = recorder.run.levels
    assert level.server_cpu is None and level.client_cpu > 0
    assert files_with_traces(tmp_path) == []


def test_a_client_imports_nothing_heavy_and_exposes_no_secret(loaded_store, tmp_path):
    with recording(loaded_store, tmp_path / "run.json") as recorder, Crowd(recorder) as crowd:
        crowd.work(jobs(1, 0.1), clients=1, **PAGE)
        (client,) = clients_of_ours()
        told = " ".join([*client.cmdline(), *client.environ().values()])
        assert "mongodb:" not in told and loaded_store.config.mongodb.database not in told
    modules = run_python("-c", "import sys, pbm_lib.measure.client; print(*sys.modules)").stdout.split()
    assert "pbm_lib.query.find" in modules
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in modules)


# What they ask for


def drawn(store, name, count=400, **changes):
    tiers = store.config.performance.tiers_to_test
    return list(itertools.islice(walks(Questions(store.config, store.config.performance, name), tiers), count))


def test_the_same_name_draws_the_same_walks_and_another_name_draws_others(loaded_store):
    assert drawn(loaded_store, "client 1") == drawn(loaded_store, "client 1") != drawn(loaded_store, "client 2")


def test_tiers_are_drawn_evenly_and_about_half_of_the_walks_have_a_date_range(loaded_store):
    asked = drawn(loaded_store, "mix", 600)
    tiers = {provider.tin: provider.tier for provider in list_providers(loaded_store.config)}
    by_tier = Counter(tiers[walk.question.tin] for walk in asked)
    assert set(by_tier) == {"3K", "300", "60"} and min(by_tier.values()) > 140
    assert 220 < sum(walk.question.start is not None for walk in asked) < 380


def test_places_of_single_pages_are_those_of_the_walks(loaded_store):
    config = loaded_store.config
    questions = Questions(config, config.performance, "client 1")
    taken = list(itertools.islice(places(questions, config.performance.tiers_to_test, 100), 400))
    firsts = [number for number, place in enumerate(taken) if place.begin is None]
    walked = [taken[first:following] for first, following in itertools.pairwise(firsts)]
    expected = [walk.question for walk in drawn(loaded_store, "client 1")]
    asked = [{place.question for place in pages} for pages in walked]
    assert asked == [{question} for question in expected[: len(walked)]]
    assert {len(pages) for pages in walked} == {1, 3, PAGES}  # for 60, 300, and 3,000 claims, or part of them
    for pages in walked:
        begins = [place.begin for place in pages[1:]]
        assert begins == sorted(begins)
    for question, begin in [place for place in taken if place.begin][:20]:
        page = find_claims(loaded_store, *question, cursor=cursor_at(loaded_store, question, begin))
        assert page[0][BEGIN] >= begin and page.prev_cursor


# When a process dies


@pytest.fixture
def crowd(loaded_store, tmp_path):
    """A crowd of clients for a recorder whose file is run.json."""
    with recording(loaded_store, tmp_path / "run.json") as recorder:
        yield Crowd(recorder)
    assert clients_of_ours() == []


def test_a_client_that_is_killed_ends_the_run_at_once(crowd, tmp_path):
    expected = r"client process [12] was killed or ran out of memory \(exit code -9\)"
    with pytest.raises(PbmError, match=expected) as told, crowd:
        crowd.work(jobs(2, 0.1), clients=2, **PAGE)
        killer = threading.Timer(2, clients_of_ours()[0].kill)
        killer.start()
        started = time.monotonic()
        crowd.work(jobs(2, 120), clients=2, **PAGE)
    killer.join()
    assert time.monotonic() - started < 60
    assert str(tmp_path / "run.json") in str(told.value)


def test_a_client_ignores_interrupts_even_while_it_starts(crowd):
    def interrupt():
        wait_for(clients_of_ours, 60, "a client")
        for _ in range(20):
            for client in clients_of_ours():
                client.send_signal(signal.SIGINT)
            time.sleep(0.1)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with crowd:
        together = crowd.work(jobs(1, 1), clients=1, **PAGE)
        interrupting.join()
    assert together.outcomes[0].calls


def test_too_low_a_limit_on_open_files_is_a_clear_error(crowd):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 15, limits[1]))
    try:
        expected = r"could not start 40 client processes \(Too many open files\).* fewer clients"
        with pytest.raises(PbmError, match=expected), crowd:
            crowd.work(jobs(40, 0.1), clients=40, **PAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_clients_that_cannot_connect_say_why(proxied, tmp_path):
    store, proxy = proxied
    with recording(store, tmp_path / "run.json") as recorder:
        proxy.cut()
        expected = "client process [12] failed. The MongoDB server is not responding"
        with pytest.raises(PbmError, match=expected), Crowd(recorder) as crowd:
            crowd.work(jobs(2, 1), clients=2, **PAGE)
    assert clients_of_ours() == []


def test_a_server_that_goes_away_ends_the_run_and_keeps_what_its_clients_measured(proxied, tmp_path):
    store, proxy = proxied
    proxy.cut_for_good_after = 60
    with (
        recording(store, tmp_path / "run.json") as recorder,
        pytest.raises(PbmError, match=r"3 calls in a row .*failed"),
        Crowd(recorder) as crowd,
    ):
        crowd.work(jobs(2, 60), clients=2, **PAGE)
    assert clients_of_ours() == []
    left = PerformanceRun.load(tmp_path / "run.json")
    assert sum(sample.counts for sample in left.samples) > 20
    assert sum(sample.error is not None for sample in left.samples) >= 3


@pytest.fixture
def own_server(tmp_path, make_config):
    with server_with_claims(tmp_path / "mongod", make_config()) as both:
        yield both


def test_a_server_that_hangs_does_not_hang_the_run(own_server, tmp_path):
    server, store = own_server
    stop = threading.Timer(1.5, server.process.send_signal, [signal.SIGSTOP])
    expected = "client process [12] did not respond within 5 seconds"
    with recording(store, tmp_path / "run.json") as recorder:
        with pytest.raises(PbmError, match=expected), Crowd(recorder, answer_seconds=3) as crowd:
            crowd.work(jobs(2, 0.1), clients=2, **PAGE)
            stop.start()
            crowd.work(jobs(2, 2), clients=2, **PAGE)
        assert clients_of_ours() == []
        server.process.send_signal(signal.SIGCONT)


@pytest.fixture
def at_work(loaded_store, test_uri, tmp_path):
    """A program that measures clients, in its own process."""
    words = [crowds.__file__, loaded_store.config.path, tmp_path / "run.json"]
    process = start_python(*words, uri=test_uri, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def clients_when(process, *, working):
    """Return the program's clients: the first as soon as it exists, or both while they work."""
    wait_for(lambda: process.poll() is not None or spawned(process), 60, "a client")
    if working:
        wait_for(lambda: process.poll() is not None or len(spawned(process)) == 2, 60, "two clients")
        time.sleep(3)
    assert process.poll() is None, process.stderr.read()
    return spawned(process)


@pytest.mark.parametrize("working", [False, True], ids=["while they start", "while they work"])
def test_an_interrupt_leaves_no_client_behind(at_work, working):
    clients = clients_when(at_work, working=working)
    os.killpg(at_work.pid, signal.SIGINT)
    _, told = at_work.communicate(timeout=60)
    assert at_work.returncode == -signal.SIGINT
    assert told.count("Traceback") == 1 and told.rstrip().endswith("KeyboardInterrupt")
    assert have_ended(clients)


@pytest.mark.parametrize("working", [False, True], ids=["while they start", "while they work"])
def test_the_death_of_the_parent_leaves_no_client_behind(at_work, working):
    clients = clients_when(at_work, working=working)
    at_work.kill()
    at_work.wait()
    assert have_ended(clients)
