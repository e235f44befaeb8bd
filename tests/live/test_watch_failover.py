"""The failover on three local mongods: what is observed, what happens to the nodes, and what is left behind."""

import os
import signal
import socket
import subprocess
from dataclasses import replace

import pytest
from conftest import write_config
from processes import start_python
from servers import Mongod, running, wait_for

from pbm_lib import LoadError, PbmError, ServerUnavailable, Watch, load_config, watch_chart, watch_failover
from pbm_lib.live import failover
from pbm_lib.live.walker import PageSample
from pbm_lib.store import local_replica_set as module
from pbm_lib.store.local_replica_set import local_replica_set
from pbm_lib.store.local_state import running_mongod

pytestmark = pytest.mark.replica_set


@pytest.fixture
def config(tmp_path):
    return load_config(write_config(tmp_path))


def folder_of(config):
    return config.data_dir.with_name(".mongodb-failover")


def nodes_of(config):
    """The mongods whose data folder is inside the failover's folder, by node number."""
    found = {number: running_mongod(folder_of(config) / f"node{number}", None) for number in (1, 2, 3)}
    return {number: node.process for number, node in found.items() if node}


@pytest.fixture(autouse=True)
def nothing_is_left(config):
    yield
    left = nodes_of(config)
    for process in left.values():
        process.kill()
    assert left == {}
    assert not folder_of(config).exists()


@pytest.fixture
def shown(config):
    """The failover in its own process, once all three nodes are running."""
    process = start_python(
        *("-m", "pbm_lib", "failover", "--config", config.path, "--output", config.path.parent / "out"),
        cwd=config.path.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or len(nodes_of(config)) == 3, 60, "three nodes")
        assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_primary_steps_down_the_next_one_is_killed_and_no_claim_is_lost(config, monkeypatch):
    # The user's own cluster is not touched: this address would not answer.
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/?directConnection=true")
    longer = replace(config, failover=replace(config.failover, seconds=15))
    watch = watch_failover(longer, progress=False)
    assert (watch.lost, watch.repeated) == (0, 0)
    assert watch.checked > 5_000
    assert watch.fed == watch.removed > 0
    held, stepped, killed, timeout, *_ = watch.notes
    assert held.startswith("6,000 claims on three local mongods, ports ")
    first, second = watch.elections[0].before, watch.elections[0].after
    assert stepped.startswith(f"After 5.0 s the primary {first} stepped down; the longest gap after that was ")
    assert killed.startswith(f"After 10.0 s the primary {second} was killed (SIGKILL); the longest gap after that was ")
    assert killed.endswith(" s.")
    assert timeout.startswith("A primary that stops responding is replaced after 2 s here; MongoDB's default is 10 s")
    assert watch.elections[-1].before == second
    assert watch.elections[-1].at > 10
    assert watch.longest_gap_ms > 1_000
    assert watch.pages[-1].at > 12
    assert watch_chart(watch).texts[0].get_text() == "No claim lost while the primary changed"


def test_the_nodes_require_a_login_and_their_folder_is_closed_to_others(config):
    with local_replica_set(config) as cluster:
        assert len(nodes_of(config)) == 3
        assert folder_of(config).stat().st_mode & 0o077 == 0
        assert (folder_of(config) / "key").stat().st_mode & 0o077 == 0
        bare = Mongod(config.path.parent, port=cluster.ports[0])
        with bare.client() as client, pytest.raises(Exception, match="requires authentication"):
            client.admin.command("replSetGetStatus")
        with bare.client() as client, pytest.raises(Exception, match="requires authentication"):
            client.admin.command("createUser", "second", pwd="x", roles=["root"])
        words = [word for node in nodes_of(config).values() for word in node.cmdline()]
        password = cluster.uri.partition("pbm_lib_local:")[2].partition("@")[0]
        assert len(password) > 30
        assert not any(password in word for word in words)
        assert password not in repr(cluster.uri)


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda signal_: signal_.name)
def test_an_interrupt_in_the_middle_ends_all_three(config, shown, signal_):
    logs = [folder_of(config) / f"node{number}" / "mongod.log" for number in (1, 2, 3)]
    if signal_ == signal.SIGINT:  # in the middle of the watch; the other signals may arrive at any time
        wait_for(lambda: all(log.exists() for log in logs), 60, "the logs of all three")
        wait_for(lambda: any("replSetStepDown" in log.read_text(errors="replace") for log in logs), 60, "a step-down")
    os.kill(shown.pid, signal_)
    said = shown.communicate(timeout=60)[1]
    assert shown.returncode in (1, 130)
    assert "nterrupted" in said
    assert "Traceback" not in said


def test_nodes_that_a_killed_failover_left_behind_are_ended_by_the_next_one(config, shown):
    left = sorted(process.pid for process in nodes_of(config).values())
    os.killpg(shown.pid, signal.SIGKILL)
    shown.wait(10)
    assert sorted(process.pid for process in nodes_of(config).values()) == left
    with local_replica_set(config) as cluster:
        assert sorted(cluster.leftovers) == left
        assert not {node.pid for node in nodes_of(config).values()} & {*left}


def test_someone_elses_mongod_is_left_alone_and_named_if_it_has_a_port_that_is_needed(config, tmp_path):
    with running(Mongod(tmp_path / "other")) as other:
        taken = replace(config, failover=replace(config.failover, first_port=other.port))
        with pytest.raises(
            ServerUnavailable,
            match=rf"Port {other.port} on 127\.0\.0\.1 is in use by process {other.process.pid}, a mongod with the "
            r"data folder .*other\. Set failover\.first_port in the config to the first of 3 free ports, or to 0",
        ):
            watch_failover(taken, progress=False)
        assert other.process.poll() is None


def test_a_port_that_another_program_uses_is_named(config):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken = replace(config, failover=replace(config.failover, first_port=port - 1))
        with pytest.raises(ServerUnavailable, match=rf"Port {port} on 127\.0\.0\.1 is in use by another program"):
            watch_failover(taken, progress=False)


def test_a_folder_with_other_files_is_rejected_and_left_as_it_is(config):
    folder_of(config).mkdir()
    mine = folder_of(config) / "mine.txt"
    mine.write_text("mine")
    with pytest.raises(ServerUnavailable, match=r"The failover needs the folder .* but it holds other files\. Move"):
        watch_failover(config, progress=False)
    assert [file.name for file in folder_of(config).iterdir()] == ["mine.txt"]
    mine.unlink()
    folder_of(config).rmdir()


def test_an_interrupt_while_claims_are_loaded_does_not_suggest_continuing_the_load(config, monkeypatch):
    def interrupted(store, **_):
        assert len(nodes_of(config)) == 3
        raise LoadError("The load was interrupted. About 5 of 6,000 claims are on the server. Run load_claims(store).")

    monkeypatch.setattr(failover, "load_claims", interrupted)
    with pytest.raises(
        LoadError, match=r"^The load was interrupted \(the failover's small collection\)\. Everything was"
    ):
        watch_failover(config, progress=False)


def test_two_failovers_at_a_time_do_not_end_each_others_nodes(config):
    with local_replica_set(config):
        before = {node.pid for node in nodes_of(config).values()}
        with pytest.raises(ServerUnavailable, match="Another process is running a failover"):
            watch_failover(config, progress=False)
        assert {node.pid for node in nodes_of(config).values()} == before


def test_an_interrupt_while_the_nodes_start_leaves_none(config, monkeypatch):
    def interrupted(*_):
        assert nodes_of(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch_failover(config, progress=False)


def test_a_node_that_cannot_start_is_reported_with_the_reason(config, monkeypatch):
    launch = module.launch
    monkeypatch.setattr(module, "launch", lambda *words: launch(*words[:4], "--noSuchOption"))
    with pytest.raises(ServerUnavailable, match=r"^One of the three mongods stopped during startup\. "):
        watch_failover(config, progress=False)


def test_a_failure_that_cannot_be_caused_is_reported_and_the_watch_goes_on(config, monkeypatch):
    def refused(_):
        raise PbmError("No.")

    monkeypatch.setattr(module.LocalReplicaSet, "step_down", refused)
    monkeypatch.setattr(module.LocalReplicaSet, "kill_primary", refused)
    watch = watch_failover(config, progress=False)
    stepped, killed = watch.notes[1:3]
    assert stepped.startswith("After 3.0 s no primary stepped down (No); the longest gap after that was ")
    assert killed.startswith("After 6.0 s no primary was killed (SIGKILL) (No); the longest gap after that was ")
    assert (watch.elections, watch.lost) == ((), 0)


@pytest.mark.parametrize("claims", [1_000, 6_000, 60_000, 61_234])
def test_every_tier_is_scaled_down_and_the_sum_is_right(claims):
    config = load_config()
    small = failover.scaled_down(replace(config, failover=replace(config.failover, claims=claims))).data_generation
    assert small.target_volume == sum(tier.claims for tier in small.tiers) == pytest.approx(claims, rel=0.15)
    assert [tier.providers for tier in small.tiers] == [tier.providers for tier in config.data_generation.tiers]
    if claims == 60_000:
        assert [tier.claims_per_provider for tier in small.tiers] == [20_000, 10_000, 2_000, 1_000, 200, 100, 20]


def test_a_gap_counts_if_it_touches_the_period_and_up_to_the_periods_end():
    samples = tuple(PageSample(at, 0.0, 0, None, 100) for at in (1.0, 2.0, 2.5, 6.0, 6.5, 9.0))
    watch = Watch(
        tin=None, seconds=10.0, samples=samples, pages_offered=20, unasked=0, feed_offered=0, feed=(),
        feed_errors=(), elections=(), walks=0, checked=200, lost=0, repeated=0, arrived=0, removed=0, notes=(),
    )  # fmt: skip
    gaps = [
        failover.gap_ms(watch, *stretch) for stretch in ((0, 2.2), (2.1, 2.4), (2.1, 5.5), (4, 7), (6.7, 10), (9.5, 10))
    ]
    assert gaps == pytest.approx([1_000, 400, 3_000, 3_500, 2_500, 1_000])


def test_the_output_says_whose_election_timeout_it_is():
    assert "MongoDB's default; the longest" in failover.about_elections(10_000)
    assert "after 2.5 s here; MongoDB's default is 10 s" in failover.about_elections(2_500)
