"""Runs a scenario on pynq's own device for boards, with a fake FPGA manager underneath.

`/sys`, `/lib/firmware`, `/dev/mem` and XRT are replaced, and the simulated device answers where
the programmable logic would. Everything between them and `VtaOverlay` is what runs on a board:
`python board.py FOLDER NAME [FILE.bit]` prints what it saw as JSON. For pynq 3.1 and later.
"""

import importlib
import json
import os
import sys
import types
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
warnings.simplefilter("ignore")


def import_pynq():
    """Import pynq in the belief that this is a board."""
    os.environ["XILINX_XRT"] = "/usr"
    original = os.path.isfile
    os.path.isfile = lambda path: "pynq_board" in str(path) or original(path)
    importlib.import_module("pynq")
    os.path.isfile = original


def set_up(folder, board_name):
    """Replace what the board would have; the simulated logic."""
    import pynq
    import pyxrt
    from pynq.pl_server import embedded_device, global_state

    from vta_pynq.overlay import vta_overlay
    from vta_pynq.overlay.identity import read_identity
    from vta_pynq.sim.device import SimDevice

    logic = SimDevice(tag="logic", board=board_name)
    pyxrt.DRAM.append(logic.dram)
    vta_overlay.default_lock_file = lambda: folder / "lock"
    for name in ("manager", "firmware", "state", "bin"):
        (folder / name).mkdir()
    for name in ("firmware", "flags"):
        (folder / "manager" / name).write_text("")
    tool = folder / "bin" / "xclbinutil"
    tool.write_text(
        f"#!/bin/sh\ncp '{Path(embedded_device.__file__).parent}/default.xclbin' t.xclbin\n"
    )
    tool.chmod(0o755)
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    os.environ["BOARD"] = board_name

    device = embedded_device.EmbeddedDevice
    device.BS_FPGA_MAN = str(folder / "manager" / "firmware")
    device.BS_FPGA_MAN_FLAGS = str(folder / "manager" / "flags")
    # pynq keeps state beside its own sources; and it unmaps buffers, which here are one mapping.
    embedded_device.__file__ = str(folder / "state" / "x.py")
    global_state.STATE_DIR = str(folder / "state")
    for module in (embedded_device, global_state):
        module.initial_global_state_file_boot_check = lambda *ignored: None
    pynq.buffer.libc = types.SimpleNamespace(munmap=lambda *ignored: 0)
    real_path = embedded_device.Path
    embedded_device.Path = lambda path, *more: real_path(
        folder / "firmware" if str(path) == "/lib/firmware" else path, *more
    )
    device.mmap = lambda self, base, length: logic.mmap(base, length)
    load = device._xrt_download

    def program(self, data):
        load(self, data)
        # The FPGA manager has the design by now: the logic becomes it.
        logic._build(self.parser, read_identity(Path(self.bitfile_name), self.parser.ip_dict))

    device._xrt_download = program
    if hasattr(device, "arch"):
        device.arch = logic.arch
    original = device.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.arch = logic.arch

    device.__init__ = init
    return logic


def main(folder, name, *bitfiles):
    folder = Path(folder)
    import_pynq()
    logic = set_up(folder, "Pynq-Z2")
    import numpy as np
    import pynq

    from tests.sim_device.rig import AddOne
    from vta_pynq.overlay import VtaOverlay

    seen = {"devices": [type(d).__name__ for d in pynq.Device.devices], "runs": []}
    for which in (name, *bitfiles):
        overlay = VtaOverlay(which, device="board")
        job = AddOne(overlay, tiles=4, addend=3)
        for value in (1, 2):
            job.source[:] = value
            job.source.flush()
            job.run()
            job.target.invalidate()
            assert (np.asarray(job.target) == value + 3).all()
        overlay.accelerator.reset()
        job.run()
        binary = folder / "firmware" / (folder / "manager" / "firmware").read_text()
        seen["runs"].append(
            {
                "device": type(overlay.device).__name__,
                "identity": overlay.identity.variant,
                "config": overlay.config.name,
                "compute": overlay.ip_dict["vta/compute_0"]["phys_addr"],
                "binary_bytes": binary.stat().st_size,
                "flags": (folder / "manager" / "flags").read_text(),
                "fclk0_mhz": pynq.Clocks.fclk0_mhz,
                "downloads": logic.downloads,
                "lock": overlay._lock is not None,
            }
        )
        overlay.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
