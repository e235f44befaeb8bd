"""A performance run: every sample, and the conditions it was taken under. Saved under its id, never overwritten."""

import re
from dataclasses import field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import AwareDatetime, ConfigDict, field_validator
from pydantic.dataclasses import dataclass

from ..arguments import checked, full_path, in_short, not_accepted
from ..display import ShownAsFacts
from ..errors import PbmError, RunFileError
from ..store.footprint import Footprint
from ..vocabulary import BOUNDED, BY_TIER, CONTESTANTS, COUNT, OPERATIONS, PROVIDER, RANGE, SCENARIOS, SECTIONS
from . import run_file
from .conditions import Conditions
from .records import Arrivals, Check, Level, OfferedRate, QueryCost, Rollup, RunSettings
from .samples import Count, Sample, Series, Statistics, statistics_of
from .summary import Figures, Throughput, summary_of, throughput_of

_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_LABELS = (*(label.name for label in fields(Sample)), "counts")


@dataclass(frozen=True, repr=False, config=ConfigDict(extra="forbid"))
class PerformanceRun(ShownAsFacts):
    """One performance run: every sample, and the conditions it was taken under.

    Attributes:
        id: start time and a random part; also the name of the file.
        complete: False while the run is in progress, and permanently if it was stopped.
        started: start time, UTC.
        ended: when the last sample was written, UTC.
        settings: the relevant sections of config.yaml, with this run's overrides.
        conditions: server, indexes, machine, and versions.
        footprint: sizes on the server in bytes.
        checks: comparisons of two methods' results.
        costs: the explain figures of one query of each kind.
        levels: for each number of concurrent clients, how long they worked and how many processors were busy.
        offered: the rates of the open loop.
        rollup: the rollup that was built and queried; None if there was none.
        arrivals: the claims that were fed while pages were read; None if there were none.
        index_uses: how often each index was used during the run, as counted by the server; empty if unknown.
        notes: what was left out, and why.
        samples: every call, with its time in ms.
        method: 2; 1 for a run of schema 1, which had few samples and used threads as clients.
        path: the run file; None if there is none.
    """

    id: str
    complete: bool
    started: AwareDatetime
    ended: AwareDatetime
    settings: RunSettings
    conditions: Conditions
    footprint: Footprint
    checks: tuple[Check, ...] = ()
    costs: tuple[QueryCost, ...] = ()
    levels: tuple[Level, ...] = ()
    offered: tuple[OfferedRate, ...] = ()
    rollup: Rollup | None = None
    arrivals: Arrivals | None = None
    index_uses: dict[str, Count] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    method: Literal[1, 2] = 2
    path: Path | None = field(default=None, compare=False)

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if not _ID.fullmatch(value):  # the id becomes a file name
            raise ValueError("not a run id")
        return value

    @property
    def seconds(self) -> float:
        """Duration of the run in seconds."""
        return (self.ended - self.started).total_seconds()

    @cached_property
    def _by_series(self) -> dict[Series, list[Sample]]:
        # A report looks up a series hundreds of times, among thousands of samples.
        found: dict[Series, list[Sample]] = {}
        for sample in self.samples:
            found.setdefault(sample.series, []).append(sample)
        return found

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers measured, those with the most claims per provider first."""
        sizes = {tier.name: tier.claims_per_provider for tier in self.settings.data_generation.tiers}
        return tuple(sorted(self.settings.performance.tiers_to_test, key=lambda tier: -sizes[tier]))

    @checked(PbmError)
    def claims_per_provider(self, tier: str) -> int:
        """Return the configured number of claims per provider of a tier.

        Args:
            tier: name of a tier of the run's config.
        """
        sizes = {known.name: known.claims_per_provider for known in self.settings.data_generation.tiers}
        if tier not in sizes:
            raise not_accepted("tier", in_short(tier), f"one of {', '.join(sizes)}", PbmError)
        return sizes[tier]

    def select(self, **labels: Any) -> list[Sample]:
        """Return the samples with these labels.

        Args:
            labels: fields of a sample and their values, for example `section="latency", tier="1M"`.

        Raises:
            PbmError: a label is not a field of a sample.
        """
        if unknown := [name for name in labels if name not in _LABELS]:
            raise not_accepted("labels", ", ".join(unknown), f"any of {', '.join(_LABELS)}", PbmError)
        of_series = {name: value for name, value in labels.items() if name in Series._fields}
        of_sample = {name: value for name, value in labels.items() if name not in of_series}
        return [
            sample
            for series, samples in self._by_series.items()
            if all(getattr(series, name) == value for name, value in of_series.items())
            for sample in samples
            if all(getattr(sample, name) == value for name, value in of_sample.items())
        ]

    def statistics(self, **labels: Any) -> Statistics:
        """Return the statistics of the samples with these labels, in ms.

        Args:
            labels: as in `select`.
        """
        return statistics_of(self.select(**labels))

    @checked(PbmError)
    def latency_labels(self, tier: str, operation: str, scenario: str) -> dict[str, Any]:
        """Return the labels of the samples that time an operation the way an application calls it.

        Some operations are measured in the section that compares them with another method, not in section `latency`.

        Args:
            tier: name of a tier.
            operation: "count", "first_page", "next_page" or "deep_page".
            scenario: "provider" or "range".

        Raises:
            PbmError: an argument is invalid; the message names it.
        """
        self.claims_per_provider(tier)
        for name, value, accepted in (("operation", operation, BY_TIER), ("scenario", scenario, SCENARIOS)):
            if value not in accepted:
                raise not_accepted(name, in_short(value), f"one of {', '.join(accepted)}", PbmError)
        labels = {"tier": tier, "operation": operation, "scenario": scenario}
        if self.method == 2 and scenario == RANGE and operation in ("count", "first_page"):
            return {**labels, "section": "ranges", "contestant": BOUNDED, "index": self.settings.index}
        if self.method == 2 and scenario == PROVIDER and operation == "count":
            return {**labels, "section": "totals", "contestant": COUNT}
        return {**labels, "section": "latency"}

    def series(self) -> dict[Series, list[Sample]]:
        """Return all samples grouped by series, in report order."""
        tiers, operations, contestants = [None, *self.tiers], list(OPERATIONS), [None, *CONTESTANTS]

        def order(series: Series) -> tuple:
            return (
                SECTIONS.index(series.section),
                tiers.index(series.tier) if series.tier in tiers else len(tiers),
                series.scenario or "",
                operations.index(series.operation),
                series.depth or 0,
                series.clients or 0,
                series.load or 0,
                series.index or "",
                contestants.index(series.contestant),
            )

        return {series: self._by_series[series] for series in sorted(self._by_series, key=order)}

    def figures(self) -> list[Figures]:
        """Return the figures of every series, in report order."""
        return list(self._figures)

    @cached_property
    def _figures(self) -> tuple[Figures, ...]:
        return tuple(
            Figures(series, statistics_of(samples), self.throughput(series))
            for series, samples in self.series().items()
        )

    def summary(self) -> pd.DataFrame:
        """Return the figures as a pandas DataFrame, one row per series; times in ms."""
        return summary_of(self.figures())

    @checked(PbmError)
    def throughput(self, series: Series) -> Throughput:
        """Return the rates of a series.

        Args:
            series: a key of `series()`. Only concurrent clients and streamed providers have rates.
        """
        return throughput_of(series, self._by_series.get(series, []), self.levels, self.offered)

    @checked(RunFileError)
    def save(self, folder: str | Path) -> Path:
        """Write the run to a folder, as a new file named after its id.

        Args:
            folder: created if missing.

        Returns:
            The path of the file.

        Raises:
            RunFileError: the file already exists, or the folder cannot be written.
        """
        file = full_path("folder", folder, RunFileError) / f"{self.id}.json"
        run_file.write_new(self, file)
        return file

    @classmethod
    @checked(RunFileError)
    def load(cls, path: str | Path) -> Self:
        """Read a run file.

        Args:
            path: the file, as returned by `save`.

        Returns:
            The run, equal to the one that was saved.

        Raises:
            RunFileError: the file is missing, not a run file, damaged, or in an unknown schema.
        """
        file = full_path("path", path, RunFileError)
        return replace(run_file.read(cls, file), path=file)

    def facts(self) -> dict[str, str]:
        """Return facts about this run, label to value."""
        conditions = self.conditions
        cache = f", cache {conditions.cache_bytes / 2**30:.2g} GB" if conditions.cache_bytes else ""
        good, all_ = sum(s.counts for s in self.samples), len(self.samples)
        failed = sum(s.error is not None for s in self.samples)
        retried = sum(s.error is None and s.retries > 0 for s in self.samples)
        state = f"complete, {self.seconds:.0f} s" if self.complete else "INCOMPLETE: stopped early"
        return {
            "Run": f"{self.id} ({state})",
            "Server": f"MongoDB {conditions.server_version}, {conditions.topology}, {conditions.host_kind}{cache}",
            "Claims": f"{self.footprint.claims:,}",
            "Samples": f"{good:,} of {all_:,} calls ({failed:,} failed, {retried:,} retried, rest warm-ups)",
        }
