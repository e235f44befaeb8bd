"""The query of the demo: all claims of one billing provider, optionally in a range of service dates.

Answers are exact and in the order (serviceBeginDate, _id). A range matches every claim that overlaps it. Two plans give
the same answer: the plain one asks just that; the bounded one also uses that no claim lasts longer than D days.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import AutoReconnect, CursorNotFound

from .claim import BEGIN, END, ID, TIN
from .cursor import Boundary, decode_cursor, encode_cursor
from .errors import InvalidQuery, PbmError, translated_driver_errors
from .store import ClaimStore

__all__ = ["ClaimPage", "ClaimQuery", "count_claims", "find_claims", "iter_claims"]

PLANS = ("bounded", "plain")
_FORWARD = [(BEGIN, 1), (ID, 1)]
_BACKWARD = [(BEGIN, -1), (ID, -1)]
_MS = dt.timedelta(milliseconds=1)
_TIN = re.compile(r"[0-9]{9}")
_STREAM_BATCH = 1_000


@dataclass(frozen=True)
class ClaimQuery:
    """A checked query: what `find_claims` and its siblings make of their arguments.

    Attributes:
        tin: the billing provider's TIN.
        start: claims that end on or after this instant (naive UTC); None for no lower end.
        end: claims that begin on or before this instant (naive UTC); None for no upper end.
        max_claim_days: D in days where the bounded plan is used, else None.
    """

    tin: str
    start: dt.datetime | None
    end: dt.datetime | None
    max_claim_days: int | None

    @property
    def plan(self) -> str:
        """Name of the plan: "bounded" or "plain"."""
        return "plain" if self.max_claim_days is None else "bounded"

    def filter(self, boundary: Boundary | None = None) -> dict[str, Any]:
        """Return the MQL filter of the whole result, or of what lies beyond a boundary.

        Args:
            boundary: where a page ended; None for the whole result.

        Returns:
            A filter document for `find`.
        """
        overlap: dict[str, Any] = {TIN: self.tin}
        begins = {}
        if self._carry_in_start is not None:
            begins["$gte"] = self._carry_in_start
        if self.end is not None:
            begins["$lte"] = self.end
        if begins:
            overlap[BEGIN] = begins
        if self.start is not None:
            overlap[END] = {"$gte": self.start}
        if boundary is None:
            return overlap
        begin, _id = boundary.key
        beyond = "$gt" if boundary.direction == "next" else "$lt"
        at_or_beyond = beyond + "e" if boundary.inclusive else beyond
        # The $or stands at the root, so that the server plans each leg by itself and merges the two in order. Below an
        # $and it may instead walk from the provider's first claim, which is fast on page 2 and hopeless on page 9,000.
        # Each leg joins the range and the boundary with $and, since both may speak of serviceBeginDate.
        legs = ({BEGIN: begin, ID: {at_or_beyond: _id}}, {BEGIN: {beyond: begin}})
        return {"$or": [{"$and": [overlap, leg]} for leg in legs]}

    def count_filters(self) -> list[dict[str, Any]]:
        """Return filters that match disjoint sets, together the whole result.

        With the bounded plan these are the claims that begin in the range, counted from the index alone, and the few
        carry-ins: claims that begin up to D days before it and reach into it.

        Returns:
            One or two filter documents.
        """
        if self.start is None or self.max_claim_days is None:
            return [self.filter()]
        begins = {"$gte": self.start} if self.end is None else {"$gte": self.start, "$lte": self.end}
        # A range that ends before the earliest carry-in cannot be: end >= start is checked when the query is made.
        carry_ins = {
            TIN: self.tin,
            BEGIN: {"$gte": self._carry_in_start, "$lt": self.start},
            END: {"$gte": self.start},
        }
        return [{TIN: self.tin, BEGIN: begins}, carry_ins]

    @property
    def _carry_in_start(self) -> dt.datetime | None:
        if self.start is None or self.max_claim_days is None:
            return None
        try:
            return self.start - dt.timedelta(days=self.max_claim_days)
        except OverflowError:
            return dt.datetime.min


@dataclass(frozen=True)
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
        total = "" if self.total is None else f" of {self.total:,}"
        lines = [f"ClaimPage: {len(self)} claims{total}; {more or 'no further page'}"]
        for claim in self.documents[:5]:
            lines.append("  " + "  ".join(str(value) for value in _row(claim).values()))
        if len(self) > 5:
            lines.append(f"  ... {len(self) - 5} more")
        return "\n".join(lines)

    def to_frame(self):
        """Return the page as a pandas DataFrame, a row a claim, with the columns a reader looks at."""
        import pandas as pd  # here, since the load's worker processes import this package and need no pandas

        return pd.DataFrame([_row(claim) for claim in self.documents])

    def _repr_html_(self) -> str:
        total = "" if self.total is None else f" of {self.total:,}"
        table = self.to_frame().head(10).to_html(index=False, border=0, escape=True)
        rest = f"<p>… {len(self) - 10} more on this page</p>" if len(self) > 10 else ""
        return f"<p><b>{len(self)} claims{total}</b></p>{table}{rest}"


def find_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    with_total: bool = True,
    plan: str = "bounded",
) -> ClaimPage:
    """Return one page of a billing provider's claims.

    A claim matches a range of service dates if it overlaps it: begins on or before its end and ends on or after its
    start, both inclusive. Pages follow each other by keyset: a page begins right after the last claim of the page
    before, in the order (serviceBeginDate, _id), wherever that is. While others write, a caller may rely on this: a
    claim whose dates do not change, and that is there during the whole walk, is on exactly one page. A claim
    that is inserted behind the walk is not seen; one whose serviceBeginDate moves may be seen twice or not at all.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; a date, or a datetime (naive means UTC). None: no limit.
        service_date_end: last service date, inclusive; a date means the whole day. None: no limit.
        page_size: claims on the page, 1 to `query.max_page_size`; None takes `query.default_page_size`.
        cursor: `next_cursor` or `prev_cursor` of a page of the same query; None for the first page.
        with_total: count the whole result as well, in a query of its own.
        plan: "bounded" uses the bound D where the server enforces it; "plain" never does. Same answer.

    Returns:
        The page.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
        InvalidCursor: the cursor is damaged or belongs to another query.
        ServerUnavailable: the server went away.
    """
    query = make_query(store, tin, service_date_start, service_date_end, plan=plan)
    limit = checked_page_size(store, page_size)
    identity = query_identity(store, query)
    boundary = None if cursor is None else decode_cursor(cursor, identity)
    with translated_driver_errors():
        found = _read(store, query, boundary, limit + 1)
        total = _count(store, query) if with_total else None
    return _page(found, limit, boundary, identity, total)


def count_claims(
    store: ClaimStore,
    tin: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    *,
    plan: str = "bounded",
) -> int:
    """Return the exact number of a billing provider's claims, optionally in a range of service dates.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        start: first service date, inclusive; None: no limit.
        end: last service date, inclusive; None: no limit.
        plan: as in `find_claims`.

    Returns:
        Claims in the result. With the bounded plan it is the sum of two counts, which a write between them can skew.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
        ServerUnavailable: the server went away.
    """
    query = make_query(store, tin, start, end, plan=plan)
    with translated_driver_errors():
        return _count(store, query)


def iter_claims(
    store: ClaimStore,
    tin: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    *,
    page_size: int | None = None,
    plan: str = "bounded",
) -> Iterator[dict[str, Any]]:
    """Yield all claims of a billing provider, optionally in a range of service dates, in order.

    One server cursor streams them; when the connection breaks or the cursor is lost, it is opened again behind the
    last claim yielded, so none is lost or repeated.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        start: first service date, inclusive; None: no limit.
        end: last service date, inclusive; None: no limit.
        page_size: claims a round trip, 1 to `query.max_page_size`; None takes 1,000 or the maximum, if lower.
        plan: as in `find_claims`.

    Yields:
        Claim documents.

    Raises:
        InvalidQuery: an argument is not accepted; raised by the call, not by the first step.
        ServerUnavailable: the server went away and did not come back.
    """
    query = make_query(store, tin, start, end, plan=plan)
    most = store.config.query.max_page_size
    return _stream(store, query, min(_STREAM_BATCH, most) if page_size is None else checked_page_size(store, page_size))


def make_query(
    store: ClaimStore, tin: str, start: dt.date | None, end: dt.date | None, *, plan: str = "bounded"
) -> ClaimQuery:
    """Check the arguments of a query; nothing unchecked reaches the server.

    Args:
        store: says whether D is known.
        tin: nine digits, as text.
        start: first service date, inclusive, or None.
        end: last service date, inclusive, or None.
        plan: "bounded" or "plain".

    Returns:
        The query.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
    """
    if type(tin) is not str or not _TIN.fullmatch(tin):
        raise InvalidQuery(f"tin: {_shown(tin)} is not accepted; accepted: text of nine digits, such as '411234567'.")
    if not isinstance(plan, str) or plan not in PLANS:
        raise InvalidQuery(f"plan: {_shown(plan)} is not accepted; accepted: {', '.join(PLANS)}.")
    first = _instant("service_date_start", start, whole_day=False)
    last = _instant("service_date_end", end, whole_day=True)
    if first is not None and last is not None and last < first:
        raise InvalidQuery(
            f"service_date_end: {_shown(end)} is before service_date_start {_shown(start)}; accepted: no earlier."
        )
    return ClaimQuery(tin, first, last, store.max_claim_days if plan == "bounded" else None)


def query_identity(store: ClaimStore, query: ClaimQuery) -> list[Any]:
    """Return what ties a cursor to its query: collection, TIN and range, but not the plan, as both answer alike."""
    return [store.collection.full_name, query.tin, query.start, query.end]


def sort_order(boundary: Boundary | None) -> list[tuple[str, int]]:
    """Return the sort of a page: ascending, or descending from a boundary backwards."""
    return _BACKWARD if boundary and boundary.direction == "prev" else _FORWARD


def checked_page_size(store: ClaimStore, page_size: int | None) -> int:
    """Return the page size in claims, the config's default for None.

    Raises:
        InvalidQuery: it is no whole number from 1 to `query.max_page_size`.
    """
    most = store.config.query.max_page_size
    if page_size is None:
        return store.config.query.default_page_size
    if type(page_size) is not int or not 1 <= page_size <= most:
        raise InvalidQuery(
            f"page_size: {_shown(page_size)} is not accepted; accepted: a whole number from 1 to {most:,}."
        )
    return page_size


def _read(store: ClaimStore, query: ClaimQuery, boundary: Boundary | None, size: int) -> list[dict[str, Any]]:
    # One batch holds the page: retryable reads cover the first batch, not the ones after it.
    found = store.collection.find(query.filter(boundary), sort=sort_order(boundary), limit=size, batch_size=size)
    return found.to_list()


def _count(store: ClaimStore, query: ClaimQuery) -> int:
    return sum(store.collection.count_documents(part) for part in query.count_filters())


def _page(found: list, limit: int, boundary: Boundary | None, identity: list, total: int | None) -> ClaimPage:
    backward = boundary is not None and boundary.direction == "prev"
    more = len(found) > limit
    documents = found[:limit][::-1] if backward else found[:limit]

    def token(direction: str, claim: dict[str, Any]) -> str:
        return encode_cursor(Boundary(direction, _key_of(claim)), identity)

    ahead, behind = ("prev", "next") if backward else ("next", "prev")
    cursors: dict[str, str | None] = {"next": None, "prev": None}
    if documents:
        edges = {"prev": documents[0], "next": documents[-1]}
        cursors[ahead] = token(ahead, edges[ahead]) if more else None
        cursors[behind] = token(behind, edges[behind]) if boundary else None
    elif boundary:
        # Nothing is left on this side. The way back begins with the boundary claim itself, which a plain
        # "before it" would skip.
        cursors[behind] = encode_cursor(Boundary(behind, boundary.key, not boundary.inclusive), identity)
    return ClaimPage(tuple(documents), total, cursors["next"], cursors["prev"])


def _key_of(claim: dict[str, Any]) -> tuple[dt.datetime, Any]:
    begin = claim.get(BEGIN)
    if not isinstance(begin, dt.datetime):
        # Only in a collection without our validator: null and text have no place in an order of dates.
        raise PbmError(f"Claim {claim[ID]} has no date in {BEGIN}, so paging cannot go on from it. Correct that claim.")
    return begin, claim[ID]


def _stream(store: ClaimStore, query: ClaimQuery, batch: int) -> Iterator[dict[str, Any]]:
    last: dict[str, Any] | None = None
    failed_at: Any = _stream  # no claim: the first failure is never the second one at the same place
    while True:
        boundary = None if last is None else Boundary("next", _key_of(last))
        with translated_driver_errors():
            try:
                with store.collection.find(query.filter(boundary), sort=_FORWARD, batch_size=batch) as claims:
                    for last in claims:
                        yield last
                return
            except (AutoReconnect, CursorNotFound):
                if failed_at is last:
                    raise  # twice at the same claim is no passing trouble
                failed_at = last


def _instant(name: str, value: Any, *, whole_day: bool) -> dt.datetime | None:
    """A service date as naive UTC in whole milliseconds, which is what the server stores."""
    if value is None:
        return None
    if not isinstance(value, dt.date) or value != value:  # NaT is a datetime that does not equal itself
        raise InvalidQuery(
            f"{name}: {_shown(value)} is not accepted; accepted: a date, a datetime (naive means UTC), or None."
        )
    if not isinstance(value, dt.datetime):
        time = dt.time(23, 59, 59, 999_000) if whole_day else dt.time()
        return dt.datetime.combine(value, time)
    try:
        moment = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        moment = dt.datetime(*moment.timetuple()[:6], moment.microsecond)
        whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        # A start between two milliseconds must not let in a claim of the earlier one.
        return whole if whole_day or whole == moment else whole + _MS
    except (OverflowError, ValueError):
        raise InvalidQuery(
            f"{name}: {_shown(value)} is not accepted; accepted: a moment in the years 1 to 9999, in UTC."
        ) from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _row(claim: dict[str, Any]) -> dict[str, Any]:
    patient, amounts = claim.get("patientInformation", {}), claim.get("processedAmounts", {})
    money = amounts.get("overpaymentBalance", {})
    return {
        "begin": _day(claim.get(BEGIN)),
        "end": _day(claim.get(END)),
        "claim": claim.get("identifiers", {}).get("claimSystemClaimId", claim[ID]),
        "patient": f"{patient.get('firstName', '')} {patient.get('lastName', '')}".strip(),
        "balance": f"{money.get('amount', '')} {money.get('currency', '')}".strip(),
        "recovery": claim.get("recoveryMethod", ""),
    }


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d}" if isinstance(moment, dt.datetime) else ""
