"""Tiers, indexes and sizes as frames, and how a frame looks in a notebook."""

from pandas import DataFrame
from pandas.io.formats.style import Styler

from ..arguments import checked
from ..claims.reference import CLAIM_SYSTEMS, RECOVERY_METHODS
from ..claims.roster import list_providers
from ..config import Config
from ..errors import PbmError
from ..mql import to_mql
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore


@checked(PbmError)
def table(frame: DataFrame) -> Styler:
    """Return a frame styled for a reader: no index, words to the left, numbers with thousands separators.

    Args:
        frame: any pandas DataFrame with named columns.

    Returns:
        A pandas Styler.
    """
    words = list(frame.select_dtypes(exclude="number").columns)
    # Names out of a config or a collection are text, whatever they look like.
    style = frame.style.format(precision=1, thousands=",", na_rep="", escape="html").hide()
    style = style.format_index(escape="html", axis="columns")
    style = style.set_properties(subset=words, **{"text-align": "left"}).set_properties(**{"white-space": "nowrap"})
    heads = {name: [{"selector": "th", "props": "text-align: left"}] for name in words}
    return style.set_table_styles(heads, overwrite=False)


@checked(PbmError)
def tiers_frame(config: Config) -> DataFrame:
    """Return the roster by tier as a pandas DataFrame: tier, providers, claims each, claims in all, an example.

    Args:
        config: the settings.
    """
    rows = []
    for tier in config.data_generation.tiers:
        example = list_providers(config, tier.name)[0]
        rows.append(
            (tier.name, tier.providers, tier.claims_per_provider, tier.claims, f"{example.name}, {example.tin}")
        )
    return DataFrame(rows, columns=["tier", "providers", "claims each", "claims in all", "for example"])


def codes_frame() -> DataFrame:
    """Return the codes of claims in plain words, as a pandas DataFrame: field, code, what it means."""
    rows = [("claimSystemCode", system.code, system.meaning) for system in CLAIM_SYSTEMS]
    rows += [("recoveryMethod", code, meaning) for code, meaning in RECOVERY_METHODS.items()]
    return DataFrame(rows, columns=["field", "code", "what it means"])


@checked(PbmError)
def indexes_frame(store: ClaimStore) -> DataFrame:
    """Return the collection's indexes as the server has them, as a pandas DataFrame: name, key.

    Args:
        store: an open store.
    """
    with store.errors_explained():
        indexes = store.collection.index_information()
    rows = [(name, to_mql(dict(index["key"]))) for name, index in indexes.items()]
    return DataFrame(rows, columns=["index", "key"])


@checked(PbmError)
def footprint_frame(store: ClaimStore) -> DataFrame:
    """Return what the claims take on the server, as a pandas DataFrame: what, size.

    Args:
        store: a loaded store.
    """
    sizes = measure_footprint(store)
    facts = {
        "claims": f"{sizes.claims:,}",
        "documents, as BSON": _megabytes(sizes.data_bytes),
        "documents, on disk": _megabytes(sizes.storage_bytes),
        "leaf pages": f"{sizes.leaf_page_kb} KB" if sizes.leaf_page_kb else "unknown",
        "compression": f"{sizes.data_bytes / max(sizes.storage_bytes, 1):.1f} to 1",
        **{f"index {name}": _megabytes(size) for name, size in sizes.index_bytes.items()},
        "indexes together": _megabytes(sizes.total_index_bytes),
    }
    if store.server.cache_bytes:
        facts["the server's cache"] = f"{store.server.cache_bytes / 2**30:.2g} GB"
    return DataFrame(facts.items(), columns=["what", "size"])


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
