"""Starting over drops what this program loaded, and nothing that anyone else added."""

import copy

import pytest
from bson import ObjectId
from loads import configured_digest, stored_digest
from oracle import day, make_claim

from pbm_lib import LoadError, SetupError, load_claims, setup_collection
from pbm_lib.claims.document import ID, TIN
from pbm_lib.load.state import LoadRecord
from pbm_lib.store.collection import state_collection
from pbm_lib.store.rule import claim_validator


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("pbm_lib.load.claim._GIVE_WAY_SECONDS", 0)


def replaced(store):
    return load_claims(store, replace=True, progress=False)


def state_of(store):
    """Everything that a drop would lose."""
    claims = store.collection
    found = list(claims.database.list_collections(filter={"name": claims.name}))
    return found, claims.index_information(), stored_digest(store), state_collection(claims).find().to_list()


def record_generator(store, version):
    """Make the load's record say that an earlier version loaded the claims."""
    record = {ID: store.collection.name}
    changed = state_collection(store.collection).update_one(record, {"$set": {"settings.generator": version}})
    assert changed.matched_count == 1


def add_document(claims):
    claims.insert_one(make_claim(1, day(0), day(0)))


def add_texts(claims):
    claims.insert_many([{ID: "\N{EURO SIGN}" * 24}, {ID: "x" * 2_000}], bypass_document_validation=True)


def add_index(claims):
    claims.create_index([(TIN, 1)], name="theirs")


def hide_ours(claims):
    claims.database.command("collMod", claims.name, index={"name": "claims_by_provider", "hidden": True})


def put_rule(claims, validator):
    claims.database.command("collMod", claims.name, validator=validator)


def add_rule(claims):
    put_rule(claims, {**claims.options()["validator"], "recoveryMethod": {"$ne": "BARTER"}})


def earlier_rule():
    """The rule that the version with generator 2 installed."""
    rule = copy.deepcopy(claim_validator(30))
    fields = rule["$jsonSchema"]["properties"]
    member = {name: {"bsonType": "string"} for name in ("memberId", "firstName", "lastName", "dateOfBirth", "gender")}
    member["dateOfBirth"] = {"bsonType": "date"}
    fields["patientInformation"] |= {"required": list(member), "properties": member}
    for amount in fields["processedAmounts"]["properties"].values():
        amount["required"].append("currency")
        amount["properties"]["currency"] = {"bsonType": "string"}
    return rule


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (add_document, r"1 document \(such as _id ObjectId\('000000000000000000000001'\)\)"),
        (add_texts, r"2 documents \(such as _id 'x{50,60}\)"),
        (add_index, "the index theirs"),
        (hide_ours, "the index claims_by_provider"),
        (add_rule, "a validator"),
    ],
)
def test_what_others_added_to_our_collection_is_named_and_nothing_is_dropped(filled, open_store, change, named):
    change(filled.collection)
    before = state_of(filled)
    # This holds whatever the config of the caller says about the claims.
    seed_5 = {"mongodb": {"database": filled.collection.database.name}, "data_generation": {"seed": 5}}
    for store in (filled, open_store(seed_5)):
        with pytest.raises(
            LoadError, match=rf"this program did not create: {named}\. .*nothing was dropped.*Remove what you do"
        ):
            replaced(store)
        assert state_of(filled) == before


def test_once_the_additions_are_removed_the_claims_are_replaced(filled):
    add_document(filled.collection)
    add_index(filled.collection)
    with pytest.raises(LoadError, match="the index theirs, 1 document"):
        replaced(filled)
    filled.collection.delete_one({ID: ObjectId(f"{1:024x}")})
    filled.collection.drop_index("theirs")
    filled.collection.update_many({}, {"$set": {"recoveryMethod": "CHANGED"}})
    assert replaced(filled).inserted == 6_000
    assert stored_digest(filled) == configured_digest(filled.config)


def stored(how):
    return {"wiredTiger": {"configString": how}}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"validator": {"x": 1}}, "a validator"),
        ({"clusteredIndex": {"key": {ID: 1}, "unique": True}}, "the option clusteredIndex"),
        ({"collation": {"locale": "en"}}, "the option collation"),
        ({"storageEngine": stored("leaf_page_max=16KB,block_compressor=zlib")}, "the option storageEngine"),
        ({"storageEngine": stored("leaf_page_max=64KB")}, "the option storageEngine"),
    ],
    ids=str,
)
def test_someone_elses_empty_collection_stays(open_store, options, named):
    store = open_store()
    store.collection.database.create_collection(store.collection.name, **options)
    before = state_of(store)
    with pytest.raises(LoadError, match=f"this program did not create: {named}"):
        replaced(store)
    assert state_of(store) == before


def test_claims_of_an_earlier_version_are_rejected_with_the_way_out_and_dropped_only_on_request(filled):
    record_generator(filled, 1)
    before = state_of(filled)
    with pytest.raises(LoadError, match=r"generator: loaded with 1, this version has \d+\).*replace=True"):
        load_claims(filled, progress=False)
    assert state_of(filled) == before
    assert replaced(filled).inserted == 6_000


@pytest.mark.parametrize("wrapped", [False, True], ids=["in force", "its set-up interrupted"])
def test_a_collection_that_an_earlier_version_set_up_is_rejected_with_a_way_out_that_works(filled, wrapped):
    rule = earlier_rule()
    put_rule(filled.collection, {"$and": [rule]} if wrapped else rule)
    record_generator(filled, 2)
    before = state_of(filled)
    with pytest.raises(SetupError, match=r"by an earlier version .*load_claims\(store, replace=True\)"):
        setup_collection(filled)
    assert state_of(filled) == before
    assert replaced(filled).inserted == 6_000
    assert filled.collection.options()["validator"] == claim_validator(30)
    assert setup_collection(filled).max_claim_days == 30


def test_an_earlier_versions_rule_that_someone_changed_is_theirs(filled):
    rule = earlier_rule()
    rule["$jsonSchema"]["properties"]["recoveryMethod"]["enum"] = ["OFFSET"]
    put_rule(filled.collection, rule)
    before = state_of(filled)
    with pytest.raises(SetupError, match="not this program's"):
        setup_collection(filled)
    with pytest.raises(LoadError, match="this program did not create: a validator"):
        replaced(filled)
    assert state_of(filled) == before


def test_an_interrupted_replacement_is_not_mistaken_for_a_load_of_the_new_claims(filled, open_store):
    seed_5 = {"mongodb": {"database": filled.collection.database.name}, "data_generation": {"seed": 5}}
    other = open_store(seed_5)
    LoadRecord(other).mark("replacing")  # and killed before the drop
    for store in (filled, other):
        with pytest.raises(LoadError, match=r"interrupted, run load_claims\(store, replace=True\) again\."):
            load_claims(store, progress=False)
    assert stored_digest(filled) == configured_digest(filled.config)
    assert replaced(other).inserted == 6_000
    assert stored_digest(other) == configured_digest(other.config)


def test_without_the_record_claims_are_dropped_only_on_request(filled):
    state_collection(filled.collection).drop()
    with pytest.raises(LoadError, match=r"no record of the settings they were loaded with.*replace=True"):
        load_claims(filled, progress=False)
    assert stored_digest(filled) == configured_digest(filled.config)
    assert replaced(filled).inserted == 6_000


def test_a_collection_that_does_not_exist_is_set_up_and_loaded(open_store):
    store = open_store()
    assert replaced(store).volume == 6_000
    assert setup_collection(store).index_name
