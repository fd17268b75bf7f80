"""TOML files into validated settings; every mistake in one report."""

from fabd.config.model import Configuration

__all__ = ["Configuration"]
