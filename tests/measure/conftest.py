"""Loaded claims on a server with users of few rights."""

import pytest
from secure_servers import DATABASE

from pbm_lib import connect, setup_collection
from pbm_lib.claims.generate import claim_generator


@pytest.fixture(scope="module")
def as_user(secure, make_config):
    """Call it with a user of `secure_servers.ROLES` to get a store that he opened; the claims are there."""
    config = make_config({"mongodb": {"database": DATABASE}})
    opened = []

    def make(user):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MONGODB_URI", secure.uri(user))
            opened.append(connect(config))
        return opened[-1]

    store = setup_collection(make("owner"))
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    yield make
    for store in opened:
        store.close()
