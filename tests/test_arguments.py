"""Whatever argument a public function is given, it answers or raises a PbmError that names the argument."""

import datetime as dt
import inspect
import typing
from pathlib import Path
from types import SimpleNamespace, UnionType

import pandas as pd
import pytest
from fake_runs import fake_run, good_samples
from test_shell import CALLABLES

import pbm_lib as pbm
from pbm_lib.arguments import checked

ODD = [
    *(None, True, 5, -1, 10**30, 1.5, float("nan"), "text", "", b"text", [], ["text"], [None], {}, {"text": 5}, ()),
    *(object(), len, dt.time(), SimpleNamespace(collection=None), pd.DataFrame(), pd.DataFrame({"a": [1]})),
    *(Path(), Path("a\0b"), "mongodb://amy:Tr0ub4dor&3@host/\nx", ["mongodb://amy:Tr0ub4dor@host/"]),
]
# Not called with arguments that they accept: that takes seconds, changes claims or starts a server, and is tested
# elsewhere.
COSTLY = {name for name in CALLABLES if name.endswith("_chart")} | {
    *("run_performance", "write_report", "load_claims", "compare_indexes", "setup_collection", "connect", "refusal"),
    "watch_pages",
}
PARAMETERS = [
    (name, parameter)
    for name, function in [*CALLABLES.items(), ("ClaimExplorer", pbm.ClaimExplorer)]
    for parameter in inspect.signature(function).parameters.values()
    if parameter.name not in ("self", "cls")
    and parameter.kind is not parameter.VAR_KEYWORD
    and (name, parameter.name) != ("refusal", "arguments")  # those are passed on to another function
]


@pytest.fixture(scope="module")
def right(loaded_store, tmp_path_factory):
    """A valid value for each parameter name, and `self` for the methods of each class."""
    store, config = loaded_store, loaded_store.config
    run, tin = fake_run(config, good_samples()), pbm.list_providers(config, "60")[0].tin
    run_file = run.save(tmp_path_factory.mktemp("run"))
    return {
        "store": store, "config": config, "run": run, "source": run, "series": next(iter(run.series())),
        "report": pbm.load_claims(store, progress=False), "plans": pbm.explain_claims(store, tin),
        "sample": pbm.claims_sample(config, 100), "paging": pbm.compare_paging(store, tin, [0]),
        "frame": pd.DataFrame({"a": [1]}), "claim": pbm.sample_claim(),
        "call": lambda: pbm.find_claims(store, "12"), "build": False, "acts": [pbm.explain_claims(store, tin)],
        "wanted": False, "value": 5, "label": "claims", "note": "",
        "watch": pbm.watch_pages(store, seconds=0.2, progress=False),
        "claims": 60, "index": "three_field", "part": "ranges", "operation": "count", "scenario": "range",
        "service_date": dt.date(2025, 1, 1), "days": [30],
        "unbounded": pbm.observe_claims(store, tin, bounded=False), "bounded": pbm.observe_claims(store, tin),
        "tin": tin, "tier": "60", "service_date_start": dt.date(2025, 1, 1), "service_date_end": dt.date(2025, 1, 31),
        "path": {"load_config": config.path, "output_folder": run_file.parent, "PerformanceRun.load": run_file},
        "folder": run_file.parent / "again", "output_dir": run_file.parent / "report",
        "self": {"ClaimExplorer": pbm.ClaimExplorer(store), "ClaimStore": store, "PerformanceRun": run},
    }  # fmt: skip


def takes(function, parameter, value):
    hint = typing.get_type_hints(function)[parameter.name]
    parts = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = tuple(typing.get_origin(part) or part for part in parts)
    return isinstance(value, (*kinds, int) if float in kinds else kinds)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=lambda part: getattr(part, "name", part))
def test_an_odd_argument_gets_an_answer_or_an_error_that_names_it(right, name, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = CALLABLES.get(name, pbm.ClaimExplorer)
    kind, _, method = name.partition(".")
    call = getattr(right["self"].get(kind, getattr(pbm, kind)), method) if method else function
    values, wrong = {}, []
    for other in inspect.signature(call).parameters.values():
        if other.default is other.empty and other.kind is not other.VAR_KEYWORD and other.name != "arguments":
            value = right[other.name]
            values[other.name] = value[name] if other.name == "path" else value
    for odd in ODD:
        if name in COSTLY and takes(function, parameter, odd):
            continue
        given = {**values, parameter.name: odd}
        positional = [given.pop(parameter.name)] if parameter.kind is parameter.VAR_POSITIONAL else []
        try:
            call(*positional, **given)
        except pbm.PbmError as error:
            if not (parameter.name in str(error) or str(odd) in str(error)) or "Tr0ub4dor" in str(error):
                wrong.append((odd, error))
        except Exception as error:
            wrong.append((odd, error))
    assert wrong == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: pbm.connect("small.yaml"),
            "config must be settings from load_config(path), such as store.config, or None, got 'small.yaml'.",
        ),
        (lambda: pbm.find_claims(None, "411234567"), "store must be a store from connect(config), got None."),
        (lambda: pbm.targets_frame([]), "run must be a PerformanceRun, such as PerformanceRun.load(path), got []."),
        (lambda: pbm.output_folder(5), "path must be a path as text or a Path, got 5."),
        (lambda: pbm.load_config(5), "path must be a path as text or a Path, or None, got 5."),
        (lambda: pbm.plans_frame(None), "plans must be a result of explain_claims or explain_count, got None."),
        (
            lambda: pbm.paging_chart(pd.DataFrame()),
            "paging must be a result of compare_paging(store, tin), got a DataFrame with 0 rows",
        ),
    ],
    ids=["connect", "find", "targets", "output_folder", "load_config", "plans", "paging"],
)
def test_the_error_says_what_is_accepted(call, said):
    with pytest.raises(pbm.PbmError) as refused:
        call()
    assert str(refused.value).startswith(said)


def test_the_claims_of_another_object_are_not_listed_in_the_error(loaded_store):
    with pytest.raises(pbm.PbmError, match=r"^config must be .*, got a ClaimStore\.$"):
        pbm.list_providers(loaded_store)


@pytest.mark.parametrize("count", [0, -1])
def test_a_sample_of_no_claims_is_rejected(make_config, count):
    with pytest.raises(pbm.InvalidQuery, match=rf"^count must be a whole number of at least 1, got {count}\.$"):
        pbm.claims_sample(make_config(), count)


@pytest.mark.parametrize("depths", [5, [], "12", [1.0], [3_000], [-1]], ids=str)
def test_invalid_depths_are_named_in_the_error(loaded_store, depths):
    with pytest.raises(pbm.InvalidQuery, match=r"^depths(:| must be) "):
        pbm.compare_paging(loaded_store, pbm.list_providers(loaded_store.config)[0].tin, depths)


def test_unknown_labels_are_named_in_the_error(make_config):
    run = fake_run(make_config(), good_samples())
    with pytest.raises(pbm.PbmError, match=r"^labels must be any of .*tier.*counts, got tire\.$"):
        run.statistics(tire="60")
    with pytest.raises(pbm.PbmError, match=r"^tier must be one of 3K, 300, 60, got '9M'\.$"):
        run.claims_per_provider("9M")


def test_a_parameter_without_a_description_fails_when_it_is_added():
    with pytest.raises(KeyError, match="nameless"):

        @checked(pbm.PbmError)
        def function(nameless: int) -> None:
            pass
