"""Addresses of our own that stand in the way of each other in a reload: nobody is told that somebody else listens there,
and no connection is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import AS_ROOT, BINARY, Daemon, connect, free_port, have_ipv6, request, wait_until

Start = Callable[..., Daemon]

CHANGES = [("127.0.0.1:{p}", "0.0.0.0:{p}"), ("127.0.0.1:{p}", "*:{p}"), ("0.0.0.0:{p}", "*:{p}"),
           ("127.0.0.1:{p}", "127.0.0.1:{p} [::1]:{p}"), ("127.0.0.1:{p} 127.0.0.2:{p}", "0.0.0.0:{p}"),
           ("127.0.0.1:{p} [::1]:{p}", "*:{p}")]


def reload_to(daemon: Daemon, control: Control, address: str) -> None:
    daemon.pools["www"]["listen"] = address
    daemon.write_config()
    dry = control.ask("reload --dry-run")
    assert dry["ok"], dry
    daemon.hup("reloaded")


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_one_port_from_address_to_address_and_back(preforkd: Start, tmp_path: Path, before: str, after: str) -> None:
    if ("*" in after or "::" in after) and not have_ipv6():
        pytest.skip("no IPv6")
    port = free_port()
    address = f"127.0.0.1:{port}"
    daemon = preforkd({"www": {"listen": before.format(p=port), "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    with ClientPool([address], count=4, pause=0.005) as clients:
        for target in (after, before, after):
            clients.wait_served(20)
            reload_to(daemon, control, target.format(p=port))
            clients.wait_served(20)
    assert request(address, b"x") == b"x"
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "the end of the old workers")
    daemon.assert_none(["reload refused", "connections at risk"])


def test_a_port_that_goes_to_another_pool(preforkd: Start) -> None:
    """One pool is removed, another gets its port for every address."""
    if not have_ipv6():
        pytest.skip("no IPv6")
    port = free_port()
    daemon = preforkd({"old": {"listen": f"127.0.0.1:{port}", "handler": "/bin/echo old"}})
    daemon.pools["new"] = {"listen": f"*:{port}", "handler": "/bin/echo new"}
    del daemon.pools["old"]
    daemon.hup("reloaded")
    wait_until(lambda: request(f"127.0.0.1:{port}") == b"new\n", "the new pool")


def test_somebody_else_is_still_somebody_else(preforkd: Start) -> None:
    port = free_port()
    daemon = preforkd({"www": {"listen": f"127.0.0.1:{port}", "handler": "/bin/cat"}})
    preforkd({"www": {"listen": f"127.0.0.2:{port}", "handler": "/bin/cat"}})
    daemon.pools["www"]["listen"] = f"0.0.0.0:{port}"
    daemon.hup("reload refused")
    daemon.assert_problem("cannot open 0.0.0.0:", "somebody else listens there")
    assert request(f"127.0.0.1:{port}", b"x") == b"x" and request(f"127.0.0.2:{port}", b"x") == b"x"


def test_without_privileges(preforkd: Start, tmp_path: Path) -> None:
    """Where a decoy and not a filter keeps new connections from what drains."""
    if not AS_ROOT:
        pytest.skip("the other tests are without privileges then")
    port = free_port()
    stand_in = tmp_path / "preforkd-without-net-admin"
    stand_in.write_text(f'#!/bin/sh\nexec setpriv --bounding-set -net_admin --inh-caps -net_admin {BINARY} "$@"\n')
    stand_in.chmod(0o755)
    daemon = preforkd({"www": {"listen": f"127.0.0.1:{port}", "handler": "/bin/cat"}}, binary=stand_in)
    with ClientPool([f"127.0.0.1:{port}"], count=4, pause=0.005) as clients:
        for address in ("0.0.0.0", "127.0.0.1", "*", "127.0.0.1"):
            if address == "*" and not have_ipv6():
                continue
            daemon.pools["www"]["listen"] = f"{address}:{port}"
            daemon.hup("reloaded")
            clients.wait_served(20)
    daemon.assert_none(["reload refused", "connections at risk"])


# --- socket files ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [{}, {"max_workers": 9}, {"handler": "/bin/cat -u"}], ids=str)
def test_a_socket_file_that_was_removed_is_made_again(preforkd: Start, tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": path, "handler": "/bin/cat"}}, master={"control": tmp_path / "control.sock"})
    with connect(str(path)) as early:
        path.unlink()
        daemon.pools["www"].update(change)
        daemon.write_config()
        dry = control_of(daemon).ask("reload --dry-run")
        assert dry["ok"] and control_of(daemon).verbs("reload --dry-run")["www"][0] == "rebind"
        daemon.hup("reloaded")
        assert request(str(path), b"x") == b"x"
        early.sendall(b"early\n")
        assert early.recv(10) == b"early\n", "who was connected is served"
    assert control_of(daemon).verbs("reload")["www"][0] == "keep"
    wait_until(lambda: control_of(daemon).pool()["counts"]["old"] == 0, "the end of the old workers")
    assert request(str(path), b"x") and path.is_socket(), "the end of the old listener leaves the new file alone"


def test_a_file_of_others_in_the_place_of_ours(preforkd: Start, tmp_path: Path) -> None:
    """It is theirs: a warning, as ever, and no reload fails for it."""
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": path, "handler": "/bin/cat"}})
    path.unlink()
    other = preforkd({"www": {"listen": path, "handler": "/bin/echo other"}})
    daemon.pools["www"]["max_workers"] = 9
    daemon.hup("reloaded")
    assert request(str(path)) == b"other\n"
    other.stop()


def test_another_spelling_of_our_own_path(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": path, "handler": "/bin/cat"}})
    daemon.pools["www"]["listen"] = f"{tmp_path}//www.sock"
    daemon.hup("reload refused")
    daemon.assert_problem("is the socket of our own listener", "/www.sock by another path")
    assert request(str(path), b"x") == b"x"
    daemon.pools["www"]["listen"] = str(path)
