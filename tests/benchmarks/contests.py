"""The contests of the query benchmark: who runs which query, in what order, and which answers must match."""

import datetime as dt
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from pymongo import MongoClient
from reference import Question, Reference
from taking import Windows, in_turn

import pbm_lib as pbm
from pbm_lib import ClaimStore
from pbm_lib.claims.document import BEGIN, END, ID, TIN
from pbm_lib.query import filters
from pbm_lib.query.cursor import encode_cursor
from pbm_lib.query.jump import cursor_at
from pbm_lib.query.keyset import Boundary

TIERS = ("1M", "100K", "10K", "1K")
COUNTED = TIERS[:2]
STREAMED = "100K"
DEPTH = 0.9  # of a range's claims
LATE = 0.9  # of the period
WARM_UP = 10  # rounds, not timed
UNBOUNDED_ROUNDS, BOUNDED_A_ROUND, STREAM_ROUNDS = 6, 12, 6
READERS = 3
BATCH = 1_000
UNBOUNDED, DEFAULT, OURS = "three_field, unbounded", "three_field, bounded", "overlap, bounded"
REFERENCE, BARE = "the reference", "bare pymongo"
BOTH_INDEXES, TWO_SERVERS, ONE_COLLECTION = "both indexes", "two servers: first page", "one collection: first page"
DEEP_AFTER_PAGE_2, DEEP_AFTER_DEEP = "90% deep, after page 2", "90% deep, after deep pages"
RANGE_1M, RANGE_1K, NO_RANGE = "overlap: range, 1M", "overlap: range, 1K", "overlap: no range, 1M"
SAME_RANGE, NEW_PLACE = "overlap: same range, 1M", "overlap: no range, new position, 1M"


class Bench(Windows):
    """Draws questions at random and times the contestants that answer them."""

    def __init__(self, store: ClaimStore, seed: int):
        super().__init__(store, seed)
        config = store.config
        tiers = [tier.name for tier in config.data_generation.tiers]
        self.providers = {tier: pbm.list_providers(config, tier) for tier in tiers}

    def question(self, tier: str) -> Question:
        """Draw a provider of a tier, and a window."""
        return (self.draw.choice(self.providers[tier]).tin, *self.any_window())

    def contest(
        self,
        what: str,
        number: int,
        contestants: dict[str, Callable[..., Any]],
        draw: Callable[[], Any],
        alike: Callable[[Any], Any] = lambda answer: answer,
    ) -> None:
        """Time each contestant on a question of its own, then compare every contestant's answers to all questions.

        Rounds with a negative number are not timed. `alike` reduces an answer to what must be the same for all
        contestants.
        """
        asked = {name: draw() for name in contestants}
        calls = [
            partial(self.time, f"{what}: {name}", ask, asked[name]) if number >= 0 else partial(ask, asked[name])
            for name, ask in contestants.items()
        ]
        answers = dict(zip(contestants, in_turn(number, *calls), strict=True))
        for name, question in asked.items():
            for other, ask in contestants.items():
                if other != name and alike(ask(question)) != alike(answers[name]):
                    raise AssertionError(f"{what}: {other} and {name} give different answers to {question}")


def page(store: ClaimStore, question: tuple, cursor: str | None = None, **options: Any) -> list[dict[str, Any]]:
    return list(pbm.find_claims(store, *question, cursor=cursor, with_total=False, **options))


def total(store: ClaimStore, question: Question) -> int:
    return pbm.count_claims(store, *question)


def whole_days(claims: list[dict[str, Any]]) -> tuple[list, set]:
    """Return the parts of a page that do not depend on how claims are sorted within a day.

    These are the begin dates, and the ids of the claims of every day except the last. The last day may continue beyond
    the page.
    """
    begins = [claim[BEGIN] for claim in claims]
    return begins, {claim[ID] for claim in claims if claim[BEGIN] != begins[-1]}


def bound(bench: Bench, store: ClaimStore) -> None:
    """Time the first page of a range at the largest provider: per round, unbounded once and bounded several times."""
    ask = partial(page, store)
    for number in range(UNBOUNDED_ROUNDS):
        for kind in ("fixed", "varied"):
            # The unbounded query's time grows with the window's distance from the first claim, so its few windows are
            # spread evenly.
            window = bench.fixed if kind == "fixed" else bench.any_window(number, UNBOUNDED_ROUNDS)
            question = (bench.large.tin, *window)

            def slow(kind=kind, question=question) -> list:
                return bench.time(f"first page, {kind}: {UNBOUNDED}", ask, question, bounded=False)

            def quick(kind=kind, question=question) -> list:
                answer = ask(question)  # untimed; also brings the fixed window into the cache
                for _ in range(BOUNDED_A_ROUND):
                    drawn = question if kind == "fixed" else (bench.large.tin, *bench.any_window())
                    bench.time(f"first page, {kind}: {DEFAULT}", ask, drawn)
                return answer

            unbounded, bounded = in_turn(number, slow, quick)
            if unbounded != bounded:
                raise AssertionError(f"bounded and unbounded query give different answers to {question}")


def overhead(bench: Bench, store: ClaimStore, rounds: int) -> None:
    """Compare find_claims and iter_claims with the bare driver, using the same filter, sort, hint, and limit."""
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
            bench.contest("page", number, pages, lambda: bench.large.tin, operator.itemgetter(slice(size)))
        # Streams take long, so none is run only for comparison. Both methods stream each provider, in different rounds.
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
    """Compare the default and the overlap index at each tier, with both indexes in place."""
    pages = {DEFAULT: partial(page, default), OURS: partial(page, overlap)}
    totals = {DEFAULT: partial(total, default), OURS: partial(total, overlap)}
    for number in range(-WARM_UP, rounds):
        for tier in TIERS:
            draw = partial(bench.question, tier)
            bench.contest(f"{BOTH_INDEXES}: first page, {tier}", number, pages, draw, whole_days)
            bench.contest(f"{BOTH_INDEXES}: total, {tier}", number, totals, draw)


def against(bench: Bench, where: str, ours: ClaimStore, reference: Reference, rounds: int) -> None:
    """Compare the first page of a range at each tier: the overlap index against the reference."""
    pages = {OURS: partial(page, ours), REFERENCE: reference.first_page}
    for number in range(-WARM_UP, rounds):
        for tier in TIERS:
            bench.contest(f"{where}, {tier}", number, pages, partial(bench.question, tier))


def totals(bench: Bench, ours: ClaimStore, reference: Reference, rounds: int) -> None:
    """Compare totals of a range: the overlap index against the reference."""
    asked = {OURS: partial(total, ours), REFERENCE: reference.total}
    for number in range(-1, rounds):
        for tier in COUNTED:
            bench.contest(f"total, {tier}", number, asked, partial(bench.question, tier))


def depth(bench: Bench, ours: ClaimStore, reference: Reference, rounds: int) -> None:
    """Compare the page 90% deep in a range of the largest provider: the overlap index against the reference.

    The server reuses the plan of a query for all queries that differ only in their values. So before each question, the
    plan cache is cleared, as after a restart, and other pages are read: either page 2 of the period's first window,
    where it is best to walk the range from its beginning, or deep pages, as in a steady state.
    """
    first_window = (bench.providers["1M"][0].tin, *bench.window(0))
    pages = {
        OURS: lambda place: page(ours, place[0], place[2]),
        REFERENCE: lambda place: reference.next_page(place[0], place[1]),
    }

    def deep() -> tuple[Question, dict[str, Any]]:
        question = bench.question("1M")
        return question, reference.claim_at(question, int(DEPTH * total(ours, question)) - 1)

    def page_2() -> tuple[Question, dict[str, Any]]:
        return first_window, reference.first_page(first_window)[-1]

    def place(read_before: Callable[[], tuple]) -> tuple[Question, dict[str, Any], str]:
        (question, claim), others = deep(), read_before()
        reference.forget_plans()
        for _ in range(READERS):
            reference.next_page(*others)
        boundary = Boundary("next", (claim[BEGIN], claim[END], claim[ID]))
        return question, claim, encode_cursor(boundary, filters.make_query(ours, *question))

    # Page 2 comes last because its plan reads thousands of claims and leaves the reference a warmer cache.
    for what, read_before in ((DEEP_AFTER_DEEP, deep), (DEEP_AFTER_PAGE_2, page_2)):
        for number in range(-1, rounds):
            bench.contest(what, number, pages, partial(place, read_before))


def flatness(bench: Bench, ours: ClaimStore, rounds: int) -> None:
    """Time pages with the overlap index in turn: first pages of a range at two tiers, and pages without a range.

    The first page without a range is the same in every round, so it is warm. To separate that effect from the cost of a
    range, two more pages are timed: one of a range that is also warm, and one without a range at a new position.
    """
    ask, tin = partial(page, ours), bench.providers["1M"][0].tin
    for number in range(rounds):
        place = dt.datetime.combine(bench.any_window()[0], dt.time())
        token = cursor_at(ours, filters.Question(tin), place)
        in_turn(
            number,
            partial(bench.time, RANGE_1M, ask, bench.question("1M")),
            partial(bench.time, RANGE_1K, ask, bench.question("1K")),
            partial(bench.time, NO_RANGE, ask, (tin,)),
            partial(bench.time, SAME_RANGE, ask, (tin, *bench.fixed)),
            partial(bench.time, NEW_PLACE, ask, (tin,), token),
        )


def examined(bench: Bench, ours: ClaimStore) -> dict[str, tuple[int, int]]:
    """Return, by tier, the most keys and the most documents that a page of a late window examines for any provider."""
    late, result = bench.window(int(LATE * bench.days)), {}
    for tier, providers in bench.providers.items():
        plans = [pbm.explain_claims(ours, provider.tin, *late) for provider in providers]
        result[tier] = max(plan.keys_examined for plan in plans), max(plan.docs_examined for plan in plans)
    return result
