"""A claim as a row of a table."""

import pytest
from bson import Decimal128

from pbm_lib.claim import sample_claim
from pbm_lib.claim_row import COLUMNS, claim_row


def test_the_canonical_claim_as_a_row():
    row = claim_row(sample_claim())
    assert list(row) == list(COLUMNS)
    assert row["overpayment"] == "124.60 USD"
    assert all(row.values())


def test_large_amounts_have_thousands_separators():
    claim = sample_claim()
    claim["processedAmounts"]["overpaymentAmount"]["amount"] = Decimal128("1234567.80")
    assert claim_row(claim)["overpayment"] == "1,234,567.80 USD"


@pytest.mark.parametrize("part", [None, {}, [], "text", 7, {"amount": None}], ids=str)
def test_a_claim_that_lacks_parts_still_has_a_row(part):
    names = ("identifiers", "patientInformation", "processedAmounts", "renderingProvider", "serviceBeginDate")
    row = claim_row({"_id": 5, **dict.fromkeys(names, part)})
    assert row["claim"] == "5"
    assert all(isinstance(text, str) for text in row.values())
