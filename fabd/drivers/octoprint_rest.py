"""OctoPrint's REST API, through octorest, in threads; what goes wrong there is said here, in words, once.

All that is wrong with the way to OctoPrint is a `LinkLost`, a refused key or a proxy's page too: the print goes on
whatever we are told, and a fault would end its attempt.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests
from octorest import OctoRest

from fabd.drivers.octoprint_http import Halted, LimitedSession, Refusal, Upload
from fabd.drivers.octoprint_state import Ended, Snapshot, history_of, of_rest
from fabd.errors import FabdError, JobRejected, LinkLost, MachineFault

T = TypeVar("T")

NEEDED_RIGHTS = ("STATUS", "CONNECTION", "CONTROL", "FILES_LIST", "FILES_UPLOAD", "FILES_DELETE", "PRINT")
"""What the key's user must have ("Access control", permissions of OctoPrint 1.4 and later)."""
UPLOAD_ANSWER_S = 60.0
"""How long OctoPrint may take to put a file that it has received into its place."""
_BEHIND_PROXY = frozenset({502, 503, 504})


class Rest:
    """One OctoPrint. Each call is one short-lived thread, which ends by its time limits and keeps no daemon alive."""

    def __init__(self, url: str, key: str, *, ca_file: Path | None, silence_s: float) -> None:
        self._url = url
        self._ca_file = ca_file
        self._silence_s = silence_s
        self._session = LimitedSession(url, ca_file=ca_file, silence_s=silence_s)
        self._session.headers["X-Api-Key"] = key
        self._octorest = OctoRest(url=url, session=self._session)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        self._session.close()

    async def greet(self) -> None:
        """Raises `LinkLost` where this is no OctoPrint, where it does not take the key, or where that may not print."""

        def greet() -> None:
            try:
                version = str(self._octorest.get_version()["server"])
            except Refusal as refusal:
                if refusal.status in (401, 403):
                    raise LinkLost("octoprint-key-refused", url=self._url) from refusal
                raise
            try:
                found = self._get("/api/currentuser")["permissions"]
            except Refusal as refusal:
                raise LinkLost("octoprint-too-old", url=self._url, version=version) from refusal
            if missing := [right for right in NEEDED_RIGHTS if right not in found]:
                raise LinkLost("octoprint-rights-missing", url=self._url, rights=", ".join(missing))

        await self._call(greet)

    async def look(self) -> Snapshot:
        """How it stands now; two requests."""

        def look() -> Snapshot:
            job = self._octorest.job_info()
            try:
                printer = self._octorest.printer()
            except Refusal as refusal:
                if refusal.status != 409:  # "Printer is not operational"
                    raise
                printer = None
            return of_rest(job, printer)

        return await self._call(look)

    async def push_ticket(self) -> str:
        """What the push connection is opened with: `name:session` ("Push updates", `auth`)."""

        def log_in() -> str:
            user = self._post("/api/login", {"passive": True}).json()
            return f"{user['name']}:{user['session']}"

        return await self._call(log_in)

    async def upload_and_print(self, upload: Upload) -> bool:
        """Whether OctoPrint began to print the file (`effectivePrint`).

        octorest's own `upload` cannot ask for that: its form fields go as JSON, which `requests` drops beside a file.
        Raises `JobRejected` or `MachineFault` where OctoPrint does not want the file.
        """

        def send() -> bool:
            session = LimitedSession(self._url, ca_file=self._ca_file, silence_s=UPLOAD_ANSWER_S)
            session.headers.update(self._session.headers)
            headers = {"Content-Type": upload.content_type}
            try:
                with (
                    session,
                    session.post(f"{self._octorest.url}/api/files/local", data=upload, headers=headers) as said,
                ):
                    return said.json()["effectivePrint"] is True
            except Refusal as refusal:
                raise self._not_taken(refusal) from refusal
            except Halted as halted:
                raise MachineFault("octoprint-stopped") from halted

        return await self._call(send, alone=False)

    async def uploads(self) -> list[str]:
        """The names of the files in OctoPrint's upload folder."""

        def listed() -> list[str]:
            return [str(file["path"]) for file in self._octorest.files("local")["files"]]

        return await self._call(listed)

    async def last_print_of(self, name: str) -> Ended | None:
        """How the last print of a file ended, by OctoPrint's own books; `None` where it never did, or is unknown."""

        def look_up() -> Ended | None:
            try:
                return history_of(self._octorest.files_info("local", name), name)
            except Refusal as refusal:
                if refusal.status == 404:
                    return None
                raise

        return await self._call(look_up)

    async def delete(self, name: str) -> None:
        """Take a file away; one that is not there, or in use, is left."""
        await self._call(lambda: self._unless_conflict(lambda: self._octorest.delete(name)))

    async def pause(self) -> None:
        """Pause the print; nothing where none runs."""
        await self._call(lambda: self._unless_conflict(self._octorest.pause))

    async def resume(self) -> None:
        """Let a paused print go on; nothing where none is there."""
        await self._call(lambda: self._unless_conflict(self._octorest.resume))

    async def cancel(self) -> None:
        """Cancel the print; nothing where none runs."""
        await self._call(lambda: self._unless_conflict(self._octorest.cancel))

    async def connect_printer(self) -> None:
        """Have OctoPrint open its serial port, with the settings that it has for it."""
        await self._call(self._octorest.connect)

    async def heaters_off(self, heaters: Collection[str]) -> None:
        """Take the target from the heaters of these names; nothing where the printer is gone meanwhile."""

        def turn_off() -> None:
            tools = {name: 0 for name in heaters if name.startswith("tool")}
            if tools:
                self._octorest.tool_target(tools)
            if "bed" in heaters:
                self._octorest.bed_target(0)
            if "chamber" in heaters:
                self._octorest.chamber_target(0)

        await self._call(lambda: self._unless_conflict(turn_off))

    def _get(self, path: str) -> Any:
        return self._session.get(self._octorest.url + path).json()

    def _post(self, path: str, data: object) -> requests.Response:
        return self._session.post(self._octorest.url + path, json=data)

    def _unless_conflict(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Refusal as refusal:
            if refusal.status not in (404, 409):
                raise

    def _not_taken(self, refusal: Refusal) -> FabdError:
        words = refusal.words
        if "space" in words.lower() or refusal.status == 507:
            return MachineFault("octoprint-disk-full", url=self._url, words=words)
        if refusal.status == 409:
            return MachineFault("octoprint-file-in-use", url=self._url, words=words)
        if refusal.status in (400, 413, 415):
            return JobRejected("octoprint-file-refused", url=self._url, words=words)
        return _lost(self._url, refusal)

    async def _call(self, work: Callable[[], T], *, alone: bool = True) -> T:
        """Run `work` in a thread of its own; raises `LinkLost` where it does not get through."""

        def guarded() -> T:
            if not alone:
                return work()
            with self._one_at_a_time:  # a `requests.Session` is no place for two
                return work()

        # An answer that drips byte by byte keeps within the limits of `requests`, and never ends.
        whole_s = self._silence_s * 2 if alone else None
        with in_words(self._url, self._silence_s):
            async with asyncio.timeout(whole_s):
                return await in_thread(guarded)


@contextmanager
def in_words(url: str, silence_s: float) -> Iterator[None]:
    """What `requests`, octorest and wrong answers raise, as the `LinkLost` that says who must act."""
    try:
        yield
    except Refusal as refusal:
        raise _lost(url, refusal) from refusal
    except requests.exceptions.JSONDecodeError as error:
        raise LinkLost("octoprint-not-json", url=url) from error
    except requests.exceptions.SSLError as error:
        raise LinkLost("octoprint-certificate", url=url, detail=_innermost(error)) from error
    except (requests.exceptions.Timeout, TimeoutError) as error:
        raise LinkLost("octoprint-silent", url=url, limit_s=silence_s) from error
    except OSError as error:  # what else `requests` raises; also a file of certificates that is not there
        raise LinkLost("octoprint-unreachable", url=url, detail=_innermost(error)) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LinkLost("octoprint-unreadable", url=url, detail=repr(error)) from error


def _lost(url: str, refusal: Refusal) -> LinkLost:
    if refusal.status in (401, 403):
        return LinkLost("octoprint-not-allowed", url=url, words=refusal.words)
    if 300 <= refusal.status < 400:
        return LinkLost("octoprint-redirects", url=url, target=refusal.words)
    if refusal.status in _BEHIND_PROXY:
        return LinkLost("octoprint-proxy", url=url, status=refusal.status, words=refusal.words)
    return LinkLost("octoprint-refuses", url=url, status=refusal.status, words=refusal.words)


async def in_thread(work: Callable[[], T]) -> T:
    """The result of `work`, which blocks; its thread is nobody's but its own, and may be left behind.

    The loop's own few threads are shared by all machines: one that hangs must not fill them.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # from here on nobody can cancel it; who waits may still go away

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it is raised where somebody waits
            done.set_exception(error)

    threading.Thread(target=run, name="octoprint", daemon=True).start()
    return await asyncio.wrap_future(done)


def _innermost(error: BaseException) -> str:
    """The cause at the bottom: `requests` and `urllib3` wrap it several times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or repr(error)
