"""All claims of one provider in order: by one stream, and by two that read consecutive parts at the same time."""

from bson import ObjectId

from ..claims.document import ID, TIN
from ..claims.roster import list_providers
from ..query.stream import iter_claims
from ..vocabulary import ONE_STREAM, PROVIDER, TWO_STREAMS
from .recorder import Recorder

_CLAIMS = 100_000
_ROUNDS = 2  # a whole provider takes seconds
_WAYS = {ONE_STREAM: 1, TWO_STREAMS: 2}
_GUESSED_CLAIMS_A_SECOND = 25_000


def measure_volume(recorder: Recorder) -> None:
    """Stream all claims of a provider with about 100,000 claims in both ways, in turn, and compare what arrives.

    There are no warm-ups, because the claims may not fit into the cache. The timed call collects the ids, so that their
    order is compared as well.
    """
    store = recorder.store
    tier = recorder.nearest_tier(_CLAIMS)
    tin = list_providers(store.config, tier)[0].tin
    labels = {"section": "volume", "operation": "stream", "scenario": PROVIDER, "tier": tier}
    rounds = min(recorder.settings.samples, _ROUNDS)
    step = recorder.run.claims_per_provider(tier) / _GUESSED_CLAIMS_A_SECOND
    recorder.progress.expect(rounds * len(_WAYS) * step)
    for iteration in range(rounds):
        read: dict[str, list[ObjectId]] = {}
        # They take turns going first: the second one benefits from the claims that the first one left in the cache.
        for name in list(_WAYS)[:: 1 if iteration % 2 == 0 else -1]:
            recorder.show("volume", {**labels, "contestant": name})

            def stream(streams: int = _WAYS[name]) -> list[ObjectId]:
                return [claim[ID] for claim in iter_claims(store, tin, streams=streams)]

            timing = recorder.time(stream, **labels, contestant=name, iteration=iteration)
            if timing.answer is not None:
                read[name] = timing.answer
            recorder.progress.advance(step)
        if len(read) == len(_WAYS):
            recorder.check("volume", tier, "stream", TWO_STREAMS, read[ONE_STREAM] == read[TWO_STREAMS])
    size = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
    with store.errors_explained():
        recorder.measured_bytes(store.collection.aggregate([{"$match": {TIN: tin}}, size]).next()["bytes"], **labels)
