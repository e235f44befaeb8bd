"""The distributions that notebook 02 shows: what they say about a sample, even one with little in it."""

import pytest

from pbm_lib import claims_chart, claims_sample, claims_summary


@pytest.fixture(scope="module")
def sample(make_config):
    return claims_sample(make_config(), 3_000)


def test_a_sample_is_drawn_evenly_from_the_whole_period(sample):
    assert len(sample) == 3_000
    assert sample["begin"].dt.to_period("M").nunique() == 36
    assert sample["tin"].nunique() == 19


def test_the_table_describes_the_sample_in_numbers(sample):
    said = dict(claims_summary(sample).to_numpy().tolist())
    assert said["claims in the sample"] == "3,000"
    assert said["same-day claims"] == f"{(sample['days'] == 0).mean():.0%}"
    assert said["multi-day claims: median / longest (days)"].endswith(" / 30")
    assert said["claim system PDE"] == f"{(sample['system'] == 'PDE').mean():.0%}"


def test_the_chart_has_one_panel_per_distribution_and_its_finding_as_title(sample):
    figure = claims_chart(sample)
    assert len(figure.axes) == 3
    assert all(panel.get_title() or panel.get_title(loc="left") for panel in figure.axes)
    title, subtitle = (text.get_text() for text in figure.texts)
    assert title == f"{(sample['days'] == 0).mean():.0%} of the claims begin and end on the same day"
    assert subtitle == "The longest lasts 30 days."


def test_a_sample_with_nothing_to_describe_says_so(make_config):
    one = {"target_volume": 1, "tiers": [{"name": "3K", "claims_per_provider": 1, "providers": 1}], "seed": 1}
    sample = claims_sample(
        make_config({"data_generation": one, "performance": {"tiers_to_test": ["3K"], "targets": {}}})
    )
    said = dict(claims_summary(sample).to_numpy().tolist())
    assert said["overpayment: median / mean (USD)"] == "none in the sample"
    assert "nan" not in " ".join(said.values())
    claims_chart(sample)
