"""What a run found, in words. Every sentence is computed from the samples, so that a bad run reads like one."""

from __future__ import annotations

from dataclasses import dataclass

from ..display import NOT_MEASURED, milliseconds, times
from ..measure.run import PerformanceRun
from ..measure.samples import Statistics
from ..measure.targets import target_results
from .sizing import size_cluster

FLAT = 2.0
"""Medians within this ratio of each other are called flat."""


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
        _latency(run, tier, operation, scenario)
        for tier in run.tiers
        for operation in ("first_page", "next_page", "deep_page")
        for scenario in ("provider", "range")
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
    results = target_results(run)
    missed = [result for result in results if result.met is False]
    measured = [result for result in results if result.met is not None]
    if missed:
        worst = max(missed, key=lambda result: result.value_ms / result.target_ms)
        text = (
            f"{len(missed)} of {len(measured)} targets are missed, by the most for {worst.operation} at {worst.tier}: "
            f"{milliseconds(worst.value_ms)} against {milliseconds(worst.target_ms)}; {spread}."
        )
    elif measured:
        some = f"All {len(measured)} targets are met" if len(measured) > 1 else "The target is met"
        text = f"{some}: {spread}."
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
                f"Answers differ: {check.operation.replace('_', ' ')} on {check.tier} ({check.section}), "
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
    for tier, counted in run.conditions.provider_claims.items():
        if tier in run.tiers and counted != run.claims_per_provider(tier):
            found.append(
                f"The {tier} provider has {counted:,} claims, not {run.claims_per_provider(tier):,} as configured."
            )
    return found


def key_figures(run: PerformanceRun) -> list[KeyFigure]:
    """Return three numbers: a page of the largest provider, what the bounded plan saves, and the cost."""
    tier = run.tiers[0]
    page = _latency(run, tier, "first_page", "range")
    weak = ", few samples" if page.n and page.weak_p95 else ""
    bounded, plain = _plans(run, tier, "first_page")
    faster = plain.p50 / bounded.p50 if bounded.n and plain.n else None
    figures = [
        KeyFigure(
            f"first page of a {run.settings.performance.window_days}-day range at {tier} claims "
            f"(p95 of {page.n}{weak})",
            milliseconds(page.p95),
            page.p95,
        ),
        KeyFigure(
            f"as fast as the plain plan for that page (medians of {bounded.n} and {plain.n})",
            NOT_MEASURED if faster is None else f"{times(faster)} times",
            faster,
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


def latency_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of latency by tier."""
    scenarios = {"provider": "all claims", "range": "a date range"}
    trends = [f"{words}: {trend}" for scenario, words in scenarios.items() if (trend := _trend(run, scenario))]
    return f"First page of {'; of '.join(trends)}" if trends else "Latency by tier: no page was measured"


def plans_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of both plans."""
    for tier in run.tiers:
        bounded, plain = _plans(run, tier, "first_page")
        if bounded.n and plain.n:
            ratio = plain.p50 / bounded.p50
            verdict = (
                f"{times(ratio)} times faster"
                if ratio > 1.1
                else "no faster"
                if ratio > 0.9
                else f"{times(1 / ratio)} times slower"
            )
            compared = sum(check.compared for check in run.checks if check.section == "plans")
            equal = sum(check.equal for check in run.checks if check.section == "plans")
            answers = (
                f"the same answers in all {equal} comparisons"
                if equal == compared
                else (f"BUT {compared - equal} of {compared} answers differ")
            )
            return (
                f"Bounded plan {verdict} at {tier}: first page {milliseconds(bounded.p50)} against "
                f"{milliseconds(plain.p50)}, {answers}"
            )
    return "Bounded against plain plan: not measured"


def keyset_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of depth."""
    depths = [depth for depth in depths_of(run) if _depth(run, depth, "keyset").n and _depth(run, depth, "skip").n]
    if not depths:
        return "Keyset against skip/limit: not measured"
    first, last = _depth(run, depths[0], "keyset").p50, _depth(run, depths[-1], "keyset").p50
    skip = _depth(run, depths[-1], "skip").p50
    deep = f"{depths[-1]:,} claims deep"
    medians = [_depth(run, depth, "keyset").p50 for depth in depths]
    verdict = "stay flat" if max(medians) <= FLAT * min(medians) else "get slower" if last > FLAT * first else "vary"
    flat = f"Keyset pages {verdict}: {milliseconds(first)} at the start, {milliseconds(last)} {deep}"
    if verdict == "vary":
        flat = f"{flat}, {milliseconds(min(medians))} to {milliseconds(max(medians))} between"
    against = f"{times(skip / last)} times that" if skip > 1.1 * last else "no slower"
    return f"{flat}; skip/limit takes {milliseconds(skip)} there, {against}"


def concurrency_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of clients at once."""
    measured = [level.clients for level in run.levels if run.statistics(section="concurrency", clients=level.clients).n]
    if not measured:
        return "Several clients at once: not measured"
    best = max(measured, key=lambda clients: rates(run, clients)[0])
    pages, claims = rates(run, best)
    slow = run.statistics(section="concurrency", clients=best)
    one = rates(run, measured[0])[0]
    more = (
        f", {times(pages / one)} times the rate of {measured[0]}" if pages > 1.1 * one else ", more clients get no more"
    )
    more = more if len(measured) > 1 else ""
    name = "1 client" if best == 1 else f"{best} clients"
    return f"{name}: {pages:,.0f} pages/s, {claims:,.0f} claims/s{more}; p95 {milliseconds(slow.p95)}"


def volume_finding(run: PerformanceRun) -> str:
    """Return a sentence on streaming a whole provider."""
    for series, samples in run.series().items():
        claims, megabytes = run.throughput(series, samples)
        if series.section == "volume" and claims:
            size = f" ({megabytes:,.1f} MB/s of BSON)" if megabytes else ""
            n = sum(sample.counts for sample in samples)
            return f"All claims of a {series.tier} provider streamed: {claims:,.0f} claims/s{size}, over {n} streams."
    return "Streaming a whole provider: not measured."


def rates(run: PerformanceRun, clients: int) -> tuple[float, float]:
    """Return pages and claims a second that so many clients got together."""
    seconds = sum(level.seconds for level in run.levels if level.clients == clients)
    good = [sample for sample in run.select(section="concurrency", clients=clients) if sample.counts]
    return (len(good) / seconds, sum(sample.claims or 0 for sample in good) / seconds) if seconds else (0.0, 0.0)


def depths_of(run: PerformanceRun) -> list[int]:
    """Return the depths measured, ascending."""
    return sorted({sample.depth for sample in run.samples if sample.section == "depth" and sample.depth is not None})


def _trend(run: PerformanceRun, scenario: str) -> str:
    """Say how the first page of the smallest tier compares with that of the largest; empty if not measured."""
    measured = [tier for tier in run.tiers if _latency(run, tier, "first_page", scenario).n]
    if not measured:
        return ""
    large, small = (_latency(run, tier, "first_page", scenario) for tier in (measured[0], measured[-1]))
    if len(measured) == 1:
        return f"median {milliseconds(large.p50)} at {measured[0]}"
    factor = run.claims_per_provider(measured[0]) / run.claims_per_provider(measured[-1])
    ratio = large.p50 / small.p50
    trend = (
        "flat"
        if 1 / FLAT <= ratio <= FLAT
        else f"{times(ratio)} times that for {factor:,.0f} times the claims"
        if ratio > 1
        else "faster for the larger provider"
    )
    return f"median {milliseconds(small.p50)} at {measured[-1]}, {milliseconds(large.p50)} at {measured[0]}, {trend}"


def _latency(run: PerformanceRun, tier: str, operation: str, scenario: str) -> Statistics:
    return run.statistics(section="latency", tier=tier, operation=operation, scenario=scenario)


def _plans(run: PerformanceRun, tier: str, operation: str) -> tuple[Statistics, Statistics]:
    labels = {"section": "plans", "tier": tier, "operation": operation}
    return run.statistics(contestant="bounded", **labels), run.statistics(contestant="plain", **labels)


def _depth(run: PerformanceRun, depth: int, contestant: str) -> Statistics:
    return run.statistics(section="depth", depth=depth, contestant=contestant)
