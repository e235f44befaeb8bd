"""Claims as rows of a table: what a reader looks at, as text and as HTML."""

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
    "patient": ("patientInformation",),
    "rendering provider": ("renderingProvider", "providerName"),
    "overpayment": ("processedAmounts", "overpaymentAmount"),
    "recouped": ("processedAmounts", "recoupedAmount"),
    "balance": ("processedAmounts", "overpaymentBalance"),
    "recovery": ("recoveryMethod",),
}
"""Column to the path of its field, in the order of a table."""
_AMOUNTS = ("overpayment", "recouped", "balance")
# The page's own color below a head that stays in sight; JupyterLab's and VS Code's have dark ones.
_GROUND = "background:var(--jp-layout-color1,var(--vscode-editor-background,Canvas))"


def claim_rows(claims: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return a row a claim, column to text; a currency that all amounts share stands in the columns' names."""
    rows = [{name: _text(_at(claim, path)) for name, path in COLUMNS.items()} for claim in claims]
    for row, claim in zip(rows, claims, strict=True):
        row["claim"] = row["claim"] or str(claim[ID])
    units = {row[name].partition(" ")[2] for row in rows for name in _AMOUNTS}
    if len(units) > 1:
        return rows
    unit = "".join(units)
    titles = {name: f"{name} {unit}".strip() if name in _AMOUNTS else name for name in COLUMNS}
    return [
        {titles[name]: value.partition(" ")[0] if name in _AMOUNTS else value for name, value in row.items()}
        for row in rows
    ]


def text_table(rows: Sequence[dict[str, str]], columns: tuple[str, ...] = tuple(COLUMNS)) -> list[str]:
    """Return rows of `claim_rows` under their heads as lines of text, for a shell."""
    names = [name for name in (rows[0] if rows else ()) if name.startswith(columns)]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    lines = [dict(zip(names, names, strict=True)), *rows] if rows else []
    return [
        "  ".join(
            row[name].rjust(width) if _is_amount(name) else row[name].ljust(width) for name, width in widths.items()
        )
        for row in lines
    ]


def claims_table(claims: Sequence[dict[str, Any]]) -> str:
    """Return at least one claim as an HTML table, words to the left and amounts to the right."""
    rows = claim_rows(claims)

    def style(name: str, more: str) -> str:
        return f"style='text-align:{'right' if _is_amount(name) else 'left'};white-space:nowrap;{more}'"

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


def _is_amount(column: str) -> bool:
    """Whether a column holds amounts; its name may carry the currency, as in "balance USD"."""
    return column.startswith(_AMOUNTS)


def _at(document: Any, path: tuple[str, ...]) -> Any:
    # A claim of a customer's own collection may lack any of its fields.
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
