"""A report in Debian's chromium: on a screen of a given width, light or dark, or as printed."""

import base64
import json
import re
from pathlib import Path
from typing import Any

from axe_selenium_python import Axe
from selenium import webdriver

DESKTOP, PHONE, PAPER = 1_280, 390, 703
"""Widths in CSS pixels; PAPER is A4 without the margins of the page's own @page rule."""


class ReportScreen:
    """A browser that shows reports.

    Args:
        browser: the driver.
    """

    def __init__(self, browser: webdriver.Chrome):
        self.browser = browser

    def show(self, page: Path, width: int = DESKTOP, *, dark: bool = False, media: str = "") -> None:
        """Open a report on a screen of this width, with light or dark colors; media "print" lays it out as on paper."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width == PHONE,
        )  # fmt: skip
        self._devtools("Emulation.setScrollbarsHidden", hidden=True)
        self.browser.get(page.as_uri())

    def script(self, code: str, *arguments: Any) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self.browser.execute_script(code, *arguments)

    def faults(self) -> list[str]:
        """The serious and critical faults that axe-core finds, each with the elements affected."""
        self.browser.set_script_timeout(300)
        axe = Axe(self.browser)
        axe.inject()
        found = axe.run(options={"resultTypes": ["violations"]})["violations"]
        return [
            f"{fault['id']} ({fault['impact']}): {[node['target'] for node in fault['nodes']][:5]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    def requests(self) -> list[str]:
        """Addresses that the browser has requested since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]

    def printed_pages(self) -> int:
        """The number of pages of the report on paper, in the size that it asks for."""
        pdf = base64.b64decode(self._devtools("Page.printToPDF", preferCSSPageSize=True)["data"])
        pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
        # The root of the page tree holds the same count. Its branches hold counts too, but smaller ones.
        assert pages == max(int(count) for count in re.findall(rb"/Count\s+(\d+)", pdf))
        return pages

    def _devtools(self, command: str, **arguments: Any) -> Any:
        return self.browser.execute_cdp_cmd(command, arguments)
