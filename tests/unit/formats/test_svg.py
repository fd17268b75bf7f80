"""SVG for the cutter: what is seen is cut where it stands, at its size; what cannot be, is refused in words."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats import svg_walk
from fabd.formats.contract import Analysis
from fabd.formats.hpgl import Hpgl
from fabd.formats.sandbox import analyse
from fabd.formats.svg import Svg
from fabd.messages import Message, catalogue
from fabd.model import Meter

SAMPLES = Path(__file__).parents[2] / "samples"
PAGE = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {}>{}</svg>'
Box = tuple[float, float, float, float]


def read(text: str) -> Analysis:
    return Svg().analyse(text.encode(), "drawing.svg")


def sentence(message: Message) -> str:
    """Raises `KeyError` where the catalogue has none, or one that wants other parameters."""
    return catalogue()[message.code].format(**message.params)


def on_page(body: str, size: str = 'width="100mm" height="50mm" viewBox="0 0 100 50"') -> Analysis:
    return read(PAGE.format(size, body))


def box(analysis: Analysis) -> Box:
    """Left, bottom, right, top in millimetres of the plotter."""
    extents = analysis.program.extents
    assert extents is not None
    return extents.x_min_mm, extents.y_min_mm, extents.x_max_mm, extents.y_max_mm


def near(expected: Box) -> object:
    return pytest.approx(expected, abs=0.04)  # chord error and rounding


def cut_mm(analysis: Analysis) -> float:
    return analysis.program.curve.total[Meter.CUT_MM]


def strokes(analysis: Analysis) -> int:
    assert analysis.rewritten is not None
    return analysis.rewritten.count(b"PU")


def refusal(body: str) -> str:
    return refusal_of(PAGE.format('width="100mm" height="50mm" viewBox="0 0 100 50"', body))


def refusal_of(text: str) -> str:
    with pytest.raises(JobRejected) as caught:
        read(text)
    assert sentence(caught.value.message)
    return caught.value.message.code


def remarks(analysis: Analysis) -> dict[str, dict[str, object]]:
    assert all(sentence(remark) for remark in analysis.program.remarks)
    return {remark.code: dict(remark.params) for remark in analysis.program.remarks}


def test_the_sticker_has_its_size_its_place_and_its_length() -> None:
    analysis = read((SAMPLES / "sticker.svg").read_text())
    assert box(analysis) == near((5.0, 5.0, 115.0, 75.0))
    assert strokes(analysis) == 4
    rounded = 2 * (94 + 54) + math.tau * 8
    curve = _bezier_length((70, 20), (90, 10), (110, 40), (90, 60)) + _bezier_length(
        (90, 60), (70, 80), (60, 60), (70, 20)
    )
    assert cut_mm(analysis) == pytest.approx(rounded + math.tau * 20 + 4 * math.sqrt(244) + curve, rel=0.0005)
    assert analysis.program.format == "hpgl"
    assert analysis.program.curve.total[Meter.VINYL_MM] == 115.0
    assert remarks(analysis) == {}


def _bezier_length(*controls: tuple[float, float]) -> float:
    p0, p1, p2, p3 = (complex(*control) for control in controls)
    at = [i / 10_000 for i in range(10_001)]
    along = [(1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t**3 * p3 for t in at]
    return sum(abs(b - a) for a, b in pairwise(along))


def test_the_sticker_is_the_drawing_that_inkscape_makes_of_it() -> None:
    ours = read((SAMPLES / "sticker.svg").read_text())
    theirs = Hpgl().analyse((SAMPLES / "sticker_inkscape.hpgl").read_bytes(), "")
    # Inkscape moves the drawing to the origin, and overcuts: 0.25 mm here, 0.5 mm there.
    left, bottom, right, top = box(theirs)
    assert (right - left, top - bottom) == pytest.approx((110.25, 70.5), abs=0.01)
    assert cut_mm(theirs) / cut_mm(ours) == pytest.approx(1.024, abs=0.002)


def test_the_piece_is_not_mirrored() -> None:
    analysis = on_page('<path d="M10 10 H20 V40" fill="none" stroke="red"/>')
    assert analysis.rewritten == b"SP1;\nPU400,1600;\nPD800,1600;\nPD800,400;\n"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="100mm" height="50mm"', (0, 50 - 50.8 / 9.6, 100 / 9.6 * 1.016, 50)),
        ('width="96" height="192"', (0, 50.8 - 5.292, 10.583, 50.8)),
        ('width="96px" height="2in"', (0, 50.8 - 5.292, 10.583, 50.8)),
        ('width="72pt" height="6pc"', (0, 25.4 - 5.292, 10.583, 25.4)),
        ('width="4cm" height="40mm" viewBox="0 0 40 20"', (0, 10, 40, 30)),
        ('width="40mm" height="40mm" viewBox="0 0 40 20" preserveAspectRatio="xMinYMin meet"', (0, 20, 40, 40)),
        ('width="40mm" height="40mm" viewBox="0 0 40 20" preserveAspectRatio="xMidYMax slice"', (-20, 0, 60, 40)),
        ('width="40mm" height="40mm" viewBox="0 0 40 20" preserveAspectRatio="none"', (0, 0, 40, 40)),
        ('width="40mm" height="20mm" viewBox="-10 5 40 20"', (10, 5, 50, 25)),
        ('width="160Q" height="20mm" viewBox="0,0,80,40"', (0, 10, 20, 20)),
    ],
)
def test_the_page_sets_size_and_place(size: str, expected: Box) -> None:
    assert box(on_page('<rect width="40" height="20"/>', size)) == near(expected)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<rect x="10" y="10" width="20" height="10"/>', (10, 30, 30, 40)),
        ('<rect x="10" y="10" width="20" height="10" rx="50"/>', (10, 30, 30, 40)),
        ('<rect x="10%" y="10%" width="20%" height="20%"/>', (10, 35, 30, 45)),
        ('<rect width="1in" height="10mm"/>', (0, 50 - 37.795, 96, 50)),
        ('<circle cx="20" cy="20" r="10"/>', (10, 20, 30, 40)),
        ('<ellipse cx="20" cy="20" rx="10" ry="5"/>', (10, 25, 30, 35)),
        ('<line x1="1" y1="2" x2="3" y2="4" stroke="red"/>', (1, 46, 3, 48)),
        ('<polyline points="1,2 3 4,5-6"/>', (1, 46, 5, 56)),
        ('<polygon points="1,2 3,4 5,6e0"/>', (1, 44, 5, 48)),
        ('<path d="m10 10 10 0 0 10z m20 0h5v5z"/>', (10, 30, 35, 40)),
        ('<path d="M0,50a10,10 0 1120 0z"/>', (0, 0, 20, 10)),
        ('<path d="M10.,1.e1H2E1v1e+1z"/>', (10, 30, 20, 40)),
        ('<rect width="2" height="1" transform="scale(.1E2,10.)"/>', (0, 40, 20, 50)),
        ('<path d="M10 20 A20 10 90 0 1 30 20"/>', (10, 30, 30, 50)),
        ('<path d="M10 10 q 10 10 20 0 t 20 0"/>', (10, 35, 50, 45)),
        ('<path d="M10 10 c 0 20 20 20 20 0 s 20-20 20 0"/>', (10, 25, 50, 55)),
        ('<path d="M10 10 A 0 5 0 0 0 20 20" stroke="red"/>', (10, 30, 20, 40)),
        ('<rect width="2" height="1" transform="translate(10 5) scale(2)"/>', (10, 43, 14, 45)),
        ('<rect width="2" height="1" transform="rotate(90 10 10)"/>', (19, 48, 20, 50)),
        ('<rect width="2" height="1" transform="matrix(1,0,0,1,3,4)"/>', (3, 45, 5, 46)),
        ('<rect width="10" height="10" transform="skewX(45)"/>', (0, 40, 20, 50)),
        (
            '<g transform="scale(2)"><g transform="translate(5,5)"><rect width="1" height="1"/></g></g>',
            (10, 38, 12, 40),
        ),
        ('<defs><g id="s"><rect width="4" height="4"/></g></defs><use xlink:href="#s" x="5" y="5"/>', (5, 41, 9, 45)),
        ('<symbol id="s"><rect width="4" height="4"/></symbol><use href="#s" transform="scale(2)"/>', (0, 42, 8, 50)),
        ('<a href="x"><rect width="4" height="4"/></a>', (0, 46, 4, 50)),
        (
            '<switch><foreignObject requiredExtensions="x"/><rect width="4" height="4"/><rect width="9" height="9"/></switch>',
            (0, 46, 4, 50),
        ),
    ],
)
def test_shapes_stand_where_svg_puts_them(shape: str, expected: Box) -> None:
    assert box(on_page(shape)) == near(expected)


@pytest.mark.parametrize("radius", [0.3, 1, 7, 49, 400])
def test_curves_stay_within_the_chord_error(radius: float) -> None:
    size = 'width="1000mm" height="1000mm" viewBox="0 0 1000 1000"'
    analysis = on_page(f'<circle cx="500" cy="500" r="{radius}" transform="matrix(1 0 0 1 0 0)"/>', size)
    assert analysis.rewritten is not None
    points = [line[2:-1].split(b",") for line in analysis.rewritten.split()[1:]]
    at = [(int(x) / 40 - 500, int(y) / 40 - 500) for x, y in points]
    middles = [((x0 + x1) / 2, (y0 + y1) / 2) for (x0, y0), (x1, y1) in pairwise(at)]
    assert all(abs(math.hypot(x, y) - radius) < 0.05 for x, y in [*at, *middles])


def test_a_curve_that_is_enlarged_is_cut_as_finely() -> None:
    small = on_page('<path d="M0 0 C 0 1 1 1 1 0" fill="none" stroke="red" transform="scale(40)"/>')
    large = on_page('<path d="M0 0 C 0 40 40 40 40 0" fill="none" stroke="red"/>')
    assert cut_mm(small) == pytest.approx(cut_mm(large), abs=0.1)
    assert cut_mm(large) == pytest.approx(_bezier_length((0, 0), (0, 40), (40, 40), (40, 0)), abs=0.1)


def test_what_is_filled_is_cut_all_around() -> None:
    filled = on_page('<path d="M10 10 H20 V20"/>')
    stroked = on_page('<path d="M10 10 H20 V20" fill="none" stroke="red"/>')
    assert cut_mm(stroked) == 20.0
    assert cut_mm(filled) == pytest.approx(20 + math.sqrt(200), abs=0.01)


@pytest.mark.parametrize(
    "unseen",
    [
        '<g display="none"><rect width="40" height="9"/></g>',
        '<rect width="40" height="9" style="display: none"/>',
        '<rect width="40" height="9" visibility="hidden"/>',
        '<g visibility="collapse"><rect width="40" height="9"/></g>',
        '<rect width="40" height="9" fill="none"/>',
        '<rect width="40" height="9" fill="none" stroke="red" stroke-width="0"/>',
        '<rect width="40" height="9" fill-opacity="0"/>',
        '<g opacity="0"><rect width="40" height="9"/></g>',
        '<line x2="40"/>',
        '<style>.a{fill:none}</style><rect class="b a" width="40" height="9"/>',
        '<style>rect#a.b, #c{display:none}</style><rect id="a" class="b" width="40" height="9"/>',
        '<style>rect{fill:red} .a{fill:none}</style><rect class="a" width="40" height="9"/>',
        '<style>.a{fill:none} rect{fill:red}</style><rect class="a" width="40" height="9"/>',
        '<style>.a{fill:red}</style><rect class="a" style="fill:none" width="40" height="9"/>',
        '<style>@font-face{src:x} @charset "x"; /* a > b {} */ .a{fill:none}</style><rect class="a" width="40" height="9"/>',
    ],
)
def test_what_cannot_be_seen_is_counted_and_not_cut(unseen: str) -> None:
    analysis = on_page(unseen + '<rect width="4" height="4"/>')
    assert box(analysis) == near((0, 46, 4, 50))
    assert remarks(analysis) == {"svg-unseen": {"count": 1}}


@pytest.mark.parametrize(
    "seen",
    [
        '<g visibility="hidden"><rect visibility="visible" width="4" height="4"/></g>',
        '<g fill="none"><rect fill="url(#gradient)" width="4" height="4"/></g>',
        '<g fill="none"><rect style="stroke: currentColor" width="4" height="4"/></g>',
        '<style>g > text, .x:hover {font-size:3px}</style><rect width="4" height="4"/>',
        '<defs><rect width="9" height="9"/></defs><rect width="4" height="4"/>',
        '<clipPath id="c"><rect width="9" height="9"/></clipPath><rect width="4" height="4"/>',
        '<marker><rect width="9" height="9"/></marker><rect width="4" height="4"/>',
        '<pattern><rect width="9" height="9"/></pattern><rect width="4" height="4"/>',
        '<mask><text>M</text></mask><rect width="4" height="4"/>',
        '<symbol><rect width="9" height="9"/></symbol><rect width="4" height="4"/>',
        '<text> </text><rect width="4" height="4"/><rect width="0" height="9"/><circle/><path/><path d=""/>',
        '<x:view xmlns:x="http://example.org/"><x:rect/></x:view><rect width="4" height="4"/>',
        '<title>T</title><metadata/><rect width="4" height="4"/>',
    ],
)
def test_what_is_seen_is_cut_and_nothing_else(seen: str) -> None:
    analysis = on_page(seen)
    assert box(analysis) == near((0, 46, 4, 50))
    assert strokes(analysis) == 1
    assert remarks(analysis) == {}


def test_pixels_are_taken_as_css_takes_them_and_said() -> None:
    analysis = on_page('<rect width="96" height="96"/>', 'width="192" height="96px"')
    assert remarks(analysis) == {"svg-pixels": {"width_mm": 50.8, "height_mm": 25.4}}


def test_nothing_is_moved_and_blank_vinyl_is_said() -> None:
    analysis = on_page('<rect x="60" width="4" height="4"/>')
    assert box(analysis) == near((60, 46, 64, 50))
    assert remarks(analysis) == {"drawing-blank-before": {"blank_mm": 60}}


def test_markers_are_said() -> None:
    analysis = on_page('<g style="marker-end:url(#a)"><line x2="9" stroke="red"/></g>')
    assert remarks(analysis) == {"svg-markers": {"count": 1}}


def test_a_file_on_a_windows_computer_of_old_is_read() -> None:
    text = PAGE.format('width="9mm" height="9mm"', '<title>Étoile</title><circle r="5"/>')
    assert Svg().analyse(b'<?xml version="1.0" encoding="windows-1252"?>' + text.encode("cp1252"), "").rewritten


async def test_it_is_read_in_the_jail_too_where_no_codec_can_be_loaded_any_more(tmp_path: Path) -> None:
    file = tmp_path / "old.svg"
    file.write_bytes(
        b'<?xml version="1.0" encoding="windows-1252"?><svg width="9mm" height="9mm"><circle r="5"/></svg>'
    )
    analysis = await analyse(file, file.name)
    assert analysis.program.format == "hpgl"


def test_the_usual_doctype_does_no_harm() -> None:
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert read(doctype + '<svg width="9mm" height="9mm"><circle r="5"/></svg>').rewritten


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<text>Bonjour</text>", "svg-text"),
        ("<text><tspan>Bonjour</tspan></text>", "svg-text"),
        ('<image href="x.png"/>', "svg-image"),
        ("<foreignObject/>", "svg-element"),
        ('<svg width="3" height="3"><rect width="9" height="9"/></svg>', "svg-element"),
        ('<symbol id="a" viewBox="0 0 1 1"><rect width="1" height="1"/></symbol><use href="#a"/>', "svg-element"),
        ('<g clip-path="url(#c)"><rect width="9" height="9"/></g>', "svg-clipped"),
        ('<rect style="mask:url(#c)" width="9" height="9"/>', "svg-clipped"),
        ('<rect stroke="red" stroke-dasharray="1 2" width="9" height="9"/>', "svg-dashes"),
        ('<use href="#nowhere"/>', "svg-use"),
        ('<use href="other.svg#a"/>', "svg-use"),
        ('<use href="#"/>', "svg-use"),
        ("<use/>", "svg-use"),
        ('<g id="a"><use href="#a"/></g>', "svg-too-deep"),
        ("<g>" * 300 + "</g>" * 300, "svg-too-deep"),
        ("<style>g > rect{fill:none}</style>", "svg-style"),
        ("<style>@import url(x);</style>", "svg-style"),
        ("<style>@media print{rect{fill:none}}</style>", "svg-style"),
        ("<style>rect{fill:none !important}</style>", "svg-style"),
        ("<style>rect{stroke:initial}</style>", "svg-style"),
        ('<rect style="transform:rotate(3deg)" width="9" height="9"/>', "svg-style"),
        ('<rect width="-1" height="9"/>', "svg-bad-attribute"),
        ('<rect width="1em" height="9"/>', "svg-bad-attribute"),
        ('<rect width="abc" height="9"/>', "svg-bad-attribute"),
        ('<circle r="-1"/>', "svg-bad-attribute"),
        ('<circle r="1e300"/>', "svg-bad-attribute"),
        ('<ellipse rx="-1" ry="3"/>', "svg-bad-attribute"),
        ('<polygon points="1,2 3"/>', "svg-bad-attribute"),
        ('<path d="L 1 2"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 L 3"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 H"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 L 3 4 foo"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 z 5"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 A 1 1 0 2 0 5 5"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 A 1 1 0 1 0 5"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 A 10 1 0 1 0 55"/>', "svg-bad-attribute"),
        ('<path d="M 1 2 A"/>', "svg-bad-attribute"),
        ('<path d="M 1 1e999"/>', "svg-bad-attribute"),
        ('<rect transform="rotate(1" width="9" height="9"/>', "svg-bad-attribute"),
        ('<rect transform="rotate(1 2)" width="9" height="9"/>', "svg-bad-attribute"),
        ('<rect transform="translate(1%)" width="9" height="9"/>', "svg-bad-attribute"),
        ('<rect transform="matrix(1 2)" width="9" height="9"/>', "svg-bad-attribute"),
        ('<g transform="scale(1e9)">' * 60 + '<circle r="1"/>' + "</g>" * 60, "drawing-too-large"),
        ('<rect width="1e9" height="1e9"/>', "drawing-too-large"),
        ('<circle r="1" transform="scale(1e5)"/>' * 110, "drawing-too-many-points"),
        ('<path d="M0 0C0 1e9 0 -1e9 1 0" transform="scale(1e6)"/>', "drawing-too-many-points"),
        ("", "drawing-empty"),
    ],
)
def test_what_cannot_be_cut_as_seen_is_refused(body: str, code: str) -> None:
    assert refusal(body) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "svg-not-xml"),
        ("<svg", "svg-not-xml"),
        ("<svg>&a;</svg>", "svg-not-xml"),
        ("<html/>", "svg-no-drawing"),
        ('<?xml version="1.0" encoding="klingon"?><svg/>', "svg-encoding"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><svg width="1" height="1"/>', "svg-entity"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', "svg-entity"),
        ('<!DOCTYPE x [<!ENTITY % a SYSTEM "http://example.org/"> %a;]><svg/>', "svg-entity"),
        ("<svg/>", "svg-no-size"),
        ('<svg width="100%" height="100%" viewBox="0 0 9 9"/>', "svg-no-size"),
        ('<svg width="3em" height="3"/>', "svg-no-size"),
        ('<svg width="0" height="3"/>', "svg-no-size"),
        ('<svg width="-3" height="3"/>', "svg-no-size"),
        ('<svg width="9e9km" height="3"/>', "svg-no-size"),
        ('<svg width="9" height="9" viewBox="0 0 9"/>', "svg-bad-attribute"),
        ('<svg width="9" height="9" viewBox="0 0 0 9"/>', "svg-bad-attribute"),
        ('<svg width="9" height="9" viewBox="0 0 9 9" preserveAspectRatio="x"/>', "svg-bad-attribute"),
        ('<svg width="9" height="9" transform="scale(2)"/>', "svg-element"),
    ],
)
def test_what_is_no_drawing_of_known_size_is_refused(text: str, code: str) -> None:
    assert refusal_of(text) == code


def test_billions_of_clones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg_walk, "MOST_ELEMENTS", 1_000)
    layers = "".join(f'<g id="g{n + 1}">' + f'<use href="#g{n}"/>' * 10 + "</g>" for n in range(9))
    assert (
        refusal(f'<defs><g id="g0"><path d="M0 0H1"/></g>{layers}</defs><use href="#g9"/>') == "svg-too-many-elements"
    )


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"<svg width='3'>", "x", True),
        (b'<?xml version="1.0"?>\n<!-- made by -->\n<svg:svg xmlns:svg="x">', "x", True),
        (b'<?xml version="1.0"?>' + b" " * 80, "x.SVG", True),
        (b'<?xml version="1.0"?><html/>', "x.html", False),
        (b"<svgx/>", "x", False),
        (b"IN;PU0,0;", "x.svg", False),
    ],
)
def test_svg_is_recognised_by_its_root(head: bytes, name: str, expected: bool) -> None:
    assert Svg().recognises(head, name) is expected


def test_a_prefixed_namespace_is_read() -> None:
    text = '<v:svg xmlns:v="http://www.w3.org/2000/svg" width="9mm" height="9mm"><v:circle r="5"/></v:svg>'
    assert read(text).rewritten


@given(
    st.text("MmZzLlHhVvCcSsQqTtAa0123456789.,-+eE ", max_size=60),
    st.sampled_from(["", "rotate(30)", "scale(0)", "skewX(90)", "matrix(1e9 0 0 1e9 0 0)"]),
)
def test_wild_paths_are_cut_or_refused_in_words(path: str, transform: str) -> None:
    try:
        analysis = on_page(f'<path d="M0 0{path}" transform="{transform}" stroke="red"/>')
    except JobRejected as error:
        sentence(error.message)
    else:
        assert analysis.rewritten is not None
        assert Hpgl().analyse(analysis.rewritten, "").rewritten == analysis.rewritten


@given(st.data())
def test_mutated_drawings_are_cut_or_refused_in_words(data: st.DataObject) -> None:
    mutant = bytearray((SAMPLES / "sticker.svg").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    try:
        Svg().analyse(bytes(mutant), "mutant.svg")
    except JobRejected as error:
        sentence(error.message)
