"""How much memory the daemon holds while ten machines work, beside the limit of the design and a bare interpreter.

Run `make bench`, or `.venv/bin/python benchmarks/resident_memory.py`. Exits with 1 when the limit is exceeded.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fabd.client import Client, ClientError

LIMIT_MB = 120.0
MACHINES = 10
WATCHED_S = 20.0
KEYRING = Path(__file__).parents[1] / "examples" / "keyring.gcode"

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
id = "m{number}"
name = "m{number}"
kind = "printer"
driver = "marlin"
[machine.settings]
url = "sim://marlin?seed={number}&speed=4"
"""


def main() -> int:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "fabd.toml").write_text(FABD_TOML.format(directory=directory))
        (place / "machines.toml").write_text("".join(MACHINE.format(number=n) for n in range(MACHINES)))
        command = [str(Path(sys.executable).with_name("fabd")), "serve", "--config", directory]
        with (place / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as daemon:
            try:
                idle_mb, working_mb = measure(place / "fabd.sock", daemon.pid)
            finally:
                daemon.terminate()
    bare_mb = bare()
    print(f"{'':34}{'MB resident':>12}{'of the limit':>14}")
    for name, found_mb in (
        ("a bare Python with asyncio", bare_mb),
        (f"fabd, {MACHINES} machines idle", idle_mb),
        (f"fabd, {MACHINES} machines printing, most", working_mb),
    ):
        print(f"{name:34}{found_mb:12.1f}{found_mb / LIMIT_MB:14.2f}")
    return 0 if working_mb <= LIMIT_MB else 1


def measure(socket: Path, process: int) -> tuple[float, float]:
    """Resident memory before any job, and the most while all machines print."""
    with Client(socket) as client:
        wait_until_open(client)
        time.sleep(2)
        idle_mb = resident_mb(process)
        for number in range(MACHINES):
            client.ready(f"m{number}")
            with KEYRING.open("rb") as file:
                client.submit(file, {"title": "keyring", "machine": f"m{number}"}, f"key-{number}")
        most_mb, until_s = 0.0, time.monotonic() + WATCHED_S
        while time.monotonic() < until_s:
            most_mb = max(most_mb, resident_mb(process))
            time.sleep(0.2)
        working = sum(machine.state == "processing" for machine in client.machines())
        assert working == MACHINES, f"only {working} machines printed"
        return idle_mb, most_mb


def wait_until_open(client: Client) -> None:
    """Wait until the daemon answers, and its machines are connected."""
    until_s = time.monotonic() + 30
    while True:
        try:
            if all(machine.connected for machine in client.machines()):
                return
        except ClientError:
            if time.monotonic() > until_s:
                raise
        time.sleep(0.2)


def resident_mb(process: int) -> float:
    """`VmRSS` of a process (proc(5)), in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def bare() -> float:
    """What Python itself needs."""
    code = "import asyncio, pathlib; print(pathlib.Path('/proc/self/status').read_text())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[1]) / 1024 for line in said.splitlines() if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sys.exit(main())
