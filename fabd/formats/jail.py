"""The child process that reads strangers' files: `python -I -B -m fabd.formats.jail REQUEST`.

The file is standard input, one JSON object on standard output is the answer (see `sandbox.Answer`). Before the
first byte is parsed, the process gives up what a parser does not need:

- memory, processor time, the size of files that it writes (none) and core dumps, by resource limits;
- new file descriptors of any kind (files, sockets, pipes), by `RLIMIT_NOFILE` 0, for good where it is not root;
- files, connections and, from kernel 6.12, signals to other processes, by Landlock where the kernel has it;
- new processes, by `RLIMIT_NPROC` 0 where it is not root; new privileges, by `PR_SET_NO_NEW_PRIVS`.

What remains: it is the daemon's own account in the daemon's own namespaces, without a filter on system calls. A
parser taken over by a file could burn its processor time, give a wrong answer about that file, and, on kernels
before 6.12, send signals to processes of the same account.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fabd.errors import JobRejected
from fabd.formats.contract import HEAD_BYTES, Format
from fabd.formats.recognise import installed, recognise

_NICENESS = 10  # the streams to the machines go first
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # asm-generic/unistd.h: x86-64 and arm64 alike
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_ACCESS_FS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version of the ABI
_LANDLOCK_ACCESS_NET = {4: 0b11}  # bind and connect TCP
_LANDLOCK_SCOPE = {6: 0b11}  # abstract Unix sockets, signals
_libc = ctypes.CDLL(None, use_errno=True)


def main(formats: Sequence[Format] | None = None) -> None:
    """Answer the request in `sys.argv[1]`: `{"name", "memory_bytes", "cpu_s"}`. `formats`: else all installed ones."""
    request = json.loads(sys.argv[1])
    limit(memory_bytes=request["memory_bytes"], cpu_s=request["cpu_s"])
    loaded, broken = (formats, []) if formats is not None else installed()
    try:
        with open(0, "rb", buffering=0, closefd=False) as file:
            data = file.readall()
        lock()
        said = _encoded(_answer(data, request["name"], loaded, broken))
    except JobRejected as error:
        said = _encoded({"rejected": asdict(error.message)})
    except MemoryError:
        said = _encoded({"rejected": {"code": "format-needs-memory", "params": {"name": request["name"]}}})
    except Exception as error:  # noqa: BLE001 - parsers on strangers' files raise anything; the parent says so
        said = _encoded({"crashed": type(error).__name__})
    sys.stdout.buffer.write(said)
    sys.stdout.buffer.flush()


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False).encode("ascii")


def _answer(data: bytes, name: str, formats: Sequence[Format], broken: Sequence[str]) -> dict[str, Any]:
    try:
        chosen = recognise(data[:HEAD_BYTES], name, len(data), formats)
    except JobRejected as error:
        if broken and error.message.code in ("format-unknown", "format-not-as-named"):
            raise JobRejected("format-broken", name=name, formats=" ".join(broken)) from error
        raise
    analysis = chosen.analyse(data, name)
    rewritten = None if analysis.rewritten is None else analysis.rewritten.decode("latin-1")
    return {"program": asdict(analysis.program), "rewritten": rewritten}


def limit(*, memory_bytes: int, cpu_s: int) -> None:
    """Set what holds from the beginning: resources, and the end together with the parent."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICENESS)
    with suppress(OSError):  # where memory runs out all the same, the kernel ends this process first (proc(5))
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # SIGXCPU, then SIGKILL
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(kind, (0, 0))


def lock() -> None:
    """Give up files, sockets and processes for good. Raises `OSError` where the kernel can and does not."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    if version > 0:
        _restrict_by_landlock(version)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _restrict_by_landlock(version: int) -> None:
    """Handle every access that this version of the ABI knows, and allow none (landlock(7))."""
    tables = (_LANDLOCK_ACCESS_FS, _LANDLOCK_ACCESS_NET, _LANDLOCK_SCOPE)
    masks = [max((mask for since, mask in table.items() if since <= version), default=0) for table in tables]
    fields = [mask for mask in masks if mask]  # the structure of an older version is shorter
    ruleset = (ctypes.c_uint64 * len(fields))(*fields)
    descriptor = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, ruleset, ctypes.sizeof(ruleset), 0))
    _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, descriptor, 0))
    os.close(descriptor)


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, value, 0, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


if __name__ == "__main__":
    main()
