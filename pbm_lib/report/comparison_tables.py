"""Tables of comparisons: ways to a date range and to a total, cold and warm pages, concurrent clients, and costs."""

from pandas import DataFrame

from ..arguments import checked, in_short, not_accepted
from ..display import times, times_sign
from ..errors import PbmError
from ..live.watch import FEWEST_FOR
from ..measure.records import Level, OfferedRate, QueryCost
from ..measure.run import PerformanceRun
from ..measure.samples import Statistics
from ..vocabulary import (
    BEFORE,
    COLD,
    CONTESTANTS,
    DURING,
    FACET,
    INDEX_WORDS,
    OPERATIONS,
    PHASES,
    RANGE,
    SCENARIOS,
    WARM,
)
from .figures import at_once, gain_of, phase_of, range_of, service_of, totals_ways_of, ways_of
from .table import NONE, SIMILAR, Beside, Estimate, Table, cpus, ms, rate
from .tables import figures_table


def ranges_table(run: PerformanceRun) -> Table:
    """Return the median of each way to ask for a date range, and how each compares with the obvious one."""
    ways = ways_of(run)
    rows = []
    for operation in ("first_page", "count"):
        for tier in run.tiers:
            figures = [range_of(run, tier, operation, way) for way in ways]
            if not any(figure.n for figure in figures):
                continue
            gains = [gain_of(run, tier, operation, ways[0], way) for way in ways[1:]]
            row = [OPERATIONS[operation].words, tier, *(_median(figure) for figure in figures)]
            row += [
                NONE if g is None else f"{times_sign(g.median)} ({times(g.least)} to {times(g.most)}, {g.n})"
                for g in gains
            ]
            rows.append(tuple(row))
    names = [way.words(run) for way in ways]
    columns = ["operation", "tier", *(f"{name}, p50 (n)" for name in names)]
    columns += [f"speedup, {name}: median (least to most, n)" for name in names[1:]]
    return Table(tuple(columns), tuple(rows), texts=2)


def totals_table(run: PerformanceRun) -> Table:
    """Return the median of each way to a provider's total, by tier; one of them, $facet, returns a page as well."""
    ways = totals_ways_of(run)
    rows = []
    for tier in run.tiers:
        found = [
            run.statistics(
                section="totals", tier=tier, contestant=way, operation="page_and_total" if way == FACET else "count"
            )
            for way in ways
        ]
        if any(figures.n for figures in found):
            rows.append((tier, *(_median(figures) for figures in found)))
    return Table(("tier", *(f"{CONTESTANTS[way]}, p50 (n)" for way in ways)), tuple(rows))


def cold_table(run: PerformanceRun) -> Table:
    """Return times of the first page of a range whose claims the run had not read before (cold), and again (warm)."""
    rows = []
    for tier in run.tiers:
        cold, warm = (run.statistics(section="cold", tier=tier, contestant=visit) for visit in (COLD, WARM))
        if cold.n:
            rows.append((tier, ms(cold.p50), _tail(cold, 95), ms(warm.p50), _tail(warm, 95), f"{cold.n}, {warm.n}"))
    return Table(("tier", "cold, p50", "cold, p95", "warm, p50", "warm, p95", "n"), tuple(rows))


def concurrency_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return rates, latency, and busy CPUs by the number of concurrent clients."""
    beside = Beside(run, baseline)
    rows = []
    for level in run.levels:
        figures, (pages, claims, _) = at_once(run, level.clients)
        theirs, rates = at_once(baseline or run, level.clients)
        row = [f"{level.clients}", f"{level.seconds:.1f} s", f"{pages:,.0f}", f"{claims:,.0f}"]
        row += [*_busy(level), ms(figures.p50), _tail(figures, 95), f"{figures.n:,}"]
        row += beside.value(rates.pages_per_s or None, rate)
        rows.append((*row, *beside.estimate(Estimate.p95(figures), Estimate.p95(theirs))))
    columns = (
        "clients", "duration", "pages/s", "claims/s", "client CPUs", "server CPUs", "total CPUs", "p50", "p95",
        "n", *beside.columns("pages/s", ratio=False), *beside.columns("p95"),
    )  # fmt: skip
    return Table(columns, tuple(rows))


def open_loop_table(run: PerformanceRun) -> Table:
    """Return latency at fixed rates, timed from when a call was due and from when it was sent."""
    rows = []
    for offered in run.offered:
        figures = run.statistics(section="open_loop", load=offered.load)
        sent = service_of(run, offered.load)
        row = [f"{offered.load}%", f"{offered.offered:,.0f}", f"{figures.n / offered.seconds:,.0f}"]
        row += [ms(figures.p50), _tail(figures, 95), _tail(figures, 99), ms(sent.p50), _tail(sent, 99)]
        row += _busy(offered)
        rows.append((*row, f"{figures.n:,}"))
    columns = (
        "share of the highest rate", "offered/s", "achieved/s", "p50", "p95", "p99", "p50 from send", "p99 from send",
        "client CPUs", "server CPUs", "total CPUs", "n",
    )  # fmt: skip
    return Table(columns, tuple(rows))


def arrivals_table(run: PerformanceRun) -> Table:
    """Return page times at a fixed rate before, during, and after the feed, and each p95 over the one before."""
    rows, before = [], Estimate.p95(phase_of(run, BEFORE))
    for phase in PHASES:
        figures = phase_of(run, phase)
        if not figures.n:
            continue
        p50, p95 = Estimate.p50(figures), Estimate.p95(figures)
        arriving = run.arrivals.achieved if run.arrivals and phase == DURING else None
        row = [CONTESTANTS[phase], rate(arriving), ms(p50.value), p50.interval, ms(p95.value), p95.interval]
        row += [ms(figures.max), f"{figures.n:,}", NONE if phase == BEFORE else _over(p95, before)]
        rows.append(tuple(row))
    columns = (
        "pages", "claims/s", "p50", "p50 interval", "p95", "p95 interval", "max", "n", "p95 / before",
    )  # fmt: skip
    return Table(columns, tuple(rows))


def _tail(figures: Statistics, percent: int) -> str:
    """A high percentile; a dash if there are too few samples for it."""
    value = {95: figures.p95, 99: figures.p99}[percent]
    return ms(value) if figures.n >= FEWEST_FOR[percent] else NONE


def examined_table(run: PerformanceRun) -> Table:
    """Return what the server examined for the first page of the same date range, by query and index."""
    tier = run.tiers[0]
    costs = [c for c in run.costs if (c.tier, c.operation, c.scenario) == (tier, "first_page", RANGE)]
    columns = ("query", "index", "index keys examined", "documents examined", "claims returned")
    rows = tuple((CONTESTANTS[cost.query], *_index(cost), *_examined(cost)) for cost in costs)
    return Table(columns, rows, texts=2)


def costs_table(run: PerformanceRun) -> Table:
    """Return what explain reports for each kind of query."""
    columns = (
        "operation", "tier", "scenario", "query", "index", "stages", "index keys examined", "documents examined",
        "returned", "server time in ms",
    )  # fmt: skip
    rows = tuple(
        (
            OPERATIONS[cost.operation].words,
            cost.tier,
            SCENARIOS[cost.scenario].words,
            CONTESTANTS[cost.query] if cost.scenario == RANGE else "",
            *_index(cost),
            " < ".join(cost.stages) or NONE,
            *_examined(cost),
            NONE if cost.server_ms is None else f"{cost.server_ms:,}",
        )
        for cost in sorted(run.costs, key=lambda cost: run.claims_per_provider(cost.tier), reverse=True)
    )
    return Table(columns, rows, texts=6)


_BY_NAME = {
    "ranges": ranges_table,
    "totals": totals_table,
    "cold": cold_table,
    "clients": concurrency_table,
    "rates": open_loop_table,
    "live": arrivals_table,
    "examined": examined_table,
    "costs": costs_table,
    "figures": figures_table,
}


@checked(PbmError)
def comparison_frame(run: PerformanceRun, part: str) -> DataFrame:
    """Return one of the report's tables as a pandas DataFrame.

    Args:
        run: a performance run.
        part: "ranges" (queries for a date range), "totals" (ways to a provider's total), "cold" (cold and warm pages),
            "clients" (concurrent clients), "rates" (pages at fixed rates), "live" (pages before, during, and after
            claims arrive), "examined" (keys and documents examined for a range page), "costs" (what explain reports
            for each kind of query), or "figures" (everything that was timed).

    Returns:
        The table; all cells are text. It has no rows if the run did not measure that part.

    Raises:
        PbmError: `part` is not one of these.
    """
    if part not in _BY_NAME:
        raise not_accepted("part", in_short(part), f"one of {', '.join(_BY_NAME)}", PbmError)
    table = _BY_NAME[part](run)
    return DataFrame(table.rows, columns=table.columns)


def _busy(known: Level | OfferedRate) -> list[str]:
    return [cpus(cpu) for cpu in (known.client_cpu, known.server_cpu, known.machine_cpu)]


def _index(cost: QueryCost) -> tuple[str]:
    return (INDEX_WORDS[cost.variant] if cost.index and cost.variant else cost.index or "none",)


def _examined(cost: QueryCost) -> tuple[str, ...]:
    return tuple(f"{n:,}" for n in (cost.keys_examined, cost.docs_examined, cost.returned))


def _over(ours: Estimate, theirs: Estimate) -> str:
    """The ratio of two p95 values, or `SIMILAR` if their intervals overlap."""
    if None in (*ours, *theirs):
        return NONE
    ratio = ours.over(theirs)
    return SIMILAR if ratio is None else times_sign(ratio)


def _median(figures: Statistics) -> str:
    return f"{ms(figures.p50)} ({figures.n})" if figures.n else NONE
