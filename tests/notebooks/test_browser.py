"""The four notebooks in a real JupyterLab, in a real browser.

Set `PBM_SCREENSHOTS` to a folder to keep the pictures.
"""

import os
import re
from pathlib import Path

import pytest
from conftest import write_config
from lab_browser import LabPage, chromium, notebooks_in_lab

from pbm_lib import load_config
from pbm_lib.cli.notebooks import NOTEBOOKS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def config(home):
    return load_config(write_config(home, {"mongodb": {"database": f"pbm_test_browser_{os.getpid()}"}}))


@pytest.fixture(scope="module")
def address(home, config, test_uri):
    with notebooks_in_lab(home, config, test_uri) as address:
        yield address


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = Path(os.environ.get("PBM_SCREENSHOTS") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(home, address, pictures):
    with chromium(home / "profile") as browser:
        yield LabPage(browser, address, pictures)


def trouble(cells):
    """Return what no customer should see in a notebook's outputs."""
    found = []
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error" or output.get("name") == "stderr":
                found.append((cell["id"], output))
            elif re.search(r"warning|traceback", str(output.get("text", "")), re.IGNORECASE):
                found.append((cell["id"], output["text"]))
    return found


def test_a_notebook_that_is_opened_too_early_names_the_one_to_run(page):
    page.open("03_explore")
    cells = page.run_all()
    (error,) = [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert len(error["traceback"]) == 1
    assert re.fullmatch(r"LoadError: .*Run notebook 01_setup first, then 02_load\.", error["traceback"][0])
    page.picture("03_too_early")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_without_errors_or_warnings(page, name):
    page.open(name)
    assert page.dialogs() == []
    cells = page.run_all()
    assert trouble(cells) == []
    assert len(cells) > 5
    assert page.dialogs() == []
    page.whole(name)


def test_all_cells_run_twice_and_again_after_a_restart(page):
    page.open("03_explore")
    assert trouble(page.run_all()) == []
    assert trouble(page.run_all()) == []
    page.restart()
    assert trouble(page.run_all()) == []
