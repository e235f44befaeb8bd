"""Billing providers: valid and unique numbers, in the config's tiers, the same for the same seed."""

import random
import re

import numpy as np
import pytest
from faker import Faker

from pbm_lib import InvalidQuery, list_providers
from pbm_lib.claims.reference import TIN_PREFIXES
from pbm_lib.claims.roster import name_pools, npi_check_digit, provider_roster

BIG = {
    "data_generation": {
        "target_volume": 6_000,
        "tiers": [
            {"name": "3K", "claims_per_provider": 2_000, "providers": 1},
            {"name": "300", "claims_per_provider": 2, "providers": 500},
            {"name": "60", "claims_per_provider": 1, "providers": 3_000},
        ],
    }
}


def luhn_holds(digits):
    """Whether the Luhn formula holds as CMS prints it, over all digits with the prefix 80840."""
    total = 0
    for place, digit in enumerate(reversed("80840" + digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def test_the_check_digit_of_an_npi_is_the_one_of_the_standard():
    assert npi_check_digit("123456789") == 3  # the example that CMS prints: 1234567893
    for nine in ("123456789", "100000000", "199999999", "298765432"):
        assert [digit for digit in range(10) if luhn_holds(f"{nine}{digit}")] == [npi_check_digit(nine)]


@pytest.mark.parametrize("changes", [{}, BIG], ids=["19 providers", "3,501 providers"])
def test_numbers_are_valid_and_unique(make_config, changes):
    providers = list_providers(make_config(changes))
    for provider in providers:
        assert re.fullmatch(r"\d{9}", provider.tin)
        assert provider.tin[:2] in TIN_PREFIXES
        assert re.fullmatch(r"[12]\d{9}", provider.npi)
        assert luhn_holds(provider.npi)
        assert re.fullmatch(r"P\d{5}", provider.provider_id)
        assert re.fullmatch(r"[\w' -]+ [\w .]+", provider.name)
    for numbers in ("tin", "npi", "provider_id"):
        assert len({getattr(provider, numbers) for provider in providers}) == len(providers), numbers


def test_prefixes_that_the_irs_does_not_assign_are_in_no_tin():
    unassigned = ["00", "07", "08", "09", "17", "18", "19", "28", "29", "49", "69", "70", "78", "79", "89", "96", "97"]
    assert not set(unassigned) & set(TIN_PREFIXES)
    assert len(set(TIN_PREFIXES)) == len(TIN_PREFIXES)


def test_tiers_come_in_the_configs_order_and_add_up(make_config):
    config = make_config()
    providers = list_providers(config)
    assert [provider.tier for provider in providers] == ["3K"] + 8 * ["300"] + 10 * ["60"]
    assert sum(provider.claim_count for provider in providers) == config.data_generation.target_volume
    assert [provider.claim_count for provider in list_providers(config, "300")] == 8 * [300]
    assert list_providers(config, "60") == providers[9:]


def test_an_unknown_tier_is_rejected_with_a_list_of_the_known_ones(make_config):
    with pytest.raises(InvalidQuery, match=r"^tier must be one of 3K, 300, 60, or None for all, got '4M'"):
        list_providers(make_config(), "4M")


def test_the_roster_depends_on_the_seed_and_on_no_random_state(make_config):
    data = make_config().data_generation
    roster = provider_roster(data)
    provider_roster.cache_clear()
    name_pools.cache_clear()
    random.seed(5)
    np.random.seed(5)
    assert provider_roster(data) == roster
    other = provider_roster(make_config({"data_generation": {"seed": 1}}).data_generation)
    assert not {provider.tin for provider in roster} & {provider.tin for provider in other}


@pytest.mark.parametrize("seed", [0, 20261122, 2**63 - 1])
def test_the_names_are_those_that_faker_draws_one_by_one(seed):
    fake = Faker("en_US")
    fake.seed_instance(seed)
    pools = name_pools(seed)
    assert pools.first == tuple(fake.first_name() for _ in range(600))
    assert pools.last == tuple(fake.last_name() for _ in range(600))


def test_a_provider_shows_its_name_tin_and_size(make_config):
    provider = list_providers(make_config())[0]
    assert str(provider) == f"{provider.name} (TIN {provider.tin}, 3,000 claims)"
