"""JupyterLab in Debian's chromium: start it, open a notebook, run it, inspect it."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from servers import free_port, wait_for

from pbm_lib import Config
from pbm_lib.cli.lab import lab_command
from pbm_lib.cli.notebooks import NOTEBOOKS
from pbm_lib.store.connection import open_client

PROJECT = Path(__file__).parents[1]
TOKEN = "only-for-this-test"
WIDTH, HEIGHT = 1_360, 1_000
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
)  # fmt: skip
# The notebook's panel. Lab has no current panel until something in one is clicked.
_PANEL = (
    "const panel = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.context && widget.isVisible);"
)
_CELLS = """
const cells = panel.content.widgets.filter(cell => cell.model.type === 'code');
return cells.map(cell => ({
    id: cell.model.id, count: cell.model.executionCount, prompt: cell.promptNode ? cell.promptNode.textContent : '',
    outputs: cell.model.sharedModel.outputs,
}));
"""


@contextlib.contextmanager
def lab_server(folder: Path, home: Path, environment: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """JupyterLab on a folder, with only the demo's settings, for the length of a block; yields its address and log."""
    port, log = free_port(), home / "lab.log"
    extra = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    extra += [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    with log.open("w") as output:
        lab = subprocess.Popen(
            lab_command(folder, extra), env={**os.environ, **own, **environment}, cwd=home,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/api") or lab.poll() is not None, 60, "JupyterLab")
        assert lab.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}", log
    finally:
        lab.terminate()
        lab.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def chromium(profile: Path, *, logs_requests: bool = False) -> Iterator[webdriver.Chrome]:
    """A headless browser with an empty profile; with `logs_requests`, its log "performance" has every request."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.fail("The browser tests need Debian's chromium: apt-get install -y chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(flag)
    if logs_requests:
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    browser.set_script_timeout(30)
    try:
        yield browser
    finally:
        browser.quit()


@contextlib.contextmanager
def notebooks_in_lab(home: Path, config: Config, uri: str, more: Callable[[Path], None] | None = None) -> Iterator[str]:
    """JupyterLab on copies of the notebooks, since it saves what it runs; the claims' database is dropped at the end.

    Args:
        home: an empty folder.
        config: the settings that the notebooks use.
        uri: the server's address.
        more: a function that adds notebooks to the folder it is given.

    Yields:
        JupyterLab's address.
    """
    folder = home / "notebooks"
    shutil.copytree(PROJECT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    for name in NOTEBOOKS:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        cell.source = cell.source.replace('output_dir: str = ""', f"output_dir: str = {str(home / 'out')!r}")
        nbformat.write(notebook, folder / f"{name}.ipynb")
    if more is not None:
        more(folder)
    try:
        with lab_server(folder, home, {"MONGODB_URI": uri, "PBM_LIB_CONFIG": str(config.path)}) as (address, log):
            yield address
        said = log.read_text()
        assert "without encryption" not in said
        assert "Traceback" not in said
    finally:
        with open_client(uri) as client:
            client.drop_database(config.mongodb.database)


class LabPage:
    """One JupyterLab in the browser.

    Args:
        browser: the driver.
        address: JupyterLab's address.
        pictures: the folder for screenshots.
    """

    def __init__(self, browser: webdriver.Chrome, address: str, pictures: Path):
        self.browser = browser
        self._address = address
        self._pictures = pictures

    def open(self, name: str) -> None:
        """Open a notebook with nothing else open, and wait for its kernel."""
        self.browser.set_window_size(WIDTH, HEIGHT)
        self.browser.get(f"{self._address}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
        ready = (
            "return panel.context.path === arguments[0] && panel.context.isReady"
            " && panel.sessionContext.session?.kernel?.status === 'idle' && panel.content.widgets.length > 3"
        )
        wait_for(lambda: self._on_panel(ready, f"{name}.ipynb"), 60, f"{name} to open")
        self.browser.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-MarkdownCell h1").click()

    def run_all(self, seconds: float = 180) -> list[dict[str, Any]]:
        """Run all cells with Lab's own command and return them once the kernel is idle."""
        self._script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        return self.wait_idle(seconds)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Start one of Lab's commands."""
        self._script("window.jupyterapp.commands.execute(arguments[0], arguments[1])", name, arguments or {})

    def wait_idle(self, seconds: float = 180) -> list[dict[str, Any]]:
        """Wait until every code cell has run, or one ended in an error, and return the cells."""

        def done() -> bool:
            cells = self.cells()
            failed = any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])
            return failed or all(cell["count"] is not None and "*" not in cell["prompt"] for cell in cells)

        wait_for(done, seconds, "the cells")
        return self.cells()

    def cells(self) -> list[dict[str, Any]]:
        """The notebook's code cells, with their outputs."""
        return self._on_panel(_CELLS) or []

    def restart(self) -> None:
        """Restart the kernel and wait for it."""
        self._on_panel("return panel.sessionContext.restartKernel()")
        # Ending a kernel that is still starting would leave a traceback in Lab's log.
        idle = "return panel.sessionContext.session?.kernel?.status === 'idle'"
        wait_for(lambda: self._on_panel(idle), 60, "the kernel")

    def dialogs(self) -> list[str]:
        """Texts of all dialogs and notices on the page."""
        found = self.browser.find_elements(By.CSS_SELECTOR, ".jp-Dialog, .jp-toast, .Toastify__toast")
        return [element.text for element in found]

    def whole(self, picture: str) -> Path:
        """Take a screenshot of the whole notebook, in a window tall enough that nothing scrolls."""
        for _ in range(2):  # a cell that becomes visible may turn out taller than expected
            bottom = self._script(
                "const outer = document.querySelector('.jp-WindowedPanel-outer'); outer.scrollTop = 0;"
                "return Math.ceil([...outer.querySelectorAll('.jp-Cell')].at(-1).getBoundingClientRect().bottom)"
            )
            self.browser.set_window_size(WIDTH, min(bottom + 250, 16_000))
            time.sleep(1)
        path = self.picture(picture)
        self.browser.set_window_size(WIDTH, HEIGHT)
        return path

    def picture(self, name: str) -> Path:
        """Take a screenshot of the window."""
        path = self._pictures / f"{name}.png"
        self.browser.save_screenshot(str(path))
        return path

    def _on_panel(self, script: str, *arguments: Any) -> Any:
        return self._script(_PANEL + script, *arguments)

    def _script(self, script: str, *arguments: Any) -> Any:
        try:
            return self.browser.execute_script(script, *arguments)
        except JavascriptException:
            return None  # the page has not loaded yet


class ExplorerOnPage:
    """The explorer as a user sees it: its controls, found by their labels, and its texts, found by their places.

    Args:
        browser: the driver.
    """

    def __init__(self, browser: webdriver.Chrome):
        self._browser = browser

    def control(self, label: str, kind: str) -> WebElement:
        """The select or input next to a label; waits, because the panel may still be loading."""
        path = f"//div[contains(@class,'jupyter-widgets')][./label[text()='{label}']]//{kind}"
        wait_for(lambda: self._browser.find_elements(By.XPATH, path), 30, label)
        return self._in_sight(By.XPATH, path)

    def button(self, text: str) -> WebElement:
        """The button with this text."""
        path = f"//button[contains(@class,'widget-button') or contains(@class,'widget-toggle-button')][.='{text}']"
        return self._in_sight(By.XPATH, path)

    def is_chosen(self, text: str) -> bool:
        """Whether a toggle's button looks pressed."""
        return "mod-active" in self.button(text).get_attribute("class").split()

    def text(self) -> str:
        """All text that it shows now, except that of its controls."""
        return self._script(
            "return [...box.querySelectorAll('.widget-html-content')]"
            ".filter(e => e.offsetParent).map(e => e.innerText).join('\\n')"
        )

    def place(self) -> str:
        """The text next to the paging buttons."""
        return self._script("return box.querySelector('.pbm-place').innerText.trim()")

    def figures(self) -> dict[str, str]:
        """The figures, by label."""
        return self._script(
            "return Object.fromEntries([...box.querySelectorAll('.pbm-figures .widget-html-content > div > div')]"
            ".map(tile => [...tile.children].map(e => e.innerText).reverse()))"
        )

    def rows(self) -> list[list[str]]:
        """The table's rows, each a list of cells."""
        return self._rows(".pbm-page tbody tr")

    def claims(self) -> list[str]:
        """The ids of the claims in the table."""
        return [row[2] for row in self.rows()]

    def log(self) -> list[list[str]]:
        """The log's rows, newest first: sent, command, time, keys, documents, returned, MQL."""
        return self._rows(".pbm-log tr:not(:first-child)")

    def opacity(self) -> float:
        """The table's opacity, from 0 to 1."""
        return float(self._script("return getComputedStyle(box.querySelector('.pbm-page')).opacity"))

    def table_top(self) -> int:
        """The distance from the panel's top to the table's, in pixels."""
        return self._script(
            "const top = e => e.getBoundingClientRect().top;"
            "return Math.round(top(box.querySelector('.pbm-page')) - top(box))"
        )

    def cut_off(self) -> list[str]:
        """The texts of elements whose content is too wide for them, other than elements that scroll by design."""
        return self._script(
            "return [box, ...box.querySelectorAll('button, label, .pbm-place, .pbm-figures')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 80))"
        )

    def wait_text(self, *parts: str) -> str:
        """Wait until it shows all of these texts, and return everything that it shows."""
        wait_for(lambda: all(part in self.text() for part in parts), 20, f"{parts} in: {self.text()[:400]}")
        return self.text()

    def settle(self, seconds: float = 20) -> dict[str, str]:
        """Wait until no figure is pending, and return the figures."""

        def settled() -> bool:
            said = [*self.figures().values(), *(cell for row in self.log() for cell in row[:-1])]
            return bool(said) and not any("…" in each for each in said) and not self.button("Cancel").is_enabled()

        wait_for(settled, seconds, f"the figures: {self.figures()}")
        return self.figures()

    def _rows(self, selector: str) -> list[list[str]]:
        return self._script(
            f"return [...box.querySelectorAll('{selector}')].map(r => [...r.cells].map(c => c.textContent.trim()))"
        )

    def _in_sight(self, by: str, path: str) -> WebElement:
        element = self._browser.find_element(by, path)
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def _script(self, script: str) -> Any:
        return self._browser.execute_script(f"const box = document.querySelector('.pbm-explorer'); {script}")
