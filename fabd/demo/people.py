"""The people of the demo: a facilitator, three members, and the operator who does what the machines ask."""

import asyncio
from functools import partial
from pathlib import Path
from uuid import uuid4

from fabd.client import Client, Params
from fabd.demo import stage
from fabd.demo.call import Call
from fabd.demo.screen import Screen
from fabd.model import JobState
from fabd.simulators import machine
from fabd.simulators.embroidery import SimulatedEmbroiderer
from fabd.views import JobView, PromptView

ANSWERS = {
    "prompt-clear-output": "ready",
    "start-design": "started",
    "thread-colour": "loaded",
    "design-finished": "finished",
}
"""What the operator answers to which prompt, after doing it."""


async def let_in(call: Call, screen: Screen) -> None:
    """The facilitator opens: people get their levels, machines are looked at and said to be ready."""
    await call(partial(Client.add_member, member=stage.FACILITATOR, name="Léa", facilitator=True))
    for number, visit in enumerate(stage.VISITS, 1):
        await call(partial(Client.add_member, member=visit.member, customer=f"C-{number:04}"))
        await call(partial(Client.grant, member=visit.member, kind=visit.kind, level=visit.level))
        screen.command(f"fabd member grant {visit.member} {visit.kind} {visit.level}")
    for visit in stage.VISITS:
        await _connected(call, visit.machine)
        await call(partial(Client.ready, machine=visit.machine))
        screen.command(f"fabd machine ready {visit.machine}")


async def send(call: Call, screen: Screen, visit: stage.Visit) -> JobView:
    """A visitor's file goes in; where the level asks for it, the facilitator releases the job."""
    options: Params = {"title": visit.file, "member": visit.member, "machine": visit.machine}
    screen.command(f"fabd submit examples/{visit.file} --for {visit.member} --machine {visit.machine}")
    job = await call(partial(_submit, path=stage.examples() / visit.file, options=options))
    screen.accepted(job)
    if job.state is JobState.HELD:
        screen.command(f"fabd --as {stage.FACILITATOR} job release {job.id}")
        job = await call(partial(Client.change_job, job=job.id, verb="release"))
    return job


def _submit(client: Client, path: Path, options: Params) -> JobView:
    with path.open("rb") as file:
        return client.submit(file, options, str(uuid4()))


async def _connected(call: Call, name: str) -> None:
    while not (await call(partial(Client.machine, machine=name))).connected:
        await asyncio.sleep(0.05)


class Operator:
    """Stands beside the machines: reads their prompts, does what they ask, and answers."""

    def __init__(self, call: Call, screen: Screen) -> None:
        self._call = call
        self._screen = screen
        self._embroiderer = machine(stage.EMBROIDERER)
        assert isinstance(self._embroiderer, SimulatedEmbroiderer)

    async def work(self) -> None:
        """Go round until cancelled."""
        while True:
            for prompt in await self._call(Client.prompts):
                if await self._did(prompt):
                    answer = ANSWERS[prompt.say.code]
                    self._screen.prompted(prompt, answer)
                    await self._call(partial(Client.answer, machine=prompt.machine, answer=answer))
            await asyncio.sleep(0.2)

    async def _did(self, prompt: PromptView) -> bool:
        """Do at the machine what the prompt asks; whether it is done."""
        assert isinstance(self._embroiderer, SimulatedEmbroiderer)
        now_s = asyncio.get_running_loop().time()
        if prompt.say.code == "start-design":
            return self._embroiderer.press_start(str(prompt.say.params["name"]), now_s)
        if prompt.say.code == "design-finished":
            return self._embroiderer.finished(now_s)
        return prompt.say.code in ANSWERS
