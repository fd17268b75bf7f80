"""The seams for time and identity: one `now()`, one source of ids. Durations use the loop's clock.

Everything that needs the date or a fresh id asks here, so that a whole day can run in seconds, the
same way twice.
"""

import os
import time
from datetime import UTC, datetime
from uuid import UUID


def now() -> datetime:
    """The date and time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """A time-ordered identifier (RFC 9562, section 5.7: 48 bits of milliseconds, then random)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant 10
    return UUID(int=value)


def token(length_bytes: int = 6) -> str:
    """A random pseudonym in hexadecimal; says nothing about whom it names."""
    return os.urandom(length_bytes).hex()
