"""What the demo shows: commands as a person would type them, progress, prompts, and the proof at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from fabd import words
from fabd.daemon import Daemon
from fabd.demo.proof import Line, Proof
from fabd.i18n import _
from fabd.views import JobView, PromptView


class Screen:
    """Standard output; with `quiet` only the proof is shown, as JSON."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(quiet=quiet, markup=False, emoji=False, highlight=False)

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text)

    def opened(self, place: Path, broker: str) -> None:
        """The café is open."""
        self.say(_("The café opens in {place}; the broker is {broker}.").format(place=place, broker=broker))

    def command(self, text: str) -> None:
        """What somebody would type, in one line, so that it can be copied."""
        self._console.print(f"$ {text}", style="bold", soft_wrap=True)

    def accepted(self, job: JobView) -> None:
        """What the daemon answered to a file."""
        told = _("  Job {job}: quote {price} at the level {level} ({minutes} of machine time), {state}.")
        self.say(
            told.format(
                job=job.id,
                price=words.money(job.quote.total_ttc_cents, job.quote.currency),
                level=job.quote.level_label,
                minutes=words.duration(job.quote.machine_s),
                state=words.job_state(job.state),
            )
        )
        for reason in job.reasons:
            self.say(f"  {words.told(reason)}")

    def prompted(self, prompt: PromptView, answer: str) -> None:
        """A machine asked, the operator did it, and answers."""
        self.say(f"[{prompt.machine}] {words.told(prompt.say)}")
        self.command(f"fabd prompt answer {prompt.machine} {answer}")

    @contextmanager
    def progress(self) -> Iterator["_Bars"]:
        """A bar for each job, on a terminal; elsewhere a line at each quarter."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as progress:
            yield _Bars(self, progress)

    def show(self, proof: Proof) -> None:
        """Who says what it was."""
        if self._quiet:
            Console(highlight=False).print_json(data=_as_data(proof))
            return
        self._console.print(_lines(_("Ticket lines, as the till received them over MQTT"), proof.till))
        self._console.print(_lines(_("The same, from the ledger"), proof.ledger))
        counts = Table(title=_("What the machines counted themselves"), title_justify="left")
        for heading in (_("Machine"), _("Meter"), _("Ledger"), _("Machine's own odometer")):
            counts.add_column(heading)
        for count in proof.counts:
            counts.add_row(count.machine, count.meter, f"{count.ledger:.0f}", f"{count.machine_says:.1f}")
        self._console.print(counts)
        verified = _("Ledger verified: {entries} entries, the chain holds.")
        broken = _("The ledger is broken: {problems}")
        problems = "; ".join(words.told(problem) for problem in proof.verified.problems)
        self.say((verified if proof.verified.ok else broken).format(entries=proof.verified.entries, problems=problems))
        agreed = _("Till, ledger and machines agree.")
        self.say(agreed if proof.agrees else _("Till, ledger and machines do NOT agree."))

    def keep(self, place: Path, daemon: Daemon) -> None:
        """How to talk to a demo that goes on."""
        socket = daemon.house.config.fabd.api.socket
        self.say(_("Everything goes on until you press Ctrl-C. In another terminal:"))
        self.command(f"export FABD_SOCKET={socket}")
        self.command("fabd machine list")
        self.command("fabd watch")
        if daemon.connection is not None:
            host, port = daemon.connection.peer.host, daemon.connection.peer.port
            self.command(f"mosquitto_sub -h {host} -p {port} -t 'fab/v1/demo/#' -v")
        self.command(f"curl {daemon.metrics}")
        self.say(_("Its log is {path}.").format(path=place / "fabd.log"))


class _Bars:
    """How far each job is."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen = screen
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}

    def show(self, jobs: Sequence[JobView]) -> None:
        """Draw it."""
        for job in jobs:
            share = 1.0 if job.total_ttc_cents is not None else job.progress or 0.0
            machine = job.attempts[-1].machine if job.attempts else job.machine_wanted or job.kind
            description = f"{machine:10} {job.title:14} {words.job_state(job.state)}"
            if job.id not in self._bars:
                self._bars[job.id] = self._progress.add_task(description, total=1.0)
            self._progress.update(self._bars[job.id], completed=share, description=description)
            line = f"{description} {int(share * 4) * 25} %"
            if self._progress.disable and self._said.get(job.id) != line:
                self._screen.say(line)
            self._said[job.id] = line


def _lines(title: str, lines: Sequence[Line]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(_("Ticket"))
    table.add_column(_("Customer"))
    table.add_column(_("What"))
    table.add_column(_("Price"), justify="right")
    for ticket, customer, label, cents in lines:
        table.add_row(ticket, customer, label, words.money(cents, "EUR"))
    table.add_row("", "", _("Total"), words.money(sum(line[3] for line in lines), "EUR"))
    return table


def _as_data(proof: Proof) -> dict[str, object]:
    def plain(lines: Sequence[Line]) -> list[dict[str, object]]:
        return [dict(zip(("ticket", "customer", "label", "ttc_cents"), line, strict=True)) for line in lines]

    return {
        "agrees": proof.agrees,
        "till": plain(proof.till),
        "ledger": plain(proof.ledger),
        "verified": proof.verified.model_dump(mode="json"),
        "machines": [
            {"machine": c.machine, "meter": c.meter, "ledger": c.ledger, "odometer": c.machine_says}
            for c in proof.counts
        ],
    }
