"""Tiers, indexes and sizes as frames, and how a frame looks in a notebook."""

import html
import re
from numbers import Integral, Real
from typing import Any

from numpy import bool_
from pandas import DataFrame, RangeIndex
from pandas.io.formats.style import Styler

from ..arguments import checked
from ..claims.reference import CLAIM_SYSTEMS, RECOVERY_METHODS
from ..claims.roster import list_providers
from ..config import Config
from ..display import times_sign
from ..errors import PbmError
from ..mql import to_mql
from ..store.footprint import measure_footprint
from ..store.store import ClaimStore

# A number, which may have a unit, another number that it ends at, and how many samples it is of; or a dash.
_NUMBER = r"[\d.,]+ ?(ms|s|%|[KMG]B|\N{MULTIPLICATION SIGN})?"
_FIGURE = re.compile(rf"({_NUMBER}(( to |, ){_NUMBER})?( \(.*\))?|from {_NUMBER}|[\u2013\u2014]|same|)")


@checked(PbmError)
def table(frame: DataFrame) -> Styler:
    """Return a frame styled for a reader: a tick for True, 111\N{MULTIPLICATION SIGN} for a ratio, nothing for nothing.

    Words are at the left and figures at the right, with thousands separators. Row labels are shown where there are
    any. A ratio is a number in a column that is called ratio.

    Args:
        frame: any pandas DataFrame with named columns.

    Returns:
        A pandas Styler.
    """
    columns = range(frame.shape[1])
    figures = [number for number in columns if frame.iloc[:, number].map(_is_figure).all() and len(frame)]
    formats = {name: _ratio if name == "ratio" else _cell for name in frame.columns}
    # Names out of a config or a collection are text, whatever they look like.
    style = frame.style.format(formats).format_index(escape="html", axis="columns").format_index(escape="html")
    if isinstance(frame.index, RangeIndex):
        style = style.hide()
    left, right = "text-align: left", "text-align: right"
    looks = [{"selector": "td, th", "props": f"{left}; white-space: nowrap"}]
    looks += [{"selector": f"td.col{number}, th.col{number}", "props": right} for number in figures]
    return style.set_table_styles(looks)


def _is_figure(value: Any) -> bool:
    if isinstance(value, bool | bool_):
        return False
    return not isinstance(value, str) or _FIGURE.fullmatch(value) is not None


def _cell(value: Any) -> str:
    if isinstance(value, bool | bool_) or value in ("True", "False"):
        return "\N{CHECK MARK}" if str(value) == "True" else "no"
    if isinstance(value, str):
        return html.escape(value)
    if value is None or value != value:
        return ""
    if isinstance(value, Real):
        return f"{value:,}" if isinstance(value, Integral) else f"{value:,.1f}"
    return html.escape(str(value))


def _ratio(value: Any) -> str:
    return _cell(value) if isinstance(value, str) or value is None or value != value else times_sign(value)


@checked(PbmError)
def tiers_frame(config: Config) -> DataFrame:
    """Return the roster by tier as a pandas DataFrame: tier, providers, claims each, claims in total, an example.

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
