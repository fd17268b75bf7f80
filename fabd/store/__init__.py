"""The store: one SQLite file, written by one thread, one plain transaction at a time."""

from fabd.store.engine import Connection, Store

__all__ = ["Connection", "Store"]
