"""The files for systemd and udev, read by systemd's own tools."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from components import require

SYSTEMD = Path(__file__).parents[3] / "systemd"
UNIT = SYSTEMD / "fabd.service"
SYSTEM_UNITS = Path("/lib/systemd/system")
HIGHEST_EXPOSURE = 2.0


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root directory in which fabd is installed as the unit expects it, beside this system's own units."""
    require("systemd-analyze")
    shutil.copytree(SYSTEM_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    for program in ("opt/fabd/bin/fabd", "bin/kill"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def verify(root: Path) -> str:
    command = [require("systemd-analyze"), "verify", f"--root={root}", "fabd.service"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_systemd_has_nothing_to_say_about_the_unit(installed: Path) -> None:
    assert verify(installed) == ""


def test_systemd_would_speak_of_a_key_that_it_does_not_know(installed: Path) -> None:
    unit = installed / "etc/systemd/system/fabd.service"
    unit.write_text(unit.read_text().replace("LockPersonality=", "LockPersonalty="))
    assert "LockPersonalty" in verify(installed)


def test_exposure_is_low() -> None:
    command = [require("systemd-analyze"), "security", "--offline=true", "--no-pager", str(UNIT)]
    report = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for fabd\.service: ([0-9.]+)", report.stdout)
    assert found is not None, report.stdout
    assert float(found[1]) <= HIGHEST_EXPOSURE


def test_unit_finds_the_caller_behind_the_socket() -> None:
    # In a user namespace of its own the daemon would see every caller as nobody.
    assert not re.search(r"^PrivateUsers=(yes|true|on|1)", UNIT.read_text(), re.MULTILINE)


def test_sysusers_would_make_the_account(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    command = [require("systemd-sysusers"), f"--root={tmp_path}", str(SYSTEMD / "fabd.sysusers.conf")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"^fabd:x:\d+:\d+:The machines of the café:/var/lib/fabd:", (etc / "passwd").read_text(), re.MULTILINE
    )


def test_udev_rules_are_well_formed() -> None:
    pair = r'[A-Z_]+(\{[A-Za-z_/]+\})?(==|!=|\+=|:=|=)"[^"]*"'
    rules = [line for line in (SYSTEMD / "99-fabd.rules").read_text().splitlines() if line and not line.startswith("#")]
    assert len(rules) == 2
    for rule in rules:
        assert re.fullmatch(f"{pair}(, {pair})*", rule), rule
        assert 'SYMLINK+="fabd/$env{ID_PATH}"' in rule


def system_calls(group: str) -> set[str]:
    """The system calls of a group such as `@system-service`, as this systemd has it."""
    command = [require("systemd-analyze"), "syscall-filter", "--no-pager", group]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    names = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return {call for name in names for call in (system_calls(name) if name.startswith("@") else {name})}


def test_unit_lets_the_parsers_child_shut_itself_in() -> None:
    allowed = system_calls("@default")
    for value in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE):
        names = value.removeprefix("~").split()
        calls = {call for name in names for call in (system_calls(name) if name.startswith("@") else {name})}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    needed = {
        "prctl",
        "prlimit64",
        "setpriority",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "execve",
        "kill",
    }
    assert needed <= allowed
    assert allowed.isdisjoint({"mount", "ptrace", "bpf", "reboot", "init_module", "setuid"})
