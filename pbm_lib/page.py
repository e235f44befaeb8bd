"""One page of claims, and how it looks as a notebook cell's output."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .claim import BEGIN, END, ID

__all__ = ["ClaimPage"]


@dataclass(frozen=True, repr=False)
class ClaimPage(Sequence):
    """One page of claims, in the order (serviceBeginDate, _id).

    Attributes:
        documents: the claims.
        total: claims in the whole result; None if not asked for.
        next_cursor: token of the following page; None if there is none.
        prev_cursor: token of the page before; None if there is none.
    """

    documents: tuple[dict[str, Any], ...]
    total: int | None
    next_cursor: str | None
    prev_cursor: str | None

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, index):
        return self.documents[index]

    def __repr__(self) -> str:
        more = " and ".join(name for name in ("prev_cursor", "next_cursor") if getattr(self, name))
        lines = [f"ClaimPage: {self._size}; {more or 'no further page'}"]
        rows = [tuple(_row(claim).values()) for claim in self.documents[:5]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            lines.append("  " + "  ".join(map(str.ljust, row, widths)).rstrip())
        if len(self) > 5:
            lines.append(f"  ... {len(self) - 5} more")
        return "\n".join(lines)

    def to_frame(self):
        """Return the page as a pandas DataFrame, a row a claim, with the columns a reader looks at."""
        import pandas as pd  # here, since the load's worker processes import this package and need no pandas

        return pd.DataFrame([_row(claim) for claim in self.documents], columns=_COLUMNS)

    def _repr_html_(self) -> str:
        table = self.to_frame().head(10).to_html(index=False, border=0, escape=True)
        rest = f"<p>… {len(self) - 10} more on this page</p>" if len(self) > 10 else ""
        return f"<p><b>{self._size}</b></p>{table}{rest}"

    @property
    def _size(self) -> str:
        total = "" if self.total is None else f" of {self.total:,}"
        return f"{len(self)} claim{'' if len(self) == 1 else 's'}{total}"


_COLUMNS = ["begin", "end", "claim", "patient", "balance", "recovery"]


def _row(claim: dict[str, Any]) -> dict[str, str]:
    """What a reader looks at, as text; a claim of a customer's own collection may lack any of it."""
    patient, money = _part(claim, "patientInformation"), _part(_part(claim, "processedAmounts"), "overpaymentBalance")
    values = (
        _day(claim.get(BEGIN)),
        _day(claim.get(END)),
        _part(claim, "identifiers").get("claimSystemClaimId", claim[ID]),
        f"{patient.get('firstName', '')} {patient.get('lastName', '')}".strip(),
        f"{money.get('amount', '')} {money.get('currency', '')}".strip(),
        claim.get("recoveryMethod", ""),
    )
    return {column: str(value) for column, value in zip(_COLUMNS, values, strict=True)}


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _day(moment: Any) -> str:
    if moment is None:
        return ""
    return moment.date().isoformat() if isinstance(moment, dt.datetime) else str(moment)
