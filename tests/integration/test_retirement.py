"""Workers that are asked to go: no connection is lost by it, with one listener and with several."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import START_METHOD, Daemon, abstract, alive, children, connect, request, status_value, tcp4, wait_until
from methods import not_at_touch
from served import signal_worker

Start = Callable[..., Daemon]


@pytest.fixture(params=["tcp", "unix", "several"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    return {"tcp": [tcp4()], "unix": [str(tmp_path / "sock")],
            "several": [tcp4(), str(tmp_path / "sock"), abstract(), tcp4()]}[request.param]


def catches(pid: int, number: int) -> bool:
    """True if a process has a handler for a signal: a worker that is starting dies of what it does not yet handle."""
    try:
        return bool(int(status_value(pid, "SigCgt"), 16) & 1 << number - 1)
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGTERM], ids=["retire signal", "SIGTERM"])
def test_no_connection_is_lost_by_retiring(preforkd: Start, listen: list[str], number: int) -> None:
    """Workers are told to go at random moments, idle, busy or between, and are replaced."""
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 6}})
    dice, told = random.Random(1), set()
    with ClientPool(listen, count=8, pause=0.002) as clients:
        while len(told) < 60:
            ready = [worker for worker in daemon.workers() if catches(worker, number)]
            if ready:
                worker = dice.choice(ready)
                told.add(worker)
                signal_worker(worker, number)
        clients.wait_served(100)
    daemon.assert_quiet()
    daemon.wait_workers(6)


@pytest.mark.parametrize("number", ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TTIN", "TTOU", "PIPE", "CONT"])
def test_a_signal_that_was_meant_for_the_master(preforkd: Start, number: str) -> None:
    """`pkill -HUP preforkd` finds workers too, by their name: at any moment of their lives, and no request is lost."""
    listen = [tcp4()]
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 4}})
    with ClientPool(listen, count=6, pause=0.002) as clients:
        for _ in range(25):
            for worker in children(daemon.pid):
                signal_worker(worker, signal.Signals[f"SIG{number}"])
            clients.wait_served(6)
    daemon.wait_workers(4)
    daemon.assert_quiet()
    assert request(listen[0], b"x") == b"x"


@not_at_touch("SIGTERM ends a program that starts")
def test_workers_that_are_starting_are_told_to_go(preforkd: Start, listen: list[str]) -> None:
    """From their first moment on: they retire when they are ready, and that is no failure of the pool."""
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}})
    told: set[int] = set()
    while len(told) < 80:  # more would be a storm, against which a pool backs off
        for worker in sorted(set(children(daemon.pid)) - told)[:80 - len(told)]:
            told.add(worker)
            signal_worker(worker, signal.SIGTERM)
    daemon.wait_workers(3)
    daemon.assert_quiet()
    assert request(listen[0], b"x") == b"x"


def test_no_connection_is_lost_by_recycling(preforkd: Start, listen: list[str]) -> None:
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 6,
                               "max_requests": 2, "max_recycling": 6}})
    with ClientPool(listen, count=8, pause=0.002) as clients:
        clients.wait_served(500)
    daemon.assert_quiet()


def test_no_connection_is_lost_by_shrinking(preforkd: Start, listen: list[str]) -> None:
    """Clients in waves, and a surplus that does not wait: those that go are idle, and the next wave is on its way."""
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": 1,
                               "max_workers": 20, "spare_timeout": "1ms"}}, control=True)
    with ClientPool(listen, count=8, pause=0.03) as clients:
        clients.wait_served(500)
    assert control_of(daemon).pool()["totals"]["retired"] > 0


def test_an_idle_worker_goes_at_once(preforkd: Start, listen: list[str]) -> None:
    """Nothing arrives that could wake it; and the pool stays as large as it is."""
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}})
    before = daemon.wait_workers(3)
    for worker in before:
        os.kill(worker, signal.SIGWINCH)
    wait_until(lambda: not any(map(alive, before)), "their end", 4)
    daemon.wait_workers(3)
    daemon.assert_quiet()


def test_a_busy_worker_serves_its_request_to_the_end(preforkd: Start, listen: list[str]) -> None:
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    with connect(listen[0]) as chat:
        chat.sendall(b"one\n")
        assert chat.recv(100) == b"one\n"
        os.kill(worker, signal.SIGWINCH)
        for _ in range(5):
            chat.sendall(b"still here\n")
            assert chat.recv(100) == b"still here\n"
        assert alive(worker)
    wait_until(lambda: not alive(worker), "its end")
    assert request(listen[0], b"x") == b"x"


def test_a_stopped_worker_does_not_block_a_reload(preforkd: Start, listen: list[str]) -> None:
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}})
    before = daemon.wait_workers(3)
    os.kill(before[1], signal.SIGSTOP)
    wait_until(lambda: status_value(before[1], "State").startswith("T"), "its standstill")
    with ClientPool(listen, count=4) as clients:
        daemon.pools["www"]["environment"] = "NEW=1"
        daemon.hup()
        wait_until(lambda: not alive(before[0]) and not alive(before[2]), "the end of the others")
        clients.wait_served(50)
        wait_until(lambda: not alive(before[1]), "the end of the stopped one", 20)
        clients.wait_served(50)
    if not START_METHOD:  # one whose handler is copied is continued
        daemon.wait_message("worker stuck", worker=before[1])
    daemon.wait_workers(3)


def test_a_stopped_worker_does_not_block_shrinking(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 3}})
    before = daemon.wait_workers(3)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    daemon.pools["www"]["max_workers"] = 1
    daemon.hup()
    wait_until(lambda: sum(map(alive, before)) == 1, "the end of two", 20)
    for pid in filter(alive, before):
        os.kill(pid, signal.SIGCONT)
