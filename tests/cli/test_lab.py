"""`python -m pbm_lib lab`: which folder, which settings, and how it ends."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import write_config
from processes import start_python
from servers import wait_for

from pbm_lib import load_config
from pbm_lib.cli.lab import lab_command
from pbm_lib.cli.main import main
from pbm_lib.config_file import notebooks_folder


def test_it_opens_the_first_notebook_of_the_project_without_asking_for_news():
    words = lab_command(notebooks_folder(), ["--no-browser"])
    assert f"--ServerApp.root_dir={notebooks_folder()}" in words
    assert (notebooks_folder() / "01_setup.ipynb").is_file()
    assert "--LabApp.default_url=/lab/tree/01_setup.ipynb" in words
    assert words[-1] == "--no-browser"


def test_a_mistake_in_the_settings_is_said_before_it_starts(tmp_path, capsys):
    config = write_config(tmp_path, {"mongodb": {"databse": "x"}})
    assert main(["lab", "--config", str(config)]) == 1
    assert "Did you mean database" in capsys.readouterr().err


def test_the_variable_names_the_settings_file_unless_a_path_is_given(tmp_path, monkeypatch):
    named = write_config(tmp_path)
    (tmp_path / "other").mkdir()
    other = write_config(tmp_path / "other")
    monkeypatch.setenv("PBM_LIB_CONFIG", str(named))
    assert load_config().path == load_config("").path == named
    assert load_config(other).path == other


@pytest.mark.skipif(sys.platform == "win32", reason="there a terminal sends its Ctrl-C in another way")
def test_the_notebooks_get_the_settings_and_ctrl_c_ends_it_cleanly(tmp_path):
    config = write_config(tmp_path)
    log = tmp_path / "lab.log"
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    with log.open("w") as output:
        words = ["-m", "pbm_lib", "lab", "--config", config, "--", "--no-browser", "--allow-root"]
        lab = start_python(*words, stdout=output, stderr=subprocess.STDOUT, env=folders, cwd=tmp_path)
        try:
            wait_for(lambda: "token=" in log.read_text() or lab.poll() is not None, 60, "JupyterLab")
            os.killpg(lab.pid, signal.SIGINT)  # what a terminal does
            assert lab.wait(30) == 0
        finally:
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGKILL)
                lab.wait()
    said = log.read_text()
    assert f"with the settings of {config}" in said
    assert "01_setup.ipynb?token=" in said
    assert "Traceback" not in said
    assert "encryption" not in said
