"""Reads a directory of TOML files into one `Configuration`, or says everything that is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from fabd.config import agree
from fabd.config.explain import Place, refusals
from fabd.config.model import (
    Configuration,
    FabdFile,
    LevelsFile,
    Machine,
    MachinesFile,
    Material,
    MaterialsFile,
    Settings,
    TariffFile,
)
from fabd.config.read import FILES, Document, misspelt, read, require_directory
from fabd.errors import ConfigError
from fabd.messages import Message

Shape = TypeVar("Shape", bound=Settings)


def load(directory: Path, examine: Callable[[Place], list[Message]] | None = None) -> Configuration:
    """The configuration in `directory`, with the shipped defaults for `materials.toml`, `levels.toml`, `tariff.toml`.

    Raises `ConfigError` with every mistake in every file. What only drivers know, a machine's settings, is left to
    `examine`, which is shown `machines.toml`: `fabd.drivers.registry.load_configuration` gives it.
    """
    require_directory(directory)
    problems = misspelt(directory)
    files: dict[str, Document] = {}
    for file in FILES:
        files[file], unreadable = read(directory, file)
        problems += unreadable
    fabd = _shape(FabdFile, files["fabd.toml"], problems)
    machines = _shape(MachinesFile, files["machines.toml"], problems)
    materials = _shape(MaterialsFile, files["materials.toml"], problems)
    levels = _shape(LevelsFile, files["levels.toml"], problems)
    tariff = _shape(TariffFile, files["tariff.toml"], problems)
    problems += agree.problems(files)
    if examine is not None:
        problems += examine(Place(file="machines.toml", tables=files["machines.toml"].tables or {}))
    if problems or fabd is None or machines is None or materials is None or levels is None or tariff is None:
        raise ConfigError(*sorted(problems, key=_file_order))
    return Configuration(
        fabd=fabd,
        machines=machines.machine,
        materials=materials.material,
        lots=materials.lot,
        levels=levels.level,
        default_level=levels.default,
        tariffs=tariff.tariff,
    )


def material_for(config: Configuration, machine: Machine) -> Material | None:
    """What `machine` is taken to hold while nobody loaded anything; `None` where nothing is declared for it."""
    for material in config.materials:
        if material.id == machine.default_material:
            return material
    if machine.default_material is not None:
        return None
    return next((material for material in config.materials if machine.kind in material.default_for), None)


def _file_order(problem: Message) -> int:
    file = problem.params["file"]
    return FILES.index(file) if file in FILES else len(FILES)


def _shape(model: type[Shape], document: Document, problems: list[Message]) -> Shape | None:
    """The document in its shape; where it has another, adds to `problems`."""
    if document.tables is None:
        return None
    try:
        return model.model_validate(document.tables)
    except ValidationError as error:
        problems += refusals(error, model, Place(file=document.file, tables=document.tables))
        return None
