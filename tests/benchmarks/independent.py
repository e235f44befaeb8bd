"""Check the times of a performance run against an independent client: run by hand, on claims that are loaded.

    .venv/bin/python tests/benchmarks/independent.py [--rounds R]

An independent client (bare pymongo, with queries written out here) and the stopwatch of a performance run take turns,
call by call, at the same operations: a provider's first page, the first page of a 90-day range, and the total of each,
for the largest provider and a small one. Each call with a range has its own window, so that neither client finds in the
cache what the other has just read. Without a range, a provider's first page and total are the same every time. Each
client then also answers the other's questions, untimed; any difference is an error.

Uses the collection that `pbm_lib.connect()` opens. Prints the ratio of the medians (run / independent client) and saves
every sample as JSON under outputs/benchmarks/.
"""

import argparse
import datetime as dt
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from taking import Windows, in_turn, save

import pbm_lib as pbm
from pbm_lib import ClaimStore
from pbm_lib.query.stopwatch import Stopwatch

TIN, BEGIN, END = "billingProvider.providerTin", "serviceBeginDate", "serviceEndDate"
WARM_UP = 5
AIM = 0.15
OURS, BARE = "run", "independent client"
Question = tuple[Any, ...]


class Independent:
    """A client that uses pymongo alone and sends exactly what is written here."""

    def __init__(self, store: ClaimStore):
        self._client = MongoClient(store.uri)
        names = store.config.mongodb
        self._claims = self._client[names.database].get_collection(names.collection, CodecOptions())
        self._size, self._days = store.config.query.default_page_size, store.max_claim_days
        self._hint = store.index_name
        self._sort = [(field, 1) for field in store.variant.order]

    def page(self, tin: str, start: dt.date | None = None, end: dt.date | None = None) -> list[dict[str, Any]]:
        """Return the first page. The query asks for one extra claim, to learn whether another page follows."""
        question = {TIN: tin}
        if start and end:
            first, last = whole_days(start, end)
            question |= {BEGIN: {"$gte": first - dt.timedelta(days=self._days), "$lte": last}, END: {"$gte": first}}
        most = self._size + 1
        found = self._claims.find(question, sort=self._sort, hint=self._hint, limit=most, batch_size=most)
        return found.to_list()[: self._size]

    def total(self, tin: str, start: dt.date | None = None, end: dt.date | None = None) -> int:
        """Return the exact total. For a range: the claims that begin in it plus the earlier ones that reach into it."""
        if not (start and end):
            return self._claims.count_documents({TIN: tin}, hint=self._hint)
        first, last = whole_days(start, end)
        before = {"$gte": first - dt.timedelta(days=self._days), "$lt": first}
        inside = self._claims.count_documents({TIN: tin, BEGIN: {"$gte": first, "$lte": last}}, hint=self._hint)
        carried = self._claims.count_documents({TIN: tin, BEGIN: before, END: {"$gte": first}}, hint=self._hint)
        return inside + carried

    def close(self) -> None:
        self._client.close()


def whole_days(start: dt.date, end: dt.date) -> tuple[dt.datetime, dt.datetime]:
    return dt.datetime.combine(start, dt.time()), dt.datetime.combine(end, dt.time(23, 59, 59, 999_000))


def contests(
    windows: Windows, measured: ClaimStore, bare: Independent
) -> dict[str, tuple[Callable[[], Question], ...]]:
    """Return, for each measurement, how a question is drawn and how each client asks it."""

    def page(*question: Any) -> list[dict[str, Any]]:
        return list(pbm.find_claims(measured, *question, with_total=False))

    def of(tin: Callable[[], str], *, window: bool) -> Callable[[], Question]:
        return lambda: (tin(), *(windows.any_window() if window else ()))

    small = windows.small[0].claim_count
    providers = {
        f"{windows.large.claim_count:,} claims": lambda: windows.large.tin,
        f"{small:,} claims": lambda: windows.draw.choice(windows.small).tin,
    }
    found = {}
    for size, tin in providers.items():
        found |= {
            f"first page, {size}": (of(tin, window=False), page, bare.page),
            f"first page of a range, {size}": (of(tin, window=True), page, bare.page),
            f"total, {size}": (of(tin, window=False), partial(pbm.count_claims, measured), bare.total),
            f"total of a range, {size}": (of(tin, window=True), partial(pbm.count_claims, measured), bare.total),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    rounds, started = parser.parse_args().rounds, dt.datetime.now(dt.UTC)
    watch = Stopwatch()
    with pbm.connect() as store, watch.measured(store, 1) as measured:
        windows, bare = Windows(measured, store.config.performance.seed), Independent(store)
        asked = contests(windows, measured, bare)
        times: dict[str, dict[str, list[float]]] = {what: {OURS: [], BARE: []} for what in asked}
        for number in range(-WARM_UP, rounds):
            for what, (draw, ours, theirs) in asked.items():
                question, other = draw(), draw()
                mine = partial(watch.time, partial(ours, *question))
                answers = in_turn(number, mine, partial(windows.time, what, theirs, *other))
                if number >= 0:
                    times[what][OURS].append(answers[0].ms)
                    times[what][BARE].append(windows.samples[what].seconds[-1] * 1000)
                if answers[0].answer != theirs(*question) or ours(*other) != answers[1]:
                    raise AssertionError(f"{what}: the two clients give different answers to {question} or {other}")
        bare.close()
    ratios = {what: statistics.median(each[OURS]) / statistics.median(each[BARE]) for what, each in times.items()}
    for what, each in times.items():
        medians = ", ".join(f"{name} {statistics.median(found):.2f} ms" for name, found in each.items())
        verdict = "within" if abs(ratios[what] - 1) <= AIM else "NOT within"
        print(f"{what:<42}{ratios[what]:>6.2f}  {verdict} {AIM:.0%}   {medians} (n={rounds})")
    save("independent", started, {"rounds": rounds, "ratios": ratios, "ms": times})


if __name__ == "__main__":
    main()
