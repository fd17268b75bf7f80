"""Puts things on the screen: tables that turn plain where nobody looks, and JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fabd.words import harmless

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fabd.views import View

WIDE = 1000
"""Columns of a file or a pipe: nothing is folded or cut there."""


def out() -> "Console":
    """Standard output."""
    return _console(sys.stdout.isatty(), stderr=False)


def err() -> "Console":
    """Standard error: what is for the person, not for the next program."""
    return _console(sys.stderr.isatty(), stderr=True)


def is_somebody_there() -> bool:
    """Whether a person can be asked: we read from and write to a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def print_json(views: "View | Sequence[View]") -> None:
    """One object, or an array of them."""
    plain: Any = [view.model_dump(mode="json") for view in views] if isinstance(views, Sequence) else None
    print_data(plain if plain is not None else views.model_dump(mode="json"))  # type: ignore[union-attr]


def print_data(data: object) -> None:
    """Any data as JSON."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def print_line(line: str) -> None:
    """One line at once, for streams."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> "Table":
    """A table; `right` numbers the columns that are aligned to the right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="right" if number in right else "left", no_wrap=not sys.stdout.isatty())
    for row in rows:
        made.add_row(*(harmless(cell) for cell in row))
    return made


def card(rows: Iterable[tuple[str, str]]) -> "Table":
    """What is known of one thing, a line for each that is not empty."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    for name, value in rows:
        if value:
            made.add_row(name, harmless(value))
    return made


def _console(terminal: bool, *, stderr: bool) -> "Console":
    from rich.console import Console

    # Names of files and people are shown as they are: no markup, no pictures.
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=None if terminal else WIDE)
