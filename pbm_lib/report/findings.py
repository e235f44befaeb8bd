"""What a run found, in words. Every sentence is computed from the samples, so a bad run reads like a bad run."""

import math

from ..display import milliseconds, quantity, times
from ..measure.records import Arrivals
from ..measure.run import PerformanceRun
from ..measure.samples import Series
from ..measure.steady import drift_note
from ..vocabulary import (
    BEFORE,
    BOUNDED,
    CONTESTANTS,
    DURING,
    INDEX_WORDS,
    ONE_STREAM,
    OPERATIONS,
    OVERLAP,
    RANGE,
    ROLLUP,
    STREAMS,
    THREE_FIELD,
    TWO_STREAMS,
)
from .figures import phase_of
from .table import Estimate

_ON_TIME = 0.95
"""A feed that achieved at least this share of the rate due is reported without the rate due."""
_COMPARED = CONTESTANTS | INDEX_WORDS  # what the answers of the application's own way were compared with


def problems(run: PerformanceRun) -> list[str]:
    """Return what a reader must know before trusting the run; empty for a clean run."""
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
    if run.arrivals and not run.arrivals.is_exact:
        found.append(f"{_exactness(run.arrivals)}, while other claims arrived.")
    if run.arrivals and run.arrivals.left:
        found.append(f"{run.arrivals.left:,} of the fed claims could not be removed. Run remove_fed_claims(store).")
    kinds: dict[str, int] = {}
    for sample in run.samples:
        if sample.error:
            kinds[sample.error] = kinds.get(sample.error, 0) + 1
    for kind, count in kinds.items():
        found.append(f"{quantity(count, 'call')} failed with {kind}. No figure includes {_them(count)}.")
    if retried := sum(sample.error is None and sample.retries > 0 for sample in run.samples):
        found.append(f"The driver retried {quantity(retried, 'call')}. No figure includes {_them(retried)}.")
    for tier, counted in run.conditions.provider_claims.items():
        if tier in run.tiers and counted != run.claims_per_provider(tier):
            found.append(
                f"The {tier} provider has {counted:,} claims, not {run.claims_per_provider(tier):,} as configured."
            )
    return found


def cautions(run: PerformanceRun) -> list[str]:
    """Return which p95 values are less certain than their intervals say; empty if every series was steady."""
    found = []
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
            f"In {len(alike)} of {len(all_figures)} series, consecutive calls are correlated, so their p95 is less "
            f"certain than its interval says. Most correlated: {_named(most.series)} "
            f"(rank correlation {most.statistics.likeness:.1f})."
        )
    return found


def volume_finding(run: PerformanceRun) -> str:
    """Return a sentence about reading a whole provider; empty if that was not measured."""
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
    """Return how long the rollup took to build, and the time as of which it is exact; empty if none was built."""
    if run.rollup is None:
        return ""
    made = run.statistics(section="totals", operation="build", contestant=ROLLUP)
    took = f", and took {milliseconds(made.p50)} to build" if made.n else ""
    return (
        f"The rollup has {run.rollup.documents:,} documents, one per provider and month{took}. Its totals are exact "
        f"as of {run.rollup.as_of:%Y-%m-%d %H:%M:%S} UTC. Later writes do not change them unless something updates the "
        "rollup."
    )


def arrivals_finding(run: PerformanceRun) -> str:
    """Return how the feed affected the p95 of a page, and whether claims were lost; empty if not measured."""
    fed, before, during = run.arrivals, phase_of(run, BEFORE), phase_of(run, DURING)
    if fed is None or not (before.n and during.n):
        return ""
    ours, theirs = Estimate.p95(during), Estimate.p95(before)
    if None in (*ours, *theirs):
        compared = "There are too few samples to compare the two"
    elif ratio := ours.over(theirs):
        compared = f"That is {times(ratio)} times as long, and the 95% intervals do not overlap"
    else:
        compared = "The 95% intervals overlap, so these samples do not tell the two apart"
    if not (before.is_steady and during.is_steady):
        compared += "; as the times drifted or were correlated, the intervals are too narrow"
    due = f" ({fed.offered:,.0f} were due)" if fed.achieved < _ON_TIME * fed.offered else ""
    if fed.is_halved:
        burst = (
            f"In a burst beforehand, the server took {fed.burst_achieved:,.0f} claims/s. The feed was set to "
            "half of that."
        )
    else:
        burst = "In a burst beforehand, the server kept up with twice that rate."
    removed = f"{fed.left:,} of which are still in the collection" if fed.left else "all of which were removed again"
    return (
        f"While {fed.achieved:,.0f} claims/s arrived{due}, the p95 of a page was {milliseconds(ours.value)}, against "
        f"{milliseconds(theirs.value)} before. {compared}. {burst} Including the burst, {fed.fed:,} claims were fed, "
        f"{removed}. {_exactness(fed)}."
    )


def examined_finding(run: PerformanceRun) -> str:
    """Return why a bounded range page examines more than it returns.

    The text is empty if the run did not explain such a page on the three-field index.
    """
    page = (run.tiers[0], "first_page", RANGE, BOUNDED)
    costs = [cost for cost in run.costs if (cost.tier, cost.operation, cost.scenario, cost.query) == page]
    variants = {cost.variant for cost in costs}
    if THREE_FIELD not in variants:
        return ""
    skipped = " The overlap index lets the server skip most of those claims." if OVERLAP in variants else ""
    return (
        f"On the three-field index, the bounded query also examines claims that began up to "
        f"{run.conditions.max_claim_days} days before the range, to see whether they reach into it.{skipped}"
    )


def _exactness(fed: Arrivals) -> str:
    return (
        f"Pages lost {quantity(fed.lost, 'claim')} and repeated {fed.repeated:,}, in {fed.checked:,} checks of claims "
        "that were present throughout"
    )


def _named(series: Series) -> str:
    return ", ".join(filter(None, (series.label, CONTESTANTS.get(series.contestant), series.tier)))


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
