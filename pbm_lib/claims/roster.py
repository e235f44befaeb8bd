"""The billing providers: who they are, and how many claims each has. They are a pure function of the settings."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from faker import Faker

from ..arguments import checked, in_short, not_accepted
from ..config import Config, DataGenerationConfig
from ..errors import InvalidQuery
from .shuffle import Shuffle
from .tins import provider_tins

_PRACTICES = (
    "Pharmacy", "Family Pharmacy", "Community Pharmacy", "Specialty Pharmacy", "Mail Order Pharmacy",
    "Infusion Services", "Health Partners", "Medical Group", "Clinic", "Home Care", "Drug Store", "Care Center",
)  # fmt: skip
_LEGAL_FORMS = ("", " LLC", " Inc.", " PLLC", " Corp.")
_PEOPLE = "faker.providers.person"
_POOL = 600


@dataclass(frozen=True)
class Provider:
    """A billing provider of the demo.

    Attributes:
        tin: taxpayer identification number, nine digits.
        npi: national provider identifier, ten digits; the last is the Luhn check digit.
        name: made up.
        provider_id: the PBM's own id for the provider.
        tier: name of the provider's tier in the config.
        claim_count: number of claims once the load is complete.
    """

    tin: str
    npi: str
    name: str
    provider_id: str
    tier: str
    claim_count: int

    def __str__(self) -> str:
        return f"{self.name} (TIN {self.tin}, {self.claim_count:,} claims)"


@dataclass(frozen=True)
class NamePools:
    """Pools of first and last names for people and practices."""

    first: tuple[str, ...]
    last: tuple[str, ...]


@checked(InvalidQuery)
def list_providers(config: Config, tier: str | None = None) -> list[Provider]:
    """Return the billing providers, those with the most claims first.

    Args:
        config: the settings.
        tier: name of a tier in the config; None for all tiers.

    Returns:
        The providers. The same seed and tiers always give the same list.

    Raises:
        InvalidQuery: the config has no tier with that name.
    """
    names = [known.name for known in config.data_generation.tiers]
    if tier is not None and tier not in names:
        raise not_accepted("tier", in_short(tier), f"one of {', '.join(names)}, or None for all")
    chosen = [provider for provider in provider_roster(config.data_generation) if tier in (None, provider.tier)]
    return sorted(chosen, key=lambda provider: -provider.claim_count)


@lru_cache(maxsize=4)
def provider_roster(data: DataGenerationConfig) -> tuple[Provider, ...]:
    """Return all billing providers in the config's order of tiers; TINs, NPIs, and provider ids are unique."""
    tiers = [tier for tier in data.tiers for _ in range(tier.providers)]
    position = np.arange(len(tiers))
    lasts = name_pools(data.seed).last
    npis = (10**8 + Shuffle(2 * 10**8, data.seed + 2)(position)).tolist()
    variants = len(lasts) * len(_PRACTICES) * len(_LEGAL_FORMS)
    names = Shuffle(variants, data.seed + 3)(position % variants).tolist()
    return tuple(
        Provider(
            tin=tin,
            npi=f"{npi}{npi_check_digit(str(npi))}",
            name=_practice_name(name, lasts),
            provider_id=f"P{number:05d}",
            tier=tier.name,
            claim_count=tier.claims_per_provider,
        )
        for number, (tier, tin, npi, name) in enumerate(zip(tiers, provider_tins(data), npis, names, strict=True), 1)
    )


@lru_cache(maxsize=4)
def name_pools(seed: int) -> NamePools:
    """Return the name pools for a seed, with names repeated as Faker weights them. Nothing else uses Faker."""
    fake = Faker("en_US", providers=[_PEOPLE])
    fake.seed_instance(seed)
    people = fake.provider(_PEOPLE)
    # Draw all at once: drawing one by one, as `first_name` does, would add up the weights again for each name.
    first, last = (
        fake.random_elements(names, _POOL, use_weighting=True) for names in (people.first_names, people.last_names)
    )
    return NamePools(tuple(first), tuple(last))


def npi_check_digit(nine_digits: str) -> int:
    """Return the check digit of an NPI: the Luhn formula over 80840 and its nine digits (CMS, NPI standard)."""
    digits = [int(digit) for digit in reversed("80840" + nine_digits)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])
    return -(doubled + sum(digits[1::2])) % 10


def _practice_name(number: int, lasts: tuple[str, ...]) -> str:
    rest, form = divmod(number, len(_LEGAL_FORMS))
    last, practice = divmod(rest, len(_PRACTICES))
    return f"{lasts[last]} {_PRACTICES[practice]}{_LEGAL_FORMS[form]}"
