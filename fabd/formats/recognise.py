"""Which format a file is of; and where it is none of ours, which program prepares it."""

import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import PurePath

from fabd.errors import JobRejected
from fabd.formats.contract import Format

_MAGIC: tuple[tuple[str, str, re.Pattern[bytes]], ...] = tuple(
    (code, what, re.compile(pattern, re.DOTALL))
    for code, what, pattern in (
        ("format-is-model", "3MF", rb"PK\x03\x04.{0,4000}(3D/3dmodel\.model|Metadata/model_settings)"),
        ("format-is-model", "STL", rb"\s*solid\b[^\n]*\n\s*(facet|endsolid)"),
        ("format-is-model", "STEP", rb"\s*ISO-10303-21;"),
        ("format-is-model", "OBJ", rb"(\s*(#|mtllib |o |g )[^\n]*\n|\s*\n)*\s*v +-?[0-9.]+ +-?[0-9.]+ +-?[0-9.]+"),
        ("format-is-model", "PLY", rb"ply\r?\nformat "),
        ("format-is-binary-gcode", "bgcode", rb"GCDE"),
        ("format-is-archive", "ZIP", rb"PK(\x03\x04|\x05\x06)"),
        ("format-is-archive", "gzip", rb"\x1f\x8b"),
        ("format-is-archive", "7z", rb"7z\xbc\xaf\x27\x1c"),
        ("format-is-archive", "RAR", rb"Rar!\x1a\x07"),
        ("format-is-picture", "PNG", rb"\x89PNG\r\n"),
        ("format-is-picture", "JPEG", rb"\xff\xd8\xff"),
        ("format-is-picture", "GIF", rb"GIF8[79]a"),
        ("format-is-picture", "WebP", rb"RIFF....WEBP"),
        ("format-is-picture", "TIFF", rb"II\*\x00|MM\x00\*"),
        ("format-is-picture", "BMP", rb"BM.{4}\x00\x00\x00\x00"),
        ("format-is-picture", "HEIC", rb"....ftyp(heic|heix|mif1|avif)"),
        ("format-is-document", "PDF", rb"%PDF-"),
        ("format-is-document", "PostScript", rb"%!PS|\xc5\xd0\xd3\xc6"),
        ("format-is-document", "DXF", rb"(\s*999\r?\n[^\n]*\n)*\s*0\r?\n\s*SECTION\r?\n|AutoCAD Binary DXF"),
        ("format-is-document", "DWG", rb"AC10[0-9]{2}\x00"),
    )
)
_BINARY_STL_HEAD, _BINARY_STL_TRIANGLE = 84, 50  # 80 bytes of header, a count; then 50 bytes for each triangle

_FOREIGN_SUFFIXES = {
    **dict.fromkeys((".stl", ".3mf", ".obj", ".step", ".stp", ".ply", ".amf", ".fcstd", ".blend"), "format-is-model"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".heic"), "format-is-picture"),
    **dict.fromkeys((".pdf", ".ps", ".eps", ".ai", ".dxf", ".dwg", ".cdr", ".studio3"), "format-is-document"),
    **dict.fromkeys((".zip", ".gz", ".svgz", ".7z", ".rar", ".tar"), "format-is-archive"),
    ".bgcode": "format-is-binary-gcode",
}


def installed() -> tuple[list[Format], list[str]]:
    """All formats among the entry points of installed packages, and the names of those that cannot be loaded."""
    formats: list[Format] = []
    broken: list[str] = []
    for entry in sorted(entry_points(group="fabd.formats"), key=lambda entry: entry.name):
        try:
            formats.append(entry.load()())
        except Exception:  # noqa: BLE001 - whatever a plugin raises, it disables itself and no other
            broken.append(entry.name)
    return formats, broken


def recognise(head: bytes, name: str, size_bytes: int, formats: Sequence[Format]) -> Format:
    """The one format that `head`, the beginning of a file called `name`, is of.

    The content decides; where several formats know it, the ending of the name chooses between them. Raises
    `JobRejected`, naming the program that prepares such a file where there is one.
    """
    if not head:
        raise JobRejected("format-empty", name=name)
    _refuse_by_content(head, name, size_bytes)
    suffix = PurePath(name).suffix.lower()
    knowing = [candidate for candidate in formats if candidate.recognises(head, name)]
    if len(knowing) > 1:
        knowing = [candidate for candidate in knowing if suffix in candidate.suffixes]
        if len(knowing) != 1:
            raise JobRejected("format-ambiguous", name=name)
    if knowing:
        return knowing[0]
    if suffix in _FOREIGN_SUFFIXES:
        raise JobRejected(_FOREIGN_SUFFIXES[suffix], name=name, what=suffix.removeprefix(".").upper())
    if any(suffix in candidate.suffixes for candidate in formats):
        raise JobRejected("format-not-as-named", name=name, suffix=suffix)
    known = sorted(suffix for candidate in formats for suffix in candidate.suffixes)
    raise JobRejected("format-unknown", name=name, suffixes=" ".join(known))


def _refuse_by_content(head: bytes, name: str, size_bytes: int) -> None:
    for code, what, pattern in _MAGIC:
        if pattern.match(head):
            raise JobRejected(code, name=name, what=what)
    triangles = int.from_bytes(head[80:_BINARY_STL_HEAD], "little")
    if triangles and size_bytes == _BINARY_STL_HEAD + triangles * _BINARY_STL_TRIANGLE:
        raise JobRejected("format-is-model", name=name, what="STL")
