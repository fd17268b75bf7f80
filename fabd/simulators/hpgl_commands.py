"""How the simulated cutter tells commands apart: in its own way, with no code of the driver's or the formats'."""

import string

LETTERS = frozenset(string.ascii_letters.encode())
SEPARATORS = frozenset(b"; \r\n\t,")
PARAMETER = frozenset(b"0123456789+-., ")


def command_length(buffer: bytearray) -> int | None:
    """How many bytes the first whole command takes, with what ends it; `None` while it is not whole.

    A separator by itself counts as a command that says nothing. A command ends at `;`, at a line end, or where the next
    one begins.
    """
    if not buffer:
        return None
    if buffer[0] in SEPARATORS:
        return 1
    if len(buffer) < 3:
        return None
    for place in range(2, len(buffer)):
        if buffer[place] in b";\n":
            return place + 1
        if buffer[place] in LETTERS:
            return place
    return None


def numbers(text: str) -> list[int] | None:
    """The parameters of a command, rounded to whole plotter units; `None` where they are no numbers."""
    if not PARAMETER.issuperset(text.encode("ascii", "replace")):
        return None
    try:
        return [round(float(number)) for number in text.replace(",", " ").split()]
    except (ValueError, OverflowError):
        return None
