"""TOML files into validated settings; every mistake in one report."""

from fabd.config.load import load, material_for
from fabd.config.model import Configuration

__all__ = ["Configuration", "load", "material_for"]
