"""preforkctl drain, undrain, and drain_delay: balancers are told to send nobody else, and everybody who comes is served."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import Daemon, connect, read_all, request, tcp4, wait_until
from test_preforkctl import ctl_of
from test_upgrade import upgrade

Start = Callable[..., Daemon]


def states(control: Control) -> dict[str, str]:
    return {pool["name"]: pool["state"] for pool in control.do("status")["pools"]}


def two_pools(**keys: object) -> dict[str, dict[str, object]]:
    return {name: {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2, **keys}
            for name in ("www", "mail")}


def test_a_pool_that_drains_serves_on(preforkd: Start) -> None:
    """One or all; and no worker is touched."""
    daemon = preforkd(two_pools(), control=True)
    workers = {name: daemon.wait_workers(2, name) for name in ("www", "mail")}
    ctl = ctl_of(daemon)
    assert ctl.do("drain", "www") == "www: draining; serves on, and balancers are to send nobody else\n"
    control = control_of(daemon)
    assert states(control) == {"www": "draining", "mail": "running"}
    assert all(request(str(pool["listen"]), b"x") == b"x" for pool in daemon.pools.values())
    assert control.do("drain")["pools"] == ["www", "mail"]
    assert states(control) == {"www": "draining", "mail": "draining"}
    assert ctl.do("undrain") == "www: draining no longer\nmail: draining no longer\n"
    assert states(control) == {"www": "running", "mail": "running"}
    said = [text for text in control.decisions() if "draining" in text]
    assert len(said) == 2, f"told once each: {said}"
    assert {name: daemon.workers(name) for name in workers} == workers
    assert control.ask("drain nope")["error"] == "unknown-pool"


def test_it_lasts(preforkd: Start) -> None:
    """… over reloads, restarts and upgrades, and beside a pause."""
    daemon = preforkd(two_pools(), control=True)
    control = control_of(daemon)
    control.do("drain www")
    daemon.pools["www"]["environment"] = "A=1"
    daemon.hup("reloaded")
    control.do("restart www")
    upgrade(daemon)
    assert states(control) == {"www": "draining", "mail": "running"}
    control.do("pause www")
    assert states(control)["www"] == "paused"
    control.do("resume www")
    assert states(control)["www"] == "draining"
    assert request(str(daemon.pools["www"]["listen"]), b"x") == b"x"
    control.do("undrain")
    upgrade(daemon)
    assert states(control)["www"] == "running"


@pytest.mark.parametrize("how", ["SIGTERM", "preforkctl stop"])
def test_a_stop_waits_for_balancers(preforkd: Start, how: str) -> None:
    """Nobody is refused for drain_delay; then preforkd stops as ever."""
    daemon = preforkd(two_pools(), control=True, master={"drain_delay": "5s"})
    control = control_of(daemon)
    begun = time.monotonic()
    with ClientPool([str(daemon.pools["www"]["listen"])], count=2, pause=0.01) as clients:
        if how == "SIGTERM":
            daemon.send_signal(signal.SIGTERM)
        else:
            control.do("stop")
        wait_until(lambda: control.do("status")["master"]["state"] == "draining", "the daemon drains")
        assert states(control) == {"www": "draining", "mail": "draining"}
        assert control.ask("reload")["error"] == control.ask("upgrade")["error"] == "stopping"
        daemon.send_signal(signal.SIGHUP)  # changes nothing any more
        clients.wait_served(20)
        assert time.monotonic() - begun < 5, "asked in time"
    with connect(str(daemon.pools["mail"]["listen"])) as busy:
        assert daemon.process.poll() is None
        wait_until(lambda: control.do("status")["master"]["state"] == "stopping", "the stop begins")
        assert time.monotonic() - begun > 4.9
        busy.sendall(b"still served")
        busy.shutdown(1)
        assert read_all(busy) == b"still served"
    assert daemon.wait_end() == 0
    daemon.assert_none(["connections at risk"])


def test_the_master_sleeps_meanwhile(preforkd: Start) -> None:
    daemon = preforkd(two_pools(), control=True, master={"drain_delay": "1h"})
    control = control_of(daemon)
    control.wait_idle()
    daemon.send_signal(signal.SIGTERM)
    wait_until(lambda: control.do("status")["master"]["state"] == "draining", "the daemon drains")
    daemon.wait_asleep()
    daemon.send_signal(signal.SIGTERM)  # again: begin now
    assert daemon.wait_end() == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stop", "stop --now", "SIGQUIT"])
def test_another_order_ends_the_delay(preforkd: Start, how: str) -> None:
    daemon = preforkd(two_pools(), control=True, master={"drain_delay": "1h"})
    control = control_of(daemon)
    daemon.send_signal(signal.SIGTERM)
    wait_until(lambda: control.do("status")["master"]["state"] == "draining", "the daemon drains")
    if how.startswith("SIG"):
        daemon.send_signal(signal.Signals[how])
    else:
        control.do(how)
    assert daemon.wait_end() == 0


def test_nobody_waits_at_a_terminal(preforkd: Start) -> None:
    """Ctrl-C."""
    daemon = preforkd(two_pools(), control=True, master={"drain_delay": "1h"})
    daemon.wait_workers(2)
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait_end() == 0


def test_a_delay_that_a_reload_sets(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd(two_pools(), control=True)
    daemon.master["drain_delay"] = "1h"
    daemon.hup("reloaded")
    daemon.send_signal(signal.SIGTERM)
    control = control_of(daemon)
    wait_until(lambda: control.do("status")["master"]["state"] == "draining", "the daemon drains")
    os.kill(daemon.pid, signal.SIGQUIT)
    assert daemon.wait_end() == 0
