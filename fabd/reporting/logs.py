"""Logs: one event a line; readable on a terminal, JSON under systemd. Secrets are never in them.

An event is a code of the catalogue where it has a sentence to say, or a few words; what it is about stands in keys.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from fabd.messages import Message, catalogue, say

SECRET_KEY = re.compile(r"pass(word|wd|phrase)?|token|secret|api_?key|authorization|credentials?", re.IGNORECASE)
USER_INFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/?#]*@", re.IGNORECASE)
"""Who somebody is at a place that a URL names (RFC 3986, section 3.2.1); up to the last `@`, as lenient parsers do."""
MASK = "***"
LOUD = ("aiomqtt", "alembic", "amqtt", "asyncio", "httpcore", "httpx", "mqtt", "transitions", "uvicorn.access")
"""Libraries that tell more than anybody asked for: only their warnings are heard."""


def set_up(level: str = "INFO", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send everything that anybody logs to `stream`, else to standard error.

    `json` chooses the form; without it, it is whether a person is there to read.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # before secrets are masked: an error's text may hold one
        _without_secrets,
        _with_sentence,
    ]
    stream = sys.stderr if stream is None else stream
    as_json = _read_by_a_program(stream) if json is None else json
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(stream, as_json))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def masked(text: str) -> str:
    """`text` without the user and password of any URL in it."""
    return USER_INFO.sub(rf"\g<scheme>{MASK}@", text)


def _last(stream: TextIO, as_json: bool) -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    render: list[Processor]
    render = [structlog.processors.JSONRenderer(default=str)] if as_json else [_sentence_first, _printable, console]
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]


def _read_by_a_program(stream: TextIO) -> bool:
    # systemd sets this where standard error is connected to the journal (systemd.exec(5)).
    return "JOURNAL_STREAM" in os.environ or not stream.isatty()


def _without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if SECRET_KEY.fullmatch(key):
        return MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {inner: _clean(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", held) for held in value]
    return value


def _with_sentence(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say in words what a code of the catalogue means, where all that its sentence needs is there."""
    if event.get("event") in catalogue():
        with suppress(KeyError):
            event["text"] = say(Message(code=event["event"], params=event))
    return event


def _sentence_first(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if "text" in event:
        event["event"] = event.pop("text")
    return event


def _printable(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """What strangers wrote must not move the cursor of whoever reads."""
    return {
        key: _escaped(value, key == "exception") if isinstance(value, str) else value for key, value in event.items()
    }


def _escaped(text: str, may_break_lines: bool) -> str:
    return "".join(
        letter if letter.isprintable() or (letter == "\n" and may_break_lines) else ascii(letter)[1:-1]
        for letter in text
    )
