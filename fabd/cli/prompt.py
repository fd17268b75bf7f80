"""`fabd prompt`: what machines ask of people."""

from typing import Annotated

import typer

from fabd import words
from fabd.cli import screen, tables
from fabd.cli.desk import Desk, noun, verb
from fabd.cli.machine import Machine
from fabd.i18n import _


def add_to(app: typer.Typer) -> None:
    group = noun(app, "prompt", help=_("What machines ask of people."))
    verb(group, "list", list_, help=_("What nobody answered yet."))
    verb(group, "answer", answer, help=_("Answer what a machine asks."))


def list_(desk: Desk) -> None:
    with desk.daemon() as daemon:
        prompts = daemon.prompts()
    desk.show(prompts, lambda: tables.prompts(prompts))


def answer(
    desk: Desk,
    machine: Machine,
    answer: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER", help=_("One of the answers in the list; stitches= wants a number: stitches=412.")
        ),
    ],
) -> None:
    with desk.daemon() as daemon:
        view = daemon.answer(machine, answer)
    if desk.as_json:
        screen.print_json(view)
    else:
        told = _("{machine}: “{prompt}” is answered: {answer}.")
        screen.out().print(
            words.harmless(told.format(machine=view.machine, prompt=words.told(view.say), answer=view.answer))
        )
