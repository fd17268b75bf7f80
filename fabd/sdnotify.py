"""Tells systemd how the daemon is (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names, else nothing."""

import asyncio
import os
import socket
import time


def notify(state: str) -> None:
    """Send one state, such as `READY=1`; without systemd it goes nowhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto(state.encode(), address)


def reloading() -> None:
    """The configuration is being read anew; `READY=1` says that this is over."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


async def feed_watchdog() -> None:
    """Show systemd that the loop turns, three times in each watchdog period; never returns.

    It is fed from the loop itself: a loop that is stuck feeds nothing, and systemd restarts the daemon.
    """
    period_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    while True:
        if period_s:
            notify("WATCHDOG=1")
        await asyncio.sleep(period_s / 3 if period_s else 3600)
