"""What breaks between a server and its clients: a proxy that cuts, a server in its own process."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.project.source_files import ROOT


def settled(condition, timeout_s: float = 20.0) -> bool:
    """Whether a condition comes true before the deadline."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition() and time.monotonic() < deadline:
        pause.wait(0.02)
    return bool(condition())


class ServerProcess:
    """`vta serve` with a simulator in a process of its own."""

    def __init__(self, port: int = 0, *words: str) -> None:
        command = [sys.executable, "-m", "vta_pynq.cli", "serve", "--device", "sim"]
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.process = subprocess.Popen(
            [*command, "--port", str(port), *words], cwd=ROOT, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most)),
        )  # fmt: skip
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)$", line)[1])
        self.url = f"grpc://127.0.0.1:{self.port}"

    def files(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def limit_files(self, size: int) -> None:
        """Let no file of it become larger than that: its disk is full."""
        _, most = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, most))

    def threads(self) -> int:
        """Threads."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def connections(self) -> int:
        """Sockets of clients that are connected."""
        found = 0
        for name in os.listdir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                found += os.readlink(f"/proc/{self.process.pid}/fd/{name}").startswith("socket:")
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


class Proxy:
    """Passes bytes between clients and a port, until it is told to cut or to swallow them."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"grpc://127.0.0.1:{self.port}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._guard = threading.Lock()
        self._refusing = self._swallowing = self._over = False
        self._most = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End all connections, and refuse new ones until `restore`."""
        with self._guard:
            self._refusing = True
            self._close_all()

    def swallow(self) -> None:
        """Pass nothing on, and say nothing: the cable is out."""
        self._swallowing = True

    def after(self, count: int) -> None:
        """Cut when a client has sent so many more bytes, in the middle of whatever it sends."""
        self._most = count

    def restore(self) -> None:
        """Work again."""
        with self._guard:
            self._close_all()
            self._refusing = self._swallowing = False
            self._most = None

    def _close_all(self) -> None:
        for end in list(self._pairs):
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for one in (end, other):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(one)
            one.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._refusing:
            client.close()
            return
        server = socket.create_connection(self._target, timeout=5)
        for end, other, upward in ((client, server, True), (server, client, False)):
            self._pairs[end] = other
            self._selector.register(end, selectors.EVENT_READ, upward)

    def _pass(self, end: socket.socket, upward: bool) -> None:
        data = end.recv(1 << 16) if end in self._pairs else b""
        if not data:
            self._drop(end)
            return
        if self._swallowing:
            return
        if upward and self._most is not None:
            data, self._most = data[: self._most], self._most - len(data)
        self._pairs[end].sendall(data)
        if self._most is not None and self._most <= 0:
            self._refusing = True
            self._close_all()

    def _run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.05):
                with self._guard:
                    if key.data is None:
                        self._accept()
                    elif key.fileobj in self._pairs:
                        try:
                            self._pass(key.fileobj, key.data)
                        except OSError:
                            self._drop(key.fileobj)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join(10)
        self._close_all()
        self._selector.close()
        self._listener.close()


def small_disk(size: int):
    """`with small_disk(size):` no file of this process becomes larger than that."""

    @contextlib.contextmanager
    def limited():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited()


def files_below(folder: Path) -> list[str]:
    """Names of all files."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
