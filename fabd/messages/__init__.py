"""What fabd says to people: codes with parameters inside, sentences only where somebody reads them.

A `Message` travels between rooms, over the API and over MQTT as a code and its parameters. The
catalogues beside this file, one for each room, hold the English sentence of each code; French is in
`fabd/locale`. Neither is consulted before somebody reads.
"""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

Param = str | int | float | None

LOCALES = ("en", "fr")
ROOMS = ("common", "config", "store", "formats", "drivers", "metering", "queue", "reporting", "api")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One thing to say: `code` is a key of a catalogue, `params` fill its sentence."""

    code: str
    params: Mapping[str, Param] = field(default_factory=dict)


def N_(sentence: str) -> str:
    """Mark a sentence for extraction; translate it when it is read."""
    return sentence


@cache
def catalogue() -> Mapping[str, str]:
    """Every code with its English sentence, from the catalogues of all rooms."""
    sentences: dict[str, str] = {}
    for room in ROOMS:
        for code, sentence in import_module(f"fabd.messages.{room}").SENTENCES.items():
            if code in sentences:
                raise ValueError(f"message code {code!r} stands in two catalogues")
            sentences[code] = sentence
    return MappingProxyType(sentences)


@cache
def translations(locale: str) -> gettext.NullTranslations:
    """The translations for `locale` ("fr", "fr_FR.UTF-8" ...); English where there are none."""
    language = locale.replace("-", "_").split(".")[0].split("_")[0]
    directory = Path(__file__).parent.parent / "locale"
    return gettext.translation("fabd", str(directory), [language], fallback=True)


def say(message: Message, locale: str = "en") -> str:
    """The sentence of `message` in `locale`.

    A code that no catalogue knows (a driver from another package) is shown as it is, with its
    parameters: less kind than a sentence, but nothing is hidden.
    """
    sentence = catalogue().get(message.code)
    if sentence is None:
        details = ", ".join(f"{key}={value}" for key, value in message.params.items())
        return f"{message.code} ({details})" if details else message.code
    return translations(locale).gettext(sentence).format(**message.params)
