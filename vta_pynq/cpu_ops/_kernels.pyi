"""What cffi puts into the extension module."""

from typing import Any

ffi: Any
lib: Any
