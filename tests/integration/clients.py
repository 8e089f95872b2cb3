"""Clients that never rest, and what became of each of their connections.

A reload or a stop must not lose a connection that the kernel accepted. So every attempt ends in one of three ways:
*served* (the whole reply came), *refused* (connect itself failed: the client knows that nobody took it, and tries
again), or *lost*: connect worked and the reply did not come. The last is the failure these tests look for.
"""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from daemon import SLOW, endpoint, wait_until

CLIENTS = 24


class ClientPool:
    """`count` clients, each one connection after another to one of the addresses, until the `with` block ends.

    A client sends one half of its words, waits a moment, sends the other, and must read both back: requests are in
    flight whenever something happens to the daemon. Addresses may be changed at any time.
    """

    def __init__(self, addresses: Sequence[str], count: int = CLIENTS, pause: float = 0.02,
                 reply_timeout: float = 20.0, must_serve: bool = True) -> None:
        self.addresses = list(addresses)
        self.pause = pause
        self.reply_timeout = reply_timeout * SLOW
        self.must_serve = must_serve
        self.served = 0
        self.refused = 0
        self.lost: list[str] = []
        self.served_by: dict[str, int] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> ClientPool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(self.reply_timeout + 30)
        if kind is None:
            assert not any(thread.is_alive() for thread in self._threads), "a client hangs"
            assert not self.lost, f"{len(self.lost)} connections lost, {self.served} served: {self.lost[:10]}"
            assert self.served > 0 or not self.must_serve, "no client was ever served"

    def wait_served(self, more: int, what: str = "", timeout: float = 20.0, address: str | None = None) -> None:
        """Wait until so many more were served than now (by one address, or by any)."""
        def count() -> int:
            return self.served_by.get(address, 0) if address else self.served

        before = count()
        wait_until(lambda: count() >= before + more or self.lost, f"{more} more clients served {what}", timeout)

    def wait_refused(self, more: int, timeout: float = 20.0) -> None:
        before = self.refused
        wait_until(lambda: self.refused >= before + more or self.lost, f"{more} more clients refused", timeout)

    # one client

    def _run(self, number: int) -> None:
        dice = random.Random(number)
        while not self._end.is_set():
            address = dice.choice(self.addresses)
            words = f"{number}-{next(self._numbers)} ".encode() * dice.randint(1, 200)
            try:
                client = self._connect(address)
            except OSError:
                with self._lock:
                    self.refused += 1
                self._end.wait(0.005)
                continue
            with client:
                complaint = self._talk(client, words, dice.random() * self.pause)
            with self._lock:
                if complaint:
                    self.lost.append(f"{time.monotonic():.3f} {address}: {complaint}")
                else:
                    self.served += 1
                    self.served_by[address] = self.served_by.get(address, 0) + 1

    @staticmethod
    def _connect(address: str) -> socket.socket:
        family, target = endpoint(address)
        client = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A SYN that a draining listener dropped is sent again after 1 s; that is an answer, not a loss.
            client.settimeout(4 * SLOW)
            client.connect(target)
        except BaseException:
            client.close()
            raise
        return client

    def _talk(self, client: socket.socket, words: bytes, pause: float) -> str | None:
        """Why the connection is lost; None if it was served."""
        reply = b""
        client.settimeout(self.reply_timeout)
        try:
            half = len(words) // 2
            client.sendall(words[:half])
            time.sleep(pause)
            client.sendall(words[half:])
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                reply += chunk
        except OSError as error:
            return f"{error!r} after {len(reply)} of {len(words)} bytes"
        return None if reply == words else f"{len(reply)} of {len(words)} bytes came back"
