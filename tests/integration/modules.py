"""Modules for tests: where they are, and what is asked of the one that misbehaves."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from daemon import HANDLERS, connect, read_all


def module(name: str, directory: Path) -> str:
    """A module of tests/handlers/, copied to where every user can load it."""
    target = directory / f"module_{name}.so"
    if not target.exists():
        source = HANDLERS / target.name
        assert source.exists(), f"{source} is missing: build first (./check does)"
        shutil.copy(source, target)
        target.chmod(0o755)
    return str(target)


def ask(address: str, what: str) -> bytes:
    """Have `module_misbehave` do something, and return what it says after "begun"; a reset is an end."""
    with connect(address) as client:
        client.sendall(what.encode() + b"\n")
        client.shutdown(socket.SHUT_WR)
        try:
            reply = read_all(client)
        except ConnectionResetError:
            reply = b""
    return reply.removeprefix(b"begun\n")
