"""`fabd member`: the people, and how autonomous they are."""

from datetime import datetime
from typing import Annotated

import typer

from fabd.cli import tables
from fabd.cli.desk import Desk, noun, verb
from fabd.i18n import _

Member = Annotated[str, typer.Argument(metavar="MEMBER", help=_("The member's id."), show_default=False)]
Kind = Annotated[
    str,
    typer.Argument(metavar="KIND", help=_("The kind of machine: printer, cutter, embroiderer ..."), show_default=False),
]
Level = Annotated[
    str,
    typer.Argument(
        metavar="LEVEL",
        help=_("served, accompanied, autonomous or mentor, unless levels.toml says otherwise."),
        show_default=False,
    ),
]
Why = Annotated[str | None, typer.Option(metavar="TEXT", help=_("Why; it is kept with the grant."))]


def add_to(app: typer.Typer) -> None:
    group = noun(app, "member", help=_("Members, and their level on each kind of machine."))
    verb(group, "add", add, help=_("Make a member known."))
    verb(group, "list", list_, help=_("All members."))
    verb(group, "show", show, help=_("All about one member."))
    verb(group, "grant", grant, help=_("Give a member a level on a kind of machine."))
    verb(group, "revoke", revoke, help=_("Take back what was granted on a kind of machine."))


def add(
    desk: Desk,
    member: Annotated[
        str, typer.Argument(metavar="ID", help=_("What people type: alice, c.dupont ..."), show_default=False)
    ],
    name: Annotated[str | None, typer.Option(metavar="NAME", help=_("The name."))] = None,
    facilitator: Annotated[bool, typer.Option("--facilitator", help=_("May act for others."))] = False,
    customer: Annotated[str | None, typer.Option(metavar="REF", help=_("The till's own reference."))] = None,
) -> None:
    with desk.daemon() as daemon:
        view = daemon.add_member(member, name=name, customer=customer, facilitator=facilitator)
    desk.show(view, lambda: tables.member(view))


def list_(desk: Desk) -> None:
    with desk.daemon() as daemon:
        members = daemon.members()
    desk.show(members, lambda: tables.members(members))


def show(desk: Desk, member: Member) -> None:
    with desk.daemon() as daemon:
        view = daemon.member(member)
    desk.show(view, lambda: tables.member(view))


def grant(
    desk: Desk,
    member: Member,
    kind: Kind,
    level: Level,
    until: Annotated[
        datetime | None,
        typer.Option(metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help=_("The last day on which it counts.")),
    ] = None,
    why: Why = None,
) -> None:
    with desk.daemon() as daemon:
        view = daemon.grant(member, kind, level, until=until.date() if until else None, why=why)
    desk.show(view, lambda: tables.member(view))


def revoke(desk: Desk, member: Member, kind: Kind, why: Why = None) -> None:
    with desk.daemon() as daemon:
        view = daemon.revoke(member, kind, why=why)
    desk.show(view, lambda: tables.member(view))
