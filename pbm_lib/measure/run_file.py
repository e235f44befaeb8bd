"""The file of a performance run: one JSON a run, with every sample and what it was taken on.

Schema 2, an object with these keys (the dataclasses named say what is in each):

    schema       2; a file of schema 1 is read as well (`measure.schema_1`), any other is rejected
    id           20261122T081500Z-1a2b3c4d, start and a random part; also the file's name
    complete     false while the run is going on, and for good if it was killed
    started      UTC
    ended        UTC; of the last sample written, while the run is not complete
    settings     RunSettings: the sections of config.yaml that matter, with the overrides of this run; a price that
                 an earlier version did not mark counts as not confirmed, and a feed that it did not know as none
    conditions   Conditions: server, indexes, machine, versions
    footprint    Footprint: sizes on the server; what its cache held after the section concurrency
    checks       [Check]: answers of two contestants compared
    costs        [QueryCost]: what explain said of one query of each kind
    levels       [Level]: how long each number of clients was at work, and the processors that this kept busy
    offered      [OfferedRate]: the rates of the open loop
    rollup       Rollup or null
    arrivals     Arrivals or null; missing in a file of an earlier version
    index_uses   name of an index: how often the server used it during the run
    notes        [text]: what was left out, and why
    samples      [Sample], one a line, without the labels that do not apply; warm-ups, failures, retries marked as such
    method       2; 1 where the file was made from one of schema 1
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
    """Write a run to a file that is not there yet.

    Raises:
        RunFileError: a file of that name is there, or the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = _to_json(run)  # before there is a file that somebody could find empty
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise RunFileError(f"{file} already exists; run files are never overwritten.") from None
    except OSError as error:
        raise _unwritable(file, error) from None


def write_over(run: Any, file: Path) -> None:
    """Write a run over its own file, in one step.

    Raises:
        RunFileError: the folder cannot be written any more.
    """
    # Whoever kills the run finds the file of before or of after, never a half.
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
        file: what `write_new` wrote.

    Raises:
        RunFileError: no such file, not a run file, damaged, or of another schema.
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
    """Add the settings that an earlier version did not know, as it behaved: no price was confirmed, no claim fed."""
    with suppress(KeyError, TypeError, AttributeError):  # the check of every value tells what is wrong
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
