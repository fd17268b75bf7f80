"""What driving OctoPrint costs: requests while it prints, the reaction to a cancel there, and CPU for twenty of them.

Run `make bench`, or `.venv/bin/python benchmarks/octoprint_figures.py`. The first two are taken from a real OctoPrint with its virtual
printer (`tools/install-octoprint .octoprint`), through its own log of requests; the third from twenty fakes that push every second,
in a process of their own. Exits with 1 when a limit is exceeded.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fabd.client import Client, ClientError  # noqa: E402
from fabd.drivers.octoprint import Octoprint  # noqa: E402
from fabd.drivers.octoprint_http import LimitedSession  # noqa: E402
from fabd.tasks import own  # noqa: E402
from fakes import octoprint as fakes  # noqa: E402
from fakes.gcode import write_program  # noqa: E402
from fakes.real_octoprint import ANNA_KEY, KEY, RealOctoprint, piece, real_octoprint  # noqa: E402
from fakes.trial import TrialAttempt  # noqa: E402

MOST_REQUESTS_PER_MINUTE = 4.0
SLOWEST_REACTION_S = 1.0
CANCELS = 9
MACHINES = 20
WATCHED_S = 60.0

FABD_TOML = """
[site]
id = "bench"
name = "Bench"
[store]
path = "{directory}/store"
[api]
socket = "{directory}/fabd.sock"
[mqtt]
url = "mqtt://127.0.0.1:9"
[metrics]
listen = "127.0.0.1:0"
"""
MACHINE = """
[[machine]]
id = "o{number}"
name = "o{number}"
kind = "printer"
driver = "octoprint"
[machine.settings]
url = "{url}"
api_key = "{key}"
"""


def main() -> int:
    """Measure, and print the table."""
    if sys.argv[1:] == ["fakes"]:
        asyncio.run(serve_fakes())
        return 0
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with real_octoprint(place) as octoprint:
            per_minute, reactions_s = asyncio.run(on_the_real_one(octoprint, place))
        reaction_s = statistics.median(reactions_s)
        cpu = on_fakes(place)
    print(f"{'':62}{'found':>8}{'limit':>8}")
    print(f"{'requests a minute while it prints (real, push)':62}{per_minute:8.1f}{MOST_REQUESTS_PER_MINUTE:8.1f}")
    print(
        f"{f'seconds to notice a cancel there, median of {CANCELS} (real)':62}{reaction_s:8.3f}{SLOWEST_REACTION_S:8.1f}"
    )
    print(f"{'the slowest of these':62}{max(reactions_s):8.3f}{'':>8}")
    print(f"{f'% of one CPU, daemon, {MACHINES} machines printing (fakes)':62}{cpu:8.1f}{'':>8}")
    return 0 if per_minute <= MOST_REQUESTS_PER_MINUTE and reaction_s < SLOWEST_REACTION_S else 1


async def on_the_real_one(octoprint: RealOctoprint, place: Path) -> tuple[float, list[float]]:
    """Requests in a minute of printing, and how long each of some cancels took to be noticed."""
    program, file = write_program(place, piece(100_000))
    config = Octoprint.Config.model_validate({"url": octoprint.url, "api_key": KEY})
    reactions_s = []
    asked = 0
    async with Octoprint(config) as driver:
        for number in range(CANCELS):
            attempt = TrialAttempt(program, file, ticket=f"K{number}")
            run = own(driver.run(attempt), "run")
            while attempt.last is None or not attempt.last.position:
                await asyncio.sleep(0.1)
            if number == 0:
                await asyncio.sleep(5)
                asked = await requests_in(driver, WATCHED_S)
            await asyncio.sleep(1.0 + 0.37 * number)
            began_s = time.monotonic()
            await asyncio.to_thread(octoprint.ask, "/api/job", {"command": "cancel"}, key=ANNA_KEY)
            await asyncio.wait([run])
            reactions_s.append(time.monotonic() - began_s)
            assert "anna" in str(run.exception())
            await driver.stop()
    return asked * 60 / WATCHED_S, reactions_s


async def requests_in(driver: Octoprint, seconds: float) -> int:
    """How many requests the driver sends in this time, looked at every second as the session does."""
    send = LimitedSession.request
    with patch.object(LimitedSession, "request", autospec=True, side_effect=send) as sent:
        for _ in range(int(seconds)):
            await driver.read()
            await asyncio.sleep(1.0)
    return sent.call_count


def on_fakes(place: Path) -> float:
    """The daemon's CPU, in per cent of one, while twenty machines print."""
    command = [sys.executable, __file__, "fakes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as others:
        assert others.stdout is not None
        urls = others.stdout.readline().split()
        (place / "fabd.toml").write_text(FABD_TOML.format(directory=place))
        machines = [MACHINE.format(number=number, url=url, key=fakes.KEY) for number, url in enumerate(urls)]
        (place / "machines.toml").write_text("".join(machines))
        fabd = [str(Path(sys.executable).with_name("fabd")), "serve", "--config", str(place)]
        try:
            with (place / "log").open("wb") as log, subprocess.Popen(fabd, stdout=log, stderr=log) as daemon:
                try:
                    return cpu_of(daemon.pid, place)
                finally:
                    daemon.terminate()
        finally:
            others.terminate()


def cpu_of(process: int, place: Path) -> float:
    with Client(place / "fabd.sock") as client:
        wait_until_open(client)
        content = place / "bench.gcode"
        content.write_bytes(piece(2000))
        for number in range(MACHINES):
            client.ready(f"o{number}")
            with content.open("rb") as file:
                client.submit(file, {"title": "bench", "machine": f"o{number}"}, f"key-{number}")
        time.sleep(10)
        before_s, began_s = cpu_s(process), time.monotonic()
        time.sleep(WATCHED_S / 2)
        used_s, passed_s = cpu_s(process) - before_s, time.monotonic() - began_s
        working = sum(machine.state == "processing" for machine in client.machines())
        assert working == MACHINES, f"only {working} machines printed"
    return 100 * used_s / passed_s


def wait_until_open(client: Client) -> None:
    """Wait until the daemon answers, and its machines are connected."""
    until_s = time.monotonic() + 60
    while True:
        try:
            if all(machine.connected for machine in client.machines()):
                return
        except ClientError:
            pass
        assert time.monotonic() < until_s, "the machines did not connect"
        time.sleep(0.2)


def cpu_s(process: int) -> float:
    """CPU time of a process, its own and the system's for it: fields 14 and 15 of proc(5), in hundredths."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def serve_fakes() -> None:
    """Twenty fakes, until this process is ended; prints their addresses."""
    others = [fakes.FakeOctoprint(steps_per_s=10) for _ in range(MACHINES)]
    opened = [other.open() for other in others]
    for other in opened:
        await other.__aenter__()
    print(*[other.url for other in others], flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    sys.exit(main())
