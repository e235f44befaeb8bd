"""A watch: its rates and figures, what it says about trouble, how it prints, and what it rejects."""

import itertools
import shutil
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from crowds import fill, server_with_claims
from loads import configured_digest, stored_digest
from processes import run_python
from proxy import Proxy
from servers import replica_set, tmpfs, wait_for

from pbm_lib import (
    InvalidQuery,
    LoadError,
    SetupError,
    Watch,
    connect,
    index_variant,
    list_providers,
    remove_fed_claims,
    require_claims,
    stop_local_server,
    watch_chart,
    watch_pages,
)
from pbm_lib.claims.document import ID
from pbm_lib.live import feed as feed_module, walker
from pbm_lib.live.elections import Election
from pbm_lib.live.stretch import read_stretches
from pbm_lib.live.walker import PageSample
from pbm_lib.load.state import LoadRecord, fed_filter
from pbm_lib.vocabulary import INDEXES


def mark_loaded(store):
    for state in ("loading", "complete"):
        LoadRecord(store).mark(state)


def a_watch(samples=(), **changes):
    empty = Watch(
        tin=None, seconds=10.0, samples=tuple(samples), pages_offered=20, unasked=0, feed_offered=0, feed=(),
        feed_errors=(), elections=(), walks=0, checked=0, lost=0, repeated=0, arrived=0, removed=0, notes=(),
    )  # fmt: skip
    return replace(empty, **changes)


def page(at, ms, **changes):
    return PageSample(at, ms, 0, None, 100)._replace(**changes)


FAILED = {"error": "AutoReconnect", "claims": None}


# What is watched


@pytest.mark.parametrize("index", INDEXES)
def test_a_watch_of_one_provider_walks_through_it_again_and_again(filled, index):
    provider = list_providers(filled.config, "300")[0]
    with index_variant(filled, index, progress=False) as store:
        watch = watch_pages(store, provider.tin, seconds=1, pages_per_second=21, progress=False)
    assert [sample.at for sample in watch.samples] == [number / 21 for number in range(21)]
    assert (watch.walks, watch.checked) == (7, 2_100)
    assert (watch.lost, watch.repeated, watch.errors, watch.elections, watch.notes) == (0, 0, {}, (), ())
    assert (watch.fed, watch.removed, watch.feed_offered) == (0, 0, 0)
    assert watch.seconds >= 1


def test_a_watch_without_a_provider_draws_the_same_ones_from_all_tiers_each_time(loaded_store):
    fed = fed_filter(LoadRecord(loaded_store).loaded_with)[ID]
    walks = read_stretches(loaded_store, None, 500, fed)
    assert walks == read_stretches(loaded_store, None, 500, fed)
    tiers = {provider.tin: provider for provider in list_providers(loaded_store.config)}
    drawn = Counter(tiers[walk.tin].tier for walk in walks)
    assert max(drawn.values()) - min(drawn.values()) <= 1
    assert drawn.keys() == {"3K", "300", "60"}
    assert len({walk.tin for walk in walks}) > 10
    for walk in walks:
        claims = tiers[walk.tin].claim_count
        assert (walk.claims, walk.whole) == ((2_000, False) if claims == 3_000 else (claims, True))


def test_the_expected_claims_are_read_from_the_index_alone(loaded_store):
    tin, fed = list_providers(loaded_store.config)[0].tin, fed_filter(LoadRecord(loaded_store).loaded_with)[ID]
    profile = loaded_store.collection.database
    profile.command("profile", 2)
    try:
        read_stretches(loaded_store, tin, 30, fed)
    finally:
        profile.command("profile", 0)
    reads = list(profile["system.profile"].find({"op": {"$in": ["query", "getmore"]}, "ns": {"$regex": r"\.claims$"}}))
    assert sum(read["nreturned"] for read in reads) == 3_000
    assert sum(read["docsExamined"] for read in reads) == 0


def test_a_claim_deleted_in_the_middle_of_a_watch_is_lost(filled):
    provider = list_providers(filled.config, "300")[0]
    tin = {"billingProvider.providerTin": provider.tin}
    timer = threading.Timer(1, filled.collection.delete_one, [tin])
    timer.start()
    watch = watch_pages(filled, provider.tin, seconds=2, pages_per_second=30, progress=False)
    timer.join()
    assert 0 < watch.lost <= watch.walks
    assert watch.checked + watch.lost == 300 * watch.walks
    assert watch_chart(watch).texts[0].get_text() == "Claims were lost or repeated"


def test_a_slow_page_makes_the_following_ones_late_relative_to_when_each_was_due(proxied, monkeypatch):
    store, _ = proxied
    asked, ask = [], walker.Walker.ask

    def slow(own, start, meant, end):
        asked.append(meant)
        if len(asked) == 5:
            time.sleep(0.5)
        ask(own, start, meant, end)

    monkeypatch.setattr(walker.Walker, "ask", slow)
    watch = watch_pages(store, seconds=1, pages_per_second=20, progress=False)
    # The fifth page, due after 0.2 s, was held up until 0.7 s, and so were all pages due by then.
    assert all(sample.end >= 0.7 for sample in watch.samples[4:14])
    assert watch.samples[4].ms >= 500
    assert watch.samples[9].ms >= 250
    assert watch.longest_gap_ms >= 500


def test_pages_that_were_due_and_never_requested_are_reported(loaded_store, monkeypatch):
    ask = walker.Walker.ask

    def slow(own, start, meant, end):
        time.sleep(0.3)
        ask(own, start, meant, end)

    monkeypatch.setattr(walker.Walker, "ask", slow)
    watch = watch_pages(loaded_store, seconds=1, pages_per_second=20, progress=False)
    assert watch.unasked == 20 - len(watch.samples) >= 15
    assert watch.notes[0].startswith(f"{watch.unasked} of the pages that were due were never requested")


# Trouble


def test_broken_connections_are_retries_and_not_losses(proxied):
    store, proxy = proxied
    timer = threading.Timer(0.8, proxy.cut_at, [b"find\0"], {"times": 2})
    timer.start()
    with store.reopened(serverSelectionTimeoutMS=5_000) as patient:
        watch = watch_pages(patient, seconds=2, progress=False)
    timer.join()
    assert watch.retries >= 1
    assert (watch.lost, watch.repeated, watch.errors) == (0, 0, {})
    assert "retries by the driver" in watch.facts()["Errors"]


def test_a_server_that_goes_away_for_good_still_yields_a_watch_with_its_errors(proxied, loaded_store, monkeypatch):
    store, proxy = proxied
    for module, name in (
        (feed_module, "_REMOVE_SECONDS"),
        (feed_module, "_END_SECONDS"),
        (walker, "_OVERTIME_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 1)
    timer = threading.Timer(5, proxy.cut)
    timer.start()
    try:
        watch = watch_pages(store, seconds=6, feed_per_second=50, progress=False)
    finally:
        timer.join()
        left = feed_module.remove_fed_claims(loaded_store)
    assert watch.errors.keys() <= {"ServerSelectionTimeoutError", "AutoReconnect", "NetworkTimeout"}
    assert sum(watch.errors.values()) >= 1
    assert (watch.lost, watch.repeated) == (0, 0)
    assert len(watch.pages) > 10
    assert watch.longest_gap_ms > 1_000
    assert left > 0
    assert any("could not be removed (The MongoDB server is not responding" in note for note in watch.notes)
    assert stored_digest(loaded_store) == configured_digest(loaded_store.config)


def test_a_server_that_is_killed_and_started_again_loses_and_repeats_nothing(tmp_path, make_config):
    with server_with_claims(tmp_path / "mongod", make_config()) as (server, store):
        mark_loaded(store)

        def crash():
            wait_for(lambda: store.collection.count_documents(fed_filter(LoadRecord(store).loaded_with)), 60, "claims")
            time.sleep(0.5)
            server.kill()
            server.start()

        thread = threading.Thread(target=crash)
        thread.start()
        watch = watch_pages(store, seconds=6, feed_per_second=100, progress=False)
        thread.join()
        assert (watch.lost, watch.repeated) == (0, 0)
        assert watch.pages[-1].at > 5
        assert watch.feed[-1][0] > 5
        assert stored_digest(store) == configured_digest(store.config)
        assert require_claims(store) is store


def test_a_distant_server_takes_longer_and_nothing_is_lost(filled, test_uri, monkeypatch):
    with Proxy(test_uri, delay=0.05) as proxy:
        monkeypatch.setenv("MONGODB_URI", proxy.uri)
        with connect(filled.config) as store:
            watch = watch_pages(store, seconds=3, pages_per_second=5, feed_per_second=100, progress=False)
    assert (watch.lost, watch.repeated, watch.errors, watch.notes) == (0, 0, {}, ())
    assert watch.fed == watch.removed == 300
    assert min(page.ms for page in watch.pages) >= 100
    assert stored_digest(filled) == configured_digest(filled.config)


def test_a_full_disk_is_reported_and_fed_claims_can_be_removed_once_there_is_space(tmp_path, make_config, monkeypatch):
    monkeypatch.setattr(feed_module, "_REMOVE_SECONDS", 1)
    with tmpfs(tmp_path / "small", 400) as resize:
        config = make_config({"local_server": {"data_dir": str(tmp_path / "small" / "data")}})
        try:
            with connect(config) as store:
                fill(store)
                mark_loaded(store)
                resize(shutil.disk_usage(tmp_path / "small").used // 2**20 + 2)
                watch = watch_pages(store, seconds=8, feed_per_second=5_000, progress=False)
            assert (watch.lost, watch.repeated) == (0, 0)
            assert watch.errors
            assert watch.feed_errors
            (note,) = [note for note in watch.notes if "could not be removed" in note]
            assert "is full" in note
            resize(400)
            with connect(config) as store:
                assert remove_fed_claims(store) > 0
                assert stored_digest(store) == configured_digest(config)
                assert require_claims(store) is store
        finally:
            stop_local_server(config)


@pytest.mark.replica_set
def test_two_elections_are_noticed_and_nothing_is_lost(tmp_path, make_config, monkeypatch):
    with replica_set(tmp_path / "rs") as cluster:
        monkeypatch.setenv("MONGODB_URI", cluster.uri)
        with connect(make_config()) as store:
            fill(store)
            mark_loaded(store)

            def step_down_twice():
                fed = fed_filter(LoadRecord(store).loaded_with)
                wait_for(lambda: store.collection.count_documents(fed), 60, "fed claims")
                for _ in range(2):
                    cluster.step_down()
                    cluster.primary()
                    time.sleep(1)

            thread = threading.Thread(target=step_down_twice)
            thread.start()
            watch = watch_pages(store, seconds=14, feed_per_second=50, progress=False)
            thread.join()
            assert (watch.lost, watch.repeated) == (0, 0)
            assert len(watch.elections) >= 2
            for one, other in itertools.pairwise(watch.elections):
                assert one.after == other.before
            assert watch.elections[0].before.startswith("127.0.0.1:")
            assert watch.pages[-1].at > 13
            assert watch.walks > 10
            assert f"to {watch.elections[0].after}" in repr(watch)
            assert watch_chart(watch).texts[0].get_text() == "No claim lost while the primary changed"
            assert stored_digest(store) == configured_digest(store.config)


# Figures


def test_percentiles_cover_pages_that_arrived_and_require_enough_of_them():
    samples = [page(number / 20, float(number)) for number in range(101)]
    watch = a_watch([*samples, page(6, 9_999.0, **FAILED)])
    assert (watch.p50_ms, watch.p95_ms, watch.p99_ms) == (50.0, 95.0, 99.0)
    assert (a_watch(samples[:99]).p99_ms, a_watch(samples[:19]).p95_ms, a_watch().p50_ms) == (None, None, None)
    assert a_watch(samples[:20]).p95_ms == pytest.approx(18.05)


@pytest.mark.parametrize(
    ("samples", "gap"),
    [
        ([], 10_000),
        ([page(4, 500)], 5_500),
        ([page(7, 1_000)], 8_000),
        ([page(1, 100), page(2, 5, **FAILED), page(3, 600), page(9.5, 100)], 6_000),
        ([page(0, 12_000)], 12_000),
    ],
    ids=["no page", "to the end", "from the start", "between two", "beyond the end"],
)
def test_the_longest_gap_is_between_two_pages_or_from_the_start_or_to_the_end(samples, gap):
    assert a_watch(samples).longest_gap_ms == gap


def test_rates_errors_and_retries_are_counted():
    samples = [page(1, 5), page(2, 5, retries=2), page(3, 5, **FAILED), page(4, 5, **FAILED, retries=1)]
    watch = a_watch(samples, feed_offered=50, feed=((0.1, 100), (0.2, 200)))
    assert (watch.pages_achieved, watch.retries, watch.errors) == (0.2, 3, {"AutoReconnect": 2})
    assert (watch.fed, watch.feed_achieved) == (300, 30.0)


def test_a_watch_reports_all_that_happened_and_nothing_else():
    plain = a_watch([page(number / 20, 4.0) for number in range(200)], checked=20_000, walks=3)
    assert repr(plain).splitlines() == [
        "Watch",
        "  Pages        200 in 10.0 s, 20.0 of 20 per second",
        "  Page time    p50 4.0 ms, p95 4.0 ms, p99 4.0 ms, from when the page was due",
        "  Longest gap  50 ms without a page",
        "  Claims       20,000 checked, 0 lost, 0 repeated; reached a provider's last claim 3 times",
    ]
    eventful = replace(
        plain, feed_offered=500, feed=((0.1, 4_990),), feed_errors=(("AutoReconnect", 3),), removed=4_990, arrived=70,
        elections=(Election(4.2, "127.0.0.1:1", "127.0.0.1:2"),), notes=("One.", "Two."),
        samples=(*plain.samples, page(9, 3, **FAILED)),
    )  # fmt: skip
    facts = eventful.facts()
    assert (
        facts["Feed"]
        == "4,990 claims, 499 of 500 per second; 70 of them came up on the pages read, 4,990 removed at the end"
    )
    assert facts["Elections"] == "after 4.2 s from 127.0.0.1:1 to 127.0.0.1:2"
    assert facts["Errors"] == "0 retries by the driver, 1 x AutoReconnect"
    assert facts["Feed errors"] == "3 x AutoReconnect"
    assert facts["Notes"] == "One. Two."
    assert eventful._repr_html_().startswith("<table>")


# Chart


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"checked": 5}, "No claim lost while pages were read"),
        ({"checked": 5, "feed_offered": 5, "feed": ((0.5, 3),)}, "No claim lost while claims arrived"),
        ({"checked": 5, "elections": (Election(1, "a", "b"),)}, "No claim lost while the primary changed"),
        ({"checked": 5, "repeated": 1, "feed_offered": 5}, "Claims were lost or repeated"),
        ({"samples": (), "feed_offered": 5}, "No page arrived"),
    ],
)
def test_the_title_of_the_chart_says_what_was_found(changes, title):
    samples = (page(1, 5.0), page(2, 0.0), page(3, 800.0, **FAILED))
    figure = watch_chart(a_watch(**{"samples": samples, **changes}))
    assert figure.texts[0].get_text() == title
    assert len(title.split()) <= 8
    assert len(figure.axes) == (2 if "feed_offered" in changes else 1)
    figure.savefig("/dev/null", format="png")


def test_the_chart_marks_every_page_error_and_election():
    samples = [page(1, 5.0), page(2, 50.0), page(3, 800.0, **FAILED)]
    panel = watch_chart(a_watch(samples, elections=(Election(4.0, "a", "b"), Election(6.0, "b", "a")))).axes[0]
    pages, failed, *elections = panel.lines
    assert list(pages.get_xdata()[::3]) == [1, 2]
    assert list(pages.get_ydata()[::3]) == [5, 50]
    assert (list(failed.get_xdata()), list(failed.get_ydata())) == ([3], [800])
    assert [line.get_xdata()[0] for line in elections] == [4, 6]


def test_the_chart_shows_the_rate_of_the_feed():
    feed = tuple((second + 0.5, 10 * second) for second in range(10))
    watch = a_watch([page(1, 5.0)], checked=1, feed_offered=45, feed=feed)
    (stairs,) = watch_chart(watch).axes[1].patches
    assert list(stairs.get_data().values) == [10 * second for second in range(10)]


def test_a_small_chart_fills_in_a_notebook(filled, monkeypatch):
    shown = []

    class Handle:
        def update(self, chart):
            shown.append(chart._repr_svg_())

    monkeypatch.setattr("pbm_lib.live.live_chart.show_in_notebook", lambda chart: shown.append("first") or Handle())
    watch = watch_pages(filled, seconds=2.5, pages_per_second=10, feed_per_second=50)
    assert shown[0] == "first"
    assert len(shown) >= 4
    assert shown[-1].count("h.01") == len(watch.pages) == 25
    assert shown[1].count("h.01") < 25
    assert shown[-1].count("<rect") == 5
    assert "bars: claims arriving" in shown[-1]


def test_without_progress_nothing_is_printed(loaded_store, capsys):
    watch_pages(loaded_store, seconds=0.3, progress=False)
    assert capsys.readouterr() == ("", "")
    watch_pages(loaded_store, seconds=0.3)
    assert "Watching 100%" in capsys.readouterr().out


# What is rejected


@pytest.mark.parametrize("value", [0, -1, 3_601, float("nan"), float("inf"), "5", None, True], ids=repr)
def test_invalid_seconds_are_named(loaded_store, value):
    with pytest.raises(InvalidQuery, match=r"^seconds must be a number of seconds above 0 and at most 3,600, got "):
        watch_pages(loaded_store, seconds=value)


@pytest.mark.parametrize("value", [0, -1, 1_001, float("nan"), "5"], ids=repr)
def test_an_invalid_pages_per_second_is_named(loaded_store, value):
    with pytest.raises(InvalidQuery, match=r"^pages_per_second must be a number above 0 and at most 1,000, got "):
        watch_pages(loaded_store, pages_per_second=value)


@pytest.mark.parametrize("value", [-1, 5_001, float("nan"), "5"], ids=repr)
def test_an_invalid_feed_per_second_is_named(loaded_store, value):
    with pytest.raises(InvalidQuery, match=r"^feed_per_second must be a number from 0 to 5,000, got "):
        watch_pages(loaded_store, feed_per_second=value)


@pytest.mark.parametrize("tin", ["12", "900000001", 411234567])
def test_an_invalid_provider_or_one_without_claims_is_named(loaded_store, tin):
    with pytest.raises(InvalidQuery, match=r"^tin must be (nine digits|a provider with claims)"):
        watch_pages(loaded_store, tin, feed_per_second=5)


def test_a_collection_that_is_not_loaded_or_lacks_the_rule_says_what_to_run(store, filled):
    filled.collection.delete_many({})
    with pytest.raises(LoadError, match="Run notebook 02_load"):
        watch_pages(store, feed_per_second=5)


def test_without_the_rule_the_error_names_the_setup(filled):
    filled.collection.database.command("collMod", filled.collection.name, validator={})
    with pytest.raises(SetupError, match=r"lacks the rule .*setup_collection\(store\)"):
        watch_pages(filled, feed_per_second=5)


def test_the_feeder_imports_nothing_that_is_only_for_display():
    heavy = ("pandas", "matplotlib", "jinja2", "ipywidgets", "IPython", "papermill")
    code = f"import sys, pbm_lib.live.feeder; print([name for name in {heavy} if name in sys.modules])"
    assert run_python("-c", code).stdout.strip() == "[]"
