"""The claim document: its sample, and the paths of the fields that queries use."""

from importlib.resources import files
from typing import Any

from bson import json_util

ID = "_id"
TIN = "billingProvider.providerTin"
BEGIN = "serviceBeginDate"
END = "serviceEndDate"

DAY_MS = 86_400_000


def sample_claim() -> dict[str, Any]:
    """Return the canonical claim, decoded from sample.json (MongoDB Extended JSON).

    Returns:
        A new claim document: ObjectId `_id`, naive UTC datetimes, Decimal128 amounts.
    """
    text = files(__package__).joinpath("sample.json").read_text(encoding="utf-8")
    return json_util.loads(text, json_options=json_util.JSONOptions(tz_aware=False, tzinfo=None))
