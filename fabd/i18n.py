"""The language of whoever reads: chosen once, from the environment, before the first sentence is made."""

import os
from collections.abc import Mapping

from fabd.messages import LOCALES, translations


def chosen(environment: Mapping[str, str]) -> str:
    """`en` or `fr`: what the first of these variables says that is set, as locale(7) has it, ours before all."""
    for variable in ("FABD_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(variable)
        if value:
            language = value.replace("-", "_").split(".")[0].split("_")[0].lower()
            return language if language in LOCALES else "en"
    return "en"


LOCALE = chosen(os.environ)
_ = translations(LOCALE).gettext
ngettext = translations(LOCALE).ngettext
