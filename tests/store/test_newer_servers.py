"""Servers not available here: a real one behind a proxy that answers as 7.0 to 9.0 and Atlas do, per their docs."""

import datetime as dt

import pytest
from bson import Int64
from oracle import TIN_A, day, fill, make_claim
from proxy import Proxy
from pymongo.errors import OperationFailure, WriteError

from pbm_lib import (
    PbmError,
    SetupError,
    connect,
    count_claims,
    explain_claims,
    explain_count,
    find_claims,
    list_providers,
    require_claims,
    setup_collection,
)
from pbm_lib.claims.document import BEGIN, END, ID
from pbm_lib.load.state import flush
from pbm_lib.query.under_way import endable
from pbm_lib.store.footprint import measure_footprint
from pbm_lib.store.server import end_of_support

D = 30
GUARANTEED = f"the server guarantees that no claim is longer than {D} days; no writer can bypass it"
CLAIMS = [make_claim(number, day(number), day(number + 1)) for number in range(5)]
LONGER = make_claim(9, day(0), day(D + 1))


def name_of(command):
    return next(iter(command))


@pytest.fixture
def behind(test_uri, make_config, monkeypatch):
    """Call it with a function that answers in the server's place to get a store on that server."""
    if not test_uri.startswith("mongodb://") or "127.0.0.1" not in test_uri:
        pytest.skip("answers in place of the tests' own local server")
    open_now = []

    def make(answer, *, config=None, hello=None):
        proxy = Proxy(test_uri, answer=answer, hello=hello).__enter__()
        open_now.append(lambda: proxy.__exit__())
        monkeypatch.setenv("MONGODB_URI", proxy.uri)
        store = connect(config or make_config())
        open_now.append(store.close)
        return store

    yield make
    for close in reversed(open_now):
        close()


# --- what the server is ---------------------------------------------------------------------------------------------


def build_info(version):
    return {
        "version": version,
        "gitVersion": "d2ef5e1c3e9a5f1a2b3c4d5e6f708192a3b4c5d6",
        "modules": ["enterprise"],
        "allocator": "tcmalloc-google",
        "javascriptEngine": "mozjs",
        "sysInfo": "deprecated",
        "versionArray": [*map(int, version.split(".")), 0],
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": 16777216,
        "storageEngines": ["devnull", "wiredTiger"],
        "ok": 1.0,
    }


@pytest.mark.parametrize(("version", "wire"), [("7.0.28", 21), ("8.0.17", 25)])
def test_a_server_of_7_0_or_8_0_is_described(behind, version, wire):
    def answer(command, answer):
        return build_info(version) if name_of(command).lower() == "buildinfo" else answer

    store = behind(answer, hello={"minWireVersion": 0, "maxWireVersion": wire, "helloOk": True})
    assert (store.server.version, store.server.topology) == (version, "standalone")
    assert store.server.cache_bytes > 0
    assert setup_collection(store).bounded
    fill(store, CLAIMS)
    assert list(find_claims(store, TIN_A)) == CLAIMS


@pytest.mark.parametrize(
    ("version", "last", "month"),
    [
        ("6.0.5", dt.date(2025, 7, 31), "July 2025"),
        ("7.0.28", dt.date(2027, 8, 31), "August 2027"),
        ("8.0.17", dt.date(2029, 10, 31), "October 2029"),
    ],
)
def test_the_end_of_support_for_a_series_is_reported_from_the_next_day_on(version, last, month):
    assert end_of_support(version, last) is None
    said = f"MongoDB ended support for version {version[:3]} in {month}."
    assert end_of_support(version, last + dt.timedelta(days=1)) == said


@pytest.mark.parametrize("version", ["6.3.1", "9.0.1", "60.0.1", "6", "", "unknown"])
def test_nothing_is_reported_for_a_series_that_is_not_in_the_table(version):
    assert end_of_support(version, dt.date(2100, 1, 1)) is None


@pytest.mark.parametrize(("version", "row"), [("6.0.27", 1), ("9.0.1", 0)])
def test_a_store_says_that_the_support_of_its_server_has_ended(behind, version, row):
    def answer(command, answer):
        return build_info(version) if name_of(command).lower() == "buildinfo" else answer

    assert repr(behind(answer)).count("Support      MongoDB ended support for version 6.0 in July 2025.") == row


ATLAS_REFUSES = "{} is not allowed or the syntax is incorrect, see the Atlas documentation for more information"
# The commands of this program that M0 and Flex do not support.
ATLAS_LACKS = {"fsync", "killSessions"}


def test_the_program_does_without_what_m0_and_flex_do_not_answer(behind, loaded_store):
    refused = []

    def answer(command, answer):
        name = name_of(command)
        if name in ATLAS_LACKS:
            refused.append(name)
            return {"ok": 0.0, "errmsg": ATLAS_REFUSES.format(name), "code": 8000, "codeName": "AtlasError"}
        if name == "serverStatus":  # the answer is short, and has nothing about the cache
            return {
                "host": "ac-x1y2z3-shard-00-00.ab1cd.mongodb.net:27017",
                "version": "8.0.17",
                "process": "mongod",
                "connections": {"current": 5, "available": 495, "totalCreated": 9},
                "mem": {"bits": 64, "resident": 0, "virtual": 0, "supported": True},
                "storageEngine": {"name": "wiredTiger", "persistent": True, "readOnly": False},
                "atlasVersion": {"version": "20260901.0.0", "gitVersion": "0123456789abcdef"},
                "ok": 1.0,
            }
        return answer

    store = behind(answer, config=loaded_store.config)
    assert store.server.cache_bytes is None
    assert "cache" not in str(store.server)
    assert require_claims(setup_collection(store)) is store
    tin = list_providers(store.config)[0].tin
    assert list(find_claims(store, tin)) == list(find_claims(loaded_store, tin))
    assert count_claims(store, tin) == explain_count(store, tin)[0].returned == 3_000
    assert measure_footprint(store).claims == 6_000
    flush(store)
    with endable(store) as end:
        end()
    assert set(refused) == ATLAS_LACKS


def test_a_necessary_command_that_an_atlas_tier_lacks_is_reported(behind, loaded_store):
    def answer(command, answer):
        if name_of(command) == "explain":
            return {"ok": 0.0, "errmsg": ATLAS_REFUSES.format("explain"), "code": 8000, "codeName": "AtlasError"}
        return answer

    store = behind(answer, config=loaded_store.config)
    with pytest.raises(PbmError, match=r"This Atlas tier lacks what the demo needs: explain is not allowed"):
        explain_claims(store, TIN_A)


# --- explain --------------------------------------------------------------------------------------------------------

INDEX = "claims_by_provider"
IXSCAN = {
    "stage": "IXSCAN",
    "planNodeId": 1,
    "keyPattern": {"billingProvider.providerTin": 1, BEGIN: 1, ID: 1},
    "indexName": INDEX,
    "isMultiKey": False,
    "direction": "forward",
}
FETCH = {"stage": "FETCH", "planNodeId": 2, "filter": {END: {"$gte": day(0)}}, "inputStage": IXSCAN}
LIMIT = {"stage": "LIMIT", "planNodeId": 3, "limitAmount": 100, "inputStage": FETCH}
COUNT = {"stage": "COUNT", "inputStage": {"stage": "COUNT_SCAN", "keyPattern": {}, "indexName": INDEX}}


def planned(winner, **more):
    return {"namespace": "pbm_demo.claims", "indexFilterSet": False, "winningPlan": winner, "rejectedPlans": [], **more}


def executed(stages, keys=107, documents=101, returned=100, **more):
    figures = {"nReturned": returned, "executionTimeMillis": 6}
    figures |= {"totalKeysExamined": keys, "totalDocsExamined": documents}
    return {"executionSuccess": True, **figures, "executionStages": {"nReturned": returned, **stages}, **more}


def on_shards(stage, *shards):
    """A router's answer: the planner's and the executor's part for each shard, and the sums."""
    winner = {"stage": stage, "shards": [{"shardName": f"s{n}", **planned(win)} for n, (win, _) in enumerate(shards)]}
    ran = [{"shardName": f"s{number}", "executionSuccess": True, **stages} for number, (_, stages) in enumerate(shards)]
    stats = executed({"stage": stage, "totalChildMillis": Int64(6), "shards": ran})
    del stats["executionSuccess"]
    return {"queryPlanner": {"mongosPlannerVersion": 1, "winningPlan": winner}, "executionStats": stats}


SLOT_BASED = {
    "queryPlan": LIMIT,
    "slotBasedPlan": {"slots": "$$RESULT=s11 env: { s1 = Nothing }", "stages": "[3] limit 100 \n[2] nlj inner [] [s4]"},
}
NESTED_LOOP = {
    "stage": "limit",
    "planNodeId": 3,
    "limit": 100,
    "inputStage": {
        "stage": "nlj",
        "planNodeId": 2,
        "outerStage": {"stage": "ixseek", "planNodeId": 1, "indexName": INDEX, "keysExamined": 107},
        "innerStage": {"stage": "limit", "inputStage": {"stage": "seek", "numReads": 101}},
    },
}
ONE_SHARD = ("LIMIT", "FETCH", "SHARDING_FILTER", "IXSCAN")
FILTERED = {**LIMIT, "inputStage": {**FETCH, "inputStage": {"stage": "SHARDING_FILTER", "inputStage": IXSCAN}}}
EXPLAINED = {
    "classic, with the version of its planner": (
        {"queryPlanner": planned(LIMIT, plannerVersion=1, queryPlannerVersion=1), "executionStats": executed(LIMIT)},
        ("LIMIT", "FETCH", "IXSCAN"),
    ),
    "classic of 8.0": (
        {
            "explainVersion": "1",
            "queryPlanner": planned(
                {"isCached": False, **LIMIT}, planCacheShapeHash="65D1F18D", optimizationTimeMillis=0
            ),
            "executionStats": executed({"isCached": False, **LIMIT}),
        },
        ("LIMIT", "FETCH", "IXSCAN"),
    ),
    "slot-based of 7.0": (
        {"explainVersion": "2", "queryPlanner": planned(SLOT_BASED), "executionStats": executed(NESTED_LOOP)},
        ("LIMIT", "FETCH", "IXSCAN"),
    ),
    "slot-based of 8.0": (
        {
            "explainVersion": "2",
            "queryPlanner": planned({"isCached": False, **SLOT_BASED}),
            "executionStats": executed(NESTED_LOOP),
        },
        ("LIMIT", "FETCH", "IXSCAN"),
    ),
    "one shard": (on_shards("SINGLE_SHARD", (FILTERED, {"executionStages": FILTERED})), ("SINGLE_SHARD", *ONE_SHARD)),
    "two shards, slot-based": (
        on_shards("SHARD_MERGE_SORT", *[(SLOT_BASED, {"executionStages": NESTED_LOOP})] * 2),
        ("SHARD_MERGE_SORT", *("LIMIT", "FETCH", "IXSCAN") * 2),
    ),
    "express": (
        {
            "explainVersion": "1",
            "queryPlanner": planned(
                {"isCached": False, "stage": "EXPRESS_IXSCAN", "keyPattern": "{ _id: 1 }", "indexName": INDEX}
            ),
            "executionStats": executed({"isCached": False, "stage": "EXPRESS_IXSCAN", "keysExamined": 107}),
        },
        ("EXPRESS_IXSCAN",),
    ),
}


@pytest.fixture(scope="module")
def said():
    """What the server answers to the next explain; if empty, its own answer is kept."""
    return {}


@pytest.fixture
def explaining(behind, loaded_store, said):
    return behind(
        lambda command, answer: {**said, "ok": 1.0} if name_of(command) == "explain" else answer,
        config=loaded_store.config,
    )


def test_an_explain_reads_the_same_in_every_form(explaining, said):
    for form, (answer, stages) in EXPLAINED.items():
        said.clear()
        said.update(answer)
        plan = explain_claims(explaining, TIN_A, day(0), day(90))
        assert (plan.index, plan.stages) == (INDEX, stages), form
        assert (plan.keys_examined, plan.docs_examined, plan.returned, plan.server_ms) == (107, 101, 100, 6), form
        if "IXSCAN" in stages:
            assert "scans the index" in plan.facts()["Stages"], form


def test_a_count_on_shards_is_the_sum_of_the_shards_counts(explaining, said):
    ran = [{"executionStages": {**COUNT, "nReturned": 0, "nCounted": counted}} for counted in (40, 2)]
    said.clear()
    said.update(on_shards("SHARD_MERGE", *((COUNT, stages) for stages in ran)))
    (plan,) = explain_count(explaining, TIN_A)
    assert (plan.returned, plan.index) == (42, INDEX)
    assert plan.stages == ("SHARD_MERGE", *("COUNT", "COUNT_SCAN") * 2)


def test_a_shard_that_did_not_finish_its_part_is_an_error_and_not_an_answer(explaining, said):
    ended = {"executionSuccess": False, "errorMessage": "operation was interrupted", "executionStages": LIMIT}
    said.clear()
    said.update(on_shards("SHARD_MERGE", (LIMIT, {"executionStages": LIMIT}), (LIMIT, ended)))
    with pytest.raises(PbmError, match="ended the query before it answered: operation was interrupted"):
        explain_claims(explaining, TIN_A)


# --- 9.0: what it lists, and its validation level "constraint" ------------------------------------------------------


class Nine:
    """Answers as a 9.0 server would: it lists what others omit, and has a validation level that they lack."""

    def __init__(self, *, violated=False, version="9.0.2"):
        self.level, self.prepared, self.violated, self.version = "strict", False, violated, version
        self.asked = []

    def __call__(self, command, answer):
        name = name_of(command)
        if name.lower() == "buildinfo":
            return build_info(self.version)
        if name == "listCollections":
            for found in answer["cursor"]["firstBatch"]:
                if "validator" in found.get("options", {}):
                    found["options"]["validationLevel"] = self.level
                    found["options"] |= {"prepareConstraintValidationLevel": True} if self.prepared else {}
        if name == "listIndexes" and answer["ok"]:
            for index in answer["cursor"]["firstBatch"]:
                index |= {"collation": {"locale": "simple"}, "hidden": False, "prepareUnique": False}
                index |= {"clustered": True} if index["name"] == "_id_" else {}
        if name == "collMod":
            self.asked.append({key: command[key] for key in command if key.startswith(("validationLevel", "prepare"))})
            return self._modified(command, answer)
        if self.level == "constraint" and command.get("bypassDocumentValidation"):
            return refusal(72, "bypassDocumentValidation is not allowed at the validationLevel 'constraint'")
        return answer

    def _modified(self, command, answer):
        if "prepareConstraintValidationLevel" in command:
            self.prepared = command["prepareConstraintValidationLevel"]
            return {"ok": 1.0}
        if command.get("validationLevel") != "constraint":
            if self.level == "constraint" and command.get("validationLevel") is None:
                return refusal(72, "the rules cannot be changed at the validationLevel 'constraint'")
            self.level = command.get("validationLevel", self.level)
            return answer
        if not self.prepared or "validator" in command:
            return refusal(72, "Cannot upgrade validationLevel to 'constraint' without preparing it")
        if self.violated:
            return refusal(12370902, "Cannot upgrade validationLevel to 'constraint': a document violates it")
        self.level, self.prepared = "constraint", False
        return {"ok": 1.0}


def refusal(code, said):
    return {"ok": 0.0, "errmsg": said, "code": code, "codeName": "InvalidOptions"}


RAISED = [{"prepareConstraintValidationLevel": True}, {"validationLevel": "constraint"}]


@pytest.mark.parametrize("filled", [False, True])
def test_on_9_0_the_server_guarantees_every_claim(behind, filled):
    nine = Nine()
    store = behind(nine)
    if filled:  # before the collection has a rule
        fill(store, CLAIMS)
    assert setup_collection(store).max_claim_days == D
    assert nine.asked[-2:] == RAISED
    assert store.bound_reason == GUARANTEED
    assert store.facts()["Date ranges"].endswith(GUARANTEED)
    assert store.index_name == INDEX
    with pytest.raises((OperationFailure, WriteError)):
        store.collection.insert_one(LONGER, bypass_document_validation=True)
    fill(store, CLAIMS)
    assert list(find_claims(store, TIN_A, day(0), day(2))) == CLAIMS[:3]


def test_if_the_server_guarantees_the_rule_it_is_neither_checked_nor_raised_again(behind):
    nine = Nine()
    store = setup_collection(behind(nine))
    asked = list(nine.asked)
    # The stand-in only claims to guarantee the rule, so this claim can get in. Any check would find it.
    nine.level = "strict"
    store.collection.insert_one(LONGER, bypass_document_validation=True)
    with pytest.raises(SetupError, match=str(LONGER[ID])):
        setup_collection(store, recheck=True)
    nine.level = "constraint"
    assert setup_collection(store, recheck=True).bound_reason == GUARANTEED
    assert nine.asked == asked


def test_a_9_0_server_that_does_not_raise_the_level_leaves_the_rule_in_force(behind):
    # Bypassing the rule can let in a document that lacks a field of a claim but satisfies the rule for dates.
    nine = Nine(violated=True)
    store = setup_collection(behind(nine))
    assert (store.max_claim_days, nine.level, nine.prepared) == (D, "strict", False)
    assert nine.asked[-3:] == [*RAISED, {"prepareConstraintValidationLevel": False}]
    assert store.bound_reason == f"the server rejects claims longer than {D} days"


def test_a_server_without_that_level_leaves_the_rule_in_force(behind):
    # The real server answers: it reports 9.0, so it is asked, but it behaves like one with an older feature version.
    nine = Nine()

    def answer(command, answer):
        return answer if name_of(command) == "collMod" else nine(command, answer)

    store = setup_collection(behind(answer))
    assert (store.max_claim_days, store.collection.options()["validationLevel"]) == (D, "strict")
    assert "prepareConstraintValidationLevel" not in store.collection.options()


@pytest.mark.parametrize("version", ["7.0.28", "8.0.17", "8.3.1"])
def test_an_older_server_is_not_asked_for_that_level(behind, version):
    nine = Nine(version=version)
    assert setup_collection(behind(nine)).max_claim_days == D
    assert nine.asked == []


# --- kinds of collections that today's server has too ---------------------------------------------------------------


def test_a_clustered_collection_is_set_up_and_paged(open_store):
    store = open_store()
    clustered = {"key": {ID: 1}, "unique": True}
    store.collection.database.create_collection(store.collection.name, clusteredIndex=clustered)
    fill(store, CLAIMS)
    assert setup_collection(store).index_name == INDEX
    assert list(find_claims(store, TIN_A, day(1), day(2))) == CLAIMS[:3]
    assert explain_claims(store, TIN_A).index == INDEX
    assert store.collection.index_information()["_id_"]["clustered"] is True


def test_an_index_that_is_being_made_unique_is_someone_elses(open_store):
    store = setup_collection(open_store())
    store.collection.database.command("collMod", store.collection.name, index={"name": INDEX, "prepareUnique": True})
    store.refresh()
    assert store.index_name is None
    with pytest.raises(SetupError, match=f"a different index named {INDEX}; it was left alone"):
        setup_collection(store)
