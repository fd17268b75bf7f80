"""What visitors brought, by content: whole under its hash, or not there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fabd.api import uploads
from fabd.errors import StoreError
from fabd.queue import files


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    file = tmp_path / "brought"
    file.write_bytes(b"G1 X10\n" * 400_000)
    return file


def test_a_file_lies_under_its_hash_and_nothing_else_is_left(tmp_path: Path, brought: Path) -> None:
    store = tmp_path / "store"
    sha256 = files.keep(store, brought)
    assert files.verified(store, sha256).read_bytes() == brought.read_bytes()
    assert [path for path in store.rglob("*") if path.is_file()] == [files.place(store, sha256)]


def test_the_same_file_brought_by_many_at_once_is_whole(tmp_path: Path, brought: Path) -> None:
    store = tmp_path / "store"
    with ThreadPoolExecutor(8) as visitors:
        (sha256,) = set(visitors.map(lambda _: files.keep(store, brought), range(24)))
    assert files.verified(store, sha256).stat().st_size == brought.stat().st_size
    assert list((store / "incoming").iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"G1 X11\n", b"G1 X10\n" * 399_999])
def test_what_the_disk_has_changed_is_found_and_replaced_when_it_is_brought_again(
    tmp_path: Path, brought: Path, damage: bytes
) -> None:
    sha256 = files.keep(tmp_path, brought)
    files.place(tmp_path, sha256).write_bytes(damage)
    with pytest.raises(StoreError, match="has changed on the disk"):
        files.verified(tmp_path, sha256)
    assert files.keep_bytes(tmp_path, brought.read_bytes()) == sha256
    assert files.verified(tmp_path, sha256).read_bytes() == brought.read_bytes()


def test_a_file_that_is_gone_is_said_so(tmp_path: Path, brought: Path) -> None:
    sha256 = files.keep(tmp_path, brought)
    files.place(tmp_path, sha256).unlink()
    with pytest.raises(StoreError) as failed:
        files.verified(tmp_path, sha256)
    assert failed.value.message.code == "file-not-readable"


def test_a_disk_that_does_not_take_it_keeps_nothing(tmp_path: Path, brought: Path) -> None:
    (tmp_path / "files").write_text("where the directory should be")
    with pytest.raises(StoreError) as failed:
        files.keep(tmp_path, brought)
    assert failed.value.message.code == "file-not-stored"
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_a_power_cut_left_half_written_is_swept_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "tmpabc").write_bytes(b"half")
    uploads.sweep(tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_source_that_vanishes_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        await asyncio.to_thread(files.keep, tmp_path, tmp_path / "gone")
