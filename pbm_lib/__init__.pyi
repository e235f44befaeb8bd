"""Every public name, once, with the module that it comes from. Editors read it; `import pbm_lib` does too."""

from .charts import (
    concurrency_chart as concurrency_chart,
    keyset_chart as keyset_chart,
    latency_by_tier_chart as latency_by_tier_chart,
    plans_chart as plans_chart,
)
from .claim import sample_claim as sample_claim
from .claims_view import claims_chart as claims_chart, claims_sample as claims_sample, claims_summary as claims_summary
from .compare import (
    compare_indexes as compare_indexes,
    compare_paging as compare_paging,
    compare_plans as compare_plans,
    plans_frame as plans_frame,
)
from .config import Config as Config, load_config as load_config, output_folder as output_folder
from .demo_charts import load_rate_chart as load_rate_chart, paging_chart as paging_chart
from .errors import (
    ConfigError as ConfigError,
    InvalidCursor as InvalidCursor,
    InvalidQuery as InvalidQuery,
    LoadError as LoadError,
    PbmError as PbmError,
    ServerUnavailable as ServerUnavailable,
    SetupError as SetupError,
)
from .explain import QueryPlan as QueryPlan, explain_claims as explain_claims, explain_count as explain_count
from .explorer import ClaimExplorer as ClaimExplorer
from .generate import generate_claims as generate_claims
from .load import LoadReport as LoadReport, load_claims as load_claims
from .local_server import stop_local_server as stop_local_server
from .measure import run_performance as run_performance
from .page import ClaimPage as ClaimPage
from .performance_run import PerformanceRun as PerformanceRun
from .query import count_claims as count_claims, find_claims as find_claims, iter_claims as iter_claims
from .ready import require_claims as require_claims
from .report import ReportFiles as ReportFiles, write_report as write_report
from .report_tables import targets_frame as targets_frame
from .roster import Provider as Provider, list_providers as list_providers
from .run_file import RunFileError as RunFileError
from .show import (
    footprint_frame as footprint_frame,
    indexes_frame as indexes_frame,
    refusal as refusal,
    rule_note as rule_note,
    show_claim as show_claim,
    table as table,
    tiers_frame as tiers_frame,
    topology_note as topology_note,
)
from .sizing import ClusterSizing as ClusterSizing, size_cluster as size_cluster
from .store import (
    ClaimStore as ClaimStore,
    ServerInfo as ServerInfo,
    connect as connect,
    covering_index as covering_index,
    setup_collection as setup_collection,
)
