"""The most that a pool has had to do at one moment: seen between the looks of a master that has no tick."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from control import control_of
from daemon import Daemon, connect, context_switches, read_all, tcp4, wait_until

Start = Callable[..., Daemon]


def test_workers_that_were_busy_between_two_looks(preforkd: Start) -> None:
    """A static pool needs no turn for requests, and nobody asks while they run."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 5}}, control=True)
    control = control_of(daemon)
    daemon.wait_workers(5)
    control.wait_at_rest()
    assert control.pool()["peaks"]["busy"] == 0  # and the mark is set
    daemon.wait_asleep()
    used = context_switches(daemon.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
            assert client.recv(1) == b"x"
    assert context_switches(daemon.pid) == used, "nobody has looked"
    control.wait_at_rest()
    peaks = control.pool()["peaks"]
    assert peaks["busy"] == 3 and peaks["demand"] >= 3
    with connect(address) as client:  # one is less
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    control.wait_at_rest()
    assert control.pool()["peaks"]["busy"] == 3


def test_what_waited_outlives_an_upgrade(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}}, control=True)
    control = control_of(daemon)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(connect(address))
        first.sendall(b"x")
        assert first.recv(1) == b"x"
        clients = [stack.enter_context(connect(address)) for _ in range(3)]
        wait_until(lambda: control.pool()["queue"] == 3, "a queue")
        first.close()
        for client in clients:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"x"
    control.wait_at_rest()
    before = control.pool()["peaks"]
    assert (before["busy"], before["queue"], before["demand"]) == (1, 3, 4)
    control.do("upgrade")
    after = control.pool()["peaks"]
    assert after["observed_ms"] >= before["observed_ms"]
    assert {**after, "observed_ms": 0} == {**before, "observed_ms": 0}
