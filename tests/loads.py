"""Shared by the tests of the load: a digest of claims, and a load in its own process, which can be killed.

Run as a program, it loads the claims of a config: python tests/loads.py CONFIG WORKERS [replace]
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from processes import start_python

from pbm_lib import ClaimStore, Config, connect, load_claims, load_config, setup_collection
from pbm_lib.claims.document import ID
from pbm_lib.claims.generate import claim_generator
from pbm_lib.config import DataGenerationConfig

TIERS_30K = {
    "data_generation": {
        "target_volume": 30_000,
        "tiers": [
            {"name": "3K", "claims_per_provider": 15_000, "providers": 1},
            {"name": "300", "claims_per_provider": 1_500, "providers": 8},
            {"name": "60", "claims_per_provider": 300, "providers": 10},
        ],
        "batch_size": 250,
        "workers": 2,
    }
}
"""Changes for a config whose load takes a second or two, long enough to be interrupted halfway."""


def digest(claims: Iterable[bytes]) -> str:
    """SHA-256 of encoded claims, in the order given."""
    total = hashlib.sha256()
    for claim in claims:
        total.update(claim)
    return total.hexdigest()


def stored_digest(store: ClaimStore) -> str:
    """Digest of the collection as the server stores it, byte for byte, in order of `_id`."""
    options = store.collection.codec_options.with_options(document_class=RawBSONDocument)
    return digest(claim.raw for claim in store.collection.with_options(codec_options=options).find(sort=[(ID, 1)]))


def configured_digest(config: Config) -> str:
    """Digest of the claims that the config describes, generated here."""
    return _generated_digest(config.data_generation)


@lru_cache
def _generated_digest(data: DataGenerationConfig) -> str:
    return digest(claim.raw for claim in claim_generator(data).documents(0, data.target_volume))


def load_some(store: ClaimStore, start: int, stop: int) -> None:
    """Insert some of the claims, as a killed load leaves them; `stop` is exclusive."""
    store.collection.insert_many(claim_generator(store.config.data_generation).documents(start, stop))


def start_loading(
    config: Config, uri: str | None = None, *, workers: int = 2, replace: bool = False
) -> subprocess.Popen:
    """Start this file as a program, as the leader of its own process group."""
    words = ["replace"] if replace else []
    return start_python(__file__, config.path, workers, *words, uri=uri, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def main(path: Path, workers: int, *, replace: bool) -> None:
    with connect(load_config(path)) as store:
        if not replace:
            setup_collection(store)
        print(load_claims(store, workers=workers, replace=replace, progress=False))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), replace="replace" in sys.argv[3:])
