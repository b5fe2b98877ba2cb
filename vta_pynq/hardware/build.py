"""Builds a bitstream: `python -m vta_pynq.hardware.build BOARD/VARIANT`, or `make -C overlays`.

Vitis HLS makes the four IPs, Vivado packages the control block, joins them in a block design and
implements it. Registers and addresses that come out are compared with the register table, and a
design that misses its timing is refused. Exit codes: 0 built, 1 the build failed, 2 wrong use or
tools that are missing. Never run with the vendor's tools so far (docs/building-hardware.md).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from vta_pynq.errors import BuildError, ConfigError
from vta_pynq.hardware.plan import BuildPlan
from vta_pynq.hardware.provenance import Source, provenance, source_of, write_provenance
from vta_pynq.hardware.register_check import component_mismatches, hand_off_mismatches
from vta_pynq.hardware.reports import read_facts, read_utilisation, slack
from vta_pynq.hardware.resources import estimate, shortages
from vta_pynq.hardware.tools import Tools, find_tools, run_script
from vta_pynq.isa.register_types import IpBlock
from vta_pynq.overlay.boards import get_board
from vta_pynq.overlay.descriptions import variants

__all__ = ["build", "main", "plan_of"]

_TREE = Path(__file__).resolve().parents[2]
_SCRIPTS = _TREE / "hls" / "scripts"
_REPORTS = "reports"


def plan_of(target: str, ports: str | None = None, source: int = 0) -> BuildPlan:
    """The plan of a target BOARD/VARIANT.

    VARIANT is a variant's name, its last part, or its configuration's name without capabilities.
    `ports` is an option of the board; the variant's own by default.

    Raises
    ------
    ConfigError
        Board, variant or option are unknown, or do not go together.
    """
    board_name, _, name = target.partition("/")
    board = get_board(board_name)
    known = [v for v in variants() if v.design.control and board.name in v.boards]
    for variant in known:
        if name in (variant.name, variant.stem, variant.config.base_name):
            return BuildPlan(board, variant, ports or variant.ports, source)
    shown = ", ".join(variant.stem for variant in known) or "none"
    raise ConfigError(
        f"target: must be BOARD/VARIANT, with a variant of {board.name} ({shown}), not {target!r}"
    )


class _Build:
    """One build, in a folder of its own: `work` for the tools, results and reports beside it."""

    def __init__(
        self, plan: BuildPlan, tools: Tools, folder: Path, jobs: int, hours: float
    ) -> None:
        self.plan, self.tools, self.folder = plan, tools, folder
        self.work = folder / "work"
        self.timeout_s = hours * 3600
        self.environment = {
            "VTA_PLAN": str(self.work / "plan.tcl"),
            "VTA_SCRIPTS": str(_SCRIPTS),
            "VTA_HLS": str(_SCRIPTS.parent),
            "VTA_WORK": str(self.work),
            "VTA_JOBS": str(jobs),
        }

    def run(self, source: Source) -> Path:
        """All steps; the `vta.json` of the result."""
        if not _SCRIPTS.is_dir():
            raise ConfigError(
                f"build: {_SCRIPTS} must exist, not be missing; use a source tree of the project"
            )
        self._clear()
        self.work.mkdir(parents=True)
        (self.folder / _REPORTS).mkdir()
        self.plan.save(self.work / "plan.tcl")
        for block in self.plan.variant.design.modules:
            self._module(block)
        self._control()
        self._implement()
        return self._results(source)

    def _clear(self) -> None:
        """What an earlier build left must not pass for a result of this one."""
        there = self.folder.is_dir() and any(self.folder.iterdir())
        if there and not (self.work / "plan.tcl").is_file():
            raise ConfigError(
                f"build: {self.folder} must be empty, new, or hold an earlier build, because it "
                "is emptied; name another folder with --into"
            )
        if there:
            shutil.rmtree(self.folder)

    def _script(self, name: str, command: tuple[str, ...], what: str, **more: str) -> None:
        print(f"build: {what}", flush=True)
        log = self.folder / _REPORTS / f"{what.replace(' ', '_')}.log"
        environment = {**self.environment, **more}
        run_script(command, _SCRIPTS / name, environment, self.work, log, self.timeout_s)

    def _check(self, mismatches: list[str]) -> None:
        if mismatches:
            raise BuildError(
                "registers: the design must agree with the register table, and differs: "
                f"{'; '.join(mismatches)}; drivers would not work, so mend pragmas or table"
            )

    def _solution(self, block: IpBlock) -> Path:
        return self.work / "hls" / block.vlnv.split(":")[2] / "solution"

    def _module(self, block: IpBlock) -> None:
        self._script("hls_ip.tcl", self.tools.hls, f"hls {block.name}", VTA_MODULE=block.name)
        solution = self._solution(block)
        self._check(component_mismatches(solution / "impl" / "ip" / "component.xml", block))
        for report in (solution / "syn" / "report").glob("*_csynth.rpt"):
            shutil.copy2(report, self.folder / _REPORTS)

    def _control(self) -> None:
        block = self.plan.variant.design.control
        assert block is not None  # a plan has one
        self._script("package_control.tcl", self.tools.vivado, "package control")
        folder = self.work / "ip" / block.vlnv.split(":")[2]
        self._check(component_mismatches(folder / "component.xml", block))

    def _implement(self) -> None:
        try:
            self._script("build.tcl", self.tools.vivado, "vivado")
        finally:
            # The reports of a build that failed are what one wants to read.
            if (self.work / _REPORTS).is_dir():
                shutil.copytree(self.work / _REPORTS, self.folder / _REPORTS, dirs_exist_ok=True)

    def _results(self, source: Source) -> Path:
        facts = read_facts(self.work / "facts.txt")
        slacks = {name: slack(facts, name) for name in ("wns", "whs")}
        stem = self.plan.variant.stem
        self._check(hand_off_mismatches(self.work / f"{stem}.hwh", self.plan))
        utilisation = read_utilisation(self.folder / _REPORTS / "utilization.rpt")
        files = []
        for suffix in (".bit", ".hwh"):
            files.append(Path(shutil.copy2(self.work / f"{stem}{suffix}", self.folder)))
        described = self.plan.variant.to_dict()
        (self.folder / f"{stem}.json").write_text(json.dumps(described, indent=2) + "\n")
        tools = {"vivado": facts.get("vivado", "unknown"), "vitis_hls": self._hls_release()}
        content = provenance(self.plan, source, tools, slacks, utilisation, files)
        return write_provenance(self.folder, content)

    def _hls_release(self) -> str:
        """The release in the reports of synthesis (`ReportVersion`)."""
        releases = set()
        for block in self.plan.variant.design.modules:
            for path in (self._solution(block) / "syn" / "report").glob("*_csynth.xml"):
                releases.add(ET.parse(path).getroot().findtext(".//ReportVersion/Version", ""))
        return ", ".join(sorted(filter(None, releases))) or "unknown"


def build(plan: BuildPlan, tools: Tools, folder: Path, *, jobs: int, hours: float) -> Path:
    """Build a plan into `folder`, which is emptied first; the path of `vta.json`.

    Raises
    ------
    BuildError
        A tool fails, the timing is missed, or registers or addresses differ from the table.
    ConfigError
        This is no source tree.
    """
    return _Build(plan, tools, folder, jobs, hours).run(source_of(_TREE))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vta_pynq.hardware.build",
        description="Build a bitstream with Vitis HLS and Vivado.",
    )
    parser.add_argument("target", metavar="BOARD/VARIANT", help="such as pynq-z2/1x16_i8w8a32_...")
    parser.add_argument(
        "--ports", help="how masters reach memory: an option of the board (hp, acp)"
    )
    parser.add_argument("--into", type=Path, help="folder for the result; emptied first")
    parser.add_argument("--jobs", type=int, default=2, help="processes of Vivado (default 2)")
    parser.add_argument(
        "--hours", type=float, default=12.0, help="deadline of each tool (default 12)"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan and build nothing")
    return parser


def _warn_of_shortages(plan: BuildPlan) -> None:
    needed = estimate(plan.config, plan.variant.profile)
    for line in shortages(needed, plan.board.logic):
        print(f"build: {plan.variant.name} may not fit {plan.board.name}: {line}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Build; the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return _main(args)
    except (BuildError, ConfigError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1 if isinstance(error, BuildError) else 2


def _main(args: argparse.Namespace) -> int:
    plan = plan_of(args.target, args.ports, source_of(_TREE).register)
    if args.plan:
        print(plan.to_tcl(), end="")
        return 0
    tools, missing = find_tools()
    if tools is None:
        print(f"build: {missing}", file=sys.stderr)
        return 2
    _warn_of_shortages(plan)
    default = _TREE / "build" / "overlays" / args.target.partition("/")[0] / plan.variant.stem
    result = build(plan, tools, args.into or default, jobs=args.jobs, hours=args.hours)
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    print(f"build: {result.parent} (WNS {content['wns_ns']:g} ns, WHS {content['whs_ns']:g} ns)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
