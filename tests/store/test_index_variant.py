"""Switching between the index variants: build the new one, then drop the old one, and touch no one else's."""

import threading
import time

import pytest
from conftest import write_config
from oracle import TIN_A, Wire, check_all, day, fill, in_order, listened_to, make_claim, overlapping
from servers import Mongod, running, wait_for

from pbm_lib import (
    InvalidCursor,
    PbmError,
    SetupError,
    compare_indexes,
    connect,
    explain_claims,
    explain_count,
    find_claims,
    index_variant,
    iter_claims,
    load_config,
    setup_collection,
)
from pbm_lib.claims.document import BEGIN, END, ID, TIN
from pbm_lib.store.connection import open_client
from pbm_lib.store.index import VARIANTS, find_index
from pbm_lib.store.setup import both_indexes

THREE, OVERLAP = "three_field", "overlap"
OTHER = {THREE: OVERLAP, OVERLAP: THREE}
WITH_OVERLAP = {"mongodb": {"index": OVERLAP}}
NAMES = {THREE: "claims_by_provider", OVERLAP: "claims_by_provider_overlap"}
KEYS = {name: list(variant.keys.items()) for name, variant in VARIANTS.items()}
CLAIMS = [make_claim(number, day(number % 40), day(number % 40 + number % 3)) for number in range(300)]


def switched(store, open_store, index):
    """A store on the same claims whose config asks for the other index."""
    changes = {"mongodb": {"database": store.collection.database.name, "index": index}}
    return open_store(changes)


def indexes(store):
    return {name: index["key"] for name, index in store.collection.index_information().items() if name != "_id_"}


@pytest.mark.parametrize("index", [THREE, OVERLAP])
def test_there_is_one_index_with_the_fields_in_order(open_store, index):
    store = setup_collection(open_store({"mongodb": {"index": index}}))
    assert indexes(store) == {NAMES[index]: KEYS[index]}
    assert store.index_name == NAMES[index]
    assert setup_collection(store).index_name == NAMES[index]
    assert indexes(store) == {NAMES[index]: KEYS[index]}


def test_switching_a_loaded_collection_there_and_back(open_store, store):
    fill(store, CLAIMS)
    expected = overlapping(CLAIMS, TIN_A, day(20), day(25))
    for index in (OVERLAP, THREE):
        other = setup_collection(switched(store, open_store, index))
        assert indexes(other) == {NAMES[index]: KEYS[index]}
        check_all(other, expected, TIN_A, day(20), day(25))
        # A store that was opened before the switch continues with the index that exists now.
        check_all(store, expected, TIN_A, day(20), day(25))


def test_carry_ins_are_rejected_without_a_fetch(open_store, store):
    fill(store, CLAIMS)
    three_field = explain_claims(store, TIN_A, day(30), day(39), page_size=10)
    with index_variant(store):
        covered = explain_claims(store, TIN_A, day(30), day(39), page_size=10)
    assert three_field.returned == covered.returned == covered.docs_examined == 10
    assert three_field.docs_examined > 200


def test_the_old_index_is_dropped_only_when_the_new_one_is_ready(open_store, store):
    wire = Wire()
    with listened_to(switched(store, open_store, OVERLAP), wire) as heard:
        setup_collection(heard)
    steps = [name for name in wire.names if name in ("createIndexes", "dropIndexes")]
    assert steps == ["createIndexes", "dropIndexes"]
    assert dict(wire.answers)["createIndexes"]["ok"] == 1


def test_a_new_index_that_cannot_be_built_leaves_the_old_one(open_store, store):
    store.collection.create_index("x", name=NAMES[OVERLAP])
    before = indexes(store)
    with pytest.raises(SetupError, match=f"a different index named {NAMES[OVERLAP]}; it was left alone"):
        setup_collection(switched(store, open_store, OVERLAP))
    assert indexes(store) == before


@pytest.mark.parametrize(
    "foreign",
    [
        {"keys": KEYS[THREE], "name": "theirs"},
        {"keys": KEYS[THREE][:2], "name": "theirs"},
        {"keys": [("x", 1)], "name": NAMES[THREE]},
        {"keys": KEYS[THREE], "name": NAMES[THREE], "sparse": True},
        {"keys": KEYS[THREE], "name": NAMES[THREE], "hidden": True},
        {"keys": KEYS[THREE], "name": NAMES[THREE], "partialFilterExpression": {"x": 1}},
    ],
    ids=["our keys", "some of our keys", "our name", "sparse", "hidden", "partial"],
)
def test_an_index_that_is_not_ours_is_never_touched(open_store, foreign):
    store = open_store(WITH_OVERLAP)
    options = dict(foreign)
    store.collection.create_index(options.pop("keys"), **options)
    before = store.collection.index_information()
    setup_collection(store)
    after = store.collection.index_information()
    assert after.pop(NAMES[OVERLAP])["key"] == KEYS[OVERLAP]
    assert after == before
    fill(store, CLAIMS)
    check_all(store, overlapping(CLAIMS, TIN_A, day(20), day(25)), TIN_A, day(20), day(25))


@pytest.mark.parametrize("index", [THREE, OVERLAP])
def test_an_index_of_theirs_with_our_keys_serves_and_stays(open_store, index):
    store = open_store({"mongodb": {"index": index}})
    store.collection.create_index(KEYS[index], name="theirs")
    assert setup_collection(store).index_name == "theirs"
    assert indexes(store) == {"theirs": KEYS[index]}
    # If the config asks for the other variant, that one is built, and theirs still stays.
    other = setup_collection(switched(store, open_store, OTHER[index]))
    assert indexes(other) == {"theirs": KEYS[index], NAMES[OTHER[index]]: KEYS[OTHER[index]]}


@pytest.mark.parametrize("option", [{"sparse": True}, {"unique": True}, {"hidden": True}])
def test_the_same_fields_with_other_options_are_left_alone_and_named(open_store, option):
    store = open_store()
    store.collection.create_index(KEYS[THREE], name="theirs", **option)
    before = store.collection.index_information()
    try:
        setup_collection(store)
    except SetupError as error:
        assert "same fields with other options; it was left alone" in str(error)
        assert store.collection.index_information() == before
    else:  # to the server, a sparse or unique index is a different index from ours
        after = store.collection.index_information()
        assert after.pop(NAMES[THREE])["key"] == KEYS[THREE]
        assert after == before


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, True),
        # Some servers list what others omit, for example since SERVER-89953.
        ({"collation": {"locale": "simple"}}, True),
        ({"sparse": False, "hidden": False, "unique": False}, True),
        ({"background": False, "ns": "demo.claims", "collation": {"locale": "simple"}, "hidden": False}, True),
        ({"collation": {"locale": "en", "strength": 3}}, False),
        ({"sparse": True}, False),
        ({"hidden": True}, False),
        ({"unique": True}, False),
        ({"partialFilterExpression": {"x": 1}}, False),
        ({"expireAfterSeconds": 0}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("index", [THREE, OVERLAP])
def test_the_index_is_recognized_by_what_it_does_however_a_server_lists_it(index, said, found):
    listed = {
        "_id_": {"v": 2, "key": [("_id", 1)]},
        NAMES[index]: {"v": 2, "key": KEYS[index], **said},
    }
    assert find_index(listed, VARIANTS[index]) == (NAMES[index] if found else None)
    assert find_index(listed, VARIANTS[OTHER[index]]) is None


@pytest.mark.parametrize("filled", [False, True])
def test_a_collection_with_the_collation_of_a_language_is_reported_and_left_as_it_was(open_store, filled):
    store = open_store()
    name = store.collection.name
    store.collection.database.create_collection(name, collation={"locale": "en", "strength": 2})
    if filled:
        fill(store, CLAIMS)
    options = store.collection.options()
    for use in (setup_collection, lambda given: index_variant(given).__enter__()):
        with pytest.raises(
            SetupError, match=r"must have the simple collation, got en, .*choose another mongodb\.coll"
        ) as told:
            use(store)
        assert str(told.value).count(". ") == 0
    assert store.collection.options() == options
    assert indexes(store) == {}
    # A collection that was created with the simple collation by name is like any other.
    store.collection.drop()
    store.collection.database.create_collection(name, collation={"locale": "simple"})
    assert setup_collection(store).index_name == NAMES[THREE]


class Dropper(Wire):
    """Drops an index at the moment it has been built."""

    def __init__(self, collection):
        super().__init__()
        self.collection = collection

    def succeeded(self, event):
        if event.command_name == "createIndexes":
            self.collection.drop_indexes()


def test_a_setup_whose_index_is_dropped_meanwhile_does_not_succeed(open_store):
    store = open_store()
    with (
        listened_to(store, Dropper(store.collection)) as heard,
        pytest.raises(
            SetupError,
            match=r"claims_by_provider was built, but .* it was just dropped .*Run setup_collection\(store\) again",
        ),
    ):
        setup_collection(heard)
    assert indexes(store) == {}
    assert setup_collection(store).index_name == NAMES[THREE]


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_the_block_restores_the_index_whatever_happens_in_it(store, end):
    fill(store, CLAIMS)
    try:
        with index_variant(store) as inside:
            assert inside is store
            assert store.index_name == NAMES[OVERLAP]
            assert indexes(store) == {NAMES[OVERLAP]: KEYS[OVERLAP]}
            if end:
                raise end
    except (RuntimeError, KeyboardInterrupt) as error:
        assert type(error) is end
    assert store.index_name == NAMES[THREE]
    assert indexes(store) == {NAMES[THREE]: KEYS[THREE]}


def test_the_block_changes_nothing_if_the_variant_is_the_configs(open_store):
    store = setup_collection(open_store(WITH_OVERLAP))
    with index_variant(store):
        assert indexes(store) == {NAMES[OVERLAP]: KEYS[OVERLAP]}
    assert indexes(store) == {NAMES[OVERLAP]: KEYS[OVERLAP]}


@pytest.mark.parametrize("index", [THREE, OVERLAP])
@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_both_indexes_exist_for_a_block_and_only_the_configs_afterward(open_store, index, end):
    store = setup_collection(open_store({"mongodb": {"index": index}}))
    fill(store, CLAIMS)
    store.collection.create_index("x", name="theirs")
    try:
        with both_indexes(store) as inside:
            assert inside is store
            assert indexes(store) == {"theirs": [("x", 1)], **{NAMES[name]: KEYS[name] for name in NAMES}}
            for name in (OTHER[index], index, OTHER[index]):
                store.refresh(index=name)
                assert explain_claims(store, TIN_A, day(5), day(30)).index == NAMES[name] == store.index_name
            if end:
                raise end
    except (RuntimeError, KeyboardInterrupt) as error:
        assert type(error) is end
    assert indexes(store) == {"theirs": [("x", 1)], NAMES[index]: KEYS[index]}
    assert store.index_name == NAMES[index]


def test_a_second_index_that_cannot_be_built_leaves_the_configs_index(store):
    store.collection.create_index("x", name=NAMES[OVERLAP])
    before = indexes(store)
    with pytest.raises(SetupError, match=f"a different index named {NAMES[OVERLAP]}"), both_indexes(store):
        pytest.fail("it was built")
    assert (indexes(store), store.index_name) == (before, NAMES[THREE])


def test_a_walk_says_that_the_order_has_changed(open_store, store):
    fill(store, CLAIMS)
    reader = open_store(store.config)
    claims = iter_claims(reader, TIN_A, page_size=10)
    seen = [next(claims) for _ in range(15)]
    page = find_claims(reader, TIN_A, page_size=10)
    with index_variant(store):
        with pytest.raises(PbmError, match=r"changed from three_field to overlap during the walk, .* Start again"):
            seen += list(claims)
        assert seen == overlapping(CLAIMS, TIN_A)[: len(seen)]
        assert reader.variant.name == OVERLAP
        with pytest.raises(InvalidCursor, match="from the three_field index; the index is now overlap"):
            find_claims(reader, TIN_A, page_size=10, cursor=page.next_cursor)
    # In the other direction, the store notices that its index is gone.
    assert list(find_claims(reader, TIN_A, page_size=10, cursor=page.next_cursor)) == overlapping(CLAIMS, TIN_A)[10:20]
    assert reader.variant.name == THREE


@pytest.mark.parametrize("index", [THREE, OVERLAP])
@pytest.mark.parametrize("after", ["none", "another name"])
def test_a_walk_goes_on_without_its_index_or_with_one_under_another_name(open_store, index, after):
    store = setup_collection(open_store({"mongodb": {"index": index}}))
    fill(store, CLAIMS)
    expected = in_order(overlapping(CLAIMS, TIN_A, day(5), day(30)), store)
    claims = iter_claims(store, TIN_A, day(5), day(30), page_size=10)
    seen = [next(claims) for _ in range(15)]
    page = find_claims(store, TIN_A, day(5), day(30), page_size=15)
    store.collection.drop_index(NAMES[index])
    if after == "another name":
        store.collection.create_index(KEYS[index], name="theirs")
    assert seen + list(claims) == expected
    following = find_claims(store, TIN_A, day(5), day(30), page_size=15, cursor=page.next_cursor)
    assert (list(following), following.total) == (expected[15:30], len(expected))
    assert store.index_name == (None if after == "none" else "theirs")


def test_an_index_of_theirs_that_would_serve_as_well_never_takes_over(store):
    fill(store, CLAIMS)
    store.collection.create_index({TIN: 1, END: 1, BEGIN: 1, ID: 1}, name="theirs")
    with index_variant(store):
        store.collection.create_index(KEYS[THREE], name="their three")
        for plan in (explain_claims(store, TIN_A, day(5), day(6)), *explain_count(store, TIN_A, day(5), day(6))):
            assert plan.index == NAMES[OVERLAP]
    assert explain_claims(store, TIN_A, day(5), day(6)).index in (NAMES[THREE], "their three")


def test_pages_are_right_while_the_index_is_switched_again_and_again(open_store, store):
    fill(store, CLAIMS)
    reader = open_store(store.config)
    found = overlapping(CLAIMS, TIN_A, day(10), day(30))
    orders = [sorted(found, key=lambda claim, v=v: [claim[f] for f in v.order])[:100] for v in VARIANTS.values()]
    stop, wrong, pages = threading.Event(), [], []

    def read():
        while not stop.is_set():
            try:
                page = find_claims(reader, TIN_A, day(10), day(30), page_size=100)
                pages.append(page)
                if list(page) not in orders or page.total != len(found):
                    wrong.append(page)
            except Exception as error:
                wrong.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(15):
            with index_variant(store):
                pass
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert len(pages) > 15
    assert {orders.index(list(page)) for page in pages} == {0, 1}


# --- slow builds, and users with few rights: on servers of their own -----------------------------------------------


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory):
    """A mongod whose index builds can be held with a fail point."""
    with running(Mongod(tmp_path_factory.mktemp("slow"), ["--setParameter", "enableTestCommands=1"])) as server:
        yield server


@pytest.fixture
def held(slow_server):
    """While this is in force, index builds begin but do not end; call it to let them continue."""
    with slow_server.client() as client:

        def hold(mode):
            client.admin.command("configureFailPoint", "hangAfterStartingIndexBuildUnlocked", mode=mode)

        hold("alwaysOn")
        yield lambda: hold("off")
        hold("off")


@pytest.fixture
def slow_store(slow_server, make_config, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", slow_server.uri)
    config = make_config()
    with connect(config) as store:
        setup_collection(store)
        fill(store, CLAIMS)
        yield store
        store.collection.database.client.drop_database(store.collection.database)


def test_an_index_that_is_listed_but_still_being_built_does_not_count_as_ready(slow_store, held, terminal):
    def build():
        with open_client(slow_store.uri) as client:
            theirs = client[slow_store.collection.database.name][slow_store.collection.name]
            theirs.create_index(KEYS[OVERLAP], name=NAMES[OVERLAP])

    def use():
        with index_variant(slow_store, progress=False):
            entered.set()
            leave.wait(30)

    entered, leave = threading.Event(), threading.Event()
    threads = [threading.Thread(target=build), threading.Thread(target=use)]
    try:
        threads[0].start()
        wait_for(lambda: NAMES[OVERLAP] in indexes(slow_store), 20, "the build to begin")
        threads[1].start()
        assert not entered.wait(1.5)
        assert set(indexes(slow_store)) == {NAMES[THREE], NAMES[OVERLAP]}
        held()
        assert entered.wait(20)
        assert set(indexes(slow_store)) == {NAMES[OVERLAP]}
    finally:
        held()
        leave.set()
        for thread in threads:
            thread.join(30)
    assert set(indexes(slow_store)) == {NAMES[THREE]}
    assert terminal.shown == []


def test_an_aborted_build_leaves_the_old_index_alone(slow_store, held):
    failures = []

    def use():
        try:
            with index_variant(slow_store):
                failures.append("entered")
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    wait_for(lambda: NAMES[OVERLAP] in indexes(slow_store), 20, "the build to begin")
    # Someone else, or the block's own cleanup, could abort the build like this.
    dropper = threading.Thread(target=lambda: slow_store.collection.drop_index(NAMES[OVERLAP]))
    dropper.start()
    time.sleep(2)
    held()
    dropper.join(30)
    thread.join(30)
    assert len(failures) == 1
    assert failures[0] != "entered"
    assert indexes(slow_store) == {NAMES[THREE]: KEYS[THREE]}


def test_a_build_shows_its_elapsed_time_until_it_is_done(slow_store, held, terminal, capsys):
    timer = threading.Timer(3.5, held)
    timer.start()
    with index_variant(slow_store):
        while_building = terminal.shown
        time.sleep(1.5)
        assert terminal.shown == []
    timer.join()
    assert while_building[:3] == [f"Building the index {NAMES[OVERLAP]} ... {seconds} s" for seconds in (1, 2, 3)]
    assert capsys.readouterr().out == ""


def test_a_comparison_of_the_indexes_says_that_it_builds_one(slow_store, held, terminal):
    timer = threading.Timer(1.5, held)
    timer.start()
    compared = compare_indexes(slow_store, TIN_A, day(5), day(20), build=True)
    timer.join()
    assert compared.note is None
    assert terminal.shown[0] == f"Building the index {NAMES[OVERLAP]} ... 1 s"


def test_a_quick_build_shows_nothing(store, terminal, capsys):
    with index_variant(store):
        pass
    assert (terminal.shown, capsys.readouterr().out) == ([], "")


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory):
    """A mongod with users: one with all rights, one that reads and writes, and one that only reads."""
    with running(Mongod(tmp_path_factory.mktemp("auth"))) as server:
        with server.client() as client:
            for name, role in (("root", "root"), ("writer", "readWriteAnyDatabase"), ("reader", "readAnyDatabase")):
                client.admin.command("createUser", name, pwd="pw-" + name, roles=[role])
        server.stop()
        server.options.append("--auth")
        yield server.start()


@pytest.fixture
def store_of(guarded_server, tmp_path, monkeypatch):
    """Call it with a user's name to get that user's store on one collection."""
    opened = []

    def make(user, **mongodb):
        uri = f"mongodb://{user}:pw-{user}@{guarded_server.address}/?directConnection=true"
        monkeypatch.setenv("MONGODB_URI", uri)
        config = load_config(write_config(tmp_path, {"mongodb": {"database": "guarded", **mongodb}}))
        opened.append(connect(config))
        return opened[-1]

    yield make
    root = make("root")
    root.collection.database.client.drop_database("guarded")
    for store in opened:
        store.close()


def test_a_missing_right_is_reported_with_the_command_that_an_administrator_types(store_of):
    with pytest.raises(SetupError, match=r"cannot create the collection guarded\.claims.*readWrite"):
        setup_collection(store_of("reader"))
    root = setup_collection(store_of("root"))
    # Everything is there, so a user who only reads may set up again.
    assert setup_collection(store_of("reader")).index_name == NAMES[THREE]
    with pytest.raises(SetupError, match=r"cannot create an index on guarded\.claims") as caught:
        setup_collection(store_of("reader", index=OVERLAP))
    assert "pw-" not in str(caught.value)
    typed = str(caught.value).split("mongosh: ")[1]
    assert typed == (
        'db.getSiblingDB("guarded").getCollection("claims").createIndex({"billingProvider.providerTin": 1, '
        'serviceBeginDate: 1, serviceEndDate: 1, _id: 1}, {name: "claims_by_provider_overlap"})'
    )
    root.collection.create_index(KEYS[OVERLAP], name=NAMES[OVERLAP])
    with pytest.raises(SetupError, match=r'cannot drop claims_by_provider .*dropIndex\("claims_by_provider"\)'):
        setup_collection(store_of("reader", index=OVERLAP))
    assert set(indexes(root)) == set(NAMES.values())
    # The right to read and write is enough for both indexes ...
    assert setup_collection(store_of("writer", index=OVERLAP)).index_name == NAMES[OVERLAP]
    # ... but not for the validator of a collection that already exists.
    root.collection.database.command("collMod", "claims", validator={})
    with pytest.raises(SetupError, match=r"cannot change the validator of guarded\.claims.*dbAdmin"):
        setup_collection(store_of("writer"))


def test_a_user_who_reads_and_writes_may_set_up_a_new_collection(store_of):
    assert setup_collection(store_of("writer")).bounded
