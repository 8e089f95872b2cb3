"""The master dies by SIGKILL: requests in flight are served to their end, nothing else stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import (Daemon, alive, connect, descendants, handlers_of, read_all, refuses, tcp4, wait_until)
from methods import NEVER_TOUCHES, not_at_touch
from served import handlers

Start = Callable[..., Daemon]


@pytest.fixture(params=["one listener", "two listeners"])
def listen(request: pytest.FixtureRequest) -> list[str]:
    return [tcp4()] if request.param == "one listener" else [tcp4(), tcp4()]


def test_requests_in_flight_are_served_and_idle_workers_go(preforkd: Start, listen: list[str]) -> None:
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "scaling": "static", "max_workers": 4}})
    workers = daemon.wait_workers(4)
    with connect(listen[0]) as chat:
        chat.sendall(b"one\n")
        assert chat.recv(100) == b"one\n"
        [busy] = [worker for worker in workers if handlers_of(worker)]
        daemon.kill()
        wait_until(lambda: not any(alive(worker) for worker in workers if worker != busy), "the end of idle workers")
        for _ in range(5):
            chat.sendall(b"still here\n")
            assert chat.recv(100) == b"still here\n"
        assert alive(busy)
    wait_until(lambda: not alive(busy), "the end of the worker after its request")


def test_a_handler_may_say_more_than_a_pipe_holds(preforkd: Start, listen: list[str]) -> None:
    """Nobody logs its stderr any more; it is neither stopped by a full pipe nor killed by a broken one."""
    daemon = preforkd({"www": {"listen": listen, "scaling": "static", "max_workers": 2, "handler": [
        "/usr/bin/perl", "-e", "$| = 1; print qq(begun\\n); <STDIN>;"
        "for (1 .. 20) { print STDERR q(x) x 50000, qq(\\n) }"
        "print qq(done\\n)"]}})
    workers = daemon.wait_workers(2)
    with connect(listen[0]) as client:
        assert client.recv(100) == b"begun\n"
        daemon.kill()
        client.sendall(b"go on\n")
        assert read_all(client) == b"done\n"
    wait_until(lambda: not any(map(alive, workers)), "the end of all workers")


@not_at_touch(NEVER_TOUCHES)
def test_shutdown_timeout_ends_those_that_take_too_long(preforkd: Start, listen: list[str]) -> None:
    """… with all of their handler's group."""
    daemon = preforkd({"www": {"listen": listen, "scaling": "static", "max_workers": 2, "handler": [
        "/bin/sh", "-c", "sleep 1000 & (sleep 1000; true) & sleep 1000"]}}, master={"shutdown_timeout": "1s"})
    workers = daemon.wait_workers(2)
    with connect(listen[0]) as client:
        wait_until(lambda: any(len(descendants(worker)) >= 5 for worker in workers), "handler and children")
        below = [pid for worker in workers for pid in descendants(worker)]
        begin = time.monotonic()
        daemon.kill()
        assert read_all(client) == b""
        assert time.monotonic() - begin >= 0.9
    wait_until(lambda: not any(map(alive, workers + below)), "the end of all")


def test_every_pool_goes(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"one": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 10},
                       "two": {"listen": [tcp4(), str(tmp_path / "sock")], "handler": "/bin/cat"},
                       "three": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "ondemand"}})
    workers = daemon.wait_workers(10, "one") + daemon.workers("two")
    daemon.kill()
    wait_until(lambda: not any(map(alive, workers)), "the end of all workers")


def test_a_refuser_goes_with_the_master(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 1, "when_full": "refuse"}})
    with connect(address) as chat:
        chat.sendall(b"one\n")
        assert chat.recv(100) == b"one\n"
        wait_until(lambda: refused(address), "refusing")
        daemon.kill()
        wait_until(lambda: refuses(address), "nobody listens")
        chat.sendall(b"still here\n")
        assert chat.recv(100) == b"still here\n"


def refused(address: str) -> bool:
    with connect(address) as client:
        try:
            return client.recv(100) == b""
        except ConnectionResetError:
            return True


def test_many_requests_in_flight(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 20}})
    clients = [connect(address) for _ in range(15)]
    try:
        wait_until(lambda: len(handlers(daemon)) == 15, "all of them in flight")
        daemon.kill()
        for client in clients:
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"
    finally:
        for client in clients:
            client.close()
