"""`vta serve`: let other computers use this board, or the simulated one."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from vta_pynq.errors import DeviceError

if TYPE_CHECKING:
    from vta_pynq.remote.security import ServerSecurity

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
        "It speaks PYNQ.remote's protocol. Elsewhere, VTA_DEVICE=grpc://HOST:PORT makes every "
        "command, notebook and program of this project use it. Clients reach every register of "
        "the board: on any other address than this machine's own, TLS and a token keep others "
        "out (docs/remote-security.md). Ctrl-C or SIGTERM ends it."
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
    group = parser.add_argument_group("security")
    group.add_argument(
        "--init", action="store_true", help="make key, certificate and token, and end"
    )
    group.add_argument(
        "--name", action="append", default=[], metavar="NAME",
        help="with --init: a further host name or address of this machine; may be repeated",
    )  # fmt: skip
    group.add_argument("--force", action="store_true", help="with --init: replace what is there")
    group.add_argument(
        "--keys", type=Path, metavar="FOLDER",
        help="where they are; also demands TLS and token on this machine's own address (default: "
        "/etc/vta_pynq for root, else ~/.config/vta_pynq)",
    )  # fmt: skip
    group.add_argument(
        "--client-ca", type=Path, metavar="FILE",
        help="demand certificates of clients that this authority signed (mutual TLS)",
    )  # fmt: skip
    parser.add_argument(
        "--systemd", action="store_true",
        help="print a systemd unit that serves with the other arguments, and end",
    )  # fmt: skip


def _init(args: argparse.Namespace) -> int:
    """Make the secrets and say what clients need."""
    from vta_pynq.remote import certificate

    folder = args.keys or certificate.default_folder()
    names = certificate.names_of_this_machine(args.name)
    certificate.create(folder, names, args.force)
    print(f"made {certificate.KEY}, {certificate.CERTIFICATE} and {certificate.TOKEN} in {folder}")
    print(f"the certificate is for {', '.join(names)}")
    print(f"clients: copy {certificate.CERTIFICATE} and {certificate.TOKEN} (scp), and set")
    print(f"  VTA_REMOTE_CA=.../{certificate.CERTIFICATE}")
    print(f"  VTA_REMOTE_TOKEN_FILE=.../{certificate.TOKEN}")
    return 0


def _security(args: argparse.Namespace) -> ServerSecurity | None:
    """What the arguments ask for; None on this machine's own address unless they do."""
    from vta_pynq.remote.certificate import KEY, default_folder
    from vta_pynq.remote.security import ServerSecurity, check_address, is_loopback

    if args.keys is None and args.client_ca is None and is_loopback(args.host):
        return None
    folder = args.keys or default_folder()
    if not (folder / KEY).exists():
        check_address(args.host, None)
    return ServerSecurity.load(folder, args.client_ca)


def _unit(args: argparse.Namespace) -> int:
    from vta_pynq.remote.certificate import default_folder
    from vta_pynq.remote.security import is_loopback
    from vta_pynq.remote.unit import unit_text

    words = ["--device", args.device or "board", "--host", args.host, "--port", str(args.port)]
    if args.keys is not None or args.client_ca is not None or not is_loopback(args.host):
        words += ["--keys", str((args.keys or default_folder()).absolute())]
    if args.client_ca is not None:
        words += ["--client-ca", str(args.client_ca.absolute())]
    print(unit_text(words), end="")
    return 0


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    try:
        if args.init:
            return _init(args)
        if args.systemd:
            return _unit(args)
        from vta_pynq.remote.server import Server
    except ImportError as error:
        raise DeviceError(
            f"server: pynq 3.1 or later and grpcio must be installed, not missing ({error}); run "
            "pip install 'vta-pynq[remote]' and upgrade pynq"
        ) from None
    if str(args.device or "").startswith("grpc://"):
        raise DeviceError("server: --device must be a device of this machine, not a server's")
    security = _security(args)
    logging.basicConfig(format="%(levelname)s: %(message)s")  # refused calls, for the journal
    over = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: over.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Server(args.device, args.host, args.port, security) as server:
            kind = "simulated " if server.simulated else ""
            print(f"serving the {kind}{server.board.name} on {args.host}:{server.port}", flush=True)
            while not over.wait(0.5):
                if not server.wait(0.01):
                    break
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0
