"""One page of claims, and how a notebook cell displays it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..claims.table import COLUMNS, claim_rows, claims_table, text_table
from ..display import quantity

_BRIEF = ("begin", "end", "claim", "patient", "balance", "recovery")


@dataclass(frozen=True, repr=False)
class ClaimPage(Sequence):
    """One page of claims, in index order; a sequence of claim documents.

    Attributes:
        documents: the claims.
        total: number of claims in the whole result; None if not counted.
        next_cursor: cursor of the next page; None if there is none.
        prev_cursor: cursor of the previous page; None if there is none.
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
        lines = [f"ClaimPage: {self._size}; {more or 'no other pages'}"]
        lines += [f"  {line}".rstrip() for line in text_table(claim_rows(self.documents[:5]), _BRIEF)]
        if len(self) > 5:
            lines.append(f"  ... {len(self) - 5} more")
        return "\n".join(lines)

    def to_frame(self):
        """Return the page as a pandas DataFrame, one row per claim, with the main fields as columns."""
        # Imported here, because it would delay a process that only measures pages by half a second.
        from pandas import DataFrame

        return DataFrame(claim_rows(self.documents), columns=None if self.documents else list(COLUMNS))

    def _repr_html_(self) -> str:
        table = claims_table(self.documents[:10]) if self.documents else ""
        rest = f"<p>… {len(self) - 10} more on this page</p>" if len(self) > 10 else ""
        return f"<p><b>{self._size}</b></p>{table}{rest}"

    @property
    def _size(self) -> str:
        total = "" if self.total is None else f" of {self.total:,}"
        return f"{quantity(len(self), 'claim')}{total}"
