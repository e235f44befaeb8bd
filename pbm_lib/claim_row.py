"""Claims as rows of a table: what a reader looks at, as text and as HTML."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence
from typing import Any

from bson import Decimal128

from .claim import BEGIN, END, ID

__all__ = ["AMOUNTS", "COLUMNS", "claim_row", "claims_table", "page_rows"]

COLUMNS = {
    "begin": (BEGIN,),
    "end": (END,),
    "claim": ("identifiers", "claimSystemClaimId"),
    "patient": ("patientInformation",),
    "rendering provider": ("renderingProvider", "providerName"),
    "overpayment": ("processedAmounts", "overpaymentAmount"),
    "recouped": ("processedAmounts", "recoupedAmount"),
    "balance": ("processedAmounts", "overpaymentBalance"),
    "recovery": ("recoveryMethod",),
}
"""Column to the path of its field, in the order of a table."""
AMOUNTS = ("overpayment", "recouped", "balance")
"""Columns that a table aligns to the right."""
# The page's own colour below a head that stays in sight; JupyterLab's and VS Code's have dark ones.
_GROUND = "background:var(--jp-layout-color1,var(--vscode-editor-background,Canvas))"


def claim_row(claim: dict[str, Any]) -> dict[str, str]:
    """Return a claim's row, column to text; a claim of a customer's own collection may lack any of it.

    Args:
        claim: the document.
    """
    row = {name: _text(_at(claim, path)) for name, path in COLUMNS.items()}
    row["claim"] = row["claim"] or str(claim[ID])
    return row


def page_rows(claims: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the claims' rows. Where all amounts are in one currency it stands in the columns' names.

    Args:
        claims: the documents.
    """
    rows = [claim_row(claim) for claim in claims]
    units = {row[name].partition(" ")[2] for row in rows for name in AMOUNTS}
    if len(units) != 1:
        return rows
    titles = {name: f"{name} {units.copy().pop()}".strip() if name in AMOUNTS else name for name in COLUMNS}
    return [
        {titles[name]: text.partition(" ")[0] if name in AMOUNTS else text for name, text in row.items()}
        for row in rows
    ]


def claims_table(claims: Sequence[dict[str, Any]]) -> str:
    """Return the claims as an HTML table, words to the left and amounts to the right.

    Args:
        claims: the documents, at least one.
    """
    rows = page_rows(claims)

    def style(name: str, more: str) -> str:
        return f"style='text-align:{'right' if name.startswith(AMOUNTS) else 'left'};white-space:nowrap;{more}'"

    heads = "".join(
        # Names in two lines keep the columns as narrow as what is in them, and the table within a notebook's width.
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


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dict) and "amount" in value:
        amount = value["amount"]
        amount = f"{amount.to_decimal():,}" if isinstance(amount, Decimal128) else amount
        return f"{amount} {value.get('currency', '')}".strip()
    if isinstance(value, dict):
        return f"{value.get('firstName', '')} {value.get('lastName', '')}".strip()
    return str(value)
