"""The benchmarks are run by hand. These tests check that they reject odd options and treat all contestants fairly."""

from types import SimpleNamespace

import pytest
from conftest import PROJECT

from pbm_lib import load_config

ACCEPTED = "must be 3,000 to 30,000,000, in steps of 3,000, so that every provider has whole claims"


@pytest.fixture
def benchmarks(monkeypatch):
    """Puts their folder on the path, as running one does."""
    monkeypatch.syspath_prepend(str(PROJECT / "tests" / "benchmarks"))


@pytest.mark.parametrize("claims", ["0", "-3000", "many", "1e6", "", "300001", "30003000", "9" * 30])
def test_odd_numbers_of_claims_are_rejected_in_one_sentence(benchmarks, capsys, claims):
    from load import parsed

    with pytest.raises(SystemExit) as end:
        parsed(load_config(), ["--claims", claims])
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: argument --claims: {ACCEPTED}, got {claims!r}.")


@pytest.mark.parametrize("rounds", ["0", "x", "1001"])
def test_odd_numbers_of_rounds_are_rejected(benchmarks, capsys, rounds):
    from load import parsed

    with pytest.raises(SystemExit):
        parsed(load_config(), ["--rounds", rounds])
    assert f"--rounds: must be 1 to 1,000, got {rounds!r}." in capsys.readouterr().err


def test_accepted_numbers_of_claims_make_a_valid_config(benchmarks):
    from load import parsed, scaled

    config = load_config()
    for claims in (3_000, 6_000, 300_000, 30_000_000):
        data = scaled(config, parsed(config, ["--claims", str(claims)]).claims).data_generation
        assert sum(tier.claims for tier in data.tiers) == data.target_volume == claims


def test_contestants_take_turns_and_change_their_order(benchmarks):
    from taking import in_turn

    called = []
    for number in range(3):
        answers = in_turn(number, *(lambda name=name: (called.append(name), name)[1] for name in "abc"))
        assert answers == ["a", "b", "c"]
    assert "".join(called) == "abccbaabc"


def test_the_storage_benchmark_measures_the_largest_a_middle_and_the_smallest_provider(benchmarks):
    from storage import in_short, measures
    from taking import Samples

    titles = [title for title, _ in measures(load_config()).values()]
    assert [title.split(",")[:2] for title in titles] == [
        ["range page", " 1M"],
        ["range page", " 1K"],
        ["stream", " 100K"],
    ]
    seconds = Samples("x", [float(number) for number in range(1, 21)])
    assert in_short(seconds, 0) == "10,500.0 / 19,000.0 (n=20)"
    assert in_short(seconds, 2_000) == "190 (100-2,000, n=20)"


@pytest.fixture
def bench(benchmarks):
    """The query benchmark, without a server."""
    from contests import Bench

    return Bench(SimpleNamespace(config=load_config()), seed=1)


def test_each_contestant_is_timed_on_its_own_question_and_answers_all_the_others(bench):
    asked, questions = [], iter("abcdef")
    contestants = {name: lambda question, name=name: asked.append(name + question) for name in "12"}
    for number in (-1, 0, 1):
        bench.contest("title", number, contestants, lambda: next(questions))
    assert " ".join(asked) == "2b 1a 2a 1b 1c 2d 2c 1d 2f 1e 2e 1f"
    timed = {name: len(samples.seconds) for name, samples in bench.samples.items()}
    assert timed == {"title: 1": 2, "title: 2": 2}  # the round with a negative number was the warm-up


def test_different_answers_are_an_error_unless_the_compared_part_is_equal(bench):
    contestants = {"small": str.lower, "large": str.upper}
    bench.contest("title", 0, contestants, lambda: "abc", len)
    with pytest.raises(AssertionError, match="title: large and small give different answers to abc"):
        bench.contest("title", 0, contestants, lambda: "abc")


def test_pages_in_two_orders_count_as_equal_if_they_differ_only_in_the_last_day(benchmarks):
    from contests import whole_days

    def claims(*keys: str) -> list[dict]:
        return [{"serviceBeginDate": key[0], "_id": key} for key in keys]

    page = whole_days(claims("a1", "a2", "b1"))
    assert page == whole_days(claims("a2", "a1", "b2"))
    assert page != whole_days(claims("a1", "a3", "b1"))
    assert page != whole_days(claims("a1", "b1", "b2"))
    assert whole_days([]) == ([], set())


def test_a_ratio_reaches_its_aim_only_from_the_right_side(bench):
    from query import RATIOS, table
    from taking import Samples

    for name in {name for ratio in RATIOS for name in ratio[1:3]}:
        bench.samples[name] = Samples(name, [0.01, 0.01])  # all equal, so every ratio is 1
    rows = table(bench, {"1M": (107, 101), "10K": (131, 100)})
    assert {row["aim"] for row in rows if not row["reached"]} == {0.65, 0.7, 0.8, 0.85, 0.95, 0.6, 0.1, 100, 50, 130}
    assert {row["aim"] for row in rows if row["reached"]} == {1.0, 1.05, 1.5, 1.12, 0.9, 101}
    keys = next(row for row in rows if row["aim"] == 130)
    assert (keys["value"], keys["detail"]) == (131, "1M 107, 10K 131")
    assert rows[0]["detail"] == "10.0 ms (n=2, IQR 10.0-10.0) / 10.0 ms (n=2, IQR 10.0-10.0)"
