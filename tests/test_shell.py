"""The package in a plain Python shell: what help, dir and repr show, and what an error looks like."""

import ast
import dataclasses
import inspect
import os
import pydoc
import re

import pytest
from conftest import PROJECT, write_config
from processes import run_python

import pbm_lib as pbm

NAMES = sorted(pbm.__all__)


def public_callables():
    """Every function of the public API and every public method of its classes, inherited ones too, by dotted name."""
    for name in NAMES:
        thing = getattr(pbm, name)
        if not inspect.isclass(thing):
            yield name, thing
            continue
        for attribute in dir(thing):
            member = inspect.getattr_static(thing, attribute)
            function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            is_ours = inspect.isfunction(function) and function.__module__.startswith("pbm_lib.")
            if is_ours and not attribute.startswith("_"):
                yield f"{name}.{attribute}", function


CALLABLES = dict(public_callables())
CLASSES = [name for name in NAMES if inspect.isclass(getattr(pbm, name))]


def listed(doc, section):
    """Names that a section of a docstring explains."""
    part = re.search(rf"^{section}:\n((?: {{4}}.*\n?|\n)*)", doc, re.MULTILINE)
    return re.findall(r"^ {4}(\w+): \S", part[1], re.MULTILINE) if part else []


@pytest.mark.parametrize("name", CALLABLES)
def test_a_docstring_explains_each_argument_and_no_other(name):
    doc = inspect.getdoc(CALLABLES[name])
    assert doc.splitlines()[0].endswith(".")
    wanted = [
        parameter for parameter in inspect.signature(CALLABLES[name]).parameters if parameter not in ("self", "cls")
    ]
    assert listed(doc, "Args") == wanted


@pytest.mark.parametrize("name", CALLABLES)
def test_a_docstring_names_each_error_that_the_function_raises_itself(name):
    raised = set(re.findall(r"\braise ([A-Z]\w+)\(", inspect.getsource(CALLABLES[name])))
    assert raised <= set(listed(inspect.getdoc(CALLABLES[name]), "Raises"))


@pytest.mark.parametrize("name", [name for name in CLASSES if dataclasses.is_dataclass(getattr(pbm, name))])
def test_a_docstring_explains_each_attribute(name):
    fields = [field.name for field in dataclasses.fields(getattr(pbm, name))]
    assert listed(inspect.getdoc(getattr(pbm, name)), "Attributes") == fields


def test_help_opens_with_the_quick_start_and_every_name_in_its_group():
    text = pydoc.plain(pydoc.render_doc(pbm))
    page = text.split("PACKAGE CONTENTS")[0]
    assert "page = pbm.find_claims(store, provider.tin)" in page
    groups = page.split("The public names:")[1]
    missing = [name for name in NAMES if not re.search(rf"\b{name}\b", groups)]
    assert missing == []
    assert max(map(len, page.splitlines())) <= 120


def test_the_groups_name_only_what_exists():
    groups = pbm.__doc__.split("The public names:")[1].split("Error messages")[0]
    named = re.findall(r"\w+", re.sub(r"^ {4}\w+ ", "", groups, flags=re.MULTILINE))
    assert sorted(set(named) - {"and", "its", "subclasses"}) == NAMES
    assert len(named) - 3 == len(NAMES)


def test_the_stub_names_each_thing_once_with_the_module_that_defines_it():
    stub = ast.parse((PROJECT / "pbm_lib" / "__init__.pyi").read_text(encoding="utf-8"))
    listed = [
        (alias.asname, f"pbm_lib.{line.module}")
        for line in stub.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    ]
    assert sorted(name for name, _ in listed) == NAMES
    assert [(name, module) for name, module in listed if getattr(pbm, name).__module__ != module] == []


def test_several_threads_at_once_may_be_the_first_to_use_a_name():
    code = (
        "import threading, pbm_lib as pbm\nfailed = []\n"
        "def use(name):\n    try:\n        getattr(pbm, name)\n"
        "    except BaseException as error:\n        failed.append(f'{name}: {error!r}')\n"
        "threads = [threading.Thread(target=use, args=(name,)) for name in pbm.__all__]\n"
        "[thread.start() for thread in threads], [thread.join() for thread in threads]\nprint(failed)"
    )
    done = run_python("-c", code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_tab_completion_offers_only_public_names():
    assert sorted(dir(pbm)) == NAMES
    assert all(hasattr(pbm, name) for name in NAMES)


def test_every_object_prints_as_something_readable(loaded_store, tmp_path):
    store = loaded_store
    provider = pbm.list_providers(store.config)[0]
    run = pbm.run_performance(store, samples=1, warmup=0, concurrency=[], output_dir=tmp_path, progress=False)
    for thing in (
        store,
        store.config,
        store.server,
        provider,
        pbm.load_claims(store, progress=False),
        pbm.find_claims(store, provider.tin),
        pbm.explain_claims(store, provider.tin),
        pbm.ClaimExplorer(store),
        run,
        pbm.size_cluster(run),
        pbm.write_report(run, tmp_path),
        pbm.topology_note(store),
        pbm.refusal(pbm.find_claims, store, "1"),
        pbm.show_claim(pbm.sample_claim()),
    ):
        for text in (repr(thing), str(thing)):
            assert " object at 0x" not in text
            assert text.isascii()  # some terminals can show nothing else
            assert max(map(len, text.splitlines())) <= 170, text
            assert len(text.splitlines()) <= 30, text
        if hasattr(thing, "_repr_html_"):
            page = thing._repr_html_()
            assert page.startswith("<")
            assert " object at 0x" not in page


def test_a_pages_rows_are_aligned(loaded_store):
    page = pbm.find_claims(loaded_store, pbm.list_providers(loaded_store.config)[0].tin)
    rows = repr(page).splitlines()[1:6]
    starts = [{match.end() for match in re.finditer(r"  (?=\S)", row)} for row in rows]
    assert len(set.intersection(*starts)) >= 5


def shell(code, tmp_path, uri):
    config = write_config(tmp_path, {"mongodb": {"database": f"pbm_test_shell_{os.getpid()}"}})
    return run_python("-c", code, cwd=config.parent, uri=uri)


def test_the_first_lines_that_a_user_types_print_well(tmp_path, test_uri):
    done = shell(
        "import pbm_lib as pbm; store = pbm.connect(); "
        "page = pbm.find_claims(store, pbm.list_providers(store.config)[0].tin); print(page); print(store)",
        tmp_path,
        test_uri,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(
        "ClaimPage: 0 claims of 0; no other pages\nClaimStore\n  Collection   pbm_test_shell_"
    )


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("pbm.find_claims(pbm.connect(), '12')", "pbm_lib.errors.InvalidQuery: tin must be nine digits as text"),
        ("pbm.load_config('nowhere.yaml')", "pbm_lib.errors.ConfigError: Cannot read the config file"),
        ("pbm.require_claims(pbm.connect())", "pbm_lib.errors.LoadError: pbm_test_shell_"),
    ],
)
def test_an_error_in_a_shell_is_one_short_traceback(tmp_path, test_uri, code, last):
    done = shell(f"import pbm_lib as pbm; {code}", tmp_path, test_uri)
    lines = done.stderr.splitlines()
    assert done.stderr.count("Traceback (most recent call last)") == 1
    assert "During handling" not in done.stderr
    assert "direct cause" not in done.stderr
    assert lines[-1].startswith(last)
    assert len(lines) <= 20
    assert not [line for line in lines if "site-packages" in line]


def test_library_code_makes_no_call_that_only_one_system_has():
    alone = re.compile(r"\bos\.(fork|kill|killpg|getuid|geteuid|setsid|uname)\b|\bimport (fcntl|resource|pwd|grp)\b")
    # The default encoding of a text file differs from system to system.
    unsaid = re.compile(r"\b(open|read_text|write_text)\((?!.*(encoding=|\"r?b\"))")
    assert all(alone.search(line) for line in ("os.kill(pid, 9)", "import fcntl"))
    assert all(unsaid.search(line) for line in ("open(file)", 'file.write_text("x")'))
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in sorted((PROJECT / "pbm_lib").rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if alone.search(line) or unsaid.search(line)
    ]
    assert found == []


def examples():
    """The example of each public name that has one, as code."""
    for name, thing in {**{name: getattr(pbm, name) for name in NAMES}, **CALLABLES}.items():
        lines = re.findall(r"^ *(?:>>>|\.\.\.) (.*)$", inspect.getdoc(thing) or "", re.MULTILINE)
        if lines and thing is not pbm:
            yield name, "\n".join(lines)


@pytest.mark.parametrize(("name", "code"), sorted(set(examples())))
def test_an_example_calls_functions_that_exist_with_arguments_that_they_take(name, code):
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    ours = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id not in ("print", "list")]
    assert name.split(".")[0] in {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    for call in ours:
        signature = inspect.signature(getattr(pbm, call.func.id))
        signature.bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords})


def test_the_functions_that_most_people_call_have_an_example():
    found = {name for name, _code in examples()}
    assert found >= {
        *("connect", "load_claims", "find_claims", "count_claims", "iter_claims", "explain_claims", "observe_claims"),
        *("run_performance", "write_report", "watch_pages", "size_cluster", "ClaimExplorer"),
    }
