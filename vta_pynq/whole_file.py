"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """`with whole_file(path) as file:` write `path` under another name, then rename it.

    Whatever goes wrong inside leaves the old file, or none, and nothing beside it. A link stays
    one: what it names is replaced. A device or pipe, such as /dev/stdout, is written as it is.

    Raises
    ------
    OSError
        The folder or the disk does not take it, or `target` is a folder; it names `target`.
    """
    target = Path(os.path.realpath(target))
    if target.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    # In the same folder, so that the rename is atomic; a random name, so that two writers of one
    # file do not meet.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
