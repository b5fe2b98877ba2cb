"""The ports of the four tops, read from the C++ that synthesis gets.

Which arguments there are, and their kind, is in the pragmas of `hls/src/<module>.cpp`; widths and
depths are in the typedefs of `types.hpp`, whose names are properties of `HwConfig`; directions are
in the parameter names of `<module>_step`. Names of the RTL ports are those that Vitis HLS makes
(UG1399, "Port-Level I/O Protocols", "AXI4 Interfaces").
"""

from __future__ import annotations

import dataclasses
import re

from tests.conftest import ROOT
from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.table import INSN_BYTES

SOURCES = ROOT / "hls" / "src"
_KINDS = {
    "VTA_AXI_READ": "read", "VTA_AXI_WRITE": "write", "VTA_AXIS": "stream", "VTA_SRAM": "memory",
    "VTA_PULSE": "pulse", "VTA_AXI_LITE": "register",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of a top: its kind, bits of a word, and for memories depth and words."""

    name: str
    kind: str
    bits: int = 0
    output: bool = False
    depth: int = 0
    words: int = 1


def _text(name: str) -> str:
    return re.sub(r"//[^\n]*", "", (SOURCES / name).read_text(encoding="utf-8"))


def _parameters(text: str, function: str) -> list[str]:
    """Parameters, or arguments of the call, of a function: the text between its parentheses."""
    found = re.search(rf"\b{function}\(((?:[^()]|\([^()]*\))*)\)", text)
    assert found, f"{function} is not there"
    return [part.strip() for part in re.split(r",(?![^<(]*[>)])", found[1])]


def _number(expression: str, config: HwConfig) -> int:
    """A constant expression of the headers, in numbers of `config`."""
    python = " ".join(expression.split()).replace("isa::", "config.").replace("::", ".")
    choice = re.fullmatch(r"(.+) \? (.+) : (.+)", python)
    if choice:
        python = "({1}) if ({0}) else ({2})".format(*choice.groups())
    names = {
        "config": config,
        "least": min,
        "insn_bytes": INSN_BYTES,
        "BuildConfig": _Build(config),
    }
    while True:
        try:
            return int(eval(python, names))
        except NameError as unknown:
            names[unknown.name] = _number(_constant(unknown.name), config)


class _Build:
    """What `BuildConfig` has beyond the primary numbers."""

    bus_bits = int(re.search(r"define VTA_BUS_BITS (\d+)", _text("config.hpp"))[1])

    def __init__(self, config: HwConfig) -> None:
        self.has_acc8 = config.has(Capability.LOAD_ACC8)


def _constant(name: str) -> str:
    for path in sorted(SOURCES.glob("*.hpp")):
        found = re.search(rf"constexpr int {name} =\s*([^;]+);", _text(path.name))
        if found:
            return found[1]
    header = (ROOT / "hls/generated/vta_registers.hpp").read_text(encoding="utf-8")
    return re.search(rf"\b{name} = (\d+)", header)[1]


def _bits_of(type_name: str, config: HwConfig) -> int:
    """Bits of a typedef `typedef ap_uint<...> name`."""
    for path in sorted(SOURCES.glob("*.hpp")):
        found = re.search(rf"typedef ap_uint<([^>]+)> {type_name};", _text(path.name))
        if found:
            return _number(found[1], config)
    raise AssertionError(f"no typedef {type_name}")


def _memory(type_name: str, config: HwConfig) -> tuple[int, int, int]:
    """Bits of a word, depth, words of an `Sram` typedef."""
    found = re.search(rf"typedef Sram<([^,]+), ([^>]+)> {type_name};", _text("types.hpp"))
    bits, log_depth = (_number(part, config) for part in found.groups())
    most = 1 << int(re.search(r"define VTA_LOG_BANK_BITS (\d+)", _text("config.hpp"))[1])
    word = min(bits, most)
    return word, 1 << log_depth, bits // word


def _directions(module: str) -> dict[str, tuple[str, str]]:
    """For each argument of the top that is passed on: type and name of the parameter it becomes."""
    function = "fetch_program" if module == "fetch" else f"{module}_step"
    names = _parameters(_text(f"{module}.cpp"), f"vta::{function}")
    parameters = [" ".join(p.split()) for p in _parameters(_text(f"{module}.hpp"), function)]
    return {n: tuple(p.rsplit(" ", 1)) for n, p in zip(names, parameters, strict=True)}


def arguments(module: str, config: HwConfig) -> list[Argument]:
    """The arguments of `vta_<module>` that have ports of their own."""
    text = _text(f"{module}.cpp")
    types = dict(
        reversed(p.replace("VTA_", "").rsplit(" ", 1))
        for p in (" ".join(p.split()) for p in _parameters(text, f"vta_{module}"))
        if "PORT(" not in p
    )
    inside = _directions(module)
    found = []
    for macro, kind in _KINDS.items():
        for words in re.findall(rf"^\s*{macro}\(([^)]*)\)", text, re.MULTILINE):
            name = words.split(",")[-1].strip()
            if kind in ("read", "write"):
                found.append(Argument(name, kind, _port_bits(text, module, name, config)))
            elif kind == "stream":
                parameter = inside[name][1]
                output = module == "fetch" or parameter.startswith("to_")
                assert output or parameter == "queue" or parameter.startswith("from_"), parameter
                bits = _bits_of(re.search(r"Channel<vta::(\w+)>", types[name])[1], config)
                # AXI-Stream carries whole bytes.
                found.append(Argument(name, kind, -(-bits // 8) * 8, output))
            elif kind == "memory":
                type_name = re.search(r"vta::(\w+)::memory_t", types[name])[1]
                bits, depth, count = _memory(type_name, config)
                writes = not inside[name][0].startswith("const ")
                found.append(Argument(name, kind, bits, writes, depth, count))
            elif kind == "pulse":
                bits = 1 if "token_t" in types[name] else _bits_of("errors_t", config)
                found.append(Argument(name, kind, bits, True))
    return found


def _port_bits(text: str, module: str, name: str, config: HwConfig) -> int:
    type_name = re.search(rf"PORT\(vta::(\w+), {name}\)", text)[1]
    return _bits_of(type_name, config)
