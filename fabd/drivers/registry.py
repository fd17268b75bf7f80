"""Finds drivers and simulators by name, among the entry points of all installed packages.

Groups: `fabd.drivers` (name -> driver class), `fabd.simulators` (name -> class of a simulated machine).
"""

import inspect
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from fabd.config import Configuration, load
from fabd.config.explain import Key, Place, refusals, unknown_key
from fabd.drivers import wire
from fabd.drivers.contract import Driver
from fabd.messages import Message

if TYPE_CHECKING:
    from fabd.simulators.plug import SimulatedMachine


def driver_names() -> list[str]:
    """The drivers that are installed, in alphabetical order."""
    return _names("fabd.drivers")


@cache
def find_driver(name: str) -> type[Driver]:
    """The driver class called `name`; raises `KeyError` when there is none.

    A driver whose own import fails raises what it raised: one broken plugin is one machine's trouble.
    """
    for entry in entry_points(group="fabd.drivers", name=name):
        return cast("type[Driver]", entry.load())
    raise KeyError(name)


async def plug_into_simulator(url: str) -> wire.Wire:
    """Open a wire to the simulated machine that `url` names; the machine is built on first use."""
    from fabd.simulators import plug_in

    return await plug_in(url)


def simulated_machine(url: str) -> "SimulatedMachine":
    """The simulated machine that `url` names, for what no wire carries: a stick that is put into it."""
    from fabd.simulators import machine

    return machine(url)


def load_configuration(directory: Path) -> Configuration:
    """The configuration in `directory`, its machines' settings accepted by their drivers.

    Raises `ConfigError` with every mistake in every file. Opens no wire, and needs no device to be there.
    """
    return load(directory, _examine)


def time_scale(settings: Mapping[str, object]) -> float:
    """How many seconds a machine with these settings lives in one of ours: 1, but for a simulated one in a hurry."""
    url = settings.get("url")
    return wire.time_scale(url) if isinstance(url, str) else 1.0


def _examine(machines: Place) -> list[Message]:
    rows = machines.tables.get("machine")
    found = []
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict) and isinstance(row.get("driver"), str):
            found += _machine_problems(row, ("machine", index), machines)
    return found


def _machine_problems(row: Mapping[str, object], key: Key, place: Place) -> list[Message]:
    name = str(row["driver"])
    at_driver = place.params((*key, "driver"), name)
    try:
        driver = find_driver(name)
        model, kinds = driver.Config, driver.kinds
    except KeyError:
        return [Message(code="config-driver-unknown", params={**at_driver, "known": ", ".join(driver_names())})]
    except Exception as error:  # noqa: BLE001  # another package's import may raise anything; it is reported, in words
        detail = f"{type(error).__name__}: {error}"
        return [Message(code="config-driver-broken", params={**at_driver, "detail": detail})]
    found = []
    kind, settings = row.get("kind"), row.get("settings", {})
    if isinstance(kind, str) and kind not in kinds:
        params = place.params((*key, "kind"), kind)
        params |= {"driver": name, "known": ", ".join(sorted(kinds))}
        found.append(Message(code="config-kind-not-driven", params=params))
    if not isinstance(settings, dict):
        return found
    try:
        model.model_validate(settings)
    except ValidationError as error:
        found += refusals(error, model, place, (*key, "settings"))
    url = settings.get("url")
    if isinstance(url, str) and url.startswith("sim:"):
        found += _simulator_problems(url, (*key, "settings", "url"), place)
    return found


def _simulator_problems(url: str, key: Key, place: Place) -> list[Message]:
    """Why the simulated machine that `url` names cannot be built; one is built, and thrown away, to know."""
    params = place.params(key, url)
    try:
        parts = urlsplit(url)
        entry = next(iter(entry_points(group="fabd.simulators", name=parts.netloc)), None)
        if entry is None:
            simulators = ", ".join(f"sim://{name}" for name in _names("fabd.simulators"))
            return [Message(code="config-simulator-unknown", params={**params, "known": simulators})]
        factory = entry.load()
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        known = [name for name, p in inspect.signature(factory).parameters.items() if p.kind is not p.VAR_KEYWORD]
        if unknown := [name for name in parameters if name not in known]:
            return [unknown_key(name, known, {**params, "key": f"{params['key']}?{name}"}) for name in unknown]
        factory(**parameters)
    except (ImportError, ValueError) as error:
        return [Message(code="config-simulator-refused", params={**params, "detail": str(error)})]
    return []


def _names(group: str) -> list[str]:
    return sorted(entry.name for entry in entry_points(group=group))
