"""A moment's shortage of processes, or a handler's file that is being written, loses no connection that a worker holds."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from control import Control, control_of
from daemon import Daemon, burst, connect, read_all, request, stat_fields, stays, tcp4, wait_until
from forbidden import fail, needs_to_forbid

Start = Callable[..., Daemon]
Program = Callable[[str], str]

# A user nobody else has processes of, so that RLIMIT_NPROC counts those of the pool alone.
LONELY_USER = str(random.randint(200_000, 2_000_000_000))
WORKERS = 2
ALIVE = {"scaling": "static", "max_workers": WORKERS}


def rest(client: socket.socket) -> bytes:
    """What comes back when the client has nothing more to say."""
    client.shutdown(socket.SHUT_WR)
    return read_all(client)


def totals(control: Control) -> dict[str, int]:
    return control.pool()["totals"]


def cpu_seconds(pids: list[int]) -> float:
    """The processor time of these processes so far."""
    fields = [stat_fields(pid) or ["0"] * 20 for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


@contextmanager
def being_written(path: str) -> Iterator[None]:
    """Somebody has a program open for writing: execve(2) fails with ETXTBSY."""
    with open(path, "r+b"):
        yield


@contextmanager
def held(daemon: Daemon, address: str) -> Iterator[socket.socket]:
    """A client whose connection a worker has accepted and cannot serve yet."""
    before = totals(control_of(daemon))["requests"]
    busy = control_of(daemon).pool()["counts"]["busy"]
    with connect(address, 30) as client:
        wait_until(lambda: control_of(daemon).pool()["counts"]["busy"] > busy, "a worker that holds the connection")
        assert totals(control_of(daemon))["requests"] == before
        yield client


def answer(daemon: Daemon, address: str) -> bytes:
    """What the handler answers, to a request that is over and counted."""
    reply = request(address)
    control_of(daemon).wait_idle()
    return reply


def busy_with_written_handler(preforkd: Start, program: Program, **keys: str | int) -> tuple[Daemon, str, str]:
    address, handler = tcp4(), program("hello")
    daemon = preforkd({"www": {"listen": address, "handler": handler, **ALIVE, **keys}}, control=True)
    daemon.wait_workers(WORKERS)
    return daemon, address, handler


def test_a_handler_that_is_being_written(preforkd: Start, program: Program) -> None:
    daemon, address, handler = busy_with_written_handler(preforkd, program)
    workers, expected = daemon.workers(), answer(daemon, address)
    assert expected
    with being_written(handler):
        clients = [connect(address, 30) for _ in range(2 * WORKERS)]
        wait_until(lambda: control_of(daemon).pool()["counts"]["busy"] == WORKERS, "workers that hold connections")
        stays(lambda: daemon.workers() == workers, "no worker ends", 0.3)
    for client in clients:
        with client:
            assert rest(client) == expected
    assert daemon.workers() == workers
    assert totals(control_of(daemon))["lost"] == 0
    daemon.assert_quiet()


def test_a_user_who_may_have_no_more_processes(preforkd: Start, as_root: None) -> None:
    """Room for one handler beside the workers: the others wait for it."""
    address = tcp4()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (WORKERS + 1, WORKERS + 1))

    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "user": LONELY_USER, "group": LONELY_USER,
                               **ALIVE}}, popen={"preexec_fn": limit}, control=True)
    workers = daemon.wait_workers(WORKERS)
    with connect(address) as first:
        first.sendall(b"first\n")
        assert first.recv(100) == b"first\n"
        with held(daemon, address) as second:
            second.sendall(b"second\n")
            assert rest(first) == b""
            assert rest(second) == b"second\n"
    assert daemon.workers() == workers
    assert totals(control_of(daemon))["lost"] == 0
    daemon.assert_quiet()


def test_a_pool_that_grows_leaves_room_for_handlers(preforkd: Start, as_root: None) -> None:
    """More workers than the user may have processes would hold a connection each, and none could be served."""
    address = tcp4()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (7, 7))

    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", "select undef, undef, undef, 0.1; print 'x'"],
                               "user": LONELY_USER, "group": LONELY_USER, "min_spare_workers": 2, "max_spare_workers": 4,
                               "max_workers": 20}}, popen={"preexec_fn": limit}, control=True)
    replies = burst(address, 30, timeout=60)
    assert [reply.data for reply in replies] == [b"x"] * 30
    assert totals(control_of(daemon))["lost"] == 0
    assert totals(control_of(daemon))["start_failures"] > 0
    # Workers that are started together find together that there is no room: it is said once.
    assert len(daemon.messages("worker died")) <= len(daemon.messages("backing off"))


def test_a_shortage_that_lasts_loses_one_request(preforkd: Start, program: Program) -> None:
    daemon, address, handler = busy_with_written_handler(preforkd, program, start_timeout="1s")
    workers = daemon.workers()
    with being_written(handler):
        assert request(address) == b""
    wait_until(lambda: totals(control_of(daemon))["requests"] == 1, "the end of the request")
    assert totals(control_of(daemon))["lost"] == 1
    assert totals(control_of(daemon))["start_failures"] == 0
    assert request(address)
    assert daemon.workers() == workers
    daemon.assert_quiet()


def test_a_worker_that_holds_a_connection_is_retired(preforkd: Start, program: Program) -> None:
    """It takes no further connection, and its own is still served."""
    daemon, address, handler = busy_with_written_handler(preforkd, program)
    expected = answer(daemon, address)
    writer = open(handler, "r+b")
    with writer, held(daemon, address) as client:
        control_of(daemon).do("restart www")
        daemon.wait_workers(WORKERS + 1)
        writer.close()
        assert rest(client) == expected
    daemon.wait_workers(WORKERS)
    assert totals(control_of(daemon))["lost"] == 0
    daemon.assert_quiet()


def test_a_stop_waits_for_a_connection_that_is_held(preforkd: Start, program: Program) -> None:
    daemon, address, handler = busy_with_written_handler(preforkd, program)
    expected = answer(daemon, address)
    writer = open(handler, "r+b")
    with writer, held(daemon, address) as client:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_workers(1)
        writer.close()
        assert rest(client) == expected
    assert daemon.wait_end() == 0


def test_a_request_timeout_ends_the_wait(preforkd: Start, program: Program) -> None:
    daemon, address, handler = busy_with_written_handler(preforkd, program, start_timeout="1h", request_timeout="300ms")
    workers = daemon.workers()
    with being_written(handler):
        assert request(address) == b""
    wait_until(lambda: totals(control_of(daemon))["requests"] == 1, "the end of the request")
    assert totals(control_of(daemon))["lost"] == 1
    assert totals(control_of(daemon))["request_timeouts"] == 1
    assert daemon.workers() == workers
    daemon.assert_quiet()


@needs_to_forbid
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("error", [errno.EPERM, errno.ETIMEDOUT, errno.ECONNABORTED])
def test_an_accept_that_always_fails_does_not_spin(preforkd: Start, error: int, count: int) -> None:
    """A security module or a filter of system calls forbids it. The workers live, wait, and can be retired."""
    addresses = [tcp4() for _ in range(count)]
    daemon = preforkd({"www": {"listen": addresses, "handler": "/bin/cat", **ALIVE}},
                      master={"shutdown_timeout": "1s"}, popen={"preexec_fn": fail(error, "accept4")})
    workers = daemon.wait_workers(WORKERS)
    with connect(addresses[-1]):
        before = cpu_seconds(workers)
        stays(lambda: daemon.workers() == workers, "no worker ends", 1)
        assert cpu_seconds(workers) - before < 0.3
    daemon.assert_quiet()
