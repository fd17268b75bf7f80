"""The `requests` session under octorest: what octorest leaves out, for every request alike.

octorest 0.4 sets no time limit, drops the path of a URL behind a proxy, and turns every refusal into a bare
`RuntimeError`. Here each request has its limits, the path is put back, and a refusal keeps its status. Nothing is taken
from the environment: a proxy or a `.netrc` that was meant for somebody else would get the key. Nor is a redirect followed,
for the same reason.
"""

import json
import re
import threading
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from fabd.clock import token

CONNECT_S = 5.0
LONGEST_WORDS = 200
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Refusal(Exception):
    """The answer was none of the good ones; `words` is what it said, shortened."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(status, words)
        self.status = status
        self.words = words


class Halted(Exception):
    """An upload was broken off by us."""


class LimitedSession(requests.Session):
    """Sends the key, keeps the limits. `base_url` may have a path."""

    def __init__(self, base_url: str, *, ca_file: Path | None, silence_s: float) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = True if ca_file is None else str(ca_file)
        self._prefix = urlsplit(base_url).path
        self._limits_s = (min(CONNECT_S, silence_s), silence_s)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request; raises `Refusal`, or what `requests` raises where nobody answers."""
        kwargs.setdefault("timeout", self._limits_s)
        kwargs["allow_redirects"] = False
        response = super().request(method, self._with_prefix(str(url)), *args, **kwargs)
        if response.status_code >= 300:
            raise Refusal(response.status_code, _words(response))
        return response

    def _with_prefix(self, url: str) -> str:
        parts = urlsplit(url)
        if not self._prefix or parts.path.startswith(self._prefix + "/"):
            return url
        return urlunsplit(parts._replace(path=self._prefix + parts.path))


class Upload:
    """The body of a multipart upload, read from the file as it goes out: no file is ever in memory as a whole.

    `halt` breaks it off from another thread.
    """

    def __init__(self, file: Path, name: str, fields: dict[str, str]) -> None:
        self._boundary = token(16)
        self._head = "".join(
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ).encode()
        disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        kind = "Content-Type: application/octet-stream\r\n\r\n"
        self._head += f"--{self._boundary}\r\n{disposition}{kind}".encode()
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()
        self._size = file.stat().st_size
        self._file = file.open("rb")
        self._halted = threading.Event()

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    def halt(self) -> None:
        """Send no further byte; OctoPrint throws a broken upload away."""
        self._halted.set()

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; raises `Halted`."""
        if self._halted.is_set():
            raise Halted
        if self._head:
            part, self._head = self._head, b""
        elif not (part := self._file.read(size)):
            part, self._tail = self._tail, b""
        return part


def _words(response: requests.Response) -> str:
    """What a refusal says to people: OctoPrint's `error`, a redirect's target, or the title of a proxy's page."""
    if 300 <= response.status_code < 400:
        return response.headers.get("Location", "-")[:LONGEST_WORDS]
    try:
        found = json.loads(response.content)
        words = str(found["error"])
    except (ValueError, KeyError, TypeError):
        title = _TITLE.search(response.text)
        words = unescape(title.group(1)) if title else response.reason or "-"
    return " ".join(words.split())[:LONGEST_WORDS]
