"""bind_to_device: pools for clients of one network interface."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import datagrams
from control import control_of
from daemon import (Daemon, format_config, free_port, have_ipv6, port_of, refuses, request, run_preforkd, tcp4)

Start = Callable[..., Daemon]

OTHER_INTERFACES = [name for _, name in socket.if_nameindex() if name != "lo"]


@pytest.mark.parametrize("address", [tcp4, lambda: f"[::]:{free_port()}", lambda: f"udp:127.0.0.1:{free_port()}"], ids=["tcp4", "tcp6", "udp"])
def test_bound_to_an_interface(preforkd: Start, address: Callable[[], str]) -> None:
    """Who comes through it, is served; who comes through another, is not: here nobody listens."""
    if not have_ipv6() and address().startswith("["):
        pytest.skip("no IPv6")
    if not OTHER_INTERFACES:
        pytest.skip("there is no other interface")
    inside, outside = address(), address()
    keys = {"handler_type": "builtin", "handler": "echo"}
    daemon = preforkd({"inside": {"listen": inside, "bind_to_device": "lo", **keys},
                       "outside": {"listen": outside, "bind_to_device": OTHER_INTERFACES[0], **keys}})

    def answers(where: str) -> bool:
        if not where.startswith("udp:"):
            return not refuses(where) and request(where, b"x") == b"x"
        with datagrams.Client(where) as client:
            client.socket.settimeout(0.5)
            try:
                client.send(b"x")
                return bool(client.socket.recv(10) == b"x")
            except OSError:
                return False

    assert answers(inside) and not answers(outside)
    if address is tcp4:
        stored = subprocess.run(["ss", "-Hltn", f"sport = :{port_of(inside)}"], capture_output=True, text=True, check=True).stdout
        assert "127.0.0.1%lo" in stored
    daemon.assert_quiet()


def test_an_interface_cannot_change_while_the_socket_is_open(preforkd: Start) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "bind_to_device": "lo"}}, control=True)
    daemon.pools["www"]["bind_to_device"] = None
    daemon.write_config()
    reply = control_of(daemon).ask("reload")
    assert not reply["ok"] and any(f"bind_to_device: cannot change in a reload while {address} stays open" in problem["text"]
                                   for problem in reply["problems"])
    daemon.pools["www"]["listen"] = other
    daemon.hup("reloaded")
    assert request(other, b"x") == b"x"
    daemon.pools["www"].update({"listen": address, "bind_to_device": "lo"})
    daemon.hup("reloaded")
    assert request(address, b"x") == b"x"


@pytest.mark.parametrize(("name", "reason"), [
    ("nosuch0", 'bind_to_device: there is no network interface "nosuch0"'),
    ("a-name-too-long-0", "bind_to_device: not the name of a network interface; expected at most 15 bytes"),
    ("eth0/1", "bind_to_device: not the name"),
])
def test_interfaces_that_cannot_be(tmp_path: Path, name: str, reason: str) -> None:
    pools: dict[str, dict[str, object]] = {"www": {"listen": tcp4(), "handler": "/bin/cat", "bind_to_device": name}}
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config(pools))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 78 and reason in result.stderr, result.stderr


def test_an_interface_that_is_not_there(preforkd: Start) -> None:
    """… refuses a reload, and with partial_start is waited for."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    address = tcp4()
    daemon.pools["more"] = {"listen": address, "handler": "/bin/cat", "bind_to_device": "nosuch0"}
    daemon.write_config()
    reply = control_of(daemon).ask("reload")
    text = f"cannot open {address} on nosuch0: there is no network interface of that name"
    assert not reply["ok"] and any(text in problem["text"] for problem in reply["problems"]), reply
    daemon.master["partial_start"] = "yes"
    daemon.write_config()
    assert control_of(daemon).do("reload")
    assert refuses(address)


def test_an_interface_says_nothing_about_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config({"www": {"listen": tmp_path / "s", "handler": "/bin/cat", "bind_to_device": "lo"}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 0 and "warning: " in result.stderr and "bind_to_device: no effect" in result.stderr
