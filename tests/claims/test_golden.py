"""The claims of a generator version never change; otherwise, two generations could mix in one collection unnoticed."""

import bson
from conftest import PROJECT
from loads import digest

from pbm_lib import generate_claims, load_config
from pbm_lib.claims.generate import GENERATOR_VERSION
from pbm_lib.store.rule import claim_validator

GOLDEN = {
    2: "da7337c401b12c749966791d2d75d05df7f53f9b6cf82d73ac28ec94c985d0bc",
    3: "d9fc6e76c0f2043c1f1b669929d8e808d77a8910224d824fb6a88765d9aad027",
}
"""Digest of the first 1,000 claims of the project's config, by generator version.

If a digest changes, raise GENERATOR_VERSION and add the new digest under the new number; never change an old one.
"""


SCHEMA = "5c9a5ecd3310e461b70b4d8fc407b2464b148012f5f00e1d1bf08cab41fab33b"
"""Digest of the rule's $jsonSchema. If it changes, first add this one to the earlier digests in store/rule.py."""


def test_the_rules_schema_is_known_to_later_versions():
    assert digest([bson.encode(claim_validator(30)["$jsonSchema"])]) == SCHEMA


def test_the_first_thousand_claims_of_the_projects_config_are_those_of_the_generators_version():
    claims = generate_claims(load_config(PROJECT / "config.yaml"), 0, 1_000)
    assert digest(bson.encode(claim) for claim in claims) == GOLDEN[GENERATOR_VERSION]
