"""The rates of connections lie in memory that every worker of the pool can write: what one writes there harms nobody for long."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from boards import SLOT, SLOTS, scoreboard
from control import control_of
from daemon import SLOW, Daemon, request, tcp4, wait_until

RATES = SLOTS + 65536 * SLOT
KEY, POOL, BUCKETS, END = RATES, RATES + 64, RATES + 128, RATES + 128 + 65536 * 64


def garbage() -> bytes:
    return random.choice([0, 2**64 - 1, random.getrandbits(64), random.getrandbits(45)]).to_bytes(8, "little")


def test_garbage_heals(preforkd: Callable[..., Daemon]) -> None:
    """Everything is written over, the master's words too, while clients come. The pool next to it is not concerned, the master
    lives, and as soon as the master writes its words again, clients are served at the rate."""
    address, other = tcp4(), tcp4()
    pool = {"handler": "/bin/cat", "scaling": "static", "max_workers": 2, "rate_limit": "1000/s",
            "rate_limit_per_source": "1000/s"}
    daemon = preforkd({"www": {"listen": address, **pool}, "other": {"listen": other, **pool}}, control=True)
    assert request(address, b"x") == b"x"
    stop = threading.Event()

    def write() -> None:
        with scoreboard(daemon) as memory:
            while not stop.is_set():
                at = random.choice([random.randrange(KEY, BUCKETS, 8), POOL, random.randrange(BUCKETS, END, 8)])
                memory[at:at + 8] = garbage()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert request(other, b"y") == b"y"
            client = threading.Thread(target=lambda: try_one(address), daemon=True)
            client.start()
            time.sleep(0.01)
    finally:
        stop.set()
        writer.join()
    control_of(daemon).do("scale www rate_limit=999/s")
    wait_until(lambda: request(address, b"x", timeout=5 * SLOW) == b"x", "a client to be served", 90)
    assert control_of(daemon).pool()["totals"]["died"] == 0
    assert control_of(daemon).do("status")["master"]["pid"] == daemon.pid


def try_one(address: str) -> None:
    try:
        request(address, b"x", timeout=1)
    except (OSError, AssertionError):
        pass  # it is held, or refused
