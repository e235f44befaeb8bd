"""How things are displayed: an object as a few facts, in a shell and in a notebook; times and ratios as text."""

import html
import re
import sys
from textwrap import indent, wrap
from typing import Any, ClassVar

LEAST_MS = 0.001
"""Replaces a measured time of 0 ms (below the clock's resolution) wherever a time is drawn or used as a divisor."""
_WIDTH = 110
# JupyterLab's own style for <pre> breaks long lines and hides a table's stripes. A table cell grows with its contents,
# so code scrolls on its own only if its width is limited: to 100 characters, or to what fits in a narrow window.
_CODE_STYLE = (
    "margin:0;text-align:left;white-space:pre;overflow-x:auto;max-width:min(100ch,60vw);line-height:1.35;"
    "background:transparent;font-family:var(--jp-code-font-family,monospace)"
)


class ShownAsFacts:
    """Base class of objects that a shell and a notebook show as the facts that `facts` returns."""

    code_facts: ClassVar[tuple[str, ...]] = ()  # labels whose values are code, which keeps its line breaks

    def facts(self) -> dict[str, str]:
        """Return the facts as a mapping of label to value."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return facts_text(type(self).__name__, self.facts(), code=self.code_facts)

    def _repr_html_(self) -> str:
        return facts_html(self.facts(), code=self.code_facts)


def facts_text(title: str, facts: dict[str, str], *, code: tuple[str, ...] = ()) -> str:
    """Return facts as text for a shell, with long values wrapped.

    Args:
        title: the first line.
        facts: label to value.
        code: labels whose values are code, which keeps its line breaks.
    """
    margin = max(map(len, facts)) + 4
    lines = [title]
    for label, value in facts.items():
        head = f"  {label}".ljust(margin)
        if label in code:
            lines += indent(value, " " * margin).replace(" " * margin, head, 1).splitlines()
            continue
        lines += wrap(
            value, _WIDTH, initial_indent=head, subsequent_indent=" " * margin,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines)


def facts_html(facts: dict[str, str], *, code: tuple[str, ...] = ()) -> str:
    """Return facts as an HTML table for a notebook; `code` names the labels whose values are code."""
    style = "style='text-align:left;vertical-align:top'"
    cells = {label: code_html(value) if label in code else html.escape(value) for label, value in facts.items()}
    rows = "".join(f"<tr><th {style}>{label}</th><td {style}>{cell}</td></tr>" for label, cell in cells.items())
    return f"<table>{rows}</table>"


def prose_html(text: str) -> str:
    """Return text as HTML. Words that begin with $ become code: JupyterLab renders text between two $ as math."""
    return re.sub(r"\$\w+", r"<code style='padding:0;background:none'>\g<0></code>", html.escape(text))


def code_html(code: str) -> str:
    """Return code as HTML that never breaks a line; if a line is too wide, the code scrolls on its own."""
    return f"<pre style='{_CODE_STYLE}'>{html.escape(code)}</pre>"


def kernel_of_notebook() -> Any:
    """Return the notebook kernel that runs this code, or None outside a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)


def show_in_notebook(shown: Any) -> Any:
    """Show an object in a notebook and return its display handle; elsewhere, show nothing and return None.

    The handle's `update` method shows another object in its place.
    """
    if kernel_of_notebook() is None:
        return None
    return sys.modules["IPython"].display.display(shown, display_id=True)


NOT_MEASURED = "not measured"


def milliseconds(value: float | None) -> str:
    """Return a time in ms as text, with as many digits as a reader can use, and in seconds from 1,000 ms up."""
    if value is None:
        return NOT_MEASURED
    if value >= 999.5:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 9.95 else f"{value:.1f} ms" if value >= 0.95 else f"{value:.2f} ms"


def times(ratio: float) -> str:
    """Return a ratio as text: 2.3, 94, 1,200."""
    return f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def times_sign(ratio: float) -> str:
    """Return a ratio as a table shows it: 2.3\N{MULTIPLICATION SIGN}, 1,200\N{MULTIPLICATION SIGN}."""
    return f"{times(ratio)}\N{MULTIPLICATION SIGN}"


def quantity(number: int, thing: str) -> str:
    """Return a number of things as text: "1 claim", "2,000 claims"."""
    return f"{number:,} {thing}{'s' if number != 1 else ''}"


def short_count(number: int) -> str:
    """Return a number of claims as an axis tick shows it: 0, 250, 1K, 900K, 1.5M."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number}"
