"""A visitor's file comes in whole or not at all, and is gone from `incoming/` afterwards."""

from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect, Request

from fabd.api import uploads
from fabd.api.problems import TooLarge
from fabd.api.uploads import received, sweep
from fabd.errors import JobRejected, StoreError


def request_with(*chunks: bytes, length: int | None = None) -> Request:
    """A request as the server gives it: its body comes in pieces."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    events.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, object]:
        return events.pop(0)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Request({"type": "http", "headers": headers}, receive)


async def test_the_bytes_arrive_as_they_were_sent(tmp_path: Path) -> None:
    chunks = [bytes([number]) * 300_000 for number in range(10)]
    async with received(request_with(*chunks), tmp_path) as file:
        assert file.read_bytes() == b"".join(chunks)
        assert file.parent == tmp_path / "incoming"
    assert not file.exists()


async def test_the_file_is_gone_when_its_reader_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        async with received(request_with(b"G28"), tmp_path):
            raise RuntimeError
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_file_that_says_it_is_too_large_is_not_even_begun(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="larger than 256 MB"):
        async with received(request_with(length=uploads.LARGEST_BYTES + 1), tmp_path):
            pass
    assert not (tmp_path / "incoming").exists()


@pytest.mark.parametrize("declared", [None, 3])
async def test_a_file_that_turns_out_too_large_is_dropped(
    tmp_path: Path, declared: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST_BYTES", 10)
    with pytest.raises(TooLarge):
        async with received(request_with(b"12345678", b"901", length=declared), tmp_path):
            pass
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRejected, match="The file is empty"):
        async with received(request_with(), tmp_path):
            pass


async def test_a_disk_that_does_not_take_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "incoming").write_text("a file where the directory should be")
    with pytest.raises(StoreError, match="could not take the file"):
        async with received(request_with(b"G28"), tmp_path):
            pass


async def test_a_sender_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        async with received(Request({"type": "http", "headers": []}, receive), tmp_path):
            pass
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_a_killed_daemon_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "half").write_bytes(b"G2")
    sweep(tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []
