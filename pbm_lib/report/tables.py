"""The tables of the report, as text cell by cell; with a baseline, its figure beside each one and the ratio of both."""

from dataclasses import dataclass

import pandas as pd

from ..arguments import checked
from ..display import milliseconds
from ..errors import PbmError
from ..measure.run import PerformanceRun
from ..measure.samples import statistics_of
from ..measure.summary import KEYS, NUMBERS, Throughput
from ..measure.targets import TargetResult, target_results
from ..store.server import end_of_support
from ..vocabulary import CONTESTANTS
from .figures import at_once
from .sizing import ClusterSizing, size_cluster

_NONE = "–"  # noqa: RUF001 - a dash, as a typesetter would put for "no value"


@dataclass(frozen=True)
class Table:
    """A table: its columns, of which the first `texts` hold words and the others figures, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def conditions_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return what the run was taken on, label and value."""
    ours = _conditions(run)
    if baseline is None:
        return Table(("", "this run"), tuple(ours.items()), texts=2)
    theirs = _conditions(baseline)
    rows = tuple((label, value, theirs[label]) for label, value in ours.items())
    return Table(("", "this run", "baseline"), rows, texts=3)


def targets_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return each target with the value measured, its 95% interval, and whether it was met."""
    theirs = {} if baseline is None else {(r.operation, r.tier): r for r in target_results(baseline)}
    columns = ["operation", "tier", "scenario", "verdict", "note", "target", "p95", "95% interval", "n"]
    rows = []
    for result in target_results(run):
        row = [result.operation, result.tier, result.scenario, result.verdict_words, result.note]
        row += [milliseconds(result.target_ms), _ms(result.value_ms), _interval(result), str(result.n)]
        if baseline is not None:
            other = theirs.get((result.operation, result.tier))
            row += _beside(result.value_ms, other and other.value_ms)
        rows.append(tuple(row))
    return Table((*columns, *_beside_columns("p95", baseline)), tuple(rows), texts=5)


def plans_table(run: PerformanceRun) -> Table:
    """Return what the server examined for one and the same page for each query."""
    columns = ("query", "index", "index keys examined", "claims examined", "claims returned")
    rows = tuple(
        (
            CONTESTANTS[cost.plan],
            cost.index or "none",
            *(f"{n:,}" for n in (cost.keys_examined, cost.docs_examined, cost.returned)),
        )
        for cost in run.plans
    )
    return Table(columns, rows, texts=2)


def concurrency_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return rates and latency by the number of clients."""
    rows = []
    for level in run.levels:
        figures, (pages, claims, _) = at_once(run, level.clients)
        row = [f"{level.clients}", f"{level.seconds:.1f} s", f"{pages:,.0f}", f"{claims:,.0f}"]
        row += [_ms(figures.p50), _ms(figures.p95), str(figures.n)]
        if baseline is not None:
            theirs, rates = at_once(baseline, level.clients)
            row += _beside(pages, rates.pages_per_s or None, _rate) + _beside(figures.p95, theirs.p95)
        rows.append(tuple(row))
    columns = ("clients", "at work", "pages/s", "claims/s", "p50", "p95", "n")
    more = (*_beside_columns("pages/s", baseline), *_beside_columns("p95", baseline))
    return Table((*columns, *more), tuple(rows))


def sizes_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return the size of the claims, and of a million of them."""
    ours, million = _sizes(run), size_cluster(run).bytes_per_million
    million |= {"data and indexes on disk": million["storage"] + million["indexes"]}
    theirs = {} if baseline is None else _sizes(baseline)
    rows = []
    for (label, size), key in zip(
        ours.items(), ("data", "storage", "indexes", "data and indexes on disk"), strict=True
    ):
        row = [label, _mb(size), _mb(million[key])]
        rows.append(tuple(row + (_beside(size, theirs[label], _mb) if theirs else [])))
    return Table(("", "this run", "a million claims", *_beside_columns("size", baseline)), tuple(rows))


def tiers_table(sizing: ClusterSizing) -> Table:
    """Return the Atlas tiers and how full the claims make them."""
    columns = ("tier", "holds the claims", "storage taken", "cache taken by indexes", "$ an hour")
    rows = tuple(
        (
            tier.name + (" (cheapest that does)" if tier is sizing.cheapest else ""),
            "yes" if tier.fits else "no",
            *tier.texts,
        )
        for tier in sizing.tiers
    )
    return Table((*columns, f"$ for {sizing.hours:g} hours"), rows, texts=2)


def figures_table(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Table:
    """Return every figure of the run, a row a series; with a baseline p50, p95 and rate side by side."""
    nothing = statistics_of([]), Throughput()
    theirs = {} if baseline is None else {series: (figures, rates) for series, figures, rates in baseline.figures()}
    rows = []
    for series, figures, rates in run.figures():
        row = [series.label, series.tier or "", series.contestant or "", "; ".join(figures.notes), str(figures.n)]
        row += [_ms(getattr(figures, name)) for name in ("min", "mean", "p50", "p95", "max")]
        row += [_rate(rates.claims_per_s), _NONE if rates.mb_per_s is None else f"{rates.mb_per_s:,.1f}"]
        if baseline is not None:
            other, others = theirs.get(series, nothing)
            row += [*_beside(figures.p50, other.p50), *_beside(figures.p95, other.p95)]
            row += _beside(rates.claims_per_s, others.claims_per_s, _rate)
        rows.append(tuple(row))
    columns = ["measured", "tier", "contestant", "note", "n", "min", "mean", "p50", "p95", "max", "claims/s", "MB/s"]
    for name in ("p50", "p95", "claims/s"):
        columns += _beside_columns(name, baseline)
    return Table(tuple(columns), tuple(rows), texts=4)


@checked(PbmError)
def targets_frame(run: PerformanceRun):
    """Return each target with the value measured, its 95% interval, and whether it was met, as a pandas DataFrame.

    Args:
        run: a performance run.
    """
    table = targets_table(run)
    return pd.DataFrame(table.rows, columns=table.columns)


def summary_frame(run: PerformanceRun, baseline: PerformanceRun | None = None):
    """Return the run's summary as a pandas DataFrame, with the baseline's figures and the ratios if there is one."""
    ours = run.summary()
    if baseline is None:
        return ours
    theirs = baseline.summary()[[*KEYS, "n", *NUMBERS]]
    both = pd.merge(ours, theirs, how="left", on=KEYS, suffixes=("", "_baseline"))
    for name in NUMBERS:
        both[f"{name}_ratio"] = (both[name] / both[f"{name}_baseline"]).round(3)
    return both


def _conditions(run: PerformanceRun) -> dict[str, str]:
    conditions, machine, settings = run.conditions, run.conditions.machine, run.settings
    ping = run.statistics(section="floor", operation="ping")
    ended = end_of_support(conditions.server_version)
    cache = "not readable" if conditions.cache_bytes is None else f"{conditions.cache_bytes / 2**30:.2g} GB"
    held = run.footprint.cached_data_bytes, run.footprint.cached_index_bytes
    return {
        "Run": f"{run.id}{'' if run.complete else ' (incomplete)'}",
        "Began, took": f"{run.started:%Y-%m-%d %H:%M} UTC, {run.seconds:.0f} s",
        "Server": f"MongoDB {conditions.server_version}, {conditions.topology}, {conditions.host_kind}"
        + (f". {ended}" if ended else ""),
        "Cache": cache,
        "In the cache after the fast queries": _NONE
        if None in held
        else f"{_mb(held[0])} of claims, {_mb(held[1])} of index keys",
        "Ping": f"{_ms(ping.p50)} (median), {_ms(ping.p95)} (p95)",
        "Claims": f"{run.footprint.claims:,}; providers of " + ", ".join(run.tiers),
        "Leaf pages": f"{run.footprint.leaf_page_kb} KB" if run.footprint.leaf_page_kb else "unknown",
        "Indexes": "; ".join(f"{name} {{{keys}}}" for name, keys in conditions.indexes.items()),
        "Longest claim allowed": f"{conditions.max_claim_days} days",
        "Page, window": f"{settings.page_size} claims, {settings.performance.window_days} days",
        "Client's machine": f"{machine.cpus} CPUs ({machine.cpu_model or 'model unknown'}), "
        f"{machine.memory_bytes / 2**30:.0f} GB of memory, {machine.system}",
        "Software": f"Python {machine.python}, pymongo {conditions.pymongo}, pbm_lib {conditions.pbm_lib}"
        + (f" ({conditions.git_commit[:12]}{'-dirty' if conditions.git_commit.endswith('-dirty') else ''})"
           if conditions.git_commit else ""),
        "Seed": f"{settings.performance.seed} (questions), {settings.data_generation.seed} (claims)",
    }  # fmt: skip


def _sizes(run: PerformanceRun) -> dict[str, int]:
    footprint = run.footprint
    return {
        "claims as BSON, uncompressed": footprint.data_bytes,
        "claims on disk, compressed": footprint.storage_bytes,
        "indexes on disk": footprint.total_index_bytes,
        "claims and indexes on disk": footprint.disk_bytes,
    }


def _beside_columns(name: str, baseline: PerformanceRun | None) -> list[str]:
    return [] if baseline is None else [f"{name} of the baseline", "ratio"]


def _beside(ours: float | None, theirs: float | None, text=None) -> list[str]:
    """The baseline's figure, and ours over it."""
    shown = (text or _ms)(theirs)
    return [shown, f"{ours / theirs:.2f}" if ours is not None and theirs else _NONE]


def _ms(value: float | None) -> str:
    return _NONE if value is None else milliseconds(value)


def _interval(result: TargetResult) -> str:
    if result.low_ms is None:
        return _NONE
    low = milliseconds(result.low_ms)
    return f"from {low}" if result.high_ms is None else f"{low} to {milliseconds(result.high_ms)}"


def _rate(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}"


def _mb(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value / 1e9:,.2f} GB" if value >= 1e9 else f"{value / 1e6:,.1f} MB"
