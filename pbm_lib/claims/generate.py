"""Synthetic claims: claim number n is a function of the settings and n alone. None is about a real person."""

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import bson
import numpy as np
from bson import ObjectId
from bson.raw_bson import RawBSONDocument

from ..arguments import checked
from ..config import Config, DataGenerationConfig
from ..errors import InvalidQuery
from .document import DAY_MS
from .encode import ClaimEncoder, Drawn, rows_of
from .reference import CLAIM_SYSTEMS, RECOVERY_METHODS
from .roster import name_pools, provider_roster
from .shuffle import Shuffle, mixed

GENERATOR_VERSION = 3
"""Increased whenever the same settings would give different claims, so two versions never mix in a collection."""

_DRAWS = 12  # uniform numbers per claim; a multiple of four, because one step of Philox yields four
_BLOCK = 5_000
_MAX_PATIENTS = 40_000
_PRACTITIONERS = 2_000
_JITTER_DAYS = 7
# Of the claims that last longer than a day: the share billed by the month, and the mean days of the others.
_BILLED_BY_MONTH = 0.2
_MEAN_DAYS = 6.0
_EPOCH = dt.date(1970, 1, 1)
_LATE_SALT = 13
# Monday to Sunday, and January to December: most practices are closed on Sundays, and winter brings more illness.
_WEEKDAY_WEIGHTS = np.array([1.15, 1.10, 1.08, 1.05, 1.12, 0.55, 0.25])
_MONTH_WEIGHTS = np.array([1.15, 1.10, 1.05, 1.00, 0.97, 0.93, 0.90, 0.92, 0.98, 1.03, 1.07, 1.10])
_SYSTEM_SHARE = np.cumsum([system.share for system in CLAIM_SYSTEMS])[:-1]
_SAME_DAY = np.array([system.same_day for system in CLAIM_SYSTEMS])
_LOG_CENTS = np.log([system.median_usd * 100 for system in CLAIM_SYSTEMS])
_SIGMA = np.array([system.sigma for system in CLAIM_SYSTEMS])
_METHODS = list(RECOVERY_METHODS)
_PENDING = _METHODS.index("PENDING")


def _steps(of: str) -> np.ndarray:
    """One row per claim system: the cumulative shares of the recovery methods, without the last."""
    return np.cumsum([[getattr(system, of).get(code, 0) for code in _METHODS] for system in CLAIM_SYSTEMS], 1)[:, :-1]


_IN_FULL, _IN_PART = _steps("in_full"), _steps("in_part")
# The share of claims with an overpayment. Of these, nothing was recouped for a draw below the second value, part of it
# below the third, and all of it otherwise.
_OVERPAID, _NOTHING_BACK, _PART_BACK = 0.62, 0.35, 0.60


@checked(InvalidQuery)
def generate_claims(config: Config, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield claims as plain dict documents, in arrival order.

    Args:
        config: the settings.
        start: number of the first claim, 0 or more.
        stop: number after the last claim, up to `target_volume`; None for all.

    Yields:
        Claim documents as the load inserts them: ObjectId `_id`, naive UTC datetimes, Decimal128 amounts.

    Raises:
        InvalidQuery: 0 <= start <= stop <= `target_volume` does not hold.

    Example:
        >>> first_ten = list(generate_claims(load_config(), 0, 10))
    """
    volume = config.data_generation.target_volume
    stop = volume if stop is None else stop
    if not 0 <= start <= stop <= volume:
        raise InvalidQuery(f"start and stop must satisfy 0 <= start <= stop <= {volume:,}, got {start!r} and {stop!r}.")
    return _plain_claims(claim_generator(config.data_generation), start, stop)


def id_marks(seed: int, volume: int) -> tuple[str, str]:
    """Return the last 16 hex digits of the first and the last claim's `_id`; those of all other claims lie between."""
    first = _seed_bytes(seed).hex()
    return f"{first}{0:010x}", f"{first}{volume - 1:010x}"


def fed_ids(seed: int, volume: int, last_service_date: dt.date, max_claim_days: int) -> tuple[ObjectId, ObjectId]:
    """Return the first and the last `_id` that a claim in a feed can have with these settings.

    They come after the `_id`s of all configured claims, and no other claim has one of them: the numbers of a feed's
    claims start at the volume.
    """
    mark = _fed_seconds(last_service_date, max_claim_days).to_bytes(4, "big") + _seed_bytes(seed)
    return ObjectId(mark + volume.to_bytes(5, "big")), ObjectId(mark + b"\xff" * 5)


class ClaimGenerator:
    """Generates claims by number. Its memory use does not grow with the volume."""

    def __init__(self, data: DataGenerationConfig):
        self._data = data
        self._seed = data.seed
        self._shuffle = Shuffle(data.target_volume, data.seed)
        providers = provider_roster(data)
        sizes = np.array([provider.claim_count for provider in providers])
        self._last_slot = np.cumsum(sizes)
        patients = min(_MAX_PATIENTS, -(-data.target_volume // 8))
        self._panels = _Groups(np.minimum(patients, -(-sizes // 8)), patients, data.seed + 11)
        self._staff = _Groups(np.minimum(40, 1 + sizes // 2_000), _PRACTITIONERS, data.seed + 12)
        practitioners = (f"Dr. {name}" for name in self._people(_PRACTITIONERS, 2))
        self._encoder = ClaimEncoder(providers, practitioners, self._people(patients, 1))
        self._first_day = (data.first_service_date - _EPOCH).days
        days = (data.last_service_date - data.first_service_date).days + 1
        self._arrival_share = np.cumsum(self._day_weights(days))
        self._arrival_share /= self._arrival_share[-1]
        self._jitter = min(0.5, _JITTER_DAYS / days)

    def ids(self, numbers: np.ndarray) -> list[ObjectId]:
        """Return the `_id` of each claim number. They ascend, so a range of numbers is a range of `_id`s."""
        return [ObjectId(row) for row in rows_of(self._id_bytes(numbers, self._arrival_ms(numbers) // 1000)).tolist()]

    def documents(self, start: int, stop: int) -> list[RawBSONDocument]:
        """Return the claims numbered start to stop, exclusive, as BSON."""
        numbers = np.arange(start, stop)
        draws, arrival = self._draws(start, stop), self._arrival_ms(numbers)
        begin, end, system = self._service(draws, self._share(numbers))
        updated = np.maximum(arrival, (end + 1) * DAY_MS) + self._lag_ms(draws[11])
        return self._encoded(numbers, draws, begin, end, system, updated, self._id_bytes(numbers, arrival // 1000))

    def arriving(self, start: int, stop: int, now: dt.datetime) -> list[RawBSONDocument]:
        """Return claims that arrive now, in addition to the configured ones, as BSON.

        Their numbers start at the volume, and they are distributed among the providers as the configured claims are.
        Every second one is for a service in the last days of the period. The others are late, for services on any day.
        Everything except lastUpdatedTs is a function of the settings and the number.

        Args:
            start: number of the first claim, at least the volume.
            stop: number after the last claim.
            now: time of their last update, UTC; if a service ends later, its end is used instead.
        """
        numbers = np.arange(start, stop)
        draws = self._draws(start, stop)
        anywhere = mixed(numbers.astype(np.uint64), self._seed + _LATE_SALT) / 2.0**64
        recent = self._share(np.array(self._data.target_volume - 1))
        begin, end, system = self._service(draws, np.where(numbers % 2, anywhere, recent))
        updated = np.maximum(int(now.timestamp() * 1000), (end + 1) * DAY_MS)
        seconds = np.full(len(numbers), _fed_seconds(self._data.last_service_date, self._data.max_claim_days))
        return self._encoded(numbers, draws, begin, end, system, updated, self._id_bytes(numbers, seconds))

    def _draws(self, start: int, stop: int) -> np.ndarray:
        """Uniform numbers, one column per claim."""
        draw = np.random.Generator(np.random.Philox(key=self._seed, counter=_DRAWS // 4 * start))
        return draw.random((stop - start, _DRAWS)).T

    def _service(self, draws: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First and last day of service (days since 1970) and the claim system; `share` is the place in the period."""
        system = np.searchsorted(_SYSTEM_SHARE, draws[0], side="right")
        begin = self._first_day + self._begin_day(share, draws[1])
        return begin, begin + self._duration_days(system, draws[2], draws[3]), system

    def _encoded(
        self,
        numbers: np.ndarray,
        draws: np.ndarray,
        begin: np.ndarray,
        end: np.ndarray,
        system: np.ndarray,
        updated: np.ndarray,
        ids: np.ndarray,
    ) -> list[RawBSONDocument]:
        place = self._shuffle(numbers % self._data.target_volume)
        provider = np.searchsorted(self._last_slot, place, side="right")
        overpaid, recouped, method = _amounts(system, *draws[4:9])
        return self._encoder.encode(
            Drawn(
                ids=ids,
                numbers=numbers,
                provider=provider,
                practitioner=self._staff.member(provider, draws[10]),
                patient=self._panels.member(provider, draws[9] ** 1.5),
                system=system,
                method=method,
                begin=begin * DAY_MS,
                end=end * DAY_MS,
                updated=updated,
                overpaid=overpaid,
                recouped=recouped,
            )
        )

    def _id_bytes(self, numbers: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Rows of twelve bytes: arrival time, three bytes of the seed, five bytes of the number."""
        parts = np.empty((len(numbers), 12), dtype=np.uint8)
        parts[:, :4] = seconds.astype(">u4").view(np.uint8).reshape(-1, 4)
        parts[:, 4:7] = np.frombuffer(_seed_bytes(self._seed), dtype=np.uint8)
        parts[:, 7:] = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 3:]
        return parts

    def _day_weights(self, days: int) -> np.ndarray:
        dates = np.datetime64(self._data.first_service_date) + np.arange(days)
        weekday = (dates.astype("datetime64[D]").astype(int) + 3) % 7  # 1970-01-01 was a Thursday
        month = dates.astype("datetime64[M]").astype(int) % 12
        return _WEEKDAY_WEIGHTS[weekday] * _MONTH_WEIGHTS[month]

    def _begin_day(self, share: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Day of the period, 0-based: chronological with jitter, as in a live feed."""
        share = np.abs(share + (2 * draw - 1) * self._jitter)
        share = np.where(share >= 1, 2 - share, share)
        day = np.searchsorted(self._arrival_share, share, side="right")
        return np.minimum(day, len(self._arrival_share) - 1)

    def _duration_days(self, system: np.ndarray, one_day: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Days from begin to end: 0 for most claims, otherwise a few, or a month for care billed by the month."""
        longest = self._data.max_claim_days
        by_month = length < _BILLED_BY_MONTH
        month = 27 + 4 * length / _BILLED_BY_MONTH
        rest = np.maximum(0, (length - _BILLED_BY_MONTH) / (1 - _BILLED_BY_MONTH))
        # An exponential tail, truncated so that it never exceeds D.
        few = 1 - _MEAN_DAYS * np.log1p(rest * np.expm1(-longest / _MEAN_DAYS))
        days = np.clip(np.floor(np.where(by_month, month, few)), 1, longest)
        return np.where(one_day < _SAME_DAY[system], 0, days).astype(np.int64)

    def _share(self, numbers: np.ndarray) -> np.ndarray:
        return (numbers + 0.5) / self._data.target_volume

    def _arrival_ms(self, numbers: np.ndarray) -> np.ndarray:
        """When claims arrive, in ms since 1970. This ascends with the number and is after nearly every claim's end."""
        share = self._share(numbers)
        day = np.searchsorted(self._arrival_share, share, side="right")
        start = np.concatenate(([0.0], self._arrival_share))
        within = (share - start[day]) / (start[day + 1] - start[day])
        late = self._first_day + _late_days(self._data.max_claim_days)
        return ((day + late + np.clip(within, 0, 0.999999)) * DAY_MS).astype(np.int64)

    def _lag_ms(self, draw: np.ndarray) -> np.ndarray:
        """Time from a claim's arrival to its last update, in ms."""
        return (np.minimum(-np.log1p(-draw) * 15, 180) * DAY_MS).astype(np.int64)

    def _people(self, count: int, stream: int) -> list[str]:
        pools = name_pools(self._seed)
        rng = np.random.default_rng([self._seed, stream])
        chosen = zip(rng.choice(pools.first, count), rng.choice(pools.last, count), strict=True)
        return [f"{first} {last}" for first, last in chosen]


class _Groups:
    """A group of people for each provider: consecutive entries in the list of all people, from its own start."""

    def __init__(self, sizes: np.ndarray, people: int, seed: int):
        self._sizes, self._people = sizes, people
        who = np.arange(len(sizes), dtype=np.uint64)
        self._first = (mixed(who, seed) % np.uint64(people)).astype(np.int64)

    def member(self, provider: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Return the position of the person that a draw from 0 to 1 picks from the provider's group."""
        return (self._first[provider] + (draw * self._sizes[provider]).astype(np.int64)) % self._people


def _plain_claims(generator: ClaimGenerator, start: int, stop: int) -> Iterator[dict[str, Any]]:
    for first in range(start, stop, _BLOCK):
        for claim in generator.documents(first, min(first + _BLOCK, stop)):
            yield bson.decode(claim.raw)


@lru_cache(maxsize=2)
def claim_generator(data: DataGenerationConfig) -> ClaimGenerator:
    """Return the generator for these settings. It is cached, because building its pools takes a quarter of a second."""
    return ClaimGenerator(data)


def _late_days(max_claim_days: int) -> int:
    """Days from a claim's place in the period, before jitter, to its arrival: the longest claim plus the jitter."""
    return max_claim_days + _JITTER_DAYS


def _fed_seconds(last_service_date: dt.date, max_claim_days: int) -> int:
    """The first second, counted from 1970, after the last configured claim arrives."""
    return ((last_service_date - _EPOCH).days + 1 + _late_days(max_claim_days)) * DAY_MS // 1000


def _seed_bytes(seed: int) -> bytes:
    return (seed % 2**24).to_bytes(3, "big")


def _amounts(system, has_one, radius, angle, outcome, part):
    """Overpayment and recouped amount in cents, and a recovery method that fits them."""
    normal = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)  # Box-Muller
    cents = np.clip(np.exp(_LOG_CENTS[system] + _SIGMA[system] * normal), 1, 99_999_999).astype(np.int64)
    overpaid = np.where(has_one < _OVERPAID, cents, 0)
    in_part = (outcome >= _NOTHING_BACK) & (outcome < _PART_BACK)
    recouped = np.where(outcome < _NOTHING_BACK, 0, np.where(in_part, (overpaid * part).astype(np.int64), overpaid))
    # Within its outcome, the draw is uniform again, so it also decides the method.
    low, high = np.where(in_part, _NOTHING_BACK, _PART_BACK), np.where(in_part, _PART_BACK, 1)
    steps = np.where(in_part[:, None], _IN_PART[system], _IN_FULL[system])
    method = ((outcome - low) / (high - low) >= steps.T).sum(0)
    return overpaid, recouped, np.where(recouped == 0, _PENDING, method)
