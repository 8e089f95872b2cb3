"""preforkctl healthcheck: one line and one of two exit codes, for a container's HEALTHCHECK."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, POOL_USER, Daemon, tcp4, wait_until
from pools import in_conversation
from test_preforkctl import CTL, SLOW, USAGE, Ctl, ctl_of

Start = Callable[..., Daemon]
HEALTHY, UNHEALTHY = 0, 1


def check(ctl: Ctl, *arguments: str) -> tuple[int, str]:
    result = ctl.run("healthcheck", *arguments)
    assert result.stderr == "" and result.stdout.count("\n") == 1, result
    return result.returncode, result.stdout


def serving(preforkd: Start, **pools: dict[str, object]) -> tuple[Daemon, Ctl]:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}, **pools}, control=True)
    return daemon, ctl_of(daemon)


def test_healthy(preforkd: Start) -> None:
    """Also while it is busy, paused, draining, or has no worker until somebody comes."""
    _, ctl = serving(preforkd, rare={"listen": tcp4(), "handler": "/bin/cat", "scaling": "ondemand"})
    assert check(ctl) == (HEALTHY, "healthy: 2 pools\n")
    assert check(ctl, "www") == (HEALTHY, "healthy: 1 pool\n")
    for order in ("drain www", "pause www"):
        ctl.do(*order.split())
        assert check(ctl) == (HEALTHY, "healthy: 2 pools\n")


def test_a_pool_that_cannot_start_workers(preforkd: Start, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    daemon, ctl = serving(preforkd, bad={"listen": tcp4(), "handler": "/bin/cat", "directory": place, "scaling": "static",
                                         "max_workers": 1, "restart_delay_min": "1h", "restart_delay_max": "1h"})
    [worker] = daemon.wait_workers(1, "bad")
    place.rmdir()
    control_of(daemon).do("restart bad")
    daemon.wait_message("backing off", "bad")
    assert check(ctl) == (HEALTHY, "healthy: 2 pools\n"), "an old worker serves on"
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: check(ctl) == (UNHEALTHY, "unhealthy: pool bad: backing off\n"), "it is noticed")
    assert check(ctl, "www")[0] == HEALTHY


def test_a_pool_that_waits_for_its_address(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"},
                       "late": {"listen": tmp_path / "none" / "socket", "handler": "/bin/cat"}}, control=True,
                      master={"partial_start": "yes"})
    ctl = ctl_of(daemon)
    assert check(ctl) == (UNHEALTHY, "unhealthy: pool late: not listening\n")


def test_a_daemon_that_stops(preforkd: Start) -> None:
    """Nobody new is served while it waits for its last clients; but as long as it only drains, everybody is."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True,
                      master={"drain_delay": "1h", "shutdown_timeout": "1h"})
    ctl = ctl_of(daemon)
    with in_conversation(str(daemon.pools["www"]["listen"])):
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: control_of(daemon).do("status")["master"]["state"] == "draining", "it drains")
        assert check(ctl) == check(ctl, "www") == (HEALTHY, "healthy: 1 pool\n")
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: control_of(daemon).do("status")["master"]["state"] == "stopping", "it stops")
        assert check(ctl) == check(ctl, "www") == (UNHEALTHY, "unhealthy: preforkd is stopping\n")
    assert daemon.process.wait(20 * SLOW) == 0


def test_a_pool_that_was_removed(preforkd: Start) -> None:
    """It does not count while it closes; who asks for it by name is told, until there is another of that name."""
    daemon, ctl = serving(preforkd, old={"listen": tcp4(), "handler": "/bin/cat"})
    removed = daemon.pools["old"]
    with in_conversation(str(removed["listen"])):
        del daemon.pools["old"]
        daemon.hup("reloaded")
        assert control_of(daemon).pool("old")["state"] == "closing"
        assert check(ctl) == (HEALTHY, "healthy: 1 pool\n")
        assert check(ctl, "old") == (UNHEALTHY, "unhealthy: pool old: closing\n")
        daemon.pools["old"] = {**removed, "listen": tcp4()}
        daemon.hup("reloaded")
        assert check(ctl, "old") == (HEALTHY, "healthy: 1 pool\n")
        assert check(ctl) == (HEALTHY, "healthy: 2 pools\n")


def test_nobody_answers(preforkd: Start, tmp_path: Path) -> None:
    """… within the time that it may take."""
    daemon, ctl = serving(preforkd)
    assert check(ctl, "nope") == (UNHEALTHY, 'unhealthy: there is no pool "nope"\n')
    daemon.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        status, said = check(ctl, "--timeout=200ms")
        assert status == UNHEALTHY and "did not answer within 0.2 s" in said
        assert time.monotonic() - begun < 5 * SLOW
    finally:
        daemon.send_signal(signal.SIGCONT)
    daemon.stop()
    assert check(ctl)[0] == UNHEALTHY
    assert check(Ctl(tmp_path / "none"))[0] == UNHEALTHY


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_without_permission(preforkd: Start) -> None:
    _, ctl = serving(preforkd)
    result = ctl.run("healthcheck", user=pwd.getpwnam(POOL_USER).pw_uid)
    assert result.returncode == UNHEALTHY and result.stdout.startswith("unhealthy: ")


def test_usage(preforkd: Start) -> None:
    _, ctl = serving(preforkd)
    for arguments in (["a", "b"], ["--nope"], ["--json"]):
        result = ctl.run("healthcheck", *arguments)
        assert result.returncode == USAGE and result.stdout == "" and result.stderr.startswith("preforkctl: ")
    assert CTL.exists()
