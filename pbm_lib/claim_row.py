"""A claim as one row of a table: what a reader looks at, as text."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bson import Decimal128

from .claim import BEGIN, END, ID

__all__ = ["AMOUNTS", "COLUMNS", "claim_row"]

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


def claim_row(claim: dict[str, Any]) -> dict[str, str]:
    """Return a claim's row, column to text; a claim of a customer's own collection may lack any of it.

    Args:
        claim: the document.
    """
    row = {name: _text(_at(claim, path)) for name, path in COLUMNS.items()}
    row["claim"] = row["claim"] or str(claim[ID])
    return row


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
