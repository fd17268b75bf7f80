"""A real OctoPrint with its virtual printer, on the loopback; and what its printer was really sent."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from components import require_octoprint
from fakes.broker import free_port

KEY = "0123456789ABCDEF0123456789ABCDEF"
WEAK_KEY = "1123456789ABCDEF0123456789ABCDEF"
"""The key of a user who may do nothing."""
ANNA_KEY = "2123456789ABCDEF0123456789ABCDEF"
"""The key of another administrator, who uses OctoPrint's own page."""

CONFIG = {
    "server": {
        "host": "127.0.0.1",
        "firstRun": False,
        "onlineCheck": {"enabled": False},
        "pluginBlacklist": {"enabled": False},
        "seenWizards": {"corewizard": 4, "softwareupdate": 1, "tracking": 1, "backup": 1, "classicwebcam": 1},
    },
    "plugins": {
        "_disabled": [
            *["softwareupdate", "tracking", "announcements", "discovery", "pluginmanager", "errortracking"],
            *["backup", "firmware_check", "pi_support", "achievements", "health_check"],
        ],
        "virtual_printer": {
            "enabled": True,
            "sendWait": False,
            "commandBuffer": 4,
            "rxBuffer": 64,
            "simulated_errors": [],
        },
    },
    "serial": {"autoconnect": True, "port": "VIRTUAL", "baudrate": 115200, "log": True},
    "devel": {"enableRateLimiter": False},
}
USER: dict[str, object] = {"active": True, "apikey": None, "password": "-", "permissions": [], "settings": {}}
ADMIN = {**USER, "groups": ["admins"], "roles": ["user", "admin"]}
DETACHED = """
exec >>output 2>&1
owner=$1
shift
"$@" &
echo $! >pid
(while kill -0 $owner && kill -0 $!; do sleep 1; done; kill -9 $!) 2>/dev/null &
"""
"""Starts a program, writes down its id, and ends it when the tests are gone, however they ended."""
_SENT = re.compile(r"Send: (?:N\d+ )?([^*\n]*)")


class RealOctoprint:
    """One OctoPrint on a directory of its own. `kill` is a power cut for it, and for its virtual printer."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self._program = require_octoprint()
        self.directory = directory
        self.port = port or free_port()
        self.pid: int | None = None
        (directory / "data" / "appkeys").mkdir(parents=True)
        # JSON is YAML too.
        self.configure()
        users = {"_version": 2, "fabd": ADMIN, "anna": ADMIN, "weak": {**USER, "groups": [], "roles": ["user"]}}
        (directory / "users.yaml").write_text(json.dumps(users))
        keys = {
            user: [{"api_key": key, "app_id": "test"}]
            for user, key in (("fabd", KEY), ("weak", WEAK_KEY), ("anna", ANNA_KEY))
        }
        (directory / "data" / "appkeys" / "keys.yaml").write_text(json.dumps(keys))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        (self.directory / "config.yaml").write_text(json.dumps(CONFIG))

    def start(self) -> None:
        """Start it, and wait until it has its printer."""
        options = [
            "--iknowwhatimdoing",
            "-4",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "-b",
            str(self.directory),
        ]
        # No child of ours: a test may end it and start it again, and leaves the same children behind that it found.
        detached = ["sh", "-c", DETACHED, "octoprint", str(os.getpid()), self._program, "serve"]
        subprocess.run([*detached, *options], check=True, cwd=self.directory)
        self.pid = int((self.directory / "pid").read_text())
        until_s = time.monotonic() + 60
        while self.state() != "Operational":
            assert _lives(self.pid), (self.directory / "output").read_text()
            assert time.monotonic() < until_s, "OctoPrint did not get ready"
            time.sleep(0.1)

    def state(self) -> str:
        """The state in its own words; "-" while nobody answers."""
        try:
            return str(self.ask("/api/job")["state"])
        except (OSError, HTTPException):  # also a refusal: a server of sorts is up before the interface is
            return "-"

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """It is there, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def ask(self, path: str, command: object = None, *, key: str = KEY) -> Any:
        """GET, or POST of a command."""
        data = None if command is None else json.dumps(command).encode()
        headers = {"X-Api-Key": key, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def upload(self, name: str, content: bytes, *, key: str = ANNA_KEY, start: bool = True) -> None:
        """As somebody does it in OctoPrint's page."""
        parts = [
            b'--upload\r\nContent-Disposition: form-data; name="print"\r\n\r\n' + (b"true" if start else b"false"),
            b'--upload\r\nContent-Disposition: form-data; name="file"; filename="'
            + name.encode()
            + b'"\r\n\r\n'
            + content,
        ]
        headers = {"X-Api-Key": key, "Content-Type": "multipart/form-data; boundary=upload"}
        body = b"\r\n".join([*parts, b"--upload--\r\n"])
        with urllib.request.urlopen(urllib.request.Request(self.url + "/api/files/local", body, headers), timeout=10):
            pass

    def debug(self, command: str) -> None:
        """Tell the virtual printer to fail: see its own `!!DEBUG` for what it can."""
        self.ask("/api/printer/command", {"command": f"!!DEBUG:{command}"})

    def targets(self) -> dict[str, float]:
        """What the heaters are set to."""
        return {name: heater["target"] for name, heater in self.ask("/api/printer")["temperature"].items()}

    def rest(self) -> None:
        """Cancel what it prints, and wait until it rests."""
        with suppress(urllib.error.HTTPError):  # it rests
            self.ask("/api/job", {"command": "cancel"})
        until_s = time.monotonic() + 20
        while self.state() != "Operational":
            assert time.monotonic() < until_s, self.state()
            time.sleep(0.1)

    def sent(self) -> list[str]:
        """The commands that the printer was sent, from OctoPrint's log of its serial port."""
        log = self.directory / "logs" / "serial.log"
        return _SENT.findall(log.read_text("utf-8", "replace")) if log.exists() else []

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def _end(self, number: int) -> None:
        if self.pid is not None:
            self._signal(signal.SIGCONT)
            self._signal(number)
            while _lives(self.pid):
                time.sleep(0.02)
            self.pid = None


def _lives(pid: int) -> bool:
    """Whether this process runs; one that has ended may wait as a zombie for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def extruded_mm(sent: list[str]) -> float:
    """What these commands extrude, counted with code of its own: relative E alone (`M83`)."""
    return sum(float(word[1:]) for line in sent if line.startswith("G1 ") for word in line.split() if word[0] == "E")


@contextmanager
def real_octoprint(directory: Path, port: int | None = None) -> Iterator[RealOctoprint]:
    """An OctoPrint that runs, and is ended afterwards."""
    octoprint = RealOctoprint(directory, port)
    try:
        octoprint.start()
        yield octoprint
    finally:
        octoprint.kill()


def piece(steps: int = 100, *, dwell_ms: int = 30) -> bytes:
    """A small program whose time the virtual printer keeps: warm, home, then steps of 0.5 mm with a rest after each."""
    lines = ["M140 S30", "M104 S40", "M190 S30", "M109 S40", "G28", "G90", "M83"]
    for step in range(steps):
        lines += [f"G1 X{10 + step % 50} Y{10 + step % 40} E0.5 F60000", f"G4 P{dwell_ms}"]
    return "\n".join([*lines, "M104 S0", "M140 S0", "M84"]).encode() + b"\n"
