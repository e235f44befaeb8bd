"""Take the samples of a performance run, and keep them on disk from the first second on."""

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..arguments import checked, in_short, not_accepted
from ..claims.roster import list_providers
from ..config import Config, PerformanceConfig
from ..config_file import output_folder
from ..errors import ConfigError, LoadError, SetupError
from ..query.find import count_claims
from ..query.stopwatch import Stopwatch
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore
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
    """Closed loop, then open loop, by the same processes: each takes about a second to start."""
    settings = recorder.settings
    recorder.progress.expect((len(settings.concurrency) + len(LOADS)) * settings.concurrency_seconds)
    with Crowd(recorder) as crowd:
        measure_concurrency(recorder, crowd)
        measure_open_loop(recorder, crowd)


_PARTS = {
    "cold pages": measure_cold_pages,  # before any other has asked for claims
    "latency": measure_latency,
    "clients": _measure_clients,
    # Now the cache holds what people's queries need. What follows fills it with everything else, and so comes last.
    "sizes": lambda recorder: recorder.footprint(measure_footprint(recorder.store)),
    "depth": measure_depth,
    "totals": measure_totals,
    "volume": measure_volume,
    "explain": explain_application,
    "date ranges": measure_ranges,
    # It writes: nothing that it may leave in the cache, or in the collection if it is killed, is in another figure.
    "while claims arrive": measure_arrivals,
}
"""The parts of a run in the order in which they are measured."""


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
    """Measure pages and counts on a loaded collection.

    It changes none of the loaded claims. For as long as it compares them it builds the other variant of the index, and
    a collection of totals by provider and month; at the end it feeds claims for a few seconds, and removes them again.
    A user who only reads gets a run without those, and a note. What a run that was killed has fed, the next run
    removes, or `load_claims`, or `remove_fed_claims`.

    None takes a setting from the config's section `performance`. The same seed asks the same questions in the same
    order. The run file grows as samples are taken; a run that is stopped leaves it behind, marked incomplete.

    Args:
        store: a store whose claims are loaded.
        samples: samples of each operation at most.
        seconds_per_series: a dear operation gets as many samples as fit into so many seconds, but at least 20.
        warmup: samples before those, of each operation, kept apart.
        unbounded_samples: first pages that the unbounded query is asked for at least, and half as many totals; each
            takes seconds at a large provider. 0 leaves it out.
        tiers: names of the tiers to measure.
        concurrency: numbers of clients at once; an empty list leaves that part out.
        concurrency_seconds: how long each number of clients, and each rate, is kept up, in seconds.
        feed_per_second: claims that arrive while pages are read, 0 to 2,500, or half of what the server takes in a
            burst; 0 leaves that part out.
        live_seconds: how long pages are read before, while and after they arrive each, in seconds.
        compare_indexes: build the other variant of the index at the end, compare, and drop it again.
        seed: of the windows, the providers and the order.
        output_dir: folder for outputs; the run file goes to its subfolder runs. None or "": the project's `outputs`.
        progress: show a bar on standard output, and in a notebook a small chart that fills.

    Returns:
        The run; its `path` is the run file.

    Raises:
        ConfigError: an argument is not accepted; the message names it.
        SetupError: the collection has no index or validator of ours.
        LoadError: a tier's claims are not loaded, or somebody feeds claims just now.
        RunFileError: the folder cannot be written.
        PbmError: three calls in a row failed; what was measured is in the run file.
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
            "the compound index" if store.index_name is None else f"the bound on claim days ({store.bound_reason})"
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
        chart = LiveChart(run.tiers) if progress else None  # first: the bar goes on below it
        bar = Progress(_guesses(settings.performance), shown=progress)
        with Recorder(run, watch, measured, bar, chart) as recorder:
            if left:
                recorder.note(left)
            with counted_index_uses(recorder):
                for part, measure in _PARTS.items():
                    recorder.progress.begin(part)
                    measure(recorder)
            recorder.complete()
    return recorder.run


def _settings(config: Config, **overrides: Any) -> RunSettings:
    """The settings of a run; an override is checked as the key of config.yaml is."""
    given = {name: value for name, value in overrides.items() if value is not None}
    known = [tier.name for tier in config.data_generation.tiers]
    for name in given.get("tiers_to_test", ()):
        if name not in known:
            raise ConfigError(f"tiers: {in_short(name)} is not configured; accepted: {', '.join(known)}.")
    try:
        present = {field.name: getattr(config.performance, field.name) for field in fields(PerformanceConfig)}
        performance = PerformanceConfig(**{**present, **given})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = {"tiers_to_test": "tiers"}.get(str(problem["loc"][0]) if problem["loc"] else "")
        key = key or ".".join(str(part) for part in problem["loc"]) or "argument"
        accepted = problem["msg"].removeprefix("Input should be ")
        raise not_accepted(key, in_short(problem["input"]), accepted, ConfigError) from None
    return RunSettings(
        performance=performance,
        data_generation=config.data_generation,
        atlas=config.atlas,
        index=config.mongodb.index,
        page_size=config.query.default_page_size,
    )


def _claims_of_tiers(store: ClaimStore, tiers: Sequence[str]) -> dict[str, int]:
    """Claims on the server of the first provider of each tier; none may be without."""
    counted = {tier: count_claims(store, list_providers(store.config, tier)[0].tin) for tier in tiers}
    if missing := [tier for tier, claims in counted.items() if not claims]:
        raise LoadError(
            f"{store.collection.full_name} has no claims of tier {', '.join(missing)}. Run load_claims(store) first "
            "(notebook 02)."
        )
    return counted


def _guesses(settings: PerformanceConfig) -> dict[str, float]:
    """Return about how many seconds each part will take, before it has begun and knows its calls."""
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
