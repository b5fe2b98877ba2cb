"""A systemd unit for `vta serve`."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vta_pynq.errors import DeviceError

__all__ = ["unit_text"]

_PASSED_ON = ("BOARD", "XILINX_XRT")
"""What a PYNQ image's profile scripts tell shells, and services do not see."""

_UNIT = """\
# Written by 'vta serve --systemd'. As root:
#   vta serve --systemd > /etc/systemd/system/vta-serve.service
#   systemctl daemon-reload
#   systemctl enable --now vta-serve
# What it says: journalctl -u vta-serve
[Unit]
Description=VTA for clients on the network
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={command}
{environment}# SIGTERM ends connections in order, frees the clients' memory and gives up the logic.
KillSignal=SIGTERM
TimeoutStopSec=15
Restart=on-failure
RestartSec=2
# A thousand clients, and the board's devices.
LimitNOFILE=4096
TasksMax=512

# PrivateDevices would hide what the service is for: registers are in /dev/mem, contiguous memory
# (CMA) comes from XRT's DRM device, interrupts from UIO. Everything else is closed.
DevicePolicy=closed
DeviceAllow=/dev/mem rw
DeviceAllow=char-drm rw
DeviceAllow=char-uio rw
# Root without its privileges, but for /dev/mem (RAWIO) and files of others (the lock of the logic).
CapabilityBoundingSet=CAP_SYS_RAWIO CAP_DAC_OVERRIDE
NoNewPrivileges=yes
# Programming the logic writes a bitstream to /lib/firmware, and pynq keeps its state beside itself.
# Not ProtectKernelTunables: the bitstream's name is written to /sys/class/fpga_manager.
ProtectSystem=full
ReadWritePaths=-/lib/firmware{pynq_state}
ProtectHome=read-only
# Not PrivateTmp: programs on this machine and the server see the same lock of the logic.
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
# Not MemoryDenyWriteExecute: cffi's callbacks need memory of that kind on some machines.

[Install]
WantedBy=multi-user.target
"""


def _quoted(word: str) -> str:
    """A word of a command line or assignment, as systemd.service(5) and (7) quote them."""
    if any(ord(letter) < 32 for letter in word):
        raise DeviceError(f"unit: word must have no control characters, not {word!r}; rename it")
    for special, meaning in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(special, meaning)
    return f'"{word}"' if not word or set(word) & set(" ';\"\\") else word


def unit_text(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The unit that runs `vta serve` with these arguments by the Python that runs now.

    Parameters
    ----------
    arguments
        Without `--systemd`; paths in them should be absolute.
    environment
        Where the board's name and XRT's place are taken from; by default this process's.

    Raises
    ------
    DeviceError
        An argument cannot be written in a unit.
    """
    given = os.environ if environment is None else environment
    command = [sys.executable, "-m", "vta_pynq.cli", "serve", *arguments]
    # An assignment knows no $.
    lines = [
        "Environment=" + _quoted(f"{name}={given[name]}").replace("$$", "$") + "\n"
        for name in _PASSED_ON
        if given.get(name)
    ]
    found = importlib.util.find_spec("pynq")
    state = ""
    if found is not None and found.origin is not None:
        state = " " + _quoted("-" + str(Path(found.origin).parent / "pl_server"))
    return _UNIT.format(
        command=" ".join(map(_quoted, command)), environment="".join(lines), pynq_state=state
    )
