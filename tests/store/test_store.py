"""The store: what it says about itself, and that a URI's options change nothing about the claims."""

import dataclasses
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from bson import Binary
from bson.datetime_ms import DatetimeMS
from oracle import TIN_A, check_all, day, fill, make_claim, overlapping
from processes import run_python
from proxy import Proxy
from pymongo.errors import InvalidOperation

from pbm_lib import (
    LoadError,
    PbmError,
    ServerUnavailable,
    SetupError,
    connect,
    find_claims,
    iter_claims,
    load_claims,
    setup_collection,
)
from pbm_lib.claims.document import BEGIN, END, ID
from pbm_lib.store.connection import open_client
from pbm_lib.store.server import server_process

CLAIMS = [make_claim(number, day(number), day(number + 1)) for number in range(12)]


@pytest.fixture
def through(test_uri, make_config, monkeypatch):
    """Call it with options to get a store that was opened with them in its URI."""
    opened = []

    def make(options):
        joint = "" if not options else "&" if "?" in test_uri else "/?"
        monkeypatch.setenv("MONGODB_URI", f"{test_uri}{joint}{options}")
        opened.append(connect(make_config()))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.mark.parametrize(
    "options",
    [
        "tz_aware=true",
        "readPreference=secondary",
        "readPreference=nearest&maxStalenessSeconds=120",
        "retryReads=false",
        "uuidRepresentation=standard",
        "datetime_conversion=DATETIME_MS",
        "readConcernLevel=majority",
        "readConcernLevel=linearizable",
        "timeoutMS=20000",
    ],
)
def test_a_uris_options_change_nothing_about_the_claims(through, options):
    store = setup_collection(through(options))
    fill(store, CLAIMS)
    check_all(store, overlapping(CLAIMS, TIN_A, day(3), day(8)), TIN_A, day(3), day(8))
    assert store.collection.read_preference.mongos_mode == "primary"


def test_a_reopened_store_reads_the_same_and_is_closed_separately(through):
    store = setup_collection(through("readPreference=secondary&tz_aware=true"))
    fill(store, CLAIMS)
    with store.reopened(maxPoolSize=3) as another:
        client = another.collection.database.client
        assert client is not store.collection.database.client
        assert client.options.pool_options.max_pool_size == 3
        assert another.collection.read_preference.mongos_mode == "primary"
        assert repr(another) == repr(store)
        assert list(find_claims(another, TIN_A)) == list(find_claims(store, TIN_A)) == CLAIMS
    with pytest.raises(InvalidOperation):
        client.admin.command("ping")
    assert find_claims(store, TIN_A).total == len(CLAIMS)


def test_an_option_with_a_wrong_value_makes_the_uri_invalid(through):
    with pytest.raises(ServerUnavailable, match="not a valid connection string"):
        through("datetime_conversion=never")


@pytest.mark.parametrize("representation", ["standard", "pythonLegacy", "unspecified"])
def test_a_uuid_as_id_is_paged_over_whatever_the_uri_says_about_uuids(through, representation):
    store = through(f"uuidRepresentation={representation}")
    ids = [Binary.from_uuid(uuid.UUID(int=number)) for number in range(5)]
    claims = [{**make_claim(0, day(0), day(1)), ID: _id} for _id in ids]
    fill(store, claims)
    check_all(store, claims, TIN_A)


def test_a_date_beyond_the_years_that_python_supports_is_paged_over_and_shown(through):
    store = through("")
    never = DatetimeMS(253_402_300_800_000)  # the year 10000
    claims = [make_claim(number, begin, never) for number, begin in enumerate([day(0), never, never])]
    fill(store, claims)
    pages = [find_claims(store, TIN_A, page_size=1)]
    while pages[-1].next_cursor:
        pages.append(find_claims(store, TIN_A, page_size=1, cursor=pages[-1].next_cursor))
    assert [claim[ID] for page in pages for claim in page] == [claim[ID] for claim in claims]
    assert "253402300800000" in repr(pages[1])


def test_a_page_of_claims_that_lack_everything_can_be_shown(through):
    store = through("")
    bare = [{ID: number, "billingProvider": {"providerTin": TIN_A}} for number in range(3)]
    odd = [
        {**claim, ID: claim[ID] + 3, "patientInformation": "text", "processedAmounts": [1], BEGIN: "x"}
        for claim in bare
    ]
    fill(store, bare + odd)
    page = find_claims(store, TIN_A, page_size=100)
    assert len(page.to_frame()) == 6
    assert len(page._repr_html_()) > 100
    assert repr(page).startswith("ClaimPage: 6 claims of 6; no other pages")
    assert list(find_claims(store, "900000001").to_frame().columns) == list(page.to_frame().columns)


def test_it_says_where_it_is_and_which_query_and_index_it_uses(store):
    text = repr(store)
    for fact in (store.collection.full_name, "MongoDB ", "claims_by_provider", "bounded query", "30 days"):
        assert fact in text
        assert fact in store._repr_html_()


def test_refresh_sees_what_someone_else_changed(store):
    store.collection.database.command("collMod", store.collection.name, validator={})
    store.collection.drop_index(store.index_name)
    assert store.bounded
    store.refresh()
    assert (store.bounded, store.index_name) == (False, None)
    assert "run setup_collection(store)" in repr(store)


def idle_cursors(store):
    stages = [{"$currentOp": {"idleCursors": True}}, {"$match": {"type": "idleCursor"}}]
    there = store.collection.database.client.admin.aggregate(stages)
    return [cursor for cursor in there if cursor["ns"] == store.collection.full_name]


def test_an_iterator_that_is_abandoned_early_leaves_no_cursor_open(store):
    fill(store, [make_claim(number, day(0), day(1)) for number in range(50)])
    claims = iter_claims(store, TIN_A, page_size=5)
    assert [next(claims)[END] for _ in range(3)] == [day(1)] * 3
    assert len(idle_cursors(store)) == 1
    claims.close()
    assert idle_cursors(store) == []
    find_claims(store, TIN_A, page_size=7)
    assert idle_cursors(store) == []


STREAM = """
import pbm_lib as pbm
def first():  # a function holds the script's globals until Python has taken the modules apart
    return next(claims)["_id"]
store = pbm.connect(pbm.load_config({path!r}))
claims = pbm.iter_claims(store, "411234567", page_size=5)
print(first())
"""


def test_an_iterator_that_is_alive_at_exit_closes_its_cursor_silently(store, test_uri):
    fill(store, [make_claim(number, day(0), day(1)) for number in range(50)])
    ended = run_python("-c", STREAM.format(path=str(store.config.path)), uri=test_uri)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{0:024x}\n", "")
    assert idle_cursors(store) == []


def test_an_iterators_arguments_are_rejected_by_the_call_itself(store):
    with pytest.raises(ValueError, match=r"^tin must be nine digits"):
        iter_claims(store, "no")


OTHER_KINDS = {
    "a capped collection": {"capped": True, "size": 2**20},
    "a time-series collection": {"timeseries": {"timeField": "t"}},
    "a view": {"viewOn": "others", "pipeline": []},
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_only_an_ordinary_collection_is_set_up_or_loaded_into(open_store, kind):
    store = open_store()
    database, name = store.collection.database, store.collection.name
    database.create_collection(name, **OTHER_KINDS[kind])
    before = database.list_collections(filter={"name": name}).to_list()
    refusal = (
        rf"must be a regular collection, not {kind}.*\. Choose another mongodb\.collection, "
        r".*run setup_collection\(store\) again\.$"
    )
    with pytest.raises(SetupError, match=refusal):
        setup_collection(store)
    for replace in (False, True):
        with pytest.raises(LoadError, match=refusal):
            load_claims(store, replace=replace, progress=False)
    assert database.list_collections(filter={"name": name}).to_list() == before


def test_a_view_is_rejected_when_it_is_opened(open_store):
    store = open_store()
    store.collection.database.create_collection(store.collection.name, viewOn="others")
    with pytest.raises(PbmError, match=r"is a view, not a collection\. Choose another mongodb\.collection"):
        open_store(store.config)


@pytest.mark.parametrize("there", ["nothing", "claims"])
def test_concurrent_setups_all_return_with_rule_and_index(open_store, there):
    for _ in range(4):
        stores = [open_store()]
        stores += [open_store(stores[0].config) for _ in range(3)]
        if there == "claims":
            stores[0].collection.insert_many([make_claim(number, day(0), day(1)) for number in range(2_000)])
        at_once = threading.Barrier(len(stores))

        def set_up(store, at_once=at_once):
            at_once.wait(10)
            return setup_collection(store, progress=False)

        with ThreadPoolExecutor(len(stores)) as pool:
            for store in pool.map(set_up, stores):
                assert (store.max_claim_days, store.index_name) == (30, "claims_by_provider")
        assert list(stores[0].collection.index_information()) == ["_id_", "claims_by_provider"]


def test_the_servers_process_is_known_if_it_is_a_mongod_on_this_machine(store, test_uri):
    if "MONGODB_URI_TEST" in os.environ:
        pytest.skip("looks for the process of the tests' own local server")

    def told(pid):
        def answer(command, document):
            return {**document, "pid": pid} if "serverStatus" in command else document

        with Proxy(test_uri, answer=answer) as proxy, open_client(proxy.uri) as client:
            return server_process(client, store.server)

    client = store.collection.database.client
    process = server_process(client, store.server)
    assert process.name().startswith("mongod")
    assert told(process.pid) == process
    # A process id from a container, or from the other end of a tunnel.
    assert told(os.getpid()) is None
    assert told(max(psutil.pids()) + 100_000) is None
    assert server_process(client, dataclasses.replace(store.server, host_kind="remote")) is None
