"""Every public name, once, with the module that it comes from. Editors read it; `import pbm_lib` does too."""

from .claims.document import sample_claim as sample_claim
from .claims.generate import generate_claims as generate_claims
from .claims.roster import Provider as Provider, list_providers as list_providers
from .config import Config as Config
from .config_file import load_config as load_config, output_folder as output_folder
from .errors import (
    ConfigError as ConfigError,
    FeedError as FeedError,
    InvalidCursor as InvalidCursor,
    InvalidQuery as InvalidQuery,
    LoadError as LoadError,
    PbmError as PbmError,
    RunFileError as RunFileError,
    ServerUnavailable as ServerUnavailable,
    SetupError as SetupError,
)
from .frame_style import table as table
from .live.chart import watch_chart as watch_chart
from .live.failover import watch_failover as watch_failover
from .live.watch import Watch as Watch
from .live.watch_pages import watch_pages as watch_pages
from .load.fed import remove_fed_claims as remove_fed_claims
from .load.load import load_claims as load_claims
from .load.ready import require_claims as require_claims
from .load.report import LoadReport as LoadReport
from .measure.run import PerformanceRun as PerformanceRun
from .measure.run_performance import run_performance as run_performance
from .present.cards import (
    bound_card as bound_card,
    load_card as load_card,
    number_card as number_card,
    performance_cards as performance_cards,
)
from .present.charts import (
    acts_chart as acts_chart,
    load_rate_chart as load_rate_chart,
    paging_chart as paging_chart,
)
from .present.claims_sample import (
    claims_chart as claims_chart,
    claims_sample as claims_sample,
    claims_summary as claims_summary,
)
from .present.compare import (
    compare_bounds as compare_bounds,
    compare_paging as compare_paging,
    compare_plans as compare_plans,
    plans_frame as plans_frame,
)
from .present.explorer.explorer import ClaimExplorer as ClaimExplorer
from .present.frames import (
    codes_frame as codes_frame,
    footprint_frame as footprint_frame,
    indexes_frame as indexes_frame,
    tiers_frame as tiers_frame,
)
from .present.index_comparison import IndexComparison as IndexComparison, compare_indexes as compare_indexes
from .present.live import FailoverScene as FailoverScene, try_failover as try_failover, watch_arrivals as watch_arrivals
from .present.new_field import try_new_field as try_new_field
from .present.notes import (
    refusal as refusal,
    rule_note as rule_note,
    show_claim as show_claim,
    topology_note as topology_note,
)
from .query.explain import QueryPlan as QueryPlan, explain_claims as explain_claims, explain_count as explain_count
from .query.find import count_claims as count_claims, find_claims as find_claims
from .query.observe import ObservedPage as ObservedPage, observe_claims as observe_claims
from .query.page import ClaimPage as ClaimPage
from .query.request import Request as Request
from .query.stream import iter_claims as iter_claims
from .report.charts import (
    concurrency_chart as concurrency_chart,
    keyset_chart as keyset_chart,
    latency_by_tier_chart as latency_by_tier_chart,
    plans_chart as plans_chart,
)
from .report.cluster_sizing import ClusterSizing as ClusterSizing
from .report.comparison_tables import comparison_frame as comparison_frame
from .report.report import ReportFiles as ReportFiles, write_report as write_report
from .report.sizing import size_cluster as size_cluster
from .report.tables import targets_frame as targets_frame
from .store.local_server import stop_local_server as stop_local_server
from .store.server import ServerInfo as ServerInfo
from .store.setup import index_variant as index_variant, setup_collection as setup_collection
from .store.store import ClaimStore as ClaimStore, connect as connect
