"""Strangers' files are parsed in a child process of their own, and a bad file never costs more than that child.

See `fabd.formats.jail` for what the child cannot do, and for what remains.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from hashlib import file_digest, sha256
from itertools import pairwise
from math import isfinite
from pathlib import Path

from pydantic import TypeAdapter

from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.model import Message, Program
from fabd.tasks import outlive_cancellation, own

JAIL = (sys.executable, "-I", "-B", "-m", "fabd.formats.jail")
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one analysis may use: enough for the largest files that slicers make, on a Raspberry Pi."""

    file_bytes: int = 256 * 1024 * 1024
    memory_bytes: int = 1024 * 1024 * 1024
    cpu_s: int = 300
    wall_s: float = 400.0
    answer_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the child says: a program, or why there is none. `rewritten` is in Latin-1, a character for each byte."""

    program: Program | None = None
    rewritten: str | None = None
    rejected: Message | None = None
    crashed: str | None = None


_answers = TypeAdapter(Answer)
_DEFAULT = Limits()


async def analyse(file: Path, name: str, limits: Limits = _DEFAULT, jail: Sequence[str] = JAIL) -> Analysis:
    """Read `file`, which was brought under `name`, in a child process.

    `jail` is the command that is started. Whatever the file makes the parser do, all that comes out is an
    `Analysis` or `JobRejected`. Cancelled, it kills the child and waits for its end.
    """
    size, digest = await asyncio.to_thread(_measured, file, name, limits.file_bytes)
    request = {"name": name[-255:], "memory_bytes": limits.memory_bytes, "cpu_s": limits.cpu_s}
    starting = own(_start(file, name, (*jail, json.dumps(request))), "start of a parser")
    try:
        child = await outlive_cancellation(starting)
        async with asyncio.timeout(limits.wall_s):
            said = await _read(child, limits.answer_bytes, name)
            status = await child.wait()
    except TimeoutError as error:
        raise JobRejected("format-too-slow", name=name) from error
    finally:
        if starting.exception() is None:
            await outlive_cancellation(own(_end(starting.result()), "end of a parser"))
    return await asyncio.to_thread(_judged, said, status, name, size, digest)


def _measured(file: Path, name: str, limit_bytes: int) -> tuple[int, str]:
    """The file's size in bytes and its SHA-256; a size that no parser is to see is refused."""
    size = file.stat().st_size
    if size == 0:
        raise JobRejected("format-empty", name=name)
    if size > limit_bytes:
        raise JobRejected("format-too-big", name=name, limit_mb=limit_bytes // 1_000_000)
    with file.open("rb") as source:
        return size, file_digest(source, "sha256").hexdigest()


async def _start(file: Path, name: str, command: Sequence[str]) -> asyncio.subprocess.Process:
    with file.open("rb") as source:
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=source,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:  # no memory, no process, no descriptor left
            raise JobRejected("format-parser-not-started", name=name, detail=str(error.strerror)) from error


async def _read(child: asyncio.subprocess.Process, limit_bytes: int, name: str) -> bytes:
    assert child.stdout is not None
    said = bytearray()
    while chunk := await child.stdout.read(_CHUNK_BYTES):
        said += chunk
        if len(said) > limit_bytes:
            raise JobRejected("format-answer-too-big", name=name, limit_mb=limit_bytes // 1_000_000)
    return bytes(said)


async def _end(child: asyncio.subprocess.Process) -> None:
    """No process is left, whatever happened, and its pipe is closed."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    assert child.stdout is not None
    while await child.stdout.read(_CHUNK_BYTES):
        pass
    await child.wait()


def _judged(said: bytes, status: int, name: str, size_bytes: int, digest: str) -> Analysis:
    """What the answer is worth. The child is not trusted: a program that cannot be is a crash."""
    if status == -signal.SIGXCPU:
        raise JobRejected("format-too-slow", name=name)
    if status != 0:
        raise JobRejected("format-parser-crashed", name=name, detail=f"status {status}")
    try:
        answer = _answers.validate_json(said)
        rewritten = None if answer.rewritten is None else answer.rewritten.encode("latin-1")
    except ValueError as error:
        raise JobRejected("format-parser-crashed", name=name, detail="unreadable answer") from error
    if answer.rejected is not None:
        raise JobRejected(answer.rejected.code, **answer.rejected.params)
    program = answer.program
    if program is None:
        raise JobRejected("format-parser-crashed", name=name, detail=answer.crashed or "empty answer")
    named = (program.sha256, program.runs_sha256, program.size_bytes)
    runs = digest if rewritten is None else sha256(rewritten).hexdigest()
    if named != (digest, runs, size_bytes) or not _is_sound(program):
        raise JobRejected("format-parser-crashed", name=name, detail="impossible answer")
    return Analysis(program=program, rewritten=rewritten)


def _is_sound(program: Program) -> bool:
    """Whether the usage curve keeps its promises (see `UsageCurve`), and all figures are numbers."""
    positions, columns = program.curve.positions, program.curve.used.values()
    if positions[:1] != (0,) or positions[-1] > program.length or not _all_rise(positions, strictly=True):
        return False
    if any(len(column) != len(positions) or column[0] < 0 or not _all_rise(column) for column in columns):
        return False
    box = () if program.extents is None else astuple(program.extents)
    figures = (*box, program.needs.nozzle_c, program.needs.bed_c)
    return all(isfinite(figure) for column in (*columns, figures) for figure in column)


def _all_rise(values: Sequence[float], *, strictly: bool = False) -> bool:
    """Also `False` where something is no number, since nothing compares with it."""
    return all(before < after or (before == after and not strictly) for before, after in pairwise(values))
