"""Machines that are not there: physics and dialect as a pure step of time, plugged in over a memory wire.

A simulated machine is a class with two methods and a constructor that takes the parameters of its URL; it
never sleeps nor reads a clock. It lives outside of the daemon's life: unplug, reconnect, restart the daemon in
the same process, and it still knows what it made. `machine(url)` shows it to tests and to the demo, so that the
ledger can be compared with what the machine itself counted.
"""

from importlib.metadata import entry_points
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from fabd.simulators.plug import MemoryWire, SimulatedMachine

_machines: dict[str, SimulatedMachine] = {}


class MachineFactory(Protocol):
    def __call__(self, **parameters: str) -> SimulatedMachine: ...


def machine(url: str) -> SimulatedMachine:
    """The simulated machine that `url` names, built on first use.

    Raises `ValueError` when there is no such simulator, or when it does not know a parameter.
    """
    if url not in _machines:
        parts = urlsplit(url)
        for entry in entry_points(group="fabd.simulators", name=parts.netloc):
            factory: MachineFactory = entry.load()
            try:
                _machines[url] = factory(**dict(parse_qsl(parts.query)))
            except TypeError as error:  # a parameter that it does not have
                raise ValueError(f"{url}: {error}") from error
            break
        else:
            names = sorted(entry.name for entry in entry_points(group="fabd.simulators"))
            raise ValueError(f"no simulator {parts.netloc!r}; there are {', '.join(names)}")
    return _machines[url]


def scrap(url: str) -> None:
    """Forget the machine: the next use builds a new one, with its odometer at zero."""
    _machines.pop(url, None)


async def plug_in(url: str) -> MemoryWire:
    """A wire to the simulated machine. One at a time, as with a real plug: a second one takes it over."""
    return MemoryWire(url, machine(url))
