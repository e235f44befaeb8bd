"""`python -m pbm_lib lab`: which folder it opens, which settings it uses, and how it ends."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from conftest import write_config
from jupyter_client import BlockingKernelClient
from processes import have_ended, start_python
from servers import wait_for

from pbm_lib import load_config
from pbm_lib.cli.lab import lab_command
from pbm_lib.cli.main import main
from pbm_lib.config_file import project_folder


def test_it_opens_the_first_notebook_of_the_project():
    words = lab_command(project_folder(), ["--no-browser"])
    assert f"--ServerApp.root_dir={project_folder()}" in words
    assert "--LabApp.default_url=/lab/tree/notebooks/01_setup.ipynb" in words
    for name in ("notebooks/01_setup.ipynb", "config.yaml", "outputs"):
        assert (project_folder() / name).exists()
    assert words[-1] == "--no-browser"


def test_a_mistake_in_the_settings_is_reported_before_it_starts(tmp_path, capsys):
    config = write_config(tmp_path, {"mongodb": {"databse": "x"}})
    assert main(["lab", "--config", str(config)]) == 1
    assert "Did you mean database" in capsys.readouterr().err


def test_the_environment_variable_names_the_settings_file_unless_a_path_is_given(tmp_path, monkeypatch):
    named = write_config(tmp_path)
    (tmp_path / "other").mkdir()
    other = write_config(tmp_path / "other")
    monkeypatch.setenv("PBM_LIB_CONFIG", str(named))
    assert load_config().path == load_config("").path == named
    assert load_config(other).path == other


def start_kernel(address):
    """Start a kernel on a running JupyterLab, as opening a notebook does, and wait until it could run a cell."""
    page = urlsplit(address)
    request = urllib.request.Request(f"http://{page.netloc}/api/kernels?{page.query}", b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        kernel = json.loads(answer.read())["id"]
    client = BlockingKernelClient(connection_file=f"{os.environ['JUPYTER_RUNTIME_DIR']}/kernel-{kernel}.json")
    client.load_connection_file()
    client.start_channels(hb=False)
    client.kernel_info(reply=True, timeout=60)
    client.stop_channels()


def lab_layout(address):
    """The layout that the page requests from JupyterLab when it opens."""
    page = urlsplit(address)
    with urllib.request.urlopen(f"http://{page.netloc}/lab/api/workspaces/default?{page.query}", timeout=30) as answer:
        return json.loads(answer.read())["data"]


def is_kernel(process):
    with contextlib.suppress(psutil.NoSuchProcess):  # a helper program that Lab runs may end meanwhile
        return "ipykernel_launcher" in process.cmdline()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows terminals send Ctrl-C in another way")
@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_the_notebooks_get_the_settings_and_it_ends_cleanly_with_its_kernels(tmp_path, monkeypatch, way):
    config = write_config(tmp_path)
    log = tmp_path / "lab.log"
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    processes = []
    with log.open("w") as output:
        words = ["-m", "pbm_lib", "lab", "--config", config, "--", "--no-browser", "--allow-root"]
        lab = start_python(*words, stdout=output, stderr=subprocess.STDOUT, cwd=tmp_path)
        try:
            wait_for(lambda: "token=" in log.read_text() or lab.poll() is not None, 60, "JupyterLab")
            address = re.search(r"http://127\S+token=\w+", log.read_text())[0]
            start_kernel(address)
            layout = lab_layout(address)
            processes = psutil.Process(lab.pid).children(recursive=True)
            assert [process for process in processes if is_kernel(process)]
            if way == "Ctrl-C":
                os.killpg(lab.pid, signal.SIGINT)  # what a terminal does
            else:
                lab.terminate()
            assert lab.wait(30) == 0
            assert have_ended(processes)
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGKILL)
                lab.wait()
    assert layout["layout-restorer:data"]["left"]["collapsed"] is True
    assert not list(Path(tempfile.gettempdir()).glob(f"pbm_lab_{lab.pid}_*"))
    said = log.read_text()
    assert f"with the settings in {config}" in said
    assert "notebooks/01_setup.ipynb?token=" in said
    assert "Traceback" not in said
    assert "encryption" not in said
