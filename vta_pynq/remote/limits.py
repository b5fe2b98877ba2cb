"""Streams that take too long: a server's threads are few, and a client may stop in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from vta_pynq.remote.protocol import HOLD, SERVICE

__all__ = ["KEEPALIVE_MS", "STREAM_S", "StreamLimit", "server_options"]

STREAM_S = 90.0
"""For one stream of pieces; the client's own deadline is 60 s."""
KEEPALIVE_MS = 10_000
"""After so much silence a connection is asked whether it is there; it has half of it to answer.
A client whose network is gone sends no farewell."""


def server_options() -> tuple[tuple[str, int], ...]:
    """Options of a server that notices clients that are gone."""
    return (
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_MS // 2),
        # Without it, gRPC 1.64 waits a minute for the answer whatever the line above says.
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_MS // 2),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )


class StreamLimit(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Cancels streams that are not done in time, whichever side waits; sessions excepted."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._guard = threading.Lock()
        self._streams: dict[int, tuple[float, Any]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vta-serve-limit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no longer."""
        self._over.set()
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._over.wait(self._limit_s / 8):
            now = time.monotonic()
            with self._guard:
                late = [context for until, context in self._streams.values() if until <= now]
            for context in late:
                context.cancel()

    def _watched(self, context: Any) -> None:
        number = id(context)
        with self._guard:
            self._streams[number] = time.monotonic() + self._limit_s, context
        if not context.add_callback(lambda: self._forget(number)):
            self._forget(number)

    def _forget(self, number: int) -> None:
        with self._guard:
            self._streams.pop(number, None)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The call's handler, watched if it streams."""
        handler = continuation(details)
        if handler is None or details.method == f"/{SERVICE}/{HOLD}":
            return handler
        if handler.stream_unary is not None:
            return handler._replace(stream_unary=self._wrapped(handler.stream_unary))
        if handler.unary_stream is not None:
            return handler._replace(unary_stream=self._wrapped(handler.unary_stream))
        return handler

    def _wrapped(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def call(request: Any, context: Any) -> Any:
            self._watched(context)
            return behaviour(request, context)

        return call
