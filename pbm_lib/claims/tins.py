"""The TINs of the billing providers, apart from their names: queries need only TINs, and names are slow to import."""

from functools import lru_cache

import numpy as np

from ..config import DataGenerationConfig
from .reference import TIN_PREFIXES
from .shuffle import Shuffle


@lru_cache(maxsize=4)
def provider_tins(data: DataGenerationConfig) -> tuple[str, ...]:
    """Return the TINs of all billing providers, in the config's order of tiers; each is unique."""
    position = np.arange(sum(tier.providers for tier in data.tiers))
    tins = Shuffle(len(TIN_PREFIXES) * 10**7, data.seed + 1)(position).tolist()
    return tuple(TIN_PREFIXES[tin // 10**7] + f"{tin % 10**7:07d}" for tin in tins)


def tins_of_tier(data: DataGenerationConfig, tier: str) -> list[str]:
    """Return the TINs of a tier's providers, in the same order as `provider_tins`."""
    tiers = [known.name for known in data.tiers for _ in range(known.providers)]
    return [tin for name, tin in zip(tiers, provider_tins(data), strict=True) if name == tier]
