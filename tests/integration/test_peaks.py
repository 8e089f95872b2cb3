"""The most that a pool has had to do at one moment: seen between the looks of a master that has no tick."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable

import pytest

from boards import scoreboard
from control import control_of
from daemon import Daemon, connect, context_switches, read_all, request, tcp4, wait_until

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


@pytest.mark.parametrize("scaling", ("static", "dynamic", "adaptive"))
def test_how_many_were_busy_by_work(preforkd: Start, scaling: str) -> None:
    address = tcp4()
    limits = {"max_workers": 5} if scaling == "static" else {"max_workers": 5, "min_spare_workers": 1, "max_spare_workers": 5}
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": scaling, **limits}}, control=True)
    control = control_of(daemon)

    def concurrency() -> dict[str, int]:
        return control.pool(workers=True)["concurrency"]

    control.wait_idle()
    with contextlib.ExitStack() as stack:
        begun = []
        for _ in range(3):
            wait_until(lambda: control.pool()["counts"]["starting"] == 0, "workers that are counted")
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            begun.append(time.monotonic())
        wait_until(lambda: time.monotonic() - begun[2] > (begun[2] - begun[0]) / 10, "more of the third than a thousandth")
        assert concurrency() == {"work_ms": 0, "p50": 0, "p90": 0, "p99": 0, "p999": 0}, "none has ended"
    control.wait_at_rest()
    found = concurrency()
    assert 1 <= found["p50"] <= found["p90"] <= found["p99"] <= found["p999"] == 3, found
    busy_ms = control.pool()["totals"]["busy_ms"]
    assert found["work_ms"] in range(busy_ms - 3, busy_ms + 1)
    control.do("upgrade")
    assert concurrency() == found
    daemon.pools["www"]["environment"] = "OTHER=1"
    daemon.write_config()
    control.do("reload")  # other workers, some of them in the same slots
    control.wait_idle()
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "other workers")
    assert concurrency() == found
    control.do("restart www")
    wait_until(lambda: concurrency()["work_ms"] == 0, "a board without a past")


REPORTING = 64 + 52  # where the board has their number


@pytest.mark.parametrize("threads", (1, 3))
def test_those_that_report_are_counted(preforkd: Start, threads: int) -> None:
    """New workers count themselves, and the master puts it right: after growth, a reload, shrinking, and lies."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo", "threads_per_worker": threads,
                               "min_spare_workers": 1, "max_spare_workers": threads, "max_workers": 12,
                               "spare_timeout": "100ms"}}, control=True)
    control = control_of(daemon)

    def is_counted() -> bool:
        counts = control.pool()["counts"]
        with scoreboard(daemon) as board:
            [number] = struct.unpack_from("<I", board, REPORTING)
        return counts["starting"] == 0 and number == counts["idle"] + counts["busy"] == counts["total"] > 0

    wait_until(is_counted, "the first ones counted")
    with contextlib.ExitStack() as stack:
        for _ in range(9):
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        wait_until(is_counted, "more of them counted")
        assert control.pool()["counts"]["total"] >= 9
        daemon.pools["www"]["environment"] = "OTHER=1"
        daemon.hup("reloaded")
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "other workers")
    wait_until(lambda: control.pool()["counts"]["total"] <= 2 * threads, "fewer of them")
    wait_until(is_counted, "other ones counted")
    with scoreboard(daemon) as board:
        struct.pack_into("<I", board, REPORTING, 2**32 - 5)
    assert request(address, b"x") == b"x"
    control.do("scale www max_workers=9")  # a turn
    wait_until(is_counted, "counted in spite of a lie")
