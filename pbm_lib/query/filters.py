"""A checked query and its MQL. Nothing unchecked reaches the server."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..arguments import in_short, not_accepted
from ..claims.document import BEGIN, END, TIN
from ..errors import InvalidQuery
from ..store.index import IndexVariant
from ..store.store import ClaimStore
from ..vocabulary import OLDEST, ORDERS
from .keyset import BEGINNING, Boundary, beyond

_MS = dt.timedelta(milliseconds=1)
_TIN = re.compile(r"[0-9]{9}")


class Question(NamedTuple):
    """An unchecked question: provider and dates, in the order of the arguments of `find_claims`."""

    tin: str
    start: dt.date | None = None
    end: dt.date | None = None

    @property
    def has_dates(self) -> bool:
        """Whether it asks for a range of service dates. If not, the bounded and the unbounded query are the same."""
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class ClaimQuery:
    """A checked question, for one collection."""

    collection: str  # full name
    variant: IndexVariant  # the index, which sets the order of the claims
    hint: str | None  # name of that index; None without an index
    order: str  # one of ORDERS
    tin: str
    start: dt.datetime | None  # claims that end on or after this instant, naive UTC; None for no lower limit
    end: dt.datetime | None  # claims that begin on or before this instant, naive UTC; None for no upper limit
    max_claim_days: int | None  # D in days if the query is bounded, else None
    any_type: bool = False  # dates and ids may be of any BSON type, because our validator is missing
    # Begin dates that delimit a part of the result, in its order: the first is inclusive, the second exclusive.
    part: tuple[Any, Any] = (None, None)

    @property
    def bounded(self) -> bool:
        """Whether the query uses the bound D."""
        return self.max_claim_days is not None

    @property
    def identity(self) -> list[Any]:
        """What ties a cursor to its query, besides the order. The bound is left out: it does not change the result."""
        return [self.collection, self.tin, self.start, self.end]

    @property
    def hinted(self) -> dict[str, str]:
        """The hint, to merge into a command or its options; empty without an index."""
        return {"hint": self.hint} if self.hint else {}

    def sort(self, boundary: Boundary = BEGINNING) -> list[tuple[str, int]]:
        """Return the sort of a page, reversed if the page is read backward."""
        step = 1 if self._ascends(boundary) else -1
        return [(field, step) for field in self.variant.order]

    def filter(self, boundary: Boundary = BEGINNING) -> dict[str, Any]:
        """Return the MQL filter for the claims beyond a boundary."""
        overlap: dict[str, Any] = {TIN: self.tin}
        # A part's edge replaces the range's edge. It lies within the range's begin dates, or before all of them, where
        # no claim lasts long enough to match.
        if begins := _between(self._carry_in_start, self.end) | self._begins_in_part():
            overlap[BEGIN] = begins
        if self.start is not None:
            overlap[END] = {"$gte": self.start}
        if not boundary.key:
            return overlap
        # The $or is at the root, so that the server plans each leg separately and merges the legs in order. Under an
        # $and, it may instead scan from the provider's first claim, which is fast for page 2 and far too slow for page
        # 9,000. Each leg joins the range and the boundary with $and, because both may have conditions on the same date.
        operator = ("$gt" if self._ascends(boundary) else "$lt") + ("e" if boundary.inclusive else "")
        legs = beyond(boundary.key, self.variant.order, operator, any_type=self.any_type)
        return {"$or": [{"$and": [overlap, leg]} for leg in legs]}

    def count_filters(self) -> list[dict[str, Any]]:
        """Return filters for disjoint sets of claims that together are the whole result."""
        if self._carry_in_start is None:
            return [self.filter()]
        # One set is the claims that begin in the range, counted from the index alone. The other is the few carry-ins:
        # claims that begin up to D days before the range and reach into it. (The range's end does not limit the
        # carry-ins: they begin before start, and start <= end.)
        carry_ins = {
            TIN: self.tin,
            BEGIN: {"$gte": self._carry_in_start, "$lt": self.start},
            END: {"$gte": self.start},
        }
        return [{TIN: self.tin, BEGIN: _between(self.start, self.end)}, carry_ins]

    def _begins_in_part(self) -> dict[str, Any]:
        edges = zip(("$gte", "$lt") if self.order == OLDEST else ("$lte", "$gt"), self.part, strict=True)
        return {operator: edge for operator, edge in edges if edge is not None}

    def _ascends(self, boundary: Boundary) -> bool:
        return (boundary.direction == "next") == (self.order == OLDEST)

    @property
    def _carry_in_start(self) -> dt.datetime | None:
        if self.start is None or self.max_claim_days is None:
            return None
        return self.start - dt.timedelta(days=self.max_claim_days)


def _between(first: dt.datetime | None, last: dt.datetime | None) -> dict[str, dt.datetime]:
    limits = {"$gte": first, "$lte": last}
    return {operator: limit for operator, limit in limits.items() if limit is not None}


def make_query(
    store: ClaimStore,
    tin: str,
    start: dt.date | None,
    end: dt.date | None,
    *,
    bounded: bool = True,
    order: str = OLDEST,
    fresh: bool = True,
) -> ClaimQuery:
    """Check the arguments and return the query. If not `fresh`, trust what the store last read from the server."""
    if type(tin) is not str or not _TIN.fullmatch(tin):
        raise not_accepted("tin", in_short(tin))
    if order not in ORDERS:
        raise not_accepted("order", in_short(order))
    first = _instant("service_date_start", start, is_end=False)
    last = _instant("service_date_end", end, is_end=True)
    if first is not None and last is not None and last < first:
        raise InvalidQuery(
            f"service_date_end must be on or after service_date_start ({in_short(start)}), got {in_short(end)}."
        )
    if fresh:  # for the unbounded query too: if the rule was removed, dates and ids of other types can get in
        store.keep_fresh()
    enforced = store.max_claim_days
    days = enforced if bounded else None
    if days is not None and first is not None and first - dt.datetime.min < dt.timedelta(days=days):
        days = None  # start - D is before year 1; no claims are that early, so the bound would save nothing
    variant, hint = store.index_in_use
    name = store.collection.full_name
    return ClaimQuery(name, variant, hint, order, tin, first, last, days, any_type=enforced is None)


def checked_page_size(store: ClaimStore, page_size: int | None) -> int:
    """Return the page size in claims; None means the config's default."""
    most = store.config.query.max_page_size
    if page_size is None:
        return store.config.query.default_page_size
    if not 1 <= page_size <= most:
        raise not_accepted("page_size", in_short(page_size), f"1 to {most:,}")
    return page_size


def _instant(name: str, value: dt.date | None, *, is_end: bool) -> dt.datetime | None:
    """A service date as naive UTC in whole milliseconds, as the server stores it."""
    if value is None:
        return None
    if value != value:  # NaT is a datetime that does not equal itself
        raise not_accepted(name, in_short(value))
    if not isinstance(value, dt.datetime):
        # An end without a time includes the whole day.
        return dt.datetime.combine(value, dt.time(23, 59, 59, 999_000) if is_end else dt.time())
    try:
        # A datetime whose tzinfo has no offset is naive, and astimezone would treat it as this machine's local time.
        moment = (value if value.utcoffset() is None else value.astimezone(dt.UTC)).replace(tzinfo=None)
        whole = dt.datetime(*moment.timetuple()[:6], moment.microsecond // 1000 * 1000)
        between = moment.microsecond % 1000 or getattr(moment, "nanosecond", 0)  # a pandas Timestamp has nanoseconds
        # Round up a start between two milliseconds, so that it excludes a claim at the earlier one.
        return whole + _MS if between and not is_end else whole
    except (OverflowError, ValueError, TypeError, NotImplementedError):
        raise not_accepted(name, in_short(value), "a moment in the years 1 to 9999 (UTC)") from None
