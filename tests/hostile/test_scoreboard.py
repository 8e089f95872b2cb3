"""Workers that write anything into the scoreboard of their pool: it harms the pool at most, and no upgrade."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boards import scoreboard
from control import control_of
from daemon import Daemon, request, tcp4, wait_until
from pools import in_conversation

Start = Callable[..., Daemon]

HEADER_WORDS = {"magic": 0, "version": 8, "header_bytes": 12, "slot_bytes": 16, "slot_count": 20, "slot_limit": 76}
WAKE_FLAGS = slice(128, 148)


def boards_mapped(pid: int) -> set[str]:
    return {line.split("/memfd:preforkd:")[1].split()[0] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "/memfd:preforkd:" in line}


def test_a_worker_maps_the_scoreboard_of_its_pool_alone(preforkd: Start) -> None:
    """Also one that is started later, and after an upgrade."""
    pools = {name: {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}
             for name in ("one", "other", "third")}
    daemon = preforkd(pools)
    for _ in range(2):
        for name in pools:
            for worker in daemon.wait_workers(2, name):
                wait_until(lambda worker=worker: boards_mapped(worker), "its scoreboard")  # type: ignore[misc]
                assert boards_mapped(worker) == {name}
        daemon.hup()


@pytest.mark.parametrize("word", HEADER_WORDS)
def test_a_header_that_was_overwritten(preforkd: Start, tmp_path: Path, word: str) -> None:
    """New workers start, upgrades work, and the pool serves."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 2}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    wait_until(lambda: control.pool()["counts"]["idle"] == 2, "ready workers")
    with scoreboard(daemon, "www") as memory:
        for garbage in (0, 0xffffffff):
            memory[HEADER_WORDS[word]:HEADER_WORDS[word] + 4] = struct.pack("<I", garbage)
            [first, *_] = daemon.workers()
            control.do(f"kill-worker {first}")
            wait_until(lambda w=first: control.pool()["counts"]["idle"] == 2 and w not in daemon.workers(),  # type: ignore[misc]
                       "another worker")
            memory[HEADER_WORDS[word]:HEADER_WORDS[word] + 4] = struct.pack("<I", garbage)
            control.do("upgrade", timeout=30)
            assert request(address, b"x") == b"x"
    daemon.assert_quiet()


def test_upgrades_while_the_header_flickers(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 2}},
                      master={"control": tmp_path / "control.sock"})
    control, end = control_of(daemon), threading.Event()

    def flicker(memory: mmap.mmap) -> None:
        while not end.is_set():
            for byte in (b"\0", b"P"):
                memory[0:1] = byte

    with scoreboard(daemon, "www") as memory:
        thread = threading.Thread(target=flicker, args=[memory])
        thread.start()
        try:
            for _ in range(10):
                control.do("upgrade", timeout=30)
                assert request(address, b"x") == b"x"
        finally:
            end.set()
            thread.join()
    os.kill(daemon.pid, 0)


def test_a_worker_that_dies_between_its_flag_and_its_wake_up(preforkd: Start, tmp_path: Path) -> None:
    """Its flag stays set, so no other worker would wake the master for that reason; its end makes the master look."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": 3,
                               "start_workers": 3, "max_workers": 8}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    workers = daemon.wait_workers(3)
    wait_until(lambda: control.pool()["counts"]["idle"] == 3, "ready workers")
    with scoreboard(daemon, "www") as memory:
        memory[WAKE_FLAGS] = struct.pack("<5I", *[1] * 5)
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: control.pool()["counts"]["idle"] == 2, "its end")
        with in_conversation(address), in_conversation(address):
            assert request(address, b"x") == b"x"


def test_a_program_that_claims_requests_and_ends(preforkd: Start, program: Callable[[str], str], tmp_path: Path) -> None:
    """It accepts itself, so it counts its own requests. However many it claims, the pool backs off when it ends at once."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "accounting": "api", "scaling": "static",
                               "handler": [program("acceptor"), "liar"], "max_workers": 4, "restart_delay_min": "200ms"}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    daemon.wait_message("backing off", timeout=20)
    before, begun = control.pool()["totals"]["forked"], time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 3, "three seconds")
    forked, seconds = control.pool()["totals"]["forked"] - before, time.monotonic() - begun
    # Four at a time, five times a second, and ten that are excused.
    assert forked <= 8 + seconds * (4 * 5 + 10), (forked, seconds)
