"""Adaptive scaling: levels of demand keep their workers, nobody is woken for it, and `why` shows the arithmetic."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import Control, control_of
from daemon import Daemon, burst, connect, context_switches, read_all, request, tcp4, wait_until
from served import most_at_once, served
from test_preforkctl import ctl_of

Start = Callable[..., Daemon]
Program = Callable[[str], str]

# A program that accepts itself and has so much memory that it does not pay to keep it for long.
HEAVY = """
import os, socket
memory = bytearray(int(os.environ["BYTES"]))
memory[::4096] = b"x" * len(memory[::4096])
listener = socket.socket(fileno=3)
while True:
    try:
        client, _ = listener.accept()
    except OSError:
        break
    with client:
        while client.recv(100):
            pass
        client.sendall(b"served")
"""


def decided(daemon: Daemon, pattern: str) -> list[str]:
    return [text for text in control_of(daemon).decisions() if re.fullmatch(pattern, text)]


def test_a_burst_from_rest(preforkd: Start, program: Program) -> None:
    """At rest there is no worker, a burst gets all of them at once, and its levels keep them while the master sleeps."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "2000"], "scaling": "adaptive",
                               "max_workers": 40}}, control=True)
    assert daemon.workers() == []
    answers = [served(reply) for reply in burst(address, 30)]
    assert most_at_once(answers) == 30
    control = control_of(daemon)
    control.wait_idle()
    status = control.pool()
    assert status["limits"]["scaling"] == "adaptive"
    assert status["adaptive"]["level"] == 30
    assert status["adaptive"]["off_delay_ms"] == status["adaptive"]["start_worth_ms"] >= 1000
    assert status["counts"]["idle"] >= 30
    daemon.wait_asleep(2, 30)


def test_what_is_shown(preforkd: Start) -> None:
    """Level, off-delay and worth: in the status, in `why` with the arithmetic, in the table, and as metrics."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "adaptive", "max_workers": 20},
                       "old": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    control, ctl = control_of(daemon), ctl_of(daemon)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        wait_until(lambda: control.pool()["adaptive"]["level"] == 3, "three levels")
        assert control.pool()["adaptive"]["level_idle_ms"] == 0
        assert "now: level 3 is busy, and keeps its worker for" in ctl.do("why", "www")
    control.wait_idle()
    first = control.pool()["adaptive"]
    assert first["level"] == 3 and first["off_delay_ms"] > 0
    wait_until(lambda: control.pool()["adaptive"]["level_idle_ms"] > max(first["level_idle_ms"], 20), "the time of the level")
    # The figures are of the last starts, and none is to come: the levels keep their workers.
    why = ctl.do("why", "www")
    [(_, arithmetic)] = re.findall(r"^  now: level 3 has been idle for (.+?) of .+?; a start is worth \S.* of an idle worker \((.*)\); .* spare", why,
                       re.MULTILINE)
    assert re.fullmatch(r"\S+ / \d+ processors? x \S+ / \S+", arithmetic.partition(",")[0]), why
    assert "now:" not in ctl.do("why", "old")
    rows = ctl.do("status").splitlines()[-3:]
    for line, end in zip(rows, (r"LEVEL +IDLE/GOES", r" 3 +\d\w* ?\w*/\d\w* ?\w*", r" - +-"), strict=True):
        assert re.search(end + "$", line), rows
    assert re.search(r"^  adaptive   level 3, idle for \S+, goes after .*; a start takes \S+ and is worth .*; \d+ ahead$", ctl.do("status", "www"),
                     re.MULTILINE)
    metrics = ctl.do("metrics")
    found = {name: float(value) for name, value in re.findall(r'^preforkd_pool_(\w+)\{pool="www"\} (\S+)$', metrics, re.MULTILINE)}
    assert found["adaptive_level"] == 3
    now = control.pool()
    assert found["adaptive_off_delay_seconds"] == now["adaptive"]["off_delay_ms"] / 1000 >= 1
    assert found["start_worth_seconds"] == now["starts"]["worth_ms"] / 1000
    assert found["adaptive_spare_workers"] == now["adaptive"]["spare_workers"]
    assert 'preforkd_pool_adaptive_level{pool="old"} 0' in metrics


def serve_at_once(address: str, control: Control, count: int, answer: bytes) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(address)) for _ in range(count)]
        # One that is let go in that moment may serve, too, and is none of the pool's busy ones.
        wait_until(lambda: sum(row["busy"] for row in control.pool(workers=True)["workers"]) == count, "busy workers", 60)
        for client in clients:
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == answer


def test_bounds(preforkd: Start) -> None:
    """max_spare_workers and spare_timeout bound what levels keep, and min_spare_workers what is left; also while the end
    of a level is waited for, which may be minutes."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "adaptive", "max_workers": 20,
                               "min_spare_workers": 1, "max_spare_workers": 2, "spare_timeout": "300ms"}}, control=True)
    control = control_of(daemon)

    for count in (3, 10, 6):  # after the first there are two, and a level
        serve_at_once(address, control, count, b"")
        wait_until(lambda: 1 <= control.pool()["counts"]["total"] <= 2, "the end of the surplus", 20)
    assert decided(daemon, r"-\d+ workers? \(idle \d+ > 2 for 300ms\)")
    assert request(address, b"hello") == b"hello"


def test_a_level_that_is_idle_for_too_long(preforkd: Start, tmp_path: Path) -> None:
    """Dear workers stay while their levels are busy now and then, go after seconds, and the record says why."""
    script = tmp_path / "heavy.py"
    script.write_text(HEAVY)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [sys.executable, str(script)], "handler_type": "listener",
                               "environment": f"BYTES={memory // 200}", "scaling": "adaptive", "max_workers": 3,
                               "max_spare_workers": 0, "spare_timeout": "1h"}}, control=True)  # levels, and nothing else
    control = control_of(daemon)

    serve_at_once(address, control, 3, b"served")
    delay_s = control.pool()["adaptive"]["off_delay_ms"] / 1000
    assert delay_s < 60
    # Three are there, so nothing but what workers note tells the master that two are in use.
    deadline = time.monotonic() + 4 * delay_s + 60
    while control.pool()["counts"]["total"] == 3 and time.monotonic() < deadline:
        serve_at_once(address, control, 2, b"served")
        time.sleep(0.1)
    assert control.pool()["counts"]["total"] == 2
    assert decided(daemon, r"-1 worker \(level 3 idle for .*")
    wait_until(lambda: control.pool()["counts"]["total"] == 0, "the end of all levels", 4 * delay_s + 60)
    levels = decided(daemon, r"-\d+ workers? \(level \d+ idle for \d+\.\d s > \d+\.\d s\)")
    assert levels
    for text in levels:
        idle, allowed = re.findall(r"(\d+\.\d) s", text)
        assert float(idle) >= float(allowed) >= 1


@pytest.mark.parametrize(("at_once", "keys"), [(3, {}), (3, {"max_spare_workers": 1}), (1, {"max_spare_workers": 0})],
                         ids=["levels", "bound", "one"])
def test_steady_load_wakes_nobody(preforkd: Start, at_once: int, keys: dict[str, object]) -> None:
    """As many clients as ever, one request after the other: after a moment no request wakes the master."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/true", "scaling": "adaptive", "max_workers": 20, **keys}})
    done = threading.Event()
    answered: list[int] = []

    def ask() -> None:
        while not done.is_set():
            request(address)
            answered.append(1)

    clients = [threading.Thread(target=ask) for _ in range(at_once)]
    for client in clients:
        client.start()

    def few_wake_ups() -> bool:
        wakes, requests = context_switches(daemon.pid), len(answered)
        wait_until(lambda: len(answered) > requests + 200, "more requests", 60)
        return context_switches(daemon.pid) - wakes <= 4

    try:
        wait_until(few_wake_ups, "200 requests for which the master sleeps", 60)
    finally:
        done.set()
        for client in clients:
            client.join()


def test_a_reload_keeps_what_is_there(preforkd: Start) -> None:
    """Nothing is known of levels when a pool becomes adaptive, so all are kept at first."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_workers": 5}}, control=True)
    workers = sorted(daemon.wait_workers(5) or daemon.workers())
    daemon.pools["www"].update(scaling="adaptive", start_workers=None)
    daemon.write_config()
    daemon.hup()
    control = control_of(daemon)
    wait_until(lambda: control.pool()["limits"]["scaling"] == "adaptive", "the new scaling")
    assert sorted(daemon.workers()) == workers
    assert control.pool()["adaptive"]["level"] == 5


def private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_what_a_start_is_worth_rests_on_what_a_worker_has(preforkd: Start) -> None:
    """A worker that is a fork of the master has what it has written to since, though its memory is not more."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "echo", "handler_type": "builtin", "scaling": "adaptive",
                               "min_spare_workers": 3}}, control=True)
    workers = daemon.wait_workers(3)
    control = control_of(daemon)
    control.wait_idle()
    measured = control.pool()["starts"]
    private = [private_bytes(pid) for pid in workers]  # type: ignore[union-attr]
    assert max(private) / 4 <= measured["worker_bytes"] <= 8 * min(private), private
    assert measured["cpu_us"] > 0 and measured["duration_us"] > 0
