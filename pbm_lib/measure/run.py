"""A performance run: every sample and what it was taken on; saved under its id and never overwritten."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ..display import facts_html, facts_text
from ..errors import RunFileError
from ..store.footprint import Footprint
from .conditions import Conditions
from .run_file import SCHEMA, Check, Level, PlanCost, RunContent, RunSettings, from_json, to_json
from .samples import Sample, Series, Statistics, statistics_of

_SECTIONS = ("floor", "latency", "plans", "depth", "concurrency", "volume")  # the order of the report
_OPERATIONS = {
    "ping": "ping",
    "count": "count",
    "first_page": "first page",
    "next_page": "next page",
    "deep_page": "deep page",
    "page": "page",
    "stream": "whole provider streamed",
}
_SCENARIOS = {"provider": "provider only", "range": "date range", None: ""}


@dataclass(frozen=True, repr=False)
class PerformanceRun:
    """One performance run: every sample, and what it was taken on.

    Attributes:
        id: start and a random part; also the name of its file.
        complete: False while it goes on, and for ever if it was stopped.
        started: when it began, UTC.
        ended: when its last sample was written, UTC.
        settings: the sections of config.yaml that matter, with the overrides of this run.
        conditions: server, indexes, machine and versions.
        footprint: sizes on the server in bytes.
        checks: answers of two contestants compared.
        plans: keys and documents that each plan examined for one page.
        levels: how long each number of clients was at work.
        notes: what was left out, and why.
        samples: every call, with its time in ms.
        path: its file; None where it has none.
    """

    id: str
    complete: bool
    started: dt.datetime
    ended: dt.datetime
    settings: RunSettings
    conditions: Conditions
    footprint: Footprint
    checks: tuple[Check, ...] = ()
    plans: tuple[PlanCost, ...] = ()
    levels: tuple[Level, ...] = ()
    notes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    path: Path | None = field(default=None, compare=False)

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return (self.ended - self.started).total_seconds()

    @cached_property
    def _by_series(self) -> dict[Series, list[Sample]]:
        # A report asks hundreds of times for one series out of thousands of samples.
        found: dict[Series, list[Sample]] = {}
        for sample in self.samples:
            found.setdefault(sample.series, []).append(sample)
        return found

    @property
    def tiers(self) -> tuple[str, ...]:
        """Tiers measured, those with the most claims a provider first."""
        sizes = {tier.name: tier.claims_per_provider for tier in self.settings.data_generation.tiers}
        return tuple(sorted(self.settings.performance.tiers_to_test, key=lambda tier: -sizes[tier]))

    def claims_per_provider(self, tier: str) -> int:
        """Return the claims of each provider of a tier, as configured.

        Args:
            tier: name of a tier of the run's config.
        """
        return next(t.claims_per_provider for t in self.settings.data_generation.tiers if t.name == tier)

    def select(self, **labels: Any) -> list[Sample]:
        """Return the samples with these labels.

        Args:
            labels: fields of a sample and their values, for example `section="latency", tier="1M"`.
        """
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
        """Return the figures of the samples with these labels, in ms.

        Args:
            labels: as in `select`.
        """
        return statistics_of(self.select(**labels))

    def series(self) -> dict[Series, list[Sample]]:
        """Return all samples by what they measured, in a reader's order."""
        tiers, operations = [None, *self.tiers], list(_OPERATIONS)

        def order(series: Series) -> tuple:
            return (
                _SECTIONS.index(series.section),
                tiers.index(series.tier) if series.tier in tiers else len(tiers),
                series.scenario or "",
                operations.index(series.operation),
                series.depth or 0,
                series.clients or 0,
                series.contestant or "",
            )

        return {series: self._by_series[series] for series in sorted(self._by_series, key=order)}

    def summary(self):
        """Return the figures as a pandas DataFrame, a row a series; times in ms."""
        rows = []
        for series, samples in self.series().items():
            figures = statistics_of(samples)
            claims_per_s, mb_per_s = self.throughput(series, samples)
            rows.append(
                {
                    "section": series.section,
                    "measured": label_of(series),
                    "tier": series.tier or "",
                    "contestant": series.contestant or "",
                    "n": figures.n,
                    "min": figures.min,
                    "mean": figures.mean,
                    "p50": figures.p50,
                    "p95": figures.p95,
                    "max": figures.max,
                    "claims_per_s": claims_per_s,
                    "mb_per_s": mb_per_s,
                    "note": "; ".join(figures.notes),
                }
            )
        columns = ["section", "measured", "tier", "contestant", "n", "min", "mean", "p50", "p95", "max"]
        frame = pd.DataFrame(rows, columns=[*columns, "claims_per_s", "mb_per_s", "note"])
        numbers = ["min", "mean", "p50", "p95", "max", "claims_per_s", "mb_per_s"]
        return frame.astype(dict.fromkeys(numbers, float)).round({**dict.fromkeys(numbers, 2), "claims_per_s": 0})

    def throughput(self, series: Series, samples: list[Sample]) -> tuple[float | None, float | None]:
        """Return claims and megabytes (10^6 bytes) a second of a series; None where that is not its question.

        Args:
            series: what was measured.
            samples: its samples.
        """
        good = [sample for sample in samples if sample.counts]
        claims = sum(sample.claims or 0 for sample in good)
        if series.section == "concurrency":
            seconds = sum(level.seconds for level in self.levels if level.clients == series.clients)
            return (claims / seconds, None) if seconds else (None, None)
        if series.section == "volume" and good:
            seconds = sum(sample.ms for sample in good) / 1000
            size = sum(sample.bytes or 0 for sample in good)
            return claims / seconds, size / seconds / 1e6 if size else None
        return None, None

    def save(self, folder: str | Path) -> Path:
        """Write the run to a folder, under its id.

        Args:
            folder: made if missing.

        Returns:
            The file.

        Raises:
            RunFileError: a file of that name is there, or the folder cannot be written.
        """
        file = Path(folder).expanduser() / f"{self.id}.json"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as target:
                target.write(to_json(self._content()))
        except FileExistsError:
            raise RunFileError(f"{file} is there already; a run file is never overwritten.") from None
        except OSError as error:
            raise RunFileError(f"Cannot write {file}: {error.strerror}. Choose another output folder.") from None
        return file

    def save_progress(self) -> None:
        """Write the run over its own file, as it stands now; for the one who takes the samples."""
        written = self.path.with_suffix(".json.new")
        written.write_text(to_json(self._content()), encoding="utf-8")
        # In one step: whoever kills the run finds the file of before or of after, never a half.
        written.replace(self.path)

    @classmethod
    def load(cls, path: str | Path) -> PerformanceRun:
        """Read a run file.

        Args:
            path: what `save` returned.

        Returns:
            The run, equal to the one that was saved.

        Raises:
            RunFileError: no such file, not a run file, damaged, or of another schema.
        """
        file = Path(path).expanduser()
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise RunFileError(f"Cannot read the run file {file}: {reason}.") from None
        parts = vars(from_json(text, file.name))
        return cls(**{key: value for key, value in parts.items() if key in cls.__dataclass_fields__}, path=file)

    def _content(self) -> RunContent:
        parts = {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "path"}
        return RunContent(schema=SCHEMA, **parts)

    def facts(self) -> dict[str, str]:
        """Return label to value, what a reader wants to know of this run first."""
        conditions = self.conditions
        cache = f", cache {conditions.cache_bytes / 2**30:.2g} GB" if conditions.cache_bytes else ""
        good, all_ = sum(s.counts for s in self.samples), len(self.samples)
        failed = sum(s.error is not None for s in self.samples)
        retried = sum(s.error is None and s.retries > 0 for s in self.samples)
        state = f"complete, {self.seconds:.0f} s" if self.complete else "INCOMPLETE: it was stopped before its end"
        return {
            "Run": f"{self.id} ({state})",
            "Server": f"MongoDB {conditions.server_version}, {conditions.topology}, {conditions.host_kind}{cache}",
            "Claims": f"{self.footprint.claims:,}",
            "Samples": f"{good:,} of {all_:,} calls ({failed:,} failed, {retried:,} retried, rest warm-ups)",
        }

    def __repr__(self) -> str:
        return facts_text("PerformanceRun", self.facts())

    def _repr_html_(self) -> str:
        return facts_html(self.facts())


def label_of(series: Series) -> str:
    """Return what a series measured, in words, without tier and contestant."""
    text = _OPERATIONS[series.operation]
    if series.depth is not None:
        text += f" after {series.depth:,} claims"
    if series.scenario:
        text += f", {_SCENARIOS[series.scenario]}"
    if series.clients is not None:
        text += f", {series.clients} client{'s' if series.clients != 1 else ''} at once"
    return text
