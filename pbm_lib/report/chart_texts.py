"""The title of each chart and what it shows in words, for a reader who cannot see it; computed from the samples."""

import itertools

from ..display import milliseconds, times
from ..measure.run import PerformanceRun
from ..vocabulary import BOUNDED, BY_TIER, INDEX_WORDS, KEYSET, RANGE, SCENARIOS, SKIP, UNBOUNDED
from .figures import (
    Way,
    at_once,
    clients_at_their_limit,
    depth_of,
    depths_of,
    gain_of,
    latency_of,
    range_of,
    ratio_of,
    ways_of,
)

FLAT = 2.0
"""Medians within this ratio of each other are called flat."""


def latency_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of latency by tier."""
    trends = [f"{asked.phrase}: {trend}" for name, asked in SCENARIOS.items() if (trend := _trend(run, name))]
    return f"First page of {'; of '.join(trends)}" if trends else "Latency by tier: not measured"


def plans_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of date ranges."""
    own = run.settings.index
    bounded, unbounded = Way(BOUNDED, own), Way(UNBOUNDED, own)
    others = [way for way in ways_of(run) if way.index != own]
    for tier in run.tiers:
        if gain := gain_of(run, tier, "first_page", unbounded, bounded):
            verdict = (
                f"{times(gain.median)} times faster"
                if gain.median > 1.1
                else "no faster"
                if gain.median > 0.9
                else f"{times(1 / gain.median)} times slower"
            )
            shown = [
                f"median first page {milliseconds(range_of(run, tier, 'first_page', bounded).p50)} against "
                f"{milliseconds(range_of(run, tier, 'first_page', unbounded).p50)}"
            ]
            shown += [
                f"{milliseconds(figures.p50)} on the {INDEX_WORDS[way.index]}"
                for way in others
                if (figures := range_of(run, tier, "first_page", way)).n
            ]
            return f"Bounded query {verdict} on the same windows at {tier}: {', '.join(shown)}{_answers(run)}"
    return "Bounded vs. unbounded query: not measured"


def _answers(run: PerformanceRun) -> str:
    compared = sum(check.compared for check in run.checks if check.section == "ranges")
    equal = sum(check.equal for check in run.checks if check.section == "ranges")
    if not compared:
        return "; answers not compared"
    if equal == compared:
        return f"; same answers in all {equal:,} comparisons"
    return f"; BUT {compared - equal:,} of {compared:,} answers differ"


def keyset_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of depth."""
    depths = [depth for depth in depths_of(run) if depth_of(run, depth, KEYSET).n and depth_of(run, depth, SKIP).n]
    if not depths:
        return "Keyset vs. skip/limit: not measured"
    first, last = depth_of(run, depths[0], KEYSET).p50, depth_of(run, depths[-1], KEYSET).p50
    skip = depth_of(run, depths[-1], SKIP).p50
    deep = f"after {depths[-1]:,} claims"
    medians = [depth_of(run, depth, KEYSET).p50 for depth in depths]
    verdict = "stay flat" if max(medians) <= FLAT * min(medians) else "get slower" if last > FLAT * first else "vary"
    flat = f"Keyset pages {verdict}: {milliseconds(first)} at the start, {milliseconds(last)} {deep}"
    if verdict == "vary":
        flat = f"{flat}, {milliseconds(min(medians))} to {milliseconds(max(medians))} overall"
    against = f"{times(ratio_of(skip, last))} times as long" if skip > 1.1 * last else "no slower"
    return f"{flat}; skip/limit takes {milliseconds(skip)} there, {against}"


def concurrency_finding(run: PerformanceRun) -> str:
    """Return the title of the chart of concurrent clients."""
    measured = [level.clients for level in run.levels if at_once(run, level.clients)[0].n]
    if not measured:
        return "Concurrent clients: not measured"
    best = max(measured, key=lambda clients: at_once(run, clients)[1].pages_per_s)
    slow, (pages, claims, _) = at_once(run, best)
    one = at_once(run, measured[0])[1].pages_per_s
    rates = f"{_clients(best)}: {pages:,.0f} pages/s, {claims:,.0f} claims/s"
    if clients_at_their_limit(run, best):
        # The rate of a machine that has nothing left is no capacity of the server.
        more = ", limited by the client machine's CPUs, so not the server's capacity"
    elif len(measured) == 1:
        more = ""
    elif pages > 1.1 * one:
        more = f", {times(pages / one)} times the rate of {_clients(measured[0])}"
    else:
        more = ", no gain from more clients"
    return f"{rates}{more}; p95 {milliseconds(slow.p95)}"


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def latency_described(run: PerformanceRun) -> str:
    """Return what the chart of latency by tier shows; empty if nothing."""
    if not any(latency_of(run, *asked).n for asked in itertools.product(run.tiers, BY_TIER, SCENARIOS)):
        return ""
    pages = {tier: latency_of(run, tier, "first_page", RANGE) for tier in run.tiers}
    shown = [f"{tier} {milliseconds(figures.p95)}" for tier, figures in pages.items() if figures.n]
    return (
        "Each call is a point on a logarithmic axis, by operation and tier: provider only on the left, with a date "
        "range on the right." + (f" p95 of the first page with a date range: {', '.join(shown)}." if shown else "")
    )


def plans_described(run: PerformanceRun) -> str:
    """Return what the chart of date ranges shows; empty if nothing."""
    ways, shown = ways_of(run), []
    for tier in run.tiers:
        medians = [f"{way.words(run)} {milliseconds(range_of(run, tier, 'first_page', way).p50)}" for way in ways]
        shown.append(f"at {tier} {', '.join(medians)}")
    return f"Median of the first page: {'; '.join(shown)}." if ways else ""


def keyset_described(run: PerformanceRun) -> str:
    """Return what the chart of depth shows; empty if nothing."""
    shown = []
    for depth in depths_of(run):
        keyset, skip = (depth_of(run, depth, way).p50 for way in (KEYSET, SKIP))
        shown.append(f"after {depth:,} claims {milliseconds(keyset)} and {milliseconds(skip)}")
    return f"Median of a page, by keyset and by skip/limit: {', '.join(shown)}." if shown else ""


def concurrency_described(run: PerformanceRun) -> str:
    """Return where the figures of the chart of concurrent clients are; empty if there are none."""
    if not run.levels:
        return ""
    return "The table below has the figures: pages per second, and p50 and p95 of a page, by number of clients."


def _trend(run: PerformanceRun, scenario: str) -> str:
    """Say how the first page of the smallest tier compares with that of the largest; empty if not measured."""
    measured = [tier for tier in run.tiers if latency_of(run, tier, "first_page", scenario).n]
    if not measured:
        return ""
    large, small = (latency_of(run, tier, "first_page", scenario) for tier in (measured[0], measured[-1]))
    if len(measured) == 1:
        return f"median {milliseconds(large.p50)} at {measured[0]}"
    factor = run.claims_per_provider(measured[0]) / run.claims_per_provider(measured[-1])
    ratio = ratio_of(large.p50, small.p50)
    trend = (
        "flat"
        if 1 / FLAT <= ratio <= FLAT
        else f"{times(ratio)} times the latency for {factor:,.0f} times the claims"
        if ratio > 1
        else "faster for the larger provider"
    )
    return f"median {milliseconds(small.p50)} at {measured[-1]}, {milliseconds(large.p50)} at {measured[0]}, {trend}"
