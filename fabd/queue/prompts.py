"""Prompts in rows: asked once, answered once, by somebody."""

from dataclasses import dataclass

import sqlalchemy as sa

from fabd.clock import now
from fabd.errors import Conflict, Refused
from fabd.model import Answer, Message, Prompt
from fabd.store import Connection
from fabd.store.schema import attempt, prompt
from fabd.views import PromptView, Say

CLEAR_OUTPUT = "clear-output"
"""The prompt after each attempt: take the piece away, and say that the machine is ready."""
READY = "ready"
FAILED = {"failed-machine": "machine", "failed-operator": "operator", "failed-member": "member"}
"""Answers that say the piece is no good, and whose fault that is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPrompt:
    """A prompt that waits for its answer."""

    id: int
    machine: str
    attempt_id: int | None
    key: str
    choices: tuple[str, ...]
    view: PromptView


def ask(c: Connection, machine: str, attempt_id: int | None, asked: Prompt) -> None:
    """Write the prompt, unless it was asked before under the same key of the same attempt."""
    same = sa.select(prompt.c.id).where(prompt.c.attempt == attempt_id, prompt.c.key == asked.key)
    if c.execute(same).first() is not None:
        return
    c.execute(
        prompt.insert().values(
            machine=machine,
            attempt=attempt_id,
            key=asked.key,
            code=asked.message.code,
            params=dict(asked.message.params),
            choices=list(asked.choices),
            asked_at=now(),
        )
    )


def answer_of(c: Connection, attempt_id: int, key: str) -> Answer | None:
    """What was answered, or `None` while nobody has."""
    row = c.execute(
        sa.select(prompt).where(prompt.c.attempt == attempt_id, prompt.c.key == key, prompt.c.answer.is_not(None))
    ).first()
    return None if row is None else Answer(choice=row.answer, number=row.number, by=row.answered_by)


def open_prompts(c: Connection, machine: str | None = None) -> list[OpenPrompt]:
    """The prompts that wait, oldest first."""
    query = (
        sa.select(prompt, attempt.c.job, attempt.c.ticket)
        .outerjoin(attempt, attempt.c.id == prompt.c.attempt)
        .where(prompt.c.answered_at.is_(None))
        .order_by(prompt.c.id)
    )
    if machine is not None:
        query = query.where(prompt.c.machine == machine)
    return [
        OpenPrompt(
            id=row.id,
            machine=row.machine,
            attempt_id=row.attempt,
            key=row.key,
            choices=tuple(row.choices),
            view=PromptView(
                machine=row.machine,
                job=None if row.job is None else str(row.job),
                ticket=row.ticket,
                key=row.key,
                say=Say.of(Message(code=row.code, params=row.params)),
                choices=tuple(row.choices),
                asked_at=row.asked_at,
            ),
        )
        for row in c.execute(query)
    ]


def parse_answer(choices: tuple[str, ...], text: str) -> tuple[str, int | None]:
    """The choice that `text` names, with its number where it takes one; raises `Refused` with what counts."""
    choice, equals, number = text.strip().partition("=")
    if equals and f"{choice}=" in choices and number.strip().isdecimal():
        return f"{choice}=", int(number)
    if not equals and choice in choices:
        return choice, None
    expected = ", ".join(f"{c}NUMBER" if c.endswith("=") else c for c in choices)
    raise Refused("prompt-answer-unknown", answer=text, expected=expected)


def answer(c: Connection, waiting: OpenPrompt, choice: str, number: int | None, by: str) -> None:
    """Write the answer; raises `Conflict` when somebody else was faster."""
    done = c.execute(
        prompt.update()
        .where(prompt.c.id == waiting.id, prompt.c.answered_at.is_(None))
        .values(answer=choice, number=number, answered_by=by, answered_at=now())
    )
    if done.rowcount != 1:
        raise Conflict("prompt-already-answered", machine=waiting.machine)


def withdraw(c: Connection, attempt_id: int) -> None:
    """Nobody has to answer any more: the attempt ended."""
    c.execute(
        prompt.update().where(prompt.c.attempt == attempt_id, prompt.c.answered_at.is_(None)).values(answered_at=now())
    )
