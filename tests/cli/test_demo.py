"""One demo from scratch: `python -m pbm_lib demo`, the notebooks and files that it leaves, and what comes next."""

import re
import shutil

import nbformat
import pytest
from conftest import PROJECT, write_config
from processes import run_python

from pbm_lib import ConfigError, PerformanceRun, load_config, stop_local_server
from pbm_lib.cli.notebooks import NOTEBOOKS, reject_overwriting
from pbm_lib.store.local_server import running_server


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a demo that ran on a few thousand claims and its own local server, and the ended process."""
    folder = tmp_path_factory.mktemp("demo")
    config = write_config(folder, {"performance": {"feed_per_second": 50}})
    try:
        done = run_python(
            *("-m", "pbm_lib", "demo", "--config", config, "--output", folder / "out"), cwd=folder, timeout=600
        )
        assert done.returncode == 0, done.stderr
        yield folder, done
    finally:
        stop_local_server(load_config(config))


def outputs(folder):
    """Every output of the executed notebooks' code cells."""
    paths = [folder / "out" / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS]
    cells = [cell for path in paths for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    return [output for cell in cells for output in cell.outputs]


def test_it_runs_the_four_notebooks_and_says_what_to_do_next(demo):
    folder, done = demo
    names = ["01_setup", "02_load", "03_explore", "04_performance"]
    assert [name for name in names if f"== {name} done" in done.stdout] == names
    assert sorted(file.stem for file in (folder / "out" / "notebooks").glob("*.ipynb")) == names
    assert "Traceback" not in done.stdout + done.stderr
    assert f"-m pbm_lib stop --config {folder / 'config.yaml'}" in done.stdout
    assert running_server(load_config(folder / "config.yaml")) is not None


def test_the_executed_notebooks_contain_no_error_and_no_warning(demo):
    shown = outputs(demo[0])
    assert len(shown) > 40
    assert "error" not in {output.output_type for output in shown}
    streams = [output for output in shown if output.output_type == "stream"]
    assert [output.text for output in streams if output.name == "stderr" or "Warning" in output.text] == []


def test_no_output_is_a_bare_object(demo):
    texts = [
        (output, output.data["text/plain"]) for output in outputs(demo[0]) if "text/plain" in output.get("data", {})
    ]
    assert len(texts) > 20
    for output, text in texts:
        assert not re.search(r"<[\w.]+ object at 0x", text), text
        assert "Figure size" not in text or "image/png" in output.data or "image/svg+xml" in output.data


def test_what_it_fed_is_in_the_last_notebook_and_was_removed(demo):
    shown = [output.data["text/html"] for output in outputs(demo[0]) if "text/html" in output.get("data", {})]
    assert any("during the feed" in text for text in shown)
    (file,) = (demo[0] / "out" / "runs").glob("*.json")
    arrivals = PerformanceRun.load(file).arrivals
    assert arrivals.fed == arrivals.removed > 0 and arrivals.left == 0


def test_it_leaves_the_report(demo):
    out = demo[0] / "out"
    assert (out / "summary.csv").is_file()
    assert len(list((out / "charts").glob("*.png"))) == 4
    report = (out / "performance_report.html").read_text(encoding="utf-8")
    assert report.startswith("<!DOCTYPE html>")
    assert str(demo[0]) not in report


def test_the_readmes_papermill_command_runs_the_last_notebook_without_a_warning_and_overwrites_no_run(demo, tmp_path):
    folder, _ = demo
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^\.venv/bin/papermill (.*) outputs/.* -p samples 50$", readme, re.MULTILINE)
    (first,) = (folder / "out" / "runs").glob("*.json")
    before = first.read_bytes()
    parameters = ["-p", "samples", "5", "-p", "config_path", folder / "config.yaml"]
    parameters += ["-p", "output_dir", folder / "out"]
    copy = tmp_path / "04.ipynb"
    done = run_python("-m", "papermill", *words.split(), copy, *parameters, cwd=PROJECT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert first.read_bytes() == before
    (second,) = {*(folder / "out" / "runs").glob("*.json")} - {first}
    assert '"complete": true' in second.read_text()


def test_a_report_is_made_from_its_run_and_a_baseline(demo, tmp_path):
    run_file = next((demo[0] / "out" / "runs").glob("*.json"))
    words = ("report", run_file, "--baseline", run_file, "--output", tmp_path / "again", "--customer", "Acme Health")
    report = run_python("-m", "pbm_lib", *words, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    page = (tmp_path / "again" / "performance_report.html").read_text(encoding="utf-8")
    assert "MongoDB claims demo for Acme Health" in page and '<td class="n">similar</td>' in page


def test_an_executed_copy_may_be_overwritten_but_a_users_own_notebook_may_not(demo, tmp_path):
    copies = tmp_path / "copies"
    shutil.copytree(demo[0] / "out" / "notebooks", copies)
    reject_overwriting(copies)
    reject_overwriting(tmp_path / "nothing")
    (copies / "03_explore.ipynb").write_text("mine")
    with pytest.raises(ConfigError, match=r"copies holds a 03_explore.ipynb that is not an executed copy"):
        reject_overwriting(copies)


def test_stop_ends_its_server(demo):  # the last test here: the others need that server
    config = demo[0] / "config.yaml"
    stops = [run_python("-m", "pbm_lib", "stop", "--config", config, cwd=demo[0]) for _ in range(2)]
    assert stops[0].stdout == f"Stopped the local server for {config}.\n"
    assert running_server(load_config(config)) is None
    assert stops[1].stdout.startswith("No local server")
