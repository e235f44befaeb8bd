from pbm_lib.load import load_claims


def test_a_second_load_finds_nothing_to_do(loaded_store):
    report = load_claims(loaded_store, progress=False)
    assert (report.volume, report.inserted) == (6_000, 0)
    assert report.tiers == (("3K", 1, 3_000), ("300", 8, 2_400), ("60", 10, 600))
