"""The package as a wheel: it contains everything it needs, and declares what it depends on."""

import os
import re
import shutil
import site
import sys
import venv
import zipfile
from email.parser import Parser

import pytest
from conftest import PROJECT, write_config
from processes import run_python

import pbm_lib as pbm


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the working tree, built from a copy so that no build folder is left behind."""
    copy = tmp_path_factory.mktemp("source")
    shutil.copytree(PROJECT / "pbm_lib", copy / "pbm_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    done = run_python("-m", "pip", "wheel", "-q", "--no-deps", "-w", copy / "dist", copy)
    assert done.returncode == 0, done.stderr
    (file,) = (copy / "dist").glob("*.whl")
    return file


def test_every_file_of_the_package_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("pbm_lib/")}
    source = [file for file in (PROJECT / "pbm_lib").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert packed == {file.relative_to(PROJECT).as_posix() for file in source}


def test_it_declares_exactly_what_it_imports(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        said = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist")
        needed = {re.split(r"[<>=]", one)[0] for one in said}
    imported = set()
    for file in (PROJECT / "pbm_lib").rglob("*.py"):
        imported |= set(re.findall(r"^(?:import|from) (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    imported -= {*sys.stdlib_module_names, "pbm_lib"}
    # Maps import names to distributions; some modules come with another distribution that is declared.
    modules = {"yaml": "pyyaml", "dotenv": "python-dotenv", "bson": "pymongo", "IPython": "ipykernel"}
    modules |= dict.fromkeys(("traitlets", "jupyter_core", "jupyterlab_server"), "jupyterlab")
    programs = {"jupyterlab", "ipykernel"}  # started, not imported
    assert needed == {modules.get(name, name) for name in imported} | programs
    pinned = re.findall(r"^([\w-]+)==", (PROJECT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert needed <= set(pinned)


def test_installed_in_an_empty_environment_it_returns_a_page(wheel, tmp_path, loaded_store, test_uri):
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    there = run_python("-c", "import site; print(site.getsitepackages()[-1])", python=python).stdout.strip()
    with zipfile.ZipFile(wheel) as archive:  # installing a pure Python wheel means just this
        archive.extractall(there)
    # It borrows its libraries from this environment, but not this project, which is installed there by its folder.
    borrowed = {"PYTHONPATH": os.pathsep.join(site.getsitepackages())}
    config = write_config(tmp_path, {"mongodb": {"database": loaded_store.config.mongodb.database}})
    code = (
        "import pbm_lib as pbm\n"
        f"store = pbm.connect(pbm.load_config({str(config)!r}))\n"
        "print(len(pbm.find_claims(store, pbm.list_providers(store.config)[0].tin)), pbm.__file__)\n"
        "print(pbm.sample_claim()['recoveryMethod'], len(pbm.__all__))"
    )
    done = run_python("-c", code, python=python, uri=test_uri, cwd=tmp_path, env=borrowed)
    assert done.returncode == 0, done.stderr
    (claims, file), (_, names) = (line.split(" ", 1) for line in done.stdout.splitlines())
    assert claims == "100"
    assert file.startswith(str(folder))
    assert int(names) == len(pbm.__all__)
