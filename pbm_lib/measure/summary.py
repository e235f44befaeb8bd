"""The figures of a run, series by series: rates, and one data frame of everything."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from ..display import LEAST_MS
from .records import Level, OfferedRate
from .samples import Sample, Series, Statistics

KEYS = ["section", "measured", "tier", "contestant"]
"""Columns of the summary that identify a row."""
_TIMES = ["min", "mean", "p50", "p50_low", "p50_high", "p95", "p95_low", "p95_high", "max"]
_RATES = ["claims_per_s", "mb_per_s"]
NUMBERS = [*_TIMES, *_RATES]
"""Columns of the summary that hold figures: times in ms, and rates."""


class Throughput(NamedTuple):
    """Pages, claims, and megabytes (10^6 bytes) per second of a series; None where a rate does not apply."""

    pages_per_s: float | None = None
    claims_per_s: float | None = None
    mb_per_s: float | None = None


class Figures(NamedTuple):
    """What was measured, its times, and its rates."""

    series: Series
    statistics: Statistics
    rates: Throughput


def throughput_of(
    series: Series, samples: Iterable[Sample], levels: Iterable[Level], offered: Iterable[OfferedRate]
) -> Throughput:
    """Return the rates of concurrent clients or of a streamed provider; other series have none.

    In the open loop, they are the rates achieved; those offered are in the run's `offered`.
    """
    good = [sample for sample in samples if sample.counts]
    claims = sum(sample.claims or 0 for sample in good)
    if series.section in ("concurrency", "open_loop"):
        closed = [level for level in levels if level.clients == series.clients]
        open_ = [rate for rate in offered if (rate.load, rate.clients) == (series.load, series.clients)]
        seconds = sum(known.seconds for known in (closed if series.section == "concurrency" else open_))
        return Throughput(len(good) / seconds, claims / seconds) if seconds else Throughput()
    if series.section == "volume" and good:
        seconds = max(sum(sample.ms for sample in good), LEAST_MS) / 1000
        size = sum(sample.bytes or 0 for sample in good)
        return Throughput(None, claims / seconds, size / seconds / 1e6 if size else None)
    return Throughput()


def summary_of(figures: Iterable[Figures]) -> pd.DataFrame:
    """Return the figures as a data frame, one row per series."""
    rows = [
        (
            series.section, series.label, series.tier or "", series.contestant or "",
            times.n, *(getattr(times, name) for name in _TIMES), *(getattr(rates, name) for name in _RATES),
            "; ".join(times.notes),
        )
        for series, times, rates in figures
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=[*KEYS, "n", *NUMBERS, "note"]).astype(dict.fromkeys(NUMBERS, float))
    return frame.round({**dict.fromkeys(NUMBERS, 2), "claims_per_s": 0})
