"""Tiers, codes, indexes, and sizes as pandas DataFrames."""

from pandas import DataFrame

from ..arguments import checked
from ..claims.reference import CLAIM_SYSTEMS, RECOVERY_METHODS
from ..claims.roster import list_providers
from ..config import Config
from ..display import times_sign
from ..errors import PbmError
from ..mql import to_mql
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore


@checked(PbmError)
def tiers_frame(config: Config) -> DataFrame:
    """Return the roster by tier as a pandas DataFrame: tier, providers, claims each, claims in total, example.

    Args:
        config: the settings.
    """
    rows = []
    for tier in config.data_generation.tiers:
        example = list_providers(config, tier.name)[0]
        rows.append(
            (tier.name, tier.providers, tier.claims_per_provider, tier.claims, f"{example.name}, {example.tin}")
        )
    return DataFrame(rows, columns=["tier", "providers", "claims each", "claims in total", "example"])


def codes_frame() -> DataFrame:
    """Return the codes used in claims and their meanings as a pandas DataFrame: field, code, what it means."""
    rows = [("claimSystemCode", system.code, system.meaning) for system in CLAIM_SYSTEMS]
    rows += [("recoveryMethod", code, meaning) for code, meaning in RECOVERY_METHODS.items()]
    return DataFrame(rows, columns=["field", "code", "what it means"])


@checked(PbmError)
def indexes_frame(store: ClaimStore) -> DataFrame:
    """Return the collection's indexes, read from the server, as a pandas DataFrame: index, key.

    Args:
        store: an open store.
    """
    with store.errors_explained():
        indexes = store.collection.index_information()
    rows = [(name, to_mql(dict(index["key"]))) for name, index in indexes.items()]
    return DataFrame(rows, columns=["index", "key"])


@checked(PbmError)
def footprint_frame(store: ClaimStore) -> DataFrame:
    """Return how much space the claims use on the server, as a pandas DataFrame: what, size.

    Args:
        store: a loaded store.
    """
    sizes = measure_footprint(store)
    facts = {
        "claims": f"{sizes.claims:,}",
        "claims, uncompressed BSON": _megabytes(sizes.data_bytes),
        "claims, on disk": _megabytes(sizes.storage_bytes),
        "leaf pages": f"{sizes.leaf_page_kb} KB" if sizes.leaf_page_kb else "unknown",
        "compression": times_sign(sizes.data_bytes / max(sizes.storage_bytes, 1)),
        **{f"index {name}": _megabytes(size) for name, size in sizes.index_bytes.items()},
        "all indexes, on disk": _megabytes(sizes.total_index_bytes),
    }
    if store.server.cache_bytes:
        facts["server cache"] = f"{store.server.cache_bytes / 2**30:.2g} GB"
    return DataFrame(facts.items(), columns=["what", "size"])


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
