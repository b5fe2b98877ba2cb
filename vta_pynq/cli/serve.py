"""`vta serve`: let other computers use this board, or the simulated one."""

from __future__ import annotations

import argparse
import signal
import threading

from vta_pynq.errors import DeviceError

__all__ = ["HELP", "add_arguments", "run"]

HELP = "serve this board, or the simulator, to other computers"

EXAMPLES = (
    "vta serve --device sim --port 7967",
    "vta serve --host 0.0.0.0",
)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"must be a number in 0..65535, not {text}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "It speaks PYNQ.remote's protocol. Elsewhere, VTA_DEVICE=grpc://HOST:PORT "
        "makes every command, notebook and program of this project use it. There is no password "
        "and no encryption, and clients reach every register of the board: open it to a network "
        "that you trust only. Ctrl-C ends it."
    )
    parser.add_argument(
        "--device", metavar="D", help="board, sim, csim (default: as VTA_DEVICE says)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 for all of this machine's (default: %(default)s, "
        "which only this machine reaches)",
    )  # fmt: skip
    parser.add_argument(
        "--port",
        type=_port,
        default=7967,
        metavar="N",
        help="(default: %(default)s; 0: a free one)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    try:
        from vta_pynq.remote.server import Server
    except ImportError as error:
        raise DeviceError(
            f"server: pynq 3.1 or later and grpcio must be installed, not missing ({error}); run "
            "pip install 'vta-pynq[remote]' and upgrade pynq"
        ) from None
    if str(args.device or "").startswith("grpc://"):
        raise DeviceError("server: --device must be a device of this machine, not a server's")
    over = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: over.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Server(args.device, args.host, args.port) as server:
            kind = "simulated " if server.simulated else ""
            print(f"serving the {kind}{server.board.name} on {args.host}:{server.port}", flush=True)
            while not over.wait(0.5):
                if not server.wait(0.01):
                    break
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0
