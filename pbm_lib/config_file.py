"""Read and check config.yaml, and locate the project's folders.

The error for an invalid setting names the key, its value, and what is accepted.
"""

import datetime as dt
import difflib
import os
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from .arguments import checked, full_path
from .config import Config, shown, wanted
from .errors import ConfigError, text_of

CONFIG_VARIABLE = "PBM_LIB_CONFIG"
"""Environment variable with the default settings file; `python -m pbm_lib lab` sets it."""

SECRET_KEY = re.compile(r"uri|url|pass|pwd|secret|user|credential|token|login|dsn|connection", re.IGNORECASE)
"""Matches a key whose value may be a secret. No key of the settings matches it."""
_SECRET_TEXT = re.compile(r"mongodb(\+srv)?://|:[^\s:@]+@", re.IGNORECASE)
_PROJECT = Path(__file__).resolve().parents[1]
_MOST = 5  # problems reported at once
# Pydantic's error types for an unknown key.
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_RENAMED = {
    "mongodb.covering_index": ("index", "It is now mongodb.index: three_field (was: false) or overlap (was: true)."),
    "performance.iterations": ("samples", "It is now performance.samples."),
    "performance.plain_iterations": ("unbounded_samples", "It is now performance.unbounded_samples."),
    "performance.plain_seconds": ("seconds_per_series", "It is now performance.seconds_per_series."),
}
"""Maps a key of an earlier version to the key that replaced it, and to the hint for the error message."""


@checked(ConfigError)
def load_config(path: str | Path | None = None) -> Config:
    """Read and check the settings.

    Args:
        path: a YAML file. None or "" means the file named by the environment variable PBM_LIB_CONFIG, or else the
            first config.yaml found in the working folder, the folders above it, or this package's project.

    Returns:
        The checked, immutable settings.

    Raises:
        ConfigError: the file is missing or not YAML; a key is unknown, missing, of the wrong type, or out of range;
            the tiers do not add up; or the file contains a connection string or a password.

    Example:
        >>> store = connect(load_config("small.yaml"))
    """
    file = full_path("path", path, ConfigError) if path else _find_config()
    text = text_of(file, f"the config file {file}", "Pass the path of a config.yaml.")
    try:
        settings = yaml.load(text, _Loader)
        _reject_secrets(settings, file.name)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file.name} is not valid YAML{_explain_syntax(error)}.") from None
    except RecursionError:
        raise ConfigError(f"{file.name} is nested too deeply. Start from the project's config.yaml.") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{file.name} is empty or not a mapping. Add the sections {_names(Config)}.")
    if "path" in settings:
        raise ConfigError(f"{file.name}: unknown key path. Accepted: {_names(Config)}.")
    try:
        return TypeAdapter(Config).validate_python(settings | {"path": file})
    except ValidationError as error:
        raise ConfigError(f"{file.name}: {_explain(error)}") from None


@checked(ConfigError)
def output_folder(path: str | Path = "") -> Path:
    """Return the folder for run files, charts, and reports; create it if it is missing.

    Args:
        path: a folder; "" means the project's `outputs/`.

    Returns:
        Its absolute path.

    Raises:
        ConfigError: it cannot be created.
    """
    folder = full_path("path", path, ConfigError) if path else _PROJECT / "outputs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"Cannot create the output folder {folder}: {error.strerror}. Choose another.") from None
    return folder


def project_folder() -> Path:
    """Return the project's folder, which contains the notebooks, settings, and results."""
    return _PROJECT


def notebooks_folder() -> Path:
    """Return the folder of the demo's notebooks."""
    return _PROJECT / "notebooks"


def _find_config() -> Path:
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named).expanduser().resolve()
    working = Path.cwd()
    for folder in (working, *working.parents, _PROJECT):
        if (folder / "config.yaml").is_file():
            return folder / "config.yaml"
    raise ConfigError(f"No config.yaml in {working} or above it. Work inside the project, or pass the file's path.")


class _Loader(yaml.SafeLoader):
    """A safe loader that also rejects repeated keys and explains invalid dates.

    PyYAML's own loader accepts repeated keys and raises a bare ValueError for an invalid date.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        names = [key.value for key in keys]
        for number, key in enumerate(keys):
            if key.value in names[:number]:
                raise yaml.constructor.ConstructorError(None, None, "this key appears twice", key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> dt.date:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, f"{error} (a date)", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


def _explain_syntax(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f": character {error.position + 1} is not allowed in a text file"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "it could not be parsed"
    # Quoted parts come from the file: what looks like an alias or a tag may be a password that begins with * or !.
    hidden = re.sub(r"'[^'<]{3,}'", "(not shown)", problem).replace(r"character '\t' that", "a tab, which")
    return f"{f' at line {mark.line + 1}' if mark else ''}: {hidden}"


def _reject_secrets(value: Any, name: str, key: str = "") -> None:
    if isinstance(value, dict):
        for part, inner in value.items():
            if _SECRET_TEXT.search(str(part)):
                _reject(name, f"a key in {key}" if key else "a key")
            _reject_secrets(inner, name, f"{key}.{part}" if key else str(part))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _reject_secrets(inner, name, f"{key}[{position}]")
    elif (isinstance(value, str) and _SECRET_TEXT.search(value)) or (
        value is not None and SECRET_KEY.search(key.rsplit(".", 1)[-1])
    ):
        _reject(name, key or "it")


def _reject(name: str, where: str) -> None:
    raise ConfigError(
        f"{name}: {where} holds a connection string or a credential (not shown). Remove it from the file and set "
        "the environment variable MONGODB_URI instead."
    )


def _keys(section: type) -> list[str]:
    return [field.name for field in fields(section) if field.name != "path"]


def _names(section: type) -> str:
    return ", ".join(_keys(section))


def _explain(error: ValidationError) -> str:
    """Describe the first few problems in a config file in the file's own terms, misspelled keys first."""
    problems = error.errors(include_url=False)
    unknown = [problem for problem in problems if problem["type"] in _UNKNOWN]
    meant: set[tuple] = set()  # missing keys that an unknown key was probably meant to be
    sentences = []
    for problem in unknown:
        *section, key = problem["loc"]
        accepted = _keys(_section_at(tuple(section)))
        close = difflib.get_close_matches(str(key), accepted, n=1)
        meant.update((*section, name) for name in close)
        hint = f" Did you mean {close[0]}?" if close else ""
        if renamed := _RENAMED.get(_dotted(problem["loc"])):
            meant.add((*section, renamed[0]))
            hint = f" {renamed[1]}"
        sentences.append(
            f"unknown key {_dotted(problem['loc'])} (value {shown(problem['input'])}).{hint} Accepted: "
            f"{', '.join(accepted)}."
        )
    sentences += [
        _explain_value(problem) for problem in problems if problem not in unknown and problem["loc"] not in meant
    ]
    return " ".join(list(dict.fromkeys(sentences))[:_MOST])


def _explain_value(problem: dict[str, Any]) -> str:
    key, kind, value = _dotted(problem["loc"]), problem["type"], shown(problem.get("input"))
    if kind == "value_error":
        return str(problem["ctx"]["error"]) + "."
    if kind in ("missing", "missing_argument"):
        return f"missing key {key}. Copy it from the project's config.yaml."
    if kind == "invalid_key":
        return f"{_dotted(problem['loc'][:-1]) or 'the file'} must have text as keys, got {value}."
    if kind == "dataclass_type":
        return f"{key} must be a section with {_names(_section_at(problem['loc']))}, got {value}."
    return f"{key} must be {wanted(problem)}, got {value}."


def _dotted(location: tuple) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _section_at(location: tuple) -> type:
    """The dataclass that a path of keys and list positions leads to."""
    section: Any = Config
    for part in location:
        if isinstance(part, str):
            section = next(field.type for field in fields(section) if field.name == part)
            while not is_dataclass(section):
                section = get_args(section)[0]
    return section
