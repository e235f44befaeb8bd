"""Settings: what is accepted, and what the error says about everything else."""

import dataclasses
import datetime as dt
import os

import pytest
import yaml
from conftest import PROJECT, merged, small_settings, write_config

from pbm_lib import Config, ConfigError, load_config, output_folder
from pbm_lib.config_file import SECRET_KEY


def refused(tmp_path, changes) -> str:
    with pytest.raises(ConfigError) as refusal:
        load_config(write_config(tmp_path, changes))
    return str(refusal.value)


def test_the_projects_own_settings_are_three_million_claims():
    config = load_config(PROJECT / "config.yaml")
    data = config.data_generation
    assert [(tier.providers, tier.claims_per_provider) for tier in data.tiers] == [
        (1, 1_000_000),
        (1, 500_000),
        (5, 100_000),
        (8, 50_000),
        (25, 10_000),
        (40, 5_000),
        (150, 1_000),
    ]
    assert sum(tier.claims for tier in data.tiers) == data.target_volume == 3_000_000
    assert (data.max_claim_days, config.query.default_page_size, config.local_server.cache_gb) == (30, 100, 0.5)
    assert config.mongodb.index == "three_field"
    assert config.mongodb.leaf_page_kb == 16


def test_settings_cannot_be_changed(tmp_path):
    config = load_config(write_config(tmp_path))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.query.default_page_size = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.mongodb = None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mongodb": {"databse": "x"}}, ["mongodb.databse", "'x'", "Did you mean database?"]),
        ({"data_generation": {"sead": 1}}, ["data_generation.sead", "1", "Did you mean seed?"]),
        ({"extra": 1}, ["unknown key extra", "mongodb, data_generation"]),
        ({"path": "x"}, ["unknown key path"]),
        ({"mongodb": 3}, ["mongodb must be a section with database", "got 3."]),
        ({"mongodb": {"database": ""}}, ["mongodb.database", "''"]),
        ({"mongodb": {"database": "a.b"}}, ["mongodb.database", "'a.b'"]),
        ({"mongodb": {"leaf_page_kb": 64}}, ["mongodb.leaf_page_kb", "64", "must be 4, 8, 16 or 32, got"]),
        ({"mongodb": {"leaf_page_kb": "16"}}, ["mongodb.leaf_page_kb", "'16'", "must be 4, 8, 16 or 32, got"]),
        ({"mongodb": {"index": "yes"}}, ["mongodb.index", "'yes'", "'three_field' or 'overlap'"]),
        ({"data_generation": {"seed": -1}}, ["data_generation.seed", "-1", "must be at least 0"]),
        ({"data_generation": {"seed": True}}, ["data_generation.seed", "True", "must be a whole number"]),
        ({"data_generation": {"seed": "7"}}, ["data_generation.seed", "'7'", "must be a whole number"]),
        ({"data_generation": {"seed": 7.5}}, ["data_generation.seed", "7.5", "must be a whole number"]),
        ({"data_generation": {"tiers": []}}, ["data_generation.tiers", "at least 1"]),
        ({"data_generation": {"max_claim_days": 0}}, ["data_generation.max_claim_days", "0", "1"]),
        ({"data_generation": {"batch_size": 0}}, ["data_generation.batch_size", "0"]),
        ({"data_generation": {"workers": "many"}}, ["data_generation.workers", "'many'", "must be auto or 1 to 32"]),
        ({"data_generation": {"workers": True}}, ["data_generation.workers", "True", "must be auto or 1 to 32"]),
        ({"data_generation": {"first_service_date": dt.date(1999, 12, 31)}}, ["1999-12-31", "2000-01-01"]),
        (
            {"data_generation": {"first_service_date": "soon"}},
            ["first_service_date", "'soon'", "must be a date such as 2025-01-31"],
        ),
        ({"data_generation": {"last_service_date": dt.date(2022, 1, 1)}}, ["last_service_date", "2022-01-01", "2023"]),
        ({"live": {"seconds": 0}}, ["live.seconds", "0", "must be above 0"]),
        ({"live": {"pages_per_second": 1_001}}, ["live.pages_per_second", "1001", "must be at most 1,000"]),
        ({"live": {"feed_per_second": -1}}, ["live.feed_per_second", "-1", "must be at least 0"]),
        ({"failover": {"claims": 999}}, ["failover.claims", "999", "must be at least 1,000"]),
        ({"failover": {"first_port": 65_534}}, ["failover.first_port", "65534", "must be at most 65,533"]),
        ({"failover": {"seconds": 4}}, ["failover.seconds", "4", "must be at least 5"]),
        ({"failover": {"election_timeout_ms": 999}}, ["failover.election_timeout_ms", "999", "1,000"]),
        ({"query": {"default_page_size": 0}}, ["query.default_page_size", "0"]),
        ({"query": {"default_page_size": 5_000}}, ["query.default_page_size", "5000", "at most max_page_size (1,000)"]),
        ({"performance": {"samples": 0}}, ["performance.samples", "0"]),
        ({"performance": {"tiers_to_test": ["9M"]}}, ["performance.tiers_to_test", "'9M'", "3K, 300, 60"]),
        ({"performance": {"concurrency": [0]}}, ["performance.concurrency[0]", "0"]),
        ({"performance": {"concurrency_seconds": float("nan")}}, ["performance.concurrency_seconds", "nan"]),
        ({"local_server": {"port": 70_000}}, ["local_server.port", "70000", "65,535"]),
        ({"local_server": {"cache_gb": 0.1}}, ["local_server.cache_gb", "0.1", "0.25"]),
        ({"local_server": {"port": None}}, ["local_server.port", "None", "must be a whole number"]),
        ({"local_server": {5: 6}}, ["local_server must have text as keys", "got 5."]),
        ({"mongodb": {"database": "admin"}}, ["mongodb.database", "'admin'", "must not be admin, config, or local"]),
        ({"mongodb": {"database": "a b"}}, ["mongodb.database", "'a b'", "letters, digits, _ and -"]),
        ({"mongodb": {"database": "x" * 64}}, ["mongodb.database", "must be text of at most 60 characters"]),
        ({"data_generation": {"tiers": [{"name": "A", "claims_per_provder": 5}]}}, ["tiers[0].claims_per_provder"]),
        ({"performance": {"targets": {"first_page_p95_ms": [1]}}}, ["targets.first_page_p95_ms", "a mapping"]),
        ({"performance": {"targets": {"first_page_p59_ms": {"60": 1}}}}, ["first_page_p59_ms", "count_p95_ms"]),
        ({"performance": {"targets": {"first_page_p95_ms": {"9M": 1}}}}, ["first_page_p95_ms", "'9M'", "3K, 300, 60"]),
    ],
    ids=str,
)
def test_a_rejected_value_is_named(tmp_path, changes, told):
    message = refused(tmp_path, changes)
    assert all(part in message for part in told), message
    assert "pydantic" not in message


def test_tiers_that_do_not_add_up_show_the_arithmetic(tmp_path):
    message = refused(tmp_path, {"data_generation": {"target_volume": 7_000}})
    assert "7,000" in message
    assert "1 x 3,000 + 8 x 300 + 10 x 60 = 6,000" in message


def test_two_tiers_with_the_same_name_are_rejected(tmp_path):
    tier = {"name": "A", "claims_per_provider": 5, "providers": 1}
    assert "must have unique names" in refused(
        tmp_path, {"data_generation": {"tiers": [tier, tier], "target_volume": 10}}
    )


@pytest.mark.parametrize("section", list(small_settings()))
def test_a_missing_key_is_named_in_every_section(tmp_path, section):
    settings = small_settings()
    key = next(iter(settings[section]))
    del settings[section][key]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ConfigError, match=f"missing key {section}.{key}"):
        load_config(tmp_path / "config.yaml")


def test_a_price_that_does_not_say_whether_it_is_confirmed_is_rejected(tmp_path):
    tiers = small_settings()["atlas"]["tiers"]
    del tiers[1]["confirmed"]
    assert "missing key atlas.tiers[1].confirmed. Copy it" in refused(tmp_path, {"atlas": {"tiers": tiers}})
    tiers[1]["confirmed"] = "no"
    said = refused(tmp_path, {"atlas": {"tiers": tiers}})
    assert "atlas.tiers[1].confirmed must be true or false, got 'no'." in said


@pytest.mark.parametrize(
    "changes",
    [
        {"mongodb": {"uri": "mongodb+srv://amy:S3cr3t@cluster.example.net"}},
        {"mongodb": {"database": "mongodb://amy:S3cr3t@localhost"}},
        {"mongodb": {"password": "S3cr3t"}},
        {"data_generation": {"tiers": [{"name": "mongodb://amy:S3cr3t@localhost"}]}},
        {"atlas": {"prices_source": "see https://amy:S3cr3t@example.net"}},
        {"mongodb": {"mongodb://amy:S3cr3t@localhost": 1}},
        {"local_server": {"port": "amy:S3cr3t@cluster0.example.net"}},
        {"mongodb": {"connectionString": "S3cr3t"}},
        {"mongodb": {"userName": "S3cr3t"}},
        {"pwd": "S3cr3t"},
        {"api": {"token": "S3cr3t"}},
    ],
    ids=str,
)
def test_a_credential_in_the_file_is_rejected_and_not_shown(tmp_path, changes):
    message = refused(tmp_path, changes)
    assert "S3cr3t" not in message
    assert "MONGODB_URI" in message


def test_no_key_of_the_settings_is_mistaken_for_a_credential():
    def keys(settings):
        for key, value in settings.items():
            yield key
            for part in value if isinstance(value, list) else [value]:
                yield from keys(part) if isinstance(part, dict) else ()

    assert not [key for key in keys(small_settings()) if SECRET_KEY.search(key)]


def test_a_misspelled_key_is_reported_once_and_first(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(small_settings()).replace("mongodb:", "mongdb:"))
    with pytest.raises(ConfigError, match=r"^config\.yaml: unknown key mongdb .* Did you mean mongodb\?") as refusal:
        load_config(tmp_path / "config.yaml")
    assert "missing" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("# only a comment", "empty"),
        ("- a\n- b\n", "not a mapping"),
        ("some words", "not a mapping"),
        ("mongodb://amy:S3cr3t@h/", "holds a connection string"),
        ("a: [1,\n", "not valid YAML at line"),
        ("\tx: 1", r"not valid YAML at line 1: found a tab, which cannot"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "not valid YAML at line 4: this key appears twice"),
        ("a: 1\nb: 2\na: 3\n", "not valid YAML at line 3: this key appears twice"),
        ("a: 1\nday: 2023-02-30\n", r"not valid YAML at line 2: day is out of range for month \(a date\)"),
        ("a: 1\n--- \nb: 1\n", "not valid YAML at line 2"),
        ("a: 1\npassword: *S3cr3t", r"line 2: found undefined alias \(not shown\)"),
        ("a: 1\npassword: !S3cr3t x", r"line 2: could not determine a constructor for the tag \(not shown\)"),
        ("a: 'S3cr3t\nb: 1", "not valid YAML at line 2"),
        ("a: mongodb://amy:S3cr3t@h: [", "not valid YAML at line 1"),
        ("? [a, b]\n: 1", "not valid YAML at line 1: found unhashable key"),
        ("a: \0", "not valid YAML: character 4 is not allowed in a text file"),
        ("a: " + "[" * 3_000, "nested too deeply"),
        ("a: &a {b: *a}", "nested too deeply"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_without_settings_is_rejected(tmp_path, text, told):
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told) as refusal:
        load_config(tmp_path / "config.yaml")
    assert "S3cr3t" not in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("before", ["", "\ufeff"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["Unix", "Windows"])
def test_a_file_from_any_editor_is_read(tmp_path, before, end):
    text = before + yaml.safe_dump(small_settings()).replace("\n", end)
    (tmp_path / "config.yaml").write_bytes(text.encode())
    assert load_config(tmp_path / "config.yaml").data_generation.target_volume == 6_000


@pytest.mark.parametrize("path", ["~no-such-user/config.yaml", "a\0b"])
@pytest.mark.parametrize("read", [load_config, output_folder])
def test_an_invalid_path_is_rejected(read, path):
    with pytest.raises(ConfigError, match=r"^path must be a valid path, got .* \(.*\)\.$"):
        read(path)


def test_a_folder_in_place_of_the_file_is_rejected(tmp_path):
    with pytest.raises(ConfigError, match="Cannot read the config file"):
        load_config(tmp_path)


def test_a_data_folder_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    config = load_config(write_config(tmp_path, {"local_server": {"data_dir": "~/claims", "mongod": "bin/mongod"}}))
    assert config.mongod == tmp_path / "bin" / "mongod"
    assert config.data_dir == (tmp_path / "home" / "claims").resolve()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_binary_file_is_rejected(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("given", [None, ""])
def test_the_file_is_searched_for_upward_from_the_working_folder(tmp_path, monkeypatch, given):
    write_config(tmp_path, {"query": {"default_page_size": 17}})
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert load_config(given).query.default_page_size == 17


def test_outside_the_project_the_projects_file_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config().path == PROJECT / "config.yaml"


def test_relative_folders_are_relative_to_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(os.sep)
    assert load_config(write_config(tmp_path)).data_dir == (tmp_path / ".mongodb").resolve()


def test_an_output_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="output folder"):
        output_folder(tmp_path / "file" / "below")


def test_merging_leaves_the_base_alone():
    base = {"a": {"b": 1, "c": 2}}
    assert merged(base, {"a": {"b": 5}}) == {"a": {"b": 5, "c": 2}}
    assert base == {"a": {"b": 1, "c": 2}}


def test_the_settings_print_on_one_line(tmp_path):
    config = load_config(write_config(tmp_path))
    assert isinstance(config, Config)
    assert repr(config).startswith("Config(config.yaml: 6,000 claims in 3 tiers, pbm_demo.claims)")
