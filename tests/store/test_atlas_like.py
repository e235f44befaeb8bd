"""Servers as Atlas runs them, with TLS, logins, users with few rights and three nodes; and the whole demo on them."""

import datetime as dt

import nbformat
import pytest
from conftest import write_config
from secure_servers import DATABASE, PASSWORD, files_with_traces, secure_replica_set

from pbm_lib import (
    PbmError,
    SetupError,
    compare_indexes,
    connect,
    count_claims,
    explain_claims,
    explain_count,
    find_claims,
    footprint_frame,
    index_variant,
    indexes_frame,
    list_providers,
    load_claims,
    load_config,
    require_claims,
    run_performance,
    sample_claim,
    setup_collection,
    write_report,
)
from pbm_lib.cli.notebooks import NOTEBOOKS, run_notebook
from pbm_lib.store.index import VARIANTS

RANGE = dt.date(2024, 3, 1), dt.date(2024, 5, 1)


@pytest.fixture(scope="module")
def as_user(secure, tmp_path_factory):
    """Call it with a user and a collection to get a store opened as that user."""
    opened = []

    def make(user, collection="claims"):
        config = load_config(write_config(tmp_path_factory.mktemp(user), {"mongodb": {"collection": collection}}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MONGODB_URI", secure.uri(user))
            opened.append(connect(config))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def let(secure, user, may, collection=""):
    """Create a user with these rights on one collection, or on all, and the right to list collections."""
    granted = [{"resource": {"db": DATABASE, "collection": collection}, "actions": may}]
    granted.append({"resource": {"db": DATABASE, "collection": ""}, "actions": ["listCollections"]})
    with secure.root() as root:
        root.admin.command("createRole", user, privileges=granted, roles=[])
        root.admin.command("createUser", f"quagga7-{user}", pwd=PASSWORD, roles=[user])


@pytest.fixture(scope="module")
def loaded(as_user):
    """A store whose claims were set up and loaded by the owner, with the rights that README asks for."""
    store = setup_collection(as_user("owner"))
    load_claims(store, progress=False)
    return store


def no_error_no_warning(paths):
    """Check that the outputs of executed notebooks contain neither, and return the text of all notebooks."""
    text = ""
    for path in paths:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error"
                assert output.get("name") != "stderr", output.text
        text += path.read_text(encoding="utf-8")
    return text


@pytest.mark.parametrize("user", ["owner", "writer", "reader"])
class TestOnALoadedCollection:
    """Whatever their other rights, any user who may read the database can present notebooks 03 and 04."""

    def test_every_way_to_read_works(self, as_user, loaded, user):
        store = require_claims(as_user(user))
        assert (store.bounded, store.index_name, store.server.cache_bytes) == (True, "claims_by_provider", None)
        tin = list_providers(store.config)[0].tin
        page = find_claims(store, tin, *RANGE)
        assert list(page) == list(find_claims(loaded, tin, *RANGE))
        assert page.total == count_claims(store, tin, *RANGE, bounded=False)
        assert explain_claims(store, tin, *RANGE).index == store.index_name
        assert sum(plan.returned for plan in explain_count(store, tin, *RANGE)) == page.total
        assert len(indexes_frame(store)) == 2
        assert footprint_frame(store)["size"][0] == "6,000"

    def test_another_setup_finds_everything_in_place(self, as_user, loaded, user):
        assert setup_collection(as_user(user)).index_name == loaded.index_name

    def test_a_performance_run_ends_in_a_report(self, as_user, loaded, user, tmp_path):
        run = run_performance(as_user(user), samples=2, concurrency=[2], output_dir=tmp_path, progress=False)
        assert run.complete
        assert not [sample.error for sample in run.samples if sample.error]
        assert write_report(run, tmp_path).html.is_file()
        assert files_with_traces(tmp_path) == []


@pytest.mark.parametrize("user", ["owner", "writer"])
def test_a_user_who_may_write_can_switch_the_index_and_back(as_user, loaded, user):
    store = as_user(user)
    compared = compare_indexes(store, list_providers(store.config)[0].tin, *RANGE, build=True)
    assert set(compared.frame.loc["same claims, same total"]) == {True}
    store.refresh()
    assert store.index_name == "claims_by_provider"


@pytest.mark.parametrize("user", ["owner", "writer"])
def test_a_user_who_may_write_can_set_up_a_new_collection_and_load_it(as_user, user):
    store = setup_collection(as_user(user, f"new_{user}"))
    assert store.bounded
    assert load_claims(store, progress=False).inserted == 6_000
    assert load_claims(store, progress=False).inserted == 0


class TestWhatAUserMayNotDo:
    def test_a_reader_cannot_set_up(self, as_user):
        with pytest.raises(SetupError, match=r"cannot create the collection pbm_demo\.unmade\. Grant the user"):
            setup_collection(as_user("reader", "unmade"))

    def test_without_the_right_to_read_the_leaf_page_size_it_is_shown_as_unknown(self, secure, as_user):
        let(secure, "incurious", ["find", "createCollection", "createIndex", "listIndexes"])
        store = setup_collection(as_user("incurious", "unasked"))
        assert (store.max_claim_days, store.leaf_page_kb) == (30, None)
        assert store.facts()["Leaf pages"] == "unknown"
        assert as_user("reader", "unasked").leaf_page_kb == 16

    def test_without_the_right_to_write_a_state_collection_every_setup_reads_the_claims(self, secure, as_user):
        let(secure, "confined", ["find", "createCollection", "createIndex", "listIndexes"], "alone")
        assert setup_collection(as_user("confined", "alone")).max_claim_days == 30
        longer = {**sample_claim(), "serviceEndDate": dt.datetime(2100, 1, 1)}
        as_user("owner", "alone").collection.insert_one(longer, bypass_document_validation=True)
        with pytest.raises(SetupError, match=f"^Claim {longer['_id']} "):
            setup_collection(as_user("confined", "alone"))

    def test_a_reader_cannot_build_an_index(self, as_user, loaded):
        store = as_user("reader")
        with (
            pytest.raises(SetupError, match=r"cannot create an index .* readWrite .*\.createIndex\("),
            index_variant(store),
        ):
            pytest.fail("the index was built")
        assert store.index_name == "claims_by_provider"

    def test_a_reader_who_compares_indexes_gets_a_note(self, as_user, loaded):
        store, tin = as_user("reader"), list_providers(loaded.config)[0].tin
        before = loaded.collection.index_information()
        compared = compare_indexes(store, tin, *RANGE, build=True)
        assert (compared.frame.empty, compared.plans) == (True, ())
        assert "cannot create an index" in repr(compared)
        assert (loaded.collection.index_information(), store.index_name) == (before, "claims_by_provider")
        # If the other index is there already, comparing takes no right, and the note says which index is left.
        overlap = VARIANTS["overlap"]
        loaded.collection.create_index(overlap.keys, name=overlap.index_name)
        compared = compare_indexes(store, tin, *RANGE, build=True)
        assert set(compared.frame.loc["same claims, same total"]) == {True}
        assert "cannot drop claims_by_provider_overlap" in repr(compared)
        assert store.index_name == "claims_by_provider"
        loaded.collection.drop_index(overlap.index_name)

    def test_a_reader_cannot_replace_the_claims(self, as_user, loaded):
        with pytest.raises(PbmError, match=r"not authorized on pbm_demo to run update\. Grant it the role readWrite"):
            load_claims(as_user("reader"), replace=True, progress=False)
        assert loaded.collection.count_documents({}) == 6_000

    def test_a_user_who_may_write_but_not_drop_leaves_a_loaded_collection_as_it_was(self, secure, as_user, loaded):
        let(secure, "careful", ["find", "insert", "update", "listCollections", "listIndexes"])
        with pytest.raises(PbmError, match=r"not authorized on pbm_demo to run drop\. Grant it the role readWrite"):
            load_claims(as_user("careful"), replace=True, progress=False)
        assert loaded.collection.count_documents({}) == 6_000
        assert require_claims(loaded) is loaded

    def test_a_reader_may_check_what_is_loaded(self, as_user, loaded):
        assert load_claims(as_user("reader"), progress=False).inserted == 0

    def test_a_reader_cannot_load(self, as_user):
        setup_collection(as_user("owner", "empty"))
        with pytest.raises(PbmError, match=r"not authorized on pbm_demo to run update\. Grant it the role readWrite"):
            load_claims(as_user("reader", "empty"), progress=False)

    def test_a_writer_cannot_put_a_validator_on_a_collection_that_has_none(self, as_user):
        as_user("owner", "bare").collection.insert_one({})
        with pytest.raises(SetupError, match=r"cannot change the validator of pbm_demo\.bare\. .* role dbAdmin"):
            setup_collection(as_user("writer", "bare"))

    def test_a_user_without_rights_on_the_database_is_told_immediately(self, as_user):
        with pytest.raises(PbmError, match="not authorized on pbm_demo to run listCollections"):
            as_user("stranger")

    def test_a_right_that_is_revoked_while_the_store_is_open_is_reported(self, as_user, secure):
        with secure.root() as client:
            roles = [{"role": "readWrite", "db": DATABASE}]
            client.admin.command("createUser", "quagga7-guest", pwd=PASSWORD, roles=roles)
            store = setup_collection(as_user("guest", "guests"))
            client.admin.command("revokeRolesFromUser", "quagga7-guest", roles=roles)
            tin = list_providers(store.config)[0].tin
            for call in (find_claims, count_claims, explain_claims, explain_count):
                with pytest.raises(PbmError, match="The database user lacks permission: not authorized on pbm_demo to"):
                    call(store, tin)
            for call in (footprint_frame, indexes_frame, require_claims, load_claims, setup_collection):
                with pytest.raises(PbmError, match="The database user lacks permission: not authorized"):
                    call(store)


@pytest.mark.replica_set
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from papermill and Jupyter, not from this program
def test_the_four_notebooks_pass_on_a_replica_set_with_tls_and_the_last_two_as_a_reader(tmp_path, monkeypatch):
    parameters = {"config_path": str(write_config(tmp_path)), "output_dir": str(tmp_path / "out")}
    users = ["owner", "writer", "reader", "reader"]
    with secure_replica_set(tmp_path / "rs") as cluster:
        paths = []
        for name, user in zip(NOTEBOOKS, users, strict=True):
            monkeypatch.setenv("MONGODB_URI", cluster.uri(user))
            paths.append(run_notebook(name, tmp_path / "notebooks", parameters))
    assert no_error_no_warning(paths).count("replica set") >= 4
    assert "replica set" in (tmp_path / "out" / "performance_report.html").read_text(encoding="utf-8")
    assert files_with_traces(tmp_path / "out", tmp_path / "notebooks") == []
