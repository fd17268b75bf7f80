"""HPGL from many programs: what is drawn comes out exactly, and what cannot be cut as drawn is refused by name."""

import math
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.formats.hpgl import Hpgl
from fabd.messages import Message, catalogue
from fabd.model import Meter

SAMPLES = Path(__file__).parents[2] / "samples"
EXAMPLES = Path(__file__).parents[3] / "examples"


def read(text: str | bytes) -> Analysis:
    return Hpgl().analyse(text.encode("latin-1") if isinstance(text, str) else text, "drawing.plt")


def sample(name: str) -> Analysis:
    return Hpgl().analyse((SAMPLES / name).read_bytes(), name)


def sentence(message: Message) -> str:
    """Raises `KeyError` where the catalogue has none, or one that wants other parameters."""
    return catalogue()[message.code].format(**message.params)


def plain(text: str) -> str:
    """The plain commands without their line ends and the choice of pen 1."""
    rewritten = read(text).rewritten
    assert rewritten is not None
    return rewritten.decode("ascii").replace("\n", "").removeprefix("SP1;")


def points(analysis: Analysis) -> list[tuple[float, float]]:
    """The points of all strokes, in millimetres."""
    assert analysis.rewritten is not None
    lines = [line[2:].rstrip(";") for line in analysis.rewritten.decode("ascii").split() if line[1] in "UD"]
    return [(int(x) / 40, int(y) / 40) for x, y in (line.split(",") for line in lines)]


def refusal(text: str | bytes) -> tuple[str, int | None]:
    with pytest.raises(JobRejected) as caught:
        read(text)
    assert sentence(caught.value.message)
    offset = caught.value.message.params.get("offset")
    assert offset is None or isinstance(offset, int)
    return caught.value.message.code, offset


def remarks(analysis: Analysis) -> dict[str, dict[str, object]]:
    assert all(sentence(remark) for remark in analysis.program.remarks)
    return {remark.code: dict(remark.params) for remark in analysis.program.remarks}


# Sizes by hp2xx 3.4.4 (`hp2xx -t -m svg`), an independent reader of HPGL; for pstoedit's file with PM, EP and PS taken out,
# for vpype's with PS taken out, since hp2xx sizes the page instead of the drawing.
@pytest.mark.parametrize(
    ("name", "width_mm", "height_mm", "left_mm", "bottom_mm"),
    [
        ("sticker_inkscape.hpgl", 110.25, 70.50, 0.0, 0.0),
        ("sticker_pstoedit.plt", 80.00, 50.92, 23.125, 0.10),
        ("sticker_vpype.hpgl", 105.50, 61.40, 0.0, 131.625),
    ],
)
def test_real_files_are_as_large_as_another_reader_says(
    name: str, width_mm: float, height_mm: float, left_mm: float, bottom_mm: float
) -> None:
    extents = sample(name).program.extents
    assert extents is not None
    assert extents.width_mm == pytest.approx(width_mm, abs=0.01)
    assert extents.height_mm == pytest.approx(height_mm, abs=0.01)
    assert extents.x_min_mm == pytest.approx(left_mm, abs=0.01)
    assert extents.y_min_mm == pytest.approx(bottom_mm, abs=0.01)


def test_inkscape_is_metered_with_its_scratch() -> None:
    analysis = sample("sticker_inkscape.hpgl")
    # 667.0 mm of outlines, 2.25 mm of scratch, and the overcuts that Inkscape adds.
    assert analysis.program.curve.total == {Meter.CUT_MM: 682.338, Meter.TRAVEL_MM: 178.939, Meter.VINYL_MM: 110.25}
    assert remarks(analysis) == {"hpgl-scratch": {"length_mm": 2.25}}
    assert analysis.program.needs.pens == (1,)


def test_the_polygons_of_pstoedit_are_its_outlines_to_scale() -> None:
    analysis = sample("sticker_pstoedit.plt")
    # The drawing of sticker.svg, 667.0 mm of outline, at 80/110 of its size.
    assert analysis.program.curve.total[Meter.CUT_MM] == pytest.approx(667.0 * 80 / 110, rel=0.001)
    assert remarks(analysis) == {
        "hpgl-unused": {"commands": "BP, LA, PS, PW, TR, WU"},
        "drawing-blank-before": {"blank_mm": 23},
    }


def test_gnuplot_is_refused_since_its_size_is_nowhere() -> None:
    with pytest.raises(JobRejected, match=r"SC at byte 33 .*no IP") as caught:
        sample("plot_gnuplot.plt")
    assert caught.value.message.code == "hpgl-scale-unknown"


@pytest.mark.parametrize(
    "name", ["sticker_inkscape.hpgl", "sticker_pstoedit.plt", "sticker_vpype.hpgl", "plot_gnuplot.plt"]
)
def test_real_files_are_recognised(name: str) -> None:
    assert Hpgl().recognises((SAMPLES / name).read_bytes()[:65_536], "no-name")


def test_the_example_is_what_its_page_says() -> None:
    data = (EXAMPLES / "sticker.hpgl").read_bytes()
    assert run_path(str(EXAMPLES / "make_examples.py"))["sticker"]().encode() == data
    analysis = Hpgl().analyse(data, "sticker.hpgl")
    extents = analysis.program.extents
    assert extents is not None
    assert (extents.width_mm, extents.height_mm) == (60.0, 40.0)
    assert analysis.program.curve.total == {Meter.CUT_MM: 348.232, Meter.TRAVEL_MM: 80.205, Meter.VINYL_MM: 61.0}
    assert remarks(analysis) == {}


@pytest.mark.parametrize("text", [b"in;pu;", b"INSP1PU0,0", b"\x1b.Y\x1b.I81;;17:\nIN\n", b" PA 0 0", b"IN"])
def test_beginnings_of_hpgl_are_recognised(text: bytes) -> None:
    assert Hpgl().recognises(text, "no-name")


@pytest.mark.parametrize(
    "text", [b"G28\nG1 X3\n", b"<svg/>", b"plot sin(x)\n", b"INTRODUCTION", b"In Paris", b"IN THE END", b"LA:x"]
)
def test_other_things_are_not_recognised(text: bytes) -> None:
    assert not Hpgl().recognises(text, "drawing.plt")


@pytest.mark.parametrize(
    "text",
    [
        "IN;SP1;PU0,0;PD400,0,400,400;PU;SP0;",
        "IN SP1 PU0,0 PD400,0,400,400 PU SP0;",
        "INSP1PU0,0PD400,0,400,400PUSP0;",
        "in;sp1;pu0,0;pd400,0,400,400;pu;",
        "IN\nSP1\nPU 0 0\nPD 400 0 400 400\nPU\n",
        "IN;\r\nPU0,0;\r\nPD400,\r\n0,400,\r\n400;\r\nPU;\r\n",
        "IN;PU;PA0,0;PD;PA400,0;PA400,400;PU;",
        "IN;PU0,0;PR;PD400,0,0,400;PU;PA;PU0,0;",
        "PA0,0;PD;PR400,0;PR0,400;PU5,5;",
        "IN;PU0.0,.0;PD+400.,0.2;PD400,399.8;",
        "\x1b.Y\x1b.I81;;17:\x1b.N;19:\x1b.M500:\nIN;PU;PU0,0;PD400,0,400,400;OE;\x1b.Z",
        "IN;PU0,0;PD0,0;PD400,0;PD400,0;PD400,400;PU;\x03\x1a",
        "IN;PU200,200;PU0,0;PD400,0;PD400,400;PU4000,4000;IN;",
        "IN;IP0,0,400,400;SC0,1,0,1;PU0,0;PD1,0,1,1;SC;PU;",
        "IN;IP100,100,500,500;SC-1,3,-1,3;PU-2,-2;PD2,-2,2,2;",
        "IN;IP0,0,800,400;SC0,1,0,1,1,0,0;PU0,0;PD1,0;PD1,1;",
        "IN;IP0,0,800,400;SC0,1,0,1,1;PU-.5,0;PD.5,0;PD.5,1;",
        "IN;IP40,40,80,80;SC0,10,0,10,2;PU-4,-4;PD36,-4;PD36,36;",
        "PU0,0;PM0;PD400,0;PD400,400;PU;PM2;EP;",
    ],
)
def test_one_drawing_in_many_hands(text: str) -> None:
    assert plain(text).startswith("PU0,0;PD400,0;PD400,400;")


def test_pens_are_kept() -> None:
    rewritten = read("SP2;PU0,0;PD40,0;SP3;PD40,40;PU;SP0;").rewritten
    assert rewritten == b"SP2;\nPU0,0;\nPD40,0;\nSP3;\nPU40,0;\nPD40,40;\n"


def test_negative_coordinates_are_left_alone() -> None:
    assert plain("PU-40,-40;PD40,40;") == "PU-40,-40;PD40,40;"


def test_a_rectangle_leaves_the_pen_where_it_was() -> None:
    assert plain("PU10,10;EA50,30;PD20,10;") == "PU10,10;PD50,10;PD50,30;PD10,30;PD10,10;PU10,10;PD20,10;"
    assert plain("PU10,10;ER40,20;") == "PU10,10;PD50,10;PD50,30;PD10,30;PD10,10;"


def test_the_polygon_buffer_holds_what_was_edged_last() -> None:
    square = "PU0,0;PD40,0;PD40,40;PD0,40;PD0,0;"
    assert plain("PU0,0;PM0;PD9,9;PM2;EA40,40;EP;") == square * 2
    assert plain("PU0,0;EA40,40;DF;EP;") == square


def test_polygons_close_each_part_and_give_the_pen_back() -> None:
    text = "PU0,0;PM0;PD40,0,40,40;PM1;PA100,0;PD140,0,140,40;PM2;EP;PD5,5;"
    triangle = "PU0,0;PD40,0;PD40,40;PD0,0;"
    assert plain(text) == triangle + "PU100,0;PD140,0;PD140,40;PD100,0;" + "PU0,0;PD5,5;"


def test_edges_made_with_the_pen_up_are_not_cut() -> None:
    assert plain("PU0,0;PM0;PD40,0;PU40,40;PD0,40;PU;PM2;EP;") == "PU0,0;PD40,0;PU40,40;PD0,40;"


def test_a_polygon_that_is_not_edged_is_not_cut() -> None:
    assert refusal("PU0,0;PM0;PD40,0,40,40;PM2;PU;")[0] == "drawing-empty"


@pytest.mark.parametrize(
    ("text", "radius_mm", "centre_mm"),
    [
        ("PU400,400;CI400;", 10.0, (10.0, 10.0)),
        ("PU400,400;CI-400,5;", 10.0, (10.0, 10.0)),
        ("PU800,400;PD;AA400,400,360;", 10.0, (10.0, 10.0)),
        ("PU800,400;PD;AR-400,0,-360,10;", 10.0, (10.0, 10.0)),
        ("IP0,0,400,400;SC0,10,0,10;PU10,10;CI10;", 10.0, (10.0, 10.0)),
    ],
)
def test_circles_stay_within_the_chord_error(text: str, radius_mm: float, centre_mm: tuple[float, float]) -> None:
    analysis = read(text)
    circle = points(analysis)
    assert circle[0] == circle[-1]
    assert all(math.dist(point, centre_mm) == pytest.approx(radius_mm, abs=0.02) for point in circle)
    assert analysis.program.curve.total[Meter.CUT_MM] == pytest.approx(math.tau * radius_mm, abs=0.1)


def test_arcs_turn_the_right_way_and_end_exactly() -> None:
    quarter = points(read("PU400,0;PD;AA0,0,90;"))
    assert quarter[-1] == (0.0, 10.0)
    assert all(x >= 0 and y >= 0 for x, y in quarter)
    assert points(read("PU400,0;PD;AA0,0,-90;"))[-1] == (0.0, -10.0)


def test_what_only_sets_the_machine_is_said_and_left_out() -> None:
    analysis = read("IN;VS20;FS80;!FS40;PS4;OE;OI;PU0,0;PD40,0;\x1b.K")
    assert remarks(analysis) == {
        "hpgl-unused": {"commands": "!FS, FS, PS, VS"},
        "hpgl-stripped": {"commands": "ESC.K, OE, OI"},
    }
    assert analysis.rewritten == b"SP1;\nPU0,0;\nPD40,0;\n"


def test_spots_are_counted() -> None:
    assert remarks(read("PU0,0;PD40,0;PU80,0;PD;PU;PU9,9;PD9,9;PU;")) == {"drawing-dots": {"count": 2}}


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("IN;PU0,0;LBHello\x03;", "hpgl-text", 9),
        ("IN;DT*;", "hpgl-text", 3),
        ("IN;PU0,0;FP;", "hpgl-fill", 9),
        ("PU0,0;RA40,40;", "hpgl-fill", 6),
        ("LT2,4;", "hpgl-dashes", 0),
        ("IW0,0,40,40;", "hpgl-window", 0),
        ("RO90;", "hpgl-window", 0),
        ("IN;PE<=>;", "hpgl-unknown", 3),
        ("PU0,0;XX3;PD;", "hpgl-unknown", 6),
        ("PU0,0;{PD3,3;", "hpgl-not-a-command", 6),
        ("PU0,0;PD3,3\xff;", "hpgl-not-a-command", 11),
        ("PU0,0;PD40,40", "hpgl-cut-off", 6),
        ("PU0,0;PD40,40,", "hpgl-cut-off", 6),
        ("PU0,0;PD40,40;P", "hpgl-not-a-command", 14),
        ("PU0,0;PD40,40;PU", "hpgl-cut-off", 14),
        ("PU0,0;PD40,40,\n", "hpgl-not-a-number", 6),
        ("PU0,0;PD40,,40;", "hpgl-not-a-number", 6),
        ("PU0,0;PD4.0.1,40;", "hpgl-not-a-number", 6),
        ("PU0,0;PD40,40,80;", "hpgl-odd-coordinates", 6),
        ("PU0;", "hpgl-odd-coordinates", 0),
        ("PU0,0;PD1073741824,0;", "hpgl-number-too-large", 6),
        ("PU0,0;PD" + "9" * 400 + ",0;", "hpgl-number-too-large", 6),
        ("SC0,1,0,1;PU0,0;PD1,1;", "hpgl-scale-unknown", 0),
        ("IP;SC0,1,0,1;PU0,0;PD1,1;", "hpgl-scale-unknown", 3),
        ("IP0,0,9,9;IN;SC0,1,0,1;PU0,0;", "hpgl-scale-unknown", 13),
        ("IP0,0,40,40;SC1,1,0,1;PU0,0;", "hpgl-scale-nonsense", 12),
        ("IP0,0,40,40;SC0,1,0,1,7;PU0,0;", "hpgl-scale-nonsense", 12),
        ("IP0,0,0,0;SC0,1,0,1;PU0,0;", "hpgl-scale-nonsense", 10),
        ("SC0,1;", "hpgl-wrong-numbers", 0),
        ("CI;", "hpgl-wrong-numbers", 0),
        ("SP1.5;", "hpgl-no-such-pen", 0),
        ("SP-1;", "hpgl-no-such-pen", 0),
        ("SP0;PU0,0;PD40,40;PU;", "hpgl-pen-away", 18),
        ("PU0,0;PD40,40;PG;PU0,0;PD9,9;PU;", "hpgl-second-page", 29),
        ("PM2;", "hpgl-polygon-mode", 0),
        ("PM0;PM0;", "hpgl-polygon-mode", 4),
        ("PM0;CI40;", "hpgl-in-polygon", 4),
        ("PU0,0;PD8388608,0;PR1,0;", "drawing-too-large", None),
        ("PU400,0;PD;AA0,0,8000000;", "drawing-too-many-points", None),
        ("IN;", "drawing-empty", None),
        ("", "drawing-empty", None),
    ],
)
def test_what_cannot_be_cut_as_drawn_is_refused_by_name_and_place(text: str, code: str, offset: int | None) -> None:
    assert refusal(text) == (code, offset)


@pytest.mark.parametrize("text", ["LT;", "RO;", "RO0;", "IW;", "SM;", "PG;", "!PG;", "NR;", "DF;", "EC;", "CT0;"])
def test_what_changes_nothing_is_accepted(text: str) -> None:
    assert plain(f"IN;{text}PU0,0;PD40,0;PU;{text}") == "PU0,0;PD40,0;"


@given(st.binary(max_size=300))
@example(b"IP0,0,.00000000001,1;SC0,99999999,0,1;PU0,0;CI9;PD9,9;AA1,1,5;")
@example(b"IP0,0,9,9;SC0,.0000000000000000000000001,0,1;PU9,9;CI9;")
def test_wild_bytes_are_refused_in_words(data: bytes) -> None:
    try:
        read(data)
    except JobRejected as error:
        sentence(error.message)


WORDS = """
    IN DF SP SP1 SP0 PU PD PA PR PU0,0 PD400,0 PD40,40,80,9 PR-9,9 PA7 CI40 CI AA0,0,90 AR9,9,-30 EA40,40 ER9,9 PM0 PM1 PM2 EP
    IP IP0,0,400,400 IP0,0 SC SC0,1,0,1 SC0,9,0,9,1 SC0,9,0,9,2 SC0,0,0,0 PG VS3 OE LT LT1 FP
"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=30))
def test_wild_commands_are_drawn_or_refused_in_words(commands: list[str]) -> None:
    try:
        analysis = read("".join(f"{command};" for command in commands))
    except JobRejected as error:
        sentence(error.message)
    else:
        assert analysis.rewritten is not None
        again = read(analysis.rewritten)
        assert again.rewritten == analysis.rewritten


@given(st.data())
def test_a_real_file_that_is_cut_off_inside_of_a_command_is_refused(data: st.DataObject) -> None:
    whole = (SAMPLES / "sticker_inkscape.hpgl").read_bytes()
    end = data.draw(st.integers(20, len(whole) - 6).filter(lambda at: whole[at - 1 : at] != b";"))
    with pytest.raises(JobRejected):
        read(whole[:end])
