"""The tables of the report, as text. If there is a baseline, they also show its figures and the ratios to them."""

import pandas as pd

from ..arguments import checked
from ..display import NOT_MEASURED, milliseconds
from ..errors import PbmError
from ..measure.run import PerformanceRun
from ..measure.samples import statistics_of
from ..measure.summary import KEYS, NUMBERS, Throughput
from ..measure.targets import TargetResult, target_results
from ..store.server import end_of_support
from ..vocabulary import CONTESTANTS
from .cluster_sizing import ClusterSizing
from .figures import asks_the_same
from .sizing import size_cluster
from .table import NONE, Beside, Estimate, Table, mb, ms, rate


def conditions_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return the conditions under which the run was measured, as labels and values."""
    ours = _conditions(run)
    if baseline is None:
        return Table(("", "this run"), tuple(ours.items()), texts=2)
    theirs = _conditions(baseline)
    rows = tuple((label, value, theirs[label]) for label, value in ours.items())
    return Table(("", "this run", "baseline"), rows, texts=3)


def targets_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return each target with the value measured, its 95% interval, and whether it was met."""
    beside = Beside(run, baseline)
    theirs = {} if baseline is None else {(r.operation, r.tier): r for r in target_results(baseline)}
    columns = ["operation", "tier", "scenario", "verdict", "note", "target", "p95", "95% interval", "n"]
    rows = []
    for result in target_results(run):
        ours = _p95(result)
        row = [result.operation, result.tier, result.scenario, result.verdict_words, result.note]
        row += [milliseconds(result.target_ms), ms(ours.value), ours.interval, f"{result.n:,}"]
        rows.append((*row, *beside.estimate(ours, _p95(theirs.get((result.operation, result.tier))))))
    return Table((*columns, *beside.columns("p95")), tuple(rows), texts=5)


def sizes_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return the size of the claims, in total and per million."""
    ours, million = _sizes(run), size_cluster(run).bytes_per_million
    million |= {"data and indexes on disk": million["storage"] + million["indexes"]}
    theirs = {} if baseline is None else _sizes(baseline)
    beside = Beside(run, baseline)
    rows = []
    for (label, size), key in zip(
        ours.items(), ("data", "storage", "indexes", "data and indexes on disk"), strict=True
    ):
        rows.append((label, mb(size), mb(million[key]), *beside.value(theirs.get(label), mb)))
    return Table(("", "this run", "per million claims", *beside.columns("size", ratio=False)), tuple(rows))


def tiers_table(sizing: ClusterSizing) -> Table:
    """Return the Atlas tiers, how full the claims make them, what they cost, and whether their prices are confirmed."""
    working_set = "cache used by the working set"
    if sizing.cached_bytes is not None and sizing.may_have_read_more:
        working_set += ", at least"
    columns = ("tier", "holds the claims", "storage used", "cache used by indexes", working_set)
    prices = ("USD per hour", "USD per month", f"USD for {sizing.hours:g} hours", "price")
    rows = tuple(
        (
            tier.name + (" (smallest)" if tier is sizing.cheapest else ""),
            "yes" if tier.fits else "no",
            *tier.texts,
            tier.price_mark,
        )
        for tier in sizing.tiers
    )
    return Table(columns + prices, rows, texts=2)


def figures_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return every figure of the run, one row per series; with a baseline, also its p50, p95, and rate."""
    beside = Beside(run, baseline)
    nothing = statistics_of([]), Throughput()
    theirs = {} if baseline is None else {series: (figures, rates) for series, figures, rates in baseline.figures()}
    rows = []
    for series, figures, rates in run.figures():
        p50, p95 = Estimate.p50(figures), Estimate.p95(figures)
        other, others = theirs.get(series, nothing)
        row = [series.label, series.tier or "", CONTESTANTS.get(series.contestant, "")]
        row += ["; ".join(figures.notes), f"{figures.n:,}"]
        row += [ms(p50.value), p50.interval, ms(p95.value), p95.interval, ms(figures.max)]
        row += [rate(rates.claims_per_s), NONE if rates.mb_per_s is None else f"{rates.mb_per_s:,.1f}"]
        row += [*beside.estimate(p50, Estimate.p50(other)), *beside.estimate(p95, Estimate.p95(other))]
        rows.append((*row, *beside.value(others.claims_per_s, rate)))
    columns = ["measured", "tier", "method", "note", "n", "p50", "p50 interval", "p95", "p95 interval", "max"]
    columns += ["claims/s", "MB/s", *beside.columns("p50"), *beside.columns("p95")]
    return Table((*columns, *beside.columns("claims/s", ratio=False)), tuple(rows), texts=4)


@checked(PbmError)
def targets_frame(run: PerformanceRun):
    """Return each target with its measured value, 95% interval, and verdict, as a pandas DataFrame.

    Args:
        run: a performance run.
    """
    table = targets_table(run)
    return pd.DataFrame(table.rows, columns=table.columns)


def summary_frame(run: PerformanceRun, baseline: PerformanceRun | None = None):
    """Return the run's summary as a pandas DataFrame; with a baseline, also its figures and the ratios of p50 and p95.

    A ratio is empty if it would mean nothing: the runs do not ask the same questions, or the 95% intervals overlap.
    """
    ours = run.summary()
    if baseline is None:
        return ours
    both = pd.merge(ours, baseline.summary()[[*KEYS, "n", *NUMBERS]], how="left", on=KEYS, suffixes=("", "_baseline"))
    for name in ("p50", "p95"):
        columns = [f"{name}{end}{whose}" for whose in ("", "_baseline") for end in ("", "_low", "_high")]
        found = [
            Estimate(*row[:3]).over(Estimate(*row[3:])) if asks_the_same(run, baseline) else None
            for row in both[columns].astype(object).where(both[columns].notna(), None).itertuples(index=False)
        ]
        both[f"{name}_ratio"] = pd.Series(found, dtype=float).round(3)
    return both


def _conditions(run: PerformanceRun) -> dict[str, str]:
    conditions, machine, settings = run.conditions, run.conditions.machine, run.settings
    ping = run.statistics(section="floor", operation="ping")
    ended = end_of_support(conditions.server_version)
    cache = "not readable" if conditions.cache_bytes is None else f"{conditions.cache_bytes / 2**30:.2g} GB"
    held = run.footprint.cached_data_bytes, run.footprint.cached_index_bytes
    return {
        "Run": f"{run.id}{'' if run.complete else ' (incomplete)'}",
        "Started / duration": f"{run.started:%Y-%m-%d %H:%M} UTC, {run.seconds:.0f} s",
        "Server": f"MongoDB {conditions.server_version}, {conditions.topology}, {conditions.host_kind}"
        + (f". {ended}" if ended else ""),
        "Cache": cache,
        "Cache contents after the page queries": NONE
        if None in held
        else f"{mb(held[0])} of claims, {mb(held[1])} of index keys",
        "Ping": f"{ms(ping.p50)} (median), {ms(ping.p95)} (p95)" if ping.n else NOT_MEASURED,
        "Claims": f"{run.footprint.claims:,}; providers of " + ", ".join(run.tiers),
        "Leaf pages": f"{run.footprint.leaf_page_kb} KB" if run.footprint.leaf_page_kb else "unknown",
        "Indexes": "; ".join(f"{name} {{{keys}}}" for name, keys in conditions.indexes.items()),
        "Longest claim allowed": NONE if conditions.max_claim_days is None else f"{conditions.max_claim_days} days",
        "Page, window": f"{settings.page_size} claims, {settings.performance.window_days} days",
        "Client's machine": f"{machine.cpus} CPUs ({machine.cpu_model or 'model unknown'}), "
        f"{machine.memory_bytes / 2**30:.0f} GB of memory, {machine.system}",
        "Software": f"Python {machine.python}, pymongo {conditions.pymongo}, pbm_lib {conditions.pbm_lib}"
        + (f" ({conditions.git_commit[:12]}{'-dirty' if conditions.git_commit.endswith('-dirty') else ''})"
           if conditions.git_commit else ""),
        "Seed": f"{settings.performance.seed} (queries), {settings.data_generation.seed} (claims)",
    }  # fmt: skip


def _sizes(run: PerformanceRun) -> dict[str, int]:
    footprint = run.footprint
    return {
        "claims as BSON, uncompressed": footprint.data_bytes,
        "claims on disk, compressed": footprint.storage_bytes,
        "indexes on disk": footprint.total_index_bytes,
        "claims and indexes on disk": footprint.disk_bytes,
    }


def _p95(result: TargetResult | None) -> Estimate:
    return Estimate() if result is None else Estimate(result.value_ms, result.low_ms, result.high_ms)
