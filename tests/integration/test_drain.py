"""Listeners and pools that come, move and go while 24 clients never rest: whatever the kernel accepted is served."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import Daemon, connect, read_all, refuses, request, tcp4, tcp6, wait_until

Start = Callable[..., Daemon]


# Every client has a worker, so that what is measured is the reload and not the queue.
ROOMY = {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 30, "max_workers": 40}
# Fewer workers than clients: there is a queue whenever something happens.
NARROW = {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 4, "max_workers": 4}


@pytest.fixture(params=["roomy", "narrow"])
def pool(request: pytest.FixtureRequest) -> dict[str, object]:
    return dict(ROOMY if request.param == "roomy" else NARROW)


# --- under 24 clients -----------------------------------------------------------------------------------------------

def test_a_listener_moves_to_another_port(preforkd: Start, pool: dict[str, object]) -> None:
    old, new = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": old, **pool}})
    with ClientPool([old]) as clients:
        clients.wait_served(100)
        daemon.pools["www"]["listen"] = new
        daemon.hup("reloaded")
        clients.wait_refused(1)
        clients.addresses = [new]
        clients.wait_served(100, "at the new address", address=new)
    wait_until(lambda: refuses(old), "the old port closed")


def test_a_listener_moves_there_and_back_while_it_drains(preforkd: Start, pool: dict[str, object]) -> None:
    """Back before the old one has drained: it is taken back into service, not bound a second time."""
    first, second = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": first, **pool}})
    with ClientPool([first, second]) as clients:
        clients.wait_served(50)
        for number in range(10):
            daemon.pools["www"]["listen"] = [second, first][number % 2]
            daemon.hup("reloaded")
        clients.addresses = [first]
        clients.wait_served(50, "at the first address", address=first)
    assert not daemon.problems()
    wait_until(lambda: refuses(second), "the second port closed")


def test_a_pool_is_removed(preforkd: Start, pool: dict[str, object]) -> None:
    stays_address, goes = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": stays_address, **pool}, "old": {"listen": goes, **pool}})
    with ClientPool([stays_address, goes]) as clients:
        clients.wait_served(50, address=goes)
        del daemon.pools["old"]
        daemon.hup("reloaded")
        clients.wait_refused(5)
        clients.wait_served(50, "by the pool that stays", address=stays_address)
        wait_until(lambda: not daemon.workers("old"), "the end of the removed pool's workers", 20)
    wait_until(lambda: refuses(goes), "the removed pool's port closed")


def test_a_pool_is_removed_and_added_again(preforkd: Start, pool: dict[str, object]) -> None:
    """Also while what was removed is still draining."""
    base, address = tcp4(), tcp4()
    daemon = preforkd({"base": {"listen": base, **pool}, "www": {"listen": address, **pool}})
    options = daemon.pools["www"]
    with ClientPool([address]) as clients:
        clients.wait_served(50)
        for _ in range(5):
            del daemon.pools["www"]
            daemon.hup("reloaded")
            daemon.pools["www"] = options
            daemon.hup("reloaded")
            clients.wait_served(20, "after the pool came back")
    assert not daemon.problems()


def test_a_unix_sockets_path_changes(preforkd: Start, tmp_path: Path, pool: dict[str, object]) -> None:
    first, second = str(tmp_path / "first.sock"), str(tmp_path / "second.sock")
    daemon = preforkd({"www": {"listen": first, "socket_mode": "0666", **pool}})
    with ClientPool([first, second]) as clients:
        clients.wait_served(50)
        for number in range(6):
            target = [second, first][number % 2]
            daemon.pools["www"]["listen"] = target
            daemon.hup("reloaded")
            clients.wait_served(20, f"at {target}", address=target)
        assert os.path.exists(first)
        wait_until(lambda: not os.path.exists(second), "the old path removed")
    assert stat.S_ISSOCK(os.stat(first).st_mode)


def test_from_one_listener_to_several_and_back(preforkd: Start, tmp_path: Path, pool: dict[str, object]) -> None:
    """Workers of one listener block in accept, those of several wait for events: both share the open file."""
    stays_address, comes = tcp4(), tcp4()
    path = str(tmp_path / "comes.sock")
    daemon = preforkd({"www": {"listen": stays_address, "socket_mode": "0666", **pool}})
    with ClientPool([stays_address]) as clients:
        for _ in range(3):
            daemon.pools["www"]["listen"] = f"{stays_address} {comes} {path}"
            daemon.hup("reloaded")
            clients.addresses = [stays_address, comes, path]
            for address in clients.addresses:
                clients.wait_served(20, f"at {address}", address=address)
            daemon.pools["www"]["listen"] = stays_address
            daemon.hup("reloaded")
            clients.wait_refused(1)
            clients.wait_served(50, "by the one that stays", address=stays_address)


def test_a_roll_under_load(preforkd: Start, pool: dict[str, object]) -> None:
    """No listener changes, so nobody is even refused."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **pool}}, control=True)
    with ClientPool([address]) as clients:
        for number in range(10):
            daemon.pools["www"]["environment"] = f"ROUND={number}"
            daemon.hup("reloaded")
            clients.wait_served(20)
        assert clients.refused == 0
    assert control_of(daemon).pool()["generation"] == 11


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix", "several"])
def test_a_graceful_stop(preforkd: Start, tmp_path: Path, pool: dict[str, object], number: int, kind: str,
                         request: pytest.FixtureRequest) -> None:
    path = str(tmp_path / "www.sock")
    if kind == "tcp6":
        request.getfixturevalue("ipv6")
    addresses = {"tcp4": [tcp4()], "tcp6": [tcp6()] if kind == "tcp6" else [], "unix": [path],
                 "several": [tcp4(), path]}[kind]
    daemon = preforkd({"www": {"listen": " ".join(addresses), "socket_mode": "0666", **pool}})
    with ClientPool(addresses) as clients:
        clients.wait_served(100)
        daemon.send_signal(number)
        clients.wait_refused(1)
        assert daemon.wait_end() == 0
    assert not os.path.exists(path)
    daemon.assert_none(["stop timed out"])


# --- long requests --------------------------------------------------------------------------------------------------

def test_a_stop_serves_what_waits_in_the_queue(preforkd: Start) -> None:
    """Connected, not yet accepted: the kernel took them, so they are ours."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **NARROW, "max_workers": 1, "min_spare_workers": 1,
                               "max_spare_workers": 1}})
    with connect(address) as busy:
        busy.sendall(b"x")
        assert busy.recv(1) == b"x"
        waiting = [connect(address) for _ in range(10)]
        for number, client in enumerate(waiting):
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_message("stopping")
        busy.shutdown(socket.SHUT_WR)
        assert read_all(busy) == b""
    for number, client in enumerate(waiting):
        with client:
            assert read_all(client) == b"%d" % number
    daemon.wait_end()


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_a_long_request_does_not_keep_a_closed_port(preforkd: Start, several: bool) -> None:
    """A worker that is busy for hours holds the old listener's descriptor; nobody must be kept waiting by it."""
    old = [tcp4(), tcp4()] if several else [tcp4()]
    new = tcp4()
    daemon = preforkd({"www": {"listen": " ".join(old), **ROOMY}})
    clients = [connect(old[number % len(old)]) for number in range(6)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    daemon.pools["www"]["listen"] = new
    daemon.hup("reloaded")
    for address in old:
        wait_until(lambda address=address: refuses(address), "the old port refuses", 10)
    daemon.pools["www"]["listen"] = " ".join(old)
    daemon.hup("reloaded")
    for address in old:
        assert request(address, b"again") == b"again"
    for client in clients:
        with client:
            client.sendall(b"y")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"y", "the long request goes on to its own end"


def test_a_removed_pools_long_request_does_not_keep_its_port(preforkd: Start) -> None:
    base, first, second = tcp4(), tcp4(), tcp4()
    daemon = preforkd({"base": {"listen": base, **ROOMY}, "www": {"listen": f"{first} {second}", **ROOMY}})
    options = daemon.pools["www"]
    with connect(first) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        del daemon.pools["www"]
        daemon.hup("reloaded")
        wait_until(lambda: refuses(first) and refuses(second), "the removed pool's ports refuse", 10)
        daemon.pools["www"] = options
        daemon.hup("reloaded")
        assert request(first, b"again") == b"again"
        client.sendall(b"y")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"y"


def test_a_queue_is_served_though_every_old_worker_is_busy(preforkd: Start) -> None:
    """The old listener's queue has connections, and all who could take them are busy for long: others are made."""
    old, new = tcp4(), tcp4()
    pool = {"handler": "/bin/cat", "scaling": "static", "max_workers": 2}
    daemon = preforkd({"www": {"listen": old, **pool}})
    daemon.wait_workers(2)
    busy = [connect(old) for _ in range(2)]
    for client in busy:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    waiting = [connect(old) for _ in range(3)]
    for number, client in enumerate(waiting):
        client.sendall(b"%d" % number)
        client.shutdown(socket.SHUT_WR)
    daemon.pools["www"].update({"listen": new, "max_workers": 8})
    daemon.hup("reloaded")
    for number, client in enumerate(waiting):
        with client:
            assert read_all(client) == b"%d" % number
    assert request(new, b"new") == b"new"
    for client in busy:
        client.close()


def test_moved_twice_while_both_have_queues(preforkd: Start) -> None:
    """Two listeners that drain at once, each with connections that wait, and a worker for both."""
    first, second, third = tcp4(), tcp4(), tcp4()
    pool = {"handler": "/bin/cat", "scaling": "static", "max_workers": 1, "reload_surge": "100%"}
    daemon = preforkd({"www": {"listen": first, **pool}})
    daemon.wait_workers(1)
    waiting = []
    busy = []
    for address, following in ((first, second), (second, third)):
        busy.append(connect(address))
        busy[-1].sendall(b"x")
        assert busy[-1].recv(1) == b"x"
        waiting += [connect(address) for _ in range(3)]
        daemon.pools["www"]["listen"] = following
        daemon.hup("reloaded")
    assert daemon.pools["www"]["listen"] == third
    for number, client in enumerate(waiting):
        client.sendall(b"%d" % number)
        client.shutdown(socket.SHUT_WR)
    busy[0].close()
    for number, client in enumerate(waiting[:3]):
        with client:
            assert read_all(client) == b"%d" % number
    busy[1].close()
    for number, client in enumerate(waiting[3:], start=3):
        with client:
            assert read_all(client) == b"%d" % number
    assert request(third, b"third") == b"third"
