"""Claims as rows of a table."""

import pytest
from bson import Decimal128

from pbm_lib import sample_claim
from pbm_lib.claims.table import claim_rows


def test_a_row_has_what_a_reader_looks_for():
    claim = sample_claim()
    claim["processedAmounts"]["overpaymentAmount"]["amount"] = Decimal128("1234567.80")
    first, second = claim_rows([sample_claim(), claim])
    assert (first["overpayment"], second["overpayment"]) == ("124.60", "1,234,567.80")
    assert (first["recouped"], first["balance"]) == ("50.00", "74.60")
    assert (first["begin"], first["end"], first["patient"]) == ("2024-01-08", "2024-01-10", "Jonah Whitfield")
    assert list(first)[:4] == ["begin", "end", "claim", "patient"]
    assert all(first.values())


@pytest.mark.parametrize("part", [None, {}, [], "text", 7, {"amount": None}], ids=str)
def test_a_claim_that_lacks_parts_still_has_a_row(part):
    names = ("identifiers", "patientInformation", "processedAmounts", "renderingProvider", "serviceBeginDate")
    (row,) = claim_rows([{"_id": 5, **dict.fromkeys(names, part)}])
    assert row["claim"] == "5"
    assert all(isinstance(text, str) for text in row.values())


def test_no_claims_have_no_rows():
    assert claim_rows([]) == []
