"""fabd drives a café's digital machines, queues the jobs, and meters them for the till."""

__version__ = "0.1.0"
