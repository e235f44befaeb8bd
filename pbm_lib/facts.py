"""How an object that is a handful of facts shows itself: label and value, line by line or as an HTML table."""

from __future__ import annotations

import html
import textwrap

__all__ = ["facts_html", "facts_text"]

_WIDTH = 110


def facts_text(title: str, facts: dict[str, str]) -> str:
    """Return facts as text for a shell, a long value wrapped below itself.

    Args:
        title: the first line.
        facts: label to value.
    """
    margin = max(map(len, facts)) + 4
    lines = [title]
    for label, value in facts.items():
        lines += textwrap.wrap(
            value, _WIDTH, initial_indent=f"  {label}".ljust(margin), subsequent_indent=" " * margin,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines)


def facts_html(facts: dict[str, str], *, code: tuple[str, ...] = ()) -> str:
    """Return facts as an HTML table for a notebook.

    Args:
        facts: label to value.
        code: labels whose values are code.
    """
    style = "style='text-align:left;vertical-align:top'"
    cells = {
        label: f"<code>{html.escape(value)}</code>" if label in code else html.escape(value)
        for label, value in facts.items()
    }
    rows = "".join(f"<tr><th {style}>{label}</th><td {style}>{cell}</td></tr>" for label, cell in cells.items())
    return f"<table>{rows}</table>"
