"""An explorer of the loaded claims."""

import pytest

from pbm_lib import ClaimExplorer


@pytest.fixture
def explorer(loaded_store):
    return ClaimExplorer(loaded_store)
