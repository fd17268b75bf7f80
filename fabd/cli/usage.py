"""`fabd usage`: the ledger, as the till sees it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fabd import words
from fabd.cli import screen, tables
from fabd.cli.desk import Desk, noun, verb
from fabd.cli.exits import Exit
from fabd.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from rich.table import Table

    from fabd.views import EntryView


def add_to(app: typer.Typer) -> None:
    group = noun(app, "usage", help=_("The ledger: what was used, and what it costs."))
    verb(group, "list", list_, help=_("Entries, the oldest first."))
    verb(group, "show", show, help=_("All about one entry."))
    verb(group, "export", export, help=_("All entries, as JSON Lines."))
    verb(group, "verify", verify, help=_("Hash the whole ledger again, and say where it breaks."))


def list_(
    desk: Desk,
    after: Annotated[int, typer.Option(metavar="SEQ", help=_("Begin after this entry."))] = 0,
    limit: Annotated[int, typer.Option(metavar="N", help=_("At most so many."))] = 100,
) -> None:
    with desk.daemon() as daemon:
        entries = daemon.usage(after=after, limit=limit)
    desk.show(entries, lambda: _entries(entries))
    if len(entries) == limit:
        screen.err().print(_("There may be more: fabd usage list --after {seq}").format(seq=entries[-1].seq))


def show(
    desk: Desk,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help=_("The entry's number."), show_default=False)],
) -> None:
    with desk.daemon() as daemon:
        view = daemon.entry(seq)
    desk.show(view, lambda: _entry(view))


def export(desk: Desk) -> None:
    with desk.daemon() as daemon:
        for piece in daemon.export():
            sys.stdout.buffer.write(piece)


def verify(desk: Desk) -> int:
    with desk.daemon() as daemon:
        view = daemon.verify()
    if desk.as_json:
        screen.print_json(view)
    else:
        whole = ngettext("The ledger is whole: {count} entry.", "The ledger is whole: {count} entries.", view.entries)
        broken = ngettext(
            "The ledger is broken: {count} entry.", "The ledger is broken: {count} entries.", view.entries
        )
        screen.out().print((whole if view.ok else broken).format(count=view.entries))
        for problem in view.problems:
            screen.out().print(words.harmless(f"  - {words.told(problem)}"))
    return Exit.OK if view.ok else Exit.BAD_OUTCOME


def _entries(views: "Sequence[EntryView]") -> "Table":
    headings = [
        _("Entry"),
        _("When"),
        _("What"),
        _("Ticket"),
        _("Job"),
        _("Machine"),
        _("Member"),
        _("Level"),
        _("Price"),
    ]
    rows = (
        (
            str(view.seq),
            words.instant(view.time),
            _kind(view.data),
            view.ticket or "",
            _text(view.data, "job"),
            _text(view.data, "machine"),
            _text(view.data, "member"),
            _text(view.data, "level"),
            _price(view.data),
        )
        for view in views
    )
    return screen.table(headings, rows, right=(0, 8))


def _entry(view: "EntryView") -> "Group":
    from rich.console import Group
    from rich.text import Text

    data: dict[str, Any] = view.data
    known = {
        "job": _("Job"),
        "attempt": _("Attempt"),
        "machine": _("Machine"),
        "member": _("Member"),
        "payer": _("Payer"),
        "facilitator": _("Facilitator"),
        "level": _("Level"),
        "tariff": _("Tariff"),
        "outcome": _("Outcome"),
        "fault": _("Fault"),
    }
    head = screen.card(
        [
            (_("Entry"), str(view.seq)),
            (_("What"), _kind(data)),
            (_("When"), words.instant(view.time)),
            (_("Ticket"), view.ticket or ""),
            (_("Customer"), view.customer or ""),
            *((label, _text(data, name)) for name, label in known.items()),
            ("id", view.event_id),
            ("prev", _text(data, "prev")),
            ("hash", _text(data, "hash")),
        ]
    )
    if not data.get("lines"):
        return Group(head)
    return Group(head, Text(), tables.lines(data["lines"], data["total_ttc_cents"], data["currency"]))


def _kind(data: dict[str, Any]) -> str:
    kinds = {"charge": _("charge"), "reversal": _("reversal"), "closure": _("closure"), "note": _("note")}
    kind = _text(data, "kind")
    return kinds.get(kind, kind)


def _price(data: dict[str, Any]) -> str:
    cents = data.get("total_ttc_cents")
    return words.money(cents, _text(data, "currency")) if isinstance(cents, int) else ""


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(value)
