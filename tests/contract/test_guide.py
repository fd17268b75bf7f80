"""The driver in CONTRIBUTING.md is short, typed, and keeps the contract, tried just as the guide says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWING = ROOT / "tests/samples/sticker_vpype.hpgl"
LINES = 40


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A directory that holds the guide's driver as `laser.py`, and the folder that it feeds."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "laser.py").write_text(found[1])
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_it_is_as_short_as_it_says(guide: Path) -> None:
    lines = [line for line in (guide / "laser.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= LINES


def test_it_keeps_the_contract(guide: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--fabd-driver", "laser:FolderLaser"]
    command += ["--fabd-settings", '{"folder": "folder"}', "--fabd-program", str(DRAWING)]
    result = subprocess.run(command, cwd=guide, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 7 passed" in result.stdout, result.stdout
    assert (guide / "folder/fabd.plt").read_bytes() == DRAWING.read_bytes()


@pytest.mark.parametrize(
    "tool", [["ruff", "check", "--ignore", "D,I,INP"], ["ruff", "format", "--check"], ["mypy", "--strict"]]
)
def test_it_is_written_as_we_write(guide: Path, tool: list[str]) -> None:
    settings = ["--config", str(ROOT / "pyproject.toml")] if tool[0] == "ruff" else []
    command = [sys.executable, "-m", *tool, *settings, "laser.py"]
    result = subprocess.run(command, cwd=guide, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
