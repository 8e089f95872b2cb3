"""preforkctl drain and undrain: balancers are told to send nobody else, and everybody who comes is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from control import Control, control_of
from daemon import Daemon, request, tcp4
from test_preforkctl import Ctl
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
    ctl = Ctl(Path(str(daemon.master["control"])))
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
