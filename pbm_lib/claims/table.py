"""Claims as rows of a table, as text and as HTML, with the fields that a reader looks at."""

import datetime as dt
import html
from collections.abc import Sequence
from typing import Any

from bson import Decimal128

from .document import BEGIN, END, ID

COLUMNS = {
    "begin": (BEGIN,),
    "end": (END,),
    "claim": ("identifiers", "claimSystemClaimId"),
    "patient": ("patientInformation", "fullName"),
    "rendering provider": ("renderingProvider", "providerName"),
    "overpayment": ("processedAmounts", "overpaymentAmount", "amount"),
    "recouped": ("processedAmounts", "recoupedAmount", "amount"),
    "balance": ("processedAmounts", "overpaymentBalance", "amount"),
    "recovery": ("recoveryMethod",),
}
"""Maps each column to the path of its field, in the order of the table."""
_AMOUNTS = ("overpayment", "recouped", "balance")
# Sticky table headers need the page's own background color, which is dark in some themes of JupyterLab and
# VS Code.
_GROUND = "background:var(--jp-layout-color1,var(--vscode-editor-background,Canvas))"


def claim_rows(claims: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return one row per claim, which maps each column to its text."""
    rows = [{name: _text(_at(claim, path)) for name, path in COLUMNS.items()} for claim in claims]
    for row, claim in zip(rows, claims, strict=True):
        row["claim"] = row["claim"] or str(claim[ID])
    return rows


def text_table(rows: Sequence[dict[str, str]], columns: tuple[str, ...] = tuple(COLUMNS)) -> list[str]:
    """Return rows from `claim_rows`, with a header, as lines of text for a shell. Amounts of zero are blank."""
    names = [name for name in (rows[0] if rows else ()) if name in columns]
    lines = [dict(zip(names, names, strict=True)), *map(_without_zeros, rows)] if rows else []
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    return [
        "  ".join(
            line[name].rjust(width) if name in _AMOUNTS else line[name].ljust(width) for name, width in widths.items()
        )
        for line in lines
    ]


def claims_table(claims: Sequence[dict[str, Any]]) -> str:
    """Return claims (at least one) as an HTML table: text on the left, amounts on the right, amounts of zero blank."""
    rows = [*map(_without_zeros, claim_rows(claims))]

    def style(name: str, more: str) -> str:
        return f"style='text-align:{'right' if name in _AMOUNTS else 'left'};white-space:nowrap;{more}'"

    heads = "".join(
        # Two-line names keep the columns as narrow as their contents, and the table within a notebook's width.
        f"<th {style(name, f'position:sticky;top:0;vertical-align:bottom;padding:3px 6px;{_GROUND}')}>"
        f"{html.escape(name).replace(' ', '<br>')}</th>"
        for name in rows[0]
    )
    cells = "".join(
        "<tr>"
        + "".join(f"<td {style(name, 'padding:1px 6px')}>{html.escape(text)}</td>" for name, text in row.items())
        + "</tr>"
        for row in rows
    )
    return (
        "<table style='border-collapse:collapse;margin:0;font-size:11px;line-height:1.5;"
        f"font-variant-numeric:tabular-nums'><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"
    )


def _without_zeros(row: dict[str, str]) -> dict[str, str]:
    """Return a row with its amounts of zero left blank, so that the others stand out."""
    return {name: "" if name in _AMOUNTS and not text.strip("0.") else text for name, text in row.items()}


def _at(document: Any, path: tuple[str, ...]) -> Any:
    # A claim in a customer's own collection may lack any of these fields.
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, Decimal128):
        return f"{value.to_decimal():,}"
    return str(value)
