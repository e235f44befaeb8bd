"""A checked query and the MQL it becomes; nothing unchecked reaches the server."""

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
    """What is asked, not yet checked: provider and dates, in the order in which `find_claims` takes them."""

    tin: str
    start: dt.date | None = None
    end: dt.date | None = None


@dataclass(frozen=True)
class ClaimQuery:
    """A question that was checked, for one collection."""

    collection: str  # its full name
    variant: IndexVariant  # the index, and so the order of the claims
    hint: str | None  # name of that index; None if there is none
    order: str  # one of ORDERS
    tin: str
    start: dt.datetime | None  # claims that end on or after this instant, naive UTC; None for no lower end
    end: dt.datetime | None  # claims that begin on or before this instant, naive UTC; None for no upper end
    max_claim_days: int | None  # D in days where the query is bounded, else None
    any_type: bool = False  # dates and ids may be of any BSON type, since no validator of ours is there
    # Begin dates of a part of the result, in its order: from the first, inclusive, up to the second, exclusive.
    part: tuple[Any, Any] = (None, None)

    @property
    def bounded(self) -> bool:
        """Whether the bound D is used."""
        return self.max_claim_days is not None

    @property
    def identity(self) -> list[Any]:
        """What ties a cursor to its query, beside the order: not whether it is bounded, as both answer alike."""
        return [self.collection, self.tin, self.start, self.end]

    @property
    def hinted(self) -> dict[str, str]:
        """The hint as a part of a command or of its options; empty without an index."""
        return {"hint": self.hint} if self.hint else {}

    def sort(self, boundary: Boundary = BEGINNING) -> list[tuple[str, int]]:
        """Return the sort of a page: against the order where it is read backwards."""
        step = 1 if self._ascends(boundary) else -1
        return [(field, step) for field in self.variant.order]

    def filter(self, boundary: Boundary = BEGINNING) -> dict[str, Any]:
        """Return the MQL filter of what lies beyond a boundary."""
        overlap: dict[str, Any] = {TIN: self.tin}
        # The edge of a part takes the place of the range's: it lies within that, or beyond the carry-ins, which all
        # end in time.
        if begins := _between(self._carry_in_start, self.end) | self._begins_in_part():
            overlap[BEGIN] = begins
        if self.start is not None:
            overlap[END] = {"$gte": self.start}
        if not boundary.key:
            return overlap
        # The $or stands at the root, so that the server plans each leg by itself and merges them in order. Below an
        # $and it may instead walk from the provider's first claim, which is fast on page 2 and hopeless on page 9,000.
        # Each leg joins the range and the boundary with $and, since both may speak of a date.
        operator = ("$gt" if self._ascends(boundary) else "$lt") + ("e" if boundary.inclusive else "")
        legs = beyond(boundary.key, self.variant.order, operator, any_type=self.any_type)
        return {"$or": [{"$and": [overlap, leg]} for leg in legs]}

    def count_filters(self) -> list[dict[str, Any]]:
        """Return filters that match disjoint sets, together the whole result."""
        if self._carry_in_start is None:
            return [self.filter()]
        # The claims that begin in the range, counted from the index alone, and the few carry-ins: claims that begin up
        # to D days before it and reach into it. (A range cannot end before the earliest of these: end >= start.)
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
    """Check the arguments of a query, then what the server enforces; not `fresh`: take that as it was last known."""
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
    if fresh:  # for the unbounded query as well: where the rule has gone, dates and ids of other types may have come
        store.keep_fresh()
    enforced = store.max_claim_days
    days = enforced if bounded else None
    if days is not None and first is not None and first - dt.datetime.min < dt.timedelta(days=days):
        days = None  # start - D is no date; nothing lies there that the unbounded query would have to step over
    variant, hint = store.index_in_use
    name = store.collection.full_name
    return ClaimQuery(name, variant, hint, order, tin, first, last, days, any_type=enforced is None)


def checked_page_size(store: ClaimStore, page_size: int | None) -> int:
    """Return the page size in claims, the config's default for None."""
    most = store.config.query.max_page_size
    if page_size is None:
        return store.config.query.default_page_size
    if not 1 <= page_size <= most:
        raise not_accepted("page_size", in_short(page_size), f"1 to {most:,}")
    return page_size


def _instant(name: str, value: dt.date | None, *, is_end: bool) -> dt.datetime | None:
    """A service date as naive UTC in whole milliseconds, which is what the server stores."""
    if value is None:
        return None
    if value != value:  # NaT is a datetime that does not equal itself
        raise not_accepted(name, in_short(value))
    if not isinstance(value, dt.datetime):
        # An end that is a day means all of it.
        return dt.datetime.combine(value, dt.time(23, 59, 59, 999_000) if is_end else dt.time())
    try:
        # A tzinfo without an offset leaves a datetime naive, and astimezone would take it for the machine's own time.
        moment = (value if value.utcoffset() is None else value.astimezone(dt.UTC)).replace(tzinfo=None)
        whole = dt.datetime(*moment.timetuple()[:6], moment.microsecond // 1000 * 1000)
        between = moment.microsecond % 1000 or getattr(moment, "nanosecond", 0)  # a pandas Timestamp has those
        # A start between two milliseconds must not let in a claim of the earlier one.
        return whole + _MS if between and not is_end else whole
    except (OverflowError, ValueError, TypeError, NotImplementedError):
        raise not_accepted(name, in_short(value), "a moment in the years 1 to 9999 (UTC)") from None
