"""Claims as rows of a table."""

import pytest
from bson import Decimal128

from pbm_lib import sample_claim
from pbm_lib.claims.table import claim_rows


def priced(amount, currency):
    claim = sample_claim()
    claim["processedAmounts"]["overpaymentAmount"] = {"amount": Decimal128(amount), "currency": currency}
    return claim


def test_one_currency_stands_in_the_heads():
    first, second = claim_rows([sample_claim(), priced("1234567.80", "USD")])
    assert (first["overpayment USD"], second["overpayment USD"]) == ("124.60", "1,234,567.80")
    assert list(first)[:4] == ["begin", "end", "claim", "patient"]
    assert all(first.values())


def test_several_currencies_stand_beside_their_amounts():
    first, second = claim_rows([sample_claim(), priced("7.50", "EUR")])
    assert (first["overpayment"], second["overpayment"]) == ("124.60 USD", "7.50 EUR")


@pytest.mark.parametrize("part", [None, {}, [], "text", 7, {"amount": None}], ids=str)
def test_a_claim_that_lacks_parts_still_has_a_row(part):
    names = ("identifiers", "patientInformation", "processedAmounts", "renderingProvider", "serviceBeginDate")
    (row,) = claim_rows([{"_id": 5, **dict.fromkeys(names, part)}])
    assert row["claim"] == "5"
    assert all(isinstance(text, str) for text in row.values())


def test_no_claims_have_no_rows():
    assert claim_rows([]) == []
