"""A lagging secondary is never read, whatever the URI says: claims and state come from the primary."""

import datetime as dt

import pymongo
import pytest
from oracle import Wire, check_walk, overlapping
from servers import replica_set

from pbm_lib import (
    connect,
    explain_claims,
    explain_count,
    list_providers,
    load_claims,
    require_claims,
    run_performance,
    setup_collection,
)
from pbm_lib.claims.document import TIN
from pbm_lib.store import connection
from pbm_lib.store.collection import state_collection
from pbm_lib.store.footprint import measure_footprint

pytestmark = pytest.mark.replica_set


class AddressedWire(Wire):
    """Also records which member each command goes to."""

    def __init__(self):
        super().__init__()
        self.asked: set[tuple[str, tuple[str, int]]] = set()

    def started(self, event):
        super().started(event)
        self.asked.add((event.command_name, event.connection_id))


@pytest.fixture(scope="module")
def lagging(tmp_path_factory):
    with replica_set(tmp_path_factory.mktemp("lagging") / "rs", lagging=True) as cluster:
        yield cluster


@pytest.fixture
def wire(monkeypatch):
    """Records the commands of every client that the package opens in this process."""
    wire, client = AddressedWire(), pymongo.MongoClient

    def heard(*arguments, event_listeners=(), **options):
        return client(*arguments, event_listeners=[*event_listeners, wire], **options)

    monkeypatch.setattr(connection, "MongoClient", heard)
    return wire


@pytest.mark.parametrize("options", ["readPreference=secondary", "readPreference=nearest&readConcernLevel=majority"])
def test_everything_is_read_from_the_primary(lagging, wire, make_config, monkeypatch, tmp_path, options):
    # With this timeout, a read that waited for the secondary to catch up would fail.
    monkeypatch.setenv("MONGODB_URI", f"{lagging.uri}&socketTimeoutMS=10000&{options}")
    with connect(make_config()) as store:
        setup_collection(store)
        assert load_claims(store, progress=False).inserted == 6_000
        assert load_claims(store, progress=False).inserted == 0
        assert require_claims(store) is store
        assert measure_footprint(store).claims == 6_000
        tin, (start, end) = list_providers(store.config, "300")[0].tin, (dt.date(2024, 1, 1), dt.date(2025, 1, 1))
        claims = overlapping(store.collection.find({TIN: tin}), tin, start, end)
        check_walk(store, claims, tin, start, end, page_size=20, bounded=True)
        assert explain_claims(store, tin, start, end).returned == min(len(claims), 100)
        assert sum(plan.returned for plan in explain_count(store, tin, start, end)) == len(claims)
        run = run_performance(store, samples=1, concurrency=[2], output_dir=tmp_path, progress=False)
        assert run.complete
        assert all(sample.claims for sample in run.samples if sample.operation != "ping")
        with lagging.nodes[1].client() as late:
            assert late[store.collection.database.name].list_collection_names() == []
    assert {address for _, address in wire.asked} == {("127.0.0.1", lagging.primary().port)}
    assert {"find", "aggregate", "explain", "createIndexes", "listCollections", "ping"} <= set(wire.names)
    modes = {(name, command["$readPreference"]["mode"]) for name, command in wire.sent if "$readPreference" in command}
    assert modes <= {("endSessions", "primaryPreferred")}
    assert {command["readConcern"]["level"] for _, command in wire.sent if "readConcern" in command} == {"local"}
    assert state_collection(store.collection).write_concern.document == {"w": "majority"}
