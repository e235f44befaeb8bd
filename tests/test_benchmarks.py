"""The benchmarks are run by hand; what is tested is that they refuse odd options and are fair to all contestants."""

import pytest
from conftest import PROJECT

from pbm_lib import load_config

ACCEPTED = "accepted: 3,000 to 30,000,000, in steps of 3,000, so that every provider has whole claims."


@pytest.fixture
def benchmarks(monkeypatch):
    """Their folder on the path, as when one is run."""
    monkeypatch.syspath_prepend(str(PROJECT / "tests" / "benchmarks"))


@pytest.mark.parametrize("claims", ["0", "-3000", "many", "1e6", "", "300001", "30003000", "9" * 30])
def test_odd_claims_are_refused_in_a_sentence(benchmarks, capsys, claims):
    from load import parsed

    with pytest.raises(SystemExit) as end:
        parsed(load_config(), ["--claims", claims])
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: argument --claims: {claims!r} is not accepted; {ACCEPTED}")


@pytest.mark.parametrize("rounds", ["0", "x", "1001"])
def test_odd_rounds_are_refused(benchmarks, capsys, rounds):
    from load import parsed

    with pytest.raises(SystemExit):
        parsed(load_config(), ["--rounds", rounds])
    assert f"--rounds: {rounds!r} is not accepted; accepted: 1 to 1,000." in capsys.readouterr().err


def test_claims_that_are_accepted_make_a_valid_config(benchmarks):
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
