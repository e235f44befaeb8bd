"""All claims of one billing provider, page after page, at a flat latency: the MongoDB demo as a package.

Quick start, in a Python shell:

    import pbm_lib as pbm

    store = pbm.setup_collection(pbm.connect())    # MONGODB_URI, or else a local mongod
    pbm.load_claims(store)                         # goes on where it stopped
    provider = pbm.list_providers(store.config)[0]
    page = pbm.find_claims(store, provider.tin)    # first page, and the exact total
    page = pbm.find_claims(store, provider.tin, cursor=page.next_cursor)

help(pbm.find_claims) and the like say more. What there is:

    settings      load_config, output_folder; Config
    server        connect, setup_collection, covering_index, stop_local_server, indexes_frame, footprint_frame,
                  topology_note, rule_note; ClaimStore, ServerInfo
    claims        list_providers, generate_claims, sample_claim, show_claim, claims_sample, claims_summary,
                  claims_chart, tiers_frame; Provider
    load          load_claims, load_rate_chart, require_claims; LoadReport
    query         find_claims, iter_claims, count_claims, explain_claims, explain_count; ClaimPage, QueryPlan
    compare       compare_plans, compare_paging, compare_indexes, plans_frame, paging_chart
    explore       ClaimExplorer
    measure       run_performance, write_report, targets_frame, size_cluster, latency_by_tier_chart, plans_chart,
                  keyset_chart, concurrency_chart; PerformanceRun, ReportFiles, ClusterSizing
    notebooks     table, refusal
    errors        PbmError, of which: ConfigError, ServerUnavailable, SetupError, LoadError, InvalidQuery,
                  InvalidCursor, RunFileError

Every error's message says what to do next. python -m pbm_lib --help lists the commands.
"""

from .charts import concurrency_chart, keyset_chart, latency_by_tier_chart, plans_chart
from .claim import sample_claim
from .claims_view import claims_chart, claims_sample, claims_summary
from .compare import compare_indexes, compare_paging, compare_plans, plans_frame
from .config import Config, load_config, output_folder
from .demo_charts import load_rate_chart, paging_chart
from .errors import ConfigError, InvalidCursor, InvalidQuery, LoadError, PbmError, ServerUnavailable, SetupError
from .explain import QueryPlan, explain_claims, explain_count
from .explorer import ClaimExplorer
from .generate import generate_claims
from .load import LoadReport, load_claims
from .local_server import stop_local_server
from .measure import run_performance
from .page import ClaimPage
from .performance_run import PerformanceRun
from .query import count_claims, find_claims, iter_claims
from .ready import require_claims
from .report import ReportFiles, write_report
from .report_tables import targets_frame
from .roster import Provider, list_providers
from .run_file import RunFileError
from .show import footprint_frame, indexes_frame, refusal, rule_note, show_claim, table, tiers_frame, topology_note
from .sizing import ClusterSizing, size_cluster
from .store import ClaimStore, ServerInfo, connect, covering_index, setup_collection

__all__ = [
    "ClaimExplorer",
    "ClaimPage",
    "ClaimStore",
    "ClusterSizing",
    "Config",
    "ConfigError",
    "InvalidCursor",
    "InvalidQuery",
    "LoadError",
    "LoadReport",
    "PbmError",
    "PerformanceRun",
    "Provider",
    "QueryPlan",
    "ReportFiles",
    "RunFileError",
    "ServerInfo",
    "ServerUnavailable",
    "SetupError",
    "claims_chart",
    "claims_sample",
    "claims_summary",
    "compare_indexes",
    "compare_paging",
    "compare_plans",
    "concurrency_chart",
    "connect",
    "count_claims",
    "covering_index",
    "explain_claims",
    "explain_count",
    "find_claims",
    "footprint_frame",
    "generate_claims",
    "indexes_frame",
    "iter_claims",
    "keyset_chart",
    "latency_by_tier_chart",
    "list_providers",
    "load_claims",
    "load_config",
    "load_rate_chart",
    "output_folder",
    "paging_chart",
    "plans_chart",
    "plans_frame",
    "refusal",
    "require_claims",
    "rule_note",
    "run_performance",
    "sample_claim",
    "setup_collection",
    "show_claim",
    "size_cluster",
    "stop_local_server",
    "table",
    "targets_frame",
    "tiers_frame",
    "topology_note",
    "write_report",
]


def __dir__() -> list[str]:
    return __all__
