"""Printers behind OctoPrint, which goes on printing without us.

Each attempt is a file of its own in OctoPrint: by its name it is found again, whoever was restarted meanwhile. The end is
proven by OctoPrint's event or by its own books of that file; material is what the program had used at OctoPrint's position
in it; machine time is OctoPrint's print time, which leaves pauses out. What prints there and is not ours is never touched.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Self

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from fabd.drivers.contract import Attempt
from fabd.drivers.octoprint_config import OctoprintConfig
from fabd.drivers.octoprint_http import Upload
from fabd.drivers.octoprint_key import key_of
from fabd.drivers.octoprint_print import Print
from fabd.drivers.octoprint_rest import Rest
from fabd.drivers.octoprint_state import End, Ended, Snapshot
from fabd.drivers.octoprint_watch import Watch
from fabd.drivers.printer_limits import objections
from fabd.errors import JobLost, JobRejected, LinkLost, MachineFault
from fabd.model import FOREIGN_JOB, Message, Meter, Phase, Program, Reading
from fabd.tasks import end, own

REPORT_S = 0.5
PROOF_S = 5.0
"""How long OctoPrint may take to write down how a print ended, or to begin one that it said it would."""
PRINTER_S = 12.0
"""How long OctoPrint may take to end a print, or to reach its printer, before a stop counts as owed."""
LOOK_S = 0.3
OURS = re.compile(r"fabd-[A-Za-z0-9-]+-[A-Za-z0-9]+\.gcode")
"""How our files are called in OctoPrint: `fabd-412-K7.gcode`, by the attempt and the ticket on the piece."""


class Octoprint:
    """The driver. One attempt at a time; `pause()` and `stop()` may come from another task while it runs."""

    Config: ClassVar[type[OctoprintConfig]] = OctoprintConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"gcode"})
    kinds: ClassVar[frozenset[str]] = frozenset({"printer"})
    adopts: ClassVar[bool] = True

    def __init__(self, config: OctoprintConfig) -> None:
        self._config = config
        self._open: tuple[Rest, Watch] | None = None
        self._print: Print | None = None
        self._runs = False
        self._upload: Upload | None = None
        self._uploading: asyncio.Task[bool] | None = None

    async def __aenter__(self) -> Self:
        """Connect; raises `LinkLost`, in words that say who must act, or `MachineFault` for a file with a key."""
        config = self._config
        rest = Rest(config.url, await key_of(config), ca_file=config.ca_file, silence_s=config.silence_s)
        try:
            await rest.greet()
            watch = Watch(rest, config.url, self._tls())
            await watch.open()
        except BaseException:
            rest.close()
            raise
        self._open = rest, watch
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of the wire; what OctoPrint prints goes on."""
        connection, self._open = self._open, None
        if connection is not None:
            rest, watch = connection
            await watch.close()
            await self._break_off_upload()
            rest.close()

    def check(self, program: Program) -> Sequence[Message]:
        """Why this printer cannot make `program`: the same rules as for a printer on a serial port."""
        return list(objections(program, self._config))

    def estimate_s(self, program: Program) -> float:
        """Machine time, in seconds, from the program's own curve."""
        return program.curve.total.get(Meter.MACHINE_S, 0.0)

    async def read(self) -> Reading:
        """What OctoPrint last said. Raises `LinkLost` where it, or the printer behind it, is not there.

        A print that is not of the attempt under way is shown as `RUNNING` or `PAUSED`, with the reason `foreign-job`.
        """
        snapshot = self._watch.snapshot
        if self._runs and self._print is not None:
            return self._print.reading
        if not snapshot.operational and not snapshot.at_work:
            raise LinkLost("octoprint-printer-offline", url=self._config.url, state=snapshot.error or snapshot.words)
        if snapshot.at_work:
            phase = Phase.PAUSED if snapshot.paused else Phase.RUNNING
            return Reading(phase=phase, temperatures=snapshot.temperatures, reasons=frozenset({FOREIGN_JOB}))
        if self._print is not None:  # what it used stays to be read
            return self._print.rest(snapshot.temperatures)
        return Reading(phase=Phase.IDLE, temperatures=snapshot.temperatures)

    async def run(self, attempt: Attempt) -> None:
        """Have OctoPrint print the file, or find the attempt's print there; returns when its end is proven.

        An attempt that was begun before is never begun again: where OctoPrint does not have it, this raises `JobLost`.
        Raises `JobRejected` where OctoPrint does not take the file, `LinkLost`, or `MachineFault` in OctoPrint's words.
        """
        self._print = None
        if problems := self.check(attempt.program):
            raise JobRejected(problems[0].code, **problems[0].params)
        watch = self._watch
        self._print = made = Print(attempt, _file_name(attempt))
        self._runs = True
        begun = attempt.last is not None
        reporting = own(self._report(attempt, made), f"report {attempt.id}")
        try:
            if begun:
                await watch.refresh()
            else:
                await self._begin(attempt, made)
            await self._follow(watch, made)
            await watch.until(lambda snapshot: not snapshot.makes(made.name))
        finally:
            await end(reporting)
            self._runs = False
            attempt.report(made.reading)

    async def pause(self) -> None:
        """Have OctoPrint pause our print, and wait until it has; a heat-up goes on until its end."""
        await self._set_paused(True)

    async def resume(self) -> None:
        """Let our print go on."""
        await self._set_paused(False)

    async def stop(self) -> None:
        """Cancel our print and turn the heaters off, proven by what OctoPrint says then.

        Where OctoPrint has lost its printer, it is told to connect: a heater may be on. Raises `MachineFault` while
        something prints that is not ours: that is not touched, and the stop is owed until it is over.
        """
        rest, watch = self._rest, self._watch
        watch.check()
        await self._break_off_upload()
        await watch.refresh()
        try:
            async with asyncio.timeout(PRINTER_S):
                await self._end_print(rest, watch)
                if not watch.snapshot.operational:
                    await rest.connect_printer()
                    await self._asked_until(
                        watch, lambda snapshot: snapshot.operational and snapshot.temperatures != ()
                    )
                await rest.heaters_off([heater.name for heater in watch.snapshot.temperatures])
                await self._asked_until(watch, lambda snapshot: all(t.target_c == 0 for t in snapshot.temperatures))
        except TimeoutError as error:
            state = watch.snapshot.error or watch.snapshot.words
            raise LinkLost("octoprint-stop-unproven", url=self._config.url, limit_s=PRINTER_S, state=state) from error

    async def _end_print(self, rest: Rest, watch: Watch) -> None:
        snapshot = watch.snapshot
        if not snapshot.at_work:
            return
        if snapshot.file is None or not OURS.fullmatch(snapshot.file):
            raise MachineFault("octoprint-foreign-not-stopped", url=self._config.url, file=snapshot.file or "-")
        await rest.cancel()
        await self._asked_until(watch, lambda snapshot: not snapshot.at_work)
        made = self._print
        if made is not None and (ended := watch.ended.get(made.name)) is not None:
            made.finish(ended)

    async def _set_paused(self, paused: bool) -> None:
        rest, watch, made = self._rest, self._watch, self._print
        if self._uploading is not None:  # it may print at any moment
            await asyncio.wait([self._uploading])
        await watch.refresh()
        if made is None or not watch.snapshot.makes(made.name):
            return
        if paused:
            made.held = True
            await rest.pause()
        else:
            await rest.resume()
        found = await watch.until(lambda snapshot: snapshot.paused is paused or not snapshot.makes(made.name))
        made.held = paused
        if found.makes(made.name):
            made.take(found, paused_by=None)

    async def _asked_until(self, watch: Watch, true: Callable[[Snapshot], bool]) -> None:
        """Wait until OctoPrint is so; asked, since what is pushed may be a second old."""
        await watch.refresh()
        while not true(watch.snapshot):
            await asyncio.sleep(LOOK_S)
            await watch.refresh()

    async def _begin(self, attempt: Attempt, made: Print) -> None:
        """Upload the file under its own name, and have it printed at once."""
        rest = self._rest
        for left in await rest.uploads():
            if OURS.fullmatch(left):
                await rest.delete(left)
        await attempt.gate()
        self._watch.ended.pop(made.name, None)
        self._upload = upload = await asyncio.to_thread(Upload, attempt.file, made.name, {"print": "true"})
        self._uploading = own(rest.upload_and_print(upload), f"upload {attempt.id}")
        try:
            prints = await asyncio.shield(self._uploading)
        finally:
            upload.halt()
            if self._uploading.done():
                upload.close()
                self._upload = self._uploading = None
        if not prints:
            await self._watch.refresh()
            found, url = self._watch.snapshot, self._config.url
            if found.at_work:
                raise JobLost("octoprint-busy", url=url, file=found.file or "-")
            raise JobLost("octoprint-not-begun", url=url, state=found.error or found.words)

    async def _break_off_upload(self) -> None:
        """No byte of an upload goes out any more, and OctoPrint has said whether it prints what it got."""
        upload, uploading = self._upload, self._uploading
        if upload is not None and uploading is not None:
            upload.halt()
            await asyncio.wait([uploading])
            if not uploading.cancelled():
                uploading.exception()
            upload.close()
            self._upload = self._uploading = None

    async def _follow(self, watch: Watch, made: Print) -> None:
        """Take what OctoPrint says of our print, until its end is proven."""
        while True:
            ended = watch.ended.get(made.name)
            if ended is None and not watch.snapshot.makes(made.name):
                ended = await self._looked_up(watch, made)
            if ended is not None:
                return self._conclude(made, ended)
            if watch.snapshot.makes(made.name):
                made.take(watch.snapshot, paused_by=watch.paused_by)
            await watch.news()

    async def _looked_up(self, watch: Watch, made: Print) -> Ended | None:
        """How our print ended by OctoPrint's own books; `None` if it goes on after all. Raises `JobLost`."""
        until_s = asyncio.get_running_loop().time() + PROOF_S
        while asyncio.get_running_loop().time() < until_s:
            ended = watch.ended.get(made.name) or await self._rest.last_print_of(made.name)
            if ended is not None:
                return ended
            await watch.refresh()
            if watch.snapshot.makes(made.name):
                return None
            await asyncio.sleep(LOOK_S)
        state = watch.snapshot.error or watch.snapshot.words
        raise JobLost("octoprint-job-lost", url=self._config.url, file=made.name, state=state)

    def _conclude(self, made: Print, ended: Ended) -> None:
        made.finish(ended)
        url = self._config.url
        if ended.end is End.CANCELED:
            raise MachineFault("octoprint-canceled", url=url, by=ended.by or "?")
        if ended.end is End.FAILED:
            raise MachineFault("octoprint-failed", url=url, words=ended.reason or self._watch.snapshot.error or "?")

    async def _report(self, attempt: Attempt, made: Print) -> None:
        while True:
            attempt.report(replace(made.reading))  # a fresh one each time: that is how others hear that we live
            await asyncio.sleep(REPORT_S)

    def _tls(self) -> ssl.SSLContext | None:
        if not self._config.url.startswith("https:"):
            return None
        trusted = self._config.ca_file or DEFAULT_CA_BUNDLE_PATH
        try:
            return ssl.create_default_context(cafile=trusted)
        except OSError as error:
            raise LinkLost("octoprint-certificate", url=self._config.url, detail=str(error)) from error

    @property
    def _rest(self) -> Rest:
        return self._connection()[0]

    @property
    def _watch(self) -> Watch:
        return self._connection()[1]

    def _connection(self) -> tuple[Rest, Watch]:
        if self._open is None:
            raise LinkLost("wire-closed", wire=self._config.url)
        return self._open


def _file_name(attempt: Attempt) -> str:
    """`fabd-412-K7.gcode`: unique to the attempt, and nothing that a person typed."""
    ticket = "".join(letter for letter in attempt.ticket if letter.isascii() and letter.isalnum())
    return f"fabd-{attempt.id.removeprefix('fabd-')}-{ticket}.gcode"
