"""Storms: wake-ups, lines and forks that hostile workers and handlers cause without end. The master stays calm, says so
once, and everybody else is served."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from culprits import KILLER, RECORDER, WAKER, culprit, pool_user
from daemon import SLOW, Daemon, connect, context_switches, is_sanitized, request, slowness, stat_fields, tcp4, wait_until

Start = Callable[..., Daemon]


def cpu_seconds(pid: int) -> float:
    fields = stat_fields(pid)
    assert fields
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def storms(daemon: Daemon) -> int:
    """How often it was decided that workers of the pool `www` wake the master too often."""
    return len([text for text in control_of(daemon).decisions() if text.startswith("workers wake the master")])


def test_a_storm_of_wake_ups(preforkd: Start, tmp_path: Path) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"},
                       "other": {"listen": other, "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    with culprit(WAKER, wait_until(daemon.workers, "a worker")[0], pool_user()):
        cpu, begin = cpu_seconds(daemon.pid), time.monotonic()
        while time.monotonic() < begin + 3 * SLOW:
            control.do("status", timeout=5)
            assert request(address, b"x", timeout=5) == request(other, b"x", timeout=5) == b"x"
        share = (cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
        wait_until(lambda: storms(daemon) > 0, "the decision to look less often")
    assert share < 0.25, "of a processor"
    assert storms(daemon) == 1


def test_a_storm_of_connections_that_are_told(preforkd: Start, tmp_path: Path) -> None:
    """A worker that writes records without end: as many are logged as the master has time for."""
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "connection_log": "all"},
                       "other": {"listen": other, "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    with culprit(RECORDER, wait_until(daemon.workers, "a worker")[0], pool_user()):
        cpu, begin = cpu_seconds(daemon.pid), time.monotonic()
        while time.monotonic() < begin + 3 * SLOW:
            control.do("status", timeout=5)
            assert request(address, b"x", timeout=5) == request(other, b"x", timeout=5) == b"x"
        share = (cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
    assert share < 0.35, "of a processor"
    assert storms(daemon) <= 1, "it may write oftener than once a millisecond, which is told once"
    assert 1 <= len(daemon.told("records dropped")) <= 3 * SLOW + 3, "what was dropped is told once a second"


@pytest.mark.parametrize("wanted", ["no", "refused"])
def test_what_a_pool_does_not_log_cannot_be_told(preforkd: Start, wanted: str) -> None:
    """A worker that writes records of connections although nobody has asked for such."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "connection_log": wanted}}, control=True)
    with culprit(RECORDER, wait_until(daemon.workers, "a worker")[0], pool_user()):
        used = cpu_seconds(daemon.pid)
        wait_until(lambda: cpu_seconds(daemon.pid) > used, "the master reads some", 20)
    daemon.assert_none(["connection"])
    assert wanted == "refused" or not daemon.told("records dropped")


def test_a_burst_of_wake_ups_is_answered_at_once(preforkd: Start) -> None:
    """What ordinary load causes is far from the limit: a hundred connections one after the other, each with a new
    worker."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "ondemand", "max_workers": 200}},
                      control=True)
    begin = time.monotonic()
    clients = []
    try:
        for _ in range(100):
            clients.append(connect(address))
            clients[-1].sendall(b"x")
            assert clients[-1].recv(1) == b"x"
    finally:
        for client in clients:
            client.close()
    assert time.monotonic() - begin < 5 * SLOW * slowness()
    assert storms(daemon) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT], ids=["KILL", "TERM", "ABRT"])
def test_workers_killed_without_end(preforkd: Start, tmp_path: Path, as_root: None, number: signal.Signals) -> None:
    """The pool backs off; when the killer has gone it serves again. A user of its own, so that nobody else is hit."""
    address, other, user = tcp4(), tcp4(), random.randint(1 << 20, 1 << 30)
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "user": user, "group": user,
                               "min_spare_workers": 20,
                               "max_spare_workers": 40, "max_workers": 100, "restart_delay_max": "1s"},
                       "other": {"listen": other, "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    before = control.pool()["totals"]["forked"]
    with culprit(KILLER, user, number), ClientPool([other], count=2) as clients:
        begin = time.monotonic()
        daemon.wait_message("backing off", "www")
        clients.wait_served(100)
        time.sleep(max(0.0, begin + 3 - time.monotonic()))  # the time in which forks are counted
        forked = control.pool()["totals"]["forked"] - before
    assert forked < 500
    assert request(address, b"x") == b"x"


def test_workers_stopped_and_continued_without_end(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """The master looks a hundred times a second at most; when it has ended, a stop is noticed as before."""
    user = random.randint(1 << 20, 1 << 30)
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "user": user, "group": user,
                               "scaling": "static", "max_workers": 2},
                       "other": {"listen": other, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}},
                      control=True)
    daemon.wait_workers(2)
    with culprit(KILLER, user, signal.SIGSTOP, signal.SIGCONT):
        before, begin = context_switches(daemon.pid), time.monotonic()
        while time.monotonic() < begin + 2:
            assert request(other, b"x", timeout=5) == b"x"
            time.sleep(0.1)
        rate = (context_switches(daemon.pid) - before) / (time.monotonic() - begin)
    assert rate < 500, "wake-ups a second"
    control = control_of(daemon)
    pids = [worker["pid"] for worker in control.pool(workers=True)["workers"]]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert request(address, b"x") == b"x"
    wait_until(lambda: control.pool()["counts"]["busy"] == 0, "workers as they were")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: {worker["state"] for worker in control.pool(workers=True)["workers"]} == {"stopped"}, "the look")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_a_limit_of_ones_own(preforkd: Start) -> None:
    """stderr_rate_limit, which applies in place: to workers that run, and again after an upgrade."""
    address = tcp4()
    lines = 'syswrite STDERR, "x\\n" for 1 .. 100; print "done\\n"'
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", lines], "scaling": "static",
                               "max_workers": 1, "stderr_rate_limit": "1/h burst 7"}}, control=True)
    [worker] = daemon.wait_workers(1)
    assert request(address) == b"done\n"
    wait_until(lambda: sum(daemon.told("lines dropped")) == 93, "the record of what was dropped")
    assert daemon.said("x") == 7
    daemon.pools["www"]["stderr_rate_limit"] = "100000/s"
    daemon.write_config()
    assert control_of(daemon).verbs() == {"www": ("limits", ["stderr_rate_limit"])}
    assert request(address) == b"done\n"
    wait_until(lambda: daemon.said("x") == 107, "all lines")
    control_of(daemon).do("scale www 'stderr_rate_limit=1/h burst 5'")
    control_of(daemon).do("upgrade")
    assert request(address) == b"done\n"
    wait_until(lambda: daemon.said("x") == 112, "as many as the overlay permits")
    assert daemon.workers() == [worker]


ENDLESS = 'print "x"; $| = 1; my $lines = "of a line\\n" x 200; syswrite STDERR, $lines while 1'


def test_an_endless_flood_of_lines(preforkd: Start) -> None:
    """The handler writes as fast as it can, and is read at a rate that the master can afford."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", ENDLESS]}})
    if is_sanitized(daemon.pid):
        pytest.skip("processor time means nothing under sanitizers")
    with connect(address) as client:
        assert client.recv(1) == b"x"
        wait_until(lambda: daemon.told("lines dropped"), "the record of what was dropped", 15)
        time.sleep(3)  # for so long a burst may take more
        cpu, begin = cpu_seconds(daemon.pid), time.monotonic()
        time.sleep(3)
        share = (cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
    assert share < 0.08 * slowness(), "of a processor"


FLOOD = ('my $line = "x" x $ARGV[0] . "\\n"; syswrite STDERR, $line for 1 .. $ARGV[1] / length $line; print "done\\n"')


@pytest.mark.parametrize("length", [10, 100, 2000])
def test_a_flood_of_lines(preforkd: Start, length: int) -> None:
    """18 MB of stderr: the handler is not delayed, the log gets a part, and a record tells of the rest."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", FLOOD, str(length), "18000000"]}})
    begin = time.monotonic()
    assert request(address, timeout=60) == b"done\n"
    lasted = time.monotonic() - begin
    told = wait_until(lambda: daemon.told("lines dropped"), "the record of what was dropped", 15)
    logged = daemon.said("x" * length)
    assert len(told) <= 2 + lasted / 10
    assert 5000 / (1 + length / 256) - 1 <= logged <= (5000 + 1000 * (lasted + 1)) / (1 + length // 256)
    daemon.stop()
    told, logged = daemon.told("lines dropped"), daemon.said("x" * length)
    assert sum(told) + logged == 18000000 // (length + 1), "none is forgotten"
