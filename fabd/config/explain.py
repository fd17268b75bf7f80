"""Turns what pydantic refuses into messages: which file and key, what was found, what was expected."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fabd.config.model import ID_PATTERN
from fabd.messages import Message, Param, catalogue

Key = Sequence[int | str]
"""The way to a value, from the top of its file: `("machine", 1, "settings", "url")`."""

LONGEST_FOUND = 80

_CODES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "config-key-missing",
        "string_type": "config-wants-text",
        "path_type": "config-wants-text",
        "int_type": "config-wants-integer",
        "int_parsing": "config-wants-integer",
        "int_from_float": "config-wants-integer",
        "float_type": "config-wants-number",
        "float_parsing": "config-wants-number",
        "finite_number": "config-wants-number",
        "decimal_type": "config-wants-exact",
        "decimal_parsing": "config-wants-exact",
        "bool_type": "config-wants-boolean",
        "bool_parsing": "config-wants-boolean",
        "date_type": "config-wants-date",
        "date_parsing": "config-wants-date",
        "date_from_datetime_parsing": "config-wants-date",
        "date_from_datetime_inexact": "config-wants-date",
        "tuple_type": "config-wants-list",
        "list_type": "config-wants-list",
        "set_type": "config-wants-list",
        "frozen_set_type": "config-wants-list",
        "dict_type": "config-wants-table",
        "model_type": "config-wants-table",
        "literal_error": "config-wants-choice",
        "enum": "config-wants-choice",
        "greater_than": "config-wants-more-than",
        "greater_than_equal": "config-wants-at-least",
        "less_than": "config-wants-less-than",
        "less_than_equal": "config-wants-at-most",
        "too_short": "config-wants-length-from",
        "string_too_short": "config-wants-length-from",
        "too_long": "config-wants-length-to",
        "string_too_long": "config-wants-length-to",
    }
)
"""What each of pydantic's error types is in our words (pydantic's manual, "Validation Errors")."""

_LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length")
_CREDENTIALS = re.compile(r"(://[^/@:]*):[^/@]*@")
_SECRET = re.compile(r"passw|secret|token|api_?key")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a mistake stands; `tables` is the whole file, so that a key can be shown with the id it belongs to."""

    file: str
    tables: Mapping[str, object]

    def params(self, key: Key, found: object = None) -> dict[str, Param]:
        """The parameters that each message of this room has."""
        name = self._name(key)
        return {
            "file": self.file,
            "key": dotted(key),
            "item": f" ({name})" if name else "",
            "found": show(found, secret=_is_secret(key)),
        }

    def _name(self, key: Key) -> str | None:
        """The id of the innermost entry of a list on the way to `key`."""
        name: str | None = None
        value: Any = self.tables
        for part in key:
            try:
                value = value[part]
            except (LookupError, TypeError):
                break
            if isinstance(part, int) and isinstance(value, dict):
                name = next(
                    (value[word] for word in ("id", "sku", "version") if isinstance(value.get(word), str)), name
                )
        return name


def refusals(error: ValidationError, model: type[BaseModel], place: Place, prefix: Key = ()) -> list[Message]:
    """One message for each mistake that `model` found; `prefix` leads from the top of the file to what it validated.

    An error whose type is itself a code of the catalogue (see `refused`) is said by that code; a `ValueError` of a
    driver from another package is quoted.
    """
    return [
        _explain(details, model, place, prefix)
        for details in error.errors(include_url=False)
        if not _counts_refused_entries(details)
    ]


def dotted(key: Key) -> str:
    """`machine[1].settings.url`; indices count from 0, as everywhere in TOML's neighbourhood."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return path.removeprefix(".")


def show(found: object, *, secret: bool = False) -> str:
    """A value much as its file has it, short, and without passwords."""
    if found is None:
        return ""
    if secret:
        return "***"
    if isinstance(found, dict):
        text = "{" + ", ".join(str(key) for key in found) + "}"
    elif isinstance(found, list | tuple):
        text = "[" + ", ".join(show(value) for value in found) + "]"
    elif isinstance(found, str):
        text = json.dumps(_CREDENTIALS.sub(r"\1:***@", found), ensure_ascii=False)
    elif isinstance(found, bool):
        text = "true" if found else "false"
    else:
        text = str(found)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 1] + "…"


def unknown_key(name: str, known: Sequence[str], params: Mapping[str, Param]) -> Message:
    """The message about a key that nobody knows: the nearest one that is known, or else all of them."""
    if nearest := get_close_matches(name, known, n=1):
        return Message(code="config-key-misspelt", params={**params, "nearest": nearest[0]})
    return Message(code="config-key-unknown", params={**params, "known": ", ".join(known) or "–"})


def _counts_refused_entries(details: ErrorDetails) -> bool:
    """Whether this says of a list that it is too short only since its entries were refused, one by one."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _explain(details: ErrorDetails, model: type[BaseModel], place: Place, prefix: Key) -> Message:
    inner = tuple(part for part in details["loc"] if part != "[key]")
    found = None if details["type"] == "missing" else details["input"]  # else it is the table without the key
    params = place.params((*prefix, *inner), found)
    if details["type"] == "extra_forbidden":
        return unknown_key(str(inner[-1]), _known_beside(inner, model), params)
    context = details.get("ctx", {})
    code = _CODES.get(details["type"], details["type"])
    if code == "string_pattern_mismatch":
        code = "config-wants-id" if context["pattern"] == ID_PATTERN else "config-wants-pattern"
    if code == "config-wants-list" and isinstance(found, dict):
        code = "config-wants-tables"
    if code not in catalogue():
        detail = str(context.get("error", details["msg"]))
        return Message(code="config-value-refused", params={**params, "detail": detail})
    return Message(code=code, params={**params, **_expected(context)})


def _expected(context: Mapping[str, Any]) -> dict[str, Param]:
    """What was expected, from an error's context: pydantic's own limits and choices, and all that is text already."""
    expected: dict[str, Param] = {name: value for name, value in context.items() if isinstance(value, str)}
    if "expected" in expected:
        expected["choices"] = ", ".join(re.findall(r"'([^']*)'", context["expected"]))
    for limit in _LIMITS:
        if limit in context:
            expected["limit"] = str(context[limit])
    return expected


def _known_beside(key: Key, model: type[BaseModel]) -> list[str]:
    """The keys that may stand in the table where `key` stands."""
    for part in key[:-1]:
        if isinstance(part, int):
            continue
        field = _fields(model).get(part)
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            return []
        model = inner
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that `annotation` is, or wraps: `tuple[Level, ...]`, `Limits | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner)) is not None), None)


def _is_secret(key: Key) -> bool:
    return bool(key) and _SECRET.search(str(key[-1]).lower()) is not None
