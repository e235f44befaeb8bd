"""Read config.yaml and check it: every error names key, value and what is accepted. Also: the project's folders."""

import difflib
import os
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from .errors import ConfigError
from .settings import (
    TARGETS,
    AtlasConfig,
    AtlasTier,
    Config,
    DataGenerationConfig,
    LocalServerConfig,
    MongoDBConfig,
    PerformanceConfig,
    QueryConfig,
    Tier,
    shown,
)

__all__ = [
    "CONFIG_VARIABLE",
    "TARGETS",
    "AtlasConfig",
    "AtlasTier",
    "Config",
    "DataGenerationConfig",
    "LocalServerConfig",
    "MongoDBConfig",
    "PerformanceConfig",
    "QueryConfig",
    "Tier",
    "load_config",
    "notebooks_folder",
    "output_folder",
]

CONFIG_VARIABLE = "PBM_LIB_CONFIG"
"""Environment variable that names the settings file for whoever names none; `python -m pbm_lib lab` sets it."""

_PROJECT = Path(__file__).resolve().parents[1]


def load_config(path: str | Path | None = None) -> Config:
    """Read and check the settings.

    Args:
        path: a YAML file. None or "" takes the one that the environment variable PBM_LIB_CONFIG names, or else
            looks for config.yaml in the working folder and upward from it, then in the project that holds this package.

    Returns:
        The checked, immutable settings.

    Raises:
        ConfigError: the file is missing or not YAML, or a key is unknown, missing, of the wrong type or out of
            range, the tiers do not add up, or the file holds a connection string or a password.
    """
    file = Path(path).expanduser().resolve() if path else _find_config()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"Cannot read the config file {file}: {reason}. Pass the path of a config.yaml.") from None
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file.name} is not valid YAML{where}: {getattr(error, 'problem', error)}.") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{file.name} is empty or no mapping; accepted: the sections {_names(Config)}.")
    _refuse_secrets(settings, file.name)
    if "path" in settings:
        raise ConfigError(f"{file.name}: unknown key path. Accepted: {_names(Config)}.")
    try:
        return TypeAdapter(Config).validate_python(settings | {"path": file})
    except ValidationError as error:
        raise ConfigError(f"{file.name}: {_explain(error)}") from None


def output_folder(path: str | Path = "") -> Path:
    """Return the folder for run files, charts and reports, making it if it is missing.

    Args:
        path: a folder; "" takes `outputs/` of the project.

    Returns:
        Its absolute path.

    Raises:
        ConfigError: it cannot be made.
    """
    folder = Path(path).expanduser().resolve() if path else _PROJECT / "outputs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"Cannot make the output folder {folder}: {error.strerror}. Name another one.") from None
    return folder


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


_SECRET_KEY = re.compile(r"(^|_)(uri|url|pass(word|wd)?|secret|user(name)?|credentials?)($|_)", re.IGNORECASE)


def _refuse_secrets(value: Any, name: str, key: str = "") -> None:
    if isinstance(value, dict):
        for part, inner in value.items():
            _refuse_secrets(inner, name, f"{key}.{part}" if key else str(part))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _refuse_secrets(inner, name, f"{key}[{position}]")
    elif (isinstance(value, str) and re.search(r"mongodb(\+srv)?://|://[^/\s]*@", value, re.IGNORECASE)) or (
        value is not None and _SECRET_KEY.search(key.rsplit(".", 1)[-1])
    ):
        raise ConfigError(
            f"{name}: {key} holds a connection string or a credential (not shown). Remove it from the file and set "
            "the environment variable MONGODB_URI instead."
        )


def _names(section: type) -> str:
    return ", ".join(field.name for field in fields(section) if field.name != "path")


def _explain(error: ValidationError) -> str:
    """Say the first few problems of a config file in its own terms."""
    sentences = []
    for problem in error.errors(include_url=False)[:5]:
        location = problem["loc"]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        kind, value = problem["type"], shown(problem.get("input"))
        if kind == "value_error":
            sentences.append(str(problem["ctx"]["error"]) + ".")
        elif kind in ("unexpected_keyword_argument", "extra_forbidden"):
            accepted = [f.name for f in fields(_section_at(location[:-1])) if f.name != "path"]
            close = difflib.get_close_matches(str(location[-1]), accepted, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            sentences.append(f"unknown key {key} (value {value}).{hint} Accepted: {', '.join(accepted)}.")
        elif kind in ("missing", "missing_argument"):
            sentences.append(f"missing key {key}. Add it; README has every key with its default.")
        elif kind == "dataclass_type":
            sentences.append(
                f"{key}: {value} is not accepted; accepted: a section with {_names(_section_at(location))}."
            )
        else:
            accepted = problem["msg"].removeprefix("Input should be ").removeprefix("String should ")
            accepted = accepted.replace("Tuple should have", "a list of").replace("a valid tuple", "a list")
            sentences.append(f"{key}: {value} is not accepted; accepted: {accepted}.")
    return " ".join(dict.fromkeys(sentences))


def _section_at(location: tuple) -> type:
    """The dataclass that a path of keys and list positions leads to."""
    section: Any = Config
    for part in location:
        if isinstance(part, str):
            section = next(field.type for field in fields(section) if field.name == part)
            while not is_dataclass(section):
                section = get_args(section)[0]
    return section
