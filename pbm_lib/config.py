"""config.yaml as frozen dataclasses: every key checked, every error names key, value and what is accepted."""

import datetime as dt
import difflib
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from .errors import ConfigError

__all__ = ["Config", "load_config"]

_CLOSED = ConfigDict(extra="forbid")
_PACKAGE_HOME = Path(__file__).resolve().parents[1]

# Strict: YAML has types of its own, so "1", true and 1 are three different things.
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Switch = Annotated[bool, Field(strict=True)]
Positive = Annotated[Whole, Field(ge=1)]
NonNegative = Annotated[Whole, Field(ge=0)]
PositiveNumber = Annotated[Number, Field(gt=0)]
Day = Annotated[dt.date, Field(strict=True)]


def _auto_or_count(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 1 <= value <= 32):
        return value
    raise ValueError(f"data_generation.workers: {_shown(value)} is not accepted; accepted: auto, or 1 to 32")


Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
ServiceDate = Annotated[Day, Field(ge=dt.date(2000, 1, 1), le=dt.date(2100, 12, 31))]


@dataclass(frozen=True, config=_CLOSED)
class MongoDBConfig:
    """Where the claims live: section `mongodb`."""

    database: Name
    collection: Name
    covering_index: Switch


@dataclass(frozen=True, config=_CLOSED)
class Tier:
    """Providers of one size: `providers` of them with `claims_per_provider` claims each."""

    name: Name
    claims_per_provider: Annotated[Whole, Field(ge=1, le=1_000_000_000)]
    providers: Annotated[Whole, Field(ge=1, le=1_000_000)]

    @property
    def claims(self) -> int:
        """Claims of all providers of this tier together."""
        return self.claims_per_provider * self.providers


@dataclass(frozen=True, config=_CLOSED)
class DataGenerationConfig:
    """What is generated and how it is loaded: section `data_generation`."""

    seed: Annotated[Whole, Field(ge=0, lt=2**63)]
    target_volume: Annotated[Whole, Field(ge=1, le=1_000_000_000)]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    first_service_date: ServiceDate
    last_service_date: ServiceDate
    max_claim_days: Annotated[Whole, Field(ge=1, le=366)]
    batch_size: Annotated[Whole, Field(ge=1, le=50_000)]
    workers: Annotated[int | str, PlainValidator(_auto_or_count)]

    @model_validator(mode="after")
    def _consistent(self):
        names = [tier.name for tier in self.tiers]
        if len(set(names)) < len(names):
            raise ValueError(f"data_generation.tiers: tier names must differ, got {names}")
        if self.last_service_date < self.first_service_date:
            raise ValueError(
                f"data_generation.last_service_date: {self.last_service_date} is before first_service_date "
                f"{self.first_service_date}; accepted: the same day or later"
            )
        total = sum(tier.claims for tier in self.tiers)
        if total != self.target_volume:
            terms = " + ".join(f"{tier.providers:,} x {tier.claims_per_provider:,}" for tier in self.tiers)
            raise ValueError(
                f"data_generation.target_volume: {self.target_volume:,} is not the sum over the tiers; "
                f"{terms} = {total:,}. Change the tiers, or set target_volume: {total}"
            )
        return self


@dataclass(frozen=True, config=_CLOSED)
class QueryConfig:
    """Page sizes in claims: section `query`."""

    default_page_size: Positive
    max_page_size: Annotated[Whole, Field(ge=1, le=10_000)]

    @model_validator(mode="after")
    def _consistent(self):
        if self.default_page_size > self.max_page_size:
            raise ValueError(
                f"query.default_page_size: {self.default_page_size} is above max_page_size "
                f"{self.max_page_size}; accepted: 1 to {self.max_page_size}"
            )
        return self


@dataclass(frozen=True, config=_CLOSED)
class PerformanceConfig:
    """What a performance run measures: section `performance`."""

    seed: NonNegative
    iterations: Annotated[Whole, Field(ge=1, le=100_000)]
    warmup: Annotated[Whole, Field(ge=0, le=1_000)]
    plain_iterations: Annotated[Whole, Field(ge=0, le=10_000)]
    tiers_to_test: Annotated[tuple[str, ...], Field(min_length=1)]
    window_days: Annotated[Whole, Field(ge=1, le=36_600)]
    concurrency: tuple[Annotated[Whole, Field(ge=1, le=64)], ...]
    concurrency_seconds: PositiveNumber
    targets: dict[str, dict[str, PositiveNumber]]


@dataclass(frozen=True, config=_CLOSED)
class LocalServerConfig:
    """The embedded mongod: section `local_server`. `data_dir` is relative to the config file."""

    port: Annotated[Whole, Field(ge=0, le=65_535)]
    cache_gb: Annotated[Number, Field(ge=0.25, le=1_000)]
    data_dir: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED)
class AtlasTier:
    """One Atlas cluster tier with its hourly list price in US dollars."""

    name: Name
    ram_gb: PositiveNumber
    vcpus: Positive
    storage_gb: PositiveNumber
    cache_gb: PositiveNumber
    usd_per_hour: PositiveNumber


@dataclass(frozen=True, config=_CLOSED)
class AtlasConfig:
    """The price table with its date and source: section `atlas`."""

    prices_as_of: Day
    prices_source: str
    tiers: Annotated[tuple[AtlasTier, ...], Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED)
class Config:
    """All settings of the demo, one attribute a section of config.yaml.

    `path` is the file they were read from; relative paths in it start at its folder.
    """

    mongodb: MongoDBConfig
    data_generation: DataGenerationConfig
    query: QueryConfig
    performance: PerformanceConfig
    local_server: LocalServerConfig
    atlas: AtlasConfig
    path: Path

    @model_validator(mode="after")
    def _consistent(self):
        known = [tier.name for tier in self.data_generation.tiers]
        for name in self.performance.tiers_to_test:
            if name not in known:
                raise ValueError(
                    f"performance.tiers_to_test: {name!r} is no tier of data_generation.tiers; "
                    f"accepted: {', '.join(known)}"
                )
        return self

    @property
    def data_dir(self) -> Path:
        """Folder of the local server's data, absolute."""
        return (self.path.parent / self.local_server.data_dir).resolve()

    def __repr__(self) -> str:
        data = self.data_generation
        return (
            f"Config({self.path.name}: {data.target_volume:,} claims in {len(data.tiers)} tiers, "
            f"{self.mongodb.database}.{self.mongodb.collection})"
        )


def load_config(path: str | Path | None = None) -> Config:
    """Read and check the settings.

    Args:
        path: a YAML file. None or "" looks for config.yaml in the working folder and upward from it, then in the
            project that holds this package.

    Returns:
        The checked, immutable settings.

    Raises:
        ConfigError: the file is missing or not YAML, or a key is unknown, missing, of the wrong type or out of
            range, the tiers do not add up, or the file holds a connection string or a password.
    """
    file = Path(path).expanduser().resolve() if path else _find_config()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"Cannot read the config file {file}: {reason}. Pass the path of a config.yaml.") from None
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file.name} is not valid YAML{where}: {getattr(error, 'problem', error)}.") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{file.name} is empty or no mapping; accepted: the sections {_names(Config)}.")
    _refuse_secrets(settings, file.name)
    if "path" in settings:
        raise ConfigError(f"{file.name}: unknown key path. Accepted: {_names(Config)}.")
    try:
        return TypeAdapter(Config).validate_python(settings | {"path": file})
    except ValidationError as error:
        raise ConfigError(f"{file.name}: {_explain(error)}") from None


def _find_config() -> Path:
    working = Path.cwd()
    for folder in (working, *working.parents, _PACKAGE_HOME):
        if (folder / "config.yaml").is_file():
            return folder / "config.yaml"
    raise ConfigError(f"No config.yaml in {working} or above it. Work inside the project, or pass the file's path.")


_SECRET_KEY = re.compile(r"(^|_)(uri|url|pass(word|wd)?|secret|user(name)?|credentials?)($|_)", re.IGNORECASE)


def _refuse_secrets(value: Any, name: str, key: str = "") -> None:
    if isinstance(value, dict):
        for part, inner in value.items():
            _refuse_secrets(inner, name, f"{key}.{part}" if key else str(part))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _refuse_secrets(inner, name, f"{key}[{position}]")
    elif (isinstance(value, str) and re.search(r"mongodb(\+srv)?://|://[^/\s]*@", value, re.IGNORECASE)) or (
        value is not None and _SECRET_KEY.search(key.rsplit(".", 1)[-1])
    ):
        raise ConfigError(
            f"{name}: {key} holds a connection string or a credential (not shown). Remove it from the file and set "
            "the environment variable MONGODB_URI instead."
        )


def _names(section: type) -> str:
    return ", ".join(field.name for field in fields(section) if field.name != "path")


def _explain(error: ValidationError) -> str:
    """Say the first few problems of a config file in its own terms."""
    sentences = []
    for problem in error.errors(include_url=False)[:5]:
        location = problem["loc"]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        kind, shown = problem["type"], _shown(problem.get("input"))
        if kind == "value_error":
            sentences.append(str(problem["ctx"]["error"]) + ".")
        elif kind in ("unexpected_keyword_argument", "extra_forbidden"):
            accepted = [f.name for f in fields(_section_at(location[:-1])) if f.name != "path"]
            close = difflib.get_close_matches(str(location[-1]), accepted, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            sentences.append(f"unknown key {key} (value {shown}).{hint} Accepted: {', '.join(accepted)}.")
        elif kind in ("missing", "missing_argument"):
            sentences.append(f"missing key {key}. Add it; README has every key with its default.")
        elif kind == "dataclass_type":
            sentences.append(
                f"{key}: {shown} is not accepted; accepted: a section with {_names(_section_at(location))}."
            )
        else:
            accepted = problem["msg"].removeprefix("Input should be ").removeprefix("String should ")
            accepted = accepted.replace("Tuple should have", "a list of").replace("a valid tuple", "a list")
            sentences.append(f"{key}: {shown} is not accepted; accepted: {accepted}.")
    return " ".join(dict.fromkeys(sentences))


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, dt.date) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _section_at(location: tuple) -> type:
    """The dataclass that a path of keys and list positions leads to."""
    section: Any = Config
    for part in location:
        if isinstance(part, str):
            section = next(field.type for field in fields(section) if field.name == part)
            while not is_dataclass(section):
                section = get_args(section)[0]
    return section
