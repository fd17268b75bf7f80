"""The play: opens the café, lets people come in, and compares at the end what everybody says it was.

The whole daemon runs here, in this process, over a socket, a broker and a store of its own; people speak to it
through the same client as the command line. It ends with 0 only when till, ledger and machines agree.
"""

import asyncio
import signal
import tempfile
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fabd.client import Client, ClientError
from fabd.daemon import running
from fabd.demo import stage
from fabd.demo.call import Call
from fabd.demo.people import Operator, let_in, send
from fabd.demo.proof import Proof, compare
from fabd.demo.screen import Screen
from fabd.demo.till import Till
from fabd.drivers.registry import load_configuration
from fabd.i18n import LOCALE, _
from fabd.model import JobState
from fabd.reporting import logs
from fabd.tasks import end, own
from fabd.views import JobView

LIMIT_S = 110.0
"""The demo ends by itself, also when something hangs."""
ENDED = (JobState.COMPLETED, JobState.CANCELED, JobState.ABORTED)

T = TypeVar("T")


def run(keep: bool, as_json: bool) -> int:
    """Play; returns 0 when till, ledger and machines agree. `keep` leaves everything running until Ctrl-C."""
    screen = Screen(quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="fabd-demo-") as directory:
        place = Path(directory)
        with (place / "fabd.log").open("w") as log:
            logs.set_up(stream=log, json=True)
            try:
                return asyncio.run(_play(place, screen, keep=keep))
            except (ClientError, TimeoutError) as error:
                screen.say(str(error) or _("The demo took longer than it may. Its log ends so:"))
                log.flush()
                screen.say((place / "fabd.log").read_text()[-3000:])
                return 1


async def _play(place: Path, screen: Screen, *, keep: bool) -> int:
    stage.write_configuration(place, LOCALE)
    config = load_configuration(place)
    till = Till()
    stop = asyncio.Event()
    _heed_signals(stop)
    async with running(place, config) as daemon:
        assert daemon.connection is not None
        listening = own(till.work(daemon.connection.peer.host, daemon.connection.peer.port), "till")
        try:
            with Client(config.fabd.api.socket, person=None) as client:
                screen.opened(place, daemon.connection.address)
                async with asyncio.timeout(LIMIT_S):
                    proof = await _until(stop, _a_day(client, screen, till))
            if proof is None:
                return 130
            screen.show(proof)
            if keep:
                screen.keep(place, daemon)
                await stop.wait()
        finally:
            await end(listening)
    return 0 if proof.agrees else 1


def _heed_signals(stop: asyncio.Event) -> None:
    """However it is ended, a closed terminal included, nothing is left behind; under `nohup` it goes on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _a_day(client: Client, screen: Screen, till: Till) -> Proof:
    """Three people come in, the operator looks after the machines, and the till hears of it."""
    call = Call(client)
    await let_in(call, screen)
    operator = own(Operator(call, screen).work(), "operator")
    try:
        jobs = [await send(call, screen, visit) for visit in stage.VISITS]
        done = await _follow(call, screen, [job.id for job in jobs])
        await _cleared(call)
        await till.has(len(done))
    finally:
        await end(operator)
    entries = await call(Client.usage)
    return compare(till, entries, await call(Client.verify), done)


async def _follow(call: Call, screen: Screen, jobs: list[str]) -> list[JobView]:
    """Show how far each job is, until all have ended."""
    with screen.progress() as bars:
        while True:
            now = [await call(partial(Client.job, job=job)) for job in jobs]
            bars.show(now)
            if all(job.state in ENDED for job in now):
                return now
            await asyncio.sleep(0.25)


async def _cleared(call: Call) -> None:
    """Wait until the operator has taken every piece off its machine."""
    while await call(Client.prompts):
        await asyncio.sleep(0.1)


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns, or `None` when somebody stopped it first."""
    working, stopped = own(work, "day"), own(stop.wait(), "stop")
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await end(stopped)
        await end(working)
