"""The title, subtitle, and description of each chart, computed from the samples.

The description says what the chart shows, for a reader who cannot see it.
"""

import itertools

from ..display import milliseconds, quantity, times
from ..measure.confidence import FEWEST_FOR_MEDIAN
from ..measure.run import PerformanceRun
from ..measure.samples import Statistics
from ..vocabulary import BOUNDED, BY_TIER, KEYSET, PROVIDER, RANGE, SCENARIOS, SKIP, UNBOUNDED
from .figures import (
    Gain,
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
_NO_GAIN = 1.1


def latency_title(run: PerformanceRun) -> str:
    """Return the title of the latency chart: how the first page of all claims changes with provider size."""
    ends = _ends(run, PROVIDER)
    if ends is None:
        return "Latency by provider size"
    large, small = (figures.p50 for _, figures in ends)
    ratio = ratio_of(large, small)
    if len(run.tiers) == 1 or ends[0][0] == ends[1][0]:
        return f"First page: {milliseconds(large)} at {ends[0][0]} claims"
    if ratio > FLAT:
        return "Provider-only pages take longer as providers grow"
    if ratio < 1 / FLAT:
        return "Provider-only pages get no slower as providers grow"
    return f"Provider-only pages stay flat, {ends[1][0]} to {ends[0][0]} claims"


def latency_subtitle(run: PerformanceRun) -> str:
    """Return the figures behind the title: the first page at the smallest and largest tier, in both scenarios."""
    trends = [f"{asked.words}, {trend}" for name, asked in SCENARIOS.items() if (trend := _trend(run, name))]
    return f"Median of the first page: {'; '.join(trends)}." if trends else "Not measured."


def plans_title(run: PerformanceRun) -> str:
    """Return the title of the date-range chart: what the bounded query gains."""
    compared, equal = _answers(run)
    if equal < compared:
        return "Answers differ, so the timings are not valid"
    found = _gain(run)
    if found is None:
        return "Ways to query a date range"
    median, least, most, n = found[1]
    if median <= _NO_GAIN:
        return "The bounded query is no faster" if median > 1 / _NO_GAIN else "The bounded query is slower"
    if n == 1 or n >= FEWEST_FOR_MEDIAN:
        return f"{found[0]} first page: {times(median)} times faster"
    # With this few windows, the range of the gain is known but its median is not.
    if least <= _NO_GAIN:
        return f"{found[0]} first page: up to {times(most)} times faster"
    return f"{found[0]} first page: {times(least)} to {times(most)} times faster"


def plans_subtitle(run: PerformanceRun) -> str:
    """Return the figures behind the title: the first page by each query, and whether the answers were the same."""
    found = _gain(run)
    if found is None:
        return "Not compared."
    tier, gain = found
    shown = [
        f"{way.words(run)} {milliseconds(figures.p50)} (n = {figures.n})"
        for way in ways_of(run)
        if (figures := range_of(run, tier, "first_page", way)).n
    ]
    compared, equal = _answers(run)
    answers = (
        "Answers were not compared."
        if not compared
        else f"All {equal:,} compared answers agree."
        if equal == compared
        else f"{compared - equal:,} of {compared:,} compared answers differ."
    )
    the_query = "the unbounded query takes"
    shared = (
        f"the {gain.n} ranges that both ran, {the_query} a median of"
        if gain.n > 1
        else f"the one range that both ran, {the_query}"
    )
    return (
        f"Median of the first page at {tier}: {', '.join(shown)}. On {shared} "
        f"{times(gain.median)} times as long ({times(gain.least)} to {times(gain.most)}). {answers}"
    )


def keyset_title(run: PerformanceRun) -> str:
    """Return the title of the depth chart: how a keyset page changes with depth."""
    medians = [keyset for _, keyset, _ in _depths(run)]
    if not medians:
        return "Keyset vs. skip/limit"
    if max(medians) <= FLAT * min(medians):
        return "Keyset pages stay flat at any depth"
    return "Keyset pages get slower with depth" if medians[-1] > FLAT * medians[0] else "Keyset pages vary with depth"


def keyset_subtitle(run: PerformanceRun) -> str:
    """Return the figures behind the title: keyset at the first and last depth, and skip/limit at the last."""
    found = _depths(run)
    if not found:
        return "Not measured."
    (_, first, _), (depth, last, skip) = found[0], found[-1]
    medians = [keyset for _, keyset, _ in found]
    against = f"{times(ratio_of(skip, last))} times as long" if skip > _NO_GAIN * last else "no longer"
    return (
        f"A keyset page takes {milliseconds(first)} at the start and {milliseconds(last)} after {depth:,} claims "
        f"({milliseconds(min(medians))} to {milliseconds(max(medians))} overall). A skip/limit page takes "
        f"{milliseconds(skip)} there, {against}. All are medians."
    )


def concurrency_title(run: PerformanceRun) -> str:
    """Return the title of the concurrency chart: the highest rate, and what limits it."""
    best = _best(run)
    if best is None:
        return "Concurrent clients"
    pages = at_once(run, best)[1].pages_per_s
    if clients_at_their_limit(run, best):
        # If the clients' machine has no CPU left, the rate is not the server's capacity.
        return f"{pages:,.0f} pages per second, limited by this machine"
    return f"{pages:,.0f} pages per second with {quantity(best, 'client')}"


def concurrency_subtitle(run: PerformanceRun) -> str:
    """Return the figures behind the title: the highest rates, their p95, and what more clients gain."""
    best = _best(run)
    if best is None:
        return "Not measured."
    fewest = min(level.clients for level in run.levels if at_once(run, level.clients)[0].n)
    slow, (pages, claims, _) = at_once(run, best)
    one = at_once(run, fewest)[1].pages_per_s
    if clients_at_their_limit(run, best):
        shared = "This machine's CPUs, shared by clients and server,"
        limit = shared if run.conditions.host_kind == "local" else "The clients' CPUs"
        more = f" {limit} are the limit, so this is not the server's capacity."
    elif best == fewest:
        more = ""
    else:
        more = f" That is {times(pages / one)} times the rate of {quantity(fewest, 'client')}."
    return (
        f"{quantity(best, 'client').capitalize()}: {pages:,.0f} pages and {claims:,.0f} claims per second, with a p95 "
        f"of {milliseconds(slow.p95)}.{more}"
    )


def _gain(run: PerformanceRun) -> tuple[str, Gain] | None:
    """The largest tier where both queries ran, and what the bounded one gains there; None if there is no such tier."""
    own = run.settings.index
    for tier in run.tiers:
        if gain := gain_of(run, tier, "first_page", Way(UNBOUNDED, own), Way(BOUNDED, own)):
            return tier, gain
    return None


def _answers(run: PerformanceRun) -> tuple[int, int]:
    """How many date-range answers were compared, and how many of them were equal."""
    checks = [check for check in run.checks if check.section == "ranges"]
    return sum(check.compared for check in checks), sum(check.equal for check in checks)


def _depths(run: PerformanceRun) -> list[tuple[int, float, float]]:
    """Each depth with its medians by keyset and by skip/limit, where both were measured."""
    found = [(depth, depth_of(run, depth, KEYSET), depth_of(run, depth, SKIP)) for depth in depths_of(run)]
    return [(depth, keyset.p50, skip.p50) for depth, keyset, skip in found if keyset.n and skip.n]


def _best(run: PerformanceRun) -> int | None:
    """The number of clients that reached the highest rate; None if none was measured."""
    measured = [level.clients for level in run.levels if at_once(run, level.clients)[0].n]
    return max(measured, key=lambda clients: at_once(run, clients)[1].pages_per_s, default=None)


def latency_described(run: PerformanceRun) -> str:
    """Return what the latency chart shows; empty if it shows nothing."""
    if not any(latency_of(run, *asked).n for asked in itertools.product(run.tiers, BY_TIER, SCENARIOS)):
        return ""
    pages = {tier: latency_of(run, tier, "first_page", RANGE) for tier in run.tiers}
    shown = [f"{tier} {milliseconds(figures.p95)}" for tier, figures in pages.items() if figures.n]
    return (
        "Lines join the medians by provider size on logarithmic axes: every operation for a provider alone, and the "
        "first page of a date range by each query."
        + (f" p95 of the first page of a date range: {', '.join(shown)}." if shown else "")
    )


def plans_described(run: PerformanceRun) -> str:
    """Return what the date-range chart shows; empty if it shows nothing."""
    ways, shown = ways_of(run), []
    for tier in run.tiers:
        medians = [f"{way.words(run)} {milliseconds(range_of(run, tier, 'first_page', way).p50)}" for way in ways]
        shown.append(f"at {tier} {', '.join(medians)}")
    return f"Median of the first page: {'; '.join(shown)}." if ways else ""


def keyset_described(run: PerformanceRun) -> str:
    """Return what the depth chart shows; empty if it shows nothing."""
    shown = []
    for depth in depths_of(run):
        keyset, skip = (depth_of(run, depth, way).p50 for way in (KEYSET, SKIP))
        shown.append(f"after {depth:,} claims {milliseconds(keyset)} and {milliseconds(skip)}")
    return f"Median of a page, by keyset and by skip/limit: {', '.join(shown)}." if shown else ""


def concurrency_described(run: PerformanceRun) -> str:
    """Return where to find the figures of the concurrency chart; empty if there are none."""
    if not run.levels:
        return ""
    return "The table below has the figures: pages per second, and p50 and p95 of a page, by number of clients."


def _ends(run: PerformanceRun, scenario: str) -> tuple[tuple[str, Statistics], tuple[str, Statistics]] | None:
    """The largest and the smallest tier where the first page was measured, each with its figures; None if none was."""
    found = [(tier, latency_of(run, tier, "first_page", scenario)) for tier in run.tiers]
    measured = [(tier, figures) for tier, figures in found if figures.n]
    return (measured[0], measured[-1]) if measured else None


def _trend(run: PerformanceRun, scenario: str) -> str:
    """Say how the first page of the smallest tier compares with that of the largest; empty if not measured."""
    ends = _ends(run, scenario)
    if ends is None:
        return ""
    (large, at_large), (small, at_small) = ends
    if large == small:
        return f"{milliseconds(at_large.p50)} at {large} claims (n = {at_large.n})"
    factor = run.claims_per_provider(large) / run.claims_per_provider(small)
    ratio = ratio_of(at_large.p50, at_small.p50)
    trend = (
        "flat"
        if 1 / FLAT <= ratio <= FLAT
        else f"{times(ratio)} times the latency for {factor:,.0f} times the claims"
        if ratio > 1
        else "faster for the larger provider"
    )
    slowest = max(run.tiers, key=lambda tier: latency_of(run, tier, "first_page", scenario).p50 or 0.0)
    between = latency_of(run, slowest, "first_page", scenario).p50
    more = f" (at most {milliseconds(between)}, at {slowest})" if slowest not in (large, small) else ""
    return f"{milliseconds(at_small.p50)} at {small} claims and {milliseconds(at_large.p50)} at {large}, {trend}{more}"
