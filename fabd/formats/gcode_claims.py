"""What slicers say of their G-code in comments: kept for a quick quote, never believed."""

import re
from math import isfinite

from fabd.model import Param

_TIMES = frozenset({"estimated printing time (normal mode)", "estimated printing time", "total estimated time"})
_MAKER = re.compile(r"generated (?:by|with) (.+?)(?: on .*)?\Z", re.IGNORECASE)
_SPAN = re.compile(r"(?:(\d+)\s*d)?\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*m)?\s*(?:(\d+)\s*s)?\Z")
_LENGTH_MM = re.compile(r"([0-9.]+)\s*mm")
_CURA_PLACEHOLDER_S = 6666.0  # CuraEngine writes `;TIME:6666` where nobody fills in the header


class Claims:
    """Collects the claims of PrusaSlicer and its family, Slic3r and Cura, one comment line at a time."""

    def __init__(self) -> None:
        self._found: dict[str, Param] = {}
        self._elapsed_s: float | None = None

    @property
    def found(self) -> dict[str, Param]:
        """`slicer`, `material`, and in millimetres, grams and seconds `filament_mm`, `filament_g`, `time_s`."""
        if self._elapsed_s is None:
            return dict(self._found)
        return {**self._found, "time_s": self._elapsed_s}

    def read(self, raw: bytes) -> None:
        """One line that is a comment. What says nothing that we know, or cannot be read, is passed over."""
        if len(raw) > 300 or not (b"=" in raw or b":" in raw or b"enerated" in raw):
            return
        text = raw.decode("utf-8", "replace").strip("; \t\r\n")
        maker = _MAKER.match(text)
        if maker is not None:
            self._found.setdefault("slicer", maker.group(1)[:60])
        for part in text.split(";") if "time:" in text else (text,):
            separator = "=" if "=" in part else ":"
            key, _, value = part.partition(separator)
            self._take(key.strip(), value.strip())

    def _take(self, key: str, value: str) -> None:
        if key in ("filament used [mm]", "filament used [g]"):  # one figure for each tool
            self._number("filament_mm" if "mm" in key else "filament_g", _sum(value))
        elif key == "filament used":  # Slic3r: 697.6mm (1.7cm3), one line for each tool
            length = _LENGTH_MM.match(value)
            known = self._found.get("filament_mm")
            self._number("filament_mm", _sum(length.group(1)) if length else None, known)
        elif key == "Filament used":  # Cura: 1.23m, 0.4m
            metres = _sum(value.replace("m", ""))
            self._number("filament_mm", metres * 1000 if metres else None)
        elif key in _TIMES:
            self._number("time_s", _seconds(value))
        elif key == "TIME":
            seconds = _sum(value)
            self._number("time_s", None if seconds == _CURA_PLACEHOLDER_S else seconds)
        elif key == "TIME_ELAPSED":  # Cura, after each layer: the last one is the whole
            self._elapsed_s = _sum(value)
        elif key == "filament_type" and value:
            self._found["material"] = value[:60]

    def _number(self, claim: str, value: float | None, known: Param = None) -> None:
        """Keep a figure; what a slicer leaves at 0 it does not know."""
        if value:
            self._found[claim] = value + (known if isinstance(known, float) else 0.0)


def _sum(value: str) -> float | None:
    try:
        total = sum(float(part) for part in value.split(","))
    except ValueError:
        return None
    return total if isfinite(total) and total >= 0 else None


def _seconds(value: str) -> float | None:
    """`1d 2h 3m 4s` in seconds."""
    span = _SPAN.match(value)
    if span is None or not any(span.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in span.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
