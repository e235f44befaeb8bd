"""The file of a performance run: one JSON a run, with every sample and what it was taken on.

Schema 1, an object with these keys (the dataclasses named say what is in each):

    schema       1; a file of another schema is refused
    id           20261122T081500Z-1a2b3c4d, start and a random part; also the file's name
    complete     false while the run goes on, and for ever if it was killed
    started      UTC
    ended        UTC; of the last sample written, while the run is not complete
    settings     RunSettings: the sections of config.yaml that matter, with the overrides of this run
    conditions   Conditions: server, indexes, machine, versions
    footprint    Footprint: sizes on the server; what its cache held after the section concurrency
    checks       [Check]: answers of both contestants compared
    plans        [PlanCost]: keys and documents that each plan examined for one and the same page
    levels       [Level]: how long each number of clients was at work
    notes        [text]: what was left out, and why
    samples      [Sample], one a line, without the labels that do not apply; warm-ups, failures, retries marked as such
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..config import AtlasConfig, DataGenerationConfig, PerformanceConfig
from ..errors import RunFileError
from ..store.footprint import Footprint
from .conditions import Conditions
from .samples import Sample

SCHEMA = 1
_CLOSED = ConfigDict(extra="forbid")
_Count = Annotated[int, Field(strict=True, ge=0)]


@dataclass(frozen=True, config=_CLOSED)
class Check:
    """Answers of two contestants to the same questions, compared claim by claim (or count by count).

    Attributes:
        section: part of the run.
        tier: the provider's tier.
        operation: what both were asked.
        compared: pairs of answers compared.
        equal: pairs that were equal.
    """

    section: str
    tier: str
    operation: str
    compared: _Count
    equal: _Count


@dataclass(frozen=True, config=_CLOSED)
class PlanCost:
    """What the server examined for one page; `tier`, `operation` and window are the same for both plans."""

    plan: Literal["bounded", "plain"]
    tier: str
    operation: str
    index: str | None
    keys_examined: _Count
    docs_examined: _Count
    returned: _Count


@dataclass(frozen=True, config=_CLOSED)
class Level:
    """`clients` clients were at work at once for `seconds` seconds."""

    clients: _Count
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=_CLOSED)
class RunSettings:
    """The settings of a run. Nothing in them names a place, a path or a user.

    Attributes:
        performance: section `performance`, with the overrides of this run.
        data_generation: section `data_generation`.
        atlas: section `atlas`, the price table.
        covering_index: whether serviceEndDate was asked to be in the index.
        page_size: claims on a page.
    """

    performance: PerformanceConfig
    data_generation: DataGenerationConfig
    atlas: AtlasConfig
    covering_index: bool
    page_size: _Count


@dataclass(frozen=True, config=_CLOSED)
class RunContent:
    """All that a run file holds; the module's docstring says what is what."""

    schema: Literal[1]
    id: Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")]
    complete: bool
    started: AwareDatetime
    ended: AwareDatetime
    settings: RunSettings
    conditions: Conditions
    footprint: Footprint
    checks: tuple[Check, ...]
    plans: tuple[PlanCost, ...]
    levels: tuple[Level, ...]
    notes: tuple[str, ...]
    samples: tuple[Sample, ...]


_CONTENT = TypeAdapter(RunContent)


def to_json(content: RunContent) -> str:
    """Return the text of a run file."""
    parts = _CONTENT.dump_python(content, mode="json")
    samples = ",\n  ".join(
        json.dumps({label: value for label, value in sample.items() if value is not None})
        for sample in parts.pop("samples")
    )
    return f'{json.dumps(parts, indent=1)[:-2]},\n "samples": [\n  {samples}\n ]\n}}\n'


def from_json(text: str, name: str) -> RunContent:
    """Return what the text of a run file holds, every value checked.

    Args:
        text: the file's text.
        name: the file's name, for messages.

    Returns:
        The content.

    Raises:
        RunFileError: it is no run file, is damaged, or is of another schema.
    """
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        raise RunFileError(f"{name} is no run file: it is not JSON, or it was cut off.") from None
    if not isinstance(parts, dict) or "schema" not in parts or "samples" not in parts:
        raise RunFileError(f"{name} is no run file: it has no schema and samples.")
    if type(parts["schema"]) is not int or parts["schema"] != SCHEMA:
        raise RunFileError(
            f"{name} has schema {str(parts['schema'])[:40]}; this version of pbm_lib reads schema {SCHEMA}. Render it "
            "with the version that wrote it, or measure again."
        )
    try:
        content = _CONTENT.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise _damaged(name, f"{where}: {problem['msg']}") from None
    known = {tier.name for tier in content.settings.data_generation.tiers}
    performance = content.settings.performance
    named = {*performance.tiers_to_test, *(tier for by_tier in performance.targets.values() for tier in by_tier)}
    named |= {sample.tier for sample in content.samples if sample.tier}
    if strange := sorted(named - known):
        raise _damaged(name, f"no tier is named {strange[0][:40]!r}")
    return content


def _damaged(name: str, reason: str) -> RunFileError:
    return RunFileError(
        f"{name} is damaged or was changed by hand: {reason}. Take an untouched copy, or measure again."
    )
