"""Which format a file is of, and what is said of files that are of none."""

import struct
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats.contract import HEAD_BYTES, Analysis, Format
from fabd.formats.gcode import Gcode
from fabd.formats.recognise import installed, recognise

SAMPLES = Path(__file__).parents[2] / "samples"


class Greedy:
    """A format that takes whatever begins with `both` or `mine`."""

    names: ClassVar[frozenset[str]] = frozenset({"greedy"})
    suffixes: ClassVar[frozenset[str]] = frozenset({".greedy"})

    def recognises(self, head: bytes, name: str) -> bool:
        return head.startswith((b"both", b"mine"))

    def analyse(self, data: bytes, name: str) -> Analysis:
        raise NotImplementedError


class Other(Greedy):
    names = frozenset({"other"})
    suffixes = frozenset({".other"})

    def recognises(self, head: bytes, name: str) -> bool:
        return head.startswith(b"both")


FORMATS: list[Format] = [Gcode(), Greedy(), Other()]


def refusal_of(head: bytes, name: str, size_bytes: int | None = None) -> JobRejected:
    with pytest.raises(JobRejected) as caught:
        recognise(head, name, len(head) if size_bytes is None else size_bytes, FORMATS)
    assert name in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("head", "name", "code", "what"),
    [
        (b"solid tag\n  facet normal 0 0 1\n", "tag.stl", "format-is-model", "STL"),
        (b"solid tag\nfacet normal 0 0 1\n", "tag.gcode", "format-is-model", "STL"),
        (b"PK\x03\x04\x14\x00" + b"[Content_Types].xml 3D/3dmodel.model", "tag.3mf", "format-is-model", "3MF"),
        (b"ISO-10303-21;\nHEADER;", "tag.step", "format-is-model", "STEP"),
        (b"# Blender\nmtllib a.mtl\no tag\nv 1.0 2.0 3.0\n", "tag.obj", "format-is-model", "OBJ"),
        (b"GCDE\x01\x00\x00\x00", "tag.bgcode", "format-is-binary-gcode", "bgcode"),
        (b"PK\x03\x04\x14\x00 letter.txt", "stuff.zip", "format-is-archive", "ZIP"),
        (b"\x1f\x8b\x08", "a.svgz", "format-is-archive", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "logo.png", "format-is-picture", "PNG"),
        (b"\xff\xd8\xff\xe0", "logo.gcode", "format-is-picture", "JPEG"),
        (b"GIF89a", "logo.gif", "format-is-picture", "GIF"),
        (b"RIFF\x00\x00\x00\x00WEBP", "logo.webp", "format-is-picture", "WebP"),
        (b"%PDF-1.7\n", "plan.pdf", "format-is-document", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "plan.eps", "format-is-document", "PostScript"),
        (b"  0\r\nSECTION\r\n  2\r\nHEADER\r\n", "plan.dxf", "format-is-document", "DXF"),
        (b"something else", "tag.f3d.stl", "format-is-model", "STL"),
        (b"something else", "DESSIN.CDR", "format-is-document", "CDR"),
    ],
)
def test_foreign_files_are_named(head: bytes, name: str, code: str, what: str) -> None:
    message = refusal_of(head, name).message
    assert (message.code, message.params["what"]) == (code, what)


@pytest.mark.parametrize(
    ("head", "name", "program"),
    [
        (b"solid a\nfacet", "a.stl", "PrusaSlicer or Cura"),
        (b"\x89PNG\r\n\x1a\n", "a.png", "Ink/Stitch"),
        (b"%PDF-1.7\n", "a.pdf", "Inkscape"),
    ],
)
def test_the_program_that_prepares_it_is_named(head: bytes, name: str, program: str) -> None:
    assert program in str(refusal_of(head, name))


def test_binary_stl_is_known_by_its_size() -> None:
    head = b"made by hand".ljust(80, b"\x00") + struct.pack("<I", 12) + bytes(12 * 50)
    assert refusal_of(head, "tag").message.params["what"] == "STL"
    assert refusal_of(head[:-1], "tag").message.code == "format-unknown"


def test_content_goes_before_the_name() -> None:
    assert recognise(b"G28\nG1 X1\n", "letter.txt", 10, FORMATS).names == {"gcode"}
    assert recognise(b"mine", "tag.gcode", 4, FORMATS).names == {"greedy"}


def test_the_name_chooses_between_several() -> None:
    assert recognise(b"both", "tag.OTHER", 4, FORMATS).names == {"other"}
    assert refusal_of(b"both", "tag.txt").message.code == "format-ambiguous"


def test_text_called_gcode() -> None:
    refusal = refusal_of(b"Dear all,\nsee you at six.\n", "piece.gcode")
    assert refusal.message.code == "format-not-as-named"
    assert refusal.message.params["suffix"] == ".gcode"


def test_empty_and_unknown() -> None:
    assert refusal_of(b"", "piece.gcode").message.code == "format-empty"
    unknown = refusal_of(b"Dear all,", "letter.odt").message
    assert unknown.code == "format-unknown"
    assert unknown.params["suffixes"] == ".g .gco .gcode .greedy .other"


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.gcode")), ids=lambda file: file.stem)
def test_samples(file: Path) -> None:
    formats, _ = installed()
    data = file.read_bytes()
    assert recognise(data[:HEAD_BYTES], "brought", len(data), formats).names == {"gcode"}


@given(st.binary(min_size=1, max_size=300), st.text(max_size=20))
def test_wild_heads(head: bytes, name: str) -> None:
    with suppress(JobRejected):
        assert recognise(head, name, len(head), FORMATS) in FORMATS
