"""Quantise, compile and run the digits networks on the simulated board, through PYNQ.

Everything after the compiler is what runs on a board too: `VtaOverlay` is a `pynq.Overlay`, and
the simulator takes the board's place underneath it. With a board, or VTA_DEVICE=board, the same
lines run there. The programs stay in a folder, each with a plot of its layers' roofline.

    python examples/demo.py [residual|depthwise ...] [--config NAME | --overlay NAME]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from host_compiler.compile import compile_model
from host_compiler.onnx_session import exact_session
from host_compiler.quantize import quantize_model
from vta_pynq import HwConfig, Program, VtaOverlay
from vta_pynq.profile import profile_run, roofline_picture
from vta_pynq.timing import simulate

NETWORKS = ("residual", "depthwise")
FOLDER = Path(__file__).parent / "digits"
LARGEST_LOSS = 0.01
"""Accuracy that int8 on the accelerator may lose against float."""
CLOCK_MHZ = 100
RESULTS = Path("build") / "demo"
SHADES = " .:-=+*#%@"

Images = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one network scored on the held-out images."""

    labels: npt.NDArray[np.int64]
    real: Scores
    int8: Scores
    device: Scores
    seconds: float

    def accuracy(self, scores: Scores) -> float:
        """Share of images whose largest score is their label's."""
        return float((scores.argmax(1) == self.labels).mean())

    @property
    def good(self) -> bool:
        """Whether the accelerator loses no more accuracy than it may."""
        return self.accuracy(self.real) - self.accuracy(self.device) <= LARGEST_LOSS


def load_images(name: str) -> tuple[Images, npt.NDArray[np.int64]]:
    """Images as the networks take them, -1..1, and their labels where the file has them."""
    with np.load(FOLDER / f"{name}.npz") as file:
        labels = file["labels"] if "labels" in file else np.zeros(0)
        return file["images"].astype(np.float32) / 8 - 1, labels.astype(np.int64)


def onnx_scores(model: bytes, images: Images) -> Scores:
    """The scores that onnxruntime computes."""
    session = exact_session(onnx.load_from_string(model))
    result: Scores = session.run(None, {session.get_inputs()[0].name: images})[0]
    return result


def program_path(folder: Path, name: str) -> Path:
    """Where a network's program goes."""
    return folder / f"{name}.vta"


def run_network(name: str, overlay: VtaOverlay, folder: Path) -> tuple[Outcome, Program]:
    """Quantise, compile, run all held-out images."""
    calibration, _ = load_images("calibration_images")
    images, labels = load_images("test_images")
    source = FOLDER / f"digits_{name}.onnx"
    quantised = quantize_model(source, calibration, per_channel=True).model.SerializeToString()
    file = program_path(folder, name)
    target = overlay.identity.profile.name
    compile_model(quantised, overlay.config, target, shapes={"batch": 1}, name=name).save(file)
    scores = []
    with overlay.load(file) as model:
        begin = time.perf_counter()
        for image in images:
            scores.append(model.run(image[None])[0])
        seconds = time.perf_counter() - begin
        program = model.program
    real = onnx_scores(source.read_bytes(), images)
    int8 = onnx_scores(quantised, images)
    return Outcome(labels, real, int8, np.stack(scores), seconds), program


def show_images(images: Images, labels: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> str:
    """Images side by side in characters, with what was recognised below."""
    levels = ((images[:, 0] + 1) / 2 * (len(SHADES) - 1)).round().astype(int)
    levels = levels.clip(0, len(SHADES) - 1)
    lines = [
        "   ".join("".join(2 * SHADES[v] for v in image[row]) for image in levels)
        for row in range(images.shape[2])
    ]
    pairs = zip(found, labels, strict=True)
    captions = [f"{p}" if p == label else f"{p} (it is {label})" for p, label in pairs]
    lines.append("   ".join(caption.center(2 * images.shape[3]) for caption in captions))
    return "\n".join(line.rstrip() for line in lines)


def describe(name: str, outcome: Outcome, program: Program, device: str) -> str:
    """The figures of one network."""
    count = len(outcome.labels)
    differing = int(np.count_nonzero(outcome.device != outcome.int8))
    predictions = int((outcome.device.argmax(1) != outcome.int8.argmax(1)).sum())
    cycles = sum(simulate(s, program.profile).total_cycles for s in program.streams())
    lines = [
        f"{name}: {count} held-out images on {device}, {program.config.name}",
        f"  accuracy    {outcome.accuracy(outcome.device):7.2%}  on the accelerator, int8",
        f"              {outcome.accuracy(outcome.int8):7.2%}  onnxruntime, int8",
        f"              {outcome.accuracy(outcome.real):7.2%}  onnxruntime, float",
        f"  mismatches  {differing} of {outcome.device.size} scores differ from onnxruntime's int8 "
        f"(ties of rounding), {predictions} predictions",
        f"  cycles      {cycles} per image by the cycle model: "
        f"{cycles / CLOCK_MHZ:.0f} us at {CLOCK_MHZ} MHz",
        f"  time        {outcome.seconds:.2f} s for all images here, "
        f"{outcome.seconds / count * 1e3:.2f} ms each",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the networks that are named; 1 if one of them loses too much accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("network", nargs="*", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--config", default=HwConfig().name, help="default: %(default)s")
    parser.add_argument("--overlay", help="one of 'vta overlays list' (default: the config's)")
    parser.add_argument(
        "--folder", type=Path, default=RESULTS, help="for programs and plots (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    unknown = set(args.network) - set(NETWORKS)
    if unknown:
        parser.error(f"network must be one of {', '.join(NETWORKS)}, not {min(unknown)!r}")
    good = True
    images, labels = load_images("test_images")
    args.folder.mkdir(parents=True, exist_ok=True)
    with VtaOverlay(args.overlay or args.config) as overlay:
        for number, name in enumerate(args.network or NETWORKS):
            outcome, program = run_network(name, overlay, args.folder)
            found = outcome.device.argmax(1)
            if not number:
                wrong = np.flatnonzero(found != labels)[:1]
                chosen = np.concatenate([np.arange(6 - len(wrong)), wrong])
                print(show_images(images[chosen], labels[chosen], found[chosen]), end="\n\n")
            where = f"{overlay.device.name} ({type(overlay.device).__name__})"
            print(describe(name, outcome, program, where))
            plot = args.folder / f"{name}.png"
            roofline_picture(profile_run(program)).save(plot)
            print(f"  program     {program_path(args.folder, name)}")
            print(f"  plot        {plot} (each layer against the hardware's limits)")
            good = good and outcome.good
    if not good:
        print(f"accuracy must be within {LARGEST_LOSS:.0%} of float", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
