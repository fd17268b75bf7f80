"""The walk over an SVG drawing: which elements are drawn, where, and which nobody can cut."""

import math
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from svgelements import Matrix

from fabd.errors import JobRejected
from fabd.formats.plotter import CHORD_ERROR_MM, LIMIT_M, UNITS_PER_MM, Sheet
from fabd.formats.svg_curves import polylines
from fabd.formats.svg_shapes import SHAPES, Attributes, Viewport, outline
from fabd.formats.svg_style import Style, style_of, style_sheet
from fabd.model import Message

MOST_ELEMENTS = 100_000
"""As many elements are drawn, counting each use of a clone."""
MOST_DEPTH = 200

_SVG = "{http://www.w3.org/2000/svg}"
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")
_GROUPS = frozenset({"g", "a", "symbol"})
_TEXTS = frozenset({"text", "flowRoot"})
# A symbol is drawn through `<use>` alone.
_NEVER_DRAWN = frozenset(
    {
        *("defs", "symbol", "clipPath", "mask", "marker", "pattern", "hatch", "filter"),
        *("linearGradient", "radialGradient", "meshgradient", "solidColor", "color-profile"),
        *("style", "script", "title", "desc", "metadata", "view", "cursor", "font", "font-face"),
        *("animate", "animateColor", "animateMotion", "animateTransform", "set"),
    }
)


def name_of(element: Element) -> str:
    """The element's name when it is one of SVG's, else nothing."""
    name = element.tag.removeprefix(_SVG)
    return "" if name.startswith("{") else name


class Walk:
    """Draws the tree under `root` on a sheet of its own."""

    def __init__(self, root: Element, viewport: Viewport) -> None:
        self.sheet = Sheet()
        self._root = root
        self._viewport = viewport
        self._by_id: Mapping[str, Element] = {
            element.attrib["id"]: element for element in reversed(list(root.iter())) if "id" in element.attrib
        }
        self._rules = style_sheet("\n".join(e.text or "" for e in root.iter() if name_of(e) == "style"))
        self._drawn = 0
        self._unseen = 0
        self._marked = 0

    def draw(self, to_plotter: Matrix) -> None:
        """Draw everything; `to_plotter` goes from the root's user units to plotter units. Raises `JobRejected`."""
        style = style_of(self._root, "svg", Style(), self._rules)
        self._children(self._root, style, to_plotter, depth=0)

    def remarks(self) -> list[Message]:
        counts = {"svg-unseen": self._unseen, "svg-markers": self._marked}
        return [Message(code=code, params={"count": count}) for code, count in counts.items() if count]

    def _children(self, parent: Iterable[Element], style: Style, matrix: Matrix, depth: int) -> None:
        for child in parent:
            if name_of(child) and name_of(child) not in _NEVER_DRAWN:
                self._element(child, style, matrix, depth)

    def _element(self, element: Element, parent_style: Style, parent_matrix: Matrix, depth: int) -> None:
        self._drawn += 1
        if self._drawn > MOST_ELEMENTS:
            raise JobRejected("svg-too-many-elements", limit=MOST_ELEMENTS)
        if depth > MOST_DEPTH:
            raise JobRejected("svg-too-deep", limit=MOST_DEPTH)
        name = name_of(element)
        style = style_of(element, name, parent_style, self._rules)
        if style.is_gone:
            self._unseen += sum(1 for inner in element.iter() if name_of(inner) in SHAPES)
            return
        attributes = Attributes(tag=name, values=element.attrib)
        matrix = attributes.transform() * parent_matrix
        if name in SHAPES:
            self._shape(attributes, style, matrix)
        elif name in _GROUPS:
            self._children(element, style, matrix, depth + 1)
        elif name == "switch":
            self._children(_chosen(element), style, matrix, depth + 1)
        elif name == "use":
            self._use(attributes, style, matrix, depth)
        elif not style.is_hidden and not _is_empty_text(element, name):
            raise _refusal(element, attributes)

    def _use(self, attributes: Attributes, style: Style, matrix: Matrix, depth: int) -> None:
        href = next((attributes.values[key] for key in _HREFS if key in attributes.values), "")
        target = self._by_id.get(href[1:]) if href.startswith("#") else None
        if target is None:
            raise JobRejected("svg-use", href=href[:40] or "-")
        if "viewBox" in target.attrib:
            raise JobRejected("svg-element", element=f"{name_of(target)} viewBox")
        x = attributes.length("x", self._viewport.width) or 0.0
        y = attributes.length("y", self._viewport.height) or 0.0
        self._element(target, style, Matrix(1, 0, 0, 1, x, y) * matrix, depth + 1)

    def _shape(self, attributes: Attributes, style: Style, matrix: Matrix) -> None:
        is_filled = style.is_filled and attributes.tag != "line"
        if style.is_hidden or not (is_filled or style.is_stroked):
            self._unseen += 1
            return
        if style.clip is not None:
            raise JobRejected("svg-clipped", element=attributes.tag, id=attributes.name, by=style.clip)
        if style.is_dashed:
            raise JobRejected("svg-dashes", element=attributes.tag, id=attributes.name)
        self._marked += style.is_marked
        # The norm is never less than the matrix enlarges anything, so the error on the sheet stays within bounds.
        growth = math.hypot(matrix.a, matrix.b, matrix.c, matrix.d)
        if not math.isfinite(growth):
            raise JobRejected("drawing-too-large", limit_m=LIMIT_M)
        error = CHORD_ERROR_MM * UNITS_PER_MM / growth if growth else math.inf
        for line in polylines(outline(attributes, self._viewport), error):
            if is_filled and len(line) > 2 and line[0] != line[-1]:
                line.append(line[0])  # SVG closes what it fills, so this edge is seen
            self.sheet.add(
                (matrix.a * x + matrix.c * y + matrix.e, matrix.b * x + matrix.d * y + matrix.f) for x, y in line
            )


def _chosen(switch: Element) -> list[Element]:
    """What a `<switch>` shows: its first child that asks for no extension (SVG 1.1, section 5.8.2)."""
    return [child for child in switch if name_of(child) and "requiredExtensions" not in child.attrib][:1]


def _is_empty_text(element: Element, name: str) -> bool:
    return name in _TEXTS and not "".join(element.itertext()).strip()


def _refusal(element: Element, attributes: Attributes) -> JobRejected:
    if attributes.tag in _TEXTS:
        return JobRejected("svg-text", id=attributes.name, text="".join(element.itertext()).strip()[:40])
    if attributes.tag == "image":
        return JobRejected("svg-image", id=attributes.name)
    return JobRejected("svg-element", element=attributes.tag[:40])
