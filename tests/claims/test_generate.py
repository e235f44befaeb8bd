"""Claims that a domain expert would find plausible, checked against their rules over 100,000 of them."""

import collections
import datetime as dt
import random
import re

import bson
import numpy as np
import pandas as pd
import pytest
from faker import Faker
from test_roster import luhn_holds

from pbm_lib import InvalidQuery, generate_claims, sample_claim
from pbm_lib.claims.generate import ClaimGenerator, claim_generator
from pbm_lib.claims.reference import CLAIM_SYSTEMS, RECOVERY_METHODS, TIN_PREFIXES
from pbm_lib.claims.roster import name_pools, provider_roster

COUNT = 100_000
D = 30
TIERS_100K = {
    "target_volume": COUNT,
    "tiers": [
        {"name": "3K", "claims_per_provider": 40_000, "providers": 1},
        {"name": "300", "claims_per_provider": 4_000, "providers": 10},
        {"name": "60", "claims_per_provider": 500, "providers": 40},
    ],
}


@pytest.fixture(scope="module")
def config(make_config):
    return make_config({"data_generation": TIERS_100K})


@pytest.fixture(scope="module")
def claims(config):
    """All 100,000 claims, decoded as a reader gets them."""
    return list(generate_claims(config))


@pytest.fixture(scope="module")
def frame(claims):
    """The same claims as columns; amounts in whole cents."""

    def cents(claim, name):
        return int(claim["processedAmounts"][name]["amount"].to_decimal().scaleb(2))

    return pd.DataFrame(
        {
            "id": [claim["_id"] for claim in claims],
            "tin": [claim["billingProvider"]["providerTin"] for claim in claims],
            "account": [claim["billingProvider"]["patientAccountNumber"] for claim in claims],
            "begin": [claim["serviceBeginDate"] for claim in claims],
            "end": [claim["serviceEndDate"] for claim in claims],
            "updated": [claim["lastUpdatedTs"] for claim in claims],
            "patient": [claim["billingProvider"]["patientAccountNumber"].split("-")[1] for claim in claims],
            "name": [claim["patientInformation"]["fullName"] for claim in claims],
            "practitioner": [claim["renderingProvider"]["providerName"] for claim in claims],
            "system": [claim["identifiers"]["claimSystemCode"] for claim in claims],
            "claim_id": [claim["identifiers"]["claimSystemClaimId"] for claim in claims],
            "balance": [cents(claim, "overpaymentBalance") for claim in claims],
            "overpaid": [cents(claim, "overpaymentAmount") for claim in claims],
            "recouped": [cents(claim, "recoupedAmount") for claim in claims],
            "method": [claim["recoveryMethod"] for claim in claims],
        }
    )


def shape(value):
    """Field names and types of a document, all the way down."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value)


def test_every_claim_has_the_fields_and_types_of_the_sample_in_its_order(claims):
    wanted = shape(sample_claim())
    fields = list(wanted)
    assert all(shape(claim) == wanted and list(claim) == fields for claim in claims)


def test_a_claim_begins_no_later_than_it_ends_and_lasts_no_longer_than_the_bound(frame, config):
    data = config.data_generation
    days = (frame["end"] - frame["begin"]).dt.days
    assert days.min() == 0
    assert days.max() == D
    assert frame["begin"].min() == pd.Timestamp(data.first_service_date)
    assert frame["begin"].max() == pd.Timestamp(data.last_service_date)
    for column in ("begin", "end"):
        assert (frame[column] == frame[column].dt.normalize()).all()


def test_a_claim_is_updated_after_it_ends_and_everything_is_after_2000(frame):
    assert (frame["updated"] >= frame["end"]).all()
    assert frame[["begin", "end", "updated"]].min().min() > pd.Timestamp(2000, 1, 1)
    assert (frame["updated"] - frame["end"]).max() < pd.Timedelta(days=300)


def test_amounts_balance_and_none_is_negative(frame):
    assert (frame["balance"] == frame["overpaid"] - frame["recouped"]).all()
    assert (frame[["balance", "overpaid", "recouped"]] >= 0).all().all()


def test_amounts_are_exact_decimals_with_two_places(claims):
    for claim in claims[::7]:
        for amount in claim["processedAmounts"].values():
            assert re.fullmatch(r"\d+\.\d\d", str(amount["amount"]))


def test_the_recovery_method_fits_the_amounts(frame):
    assert ((frame["method"] == "PENDING") == (frame["recouped"] == 0)).all()
    assert set(frame["method"]) == set(RECOVERY_METHODS)
    recouped = frame[frame["recouped"] > 0]
    for system in CLAIM_SYSTEMS:
        ours = recouped[recouped["system"] == system.code]
        for wanted, rows in ((system.in_full, ours[ours["balance"] == 0]), (system.in_part, ours[ours["balance"] > 0])):
            shares = rows["method"].value_counts(normalize=True)
            assert shares.to_dict() == pytest.approx(wanted, abs=0.05)


def test_about_a_third_of_overpayments_are_open_and_a_quarter_recouped_in_part(frame):
    overpaid = frame[frame["overpaid"] > 0]
    assert len(overpaid) / COUNT == pytest.approx(0.62, abs=0.01)
    assert (overpaid["recouped"] == 0).mean() == pytest.approx(0.35, abs=0.02)
    assert (overpaid["recouped"] == overpaid["overpaid"]).mean() == pytest.approx(0.40, abs=0.02)


def test_overpayments_are_log_normal_by_claim_system(frame):
    for system in CLAIM_SYSTEMS:
        amounts = frame.loc[(frame["system"] == system.code) & (frame["overpaid"] > 0), "overpaid"] / 100
        logs = np.log(amounts)
        assert amounts.median() == pytest.approx(system.median_usd, rel=0.1)
        assert logs.std() == pytest.approx(system.sigma, rel=0.05)
        assert abs(logs.skew()) < 0.2


def test_codes_come_from_the_reference_sets_in_their_shares(frame):
    shares = frame["system"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({system.code: system.share for system in CLAIM_SYSTEMS}, abs=0.01)


def test_claim_ids_and_document_ids_are_unique(frame):
    assert frame["claim_id"].is_unique
    assert frame["id"].is_unique
    assert frame["claim_id"].str.fullmatch(r"(NCPDP_D0|NCPDP_5|X12_837P|PDE|INTERNAL)-\d{12}").all()
    assert (frame["claim_id"].str.split("-").str[0] == frame["system"]).all()


def test_each_provider_has_exactly_its_claims_under_one_number_and_name(claims, config):
    roster = {provider.tin: provider for provider in provider_roster(config.data_generation)}
    counted = collections.Counter(claim["billingProvider"]["providerTin"] for claim in claims)
    assert counted == {tin: provider.claim_count for tin, provider in roster.items()}
    for claim in claims:
        billing = claim["billingProvider"]
        known = roster[billing["providerTin"]]
        assert (billing["providerId"], billing["providerNpi"]) == (known.provider_id, known.npi)
        assert billing["providerName"] == known.name
    assert all(luhn_holds(provider.npi) for provider in roster.values())
    assert all(tin[:2] in TIN_PREFIXES for tin in counted)


def test_a_patient_recurs_with_one_account_number_and_one_full_name(frame):
    assert (frame.groupby("account")["name"].nunique() == 1).all()
    assert frame["account"].nunique() < COUNT / 5
    assert frame.groupby("account").size().median() >= 3
    assert frame["name"].str.fullmatch(r"[A-Z]\S* [A-Z]\S*").all()
    assert frame["name"].nunique() > 5_000


def test_a_patient_stays_with_the_same_providers_and_has_one_account_at_each(frame):
    pairs = frame.groupby(["patient", "tin"]).size()
    assert pairs.groupby("patient").size().median() <= 2
    # By far most of a patient's claims are at one provider; at random, 40 in 100 would be at the largest.
    claims = pairs.groupby("patient").sum()
    assert (pairs.groupby("patient").max() / claims)[claims >= 5].mean() > 0.7
    assert frame.groupby("account")["tin"].nunique().max() == 1


def test_small_practices_have_few_practitioners(frame):
    staff = frame.groupby("tin")["practitioner"].nunique()
    sizes = frame.groupby("tin").size()
    assert staff[sizes == 500].max() == 1
    assert staff[sizes == 40_000].item() > 10
    assert frame["practitioner"].str.startswith("Dr. ").all()


def test_most_claims_are_same_day_and_the_others_have_a_tail_up_to_the_bound(frame):
    days = (frame["end"] - frame["begin"]).dt.days
    assert 0.8 < (days == 0).mean() < 0.9
    longer = days[days > 0]
    assert longer.median() <= 7
    assert set(longer) == set(range(1, D + 1))
    assert 0.1 < (longer > 26).mean() < 0.3  # billed by the month
    by_system = (days == 0).groupby(frame["system"]).mean()
    assert by_system.to_dict() == pytest.approx({system.code: system.same_day for system in CLAIM_SYSTEMS}, abs=0.03)


def test_weekdays_are_busier_than_weekends_and_winter_than_summer(frame):
    by_weekday = frame.groupby(frame["begin"].dt.day_of_week).size()
    assert by_weekday[:5].min() > 1.5 * by_weekday[5] > 3 * 0.9 * by_weekday[6]
    month = frame["begin"].dt.month
    assert month.isin([12, 1, 2]).sum() > 1.12 * month.isin([6, 7, 8]).sum()


def test_claims_arrive_by_date_with_jitter_and_never_provider_by_provider(frame):
    day = (frame["begin"] - frame["begin"].min()).dt.days
    drift = (day - day.sort_values().to_numpy()).abs()
    assert drift.max() <= 15
    assert not day.is_monotonic_increasing
    # In every thousand claims that arrive together, the providers have about the same shares as overall.
    largest = frame["tin"] == frame["tin"].value_counts().index[0]
    shares = largest.groupby(np.arange(COUNT) // 1_000).mean()
    assert shares.min() > 0.3
    assert shares.max() < 0.5
    runs = (frame["tin"] != frame["tin"].shift()).sum()
    assert runs > 0.7 * COUNT


def test_document_ids_ascend_with_the_claim_number_and_carry_its_arrival(frame, config):
    assert frame["id"].is_monotonic_increasing
    generator = claim_generator(config.data_generation)
    assert generator.ids(np.arange(COUNT)) == frame["id"].tolist()
    arrived = pd.Series([id_.generation_time.replace(tzinfo=None) for id_ in frame["id"]])
    assert (frame["updated"] >= arrived).all()


def test_a_claim_depends_on_seed_and_number_whatever_is_generated_with_it(config, claims):
    data = config.data_generation
    for start, stop in ((0, 1), (1, 2), (99_999, 100_000), (4_999, 5_001), (31_415, 41_415)):
        assert list(generate_claims(config, start, stop)) == claims[start:stop]
        pieces = random.Random(start).sample(range(start, stop), min(3, stop - start))
        for number in pieces:
            [alone] = ClaimGenerator(data).documents(number, number + 1)
            assert bson.decode(bson.encode(alone)) == claims[number]
    assert list(generate_claims(config, 700, 700)) == []


def test_different_seeds_give_different_claims(make_config, claims):
    other = make_config({"data_generation": TIERS_100K | {"seed": 1}})
    ours, theirs = claims[:2_000], list(generate_claims(other, 0, 2_000))
    assert not {claim["_id"] for claim in ours} & {claim["_id"] for claim in theirs}
    same_patient = [a["patientInformation"] == b["patientInformation"] for a, b in zip(ours, theirs, strict=True)]
    assert sum(same_patient) < 10


def test_generating_uses_no_global_random_state(config):
    claim_generator.cache_clear()
    provider_roster.cache_clear()
    name_pools.cache_clear()
    random.seed(1)
    np.random.seed(1)
    Faker.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), Faker().name()
    Faker.seed(1)
    first = list(generate_claims(config, 0, 100))
    assert (random.getstate(), np.random.get_state()[1].tolist(), Faker().name()) == before
    claim_generator.cache_clear()
    random.seed(2)
    np.random.seed(2)
    Faker.seed(2)
    assert list(generate_claims(config, 0, 100)) == first


def test_a_one_day_range_of_service_dates_and_the_shortest_bound_are_possible(make_config):
    day = dt.date(2024, 2, 29)
    one_day = {"first_service_date": day, "last_service_date": day, "max_claim_days": 1}
    found = list(generate_claims(make_config({"data_generation": one_day})))
    assert {claim["serviceBeginDate"] for claim in found} == {dt.datetime(2024, 2, 29)}
    assert {claim["serviceEndDate"].day for claim in found} == {29, 1}
    assert all(claim["lastUpdatedTs"] >= claim["serviceEndDate"] for claim in found)


def test_a_single_claim_is_a_valid_volume(make_config):
    one = {"target_volume": 1, "tiers": [{"name": "3K", "claims_per_provider": 1, "providers": 1}]}
    config = make_config({"data_generation": one, "performance": {"tiers_to_test": ["3K"], "targets": {}}})
    assert len(list(generate_claims(config))) == 1


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, COUNT + 1)])
def test_an_invalid_range_is_rejected(config, start, stop):
    with pytest.raises(InvalidQuery, match=r"^start and stop must satisfy 0 <= start <= stop <= 100,000, got "):
        generate_claims(config, start, stop)


def test_the_servers_validator_accepts_them(store, claims):
    sample = claims[::20]
    assert len(store.collection.insert_many(sample).inserted_ids) == 5_000
    assert list(store.collection.find(sort=[("_id", 1)])) == sample
