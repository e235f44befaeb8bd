"""The command line, as a user types it."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import write_config
from fake_runs import fake_run, good_samples
from processes import run_python

from pbm_lib import load_config
from pbm_lib.cli.main import main
from pbm_lib.config_file import notebooks_folder


def run(*words, cwd, uri=None):
    return run_python("-m", "pbm_lib", *words, cwd=cwd, uri=uri, timeout=600)


def test_a_misspelled_key_ends_the_demo_with_a_one_sentence_error(tmp_path):
    config = write_config(tmp_path, {"query": {"default_pagesize": 5}})
    done = run("demo", "--config", config, "--output", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "ConfigError: config.yaml: unknown key query.default_pagesize (value 5). Did you mean"
    )
    assert "Traceback" not in done.stderr


def test_an_unreachable_server_ends_the_demo_with_an_error_that_shows_no_secret(tmp_path):
    uri = "mongodb://amy:Tr0ub4dor%263@127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=500"
    done = run("demo", "--config", write_config(tmp_path), "--output", tmp_path / "out", cwd=tmp_path, uri=uri)
    assert done.returncode == 1
    assert "01_setup stopped" in done.stderr
    assert "is not responding" in done.stderr
    assert "Traceback" not in done.stderr
    everything = (
        done.stdout
        + done.stderr
        + "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    )
    assert "Tr0ub4dor" not in everything
    assert "amy:" not in everything


@pytest.mark.parametrize("words", [[], ["dance"], ["report"], ["demo", "--colour"]], ids=str)
def test_words_that_are_not_a_command_print_the_usage(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: python -m pbm_lib" in capsys.readouterr().err


def test_a_path_that_is_not_a_run_file_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path / "nothing.json"), "--output", str(tmp_path)]) == 1
    assert "nothing.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["demo"], "file/below"),
        (["demo"], "notebooks is a file"),
        (["report"], "file/below"),
        (["report"], "charts is a file"),
        (["report"], "report is a folder"),
        *([(["demo"], "/proc"), (["report"], "/proc")] if Path("/proc/self").exists() else []),  # not even for root
    ],
    ids=lambda part: str(part).replace("/", "_"),
)
def test_an_unwritable_output_folder_ends_with_a_one_sentence_error(tmp_path, monkeypatch, capsys, words, place):
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/?directConnection=true")
    config = write_config(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "notebooks is a file").mkdir()
    (tmp_path / "notebooks is a file" / "notebooks").write_text("")
    (tmp_path / "charts is a file").mkdir()
    (tmp_path / "charts is a file" / "charts").write_text("")
    (tmp_path / "report is a folder" / "performance_report.html").mkdir(parents=True)
    if words == ["report"]:
        options = [str(fake_run(load_config(config), good_samples()).save(tmp_path))]
    else:
        options = ["--config", str(config)]

    assert main([*words, *options, "--output", str(tmp_path / place)]) == 1

    said = capsys.readouterr().err
    assert re.match(rf"(ConfigError|PbmError): Cannot (create|write) .*{re.escape(str(tmp_path / place))}", said)
    assert re.search(r": [A-Z][a-z ]+\. (Name|Choose|Pass) another", said)  # the system's reason, then what to do


@pytest.mark.parametrize("words", [["report"], ["stop"]], ids=str)
def test_a_path_that_the_terminal_cannot_show_is_printed_with_escapes(tmp_path, monkeypatch, words):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    folder = tmp_path / "Kr\u00e4nke"
    folder.mkdir()
    config = write_config(folder)
    if words == ["report"]:
        words = [*words, fake_run(load_config(config), good_samples()).save(folder), "--output", folder]
    else:
        words = [*words, "--config", config]
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kr\\xe4nke" in done.stdout


@pytest.mark.parametrize("way", ["itself", "a link to it", "a copy of it", "a link to one notebook"])
def test_the_demo_rejects_a_folder_whose_notebooks_it_would_overwrite(tmp_path, monkeypatch, capsys, way):
    # Use a copy of the project, in case the demo does overwrite its notebooks.
    project, output = tmp_path / "project", tmp_path / "output"
    shutil.copytree(notebooks_folder(), project / "notebooks")
    monkeypatch.setattr("pbm_lib.cli.notebooks.notebooks_folder", lambda: project / "notebooks")
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/?directConnection=true")
    monkeypatch.chdir(project)
    if way == "a link to it":
        output.symlink_to(project)
    elif way == "a copy of it":
        shutil.copytree(project, output)
    elif way == "a link to one notebook":
        (output / "notebooks").mkdir(parents=True)
        (output / "notebooks" / "04_performance.ipynb").symlink_to(project / "notebooks" / "04_performance.ipynb")
    place = "." if way == "itself" else str(output)
    before = {file.name: file.read_bytes() for file in (project / "notebooks").glob("*.ipynb")}

    assert main(["demo", "--config", str(write_config(tmp_path)), "--output", place]) == 1

    shown = capsys.readouterr()
    assert shown.err.startswith(
        f"ConfigError: {(project if way == 'itself' else output).resolve() / 'notebooks'} holds"
    )
    assert "Choose another --output folder" in shown.err
    assert "==" not in shown.out
    assert {file.name: file.read_bytes() for file in (project / "notebooks").glob("*.ipynb")} == before
