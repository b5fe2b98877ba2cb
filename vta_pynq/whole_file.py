"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """`with whole_file(path) as file:` write `path` under another name, then rename it.

    Whatever goes wrong inside leaves the old file, or none, and nothing beside it.

    Raises
    ------
    OSError
        The folder or the disk does not take it.
    """
    # In the same folder, so that the rename is atomic; a random name, so that two writers of one
    # file do not meet.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
