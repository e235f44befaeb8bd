"""The query's measured claims: run by hand, never a timed test.

    .venv/bin/python tests/benchmarks/query.py [--claims N] [--rounds R]

Contestants are pbm_lib with its default, the three-field index and the bounded query; pbm_lib with the overlap index;
the reference (reference.py) on the same four fields; and the bare driver with what pbm_lib sends.

Starts two servers, each with the config's cache to itself, and loads the same claims into both: one collection with the
config's leaf pages, for pbm_lib, and one with MongoDB's default of 32 KB, for the reference. On one server both would
share a cache, and each would measure what the other one left of it. "On the same collection" asks pbm_lib and the
reference on the first server. Every overlap index is built after the load, so none is more compact than another. A
contestant of the reference has no other index beside it: a second one would cost its planner, which gets no hint, time.

What is compared takes turns, and changes its order from round to round. Each sample has a provider of the tier and a
window of 90 days of its own, so that none finds in the cache what another has just read; then each contestant also
answers the others' questions, untimed, and a difference is an error. Nothing is cold: the servers run on with what they
have read. "Fixed" is warm, one window that was asked for just before. 3,000,000 claims take 12 minutes and 5 GB of
disk; with few claims everything is in the cache, and the ratios say little. Prints a table and saves every sample as
JSON under outputs/benchmarks/.
"""

import datetime as dt
import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from load import opened, parser_with, scaled, server_for
from pymongo import MongoClient
from reference import Question, Reference
from taking import WINDOW_DAYS, Windows, in_turn, save

import pbm_lib as pbm
from pbm_lib import ClaimStore, Config
from pbm_lib.claims.document import BEGIN, END, ID, TIN
from pbm_lib.query.cursor import encode_cursor
from pbm_lib.query.filters import make_query
from pbm_lib.query.keyset import Boundary
from pbm_lib.store.index import VARIANTS, install_index
from pbm_lib.vocabulary import OVERLAP, THREE_FIELD

TIERS = ("1M", "100K", "10K", "1K")
COUNTED = TIERS[:2]
STREAMED = "100K"
DEPTH = 0.9  # of a range's claims
LATE = 0.9  # of the period
DEFAULT_LEAF_PAGE_KB = 32
WARM_UP = 20  # rounds, not timed
UNBOUNDED_ROUNDS, BOUNDED_A_ROUND, STREAM_ROUNDS = 6, 12, 6
BATCH = 1_000
DEFAULT, OURS, REFERENCE, BARE = "three_field, bounded", "overlap, bounded", "the reference", "bare pymongo"
# Names of samples.
TWO_SERVERS, ONE_COLLECTION = "two servers: first page", "one collection: first page"
UNBOUNDED, BOUNDED = "first page, {}: three_field, unbounded", "first page, {}: three_field, bounded"
RANGE_1M, RANGE_1K, NO_RANGE, SAME_RANGE = (
    "flat: range, 1M",
    "flat: range, 1K",
    "flat: no range, 1M",
    "flat: same range",
)


class Bench(Windows):
    """Questions that are drawn, and contestants who answer them."""

    def __init__(self, store: ClaimStore, seed: int):
        super().__init__(store, seed)
        config = store.config
        tiers = [tier.name for tier in config.data_generation.tiers]
        self.providers = {tier: pbm.list_providers(config, tier) for tier in tiers}

    def question(self, tier: str) -> Question:
        """A provider of a tier and a window, both drawn."""
        return (self.draw.choice(self.providers[tier]).tin, *self.any_window())

    def contest(
        self,
        what: str,
        number: int,
        contestants: dict[str, Callable[..., Any]],
        draw: Callable[[], tuple],
        alike: Callable[[Any], Any] = lambda answer: answer,
    ) -> None:
        """Time each contestant on a question of its own, unless the number is negative; then compare all answers.

        `alike` makes of an answer what must be the same for all.
        """
        asked = {name: draw() for name in contestants}
        calls = [
            partial(self.time, f"{what}: {name}", ask, *asked[name]) if number >= 0 else partial(ask, *asked[name])
            for name, ask in contestants.items()
        ]
        answers = dict(zip(contestants, in_turn(number, *calls), strict=True))
        for name, question in asked.items():
            for other, ask in contestants.items():
                if other != name and alike(ask(*question)) != alike(answers[name]):
                    raise AssertionError(f"{what}: {other} and {name} answer {question} differently")


def page(store: ClaimStore, question: tuple, cursor: str | None = None, **options: Any) -> list[dict[str, Any]]:
    return list(pbm.find_claims(store, *question, cursor=cursor, with_total=False, **options))


def total(store: ClaimStore, question: Question) -> int:
    return pbm.count_claims(store, *question)


def whole_days(claims: list[dict[str, Any]]) -> tuple[list, set]:
    """What two orders of the claims of a day have in common: the begin dates, and the claims of all days but the last.

    The last day may go on behind the page.
    """
    begins = [claim[BEGIN] for claim in claims]
    return begins, {claim[ID] for claim in claims if claim[BEGIN] < begins[-1]}


def bound(bench: Bench, store: ClaimStore) -> None:
    """First page of a range at the largest provider: in each round unbounded once, and bounded several times."""
    ask = partial(page, store)
    for number in range(UNBOUNDED_ROUNDS):
        for kind in ("fixed", "varied"):
            # The unbounded query's time grows with the window's distance from the first claim: its few draws are
            # spread evenly.
            window = bench.fixed if kind == "fixed" else bench.any_window(number, UNBOUNDED_ROUNDS)
            question = (bench.large.tin, *window)

            def slow(kind=kind, question=question) -> list:
                return bench.time(UNBOUNDED.format(kind), ask, question, bounded=False)

            def quick(kind=kind, question=question) -> list:
                answer = ask(question)  # untimed, and brings the fixed window into the cache
                for _ in range(BOUNDED_A_ROUND):
                    drawn = question if kind == "fixed" else (bench.large.tin, *bench.any_window())
                    bench.time(BOUNDED.format(kind), ask, drawn)
                return answer

            unbounded, bounded = in_turn(number, slow, quick)
            if unbounded != bounded:
                raise AssertionError(f"bounded and unbounded query answer {question} differently")


def overhead(bench: Bench, store: ClaimStore, rounds: int) -> None:
    """find_claims and iter_claims beside the bare driver with the same filter, sort, hint and limit."""
    size, order = store.config.query.default_page_size, dict.fromkeys(store.variant.order, 1)
    hint, streamed = store.index_name, bench.providers[STREAMED]
    with MongoClient(store.uri) as client:
        claims = client[store.config.mongodb.database][store.config.mongodb.collection]

        def bare_page(tin: str) -> list:
            return claims.find({TIN: tin}, sort=order, hint=hint, limit=size + 1, batch_size=size + 1).to_list()

        def bare_stream(tin: str) -> list:
            return [claim[ID] for claim in claims.find({TIN: tin}, sort=order, hint=hint, batch_size=BATCH)]

        def our_stream(tin: str) -> list:
            return [claim[ID] for claim in pbm.iter_claims(store, tin, page_size=BATCH)]

        pages = {"find_claims": lambda tin: page(store, (tin,)), BARE: bare_page}
        for number in range(-WARM_UP, rounds):
            bench.contest("page", number, pages, lambda: (bench.large.tin,), operator.itemgetter(slice(size)))
        # Streams are long: no question is asked only to compare. Each provider comes to both, in different rounds.
        seen: dict[str, list] = {}
        for number in range(STREAM_ROUNDS):
            tins = [streamed[(number + shift) % len(streamed)].tin for shift in (0, len(streamed) // 2)]
            answers = in_turn(
                number,
                lambda tins=tins: bench.time("stream: iter_claims", our_stream, tins[0]),
                lambda tins=tins: bench.time(f"stream: {BARE}", bare_stream, tins[1]),
            )
            for tin, answer in zip(tins, answers, strict=True):
                if seen.setdefault(tin, answer) != answer:
                    raise AssertionError(f"iter_claims and the bare cursor give different claims of {tin}")


def variants(bench: Bench, default: ClaimStore, overlap: ClaimStore, rounds: int) -> None:
    """The default and the overlap index, both there at once, at each tier."""
    pages = {DEFAULT: partial(page, default), OURS: partial(page, overlap)}
    totals = {DEFAULT: partial(total, default), OURS: partial(total, overlap)}
    for number in range(-WARM_UP, rounds):
        for tier in TIERS:
            bench.contest(
                f"variants: first page, {tier}", number, pages, lambda t=tier: (bench.question(t),), whole_days
            )
            if number >= 0:
                bench.contest(f"variants: total, {tier}", number, totals, lambda t=tier: (bench.question(t),))


def against(bench: Bench, where: str, ours: ClaimStore, reference: Reference, rounds: int) -> None:
    """First page of a range at each tier: the overlap index against the reference."""
    pages = {OURS: partial(page, ours), REFERENCE: reference.first_page}
    for number in range(-WARM_UP, rounds):
        for tier in TIERS:
            bench.contest(f"{where}, {tier}", number, pages, lambda tier=tier: (bench.question(tier),))


def totals_and_depth(bench: Bench, ours: ClaimStore, reference: Reference, rounds: int) -> None:
    """Totals, and the page 90 % deep in a range of the largest provider, against the reference on the collection."""
    totals = {OURS: partial(total, ours), REFERENCE: reference.total}
    pages = {
        OURS: lambda question, token, _: page(ours, question, token),
        REFERENCE: lambda question, _, claim: reference.next_page(question, claim),
    }

    def deep() -> tuple[Question, str, dict[str, Any]]:
        question = bench.question("1M")
        claim = reference.claim_at(question, int(DEPTH * total(ours, question)) - 1)
        place = Boundary("next", (claim[BEGIN], claim[END], claim[ID]))
        return question, encode_cursor(place, make_query(ours, *question)), claim

    for number in range(-1, rounds):
        for tier in COUNTED:
            bench.contest(f"total, {tier}", number, totals, lambda tier=tier: (bench.question(tier),))
        bench.contest("deep page", number, pages, deep)


def flatness(bench: Bench, ours: ClaimStore, rounds: int) -> None:
    """First pages with the overlap index in turn: of the largest and of a small provider, and without dates.

    The first page without dates is always the same one, so it is warm. Beside it stands a range that is warm as well.
    """
    ask, tin = partial(page, ours), bench.providers["1M"][0].tin
    for number in range(rounds):
        in_turn(
            number,
            lambda: bench.time(RANGE_1M, ask, bench.question("1M")),
            lambda: bench.time(RANGE_1K, ask, bench.question("1K")),
            lambda: bench.time(NO_RANGE, ask, (tin,)),
            lambda: bench.time(SAME_RANGE, ask, (tin, *bench.fixed)),
        )


def examined(bench: Bench, ours: ClaimStore) -> dict[str, tuple[int, int]]:
    """Keys and documents that a page of a late window examines, at each tier: of its providers those that need most."""
    late, result = bench.window(int(LATE * bench.days)), {}
    for tier, providers in bench.providers.items():
        plans = [pbm.explain_claims(ours, provider.tin, *late) for provider in providers]
        result[tier] = max(plan.keys_examined for plan in plans), max(plan.docs_examined for plan in plans)
    return result


# Measure, dividend, divisor (both names of samples), sign, aim.
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
    ("90 % deep in a range, 1M: overlap / reference", f"deep page: {OURS}", f"deep page: {REFERENCE}", "<=", 0.1),
    ("range first page on overlap: 1M / 1K", RANGE_1M, RANGE_1K, "<=", 1.5),
    ("first page on overlap, 1M: range / provider only", RANGE_1M, NO_RANGE, "<=", 1.5),
    ("  the same, range warm as well", SAME_RANGE, NO_RANGE, "<=", 1.5),
    *(
        (
            f"range first page, three_field, 1M, {kind}: unbounded / bounded",
            UNBOUNDED.format(kind),
            BOUNDED.format(kind),
            ">=",
            aim,
        )
        for kind, aim in (("fixed", 100), ("varied", 50))
    ),
    ("find_claims / bare find", "page: find_claims", f"page: {BARE}", "<=", 1.12),
    ("iter_claims / bare cursor, claims a second", f"stream: {BARE}", "stream: iter_claims", ">=", 0.9),
]


def table(bench: Bench, late: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """The lines of the table."""
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
    """A store on a server of its own, all claims in it."""
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
        bound(bench, default)
        say("three_field: find_claims and iter_claims beside bare pymongo")
        overhead(bench, default, rounds)
        say("building the overlap index beside three_field")
        overlap = VARIANTS[OVERLAP]
        default.collection.create_index(overlap.keys, name=overlap.index_name)
        ours = enter(default.reopened())
        ours.refresh(index=OVERLAP)
        say("three_field and overlap in turn")
        variants(bench, default, ours, few)
        install_index(ours.collection, overlap, progress=False)
        here, there = enter(Reference(ours)), enter(Reference(other))
        say("overlap and the reference on two servers")
        against(bench, TWO_SERVERS, ours, there, rounds)
        say("overlap and the reference on one collection")
        against(bench, ONE_COLLECTION, ours, here, rounds)
        say("totals and deep pages")
        totals_and_depth(bench, ours, here, few)
        say("overlap: tiers in turn, with a range and without")
        flatness(bench, ours, rounds)
        rows = table(bench, examined(bench, ours))
        say("done")
        server, leaf_pages = str(ours.server), {"ours": ours.leaf_page_kb, "reference": other.leaf_page_kb}
    for row in rows:
        verdict = "reached" if row["reached"] else "NOT REACHED"
        print(
            f"{row['measure']:<56} {row['value']:>8,.2f}  {row['sign']} {row['aim']:<5} {verdict:<12} {row['detail']}"
        )
    print("Beside the table:")
    for name, samples in bench.samples.items():
        if name.startswith("both indexes"):
            print(f"  {name:<56} {samples}")
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
