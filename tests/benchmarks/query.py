"""Benchmark of the query: run by hand, never a timed test.

    .venv/bin/python tests/benchmarks/query.py [--claims N] [--rounds R]

The contestants are pbm_lib with its default (the three-field index and the bounded query); pbm_lib with the overlap
index; the reference (reference.py), on an index of the same four fields; and bare pymongo, sending what pbm_lib sends.

Starts two servers, each with the config's cache to itself, and loads the same claims into both: one collection with the
config's leaf pages, for pbm_lib, and one with MongoDB's default of 32 KB, for the reference. On one server they would
share a cache, and each would measure what the other had left of it. "One collection" is the first: there, pbm_lib and
the reference use the same index. All four-field indexes are built after the load, so that none is more compact than
another. Where the reference runs, that is the only compound index: the reference sends no hint, so its planner would
spend time on a second one.

The contestants take turns, and their order changes from round to round. Each sample has its own provider of the tier
and its own 90-day window, so that no contestant finds in the cache what another has just read. Each contestant then
also answers the others' questions, untimed; any difference is an error. Nothing is cold: the servers keep running with
what they have read. "Fixed" and "warm" mean that the same page was read before. Totals are compared on one collection,
deep pages on two.

3,000,000 claims take 6 minutes on a quiet machine and 5 GB of disk. With few claims, everything fits in the cache and
the ratios say little. R is the number of rounds for first pages; totals and deep pages take a quarter of it. Prints a
table and saves every sample as JSON under outputs/benchmarks/. The ratio of the two loads is in the table of load.py.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import contests
from contests import (
    BARE,
    BOTH_INDEXES,
    COUNTED,
    DEEP_AFTER_DEEP,
    DEEP_AFTER_PAGE_2,
    DEFAULT,
    NEW_PLACE,
    NO_RANGE,
    ONE_COLLECTION,
    OURS,
    RANGE_1K,
    RANGE_1M,
    REFERENCE,
    SAME_RANGE,
    TIERS,
    TWO_SERVERS,
    UNBOUNDED,
    Bench,
)
from load import opened, parser_with, scaled, server_for
from reference import Reference
from taking import WINDOW_DAYS, save

import pbm_lib as pbm
from pbm_lib import ClaimStore, Config
from pbm_lib.store.index import VARIANTS, install_index
from pbm_lib.vocabulary import OVERLAP, THREE_FIELD

DEFAULT_LEAF_PAGE_KB = 32

# Measure, dividend and divisor (both are names of samples), sign, aim.
RATIOS: list[tuple[str, str, str, str, float]] = [
    *(
        (f"range first page, {tier}: {title}", f"{where}, {tier}: {OURS}", f"{where}, {tier}: {REFERENCE}", "<=", aim)
        for title, where, aims in (
            ("overlap / reference on 32 KB", TWO_SERVERS, (0.65, 0.7, 0.8, 0.8)),
            ("overlap / reference, one collection", ONE_COLLECTION, (0.85, 0.95, 1.0, 1.05)),
        )
        for tier, aim in zip(TIERS, aims, strict=True)
    ),
    *(
        (
            f"range total, {tier}: overlap / reference",
            f"total, {tier}: {OURS}",
            f"total, {tier}: {REFERENCE}",
            "<=",
            aim,
        )
        for tier, aim in zip(COUNTED, (0.6, 0.8), strict=True)
    ),
    *(
        (f"1M, {what}: overlap / reference", f"{what}: {OURS}", f"{what}: {REFERENCE}", "<=", 0.1)
        for what in (DEEP_AFTER_PAGE_2, DEEP_AFTER_DEEP)
    ),
    ("range first page on overlap: 1M / 1K", RANGE_1M, RANGE_1K, "<=", 1.5),
    ("first page on overlap, 1M: range / provider only", RANGE_1M, NO_RANGE, "<=", 1.5),
    ("  the same, the range warm as well", SAME_RANGE, NO_RANGE, "<=", 1.5),
    ("  the same, both at a new position", RANGE_1M, NEW_PLACE, "<=", 1.5),
    *(
        (
            f"range first page, 1M, {kind}: unbounded / bounded",
            f"first page, {kind}: {UNBOUNDED}",
            f"first page, {kind}: {DEFAULT}",
            ">=",
            aim,
        )
        for kind, aim in (("fixed", 100), ("varied", 50))
    ),
    ("find_claims / bare find", "page: find_claims", f"page: {BARE}", "<=", 1.12),
    ("iter_claims / bare cursor, claims per second", f"stream: {BARE}", "stream: iter_claims", ">=", 0.9),
]


def table(bench: Bench, late: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Return the rows of the table."""
    rows = []
    for measure, dividend, divisor, sign, aim in RATIOS:
        above, below = bench.samples[dividend], bench.samples[divisor]
        rows.append((measure, above.median / below.median, sign, aim, f"{above} / {below}"))
    for position, (what, aim) in enumerate((("keys", 130), ("documents", 101))):
        each = {tier: numbers[position] for tier, numbers in late.items()}
        detail = ", ".join(f"{tier} {number:,}" for tier, number in each.items())
        rows.append((f"{what} examined, page of a late window on overlap", max(each.values()), "<=", aim, detail))
    return [
        {"measure": measure, "value": value, "sign": sign, "aim": aim, "detail": detail}
        | {"reached": value <= aim if sign == "<=" else value >= aim}
        for measure, value, sign, aim, detail in rows
    ]


@contextmanager
def loaded(config: Config) -> Iterator[ClaimStore]:
    """Yield a store on its own server, with all claims loaded."""
    with server_for(config) as own, opened(own) as store:
        pbm.setup_collection(store, progress=False)
        if store.leaf_page_kb != own.mongodb.leaf_page_kb:
            raise AssertionError(f"this server has leaf pages of {store.leaf_page_kb} KB")
        pbm.load_claims(store, progress=False)
        yield store


def with_pages(config: Config, kb: int) -> Config:
    return replace(config, mongodb=replace(config.mongodb, leaf_page_kb=kb))


def main() -> None:
    config = pbm.load_config()
    arguments = parser_with(config, __doc__, rounds=200).parse_args()
    rounds, few = arguments.rounds, max(2, arguments.rounds // 4)
    config = scaled(config, arguments.claims)
    config = replace(config, mongodb=replace(config.mongodb, index=THREE_FIELD))
    started = dt.datetime.now(dt.UTC)

    def say(step: str) -> None:
        print(f"{(dt.datetime.now(dt.UTC) - started).total_seconds():>5.0f} s  {step}", flush=True)

    with ExitStack() as opened_here:
        enter = opened_here.enter_context
        say(f"loading {arguments.claims:,} claims, leaf pages of {config.mongodb.leaf_page_kb} KB")
        default = enter(loaded(config))
        say(f"loading them with leaf pages of {DEFAULT_LEAF_PAGE_KB} KB, and the reference's index")
        other = enter(loaded(with_pages(config, DEFAULT_LEAF_PAGE_KB)))
        install_index(other.collection, VARIANTS[OVERLAP], progress=False)
        bench = Bench(default, config.performance.seed)
        say("three_field: bounded and unbounded")
        contests.bound(bench, default)
        say("three_field: find_claims and iter_claims against bare pymongo")
        contests.overhead(bench, default, rounds)
        say("building the overlap index in addition to three_field")
        overlap = VARIANTS[OVERLAP]
        default.collection.create_index(overlap.keys, name=overlap.index_name)
        ours = enter(default.reopened())
        ours.refresh(index=OVERLAP)
        say("three_field and overlap in turn")
        contests.variants(bench, default, ours, few)
        install_index(ours.collection, overlap, progress=False)
        here, there = enter(Reference(ours)), enter(Reference(other))
        say("overlap and the reference on two servers")
        contests.against(bench, TWO_SERVERS, ours, there, rounds)
        say("overlap and the reference on one collection")
        contests.against(bench, ONE_COLLECTION, ours, here, rounds)
        say("totals and deep pages")
        contests.totals(bench, ours, here, few)
        contests.depth(bench, ours, there, few)
        say("overlap: tiers in turn, with a range and without")
        contests.flatness(bench, ours, rounds)
        rows = table(bench, contests.examined(bench, ours))
        say("done")
        server, leaf_pages = str(ours.server), {"ours": ours.leaf_page_kb, "reference": other.leaf_page_kb}
    for row in rows:
        verdict = "reached" if row["reached"] else "NOT REACHED"
        print(f"{row['measure']:<61}{row['value']:>8,.2f}  {row['sign']} {row['aim']:<5}{verdict:<12} {row['detail']}")
    print("Not in the table:")
    for name, samples in bench.samples.items():
        if name.startswith(BOTH_INDEXES):
            print(f"  {name:<61}{samples}")
    save(
        "query",
        started,
        {
            "server": server,
            "leaf_page_kb": leaf_pages,
            "cache_gb": config.local_server.cache_gb,
            "claims": arguments.claims,
            "rounds": rounds,
            "window_days": WINDOW_DAYS,
            "fixed_window": [str(limit) for limit in bench.fixed],
            "seed": config.performance.seed,
            "table": rows,
            "seconds": {name: samples.seconds for name, samples in bench.samples.items()},
        },
    )


if __name__ == "__main__":
    main()
