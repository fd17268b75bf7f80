"""Reads the files of a configuration directory as TOML; what they mean is not known here."""

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from fabd.errors import ConfigError
from fabd.messages import Message, Param

REQUIRED = ("fabd.toml", "machines.toml")
FILES = (*REQUIRED, "materials.toml", "levels.toml", "tariff.toml")
DEFAULTS = Path(__file__).parent / "defaults"
"""The files that stand in for those that a café has not written."""

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One file as TOML has it. `tables` is `None` where the file could not be read: nothing is known of it then."""

    file: str
    tables: dict[str, object] | None


def require_directory(directory: Path) -> None:
    """Raise `ConfigError` with the one problem that makes all others moot: this is no configuration at all."""
    try:
        names = [path.name for path in directory.iterdir()]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(Message(code="config-no-directory", params={"path": str(directory)})) from error
    except OSError as error:
        unreadable = {"file": str(directory), "detail": error.strerror or str(error)}
        raise ConfigError(Message(code="config-file-unreadable", params=unreadable)) from error
    if REQUIRED[0] not in names:
        raise ConfigError(Message(code="config-no-fabd-toml", params={"path": str(directory)}))


def read(directory: Path, file: str) -> tuple[Document, list[Message]]:
    """The file from `directory`, or the shipped one where it is absent and need not be there."""
    path = directory / file
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return Document(file=file, tables=tomllib.loads(text)), []
    except FileNotFoundError:
        if file not in REQUIRED and directory != DEFAULTS and not path.is_symlink():
            return read(DEFAULTS, file)
        problem = Message(code="config-file-missing", params={"file": file})
    except OSError as error:
        problem = Message(code="config-file-unreadable", params={"file": file, "detail": error.strerror or str(error)})
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Message(code="config-not-utf8", params={"file": file, "line": line})
    except tomllib.TOMLDecodeError as error:
        problem = Message(code="config-syntax", params={"file": file, **_position(str(error), text)})
    return Document(file=file, tables=None), [problem]


def misspelt(directory: Path) -> list[Message]:
    """Files that look meant for fabd under another name: a `tariffs.toml` would bill by the example without a word."""
    problems = []
    for path in sorted(directory.glob("*.toml")):
        nearest = get_close_matches(path.name, FILES, n=1, cutoff=0.8)
        if path.name not in FILES and nearest:
            params = {"file": path.name, "nearest": nearest[0]}
            problems.append(Message(code="config-file-misspelt", params=params))
    return problems


def _position(error: str, text: str) -> dict[str, Param]:
    """The line that a TOML error names, and the error without it; before Python 3.14 both stand in the text alone."""
    position = _POSITION.search(error)
    if position is None:
        return {"line": 1, "detail": error}
    line = int(position[1]) if position[1] else text.count("\n") + 1
    return {"line": line, "detail": error[: position.start()]}
