"""The bound D is used only if the server enforces it: read back, weakened, bypassed, installed late."""

import copy
import datetime as dt

import pytest
from bson import ObjectId
from oracle import DAY_0, TIN_A, Wire, check_all, day, fill, listened_to, make_claim, overlapping
from pymongo.errors import BulkWriteError, OperationFailure, WriteError

from pbm_lib import SetupError, count_claims, find_claims, sample_claim, setup_collection
from pbm_lib.claims.document import BEGIN, END, ID
from pbm_lib.query.filters import make_query
from pbm_lib.store.connection import open_client
from pbm_lib.store.rule import (
    claim_validator,
    duration_rule,
    max_claim_days_of,
    reasons_for_rejection,
    reject_other_rules,
    rejecting_action,
)

D = 30
WINDOW = (day(D), day(D + 60))
# Begins more than D days before the window and reaches into it: the bounded query does not look there.
LONGER = make_claim(1, day(-5), day(D + 5))
WANTED = claim_validator(D)


def put_validator(store, validator, level="strict", action="error"):
    store.collection.database.command(
        "collMod", store.collection.name, validator=validator, validationLevel=level, validationAction=action
    )


def test_d_comes_from_the_server_and_not_from_the_config(open_store, store):
    assert store.max_claim_days == D
    put_validator(store, claim_validator(45))
    again = open_store(store.config)
    assert again.max_claim_days == 45
    assert make_query(again, TIN_A, *WINDOW).filter()[BEGIN]["$gte"] == day(D - 45)
    assert "45 days" in repr(again)


def without(field):
    schema = WANTED["$jsonSchema"]
    return {**WANTED, "$jsonSchema": {**schema, "required": [name for name in schema["required"] if name != field]}}


def loosely_typed(field):
    schema = WANTED["$jsonSchema"]
    return {**WANTED, "$jsonSchema": {**schema, "properties": {**schema["properties"], field: {}}}}


@pytest.mark.parametrize(
    ("validator", "level", "action", "reason"),
    [
        ({}, "strict", "error", "no validator"),
        (WANTED, "moderate", "error", "level is moderate"),
        (WANTED, "off", "error", "level is off"),
        (WANTED, "strict", "warn", "action is warn"),
        ({"$jsonSchema": WANTED["$jsonSchema"]}, "strict", "error", "lacks the rule"),
        ({"$expr": WANTED["$expr"]}, "strict", "error", f"require {BEGIN}"),
        ({"$and": [WANTED]}, "strict", "error", f"require {BEGIN}"),
        ({"$or": [WANTED, {"x": 1}]}, "strict", "error", f"require {BEGIN}"),
        (without(BEGIN), "strict", "error", f"require {BEGIN}"),
        (without(END), "strict", "error", f"require {END}"),
        (loosely_typed(END), "strict", "error", f"require {END}"),
        (loosely_typed(ID), "strict", "error", f"require {ID}"),
        ({**WANTED, "$expr": {"$or": duration_rule(D)["$and"]}}, "strict", "error", "lacks the rule"),
        ({**WANTED, "$expr": {"$and": duration_rule(D)["$and"][1:]}}, "strict", "error", "lacks the rule"),
        ({**WANTED, "$expr": {"$and": duration_rule(D)["$and"][::-1]}}, "strict", "error", "lacks the rule"),
        ({**WANTED, "$expr": {"$not": [duration_rule(D)]}}, "strict", "error", "lacks the rule"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_weakened_validator_means_the_unbounded_query_and_the_store_says_why(
    open_store, store, validator, level, action, reason
):
    put_validator(store, validator, level, action)
    weak = open_store(store.config)
    assert (weak.max_claim_days, weak.bounded) == (None, False)
    assert reason in weak.bound_reason
    assert weak.bound_reason in repr(weak)
    # With the first of these validators, a longer claim can be inserted, and it is found.
    if not validator:
        claims = [LONGER, make_claim(2, day(40), day(41))]
        fill(weak, claims)
        check_all(weak, overlapping(claims, TIN_A, *WINDOW), TIN_A, *WINDOW)


def test_further_conditions_leave_the_bound_in_force(open_store, store):
    put_validator(store, {**WANTED, "recoveryMethod": {"$ne": "BARTER"}})
    assert open_store(store.config).max_claim_days == D


@pytest.mark.parametrize("level", ["strict", "constraint", None])
@pytest.mark.parametrize("action", ["error", "errorAndLog", None])
def test_the_bound_holds_at_every_level_and_action_that_rejects(level, action):
    said = {"validationLevel": level, "validationAction": action}
    options = {"validator": WANTED} | {name: value for name, value in said.items() if value}
    told = f"the server rejects claims longer than {D} days"
    if level == "constraint":
        told = f"the server guarantees that no claim is longer than {D} days; no writer can bypass it"
    assert max_claim_days_of(options) == (D, told)


@pytest.mark.parametrize(
    ("level", "action"), [("moderate", "error"), ("off", "error"), ("strict", "warn"), ("Constraint", "error")]
)
def test_no_other_level_or_action_counts_as_rejecting(level, action):
    options = {"validator": WANTED, "validationLevel": level, "validationAction": action}
    assert max_claim_days_of(options)[0] is None


def test_the_setup_never_weakens_the_level_or_the_action(store):
    # These are the answers of a 9.0 server, where the level must be lowered before the rules can change.
    options = {"validator": {"$and": [WANTED]}, "validationLevel": "constraint", "validationAction": "error"}
    with pytest.raises(
        SetupError,
        match=r"level constraint.*not this program.s.*validationLevel: \"strict\"}\), then run setup_collection\(",
    ):
        reject_other_rules(store.collection, options, D)
    reject_other_rules(store.collection, {**options, "validator": WANTED}, D)
    for level in ("strict", "moderate", "off"):
        reject_other_rules(store.collection, {**options, "validationLevel": level}, D)
    reject_other_rules(store.collection, {}, D)
    actions = {"errorAndLog": "errorAndLog", "error": "error", "warn": "error"}
    assert {action: rejecting_action({"validationAction": action}) for action in actions} == actions
    assert rejecting_action({}) == "error"


@pytest.mark.parametrize(
    "longer",
    [
        make_claim(1, DAY_0, day(D) + dt.timedelta(milliseconds=1)),
        make_claim(1, day(1), day(0)),
        make_claim(1, DAY_0, None),
        make_claim(1, None, DAY_0),
        make_claim(1, "2024-03-01", "2024-03-02"),
        {**make_claim(1, DAY_0, DAY_0), ID: "text"},
    ],
    ids=["longer than D", "ends before it begins", "no end", "no begin", "dates as text", "another type of id"],
)
def test_the_setup_rejects_a_collection_with_an_invalid_claim_and_names_it(open_store, longer):
    store = open_store()
    fill(store, [make_claim(2, DAY_0, day(D)), longer])
    before = store.collection.options()
    with pytest.raises(
        SetupError,
        match=rf"^Claim {longer[ID]} in .* must have an ObjectId as its _id, and begin <= end <= "
        rf"begin \+ {D} days, got ",
    ):
        setup_collection(store)
    # The collection is left as it was, except for an empty validator if there was none, so no one relies on the bound.
    after = store.collection.options()
    assert (before.get("validator", {}), after.get("validator", {})) == ({}, {})
    assert open_store(store.config).max_claim_days is None
    store.collection.delete_one({ID: longer[ID]})
    assert setup_collection(store).max_claim_days == D


def test_a_collection_set_up_late_gets_the_bound(open_store):
    store = open_store()
    claims = [make_claim(number, day(number), day(number + D)) for number in range(8)]
    fill(store, claims)
    assert setup_collection(store).bounded
    check_all(store, overlapping(claims, TIN_A, day(33), day(34)), TIN_A, day(33), day(34))


def test_a_weakened_validator_is_repaired_or_left_as_it_was(open_store, store):
    put_validator(store, WANTED, "moderate", "warn")
    store.collection.insert_one(LONGER)
    with pytest.raises(SetupError, match=str(LONGER[ID])):
        setup_collection(store)
    options = store.collection.options()
    assert (options["validator"], options["validationLevel"], options["validationAction"]) == (
        WANTED,
        "moderate",
        "warn",
    )
    store.collection.delete_one({ID: LONGER[ID]})
    assert setup_collection(store).max_claim_days == D


class Intruder(Wire):
    """Writes a longer claim at the moment when the setup sends a certain command."""

    def __init__(self, collection, moment):
        super().__init__()
        self.collection, self.moment, self.outcome = collection, moment, "not tried"

    def started(self, event):
        if event.command_name == self.moment and self.outcome == "not tried":
            try:
                self.collection.insert_one(LONGER)
                self.outcome = "stored"
            except WriteError as error:
                self.outcome = error.code


def test_no_longer_claim_slips_in_between_the_check_and_the_rule(open_store, test_uri):
    store = open_store()
    fill(store, [make_claim(2, DAY_0, day(1))])
    with open_client(test_uri) as client:
        intruder = Intruder(client[store.collection.database.name][store.collection.name], "find")
        with listened_to(store, intruder) as heard:
            assert setup_collection(heard).max_claim_days == D
    assert intruder.outcome == 121
    assert store.collection.count_documents({}) == 1


def test_no_client_relies_on_the_bound_while_it_is_being_checked(open_store, test_uri):
    store = open_store()
    fill(store, [make_claim(2, DAY_0, day(1))])
    seen = []

    class Reader(Wire):
        def started(self, event):
            if event.command_name == "find":
                seen.append(open_store(store.config).max_claim_days)

    with listened_to(store, Reader()) as heard:
        setup_collection(heard)
    assert seen == [None]


def test_an_interrupted_setup_is_completed_by_the_next(open_store, store):
    put_validator(store, {"$and": [WANTED]})
    assert not open_store(store.config).bounded
    assert setup_collection(store).max_claim_days == D
    assert store.collection.options()["validator"] == WANTED


def test_a_foreign_validator_and_another_d_are_left_alone(open_store, store):
    put_validator(store, {"x": {"$exists": False}})
    with pytest.raises(SetupError, match="a validator that is not this program's"):
        setup_collection(store)
    assert store.collection.options()["validator"] == {"x": {"$exists": False}}
    put_validator(store, claim_validator(45))
    with pytest.raises(SetupError, match=r"^data_generation\.max_claim_days must be 45, .*, got 30\."):
        setup_collection(store)
    assert store.collection.options()["validator"] == claim_validator(45)


def paths_of(value, *above):
    """The path of every field of a document, including embedded documents and their fields."""
    for name, inner in value.items():
        yield (*above, name)
        if isinstance(inner, dict):
            yield from paths_of(inner, *above, name)


def changed(claim, path, change):
    """A copy of a claim with a change to the document that contains the field at this path."""
    claim = copy.deepcopy(claim)
    holder = claim
    for name in path[:-1]:
        holder = holder[name]
    change(holder)
    return claim


@pytest.mark.parametrize("wrong", ["missing", 7, 1.5, None, "another"], ids=repr)
def test_every_field_of_the_claim_is_required_with_its_type_however_deep(store, wrong):
    paths = list(paths_of(sample_claim()))
    assert max(map(len, paths)) == 3
    accepted = []
    for path in paths:
        name = path[-1]
        if wrong == "missing":
            if path == (ID,):
                continue  # the driver adds a missing _id
            claim = changed(sample_claim(), path, lambda holder, name=name: holder.pop(name))
        else:
            value = wrong
            if wrong == "another":  # a type that other fields of the claim have
                holder = []
                changed(sample_claim(), path, holder.append)
                value = DAY_0 if isinstance(holder[0][name], str) else "text"
            claim = changed(sample_claim(), path, lambda holder, name=name, value=value: holder.update({name: value}))
        try:
            store.collection.insert_one(claim)
            accepted.append(path)
        except WriteError as error:
            assert error.code == 121
            (reason, *dates) = reasons_for_rejection(error.details["errInfo"]["details"])
            assert reason.startswith(f"{'.'.join(path)} is {'missing' if wrong == 'missing' else 'of type '}")
            assert all("begin <= end" in said for said in dates)
    assert accepted == []
    store.collection.insert_one(sample_claim())


SMUGGLING = {
    "insert_one": lambda claims, claim: claims.insert_one(claim),
    "insert_many": lambda claims, claim: claims.insert_many([claim], ordered=False),
    "replace": lambda claims, claim: claims.replace_one(
        {ID: ObjectId(f"{2:024x}")}, {**claim, ID: ObjectId(f"{2:024x}")}
    ),
    "upsert": lambda claims, claim: claims.replace_one({ID: claim[ID]}, claim, upsert=True),
    "update the end": lambda claims, claim: claims.update_one({}, {"$set": {END: claim[END]}}),
    "update the begin": lambda claims, claim: claims.update_many({}, {"$set": {BEGIN: day(-60)}}),
    "remove the end": lambda claims, claim: claims.update_one({}, {"$unset": {END: ""}}),
    "update by pipeline": lambda claims, claim: claims.update_one({}, [{"$set": {END: {"$add": [f"${END}", 2**42]}}}]),
    "find and modify": lambda claims, claim: claims.find_one_and_update({}, {"$set": {END: claim[END]}}),
    "merge": lambda claims, claim: claims.aggregate([{"$set": {END: claim[END]}}, {"$merge": claims.name}]),
}


@pytest.mark.parametrize("way", SMUGGLING)
def test_the_server_rejects_a_longer_claim_whichever_way_it_comes(store, way):
    fill(store, [make_claim(2, day(-5), day(-4))])
    before = store.collection.find().to_list()
    with pytest.raises((OperationFailure, BulkWriteError)) as caught:
        SMUGGLING[way](store.collection, LONGER)
    assert "failed validation" in str(caught.value)
    assert store.collection.find().to_list() == before


@pytest.mark.parametrize("way", ["insert", "update"])
def test_what_a_bypass_means(store, way):
    fill(store, [make_claim(2, day(40), day(41))])
    if way == "insert":
        store.collection.insert_one(LONGER, bypass_document_validation=True)
    else:
        store.collection.insert_one({**LONGER, END: day(0)})
        store.collection.update_one({ID: LONGER[ID]}, {"$set": {END: LONGER[END]}}, bypass_document_validation=True)
    # A user who may bypass the validator can hide a claim from the bounded query, as the docstring says. The unbounded
    # query finds the claim, and so does a setup that reads every claim.
    plain = [claim[ID] for claim in find_claims(store, TIN_A, *WINDOW, bounded=False)]
    bounded = [claim[ID] for claim in find_claims(store, TIN_A, *WINDOW)]
    assert set(plain) - set(bounded) == {LONGER[ID]}
    assert count_claims(store, TIN_A, *WINDOW, bounded=False) == count_claims(store, TIN_A, *WINDOW) + 1
    with pytest.raises(SetupError, match=str(LONGER[ID])):
        setup_collection(store, recheck=True)
