"""The file of a performance run: one JSON file per run, with every sample and the conditions it was taken under.

Schema 2 is an object with these keys (each dataclass describes its own fields):

    schema       2; a file of schema 1 is read as well (`measure.schema_1`), any other is rejected
    id           20261122T081500Z-1a2b3c4d: start time and a random part; also the file's name
    complete     false while the run is in progress, and permanently if it was killed
    started      UTC
    ended        UTC; while the run is not complete, when the last sample was written
    settings     RunSettings: the relevant sections of config.yaml, with this run's overrides. Files of earlier
                 versions lack some of them: a price not marked counts as not confirmed, a missing feed as no feed
    conditions   Conditions: server, indexes, machine, versions
    footprint    Footprint: sizes on the server, and what its cache held after the sections concurrency and open_loop
    checks       [Check]: comparisons of two contestants' answers
    costs        [QueryCost]: the explain figures of one query of each kind
    levels       [Level]: how long each number of concurrent clients worked, and the processors kept busy
    offered      [OfferedRate]: the rates of the open loop
    rollup       Rollup or null
    arrivals     Arrivals or null; missing in files of earlier versions
    index_uses   name of an index: how often the server used it during the run
    notes        [text]: what was left out, and why
    samples      [Sample], one per line, without labels that do not apply; warm-ups, failures, and retries are marked
    method       2; 1 if the run was read from a file of schema 1
"""

import json
from contextlib import suppress
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..arguments import in_short
from ..config import wanted
from ..errors import RunFileError, text_of
from .schema_1 import upgraded

SCHEMA = 2
_Run = TypeVar("_Run")


def write_new(run: Any, file: Path) -> None:
    """Write a run to a new file.

    Raises:
        RunFileError: the file already exists, or the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = _to_json(run)  # before the file is created, so that nobody finds it empty
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise RunFileError(f"{file} already exists; run files are never overwritten.") from None
    except OSError as error:
        raise _unwritable(file, error) from None


def write_over(run: Any, file: Path) -> None:
    """Replace a run's own file in one step.

    Raises:
        RunFileError: the folder can no longer be written.
    """
    # If the run is killed, what remains is the previous file or the new one, never half of one.
    written = file.with_suffix(".json.new")
    try:
        written.write_text(_to_json(run), encoding="utf-8")
        written.replace(file)
    except OSError as error:
        raise _unwritable(file, error) from None


def read(kind: type[_Run], file: Path) -> _Run:
    """Read a run file, and check every value.

    Args:
        kind: the class of a run, a pydantic dataclass.
        file: a file written by `write_new` or `write_over`.

    Raises:
        RunFileError: the file is missing, not a run file, damaged, or in an unknown schema.
    """
    return _from_json(kind, text_of(file, f"the run file {file}", "", RunFileError), file.name)


@cache
def _adapter(kind: type) -> TypeAdapter:
    return TypeAdapter(kind)


def _to_json(run: Any) -> str:
    parts = {"schema": SCHEMA, **_adapter(type(run)).dump_python(run, mode="json", exclude={"path"})}
    samples = ",\n  ".join(
        json.dumps({label: value for label, value in sample.items() if value is not None})
        for sample in parts.pop("samples")
    )
    return f'{json.dumps(parts, indent=1)[:-2]},\n "samples": [\n  {samples}\n ]\n}}\n'


def _from_json(kind: type[_Run], text: str, name: str) -> _Run:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        raise RunFileError(f"{name} is not a run file: it is not JSON, or was cut off.") from None
    if not isinstance(parts, dict) or "schema" not in parts or "samples" not in parts:
        raise RunFileError(f"{name} is not a run file: it lacks schema or samples.")
    schema = parts.pop("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise RunFileError(
            f"{name} must have schema 1 or {SCHEMA}, got {in_short(schema)}. Render it with the version of pbm_lib "
            "that wrote it, or measure again."
        )
    if schema == 1:
        try:
            parts = upgraded(parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise _damaged(name, f"{in_short(str(error))} is missing or of another type") from None
    parts.setdefault("arrivals", None)
    keys = [field.name for field in fields(kind) if field.name != "path"]
    problems = [f"{key} is missing" for key in keys if key not in parts]
    problems += [f"{key} is unknown" for key in parts if key not in keys]
    if problems:
        raise _damaged(name, problems[0])
    _fill_in(parts["settings"])
    try:
        run = _adapter(kind).validate_json(json.dumps(parts))
    except ValidationError as error:
        raise _damaged(name, _explain(error.errors(include_url=False)[0])) from None
    known = {tier.name for tier in run.settings.data_generation.tiers}
    performance = run.settings.performance
    named = {*performance.tiers_to_test, *(tier for by_tier in performance.targets.values() for tier in by_tier)}
    named |= {sample.tier for sample in run.samples if sample.tier}
    named |= {each.tier for each in (*run.checks, *run.costs)}
    if strange := sorted(named - known):
        raise _damaged(name, f"no tier is named {strange[0][:40]!r}")
    return run


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{where} is missing"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where} is unknown"
    if problem["type"] == "value_error":
        return f"{where} is {problem['ctx']['error']}"
    return f"{where} must be {wanted(problem)}"


def _fill_in(settings: Any) -> None:
    """Add settings that earlier versions did not have, to match how they behaved: no confirmed prices, no feed."""
    with suppress(KeyError, TypeError, AttributeError):  # the validation that follows reports what is wrong
        for tier in settings["atlas"]["tiers"]:
            tier.setdefault("confirmed", False)
    with suppress(KeyError, TypeError, AttributeError):
        performance = settings["performance"]
        performance.setdefault("feed_per_second", 0)
        performance.setdefault("live_seconds", 1)


def _unwritable(file: Path, error: OSError) -> RunFileError:
    return RunFileError(f"Cannot write {file}: {error.strerror or error}. Choose another output folder.")


def _damaged(name: str, reason: str) -> RunFileError:
    return RunFileError(f"{name} is damaged or was edited by hand: {reason}. Use an untouched copy, or measure again.")
