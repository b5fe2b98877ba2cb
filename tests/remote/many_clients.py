"""A process of many clients, each with a connection of its own: `python many_clients.py PORT N`.

Prints a line when all are connected and were answered, waits for a line, asks each to hold the
device, and prints how many got it and how many were told that it is taken.
"""

from __future__ import annotations

import sys

import grpc

from vta_pynq.remote.protocol import DESCRIBE, HOLD, SERVICE, SESSION_KEY


def main(port: str, count: str) -> None:
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [
        grpc.insecure_channel(f"127.0.0.1:{port}", options=options) for _ in range(int(count))
    ]
    answers = [
        channel.unary_unary(f"/{SERVICE}/{DESCRIBE}").future(b"", timeout=120, wait_for_ready=True)
        for channel in channels
    ]
    assert all(b"Pynq-Z2" in answer.result() for answer in answers)
    print("connected", flush=True)
    sys.stdin.readline()
    got = told = 0
    holds = [
        channel.unary_stream(f"/{SERVICE}/{HOLD}")(
            b"one of many", timeout=120, metadata=((SESSION_KEY, f"{id(channel):x}"),)
        )
        for channel in channels
    ]
    for hold in holds:
        try:
            next(hold)
            got += 1
        except grpc.RpcError as error:
            told += error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    print(got, told, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
