"""Clients that send datagrams.

    with Client("udp:127.0.0.1:69") as client:
        client.ask(b"x")
"""

from __future__ import annotations

import socket
from typing import Any

from daemon import SLOW, free_port


def udp(port: int | None = None) -> str:
    return f"udp:127.0.0.1:{port or free_port()}"


class Client:
    """Sends datagrams from a socket of its own, and hears the answers."""

    def __init__(self, address: str, timeout: float = 10.0) -> None:
        kind, _, place = address.partition(":")
        if kind == "udp":
            host, _, port = place.rpartition(":")
            self.socket = socket.socket(socket.AF_INET6 if host[0] == "[" else socket.AF_INET, socket.SOCK_DGRAM)
            self.target: Any = (host.strip("[]"), int(port))
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(b"")  # a name of the kernel's choice
            self.target = "\0" + place[1:] if place[0] == "@" else place
        self.socket.settimeout(timeout * SLOW)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def send(self, data: bytes = b"x") -> None:
        self.socket.sendto(data, self.target)

    def hear(self) -> tuple[int, bytes]:
        """Who answered, and what."""
        pid, _, data = self.socket.recv(65536).partition(b" ")
        return int(pid), data

    def ask(self, data: bytes = b"x") -> int:
        """A question and its answer; who answered."""
        self.send(data)
        pid, answer = self.hear()
        assert answer == data
        return pid
