"""Choosing tile sizes, loop order and what stays in the SRAMs."""

from host_compiler.schedule.parameters import Schedule

__all__ = ["Schedule"]
