"""A café in one command: three people, three simulated machines, a till; from the file to the ticket line."""

from fabd.demo.play import run

__all__ = ["run"]
