"""Tells what went wrong: one message on standard error, and the exit code that belongs to it."""

import os
import sys
import traceback

import typer

from fabd import words
from fabd.cli import screen
from fabd.cli.borrowed import in_our_words
from fabd.cli.exits import Exit
from fabd.client import ClientError, Trouble
from fabd.errors import ConfigError, FabdError, Refused
from fabd.messages import Message
from fabd.views import Problem, Say

EXITS = {
    Trouble.UNREACHABLE: Exit.UNREACHABLE,
    Trouble.WRONG: Exit.WRONG_USAGE,
    Trouble.REFUSED: Exit.REFUSED,
    Trouble.BROKEN: Exit.BROKEN,
}


def tell(error: Exception, *, as_json: bool) -> Exit:
    """Say `error` on standard error, as a `Problem` in JSON where that is asked for."""
    if os.environ.get("FABD_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, typer.TyperException) and not error.format_message():
        return Exit.WRONG_USAGE  # a noun without a verb: typer has printed the help page
    code, problem = _judge(error)
    if as_json:
        sys.stderr.write(problem.model_dump_json() + "\n")
    else:
        lines = [words.told(problem.problem), *(f"  - {words.told(detail)}" for detail in problem.details)]
        screen.err().print(words.harmless("fabd: " + "\n".join(lines)), soft_wrap=True)
    return code


def _judge(error: Exception) -> tuple[Exit, Problem]:
    if isinstance(error, ClientError):
        return EXITS[error.trouble], error.problem
    if isinstance(error, ConfigError):
        return Exit.WRONG_USAGE, _problem(error.message, *error.problems)
    if isinstance(error, FabdError):
        return Exit.REFUSED if isinstance(error, Refused) else Exit.BROKEN, _problem(error.message)
    if isinstance(error, typer.TyperException):
        return Exit.WRONG_USAGE, _problem(Message(code="client-wrong-usage", params={"detail": in_our_words(error)}))
    if isinstance(error, typer.Abort):
        return Exit.INTERRUPTED, _problem(Message(code="client-interrupted"))
    detail = f"{type(error).__name__}: {error}"
    return Exit.OUR_MISTAKE, _problem(Message(code="client-mistake", params={"detail": detail}))


def _problem(message: Message, *details: Message) -> Problem:
    return Problem(problem=Say.of(message), details=tuple(Say.of(detail) for detail in details))
