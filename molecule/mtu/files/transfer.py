# SPDX-License-Identifier: GPL-3.0-or-later
"""A large transfer that tells the segment size of its sender.

transfer.py serve PORT
transfer.py fetch ADDRESS PORT      prints the server's segment size, bytes received and seconds as JSON
"""

from __future__ import annotations

import json
import socket
import sys
import time

SIZE = 4 * 1024 * 1024


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        while True:
            connection, _address = listener.accept()
            with connection:
                connection.settimeout(5)
                try:
                    segment = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
                    connection.sendall(f"{segment}\n".encode() + bytes(SIZE))
                except OSError as error:
                    print(error, flush=True)


def fetch(address: str, port: int) -> None:
    started = time.monotonic()
    received = b""
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            while chunk := connection.recv(1 << 20):
                received += chunk
    except OSError:
        pass  # what came until then counts
    line, _newline, rest = received.partition(b"\n")
    seconds = round(time.monotonic() - started, 2)
    print(
        json.dumps({"segment": int(line or 0), "received": len(rest), "seconds": seconds, "whole": len(rest) == SIZE})
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        fetch(sys.argv[2], int(sys.argv[3]))
