"""The commands of Vivado that the scripts use, on a design that is only a record."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.overlays.stand_in.catalogue import VENDOR, control_model, control_parameters, hls_model
from tests.overlays.stand_in.design import Design
from tests.overlays.stand_in.judge import problems
from tests.overlays.stand_in.parts import IpModel
from tests.overlays.stand_in.serve import CommandError, options, tcl_list
from vta_pynq.config import HwConfig
from vta_pynq.hardware.tcl import tcl_word

__all__ = ["Outcome", "Vivado"]

BOARD_PARTS = (
    "www.digilentinc.com:pynq-z1:part0:1.0", "tul.com.tw:pynq-z2:part0:1.0",
    "avnet.com:ultra96v2:part0:1.2", "xilinx.com:zcu104:part0:1.1", "xilinx.com:zcu104:part0:1.9",
    "xilinx.com:zcu104:part0:1.10", "xilinx.com:kv260_som:part0:1.4",
)  # fmt: skip


@dataclasses.dataclass
class Outcome:
    """What the runs of a build come to."""

    wns: str = "0.123"
    whs: str = "0.045"
    fails: str = ""
    """Run that does not finish."""
    utilization: str = ""
    hand_off: str = ""
    """Text of the .hwh file."""


class Vivado:
    """`answer` is what `serve.run_script` calls. `config` is what the HLS IPs were built for."""

    def __init__(self, config: HwConfig, folder: Path, outcome: Outcome | None = None) -> None:
        self.config = config
        self.folder = folder
        self.outcome = outcome or Outcome()
        self.design = Design()
        self.commands: list[tuple[str, tuple[str, ...]]] = []
        self.properties: dict[tuple[str, str], str] = {}
        self.steps: set[str] = set()

    def answer(self, name: str, words: Sequence[str]) -> str:
        self.commands.append((name, tuple(words)))
        method: Callable[[Sequence[str]], str] | None = getattr(self, f"do_{name}", None)
        if method is None:
            raise CommandError(f'invalid command name "{name}"')
        return method(words)

    # ---- project -------------------------------------------------------------------------

    def do_version(self, words: Sequence[str]) -> str:
        return "2024.1"

    def do_create_project(self, words: Sequence[str]) -> str:
        found, (name, folder) = options(words, force=False, part=True)
        self.properties["current_project", "part"] = found["part"]
        Path(folder).mkdir(parents=True, exist_ok=True)
        return name

    def do_current_project(self, words: Sequence[str]) -> str:
        return "current_project"

    def do_current_fileset(self, words: Sequence[str]) -> str:
        return "current_fileset"

    def do_get_board_parts(self, words: Sequence[str]) -> str:
        _, (pattern,) = options(words, quiet=False)
        prefix = pattern.removesuffix("*")
        return tcl_word([part for part in BOARD_PARTS if part.startswith(prefix)])[1:-1]

    def do_update_ip_catalog(self, words: Sequence[str]) -> str:
        options(words, rebuild=False)
        return ""

    def do_get_files(self, words: Sequence[str]) -> str:
        there = [Path(w).name for n, ws in self.commands if n == "add_files" for w in ws]
        there += [f"{ws[0]}.bd" for n, ws in self.commands if n == "create_bd_design"]
        if words[0] not in there:
            raise CommandError(f"no file {words[0]} in the project")
        return words[0]

    def do_add_files(self, words: Sequence[str]) -> str:
        _, files = options(words, norecurse=False)
        for file in files:
            if not Path(file).is_file():
                raise CommandError(f"file {file} does not exist")
        return ""

    def do_update_compile_order(self, words: Sequence[str]) -> str:
        options(words, fileset=True)
        return ""

    def do_generate_target(self, words: Sequence[str]) -> str:
        return ""

    def do_make_wrapper(self, words: Sequence[str]) -> str:
        found, _ = options(words, files=True, top=False)
        path = self.folder / f"{Path(found['files']).stem}_wrapper.v"
        path.write_text("// wrapper\n")
        return str(path)

    # ---- block design --------------------------------------------------------------------

    def do_create_bd_design(self, words: Sequence[str]) -> str:
        return words[0]

    def _maker(self, vlnv: str) -> tuple[str, Callable[[dict[str, str]], IpModel]]:
        known = [v for v in VENDOR if v == vlnv or v.rpartition(":")[0] == vlnv]
        if known:
            return known[-1], VENDOR[known[-1]]
        found = re.fullmatch(r"vta_pynq:hls:vta_(\w+):1\.0", vlnv)
        if found:
            return vlnv, lambda settings: hls_model(found[1], self.config)
        if vlnv == "vta_pynq:rtl:vta_control:1.0":
            return vlnv, lambda settings: control_model()
        raise CommandError(f"IP {vlnv} is not in the catalogue")

    def do_create_bd_cell(self, words: Sequence[str]) -> str:
        found, (name,) = options(words, type=True, vlnv=True)
        if found["type"] != "ip":
            raise CommandError(f"type {found['type']} is not known")
        vlnv, make = self._maker(found["vlnv"])
        self.design.create(name, vlnv, make)
        return name

    def do_apply_bd_automation(self, words: Sequence[str]) -> str:
        found, (name,) = options(words, rule=True, config=True)
        cell = self.design.cells[name]
        ip = cell.vlnv.split(":")[2]
        if found["rule"] != f"xilinx.com:bd_rule:{ip}":
            raise CommandError(f"rule {found['rule']} is not for {cell.vlnv}")
        config = tcl_list(found["config"])
        values = dict(zip(config[::2], config[1::2], strict=True))
        if values.get("apply_board_preset") != "1":
            raise CommandError("the board's preset is not applied")
        for interface in filter(None, values.get("make_external", "").split(", ")):
            self.design.interface(f"{name}/{interface}")
            self.design.external.add(f"{name}/{interface}")
        return ""

    def _find(self, kind: str, words: Sequence[str]) -> str:
        _, (pattern,) = options(words, quiet=False)
        return tcl_word(self.design.find(kind, pattern))[1:-1]

    def do_get_bd_cells(self, words: Sequence[str]) -> str:
        return self._find("cells", words)

    def do_get_bd_pins(self, words: Sequence[str]) -> str:
        return self._find("pins", words)

    def do_get_bd_intf_pins(self, words: Sequence[str]) -> str:
        return self._find("interfaces", words)

    def do_get_bd_addr_spaces(self, words: Sequence[str]) -> str:
        return self._find("spaces", words)

    def do_get_bd_addr_segs(self, words: Sequence[str]) -> str:
        return self._find("segments", words)

    def do_connect_bd_net(self, words: Sequence[str]) -> str:
        self.design.join(words)
        return ""

    def do_connect_bd_intf_net(self, words: Sequence[str]) -> str:
        self.design.join_interfaces(words)
        return ""

    def do_group_bd_cells(self, words: Sequence[str]) -> str:
        name, cells = words
        self.design.group(name, tcl_list(cells))
        return name

    def do_assign_bd_address(self, words: Sequence[str]) -> str:
        found, (segment,) = options(
            words, offset=True, range=True, target_address_space=True, force=False
        )
        offset, size = int(found["offset"], 0), int(found["range"], 0)
        self.design.assign(found["target_address_space"], segment, offset, size)
        return segment

    def do_validate_bd_design(self, words: Sequence[str]) -> str:
        self.design.validated = True
        wrong = problems(self.design)
        if wrong:
            raise CommandError("validation failed: " + "; ".join(wrong))
        return ""

    def do_save_bd_design(self, words: Sequence[str]) -> str:
        return ""

    # ---- properties ----------------------------------------------------------------------

    def do_set_property(self, words: Sequence[str]) -> str:
        found, rest = options(words, dict=True)
        if "dict" in found:
            names = tcl_list(found["dict"])
            pairs, (target,) = zip(names[::2], names[1::2], strict=True), rest
        else:
            name, value, target = rest
            pairs = ((name, value),)
        settings = {}
        for name, value in pairs:
            self.properties[target, name] = value
            if name.startswith("CONFIG."):
                settings[name.removeprefix("CONFIG.")] = value
        if settings:
            self._configure(target, settings)
        return ""

    def _configure(self, name: str, settings: dict[str, str]) -> None:
        if name not in self.design.cells:
            raise CommandError(f"cell {name} does not exist")
        if self.design.cells[name].vlnv.startswith("vta_pynq:rtl:"):
            unknown = settings.keys() - control_parameters()
            if unknown:
                raise CommandError(f"{name} has no parameters {sorted(unknown)}")
        for key in settings:
            master = re.fullmatch(r"C_(M_AXI_\w+)_CACHE_VALUE", key)
            if master and master[1].lower() not in self.design.cells[name].model.interfaces:
                raise CommandError(f"{name} has no parameter {key}")
        self.design.configure(name, settings)

    def do_get_property(self, words: Sequence[str]) -> str:
        name, target = words
        known = {
            "PROGRESS": "100%" if target in self.steps else "30%",
            "STATUS": "done" if target in self.steps else "place_design ERROR",
            "STATS.WNS": self.outcome.wns,
            "STATS.WHS": self.outcome.whs,
            "DIRECTORY": str(self.folder / "runs"),
        }
        if name not in known:
            raise CommandError(f"no property {name} of {target}")
        return known[name]

    # ---- runs ----------------------------------------------------------------------------

    def do_get_runs(self, words: Sequence[str]) -> str:
        return words[0]

    def do_launch_runs(self, words: Sequence[str]) -> str:
        found, (run,) = options(words, jobs=True, to_step=True)
        if run == "impl_1" and "synth_1" not in self.steps:
            raise CommandError("synth_1 must finish first")
        if run != self.outcome.fails:
            self.steps.add(run)
        if found.get("to_step") == "write_bitstream":
            runs = self.folder / "runs"
            runs.mkdir(exist_ok=True)
            (runs / "vta_design_wrapper.bit").write_bytes(b"bitstream of the stand-in")
            hand_off = self.folder / "project/project.gen/sources_1/bd/vta_design/hw_handoff"
            hand_off.mkdir(parents=True, exist_ok=True)
            (hand_off / "vta_design.hwh").write_text(self.outcome.hand_off)
        return ""

    def do_wait_on_run(self, words: Sequence[str]) -> str:
        return ""

    def do_open_run(self, words: Sequence[str]) -> str:
        if words[0] not in self.steps:
            raise CommandError(f"run {words[0]} is not complete")
        return ""

    def _report(self, words: Sequence[str], text: str = "report\n") -> str:
        found, _ = options(words, file=True, max_paths=True, hierarchical=False)
        Path(found["file"]).write_text(text)
        return ""

    def do_report_utilization(self, words: Sequence[str]) -> str:
        return self._report(words, self.outcome.utilization)

    do_report_timing_summary = do_report_clock_utilization = _report
    do_report_power = do_report_drc = _report
