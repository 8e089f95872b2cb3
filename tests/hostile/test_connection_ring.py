"""Records of connections lie in memory that every worker of the pool can write: what one writes there costs records of that pool,
and nothing else."""

from __future__ import annotations

import random
import struct
import threading
from collections.abc import Callable

from boards import scoreboard
from control import control_of
from daemon import Daemon, request, tcp4, wait_until

CELLS, RECORD = 1024, 256
BYTES = 128 + CELLS * (8 + RECORD)
NEXT, STATES, RECORDS = 64, 128, 128 + CELLS * 8  # from the ring's begin, which is BYTES before the end
POOL = {"handler_type": "builtin", "handler": "echo", "scaling": "static", "max_workers": 2, "connection_log": "all"}

Start = Callable[..., Daemon]


def told(daemon: Daemon, pool: str) -> int:
    return daemon.log().count(f": connection pool={pool} ")


def test_garbage(preforkd: Start) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {**POOL, "listen": address}, "other": {**POOL, "listen": other}}, control=True)
    assert request(address, b"x") == b"x"
    stop = threading.Event()

    def write() -> None:
        with scoreboard(daemon) as memory:
            ring = len(memory) - BYTES
            while not stop.is_set():
                at = random.choice([random.randrange(0, RECORDS, 4), random.randrange(0, STATES, 4),
                                    random.randrange(RECORDS, BYTES, 4)])
                memory[ring + at:ring + at + 4] = random.choice([0, 1, 2**32 - 1, random.getrandbits(32)]).to_bytes(4, "little")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(500):
            assert request(address, b"x", timeout=5) == b"x"
            assert request(other, b"y", timeout=5) == b"y"
    finally:
        stop.set()
        writer.join()
    wait_until(lambda: told(daemon, "other") >= 500, "all records of the other pool", 20)
    assert told(daemon, "other") == 500
    before = told(daemon, "www")

    def is_told_again() -> bool:
        assert request(address, b"x") == b"x"
        return told(daemon, "www") > before

    wait_until(is_told_again, "records of the pool", 60)
    assert control_of(daemon).pool()["totals"]["died"] == 0


def test_a_record_that_is_never_written(preforkd: Start) -> None:
    """A worker has stopped, or died, in the middle: others are logged meanwhile, and the ring is not held up for ever."""
    address = tcp4()
    daemon = preforkd({"www": {**POOL, "listen": address}}, control=True)
    assert request(address, b"x") == b"x"
    wait_until(lambda: told(daemon, "www") == 1, "the first record", 20)
    with scoreboard(daemon) as memory:
        ring = len(memory) - BYTES
        [number] = struct.unpack_from("<I", memory, ring + NEXT)
        struct.pack_into("<Q", memory, ring + STATES + number % CELLS * 8, number // CELLS << 32 | 4711)
        struct.pack_into("<I", memory, ring + NEXT, number + 1)
    served = 1

    def is_skipped() -> bool:
        nonlocal served
        assert request(address, b"x") == b"x"
        served += 1
        return bool(daemon.told("records dropped"))

    assert wait_until(is_skipped, "that a record is missing", 20)
    for _ in range(CELLS + 10):
        assert request(address, b"x") == b"x"
    wait_until(lambda: told(daemon, "www") == served + CELLS + 10, "all others", 20)
    assert daemon.told("records dropped") == [1]
