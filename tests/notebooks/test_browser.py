"""The four notebooks and the explorer in a real JupyterLab, in a real browser. `PBM_SCREENSHOTS` keeps the pictures."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from conftest import PROJECT, write_config
from lab_browser import ExplorerOnPage, LabPage, chromium, lab_server
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from pbm_lib import list_providers, load_config
from pbm_lib.cli.notebooks import NOTEBOOKS
from pbm_lib.store.connection import open_client

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def config(home):
    return load_config(write_config(home, {"mongodb": {"database": f"pbm_test_browser_{os.getpid()}"}}))


@pytest.fixture(scope="module")
def address(home, config, test_uri):
    """JupyterLab on copies of the notebooks: it saves what it runs."""
    folder = home / "notebooks"
    shutil.copytree(PROJECT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    for name in NOTEBOOKS:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        cell.source = cell.source.replace('output_dir: str = ""', f"output_dir: str = {str(home / 'out')!r}")
        nbformat.write(notebook, folder / f"{name}.ipynb")
    environment = {"MONGODB_URI": test_uri, "PBM_LIB_CONFIG": str(config.path)}
    with lab_server(folder, home, environment) as (address, log):
        yield address
    said = log.read_text()
    assert "without encryption" not in said
    assert "Traceback" not in said
    with open_client(test_uri) as client:
        client.drop_database(config.mongodb.database)


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
    """What no customer should see in a notebook's outputs."""
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
def test_a_notebook_runs_without_a_word_of_trouble(page, name):
    page.open(name)
    assert page.dialogs() == []
    cells = page.run_all()
    assert trouble(cells) == []
    assert len(cells) > 5
    assert page.dialogs() == []
    page.whole(name)


def test_all_cells_can_be_run_twice_and_after_a_restart_in_the_middle(page):
    page.open("03_explore")
    assert trouble(page.run_all()) == []
    assert trouble(page.run_all()) == []
    page.restart()
    assert trouble(page.run_all()) == []


@pytest.fixture(scope="module")
def explorer(page):
    page.open("03_explore")
    page.run_all()
    return ExplorerOnPage(page.browser)


def test_a_reader_turns_the_pages_by_clicking(page, explorer, config):
    provider = list_providers(config, "300")[1]
    Select(explorer.control("Tier", "select")).select_by_visible_text("300")
    explorer.wait_text(list_providers(config, "300")[0].name)
    Select(explorer.control("Provider", "select")).select_by_visible_text(f"{provider.name} · {provider.tin}")
    explorer.wait_text(f"{provider.name} · TIN {provider.tin} · all service dates", "1 to 100", "300\ntotal")
    begin = explorer.rows()
    assert len(begin) == 100
    assert not explorer.button("Previous").is_enabled()
    page.picture("explorer_first")
    explorer.button("Next").click()
    explorer.wait_text("101 to 200")
    second = explorer.rows()
    assert not set(second) & set(begin)
    explorer.button("Next").click()
    explorer.wait_text("201 to 300")
    assert not explorer.button("Next").is_enabled()
    explorer.button("Previous").click()
    explorer.wait_text("101 to 200")
    assert explorer.rows() == second
    explorer.button("First page").click()
    explorer.wait_text("1 to 100")
    assert explorer.rows() == begin
    Select(explorer.control("Page size", "select")).select_by_visible_text("25")
    explorer.wait_text("1 to 25", ".limit(25)")
    assert explorer.rows() == begin[:25]


def test_a_reader_types_dates_and_compares_the_plans(page, explorer):
    for label, typed in (("From", "10012025"), ("to", "10312025")):
        explorer.control(label, "input").send_keys(typed)
    bounded = explorer.wait_text("service dates 2025-10-01 to 2025-10-31 · bounded query", "keys examined")
    explorer.wait_text("1 to", "documents examined")
    rows = explorer.rows()
    assert rows
    assert all(row.split()[0] <= "2025-10-31" and row.split()[1] >= "2025-10-01" for row in rows)
    assert "$gte" in bounded
    explorer.button("unbounded query").click()
    explorer.wait_text("2025-10-31 · unbounded query", "1 to", "time of the count")
    assert explorer.rows() == rows
    page.picture("explorer_plain")
    cut = "const box = document.querySelector('.widget-vbox'); return box.scrollWidth - box.clientWidth"
    assert page.browser.execute_script(cut) <= 1
    explorer.button("bounded query").click()
    explorer.wait_text("2025-10-31 · bounded query")


def test_dates_out_of_order_are_a_sentence_in_the_panel(page, explorer):
    end = explorer.control("to", "input")
    end.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, "09012025")
    explorer.wait_text("Not answered. The last service date, 2025-09-01, is before the first, 2025-10-01.")
    assert explorer.rows() == []
    page.picture("explorer_error")
    explorer.button("All dates").click()
    explorer.wait_text("all service dates", "300\ntotal")


def test_the_dark_theme_can_be_read(page, explorer):
    page.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    explorer.wait_text("all service dates")
    color = page.browser.execute_script(
        "const cell = document.querySelector('.widget-vbox tbody td');"
        "cell.scrollIntoView({block: 'center'}); return getComputedStyle(cell).color"
    )
    assert min(map(int, re.findall(r"\d+", color)[:3])) > 180, color
    page.whole("03_explore_dark")
    page.command("apputils:change-theme", {"theme": "JupyterLab Light"})
