"""A worker shares its listeners with the master: it can shut them down, put a filter before them that nobody can remove,
or change what connections inherit. The pool heals, by itself or by a restart; the master says so and stays calm."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (SLOW, Daemon, abstract, alive, connect, context_switches, endpoint, listener_inode, read_all,
                    request, stat_fields, stays, tcp4, wait_until)
from datagrams import Client, udp
from manager import Manager
from modules import module
from pools import static
from sabotage import disconnect, lock_out, reset_all, sabotage, shared_listeners, shrink, shut

Start = Callable[..., Daemon]


def answers(address: str) -> bool:
    """True if a client is served."""
    try:
        return request(address, b"x", timeout=1) == b"x"
    except OSError:
        return False


def is_alone(address: str, inode: int) -> bool:
    """True if that listener is the only one at its address."""
    try:
        return listener_inode(address) == inode
    except ValueError:  # the old one drains still
        return False


def path_in(directory: Path) -> str:
    os.chmod(directory, 0o755)
    return str(directory / "www.sock")


def cpu_seconds(pid: int) -> float:
    fields = stat_fields(pid)
    assert fields
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=["tcp", "path", "abstract", "several"])
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    return {"tcp": [tcp4()], "path": [path_in(tmp_path)], "abstract": [abstract()],
            "several": [tcp4(), path_in(tmp_path), tcp4()]}[request.param]


@pytest.mark.parametrize("count", [1, 3], ids=["one worker", "three workers"])
def test_a_listener_that_was_shut_down_is_opened_anew(preforkd: Start, addresses: list[str], count: int) -> None:
    other = tcp4()
    daemon = preforkd({"www": {"listen": addresses, **static(count)}, "other": {"listen": other, **static(1)}})
    daemon.wait_workers(count)
    others = daemon.wait_workers(1, "other")
    sabotage(daemon, shut)
    for address in addresses:
        wait_until(lambda address=address: answers(address), f"an answer at {address}")
        assert sum(address in message[0] for message in daemon.messages("listener damaged", "www")) == 1
    wait_until(lambda: len(daemon.workers()) == count, "the workers")
    daemon.assert_quiet()
    daemon.assert_none(["listener damaged"], "other")
    assert request(other, b"x") == b"x" and daemon.workers("other") == others
    mark = context_switches(daemon.pid)
    stays(lambda: context_switches(daemon.pid) - mark < 20, "the master sleeps", 1)


def test_a_listener_that_was_disconnected(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}})
    daemon.wait_workers(2)
    sabotage(daemon, disconnect)
    wait_until(lambda: answers(address), "an answer")


@pytest.mark.parametrize("act", [shut, lock_out], ids=["shut", "locked out"])
def test_a_listener_for_datagrams(preforkd: Start, tmp_path: Path, act: Callable[[socket.socket], None]) -> None:
    """One that was shut is noticed, and of a filter a restart gets rid. The old socket keeps its port for as long as a
    worker has it, and gets nothing."""
    address = udp()
    pool = {"listen": address, "handler_type": "module", "handler": [module("datagram", tmp_path)], "scaling": "static",
            "max_workers": 2}
    daemon = preforkd({"www": pool}, control=True)
    daemon.wait_workers(2)
    sabotage(daemon, act)
    if act is lock_out:
        control_of(daemon).do("restart www")
    daemon.wait_message("listener damaged", "www")

    def is_served() -> bool:
        with Client(address, 0.5) as client:
            try:
                client.send(b"pid x")
                return client.hear()[1] == b"x"
            except (TimeoutError, ConnectionRefusedError):
                return False

    wait_until(is_served, "an answer")
    assert all(is_served() for _ in range(20))
    daemon.assert_quiet()


@pytest.mark.parametrize(("kind", "act"), [("tcp", lock_out), ("tcp", reset_all), ("tcp", shrink), ("path", shrink)])
def test_a_restart_puts_a_damaged_listener_right(preforkd: Start, tmp_path: Path, kind: str,
                                                 act: Callable[[socket.socket], None]) -> None:
    """Also in the store of the service manager. What waits in the queue of the old one is served."""
    address = tcp4() if kind == "tcp" else path_in(tmp_path)
    with Manager(tmp_path, store_max=8) as manager:
        daemon = preforkd({"www": {"listen": address, **static(1)}}, control=True, **manager.options())
        manager.wait("FDSTORE=1")
        before = listener_inode(address)
        [worker] = daemon.wait_workers(1)
        with connect(address) as busy:
            busy.sendall(b"x")
            assert busy.recv(1) == b"x"
            with connect(address) as waits:
                waits.sendall(b"waited")
                waits.shutdown(socket.SHUT_WR)
                for listener in shared_listeners(worker):
                    with listener:
                        act(listener)
                control_of(daemon).do("restart www")
                manager.wait("FDSTOREREMOVE=1")
                stored = manager.wait("FDSTORE=1", after=len(manager.messages) - 1)
                assert stored.value("FDNAME")
                busy.shutdown(socket.SHUT_WR)
                assert read_all(waits) == b"waited"
        wait_until(lambda: answers(address), "an answer")
        assert daemon.find_message("listener damaged", "www")
        manager.receive_all()
        [fd] = manager.store.values()
        after = os.stat(fd).st_ino
        assert after != before
        wait_until(lambda: is_alone(address, after), "only one listener is left")
        for _ in range(20):
            assert answers(address)
        daemon.stop()


def test_a_restart_of_honest_workers_opens_nothing(preforkd: Start, addresses: list[str]) -> None:
    daemon = preforkd({"www": {"listen": addresses, **static(2)}}, control=True)
    inodes = [listener_inode(address) for address in addresses]
    generation = control_of(daemon).pool()["generation"]
    control_of(daemon).do("restart www")
    wait_until(lambda: control_of(daemon).pool()["counts"]["old"] == 0, "the roll")
    assert [listener_inode(address) for address in addresses] == inodes
    assert control_of(daemon).pool()["generation"] == generation + 1
    daemon.assert_none(["listener damaged"])


def test_a_restart_looks_again_when_the_old_workers_have_gone(preforkd: Start) -> None:
    """A worker that still serves its last request has the listener, too."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, control=True)
    daemon.wait_workers(1)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        [listener] = shared_listeners(daemon.workers()[0])
        control_of(daemon).do("restart www")
        wait_until(lambda: len(daemon.workers()) == 2, "the next worker")
        with listener:
            reset_all(listener)
        daemon.assert_none(["listener damaged"])
    daemon.wait_message("listener damaged")
    with connect(address) as client:
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"x"


def test_one_that_does_it_without_end(preforkd: Start) -> None:
    """The master opens it ever more rarely, does not spin, and heals when it is over."""
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2), "restart_delay_min": "50ms", "restart_delay_max": "400ms"},
                       "other": {"listen": other, **static(1)}})
    daemon.wait_workers(2)
    before, end = cpu_seconds(daemon.pid), time.monotonic() + 3
    while time.monotonic() < end:
        for worker in daemon.workers():
            try:
                for listener in shared_listeners(worker):
                    with listener:
                        shut(listener)
            except OSError:  # it has gone
                continue
        time.sleep(0.001)
        assert request(other, b"x") == b"x"
    assert len(daemon.messages("listener damaged", "www")) < 20 * SLOW
    assert cpu_seconds(daemon.pid) - before < 1
    wait_until(lambda: answers(address), "an answer")


@pytest.mark.parametrize("act", [shut, disconnect, shrink])
def test_a_socket_of_a_socket_unit_is_put_right_as_far_as_possible(preforkd: Start, tmp_path: Path,
                                                                   act: Callable[[socket.socket], None]) -> None:
    """Nobody but the service manager can open it; what connections inherit is the unit's business."""
    with Manager(tmp_path) as manager:
        address = tcp4()
        listener = manager.listen(*endpoint(address))
        daemon = preforkd({"www": {"listen": "systemd:web", **static(2)}}, control=True,
                          **manager.options([("web", listener)]))
        daemon.wait_workers(2)
        sabotage(daemon, act)
        control_of(daemon).do("restart www")
        wait_until(lambda: answers(address), "an answer")
        daemon.stop()


def test_a_socket_of_a_socket_unit_that_is_lost(preforkd: Start, tmp_path: Path) -> None:
    """It is said once, the pool has no worker, and the master does not spin. Not even an upgrade is hindered."""
    with Manager(tmp_path) as manager:
        listener = manager.listen(socket.AF_UNIX, path_in(tmp_path))
        daemon = preforkd({"www": {"listen": "systemd:web", **static(2)}}, control=True,
                          **manager.options([("web", listener)]))
        daemon.wait_workers(2)
        sabotage(daemon, shut)
        daemon.wait_message("listener damaged")
        daemon.wait_workers(0)
        wait_until(lambda: any("socket unit" in text for text in control_of(daemon).decisions()), "what to do")
        mark = context_switches(daemon.pid)
        stays(lambda: context_switches(daemon.pid) - mark < 20, "the master sleeps", 1)
        assert len(daemon.messages("listener damaged")) == 1
        control_of(daemon).do("restart www")
        control_of(daemon).do("upgrade")
        control_of(daemon).do("status")
        daemon.stop()


def test_a_stored_listener_that_is_dead_is_not_taken_over(preforkd: Start, tmp_path: Path, addresses: list[str]) -> None:
    with Manager(tmp_path, store_max=8) as manager:
        first = preforkd({"www": {"listen": addresses, **static(1)}}, **manager.options())
        for _ in addresses:
            manager.wait("FDSTORE=1", after=len(manager.messages))
        [worker] = first.wait_workers(1)
        listeners = shared_listeners(worker)
        first.may_leak = True
        first.send_signal(signal.SIGKILL)
        first.process.wait(10)
        wait_until(lambda: not alive(worker), "the worker's end")
        for listener in listeners:
            with listener:
                shut(listener)
        second = preforkd({"www": {"listen": addresses, **static(1)}}, ready=False, **manager.options())
        if addresses[0].startswith("@"):  # the store holds the name until it is told
            second.process.wait(10 * SLOW)
            manager.wait("FDSTOREREMOVE=1")
            second = preforkd({"www": {"listen": addresses, **static(1)}}, **manager.options())
        second.wait_ready()
        for address in addresses:
            assert answers(address)
        second.stop()


def test_a_stored_listener_that_was_changed_is_replaced(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    with Manager(tmp_path, store_max=8) as manager:
        first = preforkd({"www": {"listen": address, **static(1)}}, **manager.options())
        manager.wait("FDSTORE=1")
        first.wait_workers(1)
        sabotage(first, lock_out)
        first.stop()
        preforkd({"www": {"listen": address, **static(1)}}, **manager.options())
        wait_until(lambda: answers(address), "an answer")


@pytest.mark.parametrize("how", ["reload", "stop", "upgrade"])
def test_whatever_happens_next(preforkd: Start, addresses: list[str], how: str) -> None:
    """A reload, a stop or an upgrade just then."""
    daemon = preforkd({"www": {"listen": addresses, **static(1)}}, control=True)
    daemon.wait_workers(1)
    sabotage(daemon, shut)
    if how == "stop":
        daemon.stop()
        return
    reply: dict[str, Any] = control_of(daemon).ask(how)
    assert reply["ok"], reply
    for address in addresses:
        wait_until(lambda address=address: answers(address), f"an answer at {address}")
