"""What a run found, in words. Every sentence is computed from the samples, so that a bad run reads like one."""

import math
from dataclasses import dataclass

from ..display import NOT_MEASURED, milliseconds, times
from ..measure.run import PerformanceRun
from ..measure.steady import drift_note
from ..measure.targets import MET, MISSED, UNDECIDED, TargetResult, target_results
from ..vocabulary import (
    BOUNDED,
    CONTESTANTS,
    ONE_STREAM,
    OPERATIONS,
    PAGES_BY_TIER,
    RANGE,
    ROLLUP,
    SCENARIOS,
    STREAMS,
    TWO_STREAMS,
    UNBOUNDED,
)
from .figures import Way, gain_of, latency_of
from .sizing import size_cluster


@dataclass(frozen=True)
class KeyFigure:
    """A number that a reader takes home: its value as text, what it is, and the number itself (None: not measured)."""

    label: str
    text: str
    number: float | None = None


def headline(run: PerformanceRun) -> str:
    """Return the run's result in one or two sentences, bad news first."""
    prefix = "" if run.complete else "Incomplete run: "
    figures = [
        latency_of(run, tier, operation, scenario)
        for tier in run.tiers
        for operation in PAGES_BY_TIER
        for scenario in SCENARIOS
    ]
    pages = [page.p95 for page in figures if page.n]
    if not pages:
        return f"{prefix}it was stopped before a page had been measured." if prefix else "No page was measured."
    sizes = f"{run.tiers[-1]} to {run.tiers[0]}" if len(run.tiers) > 1 else run.tiers[0]
    weak = ", with too few samples for a firm p95" if any(page.n and page.weak_p95 for page in figures) else ""
    spread = (
        f"the p95 of a page lies between {milliseconds(min(pages))} and {milliseconds(max(pages))}, {sizes} claims a "
        f"provider{weak}"
    )
    if unequal := sum(check.compared - check.equal for check in run.checks):
        compared = sum(check.compared for check in run.checks)
        return f"{prefix}{unequal} of {compared} compared answers differ, so no time here counts; {spread}."
    verdicts = _verdicts(target_results(run))
    if verdicts:
        text = f"{verdicts}{spread}."
    else:
        text = f"{spread[0].upper()}{spread[1:]}; no target was set for what was measured."
    failed = sum(sample.error is not None for sample in run.samples)
    if failed:
        text = f"{failed:,} of {len(run.samples):,} calls failed. {text}"
    return prefix + text


def problems(run: PerformanceRun) -> list[str]:
    """Return what a reader must know before believing the run; empty for a clean one."""
    found = []
    if not run.complete:
        found.append("The run was stopped before its end; what it had measured until then is shown.")
    for check in run.checks:
        if check.equal < check.compared:
            found.append(
                f"Answers differ: {OPERATIONS[check.operation].words} on {check.tier} ({check.section}), "
                f"{check.compared - check.equal} of {check.compared} pairs."
            )
    kinds: dict[str, int] = {}
    for sample in run.samples:
        if sample.error:
            kinds[sample.error] = kinds.get(sample.error, 0) + 1
    for kind, count in kinds.items():
        found.append(f"{count:,} calls failed with {kind}; they are in no percentile.")
    if retried := sum(sample.error is None and sample.retries > 0 for sample in run.samples):
        found.append(f"{retried:,} calls were repeated by the driver; they are in no percentile.")
    all_figures = run.figures()
    if drifted := [one for one in all_figures if one.statistics.drift is not None]:
        series, figures, _ = max(drifted, key=lambda one: abs(math.log(one.statistics.drift)))
        found.append(
            f"{len(drifted)} of {len(all_figures)} series changed during the run, so that a p95 there is less certain "
            f"than its interval says; most of all {series.label}{f', {series.tier}' if series.tier else ''} "
            f"({drift_note(figures.drift)})."
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
    windows = f" (median of {faster.n} windows, from {times(faster.least)} to {times(faster.most)})" if faster else ""
    figures = [
        KeyFigure(
            f"first page of a {run.settings.performance.window_days}-day range at {tier} claims "
            f"(p95 of {page.n}{weak})",
            milliseconds(page.p95),
            page.p95,
        ),
        KeyFigure(
            f"as fast as the unbounded query for that page{windows}",
            NOT_MEASURED if faster is None else f"{times(faster.median)} times",
            None if faster is None else faster.median,
        ),
    ]
    sizing = size_cluster(run) if run.footprint.claims else None
    cheapest = sizing and sizing.cheapest
    figures.append(
        KeyFigure(
            f"cheapest Atlas tier that holds {run.footprint.claims:,} claims"
            + (f", ${cheapest.usd:.2f} for a demo of {sizing.hours:g} hours" if cheapest else ""),
            cheapest.name if cheapest else "none",
            cheapest.usd_per_hour if cheapest else None,
        )
    )
    return figures


def _verdicts(results: list[TargetResult]) -> str:
    """How many targets are met, as the beginning of a sentence; empty if none was measured."""
    missed, undecided, met = ([r for r in results if r.verdict == verdict] for verdict in (MISSED, UNDECIDED, MET))
    n = len(missed) + len(undecided) + len(met)
    open_ = f"{len(undecided)} {'is' if len(undecided) == 1 else 'are'} not decided"
    if missed:
        worst = max(missed, key=lambda result: result.value_ms / result.target_ms)
        by_how_much = f"{milliseconds(worst.value_ms)} against {milliseconds(worst.target_ms)}"
        most = f"by the most for {worst.operation} at {worst.tier}: {by_how_much}"
        return f"{len(missed)} of {n} targets are missed, {most}; {f'{open_}; ' if undecided else ''}"
    if met and undecided:
        return f"{len(met)} of {n} targets are met, {open_}: "
    if undecided:
        return f"None of {n} targets is decided: " if n > 1 else "The target is not decided: "
    return f"All {n} targets are met: " if n > 1 else "The target is met: " if met else ""


def volume_finding(run: PerformanceRun) -> str:
    """Return a sentence on streaming a whole provider."""
    found, rates = [], {}
    for series, figures, (_, claims, megabytes) in run.figures():
        if series.section == "volume" and claims:
            rates[series.contestant] = claims
            size = f" ({megabytes:,.1f} MB/s of BSON)" if megabytes else ""
            way = f"by {CONTESTANTS[series.contestant]} " if series.contestant else ""
            found.append(f"{way}{claims:,.0f} claims/s{size}, over {figures.n} readings of a {series.tier} provider")
    if not found:
        return "Streaming a whole provider: not measured."
    more = f", {times(rates[TWO_STREAMS] / rates[ONE_STREAM])} times as fast" if len(rates) == len(STREAMS) else ""
    return f"All claims of a provider, streamed in order: {'; '.join(found)}{more}."


def totals_finding(run: PerformanceRun) -> str:
    """Return what a rollup takes to be made, and of when it is; empty if none was made."""
    if run.rollup is None:
        return ""
    made = run.statistics(section="totals", operation="build", contestant=ROLLUP)
    return (
        f"The rollup has {run.rollup.documents:,} documents, one for each provider and month, and took "
        f"{milliseconds(made.p50)} to make. Its totals are exact as of {run.rollup.as_of:%Y-%m-%d %H:%M:%S} UTC, and "
        "stay what they are when claims are written, unless somebody updates it."
    )
