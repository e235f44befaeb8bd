"""JupyterLab as `python -m pbm_lib lab` opens it, in a browser: uncluttered, with everything within reach."""

import shutil

import nbformat
import pytest
from conftest import PROJECT
from lab_browser import TOKEN, LabPage, chromium, lab_server
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from servers import wait_for

from pbm_lib.cli.lab import write_workspace

pytestmark = pytest.mark.browser
LINK = "../outputs/performance_report.html"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder with the first notebook, and one whose only code cell shows where a report was written."""
    home = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "outputs", "workspaces"):
        (home / "project" / name if name != "workspaces" else home / name).mkdir(parents=True)
    shutil.copy(PROJECT / "notebooks" / "01_setup.ipynb", home / "project" / "notebooks")
    shutil.copy(PROJECT / "config.yaml", home / "project")
    report = home / "project" / "outputs" / "performance_report.html"
    report.write_text("<!DOCTYPE html><title>Report</title><h1>Pages stay flat</h1>", encoding="utf-8")
    code = (
        "from pathlib import Path\nfrom pbm_lib import ReportFiles\n"
        f"ReportFiles(Path({str(report)!r}), (), Path({str(report.with_name('summary.csv'))!r}))"
    )
    cells = [new_markdown_cell("# Report"), new_markdown_cell("a"), new_markdown_cell("b"), new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), report.parents[1] / "notebooks" / "report.ipynb")
    write_workspace(home / "workspaces")  # where lab_server has JupyterLab keep its layout
    return home


@pytest.fixture(scope="module")
def page(project, tmp_path_factory):
    with lab_server(project / "project", project, {}) as (address, _), chromium(project / "profile") as browser:
        yield LabPage(browser, address, tmp_path_factory.mktemp("pictures")), address


def test_it_opens_with_its_left_sidebar_closed_and_the_parameters_folded(page):
    lab, address = page
    lab.browser.get(f"{address}/lab/tree/notebooks/01_setup.ipynb?token={TOKEN}")
    wait_for(lambda: lab.browser.find_elements("css selector", ".jp-Notebook h1"), 60, "the first notebook")
    assert lab.browser.execute_script("return window.jupyterapp.shell.leftCollapsed") is True
    folded = lab.browser.find_elements("css selector", ".jp-CodeCell .jp-Placeholder")
    assert len(folded) == 1
    assert "config_path" in folded[0].text


def test_the_link_below_the_last_cell_opens_the_report(page):
    lab, _ = page
    lab.open("notebooks/report")
    (cell,) = lab.run_all()
    assert f"<a href='{LINK}'>Open the report</a>" in cell["outputs"][0]["data"]["text/html"]
    link = lab.browser.find_element("xpath", "//div[contains(@class,'jp-OutputArea')]//a[.='Open the report']")
    link.click()
    lab.browser.switch_to.default_content()
    wait_for(lambda: lab.browser.find_elements("css selector", ".jp-HTMLViewer iframe"), 30, "the report")
    lab.browser.switch_to.frame(lab.browser.find_element("css selector", ".jp-HTMLViewer iframe"))
    wait_for(lambda: "Pages stay flat" in lab.browser.page_source, 30, "the report's text")
    lab.browser.switch_to.default_content()


def test_settings_and_results_can_be_opened(page):
    lab, _ = page
    names = lab.browser.execute_async_script(
        "const done = arguments[0];"
        "window.jupyterapp.serviceManager.contents.get('').then(folder => done(folder.content.map(each => each.name)))"
    )
    assert {"config.yaml", "notebooks", "outputs"} <= set(names)
