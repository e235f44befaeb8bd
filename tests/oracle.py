"""Expected answers, computed in Python, and the walks that check every answer against them."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from bson import ObjectId
from pymongo import monitoring

from pbm_lib import ClaimPage, ClaimStore, count_claims, find_claims, iter_claims, sample_claim
from pbm_lib.claims.document import BEGIN, END, ID
from pbm_lib.query.cursor import decode_cursor, encode_cursor
from pbm_lib.query.filters import make_query
from pbm_lib.vocabulary import NEWEST, OLDEST, ORDERS

TIN_A, TIN_B, TIN_EMPTY = "411234567", "411234568", "900000001"
DAY_0 = dt.datetime(2024, 3, 1)
PAGE_SIZES = (*range(1, 12), 100, 1_000)


def day(number: float) -> dt.datetime:
    """The instant this many days after DAY_0."""
    return DAY_0 + dt.timedelta(days=number)


def make_claim(number: int, begin: Any, end: Any, tin: str = TIN_A) -> dict[str, Any]:
    """A claim that the validator accepts, provided that its dates are valid; its _id is derived from its number."""
    claim = {**sample_claim(), ID: ObjectId(f"{number:024x}"), BEGIN: begin, END: end}
    claim["billingProvider"] = {**claim["billingProvider"], "providerTin": tin}
    return claim


def fill(store: ClaimStore, claims: Iterable[dict[str, Any]]) -> None:
    """Replace the collection's claims with these."""
    store.collection.delete_many({})
    if claims := list(claims):
        store.collection.insert_many(claims)


def overlapping(claims: Iterable[dict[str, Any]], tin: str, start: Any = None, end: Any = None) -> list[dict]:
    """Brute force: a provider's claims that overlap a range, both ends inclusive, sorted by begin date and _id."""
    first = start if start is None or isinstance(start, dt.datetime) else dt.datetime.combine(start, dt.time.min)
    last = end if end is None or isinstance(end, dt.datetime) else dt.datetime.combine(end, dt.time.max)
    found = [
        claim
        for claim in claims
        if claim["billingProvider"]["providerTin"] == tin
        and (last is None or claim[BEGIN] <= last)
        and (first is None or claim[END] >= first)
    ]
    return sorted(found, key=lambda claim: (claim[BEGIN], claim[ID]))


def in_order(claims: Iterable[dict[str, Any]], store: ClaimStore, order: str = OLDEST) -> list[dict]:
    """The claims in the order of a store's pages."""
    return sorted(claims, key=lambda claim: [claim[field] for field in store.variant.order], reverse=order == NEWEST)


def check_all(store: ClaimStore, expected: list[dict], tin: str, start: Any = None, end: Any = None) -> None:
    """Check every answer against the expected claims: both queries and orders, all page sizes, both directions."""
    for bounded in (True, False):
        assert count_claims(store, tin, start, end, bounded=bounded) == len(expected)
        for order in ORDERS:
            claims = in_order(expected, store, order)
            how = {"bounded": bounded, "order": order}
            assert list(iter_claims(store, tin, start, end, page_size=3, **how)) == claims
            for page_size in PAGE_SIZES:
                check_walk(store, claims, tin, start, end, page_size=page_size, **how)


def check_walk(
    store: ClaimStore,
    expected: list[dict],
    tin: str,
    start: Any = None,
    end: Any = None,
    *,
    page_size: int,
    bounded: bool = True,
    order: str = OLDEST,
) -> None:
    """Walk to the end and back, and backward from the last page; compare each page with its slice."""
    how = {"page_size": page_size, "bounded": bounded, "order": order}

    def turn_to(cursor: str) -> ClaimPage:
        # Each total is one more query, so request it on every page only if there are few pages.
        counted = page_size * 3 >= len(expected)
        page = find_claims(store, tin, start, end, cursor=cursor, with_total=counted, **how)
        assert page.total == (len(expected) if counted else None)
        return page

    query = make_query(store, tin, start, end, order=order)
    first = find_claims(store, tin, start, end, **how)
    assert first.total == len(expected)
    assert first.prev_cursor is None
    forwards = [first]
    while (token := forwards[-1].next_cursor) is not None:
        assert encode_cursor(decode_cursor(token, query), query) == token
        forwards.append(turn_to(token))
        assert len(forwards) <= len(expected), "the walk does not end"
    slices = [expected[at : at + page_size] for at in range(0, len(expected), page_size)] or [[]]
    check_pages(forwards, slices)
    backwards = [forwards[-1]]
    while (token := backwards[-1].prev_cursor) is not None:
        assert encode_cursor(decode_cursor(token, query), query) == token
        backwards.append(turn_to(token))
        assert len(backwards) <= len(expected), "the walk back does not end"
    check_pages(backwards[::-1], slices)
    assert [page.next_cursor for page in reversed(backwards)] == [page.next_cursor for page in forwards]
    last = find_claims(store, tin, start, end, last=True, with_total=False, **how)
    assert last.next_cursor is None
    from_last = [last]
    while (token := from_last[-1].prev_cursor) is not None:
        from_last.append(find_claims(store, tin, start, end, cursor=token, with_total=False, **how))
        assert len(from_last) <= len(expected), "the walk from the last page does not end"
    slices = [expected[max(at - page_size, 0) : at] for at in range(len(expected), 0, -page_size)] or [[]]
    check_pages(from_last, slices)


def check_pages(pages: list[ClaimPage], slices: list[list[dict]]) -> None:
    """Compare pages with the claims expected on each; NaN, which Python finds equal to nothing, matches NaN."""
    found = [list(page) for page in pages]
    assert found == slices or repr(found) == repr(slices)


class Wire(monitoring.CommandListener):
    """Records what is sent to the server and what it answers."""

    def __init__(self):
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def started(self, event):
        self.sent.append((event.command_name, event.command))

    def succeeded(self, event):
        self.answers.append((event.command_name, event.reply))

    def failed(self, event):
        self.answers.append((event.command_name, event.failure))

    @property
    def names(self) -> list[str]:
        """Names of the commands sent, except endSessions."""
        return [name for name, _ in self.sent if name != "endSessions"]

    def clear(self) -> None:
        self.sent.clear()
        self.answers.clear()


def listened_to(store: ClaimStore, listener: monitoring.CommandListener) -> ClaimStore:
    """Another store on the same claims, whose commands the listener receives; the caller closes it."""
    return store.reopened(event_listeners=[listener])
