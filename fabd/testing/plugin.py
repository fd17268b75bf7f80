"""The pytest plugin: `--fabd-driver` runs the contract suite for one driver, with its settings and a program."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fabd.drivers import Program
    from fabd.testing.bench import DriverCase


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fabd", "the contract suite of fabd's drivers")
    group.addoption("--fabd-driver", metavar="PACKAGE:CLASS", help="the driver to test")
    group.addoption(
        "--fabd-settings",
        metavar="SETTINGS",
        help='its settings, as on a machine of machines.toml: a TOML file, or JSON such as \'{"url": "tcp://..."}\'',
    )
    group.addoption("--fabd-program", metavar="FILE", help="a small file that its machine can make; it is made often")


def pytest_configure(config: pytest.Config) -> None:
    """With `--fabd-driver` and nothing else named, run the contract suite alone."""
    if config.getoption("--fabd-driver") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(Path(__file__).with_name("contract.py"))]


def cases_of_options(config: pytest.Config) -> "list[DriverCase]":
    """The one case that the command line names; raises `pytest.UsageError` where it does not."""
    from fabd.testing.bench import DriverCase

    driver = _driver(str(config.getoption("--fabd-driver") or ""))
    program_file = config.getoption("--fabd-program")
    if not program_file or not Path(program_file).is_file():
        raise pytest.UsageError("--fabd-program: expected a file that the machine can make")
    file = Path(program_file)
    settings = _settings(str(config.getoption("--fabd-settings") or "{}"))
    return [DriverCase(name=driver.__name__, driver=driver, settings=settings, program=_program(file), file=file)]


def _driver(name: str) -> type[Any]:
    from importlib import import_module

    module, _, attribute = name.partition(":")
    try:
        driver: type[Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--fabd-driver: expected package.module:Class, {error}") from error
    return driver


def _settings(text: str) -> dict[str, object]:
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(Path(text).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--fabd-settings: expected a TOML file or a JSON object, {error}") from error
    return dict(found)


def _program(file: Path) -> "Program":
    from fabd.errors import JobRejected
    from fabd.formats.recognise import installed, recognise

    data = file.read_bytes()
    try:
        return recognise(data[:65_536], file.name, len(data), installed()[0]).analyse(data, file.name).program
    except JobRejected as error:
        raise pytest.UsageError(f"--fabd-program: {error}") from error
