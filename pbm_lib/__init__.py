"""Page through all claims of one billing provider at a flat latency: the MongoDB demo as a package.

Quick start, in a Python shell:

    import pbm_lib as pbm

    store = pbm.setup_collection(pbm.connect())    # MONGODB_URI, or else a local mongod
    pbm.load_claims(store)                         # resumes where it stopped
    provider = pbm.list_providers(store.config)[0]
    page = pbm.find_claims(store, provider.tin)    # first page, and the exact total
    page = pbm.find_claims(store, provider.tin, cursor=page.next_cursor)

For details, call help on any name, such as help(pbm.find_claims). The public names:

    settings      load_config, output_folder; Config
    server        connect, setup_collection, index_variant, stop_local_server, indexes_frame, footprint_frame,
                  topology_note, rule_note, try_new_field; ClaimStore, ServerInfo
    claims        list_providers, generate_claims, sample_claim, show_claim, claims_sample, claims_summary,
                  claims_chart, tiers_frame, codes_frame; Provider
    load          load_claims, load_rate_chart, load_card, require_claims; LoadReport
    query         find_claims, iter_claims, count_claims, explain_claims, explain_count, observe_claims; ClaimPage,
                  QueryPlan, ObservedPage, Request
    compare       compare_plans, compare_paging, compare_bounds, compare_indexes, plans_frame, paging_chart,
                  acts_chart, bound_card; IndexComparison
    explore       ClaimExplorer
    live          watch_pages, watch_arrivals, watch_failover, try_failover, watch_chart, remove_fed_claims; Watch,
                  FailoverScene
    measure       run_performance, write_report, targets_frame, comparison_frame, size_cluster,
                  latency_by_tier_chart, plans_chart, keyset_chart, concurrency_chart, performance_cards;
                  PerformanceRun, ReportFiles, ClusterSizing
    notebooks     table, number_card, refusal
    errors        PbmError and its subclasses: ConfigError, ServerUnavailable, SetupError, LoadError,
                  FeedError, InvalidQuery, InvalidCursor, RunFileError

Error messages say what went wrong and, if you can fix it, how. For a wrong argument, they name the argument and
what is accepted.

python -m pbm_lib --help lists the commands.
"""

import threading

import lazy_loader

# The names are those in the stub next to this file. Each is imported when it is first used, so that a loading worker,
# which needs only the claims, does not wait for pandas, matplotlib, and Jupyter.
_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
_one_at_a_time = threading.RLock()


def __getattr__(name: str) -> object:
    with _one_at_a_time:  # libraries with circular imports fail if two threads start importing them at once
        return _find(name)
