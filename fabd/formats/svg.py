"""SVG drawings for the cutter: every outline that can be seen is cut, where and as large as it stands on its page.

The page's physical size comes from `width` and `height`, its scale from `viewBox`. The plotter's origin is the lower
left corner of the page: plotter x is SVG x, plotter y is the page's height less SVG y, so the piece is not mirrored.
Nothing is moved. Curves become chords within `CHORD_ERROR_MM`; then all is rounded to plotter units of 0.025 mm.

The walk over the elements is ours, since a drawing of which some part is misread or left out without a word spoils
vinyl; svgelements reads the paths and makes the outlines.
"""

import codecs
import re
from typing import ClassVar
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from svgelements import Matrix, Viewbox

from fabd.errors import JobRejected
from fabd.formats import plotter
from fabd.formats.contract import Analysis
from fabd.formats.plotter import UNITS_PER_MM
from fabd.formats.svg_shapes import MM_PER_PX, MM_PER_UNIT, Attributes, Viewport
from fabd.formats.svg_walk import Walk, name_of
from fabd.model import Message

_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?svg[\s>]")
_SIZE = re.compile(r"\s*\+?(\d+\.?\d*|\.\d+)([A-Za-z]*)\s*", re.ASCII)
_ASPECT = re.compile(r"none(?: (?:meet|slice))?|x(?:Min|Mid|Max)Y(?:Min|Mid|Max)(?: (?:meet|slice))?")
LARGEST_PAGE_MM = 1e6

for _encoding in ("cp1252", "iso-8859-15"):
    codecs.lookup(_encoding)  # expat knows the others; in the jail it is too late to load one


class Svg:
    """SVG, rewritten for an `hpgl` driver."""

    names: ClassVar[frozenset[str]] = frozenset({"hpgl"})
    suffixes: ClassVar[frozenset[str]] = frozenset({".svg"})

    def recognises(self, head: bytes, name: str) -> bool:
        # A long comment or metadata may stand before the root element: then the name has to do.
        return _ROOT.search(head) is not None or (head.lstrip().startswith(b"<?xml") and name.lower().endswith(".svg"))

    def analyse(self, data: bytes, name: str) -> Analysis:
        del name
        root = _parse(data)
        page = Attributes(tag="svg", values=root.attrib)
        width_mm, height_mm = _millimetres(page, "width"), _millimetres(page, "height")
        to_plotter, viewport = _placement(page, width_mm, height_mm)
        walk = Walk(root, viewport)
        walk.draw(to_plotter)
        remarks = walk.remarks()
        if _is_in_pixels(page):
            size = {"width_mm": round(width_mm, 1), "height_mm": round(height_mm, 1)}
            remarks.append(Message(code="svg-pixels", params=size))
        return plotter.program(data, walk.sheet, remarks)


def _parse(data: bytes) -> Element:
    """The root element. Entities are refused before one is expanded. Raises `JobRejected`."""
    watch = expat.ParserCreate()
    watch.EntityDeclHandler = _refuse_entity
    try:
        watch.Parse(data, True)
        root = fromstring(data)  # noqa: S314  the entities that make it dangerous have just been ruled out
    except (expat.ExpatError, ParseError) as error:
        line = error.lineno if isinstance(error, expat.ExpatError) else error.position[0]
        raise JobRejected("svg-not-xml", line=line, detail=str(error).partition(":")[0]) from error
    except (LookupError, ValueError, OSError) as error:  # from a codec that Python lacks, or may not load here
        raise JobRejected("svg-encoding") from error
    if name_of(root) != "svg":
        raise JobRejected("svg-no-drawing", element=root.tag[-40:])
    return root


def _refuse_entity(name: str, *_: object) -> None:
    raise JobRejected("svg-entity", name=name[:40])


def _millimetres(page: Attributes, name: str) -> float:
    """The page's size. Raises `JobRejected` where it is missing, relative or zero."""
    size = _SIZE.fullmatch(page.values.get(name, ""))
    millimetres = float(size[1]) * MM_PER_UNIT.get(size[2].lower(), 0.0) if size else 0.0
    if not 0.0 < millimetres <= LARGEST_PAGE_MM:
        raise JobRejected("svg-no-size", attribute=name, found=page.values.get(name, "")[:40] or "-")
    return millimetres


def _is_in_pixels(page: Attributes) -> bool:
    return any(page.values[name].strip().lower().endswith((*"0123456789.", "px")) for name in ("width", "height"))


def _placement(page: Attributes, width_mm: float, height_mm: float) -> tuple[Matrix, Viewport]:
    """From the drawing's user units to plotter units, and the size of the page in user units."""
    if "transform" in page.values:
        raise JobRejected("svg-element", element="svg transform")
    to_plotter = Matrix(UNITS_PER_MM, 0, 0, -UNITS_PER_MM, 0, height_mm * UNITS_PER_MM)
    box = page.numbers("viewBox", page.values.get("viewBox", ""))
    if not box:
        viewport = Viewport(width=width_mm / MM_PER_PX, height=height_mm / MM_PER_PX)
        return Matrix(f"scale({MM_PER_PX!r})") * to_plotter, viewport
    aspect = " ".join(page.values.get("preserveAspectRatio", "xMidYMid").split())
    if len(box) != 4 or not (box[2] > 0 and box[3] > 0):
        raise page.wrong("viewBox")
    if _ASPECT.fullmatch(aspect) is None:
        raise page.wrong("preserveAspectRatio")
    fitted = Viewbox.viewbox_transform(0.0, 0.0, width_mm, height_mm, *box, aspect)
    return Matrix(fitted) * to_plotter, Viewport(width=box[2], height=box[3])
