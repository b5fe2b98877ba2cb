"""The event engine, built from csrc/ by build_cycles.py."""

from typing import Any

ffi: Any
lib: Any
