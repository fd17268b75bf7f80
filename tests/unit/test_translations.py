"""Every sentence that a person reads is in the catalogues, and in French."""

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from fabd import errors
from fabd.messages import ROOMS, catalogue

FABD = Path(__file__).parents[2] / "fabd"
FRENCH = FABD / "locale" / "fr" / "LC_MESSAGES" / "fabd.po"
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)} | {"TooLarge"}


def forms(of: object) -> tuple[str, ...]:
    """The singular and plural forms of a message's id or translation."""
    return (of,) if isinstance(of, str) else tuple(of) if isinstance(of, tuple | list) else ()


def fields(sentence: str) -> set[str]:
    """The names in braces, with what follows them."""
    found = string.Formatter().parse(sentence)
    return {f"{name}!{conversion or ''}:{form}" for _text, name, form, conversion in found if name is not None}


@pytest.fixture(scope="module")
def french() -> Catalog:
    with FRENCH.open("rb") as text:
        return read_po(text)


@pytest.fixture(scope="module")
def sentences() -> set[tuple[str, ...]]:
    """All that the sources mark for translation."""
    return {forms(message) for _file, _line, message, _comments, _context in extract_from_dir(FABD)}


def translated(french: Catalog) -> list[Message]:
    return [message for message in french if message.id]


def test_every_sentence_is_translated(french: Catalog, sentences: set[tuple[str, ...]]) -> None:
    """If not: `make translations`, and write what is missing into the French file."""
    done = {forms(message.id) for message in translated(french) if all(forms(message.string)) and message.string}
    assert sentences - done == set()


def test_nothing_is_translated_that_nobody_says(french: Catalog, sentences: set[tuple[str, ...]]) -> None:
    assert {forms(message.id) for message in translated(french)} - sentences == set()
    assert list(french.obsolete) == []


def test_no_translation_is_a_guess(french: Catalog) -> None:
    assert [message.id for message in translated(french) if message.fuzzy] == []


def test_translations_have_the_same_places_to_fill(french: Catalog) -> None:
    for message in translated(french):
        wanted = [fields(form) for form in forms(message.id)]
        for number, form in enumerate(filter(None, forms(message.string))):
            assert fields(form) == wanted[min(number, len(wanted) - 1)], message.id


def test_spaces_at_the_ends_are_kept(french: Catalog) -> None:
    for message in translated(french):
        for english, ours in zip(forms(message.id), filter(None, forms(message.string)), strict=False):
            assert (english[:1].isspace(), english[-1:].isspace()) == (ours[:1].isspace(), ours[-1:].isspace())


def test_every_room_with_sentences_is_read() -> None:
    assert {file.stem for file in (FABD / "messages").glob("*.py")} == {*ROOMS, "__init__"}


def test_sentences_are_filled_by_name_alone() -> None:
    """Numbers are written as the reader writes them before they stand in a sentence: it cannot format them again."""
    for code, sentence in catalogue().items():
        for _text, name, form, conversion in string.Formatter().parse(sentence):
            assert name is None or (name.isidentifier() and not form and conversion is None), code


@dataclass(frozen=True)
class Use:
    """A message's code somewhere in the code; `given` is `None` where its parameters cannot be seen there."""

    place: str
    code: str
    given: frozenset[str] | None


def uses() -> Iterator[Use]:
    for file in sorted(FABD.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and (found := _code_and_params(node)) is not None:
                yield Use(f"{file.relative_to(FABD)}:{node.lineno}", *found)


def _code_and_params(call: ast.Call) -> tuple[str, frozenset[str] | None] | None:
    """The code that a call names in so many words, and the names of the parameters that it gives."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name == "Message":
        return _literal(keywords.get("code"), _keys(keywords.get("params")))
    if name in ERRORS and call.args:
        return _literal(call.args[0], _names(keywords))
    if ast.unparse(call.func) == "ClientError.of":
        return _literal(call.args[1], _names(keywords))
    return None


def _literal(code: ast.expr | None, given: frozenset[str] | None) -> tuple[str, frozenset[str] | None] | None:
    return (code.value, given) if isinstance(code, ast.Constant) and isinstance(code.value, str) else None


def _names(keywords: dict[str | None, ast.expr]) -> frozenset[str] | None:
    return None if None in keywords else frozenset(name for name in keywords if name is not None)


def _keys(params: ast.expr | None) -> frozenset[str] | None:
    if params is None:
        return frozenset()
    if not isinstance(params, ast.Dict) or not all(isinstance(key, ast.Constant) for key in params.keys):
        return None
    return frozenset(str(ast.literal_eval(key)) for key in params.keys if key is not None)


def test_every_code_has_its_sentence() -> None:
    assert [use for use in uses() if use.code not in catalogue()] == []


def test_every_sentence_gets_its_parameters() -> None:
    """A sentence with a place that nobody fills would fail at the very moment when something must be said."""
    for use in uses():
        wanted = {field.split("!")[0] for field in fields(catalogue()[use.code])}
        assert use.given is None or wanted <= use.given, use


def test_every_sentence_is_said_somewhere() -> None:
    said = set()
    for file in FABD.rglob("*.py"):
        if file.parent.name != "messages":
            constants = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
            said |= {constant.value for constant in constants if isinstance(constant.value, str)}
    assert {code for code in catalogue() if code not in said} == set()
