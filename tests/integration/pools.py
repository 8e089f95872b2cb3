"""Pools that many tests configure, and a client that keeps a request of one going."""

from __future__ import annotations

import socket

from daemon import connect

# Says that it has begun, and cannot be ended by TERM.
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done"]


def static(count: int, **keys: object) -> dict[str, object]:
    return {"handler": "/bin/cat", "scaling": "static", "max_workers": count, **keys}


def in_conversation(address: str) -> socket.socket:
    """A client whose request is being served."""
    client = connect(address)
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    return client
