"""The first page of the report: its headline, the text below that, the key figures, and the limits."""

from dataclasses import dataclass

from ..display import milliseconds, quantity, times
from ..measure.run import PerformanceRun
from ..measure.samples import Statistics
from ..measure.targets import MET, MISSED, UNDECIDED, TargetResult, target_results
from ..vocabulary import (
    BOUNDED,
    CAPPED,
    CONTESTANTS,
    FACET,
    INDEX_WORDS,
    KEYSET,
    PAGES_BY_TIER,
    PROVIDER,
    RANGE,
    ROLLUP,
    SCENARIOS,
    SKIP,
    UNBOUNDED,
)
from .chart_texts import FLAT
from .figures import Way, depth_of, depths_of, gain_of, latency_of, range_of, ways_of
from .sizing import size_cluster


@dataclass(frozen=True)
class KeyFigure:
    """A number for the reader to remember.

    Attributes:
        text: the number.
        what: what the number stands for.
        against: what it is compared with, one line each; empty if nothing.
        basis: what it is based on, such as its interval and number of samples; may be empty.
        ms: the number as a time in ms, to compare with a baseline; None if it is not a time.
    """

    text: str
    what: str
    against: str = ""
    basis: str = ""
    ms: float | None = None


def headline(run: PerformanceRun) -> str:
    """Return the run's result in at most ten words, bad news first."""
    prefix = "" if run.complete else "Incomplete run: "
    if any(check.equal < check.compared for check in run.checks):
        return _sentence(prefix, "answers differ, so the timings are not valid")
    if run.arrivals and not run.arrivals.is_exact:
        return _sentence(prefix, "claims were lost or repeated while others arrived")
    results = target_results(run)
    if missed := sum(result.verdict == MISSED for result in results):
        decided = sum(result.verdict in (MET, MISSED, UNDECIDED) for result in results)
        return _sentence(prefix, f"{missed} of {quantity(decided, 'target')} missed")
    if deep := _deepest(run):
        depth, keyset, _ = deep
        return _sentence(prefix, f"a page {depth:,} claims deep takes {milliseconds(keyset.p50)}")
    pages = _first_pages(run)
    if not pages:
        return _sentence(prefix, "no page latency was measured")
    (large, slow), (small, _) = pages[0], pages[-1]
    medians = [figures.p50 for _, figures in pages]
    if len(pages) > 1 and max(medians) <= FLAT * min(medians):
        return _sentence(prefix, f"first pages stay flat, {small} to {large} claims")
    return _sentence(prefix, f"the first page takes {milliseconds(slow.p50)} at {large} claims")


def lead(run: PerformanceRun) -> str:
    """Return the text below the headline: the verdicts, and the lowest and highest p95 of a page."""
    figures = [
        latency_of(run, tier, operation, scenario)
        for tier in run.tiers
        for operation in PAGES_BY_TIER
        for scenario in SCENARIOS
    ]
    pages = [page.p95 for page in figures if page.n]
    if not pages:
        return ""
    failed = sum(sample.error is not None for sample in run.samples)
    failures = f"{failed:,} of {len(run.samples):,} calls failed. " if failed else ""
    verdicts = _verdicts(target_results(run)) or "No target was set for anything measured."
    sizes = f"provider size ({run.tiers[-1]} to {run.tiers[0]} claims)" if len(run.tiers) > 1 else "date range"
    weak = " There are too few samples for a firm p95." if any(page.n and page.weak_p95 for page in figures) else ""
    low, high = milliseconds(min(pages)), milliseconds(max(pages))
    return (
        f"{failures}{verdicts} With one client at a time, the p95 of a page is "
        f"{low if low == high else f'{low} to {high}'}, depending on the page and the {sizes}.{weak}"
    )


def key_figures(run: PerformanceRun) -> list[KeyFigure]:
    """Return the key figures, each with its basis: a deep page, a range page, the total, and the cost."""
    found = [_deep_page(run), _range_page(run), _total(run), _cost(run)]
    return [figure for figure in found if figure is not None]


def limits(run: PerformanceRun) -> str:
    """Return what the figures do not show, in one short paragraph."""
    conditions = run.conditions
    where = (
        f"Server and client shared one machine with {conditions.machine.cpus} CPUs: times exclude network latency, and "
        "the two compete for the CPUs."
        if conditions.host_kind == "local"
        else "Every time includes the network between client and server."
    )
    node = " A single node does not replicate." if conditions.topology == "standalone" else ""
    in_memory = conditions.host_kind == "local" and run.footprint.disk_bytes < conditions.machine.memory_bytes / 2
    memory = (
        " The claims fit in that machine's memory, so few reads, if any, should have waited for a disk."
        if in_memory
        else ""
    )
    series = run.figures()
    unsteady = sum(not each.statistics.is_steady for each in series if each.statistics.n)
    less_certain = (
        f" In {unsteady} of {len(series)} series (those above are marked *, and the tables have notes), times drifted "
        "or were correlated: their intervals are too narrow."
        if unsteady
        else ""
    )
    return (
        f"{where}{node}{memory} The claims are synthetic. {_writes(run)}"
        f"{less_certain} Measure again on the cluster that you plan to use."
    )


def _writes(run: PerformanceRun) -> str:
    """What was written during the run, and whether a node failed."""
    fed = run.arrivals
    if fed is None:
        return "No claim was written during the run, and no node failed."
    if fed.elections:
        nodes = f"the primary changed {'once' if fed.elections == 1 else f'{fed.elections} times'} meanwhile"
    else:
        nodes = "no node failed"
    return f"Claims were written in one short part of the run, {fed.offered:,.0f} per second, and {nodes}."


def _deep_page(run: PerformanceRun) -> KeyFigure | None:
    deep = _deepest(run)
    if deep is None:
        return None
    depth, keyset, skip = deep
    against, basis = _compared(keyset, {CONTESTANTS[SKIP]: skip})
    return KeyFigure(milliseconds(keyset.p50), f"for a page {depth:,} claims deep", against, basis, keyset.p50)


def _range_page(run: PerformanceRun) -> KeyFigure | None:
    own, tier = run.settings.index, run.tiers[0]
    bounded, unbounded = Way(BOUNDED, own), Way(UNBOUNDED, own)
    page, obvious = latency_of(run, tier, "first_page", RANGE), range_of(run, tier, "first_page", unbounded)
    if not page.n:
        return None
    gain = gain_of(run, tier, "first_page", unbounded, bounded)
    others = {CONTESTANTS[UNBOUNDED]: obvious}
    others |= {
        INDEX_WORDS[way.index]: range_of(run, tier, "first_page", way) for way in ways_of(run) if way.index != own
    }
    against, basis = _compared(page, others)
    if gain:
        basis += f"; speedup {times(gain.least)} to {times(gain.most)} on {quantity(gain.n, 'range')} that both ran"
    what = f"for the first page of {run.settings.performance.window_days} days at {tier} claims"
    return KeyFigure(milliseconds(page.p50), what, against, basis, page.p50)


def _total(run: PerformanceRun) -> KeyFigure | None:
    tier = run.tiers[0]
    total = latency_of(run, tier, "count", PROVIDER)
    if not total.n:
        return None
    others = {
        CONTESTANTS[FACET]: ("page_and_total", FACET),
        CONTESTANTS[CAPPED]: ("count", CAPPED),
        CONTESTANTS[ROLLUP]: ("count", ROLLUP),
    }
    found = {
        name: run.statistics(section="totals", tier=tier, operation=operation, contestant=way)
        for name, (operation, way) in others.items()
    }
    against, basis = _compared(total, found)
    return KeyFigure(milliseconds(total.p50), f"for the exact total at {tier} claims", against, basis, total.p50)


def _cost(run: PerformanceRun) -> KeyFigure | None:
    if not run.footprint.claims:
        return None
    sizing = size_cluster(run)
    holds = f"holds {sizing.claims:,} claims"
    if tier := sizing.cheapest:
        price = f"about {tier.usd_per_month:,.0f} USD per month"
        return KeyFigure(tier.name, f"is the smallest Atlas tier that {holds}", price, sizing.production_note)
    price = f"about {sizing.shards * sizing.largest.usd_per_month:,.0f} USD per month, not counting config servers"
    return KeyFigure(f"{sizing.shards} × {sizing.largest.name}", f"shards: no single Atlas tier {holds}", price)  # noqa: RUF001 - a multiplication sign


def _basis(figures: Statistics) -> str:
    """The interval of a median and its number of calls, with a star if the series was not steady."""
    calls = f"(n = {figures.n}{'' if figures.is_steady else '*'})"
    if figures.p50_low is None:
        return calls
    return f"{milliseconds(figures.p50_low)} to {milliseconds(figures.p50_high)} {calls}"


def _compared(figures: Statistics, others: dict[str, Statistics]) -> tuple[str, str]:
    """The other ways that were measured, one line each, and the basis of all figures."""
    known = {name: each for name, each in others.items() if each.n}
    lines = "\n".join(f"{name}: {milliseconds(each.p50)}" for name, each in known.items())
    median = "Median" if figures.p50_low is None else "Median, 95% interval"
    return lines, "; ".join(f"{name} {_basis(each)}" for name, each in {median: figures, **known}.items())


def _deepest(run: PerformanceRun) -> tuple[int, Statistics, Statistics] | None:
    """The greatest depth with a keyset page, and the figures of keyset and skip/limit there; None if there is none."""
    for depth in reversed(depths_of(run)):
        if depth and (keyset := depth_of(run, depth, KEYSET)).n:
            return depth, keyset, depth_of(run, depth, SKIP)
    return None


def _first_pages(run: PerformanceRun) -> list[tuple[str, Statistics]]:
    """Each tier with its first-page figures: for all claims, or for a date range if no tier has those."""
    for scenario in SCENARIOS:
        found = [(tier, latency_of(run, tier, "first_page", scenario)) for tier in run.tiers]
        if measured := [(tier, figures) for tier, figures in found if figures.n]:
            return measured
    return []


def _verdicts(results: list[TargetResult]) -> str:
    """How many targets were met, in one or two sentences; empty if none was measured."""
    missed, undecided, met = ([r for r in results if r.verdict == verdict] for verdict in (MISSED, UNDECIDED, MET))
    n = len(missed) + len(undecided) + len(met)
    open_ = f", {len(undecided)} not decided" if undecided else ""
    if missed:
        worst = max(missed, key=lambda result: result.value_ms / result.target_ms)
        return (
            f"{len(missed)} of {quantity(n, 'target')} missed{open_}. The worst is {worst.operation} at "
            f"{worst.tier}: p95 {milliseconds(worst.value_ms)} against a target of {milliseconds(worst.target_ms)}."
        )
    if n == 1:
        return "The target is met." if met else "The target is not decided."
    if met:
        return f"{'All' if not undecided else f'{len(met)} of'} {n} targets met{open_}."
    return f"None of the {n} targets is decided." if undecided else ""


def _sentence(prefix: str, text: str) -> str:
    return f"{prefix}{text}" if prefix else f"{text[0].upper()}{text[1:]}"
