from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.drivers import JobRejected
from fabd.drivers.marlin_program import (
    CHUNK_BYTES,
    LONGEST_COMMAND_BYTES,
    Command,
    Cutter,
    prompt_of,
    refuse_unsendable,
)

PIECE = b"\xef\xbb\xbf; made by hand\r\nG28 ; home\r\n\r\n  g1 x10 (over) y5\r\nN7 G1 X2*101\nM117 Hello\nG1 X3 ; last"
COMMANDS = [b"G28", b"G1 X10  Y5", b"G1 X2", b"M117 Hello", b"G1 X3"]


def cut(data: bytes, size: int) -> list[Command]:
    cutter = Cutter()
    found = [command for at in range(0, len(data), size) for command in cutter.cut(data[at : at + size])]
    return [*found, *cutter.finish()]


@given(size=st.integers(1, 120))
def test_chunks_make_no_difference(size: int) -> None:
    found = cut(PIECE, size)
    assert [command.text for command in found] == COMMANDS
    for command in found:
        behind = PIECE[: command.end]
        assert command.line == behind.count(b"\n") + (0 if behind.endswith(b"\n") else 1)
    assert found[-1].end == len(PIECE)


@given(st.lists(st.sampled_from([b"G1 X1", b"; comment", b"", b"  ", b"M105"]), max_size=40), st.integers(1, 50))
def test_an_end_is_the_offset_behind_its_line(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    for command in cut(data, size):
        assert data[: command.end].endswith(command.text + b"\n")


def test_an_endless_comment_takes_no_memory_and_moves_no_offset() -> None:
    data = b"; " + b"x" * (5 * CHUNK_BYTES) + b"\nG28\n"
    cutter = Cutter()
    found = [command for at in range(0, len(data), CHUNK_BYTES) for command in cutter.cut(data[at : at + CHUNK_BYTES])]
    assert found == [Command(b"G28", len(data), 2)]


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(JobRejected) as refusal:
        cut(b"G28\n" + b"G1 X1 " * CHUNK_BYTES, CHUNK_BYTES)
    assert refusal.value.message.params["line"] == 2


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"G28\nM110 N5\n", "gcode-steers-host", 2),
        (b"G28\n\n;\nM112", "gcode-steers-host", 4),
        (b"G28\nM500", "gcode-changes-machine", 2),
        (b"G28\nN12 M110*34", "gcode-checksum", 2),
        (b"M117 back\\slash\n", "marlin-line-not-text", 1),
        (b"G28\rG1 X5\n", "marlin-line-not-text", 1),
        (b"M117 " + b"x" * LONGEST_COMMAND_BYTES + b"\n", "marlin-line-too-long", 1),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(tmp_path: Path, data: bytes, code: str, line: int) -> None:
    file = tmp_path / "piece.gcode"
    file.write_bytes(data)
    with pytest.raises(JobRejected) as refusal:
        refuse_unsendable(file)
    assert refusal.value.message.code == code
    assert refusal.value.message.params["line"] == line


def test_the_longest_command_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "piece.gcode"
    file.write_bytes((b"M117 " + b"x" * 100)[:LONGEST_COMMAND_BYTES])
    refuse_unsendable(file)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"M0", "marlin-prompt-stop"),
        (b"M00 INSERT THE NUT", "marlin-prompt-stop"),
        (b"M1", "marlin-prompt-stop"),
        (b"M601", "marlin-prompt-stop"),
        (b"M600", "marlin-prompt-filament"),
    ],
)
def test_where_a_person_is_needed_a_person_is_asked(text: bytes, code: str) -> None:
    prompt = prompt_of(Command(text, 100, 12))
    assert prompt is not None
    assert prompt.message.code == code
    assert prompt.key == "line-12"
    assert prompt.choices == ("continue",)


def test_the_programs_words_are_shown() -> None:
    prompt = prompt_of(Command(b"M0 INSERT THE NUT", 100, 12))
    assert prompt is not None
    assert prompt.message.params["text"] == "INSERT THE NUT"


@pytest.mark.parametrize("text", [b"M104 S0", b"M106", b"M10", b"M6000"])
def test_other_commands_ask_nobody(text: bytes) -> None:
    assert prompt_of(Command(text, 1, 1)) is None
