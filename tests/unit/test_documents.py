"""What the documents tell people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from fabd.cli.app import build

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").glob("*.toml")]


def commands(text: str) -> list[list[str]]:
    """Each `fabd ...` that stands alone on a line of code, or between backticks, as words."""
    lines = re.findall(r"^(?:    |# {4,})(?:sudo )?fabd (.+)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines + re.findall(r"`(?:sudo )?fabd ([^`]+)`", text)]


def unknown_words(words: list[str]) -> list[str]:
    """Those of `words` that name no command, and no option of the command that they lead to."""
    command = typer.main.get_command(build())
    options = {option for parameter in command.params for option in parameter.opts}
    unknown = []
    for word in words:
        if word.startswith("--"):
            unknown += [word] if word not in options else []
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return [word]
            command = command.commands[word]
            options |= {option for parameter in command.params for option in parameter.opts}
    return unknown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_documents_exists(document: Path) -> None:
    for words in commands(document.read_text()):
        assert unknown_words(words) == [], words


def test_the_readme_shows_commands_at_all() -> None:
    assert len(commands((ROOT / "README.md").read_text())) > 15


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert commands("    fabd machine reddy x\n`fabd check --confg .`") == [
        ["machine", "reddy", "x"],
        ["check", "--confg", "."],
    ]
    assert unknown_words(["machine", "reddy", "x"]) == ["reddy"]
    assert unknown_words(["check", "--confg", "."]) == ["--confg"]


def test_what_make_is_told_to_do_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"^    make ([a-z]+)|`make ([a-z]+)`", document.read_text(), re.MULTILINE)
        assert {one or other for one, other in named} <= targets, document.name
