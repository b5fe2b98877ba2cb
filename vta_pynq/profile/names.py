"""Layer names that fit a table or a picture."""

from __future__ import annotations

import re

__all__ = ["short_name"]

_TAILS = re.compile(r"(_QuantizeLinear_Output|_DequantizeLinear_Output|_output_0)(?=$|[._:])")


def short_name(name: str, columns: int = 28) -> str:
    """A name without what quantisation appended, cut in the middle where it is too long."""
    short = name
    while short != (shorter := _TAILS.sub("", short)):
        short = shorter
    short = short.strip("/") or name
    if len(short) <= columns:
        return short
    keep = columns - 1
    return f"{short[: keep // 2]}…{short[-(keep - keep // 2) :]}"
