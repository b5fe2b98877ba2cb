#!/usr/bin/env python3
"""Try the device package on the board's processor architecture, without a board.

Makes a Debian root for armhf with debootstrap and runs in it, under qemu's user emulation: the
build of the C extensions, every conformance case on the C engine, PYNQ and the device package, and
a compiled network through the driver, whose outputs must be byte for byte those of this computer.
It shows that the code builds, imports and computes the same there; it says nothing about speed.

Needs root, for chroot and mounts. Exit codes: 0 fine, 1 a difference, 2 something is missing.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from source_copy import ROOT, copy_sources

TOOLS = {
    "debootstrap": "debootstrap",
    "update-binfmts": "binfmt-support",
    "qemu-arm-static": "qemu-user-static",
}
"""Programs, and the Debian packages that have them."""
SUITE = "bookworm"
PACKAGES = (
    "ca-certificates", "gcc", "libc6-dev", "python3-dev", "python3-numpy", "python3-cffi",
    "python3-pip", "python3-setuptools", "python3-wheel", "python3-psutil",
)  # fmt: skip
PYNQ = "pynq==3.0.1"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
BINFMT = pathlib.Path("/proc/sys/fs/binfmt_misc")
IMAGES = 16
"""Images of the digits test set that both computers run."""
SOURCE = "opt/vta_pynq"
"""Where the project's sources lie in the root."""


class Missing(Exception):
    """Something is not there; the message says what to do."""


def say(text: str) -> None:
    print(f"armhf: {text}", flush=True)


def run(*words: object, **more: object) -> None:
    done = subprocess.run([str(word) for word in words], check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise Missing(
            f"command must succeed, not exit with {done.returncode}: {' '.join(map(str, words))}; "
            "its messages are above"
        )


def require_tools() -> None:
    """Root, the Debian tools, and the kernel's hook that runs foreign programs."""
    if os.geteuid() != 0:
        raise Missing("must run as root, for chroot and mounts; run 'sudo make armhf'")
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if packages and not shutil.which("apt-get"):
        raise Missing(f"needed and missing: {', '.join(packages)}; install them")
    if packages:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if not (BINFMT / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    if not (BINFMT / "qemu-arm").exists():
        run("update-binfmts", "--enable", "qemu-arm")


def mirror() -> list[str]:
    """The Debian mirror that apt uses here, if it says; debootstrap has a default."""
    form = "$(REPO_URI)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = [word for word in done.stdout.split() if not word.rstrip("/").endswith("security")]
    return found[:1]


def make_root(root: pathlib.Path) -> None:
    """The armhf root with PYNQ, made once."""
    stamp = root / "armhf.stamp"
    wanted = " ".join((SUITE, *PACKAGES, PYNQ))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(root, ignore_errors=True)
    say("making the root (some minutes)")
    run("debootstrap", "--arch=armhf", "--variant=minbase", SUITE, root, *mirror())
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # Not by debootstrap, which does not know the packages that another one provides.
    inside(root, "apt-get", "update", "-q")
    inside(root, "apt-get", "install", "-yq", "--no-install-recommends", *PACKAGES)
    if (pathlib.Path("/") / CERTIFICATES).exists():  # that of a proxy may be among them
        shutil.copy(f"/{CERTIFICATES}", root / CERTIFICATES)
    say(f"installing {PYNQ}")
    # Debian's numpy and cffi stay. PYNQ's own libraries for video and audio need a board.
    inside(
        root, "python3", "-m", "pip", "install", "-q", "--break-system-packages", PYNQ, "numpy<2",
        PYNQ_BUILD_ARCH="none", PIP_CERT=f"/{CERTIFICATES}",
    )  # fmt: skip
    stamp.write_text(wanted, encoding="utf-8")


def inside(root: pathlib.Path, *words: str, **variables: str) -> None:
    """Run a command in the root, in the folder with the sources."""
    settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    settings["DEBIAN_FRONTEND"] = "noninteractive"
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"):
        if name in os.environ:
            settings[name] = os.environ[name]
    folder = f"/{SOURCE}"
    (root / SOURCE).mkdir(parents=True, exist_ok=True)
    script = f'cd {folder} && exec "$@"'
    run("chroot", root, "/bin/sh", "-c", script, "sh", *words, env={**settings, **variables})


def compile_digits(folder: pathlib.Path) -> None:
    """A compiled network, its inputs, and the outputs of this computer."""
    sys.path.insert(0, str(ROOT))
    from examples.demo import FOLDER, load_images
    from host_compiler import compile_model, quantize_model
    from vta_pynq import HwConfig

    calibration, _ = load_images("calibration_images")
    images, _ = load_images("test_images")
    source = FOLDER / "digits_residual.onnx"
    model = quantize_model(source, calibration, per_channel=True).model.SerializeToString()
    compile_model(model, HwConfig(), shapes={"batch": 1}).save(folder / "net.vta")
    np.save(folder / "images.npy", images[:IMAGES])
    np.save(folder / "expected.npy", run_network(folder))


def run_network(folder: pathlib.Path) -> np.ndarray:
    """The network's outputs on the simulated device of the computer that runs this."""
    from vta_pynq import HwConfig, VtaOverlay

    images = np.load(folder / "images.npy")
    with (
        VtaOverlay(HwConfig().name, device="sim") as overlay,
        overlay.load(folder / "net.vta") as model,
    ):
        return np.stack([model.run(image[None])[0] for image in images])


def judge(folder: pathlib.Path) -> int:
    """What runs in the root: the package's parts, then the network."""
    sys.path.insert(0, str(ROOT))
    import platform

    from vta_pynq.cli import main as vta

    say(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    cases = sorted(str(path) for path in (ROOT / "tests/conformance").iterdir() if path.is_dir())
    if vta(["replay", *cases]):
        return 1
    found, expected = run_network(folder), np.load(folder / "expected.npy")
    same = found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    differ = "the same bytes as" if same else f"{(found != expected).sum()} values other than"
    say(f"{len(found)} images through the driver: {differ} the computer that compiled them")
    return 0 if same else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=ROOT / "build" / "armhf")
    parser.add_argument("--judge", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.judge:
        return judge(arguments.judge)
    root = arguments.root.resolve()
    try:
        require_tools()
        make_root(root)
        shutil.rmtree(root / SOURCE, ignore_errors=True)
        copy_sources(root / SOURCE, extensions=False)
        folder = root / SOURCE / "build" / "network"
        folder.mkdir(parents=True)
        compile_digits(folder)
        say("building the C extensions")
        inside(root, "python3", "setup.py", "-q", "build_ext", "--inplace")
        inside(root, "python3", "scripts/armhf.py", "--judge", f"/{SOURCE}/build/network")
    except Missing as error:
        print(f"armhf: {error}", file=sys.stderr)
        return 2
    say("all fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
