"""Claims of a billing provider, page after page, at a flat latency: the MongoDB demo as a package.

import pbm_lib as pbm

store = pbm.setup_collection(pbm.connect())   # MONGODB_URI, or a local mongod
pbm.load_claims(store)                        # goes on where it stopped
provider = pbm.list_providers(store.config)[0]
page = pbm.find_claims(store, provider.tin)
page = pbm.find_claims(store, provider.tin, cursor=page.next_cursor)
"""

from .config import Config, load_config
from .errors import (
    ConfigError,
    InvalidCursor,
    InvalidQuery,
    LoadError,
    PbmError,
    ServerUnavailable,
    SetupError,
)
from .explain import QueryPlan, explain_claims, explain_count
from .generate import generate_claims
from .load import LoadReport, load_claims
from .local_server import stop_local_server
from .query import ClaimPage, count_claims, find_claims, iter_claims
from .roster import Provider, list_providers
from .store import ClaimStore, ServerInfo, connect, setup_collection

__all__ = [
    "ClaimPage",
    "ClaimStore",
    "Config",
    "ConfigError",
    "InvalidCursor",
    "InvalidQuery",
    "LoadError",
    "LoadReport",
    "PbmError",
    "Provider",
    "QueryPlan",
    "ServerInfo",
    "ServerUnavailable",
    "SetupError",
    "connect",
    "count_claims",
    "explain_claims",
    "explain_count",
    "find_claims",
    "generate_claims",
    "iter_claims",
    "list_providers",
    "load_claims",
    "load_config",
    "setup_collection",
    "stop_local_server",
]


def __dir__() -> list[str]:
    return __all__
