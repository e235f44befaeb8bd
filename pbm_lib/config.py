"""The sections of config.yaml as frozen dataclasses, each value with its type and range."""

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, model_validator
from pydantic.dataclasses import dataclass

from .vocabulary import INDEXES, TARGETS

_CLOSED = ConfigDict(extra="forbid")

# Strict: YAML has its own types, so "1", true, and 1 are three different values.
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Whole, Field(ge=1)]
NonNegative = Annotated[Whole, Field(ge=0)]
PositiveNumber = Annotated[Number, Field(gt=0)]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]
Day = Annotated[dt.date, Field(strict=True)]
ServiceDate = Annotated[Day, Field(ge=dt.date(2000, 1, 1), le=dt.date(2100, 12, 31))]
LeafPageKb = Literal[4, 8, 16, 32]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
_WORDS = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid date": "a date such as 2025-01-31",
    "Tuple should have": "a list of",
    "a valid tuple": "a list",
    "a valid dictionary": "a mapping, such as {name: value}",
    "match pattern '^[A-Za-z0-9_-]+$'": "letters, digits, _ and -",
    "have at": "text of at",
}
"""Maps pydantic's words for what a value must be to the words in our messages."""
_MORE = re.compile(r"( after valid|, unable to|, got a ).*")
_LARGE = re.compile(r"(?<![\d.-])\d{4,}(?![\d.-])")  # not part of a date


def _auto_or_count(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 1 <= value <= 32):
        return value
    raise ValueError(f"data_generation.workers must be auto or 1 to 32, got {shown(value)}")


@dataclass(frozen=True, config=_CLOSED)
class MongoDBConfig:
    """Where the claims live: section `mongodb`."""

    database: Name
    collection: Name
    index: Literal[*INDEXES]
    leaf_page_kb: LeafPageKb

    @model_validator(mode="after")
    def _not_the_servers_own(self):
        if self.database in ("admin", "config", "local"):
            raise ValueError(f"mongodb.database must not be admin, config, or local, got {self.database!r}")
        return self


@dataclass(frozen=True, config=_CLOSED)
class Tier:
    """A tier of provider sizes: `providers` providers with `claims_per_provider` claims each."""

    name: Name
    claims_per_provider: Annotated[Whole, Field(ge=1, le=1_000_000_000)]
    providers: Annotated[Whole, Field(ge=1, le=1_000_000)]

    @property
    def claims(self) -> int:
        """Total claims of all providers in this tier."""
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
            raise ValueError(f"data_generation.tiers must have unique names, got {names}")
        if self.last_service_date < self.first_service_date:
            raise ValueError(
                f"data_generation.last_service_date must be on or after first_service_date "
                f"({self.first_service_date}), got {self.last_service_date}"
            )
        total = sum(tier.claims for tier in self.tiers)
        if total != self.target_volume:
            terms = " + ".join(f"{tier.providers:,} x {tier.claims_per_provider:,}" for tier in self.tiers)
            raise ValueError(
                f"data_generation.target_volume must equal the sum of the tiers ({terms} = {total:,}), got "
                f"{self.target_volume:,}. Change the tiers, or set target_volume: {total}"
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
                f"query.default_page_size must be at most max_page_size ({self.max_page_size:,}), got "
                f"{self.default_page_size}"
            )
        return self


@dataclass(frozen=True, config=_CLOSED)
class PerformanceConfig:
    """What a performance run measures: section `performance`."""

    seed: NonNegative
    samples: Annotated[Whole, Field(ge=1, le=100_000)]
    seconds_per_series: Seconds
    warmup: Annotated[Whole, Field(ge=0, le=1_000)]
    unbounded_samples: Annotated[Whole, Field(ge=0, le=10_000)]
    tiers_to_test: Annotated[tuple[str, ...], Field(min_length=1)]
    window_days: Annotated[Whole, Field(ge=1, le=36_600)]
    concurrency: tuple[Annotated[Whole, Field(ge=1, le=64)], ...]
    concurrency_seconds: Seconds
    feed_per_second: Annotated[Number, Field(ge=0, le=2_500)]
    live_seconds: Annotated[Number, Field(gt=0, le=600)]
    compare_indexes: Annotated[bool, Field(strict=True)]
    targets: dict[str, dict[str, PositiveNumber]]

    @model_validator(mode="after")
    def _consistent(self):
        for name in ("tiers_to_test", "concurrency"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"performance.{name} must not repeat a value, got {list(values)}")
        for name in self.targets:
            if name not in TARGETS:
                raise ValueError(f"performance.targets must use the keys {', '.join(TARGETS)}, got {shown(name)}")
        return self


@dataclass(frozen=True, config=_CLOSED)
class LiveConfig:
    """Watching pages while claims arrive (notebook 03) or a node fails: section `live`."""

    seconds: Annotated[Number, Field(gt=0, le=3_600)]
    pages_per_second: Annotated[Number, Field(gt=0, le=1_000)]
    feed_per_second: Annotated[Number, Field(ge=0, le=5_000)]


@dataclass(frozen=True, config=_CLOSED)
class FailoverConfig:
    """The local replica set whose nodes are made to fail: section `failover`."""

    claims: Annotated[Whole, Field(ge=1_000, le=10_000_000)]
    first_port: Annotated[Whole, Field(ge=0, le=65_533)]
    seconds: Annotated[Number, Field(ge=5, le=3_600)]
    election_timeout_ms: Annotated[Whole, Field(ge=1_000, le=60_000)]


@dataclass(frozen=True, config=_CLOSED)
class LocalServerConfig:
    """The embedded mongod: section `local_server`. `data_dir` and `mongod` are relative to the config file."""

    port: Annotated[Whole, Field(ge=0, le=65_535)]
    cache_gb: Annotated[Number, Field(ge=0.25, le=1_000)]
    data_dir: Annotated[str, Field(min_length=1)]
    mongod: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED)
class AtlasTier:
    """An Atlas cluster tier and its hourly list price in USD; `confirmed` means it was seen on Atlas's own pages."""

    name: Name
    ram_gb: PositiveNumber
    vcpus: Positive
    storage_gb: PositiveNumber
    cache_gb: PositiveNumber
    usd_per_hour: PositiveNumber
    confirmed: Annotated[bool, Field(strict=True)]


@dataclass(frozen=True, config=_CLOSED)
class AtlasConfig:
    """The price table with its date and source: section `atlas`."""

    prices_as_of: Day
    prices_source: str
    tiers: Annotated[tuple[AtlasTier, ...], Field(min_length=1)]


@dataclass(frozen=True, config=_CLOSED)
class Config:
    """All settings of the demo, one attribute per section of config.yaml.

    Attributes:
        mongodb: where the claims live.
        data_generation: what is generated and how it is loaded.
        query: page sizes in claims.
        performance: what a performance run measures.
        live: watching pages while claims arrive.
        failover: the local replica set whose nodes are made to fail.
        local_server: the mongod used when MONGODB_URI is not set.
        atlas: the price table.
        path: the file that the settings came from; relative paths in it are resolved from its folder.
    """

    mongodb: MongoDBConfig
    data_generation: DataGenerationConfig
    query: QueryConfig
    performance: PerformanceConfig
    live: LiveConfig
    failover: FailoverConfig
    local_server: LocalServerConfig
    atlas: AtlasConfig
    path: Path

    @model_validator(mode="after")
    def _consistent(self):
        known = [tier.name for tier in self.data_generation.tiers]
        named = [("tiers_to_test", name) for name in self.performance.tiers_to_test]
        named += [
            (f"targets.{target}", name) for target, by_tier in self.performance.targets.items() for name in by_tier
        ]
        for key, name in named:
            if name not in known:
                raise ValueError(
                    f"performance.{key} must name tiers of data_generation.tiers ({', '.join(known)}), got {name!r}"
                )
        return self

    @property
    def data_dir(self) -> Path:
        """Absolute path of the local server's data folder."""
        return self._full(self.local_server.data_dir)

    @property
    def mongod(self) -> Path | None:
        """Absolute path of the local server's mongod; None means the newest one found."""
        named = self.local_server.mongod
        return None if named == "auto" else self._full(named)

    def _full(self, path: str) -> Path:
        return (self.path.parent / Path(path).expanduser()).resolve()

    def __repr__(self) -> str:
        data = self.data_generation
        return (
            f"Config({self.path.name}: {data.target_volume:,} claims in {len(data.tiers)} tiers, "
            f"{self.mongodb.database}.{self.mongodb.collection})"
        )


def shown(value: Any) -> str:
    """Return a value from the file as an error message shows it, cut to 80 characters."""
    text = str(value) if isinstance(value, dt.date) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def wanted(problem: Mapping[str, Any]) -> str:
    """Return, in words, what a value that pydantic rejected must be, from an entry of `ValidationError.errors()`."""
    text = _MORE.sub("", problem["msg"].removeprefix("Input should be ").removeprefix("String should "))
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return _LARGE.sub(lambda found: f"{int(found[0]):,}", text)
