"""What holds the workshop together: pinned versions, the commands that the documents name, the scripts."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_names_and_versions_and_nothing_else() -> None:
    assert CONSTRAINTS
    for line in CONSTRAINTS:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*", line), line


def test_constraints_hold_every_package_that_we_name() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["broker"], *extras["dev"], *PROJECT["build-system"]["requires"]]
    names = {normalised(re.split(r"[<>=~!;\[ ]", requirement)[0]) for requirement in wanted}
    assert names <= {normalised(line.split("==")[0]) for line in CONSTRAINTS}


@pytest.mark.parametrize("target", ["demo", "test", "check", "lint", "translations", "venv", "clean"])
def test_make_knows_what_the_documents_promise(target: str) -> None:
    result = subprocess.run(["make", "-n", "-C", str(ROOT), target], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "script", ["tools/make-venv", "tools/install-components", "tools/install-octoprint", ".ci/run"]
)
def test_scripts_are_programs_that_their_shell_can_read(script: str) -> None:
    path = ROOT / script
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    assert path.stat().st_mode & 0o111
    assert subprocess.run([shell, "-n", str(path)], capture_output=True, check=False).stderr == b""


def test_make_venv_says_what_to_do_without_a_python(tmp_path: Path) -> None:
    result = subprocess.run(
        [ROOT / "tools/make-venv", tmp_path / "venv"],
        env={"PYTHON": "/bin/false", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Python 3.11" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_wheel_carries_what_is_no_code(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "fabd", source / "fabd", ignore=shutil.ignore_patterns("*.mo", "__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    assert "fabd/locale/fr/LC_MESSAGES/fabd.mo" in names
    assert {f"fabd/config/defaults/{file}.toml" for file in ("levels", "materials", "tariff")} <= names
    assert "fabd/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
