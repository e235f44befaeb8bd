"""When a target is met, missed, or not decided, and which of the two scenarios decides that."""

import pytest
from fake_runs import application, fake_run, series

from pbm_lib.measure.targets import target_results


@pytest.fixture(scope="module")
def result(make_config):
    """Return a function that gives the result of a target, in ms, for a run with the given times."""

    def result_of(target, provider=(), range_=()):
        config = make_config({"performance": {"targets": {"first_page_p95_ms": {"3K": target}}}})
        samples = series(provider, **application("3K", "first_page", "provider"))
        samples += series(range_, **application("3K", "first_page", "range"))
        (found,) = target_results(fake_run(config, samples))
        return found

    return result_of


def up_to(count, unit=1.0):
    """Return times of 1, 2, ... units, ordered so that both halves are alike."""
    return [unit * number for number in (*range(1, count + 1, 2), *range(2, count + 1, 2))]


@pytest.mark.parametrize(
    ("target", "verdict"),
    [(109.1, "met"), (109, "not decided"), (108.9, "not decided"), (100, "not decided"), (99.9, "missed")],
)
def test_a_target_is_decided_when_it_is_outside_the_interval(result, target, verdict):
    found = result(target, up_to(110))
    assert (found.low_ms, found.high_ms, found.n, found.scenario) == (100, 109, 110, "provider only")
    assert found.value_ms == pytest.approx(104.55)
    assert found.verdict == verdict


def test_no_target_is_met_by_fewer_than_72_samples_however_fast(result):
    found = {n: result(1_000, up_to(n)) for n in (1, 2, 20, 58, 59, 71, 72)}
    assert {n: (each.verdict, each.more) for n, each in found.items()} == {
        1: ("not decided", 71), 2: ("not decided", 70), 20: ("not decided", 52), 58: ("not decided", 14),
        59: ("not decided", 13), 71: ("not decided", 1), 72: ("met", None),
    }  # fmt: skip
    assert {each.high_ms for n, each in found.items() if n < 72} == {None}


def test_a_few_samples_can_miss_a_target(result):
    assert result(10, [20.0] * 2).verdict == "missed"
    assert result(10, [20.0]).verdict == "not decided"


def test_the_words_say_what_it_takes_to_decide(result):
    assert result(1_000, up_to(20)).verdict_words == "not decided: needs about 52 more samples"
    assert result(1_000, up_to(71)).verdict_words == "not decided: needs about 1 more sample"
    near = result(104.5, up_to(110))
    assert (near.more, near.verdict_words) == (None, "not decided: p95 too close to target")
    assert [result(target, up_to(110)).verdict_words for target in (200, 10)] == ["met", "missed"]


def test_warmups_and_failures_are_not_counted_as_slow(make_config):
    config = make_config({"performance": {"targets": {"first_page_p95_ms": {"3K": 50}}}})
    labels = application("3K", "first_page", "range")
    slow = series([900.0] * 9, warmup=True, **labels) + series([900.0] * 9, error="AutoReconnect", **labels)
    (found,) = target_results(fake_run(config, slow + series([1.0] * 60, **labels)))
    assert (found.n, found.more, found.note) == (60, 12, "n < 72: too few for an upper bound on p95; 9 failed")
    (none,) = target_results(fake_run(config, slow))
    assert (none.verdict, none.value_ms, none.scenario, none.n) == ("not measured", None, "", 0)


# Both scenarios: the interval of `up_to(110)` is 100 to 109; that of `up_to(30)` starts at 26 and has no upper end.


def test_with_equal_verdicts_the_scenario_with_the_higher_p95_represents_both(result):
    met = result(200, up_to(110), up_to(110, unit=1.5))
    assert (met.verdict, met.scenario, met.value_ms) == ("met", "date range", pytest.approx(1.5 * 104.55))
    missed = result(50, up_to(110, unit=1.5), up_to(110))
    assert (missed.verdict, missed.scenario, missed.low_ms) == ("missed", "provider only", 150)


def test_a_slower_scenario_that_is_met_does_not_hide_one_that_is_not_decided(result):
    found = result(200, up_to(110), up_to(30))
    assert (found.verdict, found.scenario, found.n) == ("not decided", "date range", 30)
    assert found.more == 42
    assert found.value_ms < 104.55


def test_a_slower_scenario_that_is_not_decided_does_not_hide_one_that_is_missed(result):
    found = result(99, up_to(110), up_to(30, unit=3.8))
    assert (found.verdict, found.scenario, found.low_ms, found.more) == ("missed", "provider only", 100, None)
    assert result(99, [], up_to(30, unit=3.8)).value_ms > found.value_ms


def test_two_undecided_scenarios_need_what_the_more_demanding_one_needs(result):
    few, fewer = result(200, up_to(60)), result(200, up_to(30))
    assert (few.more, fewer.more) == (12, 42)
    both = result(200, up_to(60), up_to(30))
    assert (both.scenario, both.n, both.more) == ("provider only", 60, 42)
    near = result(104.5, up_to(110), up_to(30))
    assert (near.scenario, near.verdict, near.more) == ("provider only", "not decided", None)
    slow = [*[1.0] * 9, 900.0] * 2
    assert result(104.5, [], slow).more is not None
    near = result(104.5, up_to(110), slow)
    assert (near.scenario, near.verdict, near.more) == ("date range", "not decided", None)
