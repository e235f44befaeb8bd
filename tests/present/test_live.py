"""What notebook 03 shows while claims arrive and while a node fails."""

import pytest
from loads import configured_digest, stored_digest

from pbm_lib import InvalidQuery, LoadError, PbmError, Watch, try_failover, watch_arrivals
from pbm_lib.live.walker import PageSample
from pbm_lib.load.state import LoadRecord
from pbm_lib.present import live


def test_pages_are_watched_while_claims_arrive_as_configured(filled):
    watch = watch_arrivals(filled, progress=False)
    assert (watch.pages_offered, watch.feed_offered) == (20, 50)
    assert (len(watch.samples) + watch.unasked, watch.lost, watch.repeated) == (20, 0, 0)
    assert watch.fed == watch.removed == 50
    assert stored_digest(filled) == configured_digest(filled.config)


def test_a_user_who_can_only_read_gets_a_watch_without_a_feed_and_a_note(as_user):
    owner, reader = as_user("owner"), as_user("reader")
    for state in ("loading", "complete"):
        LoadRecord(owner).mark(state)
    watch = watch_arrivals(reader, progress=False)
    assert (watch.feed_offered, watch.fed, watch.lost, watch.repeated) == (0, 0, 0, 0)
    assert watch.checked > 0
    assert watch.notes[0].startswith(
        "No claims arrived during this watch. feed_per_second: claims cannot be fed. "
        "The database user lacks permission: "
    )
    assert "Notes" in watch.facts()


def test_a_watch_that_fails_for_another_reason_is_not_repeated(store, filled, monkeypatch):
    filled.collection.delete_many({})
    with pytest.raises(LoadError):
        watch_arrivals(filled, progress=False)

    asked = []

    def interrupted(*_, **options):
        asked.append(options)
        raise PbmError("The watch was interrupted.")

    monkeypatch.setattr(live, "watch_pages", interrupted)
    with pytest.raises(PbmError, match="interrupted"):
        watch_arrivals(filled, progress=False)
    assert len(asked) == 1


@pytest.mark.parametrize("off", [False, "false", "False"], ids=repr)
def test_a_failover_that_is_switched_off_gives_a_note_and_starts_nothing(loaded_store, monkeypatch, off):
    monkeypatch.setattr(live, "watch_failover", None)
    scene = try_failover(loaded_store.config, wanted=off)
    assert scene.watch is None
    assert repr(scene) == "Not run: try_failover is False, so no server was started."
    assert scene._repr_html_() == f"<p>{scene!r}</p>"


@pytest.mark.parametrize("wrong", ["yes", 1, None], ids=repr)
def test_an_invalid_switch_is_named(loaded_store, wrong):
    with pytest.raises(InvalidQuery, match=r"^wanted must be true or false, got "):
        try_failover(loaded_store.config, wanted=wrong)


def test_a_failover_is_shown_by_its_chart_and_its_figures(loaded_store, monkeypatch):
    samples = tuple(PageSample(number / 20, 4.0, 0, None, 100) for number in range(200))
    watch = Watch(
        tin=None, seconds=10.0, samples=samples, pages_offered=20, unasked=0, feed_offered=0, feed=(),
        feed_errors=(), elections=(), walks=0, checked=200, lost=0, repeated=0, arrived=0, removed=0, notes=(),
    )  # fmt: skip
    monkeypatch.setattr(live, "watch_failover", lambda config: watch)
    scene = try_failover(loaded_store.config, wanted="true")
    assert scene.watch is watch
    assert repr(scene) == repr(watch)
    shown = scene._repr_html_()
    assert shown.startswith("<img width='720' alt='Pages over time' src='data:image/png;base64,iVBOR")
    assert "0 lost, 0 repeated" in shown
