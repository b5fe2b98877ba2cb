"""Run as a program under the names of the vendor's tools: `python -m ... NAME ARGUMENTS`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.overlays.stand_in.packager import Packager
from tests.overlays.stand_in.serve import run_script
from tests.overlays.stand_in.vitis_hls import VitisHls
from tests.overlays.stand_in.vivado import Outcome
from vta_pynq.config import HwConfig

_WORDS = {
    # tool: what stands between its name and the script
    "vivado": ["-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source"],
    "vitis_hls": ["-f"],
    "vitis-run": ["--mode", "hls", "--tcl"],
}


def main() -> int:
    name, *words, script = sys.argv[1:]
    if words != _WORDS[name]:
        print(f"ERROR: {name}: unknown options {words}")
        return 2
    state = json.loads(Path(os.environ["VTA_STAND_IN"]).read_text(encoding="utf-8"))
    folder = Path(os.environ["VTA_WORK"])
    if name == "vivado":
        config = HwConfig.from_name(state["config"])
        answer = Packager(config, folder, Outcome(**state["outcome"])).answer
    else:
        answer = VitisHls(folder, state.get("moved", "")).answer
    code, printed = run_script(Path(script), answer, {}, folder, state["tclsh"])
    print(printed)
    return code


if __name__ == "__main__":
    sys.exit(main())
