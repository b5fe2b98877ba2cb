"""Searching schedules, and the book of those that were found (docs/tuning.md)."""

from host_compiler.tune.book import NONE, SHIPPED, ScheduleBook

__all__ = ["NONE", "SHIPPED", "ScheduleBook"]
