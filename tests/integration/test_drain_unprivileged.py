"""Draining where the kernel lets nobody attach a socket filter who has not CAP_NET_ADMIN: new connections are kept away by a
decoy instead."""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients import ClientPool
from daemon import (BINARY, Daemon, connect, endpoint, listener_inode, open_descriptors, read_all, refuses, tcp4, tcp6,
                    wait_until)
from forbidden import MIN_HOP_COUNT, MIN_TTL, POWERLESS, UNPRIVILEGED, needs_to_forbid
from manager import Manager

Start = Callable[..., Daemon]

ONE_WORKER = {"handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": 1, "max_workers": 1}

pytestmark = needs_to_forbid


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path, store_max=16) as manager:
        yield manager


def begin_connecting(address: str) -> socket.socket:
    family, target = endpoint(address)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.setblocking(False)
    client.connect_ex(target)
    return client


def is_connected(client: socket.socket, timeout: float = 0.0) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_WRITE)
        return bool(selector.select(timeout)) and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def keep_knocking(address: str, came_before: list[socket.socket]) -> socket.socket:
    """Connect until one is kept away, and return that; the log says that the stop begins, not that draining has begun. The
    others came before."""
    while True:
        client = begin_connecting(address)
        if not is_connected(client, 0.5):
            return client
        client.settimeout(30)
        came_before.append(client)


class HalfOpen:
    """A client that is deaf to the answer to its SYN, by a minimum TTL of its own: the handshake stays under way until it
    hears again."""

    def __init__(self, address: str) -> None:
        family, target = endpoint(address)
        self.min_ttl = MIN_TTL if family == socket.AF_INET else MIN_HOP_COUNT
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(*self.min_ttl, 255)
        self.socket.setblocking(False)
        self.socket.connect_ex(target)

    def hear(self) -> socket.socket:
        """Go on with the next SYN-ACK; the socket when it is connected."""
        self.socket.setsockopt(*self.min_ttl, 0)
        assert is_connected(self.socket, 10)
        self.socket.settimeout(30)
        return self.socket


def occupy(address: str) -> socket.socket:
    """Have a worker to oneself."""
    client = connect(address)
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    return client


def say(client: socket.socket, words: bytes) -> None:
    client.sendall(words)
    client.shutdown(socket.SHUT_WR)


def assert_served(client: socket.socket, words: bytes) -> None:
    with client:
        assert read_all(client) == words


# --- one moment -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "dual", "several"])
def test_a_stop_keeps_new_connections_away(preforkd: Start, tmp_path: Path, request: pytest.FixtureRequest,
                                           kind: str) -> None:
    """Who waits is served, whose handshake was under way is served, and later ones can try elsewhere."""
    if kind in ("tcp6", "dual"):
        request.getfixturevalue("ipv6")
    address = tcp6() if kind == "tcp6" else tcp4()
    listen = {"dual": f"*:{address.rpartition(':')[2]}", "several": f"{address} {tmp_path / 'www.sock'}"}.get(kind, address)
    daemon = preforkd({"www": {**ONE_WORKER, "listen": listen}}, popen=UNPRIVILEGED)
    busy = occupy(address)
    waiting = [connect(address) for _ in range(3)]
    half_open = HalfOpen(address)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait_message("stopping")
    late = keep_knocking(address, waiting)
    came_through = half_open.hear()
    for number, client in enumerate([*waiting, came_through]):
        say(client, b"%d" % number)
    assert not is_connected(late)
    say(busy, b"")
    assert_served(busy, b"")
    for number, client in enumerate([*waiting, came_through]):
        assert_served(client, b"%d" % number)
    assert daemon.wait_end() == 0
    with late:
        assert not is_connected(late, 5)  # refused by its next SYN: it knows that nobody took it
    daemon.assert_none(["connections at risk"])


@pytest.mark.parametrize("removed", [False, True], ids=["moved", "removed"])
def test_taken_back_while_it_drains(preforkd: Start, removed: bool) -> None:
    """By the pool itself, or by another of that name: the listener serves new connections again, and those that came through
    while it drained."""
    address, base, other = tcp4(), tcp4(), tcp4()
    www = {**ONE_WORKER, "listen": address}
    daemon = preforkd({"base": {**ONE_WORKER, "listen": base}, "www": www}, popen=UNPRIVILEGED)
    # So many that those who come to help cannot empty the queue before the listener is wanted again.
    busy, waiting, half_open = occupy(address), [connect(address) for _ in range(6)], HalfOpen(address)
    inode = listener_inode(address)
    if removed:
        del daemon.pools["www"]
    else:
        daemon.pools["www"] = {**www, "listen": other, "max_workers": 1, "reload_surge": "1%"}
    daemon.hup("reloaded")
    came_through = half_open.hear()
    daemon.pools["www"] = www
    daemon.hup("reloaded")
    assert listener_inode(address) == inode
    late = connect(address)
    for number, client in enumerate([*waiting, came_through, late]):
        say(client, b"%d" % number)
    say(busy, b"")
    assert_served(busy, b"")
    for number, client in enumerate([*waiting, came_through, late]):
        assert_served(client, b"%d" % number)


def test_a_successor_serves_who_came_through(preforkd: Start, store: Manager) -> None:
    """The stop of a stored listener ends in a kill: the socket, and who waits there, go to the next master as they are."""
    address = tcp4()
    pools = {"www": {**ONE_WORKER, "listen": address}}
    options = store.options()
    first = preforkd(pools, popen={**options["popen"], **UNPRIVILEGED})
    store.wait("FDSTORE=1")
    busy, half_open = occupy(address), HalfOpen(address)
    first.send_signal(signal.SIGTERM)
    first.wait_message("stopping")
    waiting: list[socket.socket] = []
    late = keep_knocking(address, waiting)
    came_through = half_open.hear()
    for client in (*waiting, came_through):
        say(client, b"through")
    first.may_leak = True
    first.kill()
    store.receive_all()
    [stored] = [os.fstat(fd).st_ino for fd in store.store.values()]
    options = store.options()
    second = preforkd(pools, popen={**options["popen"], **UNPRIVILEGED}, binary=options["binary"])
    assert f"socket:[{stored}]" in open_descriptors(second.pid).values()
    assert is_connected(late, 10)  # by its next SYN
    late.settimeout(30)
    say(late, b"late")  # before the others are waited for: nothing says who is first in the one worker's queue
    for client in (*waiting, came_through):
        assert_served(client, b"through")
    assert_served(late, b"late")
    say(busy, b"y")
    assert_served(busy, b"y")


def test_what_cannot_be_done_is_said(preforkd: Start) -> None:
    """No filter, no decoy: one warning for each listener. Who waits is served as ever."""
    address, second, new = tcp4(), tcp4(), tcp4()
    www = {**ONE_WORKER, "listen": f"{address} {second}"}
    daemon = preforkd({"www": www}, popen=POWERLESS)
    busy, waiting = occupy(address), connect(address)
    daemon.pools["www"]["listen"] = new
    daemon.hup("reloaded")
    for draining in (address, second):
        assert len([found for found in daemon.messages("connections at risk", "www") if f" {draining} " in found[0]]) == 1
    for number, client in enumerate((busy, waiting)):
        say(client, b"%d" % number)
        assert_served(client, b"%d" % number)


# --- under load -----------------------------------------------------------------------------------------------------

LOADS = {"roomy": {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 30, "max_workers": 40},
         "narrow": {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 4, "max_workers": 4}}


@pytest.mark.parametrize("load", LOADS)
def test_a_listener_moves_to_and_fro(preforkd: Start, load: str) -> None:
    first, second = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": first, **LOADS[load]}}, popen=UNPRIVILEGED)
    with ClientPool([first, second]) as clients:
        clients.wait_served(50)
        for number in range(10):
            daemon.pools["www"]["listen"] = [second, first][number % 2]
            daemon.hup("reloaded")
        clients.addresses = [first]
        clients.wait_served(50, "at the first address", address=first)
    wait_until(lambda: refuses(second), "the second port closed")


@pytest.mark.parametrize("load", LOADS)
def test_a_pool_is_removed_and_added_again(preforkd: Start, load: str) -> None:
    base, address = tcp4(), tcp4()
    daemon = preforkd({"base": {"listen": base, **LOADS[load]}, "www": {"listen": address, **LOADS[load]}},
                      popen=UNPRIVILEGED)
    options = daemon.pools["www"]
    with ClientPool([address]) as clients:
        clients.wait_served(50)
        for _ in range(5):
            del daemon.pools["www"]
            daemon.hup("reloaded")
            daemon.pools["www"] = options
            daemon.hup("reloaded")
            clients.wait_served(20, "after the pool came back")


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "several"])
def test_a_graceful_stop(preforkd: Start, load: str, kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "tcp6":
        request.getfixturevalue("ipv6")
    addresses = [tcp6()] if kind == "tcp6" else [tcp4() for _ in range(3 if kind == "several" else 1)]
    daemon = preforkd({"www": {"listen": " ".join(addresses), **LOADS[load]}}, popen=UNPRIVILEGED)
    with ClientPool(addresses) as clients:
        clients.wait_served(100)
        daemon.send_signal(signal.SIGTERM)
        clients.wait_refused(1)
        assert daemon.wait_end() == 0
    daemon.assert_none(["stop timed out"])


def test_a_root_without_net_admin(preforkd: Start, as_root: None, tmp_path: Path) -> None:
    """As our unit runs it, on whatever kernel this is."""
    starter = tmp_path / "without-net-admin"
    starter.write_text("#!/bin/sh\n"
                       f'exec setpriv --bounding-set -net_admin --inh-caps -net_admin {BINARY} "$@"\n')
    starter.chmod(0o755)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **ONE_WORKER}}, binary=starter)
    busy, waiting = occupy(address), [connect(address)]
    daemon.send_signal(signal.SIGTERM)
    daemon.wait_message("stopping")
    keep_knocking(address, waiting).close()
    for number, client in enumerate((busy, *waiting)):
        say(client, b"%d" % number)
        assert_served(client, b"%d" % number)
    daemon.wait_end()
    daemon.assert_none(["connections at risk"])
