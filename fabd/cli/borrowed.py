"""Speaks the reader's language where typer's own words are on the screen.

Part of them go through gettext's default domain; the rest are taken apart and said again. What a later typer says
otherwise stays English, and nothing is lost.
"""

import gettext
import os
import re
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from fabd.i18n import LOCALE, _
from fabd.messages import N_

BORROWED = (
    N_("(deprecated) "),
    N_("[default: {}]"),
    N_("[env var: {}]"),
    N_("[required]"),
    N_("Arguments"),
    N_("Options"),
    N_("Commands"),
)
"""What typer looks up in gettext's default domain."""

SENTENCES = (
    (r"Missing command\.", N_("A command is missing.")),
    (r"Missing argument '(?P<name>.+?)'\..*", N_("The argument {name} is missing.")),
    (r"Missing option '(?P<name>.+?)'\..*", N_("The option {name} is missing.")),
    (r"No such command '(?P<name>.+?)'\. Did you mean (?P<near>.+)\?", N_("There is no command {name}. Is it {near}?")),
    (r"No such command '(?P<name>.+?)'\.", N_("There is no command {name}.")),
    (
        r"No such option: (?P<name>\S+) (\(Possible options: |Did you mean )(?P<near>.+)[)?]",
        N_("There is no option {name}. Is it {near}?"),
    ),
    (r"No such option: (?P<name>\S+)", N_("There is no option {name}.")),
    (r"Got unexpected extra argument\S* \((?P<rest>.+)\)", N_("There is too much: {rest}.")),
    (r"Option '(?P<name>.+)' requires an argument\.", N_("The option {name} needs a value.")),
    (r"Invalid value for '(?P<name>.+?)': Input should be a valid integer.*", N_("{name} wants a whole number.")),
    (
        r"Invalid value for '(?P<name>.+?)': Value error, (?P<found>'.*') is not one of (?P<known>.+)\.",
        N_("{name} does not take {found}. It takes one of: {known}."),
    ),
    (
        r"Invalid value for '(?P<name>.+?)': Value error, (?P<found>'.*') does not match the formats? .+",
        N_("{name} does not take {found}. It takes a date such as 2026-12-31."),
    ),
    (r"Invalid value for '(?P<name>.+?)': (?P<detail>.+)", N_("{name} does not take this value: {detail}")),
)
"""What typer says when it is used wrongly, and how we say it."""


def speak() -> None:
    """Point gettext's default domain to our translations; call it before typer makes its first help page."""
    os.environ["LANGUAGE"] = LOCALE
    gettext.bindtextdomain("fabd", str(Path(__file__).parent.parent / "locale"))
    gettext.textdomain("fabd")


def in_our_words(error: typer.TyperException) -> str:
    """What `error` says, in the reader's language where we know the sentence."""
    text = " ".join(error.format_message().split())
    for pattern, sentence in SENTENCES:
        if found := re.fullmatch(pattern, text):
            return _(sentence).format(**found.groupdict())
    return text


class Verb(TyperCommand):
    """A command whose usage line and help option are in the reader's language."""

    def format_usage(self, ctx: typer.Context, formatter: object) -> None:  # type: ignore[override]
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: typer.Context) -> TyperOption | None:  # type: ignore[override]
        return _with_our_help(super().get_help_option(ctx))


class Noun(TyperGroup):
    """The same for a group of commands."""

    def format_usage(self, ctx: typer.Context, formatter: object) -> None:  # type: ignore[override]
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: typer.Context) -> TyperOption | None:  # type: ignore[override]
        return _with_our_help(super().get_help_option(ctx))


def _write_usage(command: TyperCommand | TyperGroup, ctx: typer.Context, formatter: object) -> None:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    formatter.write_usage(ctx.command_path, pieces, prefix=_("Usage: "))  # type: ignore[attr-defined]


def _with_our_help(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.help = _("Show this page and stop.")
    return option
