"""The order of tasks: as few changes between processor and accelerator as the data allow."""

from __future__ import annotations

import heapq

from host_compiler.layout.tasks import LayerTask, Tasks

__all__ = ["Phase", "order_tasks"]

Phase = tuple[bool, tuple[int, ...]]
"""Whether the accelerator does it, and task numbers in order."""


def order_tasks(tasks: Tasks) -> list[Phase]:
    """Phases that alternate between processor and accelerator, as long as each can be.

    Within a phase tasks keep the order that they have where nothing else forces another one.
    """
    before = tasks.dependencies()
    after: list[list[int]] = [[] for _ in before]
    missing = [len(needs) for needs in before]
    for number, needs in enumerate(before):
        for need in sorted(needs):
            after[need].append(number)
    ready: dict[bool, list[int]] = {True: [], False: []}

    def offer(number: int) -> None:
        heapq.heappush(ready[isinstance(tasks.tasks[number], LayerTask)], number)

    for number, count in enumerate(missing):
        if not count:
            offer(number)
    phases: list[Phase] = []
    accelerator = False
    while ready[True] or ready[False]:
        done: list[int] = []
        while ready[accelerator]:
            number = heapq.heappop(ready[accelerator])
            done.append(number)
            for follower in after[number]:
                missing[follower] -= 1
                if not missing[follower]:
                    offer(follower)
        if done:
            phases.append((accelerator, tuple(done)))
        accelerator = not accelerator
    return phases
