"""The command line, as a person types it."""

import shutil

import pytest
from conftest import write_config
from processes import run_python

from pbm_lib.cli.main import main
from pbm_lib.config_file import notebooks_folder
from pbm_lib.errors import redact


def run(*words, cwd, uri=None):
    return run_python("-m", "pbm_lib", *words, cwd=cwd, uri=uri, timeout=600)


def test_a_misspelt_key_ends_the_demo_in_a_sentence(tmp_path):
    config = write_config(tmp_path, {"query": {"default_pagesize": 5}})
    done = run("demo", "--config", config, "--output", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "ConfigError: config.yaml: unknown key query.default_pagesize (value 5). Did you mean"
    )
    assert "Traceback" not in done.stderr


def test_an_unreachable_server_ends_the_demo_in_a_sentence_without_a_secret(tmp_path):
    uri = "mongodb://amy:Tr0ub4dor%263@127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=500"
    done = run("demo", "--config", write_config(tmp_path), "--output", tmp_path / "out", cwd=tmp_path, uri=uri)
    assert done.returncode == 1
    assert "01_setup stopped" in done.stderr
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    everything = (
        done.stdout
        + done.stderr
        + "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    )
    assert "Tr0ub4dor" not in everything
    assert "amy:" not in everything


@pytest.mark.parametrize("words", [[], ["dance"], ["report"], ["demo", "--colour"]], ids=str)
def test_words_that_are_no_command_get_the_usage(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: python -m pbm_lib" in capsys.readouterr().err


def test_a_run_file_that_is_none_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path / "nothing.json"), "--output", str(tmp_path)]) == 1
    assert "nothing.json" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["itself", "a link to it", "a copy of it", "a link to one notebook"])
def test_the_demo_refuses_a_folder_whose_notebooks_it_would_overwrite(tmp_path, monkeypatch, capsys, way):
    # Not the project's own, in case that it does overwrite them.
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
    # The command line hides the names of users that tests before this one logged in with: root, say.
    assert shown.err.startswith(
        redact(f"ConfigError: {(project if way == 'itself' else output).resolve() / 'notebooks'} holds")
    )
    assert "Pass another folder as --output" in shown.err
    assert "==" not in shown.out
    assert {file.name: file.read_bytes() for file in (project / "notebooks").glob("*.ipynb")} == before
