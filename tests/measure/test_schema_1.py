"""The file of a small run, written by an earlier version, still loads and renders."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run

from pbm_lib import PerformanceRun, RunFileError, write_report

FILE = Path(__file__).with_name("schema_1_run.json")


def test_a_schema_1_file_loads_with_todays_names():
    content = json.loads(FILE.read_text(encoding="utf-8"))
    run = PerformanceRun.load(FILE)
    assert run.method == 1 and run.complete
    assert (run.settings.index, run.settings.performance.samples) == ("three_field", 3)
    assert len(run.samples) == len(content["samples"])
    assert sorted(sample.ms for sample in run.samples) == sorted(sample["ms"] for sample in content["samples"])
    at_once = [sample.iteration for sample in run.select(section="concurrency", clients=2)]
    assert at_once == sorted(at_once) and len(set(at_once)) < len(at_once)
    for theirs, ours in (("plain", "unbounded"), ("bounded", "bounded")):
        old = [s["ms"] for s in content["samples"] if s.get("contestant") == theirs]
        ours_now = [s.ms for s in run.select(section="ranges", contestant=ours, index="three_field")]
        assert sorted(ours_now) == sorted(old) and old
    assert {check.against for check in run.checks} == {"unbounded", "skip"}
    assert [cost.query for cost in run.costs] == ["bounded", "unbounded"]
    # Its price table does not say whether a price is confirmed.
    assert "confirmed" not in content["settings"]["atlas"]["tiers"][0]
    assert [tier.confirmed for tier in run.settings.atlas.tiers] == [False] * 5
    # Its counts and first pages were measured along with the other operations, each with its own windows.
    assert run.latency_labels("3K", "first_page", "range")["section"] == "latency"
    assert run.statistics(**run.latency_labels("3K", "count", "provider")).n == 3


def test_it_is_saved_in_todays_schema_and_loads_unchanged(tmp_path):
    run = PerformanceRun.load(FILE)
    file = run.save(tmp_path)
    assert json.loads(file.read_text(encoding="utf-8"))["schema"] == 2
    assert PerformanceRun.load(file) == run


def test_it_renders(tmp_path):
    written = write_report(PerformanceRun.load(FILE), tmp_path)
    page = written.html.read_text(encoding="utf-8")
    assert "threads of one Python process" in page
    assert len(written.charts) == 4


def test_a_price_that_an_earlier_version_did_not_mark_is_not_confirmed(make_config, tmp_path):
    run = fake_run(make_config(), [])
    assert run.settings.atlas.tiers[0].confirmed
    file = run.save(tmp_path)
    content = json.loads(file.read_text(encoding="utf-8"))
    for tier in content["settings"]["atlas"]["tiers"]:
        del tier["confirmed"]
    file.write_text(json.dumps(content), encoding="utf-8")
    prices = PerformanceRun.load(file).settings.atlas.tiers
    assert [replace(tier, confirmed=False) for tier in run.settings.atlas.tiers] == list(prices)


@pytest.mark.parametrize("key", ["settings", "checks", "plans", "samples"])
def test_a_file_that_lacks_a_part_is_rejected(tmp_path, key):
    content = json.loads(FILE.read_text(encoding="utf-8"))
    del content[key]
    file = tmp_path / "run.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunFileError, match=r"run\.json is (damaged|not a run file)"):
        PerformanceRun.load(file)
