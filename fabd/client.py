"""The typed client of the daemon's HTTP interface, for the command line and for whoever writes another one.

Synchronous: call it from a thread where an event loop runs. Every call may raise `ClientError`.
"""

import errno
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from fabd.messages import Message, Param
from fabd.views import (
    AnswerAsk,
    CloseAsk,
    EntryView,
    GrantAsk,
    HealthView,
    JobView,
    LoadAsk,
    MachineView,
    MemberAsk,
    MemberView,
    Problem,
    PromptView,
    QuoteView,
    ReadyAsk,
    RevokeAsk,
    Say,
    SnapshotView,
    VerifyView,
    View,
)

DEFAULT_SOCKET = Path("/run/fabd/fabd.sock")
CONNECT_S = 5.0
ANSWER_S = 30.0
FILE_S = 300.0
"""A file is read and analysed before the answer comes."""
VERIFY_S = 3600.0
WATCH_S = 60.0
"""The daemon says something at least every quarter of a minute."""

T = TypeVar("T")
Params = dict[str, str | int | bool]


class Trouble(StrEnum):
    """Why a call failed, as far as a script cares."""

    UNREACHABLE = "unreachable"  # no daemon, or no permission to talk to it: nothing was done
    WRONG = "wrong"  # the request or the configuration is malformed: nothing was done
    REFUSED = "refused"  # not found, not allowed, not now, not this file: nothing was done
    BROKEN = "broken"  # timeout, a broken connection, an answer that makes no sense: something may have been done


class ClientError(Exception):
    """A call that failed; `problem` says it to a person, `trouble` to a script."""

    def __init__(self, trouble: Trouble, problem: Problem) -> None:
        super().__init__(problem.problem.text)
        self.trouble = trouble
        self.problem = problem

    @classmethod
    def of(cls, trouble: Trouble, code: str, /, **params: Param) -> "ClientError":
        """With a message of the client's own."""
        return cls(trouble, Problem(problem=Say.of(Message(code=code, params=params))))


class Client:
    """A connection to the daemon on `socket`; `person` is the facilitator who acts, where the account is shared."""

    def __init__(self, socket: Path, person: str | None = None) -> None:
        self._socket = socket
        self._http = httpx.Client(
            base_url="http://fabd/v1/",
            transport=httpx.HTTPTransport(uds=str(socket)),
            headers={} if person is None else {"Fabd-As": quote(person)},
            trust_env=False,  # a proxy from the environment would get what is meant for the socket
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    # --- jobs

    def quote(self, file: BinaryIO, options: Params) -> QuoteView:
        """What `file` would cost. `options`: title, member, payer, machine, material, copies."""
        return self._call(QuoteView, "POST", "quote", params=options, file=file, limit_s=FILE_S)

    def submit(self, file: BinaryIO, options: Params, key: str) -> JobView:
        """Make a job of `file`; the same `key` again gives the same job."""
        return self._call(JobView, "POST", "jobs", params=options, file=file, key=key, limit_s=FILE_S)

    def jobs(self, *, everything: bool = False) -> list[JobView]:
        return self._call(list[JobView], "GET", "jobs", params={"all": everything})

    def job(self, job: str) -> JobView:
        return self._call(JobView, "GET", f"jobs/{_id(job)}")

    def change_job(self, job: str, verb: Literal["cancel", "hold", "release", "retry"]) -> JobView:
        return self._call(JobView, "POST", f"jobs/{_id(job)}/{verb}")

    # --- machines

    def machines(self) -> list[MachineView]:
        return self._call(list[MachineView], "GET", "machines")

    def machine(self, machine: str) -> MachineView:
        return self._call(MachineView, "GET", f"machines/{_id(machine)}")

    def ready(self, machine: str, failed: Literal["machine", "operator", "member"] | None = None) -> MachineView:
        return self._call(MachineView, "POST", f"machines/{_id(machine)}/ready", ask=ReadyAsk(failed=failed))

    def load(self, machine: str, lot: str) -> MachineView:
        return self._call(MachineView, "POST", f"machines/{_id(machine)}/load", ask=LoadAsk(lot=lot))

    def close_machine(self, machine: str, why: str) -> MachineView:
        return self._call(MachineView, "POST", f"machines/{_id(machine)}/close", ask=CloseAsk(why=why))

    def change_machine(self, machine: str, verb: Literal["pause", "resume", "emergency", "open"]) -> MachineView:
        return self._call(MachineView, "POST", f"machines/{_id(machine)}/{verb}")

    # --- prompts

    def prompts(self) -> list[PromptView]:
        return self._call(list[PromptView], "GET", "prompts")

    def answer(self, machine: str, answer: str) -> PromptView:
        return self._call(PromptView, "POST", f"machines/{_id(machine)}/answer", ask=AnswerAsk(answer=answer))

    # --- members

    def members(self) -> list[MemberView]:
        return self._call(list[MemberView], "GET", "members")

    def member(self, member: str) -> MemberView:
        return self._call(MemberView, "GET", f"members/{_id(member)}")

    def add_member(
        self, member: str, *, name: str | None = None, customer: str | None = None, facilitator: bool = False
    ) -> MemberView:
        ask = MemberAsk(id=member, name=name, customer=customer, facilitator=facilitator)
        return self._call(MemberView, "POST", "members", ask=ask)

    def grant(
        self, member: str, kind: str, level: str, *, until: date | None = None, why: str | None = None
    ) -> MemberView:
        ask = GrantAsk(kind=kind, level=level, until=until, why=why)
        return self._call(MemberView, "POST", f"members/{_id(member)}/grants", ask=ask)

    def revoke(self, member: str, kind: str, *, why: str | None = None) -> MemberView:
        return self._call(MemberView, "POST", f"members/{_id(member)}/revocations", ask=RevokeAsk(kind=kind, why=why))

    # --- usage

    def usage(self, *, after: int = 0, limit: int = 100) -> list[EntryView]:
        return self._call(list[EntryView], "GET", "usage", params={"after": after, "limit": limit})

    def entry(self, seq: int) -> EntryView:
        return self._call(EntryView, "GET", f"usage/{seq}")

    def export(self) -> Iterator[bytes]:
        """All entries as JSON Lines, in pieces of any size."""
        with self._request("GET", "usage/export") as response:
            yield from response.iter_bytes()

    def verify(self) -> VerifyView:
        return self._call(VerifyView, "GET", "usage/verify", limit_s=VERIFY_S)

    # --- the daemon

    def health(self) -> HealthView:
        return self._call(HealthView, "GET", "health")

    def reload(self) -> HealthView:
        return self._call(HealthView, "POST", "reload")

    def watch(self) -> Iterator[SnapshotView]:
        """What goes on, at each change and at least each second while work goes on; ends with the daemon."""
        with self._request("GET", "watch", limit_s=WATCH_S) as response:
            for line in response.iter_lines():
                yield self._read(SnapshotView, line)

    # --- the one way out

    def _call(
        self,
        shape: type[T],
        method: str,
        path: str,
        *,
        params: Params | None = None,
        ask: View | None = None,
        file: BinaryIO | None = None,
        key: str | None = None,
        limit_s: float = ANSWER_S,
    ) -> T:
        with self._request(method, path, params=params, ask=ask, file=file, key=key, limit_s=limit_s) as response:
            return self._read(shape, response.read())

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        ask: View | None = None,
        file: BinaryIO | None = None,
        key: str | None = None,
        limit_s: float = ANSWER_S,
    ) -> Generator[httpx.Response, None, None]:
        headers = {"Content-Type": "application/octet-stream" if ask is None else "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        content = file if ask is None else ask.model_dump_json().encode()
        timeout = httpx.Timeout(limit_s, connect=CONNECT_S)
        try:
            with self._http.stream(
                method, path, params=params, content=content, headers=headers, timeout=timeout
            ) as response:
                if not response.is_success:
                    raise self._refusal(response.status_code, response.read())
                yield response
        except httpx.HTTPError as error:
            raise self._failure(error, limit_s) from error

    def _failure(self, error: httpx.HTTPError, limit_s: float) -> ClientError:
        path = str(self._socket)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            code = "client-no-permission" if _errno_of(error) == errno.EACCES else "client-no-daemon"
            return ClientError.of(Trouble.UNREACHABLE, code, path=path)
        if isinstance(error, httpx.TimeoutException):
            return ClientError.of(Trouble.BROKEN, "client-timeout", path=path, limit_s=round(limit_s))
        return ClientError.of(Trouble.BROKEN, "client-broken-off", path=path, detail=str(error) or type(error).__name__)

    def _refusal(self, status: int, body: bytes) -> ClientError:
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            trouble = Trouble.BROKEN
        else:
            trouble = Trouble.WRONG if status == httpx.codes.BAD_REQUEST else Trouble.REFUSED
        return ClientError(trouble, self._read(Problem, body))

    def _read(self, shape: type[T], body: bytes | str) -> T:
        try:
            return TypeAdapter(shape).validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            detail = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            raise ClientError.of(
                Trouble.BROKEN, "client-not-understood", path=str(self._socket), detail=detail
            ) from error


def _id(name: str) -> str:
    return quote(name, safe="")


def _errno_of(error: BaseException) -> int | None:
    """The number of the system's error that lies below the library's."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, OSError):
        below = below.__cause__ or below.__context__
    return None if below is None else below.errno
