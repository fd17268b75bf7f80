"""Embroidery designs: what is sewn is counted, and a file that is not whole is refused."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from runpy import run_path

import pyembroidery
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.formats.stitch_headers import LANGUAGES
from fabd.formats.stitches import MOST_BYTES, MOST_CURVE_POINTS, Stitches
from fabd.messages import Message, catalogue
from fabd.model import Meter, PositionUnit, Thread

SAMPLES = Path(__file__).parents[2] / "samples"
EXAMPLES = Path(__file__).parents[3] / "examples"
languages = pytest.mark.parametrize("language", sorted(LANGUAGES))


def rosette(language: str) -> bytes:
    return (SAMPLES / f"rosette.{language}").read_bytes()


def read(data: bytes, name: str) -> Analysis:
    return Stitches().analyse(data, name)


def sentence(message: Message) -> str:
    """Raises `KeyError` where the catalogue has none, or one that wants other parameters."""
    return catalogue()[message.code].format(**message.params)


def design(language: str, *commands: tuple[int, float, float]) -> bytes:
    """A design of `(command, x, y)` in tenths of a millimetre, without the encoder's own ties, jumps and trims."""
    pattern = pyembroidery.EmbPattern()
    for command, x, y in commands:
        pattern.add_stitch_absolute(command, x, y)
    pattern.end()
    file = BytesIO()
    writers = {"dst": pyembroidery.DstWriter, "exp": pyembroidery.ExpWriter}
    writers[language].write(pattern, file)
    return file.getvalue()


def row(count: int, y: float = 0) -> list[tuple[int, float, float]]:
    return [(pyembroidery.STITCH, x * 10, y) for x in range(count)]


CHANGE = (pyembroidery.COLOR_CHANGE, 0, 0)


def refusal(data: bytes, name: str) -> str:
    with pytest.raises(JobRejected) as caught:
        read(data, name)
    assert sentence(caught.value.message)
    return caught.value.message.code


def remarks(analysis: Analysis) -> dict[str, dict[str, object]]:
    assert all(sentence(remark) for remark in analysis.program.remarks)
    return {remark.code: dict(remark.params) for remark in analysis.program.remarks}


@languages
def test_the_rosette_is_the_same_in_every_language(language: str) -> None:
    data = rosette(language)
    analysis = read(data, f"rosette.{language}")
    program = analysis.program
    assert (program.format, program.unit, program.length) == (language, PositionUnit.STITCHES, 923)
    assert program.curve.total == {Meter.STITCHES: 923.0, Meter.COLOUR_CHANGES: 2.0}
    assert program.extents is not None
    # pyembroidery writes VP3 with each step cut down to whole tenths, so that file is a little smaller.
    assert program.extents.width_mm == pytest.approx(53.0, abs=0.21)
    assert program.extents.height_mm == pytest.approx(53.0, abs=0.21)
    assert len(program.needs.threads) == 3
    assert analysis.rewritten is None
    assert program.runs_sha256 == program.sha256


@pytest.mark.parametrize(
    ("language", "colours"),
    [
        ("vp3", ["#c0392b", "#2980b9", "#f1c40f"]),
        ("pes", ["#d15400", "#2584bb", "#ffd911"]),  # the nearest of Brother's own threads
        ("jef", ["#e3311f", "#1e77ac", "#ffcb00"]),  # the nearest of Janome's
        ("dst", [None, None, None]),
        ("exp", [None, None, None]),
    ],
)
def test_threads_are_named_as_far_as_the_file_does(language: str, colours: list[str | None]) -> None:
    analysis = read(rosette(language), f"rosette.{language}")
    assert [thread.colour for thread in analysis.program.needs.threads] == colours
    expected = {"stitches-no-colours": {"language": language.upper(), "threads": 3}} if colours[0] is None else {}
    assert remarks(analysis) == expected


def test_the_example_is_what_its_page_says() -> None:
    data, again = (EXAMPLES / "flower.dst").read_bytes(), BytesIO()
    pyembroidery.write_dst(run_path(str(EXAMPLES / "make_examples.py"))["flower"](), again)
    assert again.getvalue() == data
    program = read(data, "flower.dst").program
    assert program.curve.total == {Meter.STITCHES: 504.0, Meter.COLOUR_CHANGES: 2.0}
    assert program.extents is not None
    assert (program.extents.width_mm, program.extents.height_mm) == pytest.approx((32.7, 56.9))


def test_what_headers_say_is_kept_as_a_claim() -> None:
    size = {"width_mm": 53.0, "height_mm": 53.0}
    assert read(rosette("dst"), "").program.claims == {"commands": 934, "colour_changes": 2, **size}
    assert read(rosette("pes"), "").program.claims == {"colour_changes": 2, **size}
    assert read(rosette("jef"), "").program.claims == {"colour_changes": 2, **size}


def test_the_curve_knows_where_the_colour_changes() -> None:
    program = read(design("exp", *row(3), CHANGE, *row(2, 10), CHANGE), "x.exp").program
    changes = [program.curve.at(stitch)[Meter.COLOUR_CHANGES] for stitch in range(program.length + 1)]
    assert changes == [0, 0, 0, 0, 1, 2]
    assert [program.curve.at(stitch)[Meter.STITCHES] for stitch in range(6)] == [0, 1, 2, 3, 4, 5]


def test_jumps_and_trims_are_no_stitches() -> None:
    jump, trim = (pyembroidery.JUMP, 0, 50), (pyembroidery.TRIM, 0, 50)
    program = read(design("exp", *row(3), trim, jump, *row(4, 50)), "x.exp").program
    assert program.length == 7


def test_size_is_that_of_the_stitches_with_y_upwards() -> None:
    extents = read(
        design("dst", (pyembroidery.JUMP, 100, 100), *row(3), (pyembroidery.STITCH, 0, 30)), ""
    ).program.extents
    assert extents is not None
    assert (extents.x_min_mm, extents.y_min_mm, extents.x_max_mm, extents.y_max_mm) == (0.0, -3.0, 2.0, 0.0)


def test_the_curve_of_a_long_design_stays_short() -> None:
    block = [(pyembroidery.STITCH, 10, 0), (pyembroidery.STITCH, 0, 0)] * 4
    blocks = [*block, CHANGE] * 1_500
    curve = read(design("exp", *blocks), "x.exp").program.curve
    assert len(curve.positions) <= MOST_CURVE_POINTS
    assert curve.total == {Meter.STITCHES: 12_000.0, Meter.COLOUR_CHANGES: 1_500.0}


def test_threads_have_the_names_of_their_makers() -> None:
    first = read(rosette("jef"), "x.jef").program.needs.threads[0]
    assert first == Thread(colour="#e3311f", name="Burnt Orange")


@languages
def test_designs_are_recognised(language: str) -> None:
    assert Stitches().recognises(rosette(language), f"R.{language.upper()}")


@pytest.mark.parametrize("language", ["dst", "jef", "pes", "vp3"])
def test_marks_count_more_than_names(language: str) -> None:
    assert Stitches().recognises(rosette(language), "no-name")


@pytest.mark.parametrize("data", [b"G28\nG1 X3\n", b"IN;PU0,0;", b"\0" * 600, b"LA:x", b"#PEX0001"])
def test_other_things_are_not_recognised(data: bytes) -> None:
    assert not Stitches().recognises(data, "x.dst")
    assert refusal(data, "x.dst") == "stitches-unknown"


def test_text_is_no_design_whatever_its_name() -> None:
    assert not Stitches().recognises(b"G28\nG1 X3\n", "x.exp")


@pytest.mark.parametrize(("language", "keep"), [("dst", 1500), ("dst", 600), ("dst", 512), ("pes", 3000), ("pes", 40)])
def test_a_design_that_is_cut_off_is_refused(language: str, keep: int) -> None:
    assert refusal(rosette(language)[:keep], f"x.{language}") == "stitches-cut-off"


@given(st.integers(1, 1000))
def test_any_loss_at_the_end_is_seen_where_the_language_marks_it(lost: int) -> None:
    for language in ("dst", "jef", "vp3"):
        data = rosette(language)
        # After the end mark of a DST pyembroidery writes nothing that matters; before, nothing may be missing.
        end = data.rindex(b"\xf3") + 1 if language == "dst" else len(data)
        assert refusal(data[: end - lost], f"x.{language}") == "stitches-cut-off"


def test_an_exp_that_ends_inside_of_a_command_is_refused() -> None:
    data = rosette("exp")
    assert refusal(data[:-1], "x.exp") == "stitches-cut-off"
    assert refusal(data + b"\x80\x04", "x.exp") == "stitches-cut-off"


@pytest.mark.parametrize("language", ["exp", "jef"])
def test_commands_that_nobody_knows_are_not_the_end_of_the_design(language: str) -> None:
    data = bytearray(rosette(language))
    middle = len(data) // 2 * 2 - 1000
    data[middle : middle + 2] = b"\x80\x55"
    assert refusal(bytes(data), f"x.{language}") == "stitches-damaged"


def test_an_end_mark_too_early_is_seen_by_the_count() -> None:
    data = bytearray(rosette("dst"))
    data[512 + 300 : 512 + 303] = b"\0\0\xf3"
    assert refusal(bytes(data), "x.dst") == "stitches-cut-off"


def test_a_design_without_a_stitch_is_refused() -> None:
    assert refusal(design("dst", (pyembroidery.JUMP, 10, 10)), "x.dst") == "stitches-none"


def test_an_absurd_size_is_refused() -> None:
    assert (
        refusal(design("exp", *[(pyembroidery.STITCH, x * 120, 0) for x in range(200)]), "x.exp")
        == "stitches-too-large"
    )


def test_an_absurd_file_is_refused() -> None:
    assert refusal(rosette("dst") + b"\0" * MOST_BYTES, "x.dst") == "stitches-too-many"


def test_what_the_library_stumbles_over_is_refused() -> None:
    data = bytearray(rosette("vp3"))
    data[data.index(b"Rouge") - 2] = 0xFF  # a name longer than the file
    assert refusal(bytes(data), "x.vp3") == "stitches-unreadable"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda data: data.replace(b"+X:  265", b"+X:  300"), "stitches-size-differs"),
        (lambda data: data.replace(b"CO:  2", b"CO:  7"), "stitches-colours-differ"),
    ],
)
def test_a_header_that_says_otherwise_is_remarked(edit: Callable[[bytes], bytes], code: str) -> None:
    assert code in remarks(read(edit(rosette("dst")), "x.dst"))


@pytest.mark.parametrize("edit", [(b"CO:  2", b"CO:  3"), (b"+X:  265", b"+X:  270")])
def test_small_differences_between_makers_are_not(edit: tuple[bytes, bytes]) -> None:
    assert set(remarks(read(rosette("dst").replace(*edit, 1), "x.dst"))) <= {"stitches-no-colours"}


@given(st.sampled_from(sorted(LANGUAGES)), st.binary(max_size=800))
def test_wild_bytes_are_refused_in_words(language: str, tail: bytes) -> None:
    heads = {
        "dst": b"LA:x\rST:      1\r" + b" " * 496,
        "pes": b"#PES0060",
        "vp3": b"%vsm%\0",
        "jef": rosette("jef")[:140],
    }
    try:
        read(heads.get(language, b"") + tail, f"x.{language}")
    except JobRejected as error:
        sentence(error.message)


@given(st.sampled_from(sorted(LANGUAGES)), st.data())
def test_mutated_designs_are_counted_or_refused_in_words(language: str, data: st.DataObject) -> None:
    mutant = bytearray(rosette(language))
    for _ in range(data.draw(st.integers(1, 8))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    try:
        program = read(bytes(mutant), f"x.{language}").program
    except JobRejected as error:
        sentence(error.message)
    else:
        assert program.length == program.curve.total[Meter.STITCHES]
        assert len(program.needs.threads) == program.curve.total[Meter.COLOUR_CHANGES] + 1
