"""What the network protocol costs, on the loopback: `python bench/bench_remote.py`."""

from __future__ import annotations

import numpy as np

from bench.bench_runtime import CONFIG, empty_program, wall_s
from vta_pynq.overlay import VtaOverlay
from vta_pynq.profile.figures import Row
from vta_pynq.remote.server import Server
from vta_pynq.sim.device import SimDevice

NAME = "remote"
_MIB = 1 << 20


def run(quick: bool) -> list[Row]:
    """A register read, an empty run, and bytes to and from a buffer, through a server here."""
    repeats = 20 if quick else 200
    with Server(SimDevice(tag="bench-remote"), port=0) as server:
        url = f"grpc://127.0.0.1:{server.port}"
        with VtaOverlay(CONFIG.name, device=url) as overlay:
            fetch = overlay.accelerator.fetch
            read_s, read_spread = wall_s(lambda: fetch.get("insns"), repeats)
            with overlay.load(empty_program()) as model:
                run_s, run_spread = wall_s(model.run, repeats)
            buffer = overlay.allocate((4 * _MIB,))
            buffer[:] = np.arange(4 * _MIB)
            flush_s, flush_spread = wall_s(buffer.flush, 5)
            overlay.device.close()
    note = "server and client on this machine"
    return [
        Row("register read", read_s * 1e6, "us", None, note, read_spread),
        Row("empty program, one run", run_s * 1e6, "us", None, note, run_spread),
        Row("buffer of 4 MiB, flush", 4 / flush_s, "MB/s", None, note, flush_spread),
    ]


if __name__ == "__main__":
    from vta_pynq.profile.figures import table_text

    print(table_text([(NAME, row) for row in run(False)]))
