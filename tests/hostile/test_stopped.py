"""Workers that somebody stops (SIGSTOP): they look idle and serve nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import SLOW, Daemon, burst, context_switches, request, stat_fields, tcp4, wait_until

Start = Callable[..., Daemon]


def stop(workers: list[int]) -> None:
    """Until they have stopped they may still take a connection, and keep it."""
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: all((fields := stat_fields(worker)) and fields[0] == "T" for worker in workers), "the stop")


@pytest.mark.parametrize("listeners", [1, 2])
@pytest.mark.parametrize("scaling", ["dynamic", "ondemand"])
def test_others_take_their_place(preforkd: Start, tmp_path: Path, scaling: str, listeners: int) -> None:
    addresses = [tcp4() for _ in range(listeners)]
    daemon = preforkd({"www": {"listen": addresses, "handler": "/bin/cat", "scaling": scaling, "max_workers": 20}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    for round in range(3):
        assert request(addresses[-1], b"x") == b"x"
        stopped = wait_until(daemon.workers, "workers")
        stop(stopped)
        begin = time.monotonic()
        assert request(addresses[0], b"x") == b"x"
        assert time.monotonic() - begin < 2 * SLOW
        for worker in stopped:
            os.kill(worker, signal.SIGCONT)
        wait_until(lambda: control.pool()["counts"]["busy"] == 0, "all of them as they were")
    assert all(reply.data == b"x" for reply in burst(addresses[0], 20, b"x"))


def test_they_are_seen_and_shown(preforkd: Start, tmp_path: Path) -> None:
    """At once, without a timer."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 20}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    stopped = wait_until(daemon.workers, "workers")
    stop(stopped)
    counts = wait_until(lambda: (counts := control.pool()["counts"])["busy"] >= len(stopped) and counts, "the look")
    assert counts["total"] == counts["busy"] + counts["idle"] + counts["starting"]
    assert {worker["pid"] for worker in control.pool(workers=True)["workers"] if worker["state"] == "stopped"} == {
        *stopped}
    assert request(address, b"x") == b"x"
    switches = context_switches(daemon.pid)
    time.sleep(1)  # the time in which a master that looks by a timer would be seen
    assert context_switches(daemon.pid) - switches < 10
    daemon.stop()


# Stops and continues a worker as fast as it can.
TOGGLER = """
import os, signal, sys
print("begun", flush=True)
while True:
    os.kill(int(sys.argv[1]), signal.SIGSTOP)
    os.kill(int(sys.argv[1]), signal.SIGCONT)
"""


def test_a_worker_stopped_and_continued_without_end(preforkd: Start, tmp_path: Path) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 2},
                       "other": {"listen": other, "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    worker, control = daemon.wait_workers(2)[0], control_of(daemon)
    with subprocess.Popen([sys.executable, "-c", TOGGLER, str(worker)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"begun\n"
            end = time.monotonic() + 3
            while time.monotonic() < end:
                control.do("status", timeout=5)
                assert request(other, b"x", timeout=5) == b"x"
                assert request(address, b"x", timeout=5) == b"x"
        finally:
            process.kill()
            process.wait()
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: control.pool()["counts"]["idle"] == 2, "both idle")
    assert daemon.log_mark() < 20000
