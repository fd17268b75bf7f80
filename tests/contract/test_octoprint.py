"""The driver `octoprint` against a real OctoPrint with its virtual printer."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fabd.drivers import Meter
from fabd.drivers.octoprint import Octoprint
from fabd.formats.gcode import Gcode
from fabd.testing import DriverCase, SimulatedSide
from fabd.testing.contract import *  # noqa: F403 - the suite itself
from fakes.broker import free_port
from fakes.real_octoprint import KEY, RealOctoprint, extruded_mm, real_octoprint

PORT = free_port()
SETTLED_S = 0.3
"""OctoPrint writes its log from a thread of its own."""


class Bench:
    """The OctoPrint of this module, and what its printer had been sent before the test."""

    def __init__(self) -> None:
        self.octoprint: RealOctoprint | None = None
        self.before = 0

    @property
    def there(self) -> RealOctoprint:
        assert self.octoprint is not None
        return self.octoprint

    def sent(self) -> list[str]:
        time.sleep(SETTLED_S)
        return self.there.sent()[self.before :]


BENCH = Bench()


@dataclass(frozen=True, kw_only=True)
class RealSide(SimulatedSide):
    """What the virtual printer was really sent; its plug is pulled by killing OctoPrint, which is then started again."""

    @property
    def machine(self) -> Bench:
        return BENCH

    def renew(self) -> None:
        BENCH.there.rest()
        time.sleep(SETTLED_S)
        BENCH.before = len(BENCH.there.sent())

    def hear(self, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", PORT)) as stranger:
            stranger.sendall(data)

    async def unplug(self) -> None:
        BENCH.there.kill()
        await asyncio.to_thread(BENCH.there.start)


@pytest.fixture(scope="module", autouse=True)
def octoprint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with real_octoprint(tmp_path_factory.mktemp("octoprint"), PORT) as BENCH.octoprint:
        yield


def used(bench: Bench) -> dict[Meter, float]:
    return {Meter.FILAMENT_MM: extruded_mm(bench.sent())}


def at_work(bench: Bench) -> bool:
    return used(bench)[Meter.FILAMENT_MM] > 5


def is_safe(bench: Bench) -> bool:
    return not any(bench.there.targets().values()) and bench.there.state() == "Operational"


def driver_cases(config: pytest.Config) -> Sequence[DriverCase]:
    url = f"http://127.0.0.1:{PORT}"
    file = Path(__file__).parents[1] / "samples" / "steps.gcode"
    side = RealSide(
        url=url,
        used=used,
        is_safe=is_safe,
        at_work=at_work,
        half_line=b'POST /api/job HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"command": "can',
    )
    return [
        DriverCase(
            name="octoprint",
            driver=Octoprint,
            settings={"url": url, "api_key": KEY},
            program=Gcode().analyse(file.read_bytes(), file.name).program,
            file=file,
            simulated=side,
        )
    ]
