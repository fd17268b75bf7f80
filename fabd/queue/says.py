"""Messages in rows and in views: codes with parameters, both ways."""

from collections.abc import Iterable, Sequence
from typing import Any

from fabd.model import Message
from fabd.views import Say


def to_json(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """As they stand in a JSON column."""
    return [{"code": message.code, "params": dict(message.params)} for message in messages]


def from_json(rows: Sequence[dict[str, Any]]) -> tuple[Message, ...]:
    """As `to_json` wrote them."""
    return tuple(Message(code=row["code"], params=row["params"]) for row in rows)


def say_all(messages: Iterable[Message]) -> tuple[Say, ...]:
    """As the API speaks them."""
    return tuple(Say.of(message) for message in messages)
