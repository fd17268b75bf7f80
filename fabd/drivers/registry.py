"""Finds drivers and simulators by name, among the entry points of all installed packages.

Groups: `fabd.drivers` (name -> driver class), `fabd.simulators` (name -> class of a simulated machine).
"""

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from fabd.drivers.contract import Driver

if TYPE_CHECKING:
    from fabd.drivers.wire import Wire


def driver_names() -> list[str]:
    """The drivers that are installed, in alphabetical order."""
    return sorted(entry.name for entry in entry_points(group="fabd.drivers"))


@cache
def find_driver(name: str) -> type[Driver]:
    """The driver class called `name`; raises `KeyError` when there is none.

    A driver whose own import fails raises what it raised: one broken plugin is one machine's trouble.
    """
    for entry in entry_points(group="fabd.drivers", name=name):
        return cast(type[Driver], entry.load())
    raise KeyError(name)


async def plug_into_simulator(url: str) -> "Wire":
    """Open a wire to the simulated machine that `url` names; the machine is built on first use."""
    from fabd.simulators import plug_in

    return await plug_in(url)
