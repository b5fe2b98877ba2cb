"""Drives the bench of the control block: commands in, verdict out."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import CONTROL, control_parameters

__all__ = [
    "CONFIG",
    "IDENTITY",
    "LENGTH",
    "SETTLE",
    "TAPS",
    "WORD",
    "Commands",
    "bit",
    "compile_bench",
    "run_bench",
    "seeded",
    "taps",
]

HLS = ROOT / "hls"
CONFIG = HwConfig.from_name(
    "1x16_i8w8a32_15_15_18_17+alu_mul+alu_requant+counters+identity+interrupt+load_acc8+soft_reset"
)
IDENTITY = {**control_parameters(CONFIG), "SOURCE": 0x1234ABCD}


def _tap_pins() -> list[tuple[str, int]]:
    """Name and width of every input behind the AXI-Lite slave, as the source declares them."""
    text = (HLS / "rtl/vta_control.v").read_text(encoding="utf-8")
    ports = re.findall(r"^    input +wire +(?:\[ *(\d+):0\] +)?(\w+),?$", text, re.MULTILINE)
    skipped = ("aclk", "aresetn")
    return [
        (name, int(high or 0) + 1)
        for high, name in ports
        if name not in skipped and not name.startswith("s_axi_")
    ]


PINS = _tap_pins()
TAPS: dict[str, tuple[int, int]] = {}
"""Lowest bit and width of each pin in the bench's vector of taps."""
for _name, _width in PINS:
    TAPS[_name] = (sum(width for _, width in TAPS.values()), _width)
TAP_BITS = sum(width for _, width in PINS)


WORD = 0xFFFFFFFF
SETTLE, LENGTH = 64, 32
"""Cycles of the soft reset (hls/rtl/vta_control_reset.v)."""


def bit(register: str, field: str) -> int:
    """Mask of a field of the control block."""
    return CONTROL.register(register).field(field).mask


def seeded() -> random.Random:
    """Random numbers whose seed a failing test prints."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def taps(**values: int) -> int:
    """A vector of taps in which the named pins have these values, all others 0."""
    found = 0
    for name, value in values.items():
        low, width = TAPS[name]
        assert 0 <= value < 1 << width
        found |= value << low
    return found


class Commands:
    """A list of commands; registers are named."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @staticmethod
    def _at(register: str | int) -> int:
        return register if isinstance(register, int) else CONTROL.register(register).offset

    def write(
        self,
        register: str | int,
        data: int,
        strobes: int = 15,
        delays: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        words = " ".join(map(str, delays))
        self.lines.append(f"w {self._at(register):x} {data:x} {strobes:x} {words}")

    def write_twice(self, register: str, data: int, delay: int) -> None:
        """Two writes, the second one begun before the first one's response is taken."""
        self.lines.append(f"b {self._at(register):x} {data:x} {delay}")

    def write_with(self, register: str, data: int, pins: int) -> None:
        """A write, and taps in the very cycle in which it acts."""
        self.lines.append(f"x {self._at(register):x} {data:x} {pins:x}")

    def expect(
        self,
        register: str | int,
        value: int,
        mask: int = 0xFFFFFFFF,
        delays: tuple[int, int] = (0, 0),
    ) -> None:
        words = " ".join(map(str, delays))
        self.lines.append(f"r {self._at(register):x} {value:x} {mask:x} {words}")

    def hold(self, pins: int = 0) -> None:
        self.lines.append(f"t {pins:x}")

    def pulse(self, pins: int) -> None:
        self.lines.append(f"p {pins:x}")

    def wait(self, cycles: int) -> None:
        self.lines.append(f"n {cycles}")

    def outputs(self, irq: int, fifo_resetn: int = 1, module_resetn: int = 1) -> None:
        self.lines.append(f"o {irq} {fifo_resetn} {module_resetn}")

    def poke_counter(self, index: int, value: int) -> None:
        self.lines.append(f"k {index} {value:x}")


def compile_bench(root: Path) -> Path:
    """Compile the bench in a folder; the program."""
    iverilog = shutil.which("iverilog")
    assert iverilog, "iverilog must be installed"
    connections = " ".join(
        f".{name}(taps[{low + width - 1}:{low}])," for name, (low, width) in TAPS.items()
    )
    text = f"localparam TAPS = {TAP_BITS};\n`define TAP_PINS {connections}\n"
    (root / "taps.vh").write_text(text, encoding="utf-8")
    parameters = [f"-Pvta_control_tb.{name}={value}" for name, value in IDENTITY.items()]
    program = root / "bench.vvp"
    sources = sorted((HLS / "rtl").glob("*.v"))
    words = [iverilog, "-g2001", "-Wall", "-Wno-timescale", "-I", str(root)]
    words += ["-I", str(HLS / "generated"), *parameters, "-s", "vta_control_tb"]
    words += ["-o", str(program), *map(str, sources), str(HLS / "tb/vta_control_tb.v")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return program


def run_bench(program: Path, commands: Commands, folder: Path) -> str:
    """Run the commands; what the bench says."""
    path = folder / "commands.txt"
    path.write_text("\n".join(commands.lines) + "\n", encoding="utf-8")
    words = ["vvp", "-n", str(program), f"+commands={path}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
