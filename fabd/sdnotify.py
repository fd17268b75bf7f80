"""Tells systemd how the daemon is (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names, else nothing."""

import asyncio
import os
import socket
import time

import structlog

log = structlog.get_logger(__name__)


def notify(state: str) -> None:
    """Send one state, such as `READY=1`; without systemd it goes nowhere.

    It never waits, and never fails: that systemd does not listen must not hurt a machine.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
            out.sendto(state.encode(), address)
    except OSError as error:
        log.warning("systemd does not listen", state=state, detail=error.strerror)


def reloading() -> None:
    """The configuration is being read anew; `READY=1` says that this is over."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


async def feed_watchdog() -> None:
    """Show systemd that the loop turns, three times in each watchdog period; returns where systemd waits for nothing.

    It is fed from the loop itself: a loop that is stuck feeds nothing, and systemd restarts the daemon.
    """
    period_s = _watchdog_s()
    while period_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(period_s / 3)


def _watchdog_s() -> float | None:
    """The watchdog period in seconds (sd_watchdog_enabled(3)); `None` where systemd waits for nothing from us."""
    period_us = os.environ.get("WATCHDOG_USEC", "")
    if not period_us.isdecimal() or int(period_us) == 0:
        return None
    meant = os.environ.get("WATCHDOG_PID")
    return int(period_us) / 1_000_000 if meant in (None, str(os.getpid())) else None
