"""One query at a time: an abandoned query ends before the next figure is taken, and nothing stays on the server."""

import datetime as dt
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from explorers import Held, at_the_beginning, heard, ids, slow_unbounded
from oracle import Wire
from processes import start_python
from servers import under_way, wait_for

from pbm_lib import ClaimExplorer, PbmError, compare_plans, count_claims, list_providers
from pbm_lib.query import turns
from pbm_lib.query.stopwatch import timed
from pbm_lib.query.turns import turn

TESTS = Path(__file__).parents[2]
WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 3, 31))


@pytest.fixture
def busy(loaded_store):
    """Return a function that lists the commands that the server is running on the claims."""
    return lambda **how: under_way(loaded_store.collection.database.client, loaded_store.collection.full_name, **how)


def begun(call, busy):
    """Start a call in a thread and wait until the server works on it. Return the thread and a list for its outcome."""
    given: list[object] = []

    def work() -> None:
        try:
            given.append(call())
        except PbmError as error:
            given.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: len(busy()) == 1, 10, "the slow query")
    return thread, given


@pytest.mark.parametrize("what", ["page", "total"])
def test_an_abandoned_slow_query_has_ended_before_the_next_page_is_read(explorer, loaded_store, busy, what):
    explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1])
    beside: list[list[str]] = []

    def look() -> None:
        # A separate thread, because the explorer's is bound to another client's session.
        looking = threading.Thread(target=lambda: beside.append(busy()))
        looking.start()
        looking.join()

    if what == "total":
        explorer.choose(bounded=False)
    with slow_unbounded(300):
        slow = {
            "page": lambda: explorer.choose(bounded=False),
            "total": lambda: explorer.total,
        }[what]
        reader, given = begun(slow, busy)
        with heard(explorer, Held(look)):
            explorer.choose(bounded=True)
        reader.join(10)
    assert beside == [[]]
    assert "was ended" in str(given[0])
    assert explorer.error is None
    assert explorer.shown.choice.bounded
    assert explorer.shown.is_alone
    assert explorer.total == count_claims(loaded_store, explorer.shown.choice.question.tin, *WINDOW)


def test_cancel_ends_the_page_on_the_server_and_shows_the_previous_one(explorer, busy):
    explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10).follow_up()
    before = explorer.shown
    with slow_unbounded(300):
        reader, _ = begun(lambda: explorer.choose(bounded=False), busy)
        explorer.cancel()
        assert busy() == []
        reader.join(10)
    shown = explorer.shown
    assert (shown.choice, shown.page, shown.page_ms, shown.examined, shown.total) == (
        before.choice, before.page, before.page_ms, before.examined, before.total
    )  # fmt: skip
    assert not shown.reading
    assert shown.error is None
    assert "Canceled after" in repr(explorer)
    assert "unbounded query was ended on the server" in repr(explorer)
    assert explorer.requests[0].error == "Interrupted"
    assert "ended (Interrupted)" in repr(explorer)
    assert explorer.next().shown.notice is None


def test_cancel_ends_a_count_that_does_not_restart_by_itself(explorer, busy):
    at_the_beginning(explorer, page_size=1)
    with slow_unbounded(50):
        explorer.choose(bounded=False)
        reader, given = begun(lambda: explorer.total, busy)
        explorer.cancel()
        assert busy() == []
        reader.join(10)
        explorer.follow_up()
    assert "was ended" in str(given[0])
    assert explorer.shown.total is None
    assert "not counted" in repr(explorer)
    explorer.next().follow_up()
    assert explorer.shown.total is not None


def test_cancel_with_nothing_to_wait_for_changes_nothing(explorer):
    explorer.follow_up()
    before = explorer.shown
    assert explorer.cancel().shown is before


def test_a_query_that_the_server_did_not_end_distorts_no_figure(proxied):
    behind, proxy = proxied
    client, name = behind.collection.database.client, behind.collection.full_name
    explorer = at_the_beginning(ClaimExplorer(behind), page_size=5)
    explorer.follow_up()
    with slow_unbounded(500):
        reader, _ = begun(
            lambda: explorer.choose(bounded=False), lambda: [each for each in under_way(client, name) if each == "find"]
        )
        proxy.cut_at(b"killSessions\0", times=1_000)
        explorer.choose(bounded=True)
        proxy.cut_at(b"killSessions\0", times=0)
        assert not explorer.shown.is_alone
        assert under_way(client, name) == ["find"]
        explorer.follow_up()
        assert under_way(client, name) == []
        reader.join(10)
    assert explorer.shown.is_alone
    assert "Timed again" in explorer.shown.notice
    page = explorer.shown.request
    assert [each.command for each in explorer.requests].count(page.command) == 3  # once before, and twice now
    assert page == next(each for each in explorer.requests if not each.is_count)
    assert explorer.error is None


def test_timed_calls_of_cells_and_explorers_wait_for_each_other(explorer, loaded_store, busy):
    other = at_the_beginning(ClaimExplorer(loaded_store))
    most: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            most.append(len(busy()))

    with slow_unbounded(3):
        watching = threading.Thread(target=watch)
        watching.start()
        reader, _ = begun(lambda: other.choose(bounded=False, page_size=50), busy)
        explorer.next().follow_up()
        compare_plans(loaded_store, *other.shown.choice.question)
        reader.join(10)
        done.set()
        watching.join(10)
    assert max(most) == 1
    assert len(other.page) == 50


def test_a_turn_within_a_turn_is_the_same_turn(loaded_store):
    with turn() as outer, turn() as inner:
        assert inner is outer
        assert timed(loaded_store, lambda: 1)[0] == 1


def test_an_interrupt_while_a_turn_waits_leaves_nothing_that_others_wait_for(monkeypatch):
    def interrupted(owner):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(turns, "end_turns", interrupted)
        with pytest.raises(KeyboardInterrupt), turn(owner="a person", ends_earlier=True):
            pass

    def begins():
        with turn() as mine:
            return mine.alone

    with ThreadPoolExecutor() as pool:
        assert pool.submit(begins).result(20)  # it would wait two minutes


def test_a_query_that_takes_too_long_is_ended_with_a_clear_message(loaded_store, busy):
    explorer = ClaimExplorer(loaded_store, seconds=1)
    with slow_unbounded(300), pytest.raises(PbmError, match="No answer within 1 s"):
        explorer.choose(bounded=False)
    wait_for(lambda: busy() == [], 5, "the server to end it")
    assert "Choose a shorter range of dates" in repr(explorer)
    assert explorer.choose(bounded=True).error is None


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_a_process_that_ends_leaves_nothing_on_the_server(loaded_store, test_uri, tmp_path, busy, how):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from explorers import slow_unbounded\n"
        "import pbm_lib as pbm\n"
        "explorer = pbm.ClaimExplorer(pbm.connect(pbm.load_config(sys.argv[1])))\n"
        "with slow_unbounded(300): explorer.choose(bounded=False)\n"
    )
    process = start_python("-c", code, loaded_store.config.path, TESTS, uri=test_uri)
    try:
        wait_for(lambda: busy() == ["find"], 30, "the slow query")
    finally:
        getattr(process, how)()
        process.wait(10)
    wait_for(lambda: busy() == [], 10, "the server to end it")


def test_an_answer_that_comes_too_late_is_not_shown(explorer):
    released = threading.Event()

    def hold_others():
        if threading.current_thread() is not threading.main_thread():
            released.wait(10)

    with heard(explorer, Held(hold_others)) as wire:
        late = threading.Thread(target=lambda: explorer.choose(bounded=False))
        late.start()
        wait_for(lambda: explorer.shown.reading, 10, "the slow page")
        other = list_providers(explorer.store.config, "60")[0].tin
        explorer.choose(tin=other, bounded=True)
        released.set()
        late.join(10)
    assert wire.names.count("find") == 2
    assert explorer.shown.choice.question.tin == other
    assert len(ids(explorer.page)) == 60


def test_what_one_page_examined_is_not_shown_for_the_next(explorer):
    explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10)
    first = explorer.explain()
    assert explorer.next().shown.examined is None
    second = explorer.explain()
    assert (first.mql == second.mql, len({request.plan.mql for request in explorer.requests[:2]})) == (False, 2)


def test_every_explorer_closes_its_connection(loaded_store):
    wire = Wire()
    explorer = ClaimExplorer(loaded_store)
    with heard(explorer, wire):
        explorer.next()
    client = explorer.store.collection.database.client
    del explorer
    gc.collect()
    with pytest.raises(Exception, match="after close"):
        client.admin.command("ping")
