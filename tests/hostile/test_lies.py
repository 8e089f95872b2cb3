"""Workers that write anything into the slots of their pool. What cannot be is not counted, and after a restart all is
as it should be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from boards import SLOTS, board_of, boards, mapped, scoreboard, scribble
from control import Control, control_of
from daemon import Daemon, request, tcp4, wait_until
from pools import in_conversation, static

Start = Callable[..., Daemon]


@contextmanager
def scribbling(daemon: Daemon, fd: int, slots: int = 8) -> Iterator[None]:
    """Garbage in every slot, all the time."""
    end = threading.Event()

    def run() -> None:
        with mapped(daemon, fd) as memory:
            while not end.is_set():
                scribble(memory, slots, 64)
                time.sleep(0.0005)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def assert_plausible(status: dict[str, Any], begun: float, workers: int, looks: int) -> None:
    """Nothing that a pool of so many workers cannot have done since `begun`. Each look allows a worker a millisecond
    more."""
    age = time.monotonic() - begun + 1
    totals = status["totals"]
    assert 0 <= totals["requests"] <= workers * (age + looks / 1000) * 1e6
    assert 0 <= totals["busy_ms"] <= workers * age * 1000
    for name in ("handler_deaths", "handler_failures", "lost"):
        assert 0 <= totals[name] <= totals["requests"] + workers, name
    for worker in status["workers"]:
        assert 0 <= worker["requests"] <= totals["requests"]
        assert 0 <= worker["since_ms"] <= age * 1000
    durations = dict(status["duration_us"])
    assert 0 <= sum(durations.pop("buckets")) <= totals["requests"] + workers
    for name, value in durations.items():
        assert 0 <= value <= 2**31 * 1000, name  # the last bucket begins at 18 minutes


def ask_for(control: Control, address: str, count: int) -> dict[str, Any]:
    """So many requests, and the totals when they have been counted: all of them, and nothing else."""
    before = control.pool()["totals"]
    begun = time.monotonic()
    for _ in range(count):
        assert request(address, b"x") == b"x"
    wait_until(lambda: control.pool()["totals"]["requests"] >= before["requests"] + count, "counted requests")
    after = control.pool()["totals"]
    assert after["requests"] == before["requests"] + count
    assert 0 <= after["busy_ms"] - before["busy_ms"] <= (time.monotonic() - begun) * 4000 + 100
    for name in ("handler_deaths", "handler_failures", "lost", "refused"):
        assert after[name] == before[name], name
    return after


def await_new_workers(control: Control, count: int) -> None:
    wait_until(lambda: (pool := control.pool()["counts"])["idle"] == count and not pool["old"] and not pool["retiring"],
               "new workers")


def test_garbage_in_slots(preforkd: Start) -> None:
    address, begun = tcp4(), time.monotonic()
    daemon = preforkd({"www": {"listen": address, **static(3)}}, control=True)
    control = control_of(daemon)
    await_new_workers(control, 3)
    ask_for(control, address, 10)
    [fd] = boards(daemon).values()
    with scribbling(daemon, fd):
        for look in range(100):
            control.send(b"status\n")
            if look % 20 == 0:
                assert_plausible(control.pool(workers=True), begun, daemon_forked(control), 1000 * (look + 1))
            time.sleep(0.01)
        daemon.wait_message("scoreboard implausible", "www")
    daemon.wait_messages(1, "scoreboard implausible", "www")
    control.do("restart www")
    await_new_workers(control, 3)
    wait_until(lambda: len(boards(daemon)) == 1, "the end of the former board")
    ask_for(control, address, 10)
    assert_plausible(control.pool(workers=True), begun, daemon_forked(control), 100000)
    assert len(daemon.messages("scoreboard implausible", "www")) == 1


def daemon_forked(control: Control) -> int:
    return int(control.pool()["totals"]["forked"])


@pytest.mark.parametrize("name, offset", [("requests", 24), ("busy_ms", 32), ("handler_cpu_ms", 40)])
def test_one_number_that_cannot_be(preforkd: Start, name: str, offset: int) -> None:
    """Of a sibling, whose later requests count again."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, control=True)
    control = control_of(daemon)
    await_new_workers(control, 1)
    totals = ask_for(control, address, 3)
    with scoreboard(daemon) as memory:
        for garbage in (2**64 - 1, 0, 2**50):
            memory[SLOTS + offset:SLOTS + offset + 8] = garbage.to_bytes(8, "little")
            assert control.pool()["totals"][name] == totals[name]
    if name != "requests":  # the worker adds to what it finds
        ask_for(control, address, 3)
    assert daemon.wait_message("scoreboard implausible", "www")


def test_a_restart_makes_a_fresh_board(preforkd: Start) -> None:
    """Old workers report in the old one as long as they serve; their requests count, also over an upgrade."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    control = control_of(daemon)
    await_new_workers(control, 2)
    ask_for(control, address, 5)
    [old] = boards(daemon)
    with in_conversation(address) as client:
        [busy] = [worker["pid"] for worker in control.pool(workers=True)["workers"] if worker["state"] == "busy"]
        control.do("restart www")
        wait_until(lambda: (counts := control.pool()["counts"])["idle"] == 2 and not counts["old"], "new workers")
        first, second = boards(daemon)
        assert first == old != second
        for worker in control.pool(workers=True)["workers"]:
            assert board_of(worker["pid"]) == (old if worker["pid"] == busy else second)
        ask_for(control, address, 5)
        control.do("upgrade", timeout=30)
        assert set(boards(daemon)) == {first, second}
        ask_for(control, address, 5)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    wait_until(lambda: control.pool()["totals"]["requests"] == 16, "all requests")
    wait_until(lambda: set(boards(daemon)) == {second}, "the end of the old board")
    await_new_workers(control, 2)
    control.do("upgrade", timeout=30)
    assert ask_for(control, address, 1)["requests"] == 17
    daemon.assert_quiet()


def test_idle_workers_on_two_boards(preforkd: Start) -> None:
    """As long as new workers do not start, old ones serve on and the pool grows by their demand: nothing waits, and the
    master does not look all the time."""
    address = tcp4()
    pools = {"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 2, "max_spare_workers": 4,
                     "start_workers": 3, "max_workers": 30, "spare_timeout": "1s"}}
    daemon = preforkd(pools, control=True)
    control = control_of(daemon)
    wait_until(lambda: control.pool()["counts"]["idle"] == 3, "workers")
    for _ in range(3):
        clients = [in_conversation(address) for _ in range(6)]
        control.do("restart www")
        clients += [in_conversation(address) for _ in range(6)]
        wait_until(lambda: control.pool()["counts"]["idle"] >= 2, "spare workers")
        for client in clients:
            client.close()
    wait_until(lambda: 2 <= (counts := control.pool()["counts"])["idle"] <= 4 and not counts["old"]
               and counts["total"] == counts["idle"] and not counts["retiring"], "few idle workers", 20)
    wait_until(lambda: len(boards(daemon)) == 1, "the end of former boards")
    assert control.pool()["totals"]["requests"] == 36
    daemon.assert_quiet()


def test_former_boards_are_bounded(preforkd: Start) -> None:
    """Each restart leaves a worker behind whose request does not end. The ninth board is not made; everything counts."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(12, reload_surge="100%")}}, control=True)
    control = control_of(daemon)
    clients: list[socket.socket] = []
    for count in range(1, 11):
        wait_until(lambda c=count: (counts := control.pool()["counts"])["idle"] >= 1 and not counts["old"]  # type: ignore[misc]
                   and counts["retiring"] == c - 1, "new workers", 20)
        clients.append(in_conversation(address))
        control.do("restart www")
        assert len(boards(daemon)) == min(count + 1, 8)
    for client in clients:
        client.close()
    wait_until(lambda: control.pool()["totals"]["requests"] == 10, "all requests")
    wait_until(lambda: len(boards(daemon)) == 1, "the end of former boards")
    control.do("restart www")
    await_new_workers(control, 12)
    wait_until(lambda: len(boards(daemon)) == 1, "the end of the former board")
    ask_for(control, address, 3)


def test_refusals_are_counted_over_a_restart(preforkd: Start) -> None:
    """Those of the former board too, once, and the status of the pool heals."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, when_full="refuse")}}, control=True)
    control = control_of(daemon)
    await_new_workers(control, 1)
    for round_ in range(1, 4):
        with in_conversation(address):
            assert request(address, half_close=False) == b""
            wait_until(lambda r=round_: control.pool()["totals"]["refused"] == r, "the refusal")  # type: ignore[misc]
            control.do("restart www")
        wait_until(lambda: control.pool()["state"] == "running" and len(boards(daemon)) == 1, "relief", 20)
        await_new_workers(control, 1)
        totals = control.pool()["totals"]
        assert (totals["refused"], totals["refused_full"]) == (round_, round_)
        assert totals["requests"] == round_
