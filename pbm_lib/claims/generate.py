"""Synthetic claims: claim number n is a function of the settings and n alone. No real person is in them."""

import datetime as dt
import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import bson
import numpy as np
from bson import Decimal128, ObjectId
from bson.raw_bson import RawBSONDocument

from ..arguments import checked
from ..config import Config, DataGenerationConfig
from ..errors import InvalidQuery
from .document import DAY_MS
from .reference import CLAIM_SYSTEMS, CURRENCY, RECOVERY_METHODS
from .roster import Provider, name_pools, provider_roster
from .shuffle import Shuffle, mixed

GENERATOR_VERSION = 2
"""Raised whenever the same settings would give other claims, so that two generations never mix in a collection."""

_DRAWS = 12  # uniform numbers a claim; a multiple of four, which is what one step of Philox yields
_BLOCK = 5_000
_MAX_PATIENTS = 40_000
_PRACTITIONERS = 2_000
_JITTER_DAYS = 7
# Of the claims that last longer than a day: share billed by the month, and mean days of the others.
_BILLED_BY_MONTH = 0.2
_MEAN_DAYS = 6.0
_EPOCH = dt.date(1970, 1, 1)
# Decimal128 of c cents from its two 64-bit halves, exponent -2: 0.5 us instead of 10 us from a string.
_CENTS = (6176 - 2) << 49
# Monday to Sunday, and January to December: practices rest on Sundays, winter brings more illness.
_WEEKDAY_WEIGHTS = np.array([1.15, 1.10, 1.08, 1.05, 1.12, 0.55, 0.25])
_MONTH_WEIGHTS = np.array([1.15, 1.10, 1.05, 1.00, 0.97, 0.93, 0.90, 0.92, 0.98, 1.03, 1.07, 1.10])
_SYSTEM_SHARE = np.cumsum([system.share for system in CLAIM_SYSTEMS])[:-1]
_SYSTEM_CODES = [system.code for system in CLAIM_SYSTEMS]
_SAME_DAY = np.array([system.same_day for system in CLAIM_SYSTEMS])
_LOG_CENTS = np.log([system.median_usd * 100 for system in CLAIM_SYSTEMS])
_SIGMA = np.array([system.sigma for system in CLAIM_SYSTEMS])


@checked(InvalidQuery)
def generate_claims(config: Config, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield claims as plain dict documents, in arrival order.

    Args:
        config: the settings.
        start: first claim number, inclusive, 0 or more.
        stop: last claim number, exclusive; None means all.

    Yields:
        Claim documents as the load inserts them: ObjectId `_id`, naive UTC datetimes, Decimal128 amounts.

    Raises:
        InvalidQuery: start and stop are not 0 <= start <= stop <= target_volume.
    """
    volume = config.data_generation.target_volume
    stop = volume if stop is None else stop
    if not 0 <= start <= stop <= volume:
        raise InvalidQuery(
            f"start, stop: {start!r}, {stop!r} are not accepted; accepted: 0 <= start <= stop <= {volume:,}."
        )
    return _plain_claims(claim_generator(config.data_generation), start, stop)


def id_marks(seed: int, volume: int) -> tuple[str, str]:
    """Return the last 16 hex digits of the first and of the last claim's `_id`; those of all others lie between."""
    first = (seed % 2**24).to_bytes(3, "big").hex()
    return f"{first}{0:010x}", f"{first}{volume - 1:010x}"


class ClaimGenerator:
    """Makes claims by number. Its memory does not grow with the volume."""

    def __init__(self, data: DataGenerationConfig):
        self._data = data
        self._seed = data.seed
        self._shuffle = Shuffle(data.target_volume, data.seed)
        providers = provider_roster(data)
        self._billing = [_billing(provider) for provider in providers]
        sizes = np.array([provider.claim_count for provider in providers])
        self._last_slot = np.cumsum(sizes)
        self._patients = self._make_patients(min(_MAX_PATIENTS, -(-data.target_volume // 8)))
        self._practitioners = self._make_practitioners()
        who = np.arange(len(sizes), dtype=np.uint64)
        self._panel_size = np.minimum(len(self._patients), -(-sizes // 8))
        self._panel_start = (mixed(who, data.seed + 11) % np.uint64(len(self._patients))).astype(np.int64)
        self._staff_size = np.minimum(40, 1 + sizes // 2_000)
        self._staff_start = (mixed(who, data.seed + 12) % np.uint64(_PRACTITIONERS)).astype(np.int64)
        self._first_day = (data.first_service_date - _EPOCH).days
        days = (data.last_service_date - data.first_service_date).days + 1
        self._arrival_share = np.cumsum(self._day_weights(days))
        self._arrival_share /= self._arrival_share[-1]
        self._jitter = min(0.5, _JITTER_DAYS / days)
        midnight = dt.datetime.combine(data.first_service_date, dt.time())
        self._midnights = [midnight + dt.timedelta(days=day) for day in range(days + data.max_claim_days)]

    def ids(self, numbers: np.ndarray) -> list[ObjectId]:
        """Return the `_id` of each claim number; they ascend, so that a range of numbers is a range of `_id`."""
        # Arrival time, three bytes of the seed, five bytes of the number.
        parts = np.empty((len(numbers), 12), dtype=np.uint8)
        parts[:, :4] = (self._arrival_ms(numbers) // 1000).astype(">u4").view(np.uint8).reshape(-1, 4)
        parts[:, 4:7] = np.frombuffer((self._seed % 2**24).to_bytes(3, "big"), dtype=np.uint8)
        parts[:, 7:] = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 3:]
        joined = parts.tobytes()
        return [ObjectId(joined[at : at + 12]) for at in range(0, len(joined), 12)]

    def documents(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return the claims start to stop, stop exclusive; what recurs in them is pre-encoded BSON."""
        numbers = np.arange(start, stop)
        draw = np.random.Generator(np.random.Philox(key=self._seed, counter=_DRAWS // 4 * start))
        draws = draw.random((len(numbers), _DRAWS)).T
        provider = np.searchsorted(self._last_slot, self._shuffle(numbers), side="right")
        system = np.searchsorted(_SYSTEM_SHARE, draws[0], side="right")
        begin = self._begin_day(numbers, draws[1])
        end = begin + self._duration_days(system, draws[2], draws[3])
        overpaid, recouped, method = _amounts(system, *draws[4:9])
        patient = self._member_of(self._panel_start, self._panel_size, provider, draws[9] ** 1.5, len(self._patients))
        staff = self._member_of(self._staff_start, self._staff_size, provider, draws[10], _PRACTITIONERS)
        updated = self._updated_ms(numbers, end, draws[11]).astype("datetime64[ms]").tolist()
        columns = (provider, system, begin, end, overpaid, recouped, method, patient, staff)
        rows = zip(numbers.tolist(), self.ids(numbers), updated, *(column.tolist() for column in columns), strict=True)
        return list(itertools.starmap(self._document, rows))

    def _document(self, number, _id, updated, provider, system, begin, end, overpaid, recouped, method, patient, staff):
        code = _SYSTEM_CODES[system]
        billing = self._billing[provider].copy()
        billing["patientAccountNumber"] = f"{billing['providerId']}-{patient:07d}"
        return {
            "_id": _id,
            "renderingProvider": self._practitioners[staff],
            "billingProvider": billing,
            "serviceBeginDate": self._midnights[begin],
            "serviceEndDate": self._midnights[end],
            "lastUpdatedTs": updated,
            "patientInformation": self._patients[patient],
            "identifiers": {"claimSystemCode": code, "claimSystemClaimId": f"{code}-{number + 1:012d}"},
            "processedAmounts": _processed(overpaid, recouped) if overpaid else _NOTHING_PROCESSED,
            "recoveryMethod": RECOVERY_METHODS[method],
        }

    def _day_weights(self, days: int) -> np.ndarray:
        dates = np.datetime64(self._data.first_service_date) + np.arange(days)
        weekday = (dates.astype("datetime64[D]").astype(int) + 3) % 7  # 1970-01-01 was a Thursday
        month = dates.astype("datetime64[M]").astype(int) % 12
        return _WEEKDAY_WEIGHTS[weekday] * _MONTH_WEIGHTS[month]

    def _begin_day(self, numbers: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Day of the window, 0-based: chronological with jitter, as a live feed delivers."""
        share = np.abs(self._share(numbers) + (2 * draw - 1) * self._jitter)
        share = np.where(share >= 1, 2 - share, share)
        day = np.searchsorted(self._arrival_share, share, side="right")
        return np.minimum(day, len(self._arrival_share) - 1)

    def _duration_days(self, system: np.ndarray, one_day: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Days from begin to end: 0 for most claims, else a few, or a month where care is billed by the month."""
        longest = self._data.max_claim_days
        by_month = length < _BILLED_BY_MONTH
        month = 27 + 4 * length / _BILLED_BY_MONTH
        rest = np.maximum(0, (length - _BILLED_BY_MONTH) / (1 - _BILLED_BY_MONTH))
        # An exponential tail, cut so that it never reaches beyond D.
        few = 1 - _MEAN_DAYS * np.log1p(rest * np.expm1(-longest / _MEAN_DAYS))
        days = np.clip(np.floor(np.where(by_month, month, few)), 1, longest)
        return np.where(one_day < _SAME_DAY[system], 0, days).astype(np.int64)

    def _share(self, numbers: np.ndarray) -> np.ndarray:
        return (numbers + 0.5) / self._data.target_volume

    def _arrival_ms(self, numbers: np.ndarray) -> np.ndarray:
        """When claims arrive, in ms since 1970; ascends with the number, after nearly every claim's end."""
        share = self._share(numbers)
        day = np.searchsorted(self._arrival_share, share, side="right")
        start = np.concatenate(([0.0], self._arrival_share))
        within = (share - start[day]) / (start[day + 1] - start[day])
        late = self._first_day + self._data.max_claim_days + _JITTER_DAYS
        return ((day + late + np.clip(within, 0, 0.999999)) * DAY_MS).astype(np.int64)

    def _updated_ms(self, numbers: np.ndarray, end: np.ndarray, draw: np.ndarray) -> np.ndarray:
        done = (self._first_day + end + 1) * DAY_MS
        lag = np.minimum(-np.log1p(-draw) * 15, 180) * DAY_MS
        return np.maximum(self._arrival_ms(numbers), done) + lag.astype(np.int64)

    @staticmethod
    def _member_of(
        first: np.ndarray, size: np.ndarray, provider: np.ndarray, draw: np.ndarray, total: int
    ) -> np.ndarray:
        return (first[provider] + (draw * size[provider]).astype(np.int64)) % total

    def _make_patients(self, count: int) -> list[RawBSONDocument]:
        pools = name_pools(self._seed)
        rng = np.random.default_rng([self._seed, 1])
        # Years of age on the first service day: children to the very old, most between 45 and 85.
        age = np.where(rng.random(count) < 0.12, rng.uniform(0, 18, count), rng.triangular(18, 66, 97, count))
        born = np.datetime64(self._data.first_service_date) - 1 - (age * 365.25).astype(int)
        columns = (
            born.astype("datetime64[ms]").tolist(),
            rng.integers(2, size=count).tolist(),
            rng.integers(300, size=count).tolist(),
            rng.integers(600, size=count).tolist(),
        )
        return [
            RawBSONDocument(
                bson.encode(
                    {
                        "memberId": f"M{number:09d}",
                        "firstName": (pools.male if is_male else pools.female)[first],
                        "lastName": pools.last[last],
                        "dateOfBirth": birth,
                        "gender": "M" if is_male else "F",
                    }
                )
            )
            for number, (birth, is_male, first, last) in enumerate(zip(*columns, strict=True), 1)
        ]

    def _make_practitioners(self) -> list[RawBSONDocument]:
        pools = name_pools(self._seed)
        rng = np.random.default_rng([self._seed, 2])
        firsts = rng.permutation(pools.female + pools.male)
        chosen = zip(rng.choice(firsts, _PRACTITIONERS), rng.choice(pools.last, _PRACTITIONERS), strict=True)
        return [RawBSONDocument(bson.encode({"providerName": f"Dr. {first} {last}"})) for first, last in chosen]


def _plain_claims(generator: ClaimGenerator, start: int, stop: int) -> Iterator[dict[str, Any]]:
    for first in range(start, stop, _BLOCK):
        for claim in generator.documents(first, min(first + _BLOCK, stop)):
            yield bson.decode(bson.encode(claim))


@lru_cache(maxsize=2)
def claim_generator(data: DataGenerationConfig) -> ClaimGenerator:
    """Return the generator of these settings; building its pools takes about half a second, so it is kept."""
    return ClaimGenerator(data)


def _billing(provider: Provider) -> dict[str, str | None]:
    """The part of a claim that says who bills; the account number is the patient's there."""
    return {
        "providerTin": provider.tin,
        "patientAccountNumber": None,
        "providerId": provider.provider_id,
        "providerNpi": provider.npi,
        "providerName": provider.name,
    }


def _amounts(system, has_one, radius, angle, outcome, part):
    """Overpayment and recouped amount in cents, and the recovery method that fits them."""
    normal = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)  # Box and Muller
    cents = np.clip(np.exp(_LOG_CENTS[system] + _SIGMA[system] * normal), 1, 99_999_999).astype(np.int64)
    overpaid = np.where(has_one < 0.62, cents, 0)
    in_part = (outcome >= 0.35) & (outcome < 0.60)
    recouped = np.where(outcome < 0.35, 0, np.where(in_part, (overpaid * part).astype(np.int64), overpaid))
    # Full recoveries are offset or paid back at once; partial ones are mostly payment plans.
    by_plan = np.where(part < 0.7, 4, 1)
    at_once = 1 + np.searchsorted([0.55, 0.80], part, side="right")
    method = np.where(recouped == 0, 0, np.where(in_part, by_plan, at_once))
    return overpaid, recouped, method


def _money(cents: int) -> dict[str, Any]:
    return {"amount": Decimal128((_CENTS, cents)), "currency": CURRENCY}


def _processed(overpaid: int, recouped: int) -> dict[str, Any]:
    whole = _money(overpaid)  # all or nothing recouped is three in four: then it is one amount, twice
    if recouped == 0:
        balance, back = whole, _NOTHING
    elif recouped == overpaid:
        balance, back = _NOTHING, whole
    else:
        balance, back = _money(overpaid - recouped), _money(recouped)
    return {"overpaymentBalance": balance, "overpaymentAmount": whole, "recoupedAmount": back}


_NOTHING = RawBSONDocument(bson.encode(_money(0)))
_NOTHING_PROCESSED = RawBSONDocument(
    bson.encode({"overpaymentBalance": _NOTHING, "overpaymentAmount": _NOTHING, "recoupedAmount": _NOTHING})
)
