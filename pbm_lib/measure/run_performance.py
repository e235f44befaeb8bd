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
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore
from ..vocabulary import OVERLAP
from .comparisons import depth_rounds, depth_warmups, measure_depth, measure_plans
from .concurrency import measure_concurrency
from .conditions import measure_conditions
from .operations import measure_latency, measure_volume, volume_rounds
from .recorder import Recorder
from .records import RunSettings
from .run import PerformanceRun
from .stopwatch import Stopwatch


@checked(ConfigError)
def run_performance(
    store: ClaimStore,
    *,
    iterations: int | None = None,
    warmup: int | None = None,
    plain_iterations: int | None = None,
    tiers: Sequence[str] | None = None,
    concurrency: Sequence[int] | None = None,
    concurrency_seconds: float | None = None,
    seed: int | None = None,
    output_dir: str | Path | None = None,
    progress: bool = True,
) -> PerformanceRun:
    """Measure pages and counts on a loaded collection. It only reads.

    None takes a setting from the config's section `performance`. The same seed asks the same questions in the same
    order. The run file grows as samples are taken; a run that is stopped leaves it behind, marked incomplete.

    Args:
        store: a store whose claims are loaded.
        iterations: samples of each operation.
        warmup: samples before those, of each operation, kept apart.
        plain_iterations: samples of the unbounded query, which takes seconds each at a large provider; 0 leaves it out.
        tiers: names of the tiers to measure.
        concurrency: numbers of clients at once; an empty list leaves that part out.
        concurrency_seconds: how long each number of clients is at work, in seconds.
        seed: of the windows, the providers and the order.
        output_dir: folder for outputs; the run file goes to its subfolder runs. None or "": the project's `outputs`.
        progress: show a bar on standard output.

    Returns:
        The run; its `path` is the run file.

    Raises:
        ConfigError: an argument is not accepted; the message names it.
        SetupError: the collection has no index or validator of ours.
        LoadError: a tier's claims are not loaded.
        RunFileError: the folder cannot be written.
        PbmError: three calls in a row failed; what was measured is in the run file.
    """
    settings = _settings(
        store.config,
        iterations=iterations,
        warmup=warmup,
        plain_iterations=plain_iterations,
        tiers_to_test=None if tiers is None else tuple(tiers),
        concurrency=None if concurrency is None else tuple(concurrency),
        concurrency_seconds=concurrency_seconds,
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
    watch = Stopwatch()
    with watch.measured(store, max(settings.performance.concurrency, default=1)) as measured:
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
        with Recorder(run, watch, measured, _planned_rounds(settings.performance) if progress else None) as recorder:
            measure_latency(recorder)
            measure_concurrency(recorder)
            # Now the cache holds what people's queries need. What follows fills it with everything else, so that it
            # comes last, the unbounded query at the very end.
            recorder.footprint(measure_footprint(store))
            measure_depth(recorder)
            measure_volume(recorder)
            measure_plans(recorder)
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
        covering_index=config.mongodb.index == OVERLAP,
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


def _planned_rounds(settings: PerformanceConfig) -> int:
    """All parts together: what the progress bar counts."""
    return (
        settings.warmup
        + settings.iterations
        + settings.plain_iterations
        + depth_warmups(settings)
        + depth_rounds(settings)
        + volume_rounds(settings)
        + len(settings.concurrency)
    )
