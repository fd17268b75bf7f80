"""Compiles the translations while the package is built, so that no compiled file is kept in the repository."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALES = Path("fabd", "locale")


class Translations(BuildHookInterface[BuilderConfig]):
    """Writes a `.mo` beside each `.po`: wheels carry it, and an editable install finds it in the source tree."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        for source in sorted(Path(self.root).joinpath(LOCALES).glob("*/LC_MESSAGES/*.po")):
            with source.open("rb") as text:
                translations = read_po(text, abort_invalid=True)
            with source.with_suffix(".mo").open("wb") as compiled:
                write_mo(compiled, translations)
