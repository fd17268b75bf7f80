"""What of an SVG drawing can be seen: presentation attributes, style sheets and `style` attributes, in that order.

Only what decides whether and how an outline is cut is looked at. A style sheet that fabd cannot follow with
certainty is refused where it touches that, and ignored where it does not.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from xml.etree.ElementTree import Element

from fabd.errors import JobRejected

_INHERITED: Mapping[str, str] = {
    "fill": "black",
    "fill-opacity": "1",
    "marker": "none",
    "marker-end": "none",
    "marker-mid": "none",
    "marker-start": "none",
    "stroke": "none",
    "stroke-dasharray": "none",
    "stroke-opacity": "1",
    "stroke-width": "1",
    "visibility": "visible",
}
_OWN = frozenset({"clip-path", "display", "mask", "opacity"})
# In a style sheet these would move the drawing (SVG 2, section 6.5; CSS Transforms); hardly an editor writes them there.
_GEOMETRY = frozenset(
    {
        *("cx", "cy", "d", "height", "r", "rx", "ry", "width", "x", "y"),
        *("rotate", "scale", "transform", "transform-origin", "translate", "zoom"),
    }
)

_RESETS = frozenset({"initial", "unset", "revert", "revert-layer"})

_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_STATEMENT = re.compile(r"@(?:charset|namespace)[^;{}]*;")
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_SELECTOR = re.compile(r"(\*|[A-Za-z][\w-]*)?((?:[.#][\w-]+)*)")
_ZERO = re.compile(r"[+-]?0*\.?0+(?:e[+-]?\d+)?[a-z%]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One selector with its declarations: all of its parts must fit an element."""

    tag: str
    ids: frozenset[str]
    classes: frozenset[str]
    declarations: Mapping[str, str]

    def fits(self, element: Element, tag: str) -> bool:
        return (
            self.tag in ("", "*", tag)
            and self.ids <= {element.get("id", "")}
            and self.classes <= set(element.get("class", "").split())
        )

    @property
    def weight(self) -> tuple[int, int, int]:
        """Specificity (CSS 2.2, section 6.4.3)."""
        return len(self.ids), len(self.classes), self.tag not in ("", "*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """The look of one element: `inherited` passes on to its children, `clip` names what hides parts of it."""

    inherited: Mapping[str, str] = field(default_factory=lambda: _INHERITED)
    is_gone: bool = False
    clip: str | None = None

    @property
    def is_filled(self) -> bool:
        return _is_paint(self.inherited["fill"]) and not _is_zero(self.inherited["fill-opacity"])

    @property
    def is_stroked(self) -> bool:
        return _is_paint(self.inherited["stroke"]) and not (
            _is_zero(self.inherited["stroke-opacity"]) or _is_zero(self.inherited["stroke-width"])
        )

    @property
    def is_hidden(self) -> bool:
        return self.is_gone or self.inherited["visibility"] != "visible"

    @property
    def is_dashed(self) -> bool:
        return self.is_stroked and re.search("[1-9]", self.inherited["stroke-dasharray"]) is not None

    @property
    def is_marked(self) -> bool:
        """Whether arrowheads or the like stand on its points."""
        return any(value != "none" for name, value in self.inherited.items() if name.startswith("marker"))


def _is_paint(value: str) -> bool:
    return value not in ("none", "transparent", "")


def _is_zero(value: str) -> bool:
    return _ZERO.fullmatch(value) is not None


def style_of(element: Element, tag: str, parent: Style, sheet: list[Rule]) -> Style:
    """The style of `element`, whose name without namespace is `tag`. Raises `JobRejected`."""
    found = {name: element.get(name, "") for name in chain(_INHERITED, _OWN) if name in element.attrib}
    for rule in sheet:
        if rule.fits(element, tag):
            found |= rule.declarations
    found |= declarations(element.get("style", ""), "style")
    values = {name: value.strip().lower() for name, value in found.items() if value.strip().lower() != "inherit"}
    own = {name: value for name, value in values.items() if name in _INHERITED}
    clips = [name for name in ("clip-path", "mask") if values.get(name, "none") != "none"]
    return Style(
        inherited={**parent.inherited, **own} if own else parent.inherited,
        is_gone=parent.is_gone or values.get("display") == "none" or _is_zero(values.get("opacity", "1")),
        clip=clips[0] if clips else parent.clip,
    )


def style_sheet(text: str) -> list[Rule]:
    """The rules of a `<style>` element, weakest first. Raises `JobRejected`."""
    text = _STATEMENT.sub("", _COMMENT.sub("", text))
    rest = _RULE.sub("", text).strip()
    if rest:
        raise JobRejected("svg-style", found=rest[:40])
    rules: list[Rule] = []
    for selectors, body in _RULE.findall(text):
        if selectors.strip().startswith("@font-face"):
            continue
        said = declarations(body, selectors.strip())
        if said:
            rules.extend(_rules(selectors, said))
    return sorted(rules, key=lambda rule: rule.weight)


def _rules(selectors: str, said: Mapping[str, str]) -> Iterator[Rule]:
    for selector in selectors.split(","):
        parts = _SELECTOR.fullmatch(selector.strip())
        if parts is None or not parts[0]:
            raise JobRejected("svg-style", found=selector.strip()[:40])
        yield Rule(
            tag=parts[1] or "",
            ids=frozenset(re.findall(r"#([\w-]+)", parts[2])),
            classes=frozenset(re.findall(r"\.([\w-]+)", parts[2])),
            declarations=said,
        )


def declarations(text: str, place: str) -> dict[str, str]:
    """Those declarations that matter here. `place` says where they stand. Raises `JobRejected`."""
    found = {}
    for part in text.split(";"):
        name, _, value = part.partition(":")
        name = name.strip().lower()
        if name in _GEOMETRY:
            raise JobRejected("svg-style", found=f"{place[:40]} {{{name}}}")
        if name in _INHERITED or name in _OWN:
            if "!" in value or value.strip().lower() in _RESETS:
                raise JobRejected("svg-style", found=part.strip()[:40])
            found[name] = value
    return found
