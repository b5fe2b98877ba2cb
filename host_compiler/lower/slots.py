"""Which piece of data lies in which slot of an SRAM, decided with the whole future in view."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

__all__ = ["assign_slots"]


def assign_slots(needs: Sequence[Hashable | None], slots: int) -> tuple[list[int], list[bool]]:
    """A slot for what each item needs, and whether it has to be loaded for it.

    The piece whose next use is farthest makes room; the slot of the item just before is kept, so
    that loading overlaps with working on it. Among equals the one used longest ago goes.
    """
    following = _next_uses(needs)
    content: list[Hashable | None] = [None] * slots
    next_use = [len(needs)] * slots
    last_use = [-1] * slots
    where: dict[Hashable, int] = {}
    places, loads = [], []
    previous = -1
    for item, key in enumerate(needs):
        if key is None:
            places.append(-1)
            loads.append(False)
            continue
        slot = where.get(key)
        load = slot is None
        if slot is None:
            free = [s for s in range(slots) if s != previous] or [previous]
            slot = max(free, key=lambda s: (content[s] is None, next_use[s], -last_use[s], -s))
            if content[slot] is not None:
                del where[content[slot]]
            content[slot], where[key] = key, slot
        next_use[slot], last_use[slot] = following[item], item
        places.append(slot)
        loads.append(load)
        previous = slot
    return places, loads


def _next_uses(needs: Sequence[Hashable | None]) -> list[int]:
    seen: dict[Hashable, int] = {}
    result = [len(needs)] * len(needs)
    for item in reversed(range(len(needs))):
        key = needs[item]
        if key is not None:
            result[item] = seen.get(key, len(needs))
            seen[key] = item
    return result
