"""What a run found, in words. Every sentence is computed from the samples, so that a bad run reads like one."""

import math
from dataclasses import dataclass

from ..display import NOT_MEASURED, milliseconds, times
from ..measure.run import PerformanceRun
from ..measure.samples import Series
from ..measure.steady import drift_note
from ..measure.targets import MET, MISSED, UNDECIDED, TargetResult, target_results
from ..vocabulary import (
    BOUNDED,
    CONTESTANTS,
    INDEX_WORDS,
    ONE_STREAM,
    OPERATIONS,
    OVERLAP,
    PAGES_BY_TIER,
    RANGE,
    ROLLUP,
    SCENARIOS,
    STREAMS,
    THREE_FIELD,
    TWO_STREAMS,
    UNBOUNDED,
)
from .figures import Way, gain_of, latency_of
from .sizing import size_cluster

_COMPARED = CONTESTANTS | INDEX_WORDS  # what the answers of the application's own way were held against


@dataclass(frozen=True)
class KeyFigure:
    """A number that a reader takes home: its value as text, what it is, and the number itself (None: not measured)."""

    label: str
    text: str
    number: float | None = None


def headline(run: PerformanceRun) -> str:
    """Return the run's result in one or two sentences, bad news first."""
    prefix = "" if run.complete else "Incomplete run. "
    figures = [
        latency_of(run, tier, operation, scenario)
        for tier in run.tiers
        for operation in PAGES_BY_TIER
        for scenario in SCENARIOS
    ]
    pages = [page.p95 for page in figures if page.n]
    if not pages:
        return "No page latency was measured." if run.complete else f"{prefix}No page latency had been measured."
    sizes = f"provider size ({run.tiers[-1]} to {run.tiers[0]} claims)" if len(run.tiers) > 1 else "date range"
    weak = "; too few samples for a firm p95" if any(page.n and page.weak_p95 for page in figures) else ""
    spread = (
        f"95% of pages return within {_between(milliseconds(min(pages)), milliseconds(max(pages)))}, depending on the "
        f"page and the {sizes}{weak}."
    )
    if unequal := sum(check.compared - check.equal for check in run.checks):
        compared = sum(check.compared for check in run.checks)
        return f"{prefix}{unequal:,} of {compared:,} compared answers differ, so the timings are not valid. {spread}"
    verdicts = _verdicts(target_results(run)) or "No target was set for anything measured."
    failed = sum(sample.error is not None for sample in run.samples)
    failures = f"{failed:,} of {_calls(len(run.samples))} failed. " if failed else ""
    return f"{prefix}{failures}{verdicts} {spread}"


def problems(run: PerformanceRun) -> list[str]:
    """Return what a reader must know before believing the run; empty for a clean one."""
    found = []
    if not run.complete:
        found.append("The run was stopped before its end. The report shows what it had measured by then.")
    for check in run.checks:
        if check.equal < check.compared:
            found.append(
                f"Answers differ: {OPERATIONS[check.operation].words} at {check.tier} ({check.section}), "
                f"{_COMPARED[check.against]} against the application's own way, "
                f"{check.compared - check.equal:,} of {check.compared:,} pairs."
            )
    kinds: dict[str, int] = {}
    for sample in run.samples:
        if sample.error:
            kinds[sample.error] = kinds.get(sample.error, 0) + 1
    for kind, count in kinds.items():
        found.append(f"{_calls(count)} failed with {kind}. No figure includes {_them(count)}.")
    if retried := sum(sample.error is None and sample.retries > 0 for sample in run.samples):
        found.append(f"The driver repeated {_calls(retried)}. No figure includes {_them(retried)}.")
    all_figures = run.figures()
    if drifted := [one for one in all_figures if one.statistics.drift is not None]:
        most = max(drifted, key=lambda one: abs(math.log(one.statistics.drift)))
        found.append(
            f"{len(drifted)} of {len(all_figures)} series changed during the run, so their p95 is less certain than "
            f"its interval says. The largest change: {_named(most.series)} ({drift_note(most.statistics.drift)})."
        )
    if alike := [one for one in all_figures if one.statistics.likeness is not None]:
        most = max(alike, key=lambda one: one.statistics.likeness)
        found.append(
            f"In {len(alike)} of {len(all_figures)} series calls in a row are alike, so their p95 is less certain than "
            f"its interval says. Most alike: {_named(most.series)} (rank correlation {most.statistics.likeness:.1f})."
        )
    for tier, counted in run.conditions.provider_claims.items():
        if tier in run.tiers and counted != run.claims_per_provider(tier):
            found.append(
                f"The {tier} provider has {counted:,} claims, not {run.claims_per_provider(tier):,} as configured."
            )
    return found


def key_figures(run: PerformanceRun) -> list[KeyFigure]:
    """Return three numbers: a page of the largest provider, what the bounded query saves, and the cost."""
    tier = run.tiers[0]
    page = latency_of(run, tier, "first_page", RANGE)
    weak = ", few samples" if page.n and page.weak_p95 else ""
    own = run.settings.index
    faster = gain_of(run, tier, "first_page", Way(UNBOUNDED, own), Way(BOUNDED, own))
    figures = [
        KeyFigure(
            f"first page of a {run.settings.performance.window_days}-day range at {tier} claims "
            f"(p95 of {_calls(page.n)}{weak})",
            milliseconds(page.p95),
            page.p95,
        ),
        KeyFigure("speedup over the unbounded query for that page", NOT_MEASURED)
        if faster is None
        else KeyFigure(
            f"as fast as the unbounded query for that page (median of {faster.n} window{'s' if faster.n > 1 else ''}, "
            f"from {times(faster.least)} to {times(faster.most)})",
            f"{times(faster.median)} times",
            faster.median,
        ),
    ]
    sizing = size_cluster(run) if run.footprint.claims else None
    cheapest = sizing and sizing.cheapest
    figures.append(
        KeyFigure(
            f"cheapest Atlas tier that holds {run.footprint.claims:,} claims"
            + (f", ${cheapest.usd:.2f} for a {sizing.hours:g}-hour demo" if cheapest else ""),
            cheapest.name if cheapest else "none",
            cheapest.usd_per_hour if cheapest else None,
        )
    )
    return figures


def volume_finding(run: PerformanceRun) -> str:
    """Return a sentence on reading a whole provider; empty if that was not measured."""
    found, rates, tier = [], {}, ""
    for series, figures, (_, claims, megabytes) in run.figures():
        if series.section == "volume" and claims:
            rates[series.contestant], tier = claims, series.tier
            way = f"{CONTESTANTS[series.contestant]} " if series.contestant else ""
            size = f"{megabytes:,.1f} MB/s of BSON, " if megabytes else ""
            found.append(f"{way}{claims:,.0f} claims/s ({size}n = {figures.n})")
    if not found:
        return ""
    more = f", {times(rates[TWO_STREAMS] / rates[ONE_STREAM])} times as fast" if len(rates) == len(STREAMS) else ""
    return f"All claims of a {tier} provider, read in order: {', '.join(found)}{more}."


def totals_finding(run: PerformanceRun) -> str:
    """Return what a rollup takes to be built, and as of when it is exact; empty if none was built."""
    if run.rollup is None:
        return ""
    made = run.statistics(section="totals", operation="build", contestant=ROLLUP)
    took = f", and took {milliseconds(made.p50)} to build" if made.n else ""
    return (
        f"The rollup has {run.rollup.documents:,} documents, one per provider and month{took}. Its totals are exact "
        f"as of {run.rollup.as_of:%Y-%m-%d %H:%M:%S} UTC. Later writes do not change them unless something updates the "
        "rollup."
    )


def examined_finding(run: PerformanceRun) -> str:
    """Return why a bounded range page examines more than it returns; empty if no such page was explained."""
    page = (run.tiers[0], "first_page", RANGE, BOUNDED)
    costs = [cost for cost in run.costs if (cost.tier, cost.operation, cost.scenario, cost.query) == page]
    variants = {cost.variant for cost in costs}
    if THREE_FIELD not in variants:
        return ""
    skipped = " The overlap index lets the server skip most of those claims." if OVERLAP in variants else ""
    return (
        f"On the three-field index, the bounded query also examines the claims of the {run.conditions.max_claim_days} "
        f"days before the range, to see whether they reach into it.{skipped}"
    )


def _verdicts(results: list[TargetResult]) -> str:
    """How many targets are met, in a sentence or two; empty if none was measured."""
    missed, undecided, met = ([r for r in results if r.verdict == verdict] for verdict in (MISSED, UNDECIDED, MET))
    n = len(missed) + len(undecided) + len(met)
    open_ = f", {len(undecided)} not decided" if undecided else ""
    if missed:
        worst = max(missed, key=lambda result: result.value_ms / result.target_ms)
        return (
            f"{len(missed)} of {n} targets missed{open_}. The worst is {worst.operation} at {worst.tier}: p95 "
            f"{milliseconds(worst.value_ms)} against a target of {milliseconds(worst.target_ms)}."
        )
    if n == 1:
        return "The target is met." if met else "The target is not decided."
    if met:
        return f"{'All' if not undecided else f'{len(met)} of'} {n} targets met{open_}."
    return f"None of the {n} targets is decided." if undecided else ""


def _named(series: Series) -> str:
    return ", ".join(filter(None, (series.label, CONTESTANTS.get(series.contestant), series.tier)))


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
