"""The digits network over pools of simulators on this machine: `python bench/bench_pool.py`."""

from __future__ import annotations

import numpy as np

from examples.demo import load_images
from examples.pool import digits_program, measure
from vta_pynq.profile.figures import Row
from vta_pynq.remote.pool import local_pool

NAME = "pool"


def run(quick: bool) -> list[Row]:
    """Images a second with one worker process and with four."""
    program = digits_program()
    images = np.concatenate([load_images("test_images")[0]] * (1 if quick else 4))
    rows = []
    for count in (1, 4):
        with local_pool(count) as pool:
            found = measure(pool, program, images)
        note = f"{len(images)} digits, residual network, workers' start not counted"
        rows.append(Row(f"digits, workers: {count}", found.images_per_s, "images/s", None, note))
    return rows


if __name__ == "__main__":
    from vta_pynq.profile.figures import table_text

    print(table_text([(NAME, row) for row in run(False)]))
