"""Canonical JSON: one spelling for one value, so that a hash means the same to everybody.

What is written here is also RFC 8785 (JSON Canonicalization Scheme), so a till can check our hashes with a library:
keys are ASCII and sorted, there is no white space, text is UTF-8. Floats, whose spelling differs between languages
and whose value is rarely what was meant, are refused.
"""

import hashlib
import json

LARGEST_INT = 2**53 - 1
"""RFC 7493, section 2.2: beyond this, readers that hold numbers as doubles lose digits."""


def canonical(value: object) -> bytes:
    """The one spelling of `value`: `None`, booleans, whole numbers, text, lists, and dicts with ASCII keys.

    Raises `TypeError` for a float or anything else, `ValueError` for a number that other readers would garble.
    """
    _check(value, "data")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data`, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _check(value: object, where: str) -> None:
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > LARGEST_INT:
            raise ValueError(f"{where}: {value} has more digits than every reader of JSON keeps")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError(f"{where}: the key {key!r} is not ASCII text")
            _check(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    else:
        raise TypeError(f"{where}: {value!r} is a {type(value).__name__}, which has no place in the ledger")
