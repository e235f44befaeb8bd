"""The query's measured claims, on the loaded collection of a config: run by hand, never a timed test.

    .venv/bin/python tests/benchmarks/query.py [CONFIG]

Needs the claims of that config loaded with the three-field index. Builds the covering index for the second half and
goes back. With each index, what is compared takes turns, and changes its order from round to round. Nothing here is
cold: the server runs on with what it has read. "Fixed" is warm, one window that was asked for just before; "varied" is
a new window each time, whose claims come from the cache, the file system or the disk, as in real use. Prints a table
and saves every sample as JSON under outputs/benchmarks/.
"""

import argparse
import datetime as dt
import itertools
from typing import Any

from taking import WINDOW_DAYS, Windows, in_turn, save

import pbm_lib as pbm
from pbm_lib import covering_index
from pbm_lib.claims.document import ID, TIN
from pbm_lib.query.filters import make_query
from pbm_lib.query.jump import cursor_after, skip_page
from pbm_lib.query.keyset import sort_order

DEPTH = 0.9  # of the largest provider's claims
PLAIN_ROUNDS, QUICK_ROUNDS, STREAM_ROUNDS = 6, 100, 4
BOUNDED_A_ROUND = 12
BATCH = 1_000


class Bench(Windows):
    """Pages and totals of one store."""

    def page(
        self, window: tuple = (), tin: str | None = None, plan: str = "bounded", cursor: str | None = None
    ) -> list:
        found = pbm.find_claims(self.store, tin or self.large.tin, *window, cursor=cursor, with_total=False, plan=plan)
        return [claim[ID] for claim in found]

    def total(self, window: tuple, plan: str = "bounded") -> int:
        return pbm.count_claims(self.store, self.large.tin, *window, plan=plan)


def ranges(bench: Bench, label: str) -> None:
    """First page and total of a range: in each round the plain plan once, and the bounded plan several times."""
    asked = {"page": bench.page, "total": bench.total}
    for number, (what, ask), kind in itertools.product(range(PLAIN_ROUNDS), asked.items(), ("fixed", "varied")):
        # The plain plan's time grows with the window's distance from the first claim: its few draws are spread evenly.
        window = bench.fixed if kind == "fixed" else bench.any_window(number, PLAIN_ROUNDS)

        def slow(what=what, ask=ask, kind=kind, window=window) -> Any:
            return bench.time(f"{what}, {kind}: plain, {label}", ask, window, plan="plain")

        def quick(what=what, ask=ask, kind=kind, window=window) -> Any:
            answer = ask(window)  # untimed, and brings the fixed window into the cache
            for _ in range(BOUNDED_A_ROUND):
                drawn = bench.fixed if kind == "fixed" else bench.any_window()
                bench.time(f"{what}, {kind}: bounded, {label}", ask, drawn)
            return answer

        plain, bounded = in_turn(number, slow, quick)
        assert plain == bounded, (what, window)


def tiers(bench: Bench, label: str) -> None:
    """First pages of the largest provider and of a small one in turn: a new range each, and provider only."""
    for number in range(QUICK_ROUNDS):
        small, window = bench.small[number % len(bench.small)].tin, bench.any_window()
        in_turn(
            number,
            lambda window=window: bench.time(f"range, large provider, {label}", bench.page, window),
            lambda window=window, small=small: bench.time(f"range, small provider, {label}", bench.page, window, small),
        )
    same_small = bench.small[0].tin
    for number in range(QUICK_ROUNDS):
        in_turn(
            number,
            lambda: bench.time(f"provider only, large, {label}", bench.page),
            lambda: bench.time(f"provider only, small, {label}", bench.page, tin=same_small),
        )


def depth(bench: Bench, label: str) -> None:
    """The page 90 % deep by keyset, by skip/limit, and the first page, in turn."""
    store, tin, deep = bench.store, bench.large.tin, int(DEPTH * bench.large.claim_count)
    token, size = cursor_after(store, tin, deep), store.config.query.default_page_size

    def skipped() -> list:
        return [claim[ID] for claim in skip_page(store, tin, deep, size)]

    for number in range(QUICK_ROUNDS):
        keyset, _ = in_turn(
            number,
            lambda: bench.time(f"deep page, {label}", bench.page, cursor=token),
            lambda: bench.time(f"first page, {label}", bench.page),
        )
        if number % 10 == 0:
            assert bench.time(f"skip/limit, {label}", skipped) == keyset


def overhead(bench: Bench, label: str) -> None:
    """find_claims and iter_claims beside the bare driver with the same filter, sort and batch size."""
    store, tin, size = bench.store, bench.large.tin, bench.store.config.query.default_page_size
    claims, filter_, order = store.collection, make_query(store, tin, None, None).filter(), sort_order(None)

    def bare_page() -> list:
        return claims.find(filter_, sort=order, limit=size + 1, batch_size=size + 1).to_list()

    def our_page() -> pbm.ClaimPage:
        return pbm.find_claims(store, tin, with_total=False)

    def bare_stream() -> int:
        return sum(1 for _ in claims.find(filter_, sort=order, batch_size=BATCH))

    def our_stream() -> int:
        return sum(1 for _ in pbm.iter_claims(store, tin, page_size=BATCH))

    for number in range(3 * QUICK_ROUNDS):
        bare, ours = in_turn(
            number,
            lambda: bench.time(f"bare page, {label}", bare_page),
            lambda: bench.time(f"our page, {label}", our_page),
        )
        assert list(ours) == bare[:size]
    for number in range(STREAM_ROUNDS):
        counts = in_turn(
            number,
            lambda: bench.time(f"bare cursor, {label}", bare_stream),
            lambda: bench.time(f"iter_claims, {label}", our_stream),
        )
        assert counts == [bench.large.claim_count] * 2


# measure, dividend, divisor, aims for the two indexes (a lower limit, or an upper one with "<")
TABLE = [
    ("first page, fixed (warm): plain / bounded", "page, fixed: plain, {}", "page, fixed: bounded, {}", "150", "300"),
    ("first page, varied: plain / bounded", "page, varied: plain, {}", "page, varied: bounded, {}", "60", "250"),
    ("total, fixed (warm): plain / bounded", "total, fixed: plain, {}", "total, fixed: bounded, {}", "100", "150"),
    ("total, varied: plain / bounded", "total, varied: plain, {}", "total, varied: bounded, {}", "40", "200"),
    ("range page, varied: large / small provider", "range, large provider, {}", "range, small provider, {}", "", "<5"),
    ("first page: large / small provider", "provider only, large, {}", "provider only, small, {}", "<1.5", "<1.5"),
    ("page 90 % deep / first page", "deep page, {}", "first page, {}", "<1.5", "<1.5"),
    ("skip/limit / keyset page, 90 % deep", "skip/limit, {}", "deep page, {}", "50", "50"),
    ("find_claims / bare find", "our page, {}", "bare page, {}", "<1.15", "<1.15"),
    ("iter_claims / bare cursor, claims a second", "bare cursor, {}", "iter_claims, {}", "0.85", "0.85"),
]


def rows(bench: Bench) -> list[dict[str, Any]]:
    """Return the table's rows, one a measure and index."""
    result = []
    for (measure, dividend, divisor, *aims), position in itertools.product(TABLE, range(2)):
        label, aim = ("three-field", "covering")[position], aims[position]
        above, below = (bench.samples[name.format(label)] for name in (dividend, divisor))
        ratio = above.median / below.median
        reached = not aim or (ratio <= float(aim[1:]) if aim.startswith("<") else ratio >= float(aim))
        result.append(
            {"measure": measure, "index": label, "ratio": ratio, "aim": aim, "reached": reached}
            | {"dividend": str(above), "divisor": str(below)}
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", help="a config.yaml; default: the project's")
    arguments = parser.parse_args()
    with pbm.connect(pbm.load_config(arguments.config)) as store:
        bench = Bench(store, store.config.performance.seed)
        assert store.plan == "bounded", store.bound_reason
        assert store.collection.count_documents({TIN: bench.large.tin}) == bench.large.claim_count, "load the claims"
        started = dt.datetime.now(dt.UTC)
        for label in ("three-field", "covering"):
            if label == "three-field":
                assert store.index_name == "claims_by_provider", store
                measure_all(bench, label)
            else:
                with covering_index(store):
                    measure_all(bench, label)
        table = rows(bench)
        for row in table:
            verdict = "" if not row["aim"] else "reached" if row["reached"] else "NOT REACHED"
            print(
                f"{row['measure']:<44} {row['index']:<12} {row['ratio']:>8,.2f}  aim {row['aim']:<6} {verdict:<12} "
                f"{row['dividend']} / {row['divisor']}"
            )
        save(
            "query",
            started,
            {
                "server": str(store.server),
                "claims": store.config.data_generation.target_volume,
                "window_days": WINDOW_DAYS,
                "fixed_window": [str(limit) for limit in bench.fixed],
                "seed": store.config.performance.seed,
                "table": table,
                "seconds": {name: samples.seconds for name, samples in bench.samples.items()},
            },
        )


def measure_all(bench: Bench, label: str) -> None:
    """Take every sample that the index in place is good for."""
    ranges(bench, label)
    tiers(bench, label)
    depth(bench, label)
    overhead(bench, label)


if __name__ == "__main__":
    main()
