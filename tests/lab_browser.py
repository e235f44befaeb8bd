"""JupyterLab in Debian's chromium: start it, open a notebook, run it, look at it."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from servers import free_port, wait_for

from pbm_lib.cli.lab import lab_command

TOKEN = "only-for-this-test"
WIDTH, HEIGHT = 1_360, 1_000
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
)  # fmt: skip
# The notebook's panel. Lab knows of a current one only once something in it has been clicked.
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
    """JupyterLab on a folder, with no settings but the demo's, for the length of a block: its address and its log."""
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
    """A browser without a screen, with an empty profile; if asked, its log "performance" has every request."""
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


class LabPage:
    """One JupyterLab in the browser.

    Args:
        browser: the driver.
        address: the server's.
        pictures: folder of the screenshots.
    """

    def __init__(self, browser: webdriver.Chrome, address: str, pictures: Path):
        self.browser = browser
        self._address = address
        self._pictures = pictures

    def open(self, name: str) -> None:
        """Open a notebook, alone, and wait for its kernel."""
        self.browser.set_window_size(WIDTH, HEIGHT)
        self.browser.get(f"{self._address}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
        ready = (
            "return panel.context.path === arguments[0] && panel.context.isReady"
            " && panel.sessionContext.session?.kernel?.status === 'idle' && panel.content.widgets.length > 3"
        )
        wait_for(lambda: self._on_panel(ready, f"{name}.ipynb"), 60, f"{name} to open")
        self.browser.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-MarkdownCell h1").click()

    def run_all(self, seconds: float = 180) -> list[dict[str, Any]]:
        """Run all cells by Lab's own command and return them once the kernel is idle."""
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

    def dialogs(self) -> list[str]:
        """Texts of all dialogs and notices on the page."""
        found = self.browser.find_elements(By.CSS_SELECTOR, ".jp-Dialog, .jp-toast, .Toastify__toast")
        return [element.text for element in found]

    def whole(self, picture: str) -> Path:
        """Take a picture of the whole notebook, in a window so high that nothing needs scrolling."""
        for _ in range(2):  # a cell that comes into sight may turn out higher than expected
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
        """Take a picture of the window."""
        path = self._pictures / f"{name}.png"
        self.browser.save_screenshot(str(path))
        return path

    def _on_panel(self, script: str, *arguments: Any) -> Any:
        return self._script(_PANEL + script, *arguments)

    def _script(self, script: str, *arguments: Any) -> Any:
        try:
            return self.browser.execute_script(script, *arguments)
        except JavascriptException:
            return None  # the page is not there yet


class ExplorerOnPage:
    """The explorer as a person sees it: controls found by their labels.

    Args:
        browser: the driver.
    """

    def __init__(self, browser: webdriver.Chrome):
        self._browser = browser

    def control(self, label: str, kind: str) -> WebElement:
        """The select or input beside a label; the panel may only just be coming up."""
        path = f"//div[contains(@class,'jupyter-widgets')][./label[text()='{label}']]//{kind}"
        wait_for(lambda: self._browser.find_elements(By.XPATH, path), 30, label)
        element = self._browser.find_element(By.XPATH, path)
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def button(self, text: str) -> WebElement:
        """A button by its text."""
        path = f"//button[contains(@class,'widget-button') or contains(@class,'widget-toggle-button')][.='{text}']"
        element = self._browser.find_element(By.XPATH, path)
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def text(self) -> str:
        """All that it says now."""
        found = self._browser.find_elements(By.CSS_SELECTOR, ".widget-vbox .widget-html-content")
        return "\n".join(element.text for element in found)

    def rows(self) -> list[str]:
        """The table's rows as text."""
        return [row.text for row in self._browser.find_elements(By.CSS_SELECTOR, ".widget-vbox tbody tr")]

    def wait_text(self, *parts: str) -> str:
        """Wait until it says all of these, and return all that it says."""
        wait_for(lambda: all(part in self.text() for part in parts), 20, f"{parts} in: {self.text()[:400]}")
        return self.text()
