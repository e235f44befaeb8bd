"""Take the samples of a performance run. The run file exists from the start and grows as samples are taken."""

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..arguments import checked, in_short, not_accepted
from ..claims.roster import list_providers
from ..config import Config, PerformanceConfig, wanted
from ..config_file import output_folder
from ..errors import ConfigError, LoadError, PbmError, SetupError
from ..query.find import count_claims
from ..query.stopwatch import Stopwatch
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore
from ..working import unsaid
from .arrivals import clear_left_claims, measure_arrivals
from .clients import measure_concurrency
from .cold import measure_cold_pages
from .conditions import measure_conditions
from .crowd import Crowd
from .depth import measure_depth
from .explains import counted_index_uses, explain_application
from .live_chart import LiveChart
from .open_loop import LOADS, measure_open_loop
from .operations import measure_latency
from .progress import Progress
from .ranges import measure_ranges
from .recorder import Recorder
from .records import RunSettings
from .run import PerformanceRun
from .totals import measure_totals
from .volume import measure_volume


def _measure_clients(recorder: Recorder) -> None:
    """Measure the closed loop, then the open loop, with the same processes: each takes about a second to start."""
    settings = recorder.settings
    recorder.progress.expect((len(settings.concurrency) + len(LOADS)) * settings.concurrency_seconds)
    with Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
        measure_open_loop(recorder, crowd)


_PARTS = {
    "cold pages": measure_cold_pages,  # first: no other part has read claims yet
    "latency": measure_latency,
    "clients": _measure_clients,
    # At this point, the cache holds what users' queries need. The later parts fill it with everything else.
    "sizes": lambda recorder: recorder.footprint(measure_footprint(recorder.store)),
    "depth": measure_depth,
    "totals": measure_totals,
    "volume": measure_volume,
    "explain": explain_application,
    "date ranges": measure_ranges,
    # Last, because it writes: what it leaves in the cache (or in the collection, if killed) affects no other figure.
    "while claims arrive": measure_arrivals,
}
"""The parts of a run, in the order they are measured."""


@checked(ConfigError)
def run_performance(
    store: ClaimStore,
    *,
    samples: int | None = None,
    seconds_per_series: float | None = None,
    warmup: int | None = None,
    unbounded_samples: int | None = None,
    tiers: Sequence[str] | None = None,
    concurrency: Sequence[int] | None = None,
    concurrency_seconds: float | None = None,
    feed_per_second: float | None = None,
    live_seconds: float | None = None,
    compare_indexes: bool | None = None,
    seed: int | None = None,
    output_dir: str | Path | None = None,
    progress: bool = True,
) -> PerformanceRun:
    """Measure pages and totals on a loaded collection.

    The loaded claims are not changed. While comparing, the run builds the other index variant and a collection of
    totals per provider and month. At the end, it feeds claims for a few seconds and removes them. With a read-only
    user, the run skips these steps and adds a note. Claims fed by a run that was killed are removed by the next run,
    `load_claims`, or `remove_fed_claims`.

    An argument that is None is taken from the `performance` section of the config. The same seed runs the same queries
    in the same order. The run file grows as samples are taken; if the run is stopped, the file remains, marked
    incomplete.

    Args:
        store: a store whose claims are loaded.
        samples: maximum samples per operation, 1 to 100,000.
        seconds_per_series: limit per operation in seconds, above 0. However slow, the application's pages and totals
            get at least 72 samples, the minimum for a verdict on a target, and most others at least 20.
        warmup: warm-up samples per operation, 0 to 1,000; they are excluded from the statistics.
        unbounded_samples: minimum number of first pages timed with the unbounded query, 0 to 10,000, with half as many
            totals; at a large provider, each takes seconds. 0 skips them.
        tiers: names of the tiers to measure.
        concurrency: numbers of concurrent clients, each 1 to 64; an empty list skips that part.
        concurrency_seconds: seconds for each number of clients and for each open-loop rate, above 0.
        feed_per_second: claims per second that arrive while pages are read, 0 to 2,500, but at most half of what the
            server accepts in a burst; 0 skips that part.
        live_seconds: seconds of page reads in each phase (before, during, and after the feed), above 0 and at most 600.
        compare_indexes: also build the other index variant, compare the two, and drop it again.
        seed: seed for the date ranges, the providers, and the order; at least 0.
        output_dir: folder for outputs; the run file goes to its subfolder `runs`. None or "" means the project's
            `outputs`.
        progress: show a bar on standard output and, in a notebook, a small live chart.

    Returns:
        The run; its `path` is the run file.

    Raises:
        ConfigError: an argument is invalid; the message names it.
        SetupError: the collection lacks this program's index or validator.
        LoadError: a tier's claims are not loaded, or a watch is feeding claims.
        RunFileError: the folder cannot be written.
        PbmError: three calls in a row failed; the run file holds what was measured.

    Example:
        >>> run = run_performance(store)
        >>> write_report(run, "outputs")
    """
    settings = _settings(
        store.config,
        samples=samples,
        seconds_per_series=seconds_per_series,
        warmup=warmup,
        unbounded_samples=unbounded_samples,
        tiers_to_test=None if tiers is None else tuple(tiers),
        concurrency=None if concurrency is None else tuple(concurrency),
        concurrency_seconds=concurrency_seconds,
        feed_per_second=feed_per_second,
        live_seconds=live_seconds,
        compare_indexes=compare_indexes,
        seed=seed,
    )
    store.refresh()
    if store.index_name is None or store.max_claim_days is None:
        lacking = (
            "the compound index" if store.index_name is None else f"the limit on claim length ({store.bound_reason})"
        )
        raise SetupError(
            f"{store.collection.full_name} lacks {lacking}. Run setup_collection(store) first (notebook 01)."
        )
    folder = output_folder(output_dir or "") / "runs"
    left = clear_left_claims(store)
    watch = Stopwatch()
    with watch.measured(store, 1) as measured:
        started = dt.datetime.now(dt.UTC).replace(microsecond=0)
        run = PerformanceRun(
            id=f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            complete=False,
            started=started,
            ended=started,
            settings=settings,
            conditions=measure_conditions(store, _claims_of_tiers(store, settings.performance.tiers_to_test)),
            footprint=measure_footprint(store),
        )
        run = replace(run, path=run.save(folder))
        chart = LiveChart(run.tiers) if progress else None  # created first, so that the bar is below it
        bar = Progress(_guesses(settings.performance), shown=progress)
        with unsaid(), Recorder(run, watch, measured, bar, chart) as recorder:
            if left:
                recorder.note(left)
            with _stop_explained(recorder):
                with counted_index_uses(recorder):
                    for part, measure in _PARTS.items():
                        recorder.progress.begin(part)
                        measure(recorder)
                recorder.complete()
    return recorder.run


@contextmanager
def _stop_explained(recorder: Recorder) -> Iterator[None]:
    """Say, if the block is interrupted or a call in it that is not timed fails, where the samples so far are."""
    try:
        yield
    except KeyboardInterrupt:
        raise recorder.stopped("it was interrupted", "Run it again to measure from the start.") from None
    except PbmError as error:
        raise error if recorder.is_stopped else recorder.stopped(str(error).rstrip(".")) from None


def _settings(config: Config, **overrides: Any) -> RunSettings:
    """Return the settings of a run. Overrides are checked like the keys of config.yaml."""
    given = {name: value for name, value in overrides.items() if value is not None}
    known = [tier.name for tier in config.data_generation.tiers]
    for name in given.get("tiers_to_test", ()):
        if name not in known:
            raise not_accepted("tiers", in_short(name), f"among {', '.join(known)}", ConfigError)
    try:
        present = {field.name: getattr(config.performance, field.name) for field in fields(PerformanceConfig)}
        performance = PerformanceConfig(**{**present, **given})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        if problem["type"] == "value_error":
            raise ConfigError(f"{problem['ctx']['error']}.") from None
        key = {"tiers_to_test": "tiers"}.get(str(problem["loc"][0]) if problem["loc"] else "")
        key = key or ".".join(str(part) for part in problem["loc"]) or "argument"
        raise not_accepted(key, in_short(problem["input"]), wanted(problem), ConfigError) from None
    return RunSettings(
        performance=performance,
        data_generation=config.data_generation,
        atlas=config.atlas,
        index=config.mongodb.index,
        page_size=config.query.default_page_size,
    )


def _claims_of_tiers(store: ClaimStore, tiers: Sequence[str]) -> dict[str, int]:
    """Return how many claims each tier's first provider has on the server; every one must have some."""
    counted = {tier: count_claims(store, list_providers(store.config, tier)[0].tin) for tier in tiers}
    if missing := [tier for tier, claims in counted.items() if not claims]:
        raise LoadError(
            f"{store.collection.full_name} has no claims of tier {', '.join(missing)}. Run load_claims(store) first "
            "(notebook 02)."
        )
    return counted


def _guesses(settings: PerformanceConfig) -> dict[str, float]:
    """Return about how many seconds each part will take; used until the part begins and knows its calls."""
    tiers, a_series = len(settings.tiers_to_test), min(settings.seconds_per_series, settings.samples * 0.01)
    rates = settings.concurrency_seconds + 3
    return {
        "cold pages": tiers * a_series,
        "latency": tiers * 5 * a_series,
        "clients": (len(settings.concurrency) + len(LOADS)) * rates if settings.concurrency else 0.0,
        "depth": 10 * a_series,
        "totals": tiers * 3 * a_series,
        "volume": 15 * a_series / 3,
        "date ranges": tiers * 6 * a_series,
        "while claims arrive": 3.5 * settings.live_seconds + 3 if settings.feed_per_second else 0.0,
    }
