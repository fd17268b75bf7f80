"""What each view looks like on the screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fabd import words
from fabd.cli.screen import card, table
from fabd.i18n import _
from fabd.model import JobState

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from fabd.views import JobView, MachineView, MemberView, PromptView, QuoteView


ASKED = ("prompt-open", "output-area-full")
"""Reasons that an open prompt says better."""


def quote(view: "QuoteView") -> "Group":
    """A quote: its lines, the sum, and what there is to say about it."""
    from rich.console import Group
    from rich.text import Text

    verdicts = {
        "allow": _("May start as soon as a machine is free."),
        "ask": _("A facilitator must agree before it starts."),
        "refuse": _("This may not be made:"),
    }
    said = [verdicts[view.verdict], *(words.told(reason) for reason in (*view.reasons, *view.remarks))]
    if view.tariff_is_example:
        said.append(_("These are the prices of the example tariff, not the café's own."))
    head = card(
        [
            (_("Level"), view.level_label),
            (_("Machine"), view.machine or view.kind),
            (_("Material"), view.material or ""),
            (_("Copies"), str(view.copies) if view.copies > 1 else ""),
            (_("Time"), words.duration(view.machine_s)),
            (_("Tariff"), view.tariff),
        ]
    )
    sums = lines([line.model_dump() for line in view.lines], view.total_ttc_cents, view.currency)
    return Group(head, Text(), sums, Text(), *(Text(words.harmless(sentence)) for sentence in said))


def lines(many: Sequence[dict[str, Any]], total_ttc_cents: int, currency: str) -> "Table":
    """The lines of a quote or of a ledger entry, with their sum."""
    rows = [
        (
            str(line["label"]),
            words.quantity(str(line["qty"]), str(line["meter"])),
            words.coefficient(line["coef"]),
            words.money(line["ttc_cents"], currency),
        )
        for line in many
    ]
    rows.append((_("Total"), "", "", words.money(total_ttc_cents, currency)))
    return table([_("What"), _("Quantity"), _("Level"), _("Price")], rows, right=(1, 2, 3))


def accepted(view: "JobView") -> str:
    """What is said of a job that was just taken."""
    told = _("Job {job} is accepted: {state}.").format(job=view.id, state=words.job_state(view.state))
    return words.harmless(" ".join([told, words.told_all(view.reasons)]).rstrip())


def ended(view: "JobView") -> str:
    """How a job ended, and for how much."""
    told = _("Job {job}: {state}.").format(job=view.id, state=words.job_state(view.state))
    price = words.money(view.total_ttc_cents, view.quote.currency) or _("Nothing is charged.")
    return words.harmless(" ".join(part for part in (told, words.told_all(view.reasons), price) if part))


def jobs(views: "Sequence[JobView]") -> "Table":
    headings = [_("Job"), _("Title"), _("Member"), _("Machine"), _("State"), _("Done"), _("Left"), _("Price"), _("Why")]
    rows = (
        (
            view.id,
            view.title,
            view.member or _("walk-in"),
            view.attempts[-1].machine if view.attempts else view.machine_wanted or view.kind,
            words.job_state(view.state),
            words.share(view.progress),
            words.duration(view.remaining_s),
            words.money(view.total_ttc_cents, view.quote.currency),
            words.told_all(view.reasons),
        )
        for view in views
    )
    return table(headings, rows, right=(5, 6, 7))


def job(view: "JobView") -> "Group":
    from rich.console import Group
    from rich.text import Text

    head = card(
        [
            (_("Job"), view.id),
            (_("Title"), view.title),
            (_("State"), words.job_state(view.state)),
            (_("Why"), words.told_all(view.reasons)),
            (_("Member"), view.member or _("walk-in")),
            (_("Payer"), view.payer or ""),
            (_("Kind"), view.kind),
            (_("Format"), view.format),
            (_("Wanted machine"), view.machine_wanted or ""),
            (_("Wanted material"), view.material_wanted or ""),
            (_("Copies"), f"{view.copies_done} / {view.copies}"),
            (_("Done"), words.share(view.progress)),
            (_("Left"), words.duration(view.remaining_s)),
            (_("Sent"), f"{words.instant(view.submitted_at)} ({view.submitted_by})"),
            (_("Quote"), words.money(view.quote.total_ttc_cents, view.quote.currency)),
            (_("Price"), words.money(view.total_ttc_cents, view.quote.currency)),
        ]
    )
    return Group(head, Text(), _attempts(view)) if view.attempts else Group(head)


def _attempts(view: "JobView") -> "Table":
    headings = [_("Attempt"), _("Ticket"), _("Machine"), _("State"), _("Began"), _("Ended"), _("Price"), _("Why")]
    rows = (
        (
            str(attempt.number),
            attempt.ticket,
            attempt.machine,
            words.job_state(JobState(attempt.outcome or JobState.PROCESSING)),
            words.instant(attempt.started_at),
            words.instant(attempt.ended_at),
            words.money(attempt.total_ttc_cents, view.quote.currency),
            words.told_all(attempt.reasons),
        )
        for attempt in view.attempts
    )
    return table(headings, rows, right=(6,))


def machines(views: "Sequence[MachineView]") -> "Table":
    headings = [_("Machine"), _("State"), _("Job"), _("Ticket"), _("Done"), _("Left"), _("Material"), _("Why")]
    rows = (
        (
            view.id,
            words.machine_state(view.state),
            view.job or "",
            view.ticket or "",
            words.share(view.progress),
            words.duration(view.remaining_s),
            view.material or "",
            why(view),
        )
        for view in views
    )
    return table(headings, rows, right=(4, 5))


def why(view: "MachineView") -> str:
    """Why a machine is as it is; where it asks something, the question says more than that it asks."""
    if view.prompt is None:
        return words.told_all(view.reasons)
    others = [reason for reason in view.reasons if reason.code not in ASKED]
    return words.told_all([view.prompt.say, *others])


def machine(view: "MachineView") -> "Table":
    material = view.material or ""
    if material:
        source = view.lot or _("nobody loaded it: taken from the configuration")
        material = f"{material} ({source})"
    return card(
        [
            (_("Machine"), view.id),
            (_("Name"), view.name),
            (_("Kind"), view.kind),
            (_("Driver"), view.driver),
            (_("Connected"), _("yes") if view.connected else _("no")),
            (_("State"), words.machine_state(view.state)),
            (_("Phase"), words.phase(view.phase)),
            (_("Why"), why(view)),
            (_("Material"), material),
            (_("Job"), view.job or ""),
            (_("Ticket"), view.ticket or ""),
            (_("Member"), view.member or ""),
            (_("Done"), words.share(view.progress)),
            (_("Left"), words.duration(view.remaining_s)),
            *((heater.name, f"{heater.current_c:.0f} / {heater.target_c:.0f} °C") for heater in view.temperatures),
            (_("Answers"), ", ".join(view.prompt.choices) if view.prompt else ""),
        ]
    )


def prompts(views: "Sequence[PromptView]") -> "Table":
    headings = [_("Machine"), _("Ticket"), _("Since"), _("Prompt"), _("Answers")]
    rows = (
        (view.machine, view.ticket or "", words.instant(view.asked_at), words.told(view.say), ", ".join(view.choices))
        for view in views
    )
    return table(headings, rows)


def members(views: "Sequence[MemberView]") -> "Table":
    headings = [_("Member"), _("Name"), _("Facilitator"), _("Customer"), _("Levels")]
    rows = (
        (view.id, view.name or "", _("yes") if view.facilitator else "", view.customer or "", _levels(view))
        for view in views
    )
    return table(headings, rows)


def member(view: "MemberView") -> "Group":
    from rich.console import Group
    from rich.text import Text

    head = card(
        [
            (_("Member"), view.id),
            (_("Name"), view.name or ""),
            (_("Facilitator"), _("yes") if view.facilitator else ""),
            (_("Customer"), view.customer or ""),
            (_("In the ledger"), view.pseudonym),
            (_("Levels"), _levels(view)),
        ]
    )
    actions = {"grant": _("granted"), "revoke": _("revoked")}
    grants = table(
        [_("When"), _("What"), _("Kind"), _("Level"), _("Until"), _("By"), _("Why")],
        (
            (
                words.instant(grant.granted_at),
                actions[grant.action],
                grant.kind,
                grant.level,
                words.instant(grant.until),
                grant.granted_by or "",
                grant.why or "",
            )
            for grant in view.grants
        ),
    )
    return Group(head, Text(), grants) if view.grants else Group(head)


def _levels(view: "MemberView") -> str:
    return ", ".join(f"{kind}: {level}" for kind, level in sorted(view.levels.items()))
