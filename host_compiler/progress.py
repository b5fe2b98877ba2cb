"""Progress bars, on terminals only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["Progress"]


class Progress:
    """Makes progress bars if `wanted` and standard error is a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._shown = wanted and sys.stderr.isatty()

    @contextlib.contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[..., None]]:
        """A bar of `total` steps; the function in hand advances it by one."""
        if not self._shown:
            yield lambda *_: None
            return
        from tqdm import tqdm

        with tqdm(total=total, desc=what, leave=False) as bar:

            def advance(*_: object) -> None:
                bar.update()

            yield advance
