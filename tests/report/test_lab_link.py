"""The link that opens a file from a notebook in JupyterLab appears only where it works."""

import json
from types import SimpleNamespace

import pytest

from pbm_lib.report.lab_link import lab_link


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Set up what a Jupyter server on a project folder leaves for its kernels. Return the project folder."""
    runtime, project = tmp_path / "runtime", tmp_path / "project"
    for folder in (runtime, project / "notebooks", project / "outputs", project / ".hidden"):
        folder.mkdir(parents=True)
    (runtime / "jpserver-4711.json").write_text(json.dumps({"root_dir": str(project), "pid": 4711}))
    application = SimpleNamespace(abs_connection_file=str(runtime / "kernel-1.json"))
    monkeypatch.setattr("pbm_lib.report.lab_link.kernel_of_notebook", lambda: SimpleNamespace(parent=application))
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "notebooks" / "04_performance.ipynb"))
    return project


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("outputs/performance_report.html", "../outputs/performance_report.html"),
        ("notebooks/a b#1.html", "../notebooks/a%20b%231.html"),
        ("../elsewhere.html", None),
        (".hidden/report.html", None),
    ],
)
def test_a_file_below_the_servers_root_is_linked_from_the_notebooks_folder(lab, file, link):
    assert lab_link(lab / file) == link


@pytest.mark.parametrize("missing", ["JPY_PARENT_PID", "JPY_SESSION_NAME"])
def test_without_a_jupyter_server_there_is_no_link(lab, monkeypatch, missing):
    monkeypatch.delenv(missing)
    assert lab_link(lab / "outputs" / "performance_report.html") is None


def test_in_a_shell_there_is_no_link(lab, monkeypatch):
    monkeypatch.setattr("pbm_lib.report.lab_link.kernel_of_notebook", lambda: None)
    assert lab_link(lab / "outputs" / "performance_report.html") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"root_dir": null}'])
def test_a_server_file_that_cannot_be_read_causes_no_error(lab, tmp_path, content):
    (tmp_path / "runtime" / "jpserver-4711.json").write_text(content)
    assert lab_link(lab / "outputs" / "performance_report.html") is None
