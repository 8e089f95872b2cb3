"""rate_limit, rate_limit_per_source and source_prefix: the same for everything whose connections preforkd accepts."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import (SLOW, Daemon, connect, format_config, have_ipv6, port_of, read_all, request, run_preforkd, stays, tcp4,
                    wait_until)
from datagrams import Client, udp
from handler_kinds import KINDS, Kind
from modules import module
from test_access import ask, refused_or_answered, workers
from test_adaptive import serve_at_once
from test_connections import wait_records

Start = Callable[..., Daemon]
BAD_CONFIG = 78
OVER = "refused a connection from 127.0.0.1: its address is over rate_limit_per_source"

GUARDED = [kind for kind in KINDS if kind.is_guarded]
# The pool that redirect leads to ends at a stop, and has nothing to do by then.
STOPPED = [kind for kind in GUARDED if kind.name != "redirect"]
UNGUARDED = [kind for kind in KINDS if not kind.is_guarded]


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


def one_worker(kind: Kind, directory: Path, address: object, **keys: object) -> dict[str, dict[str, object]]:
    return {"www": {"listen": address, "scaling": "static", "max_workers": 1, **kind.echo(directory), **keys},
            **kind.behind(directory)}


@contextmanager
def waiting(address: str, count: int) -> Iterator[list[socket.socket]]:
    """Clients that have sent all they will, and get it back when they are served."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(address, timeout=30)) for _ in range(count)]
        for client in clients:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
        yield clients


def wait_held(daemon: Daemon, count: int = 1) -> None:
    wait_until(lambda: control_of(daemon).pool()["counts"]["throttled"] == count, f"{count} connections to be held")


@pytest.mark.parametrize("scaling", ["dynamic", "adaptive"])
def test_those_that_have_held_are_surplus(preforkd: Start, scaling: str) -> None:
    """Nobody tells when a worker holds no connection any more: so the pool looks again."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": scaling, "max_workers": 20,
                               "min_spare_workers": 1, "max_spare_workers": 2, "spare_timeout": "1s",
                               "rate_limit": "5/s burst 10"}}, control=True)
    control = control_of(daemon)
    serve_at_once(address, control, 10, b"")
    with waiting(address, 15) as clients:  # most are held when spare_timeout is over
        assert [read_all(client) for client in clients] == [b"hello"] * 15
    wait_until(lambda: control.pool()["counts"]["total"] <= 2, "the end of the surplus", 20)


@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_a_source_is_refused(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """Beyond its burst, at no cost of a handler; others are not concerned."""
    address = tcp4()
    daemon = preforkd(one_worker(kind, tmp_path, address, rate_limit_per_source="1/h burst 3"), control=True)
    [worker] = workers(daemon)
    answers = [ask(address, "127.0.0.1") for _ in range(5)]
    assert answers == [b"hello"] * 3 + [b""] * 2
    assert ask(address, "127.0.0.2") == b"hello"
    wait_until(lambda: totals(daemon)["requests"] == 4, "four served")
    counted = totals(daemon)
    assert (counted["refused"], counted["refused_rate"], counted["refused_source"], counted["refused_access"]) == (2, 2, 0, 0)
    assert workers(daemon) == [worker]
    daemon.wait_said(OVER)
    stays(lambda: daemon.said(OVER) == 1, "one record for both", 0.2)


@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_connections_of_the_pool_wait(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """Each for its token, in idle workers; all are served."""
    address = tcp4()
    daemon = preforkd(one_worker(kind, tmp_path, address, rate_limit="20/m burst 1", max_workers=2), control=True)
    workers(daemon, 2)
    begun = time.monotonic()
    with waiting(address, 3) as clients:
        wait_held(daemon, 2)
        pool = control_of(daemon).pool(workers=True)
        assert (pool["counts"]["idle"], pool["counts"]["busy"], pool["state"]) == (2, 0, "running")
        assert [worker["state"] for worker in pool["workers"]] == ["holding"] * 2
        assert control_of(daemon).do("why www")["pools"][0]["throttled"] == 2
        for client in clients:
            assert read_all(client) == b"hello"
    assert 5.9 < time.monotonic() - begun
    wait_until(lambda: totals(daemon)["requests"] == 3, "three served")
    assert (totals(daemon)["throttled"], totals(daemon)["refused"], totals(daemon)["forked"]) == (2, 0, 2)
    workers(daemon, 2)


@pytest.mark.parametrize("listeners", [1, 2])
@pytest.mark.parametrize("kind", STOPPED, ids=lambda kind: kind.name)
def test_what_is_held_is_served_at_a_stop(preforkd: Start, tmp_path: Path, kind: Kind, listeners: int) -> None:
    """Its token would come in an hour; it is served in half of the time that the stop may take."""
    addresses = [tcp4() for _ in range(listeners)]
    daemon = preforkd(one_worker(kind, tmp_path, addresses, rate_limit="1/h"), control=True, master={"shutdown_timeout": "8s"})
    workers(daemon)
    assert request(addresses[-1], b"first") == b"first"
    with waiting(addresses[0], 1) as [client]:
        wait_held(daemon)
        daemon.send_signal(signal.SIGTERM)
        assert read_all(client) == b"hello"
    assert daemon.wait_end(timeout=20 * SLOW) == 0


@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_what_is_held_survives_a_restart(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    address = tcp4()
    daemon = preforkd(one_worker(kind, tmp_path, address, rate_limit="1/h"), control=True, master={"shutdown_timeout": "8s"})
    [worker] = workers(daemon)
    assert request(address, b"first") == b"first"
    with waiting(address, 1) as [client]:
        wait_held(daemon)
        control_of(daemon).do("restart www")
        assert read_all(client) == b"hello"
    wait_until(lambda: worker not in daemon.workers(), "the old worker to end")
    assert totals(daemon)["died"] == 0 and daemon.said("does not retire") == 0


@pytest.mark.parametrize("listeners", [1, 2])
def test_threads_hold(preforkd: Start, listeners: int) -> None:
    addresses = [tcp4() for _ in range(listeners)]
    address = addresses[0]
    daemon = preforkd({"www": {"listen": addresses, "handler_type": "builtin", "handler": "echo",
                               "threads_per_worker": 3, "max_workers": 3, "scaling": "static", "rate_limit": "1/h"}},
                      control=True, master={"shutdown_timeout": "8s"})
    workers(daemon, 3)
    assert request(address, b"first") == b"first"
    with waiting(address, 2) as clients:
        wait_held(daemon, 2)
        daemon.send_signal(signal.SIGTERM)
        assert [read_all(client) for client in clients] == [b"hello"] * 2
    assert daemon.wait_end(timeout=20 * SLOW) == 0


def test_the_pool_does_not_grow_from_what_is_held(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 30, "start_workers": 2,
                               "min_spare_workers": 2, "max_spare_workers": 2, "rate_limit": "30/m burst 1"}}, control=True)
    workers(daemon, 2)
    assert request(address, b"x") == b"x", "the burst: until it is over, what waits is demand"
    control_of(daemon).wait_at_rest()  # nor is the master about to look because of that request
    with waiting(address, 5) as clients:
        for client in clients:
            assert read_all(client) == b"hello"
    assert totals(daemon)["forked"] <= 4 and totals(daemon)["saturations"] == 0


@pytest.mark.parametrize("method", ["exec", "forkserver"])
def test_another_rate_applies_in_place(preforkd: Start, method: str) -> None:
    """Also to connections that are held by the old one, and by `scale`."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1,
                               "start_method": method, "rate_limit": "1/h", "rate_limit_per_source": "1/h burst 2"}},
                      control=True)
    [worker] = workers(daemon)
    assert ask(address, "127.0.0.1") == b"hello"
    with waiting(address, 1) as [client]:
        wait_held(daemon)
        daemon.pools["www"]["rate_limit"] = "100/s"  # type: ignore[index]
        daemon.hup("reloaded")
        assert read_all(client) == b"hello"
    assert ask(address, "127.0.0.1") == b""
    control_of(daemon).do("scale www rate_limit_per_source=100/s")
    wait_until(lambda: ask(address, "127.0.0.1") == b"hello", "the source to be within its new rate")
    assert workers(daemon) == [worker]


@pytest.mark.parametrize("method", ["exec", "forkserver"])
def test_who_is_refused_is_told_and_who_is_held_is_greeted_later(preforkd: Start, method: str) -> None:
    """With `full_response` and `banner`: the banner is sent when the rate lets the connection pass."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1, "start_method": method,
                      "rate_limit": "60/m burst 1", "rate_limit_per_source": "1/h burst 2", "banner": r"hello\n",
                      "full_response": r"later\n"}})
    begun = time.monotonic()
    assert ask(address) == b"hello\nhello"
    with connect(address) as client:
        assert client.recv(100) == b"hello\n"
        assert time.monotonic() - begun > 0.9
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    wait_until(lambda: ask(address) == b"later\n", "the refusal")


@pytest.mark.parametrize("method", ["exec", "forkserver"])
def test_the_reason_in_the_log_of_connections(preforkd: Start, method: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "start_method": method, "connection_log": "refused",
                               "rate_limit_per_source": "1/h"}}, control=True)
    assert [ask(address), ask(address)] == [b"hello", b""]
    assert [record["reason"] for record in wait_records(daemon, 1)] == ["too_fast"]


def test_it_heals(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "rate_limit_per_source": "15/m burst 1"}},
                      control=True)
    begun = time.monotonic()
    assert ask(address) == b"hello"
    wait_until(lambda: ask(address) == b"hello", "the next token")
    assert time.monotonic() - begun > 3.9 and totals(daemon)["refused_rate"] > 0


@pytest.mark.parametrize("limit", [{"rate_limit_per_source": "1/h"}, {"max_connections_per_source": 1}],
                         ids=["rate", "connections"])
def test_a_source_is_a_network(preforkd: Start, limit: dict[str, object]) -> None:
    port = port_of(tcp4())
    address = f"127.0.0.1:{port}"
    daemon = preforkd({"www": {"listen": f"*:{port}", "handler": "/bin/cat", "source_prefix": "24/64", **limit}}, control=True)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert ask(address, "127.0.0.2") == b"" and ask(address, "127.0.0.255") == b""
        assert ask(address, "127.0.1.2") == b"hello", "another network"
        if have_ipv6():
            assert ask(f"[::1]:{port}") == b"hello"
        if "rate_limit_per_source" not in limit:
            daemon.pools["www"]["source_prefix"] = "32/64"  # type: ignore[index]
            daemon.hup("reloaded")
            wait_until(lambda: ask(address, "127.0.0.2") == b"hello", "sources that are addresses")


def test_users_of_unix_sockets(preforkd: Start, tmp_path: Path) -> None:
    address = str(tmp_path / "socket")
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "rate_limit_per_source": "1/h burst 2"}}, control=True)
    assert [refused_or_answered(address) for _ in range(3)] == [b"x", b"x", b""]
    daemon.wait_said(f"refused a connection from uid {os.getuid()}: its user is over rate_limit_per_source")


def test_who_is_announced_has_the_rate(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "proxy_protocol": "127.0.0.1",
                      "rate_limit_per_source": "1/h"}})

    def announced(client: str) -> bytes:
        return request(address, f"PROXY TCP4 {client} 192.0.2.99 1 2\r\nhello".encode())

    assert [announced(client) for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [b"hello", b"hello", b""]


def test_datagrams_are_dropped(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": {"listen": address, "handler_type": "module", "handler": [module("datagram", tmp_path)],
                               "rate_limit_per_source": "1/h burst 2"}}, control=True)
    with Client(address) as client:
        for _ in range(5):
            client.send(b"hello")
        wait_until(lambda: totals(daemon)["refused_rate"] == 3, "three are dropped and counted")


def test_an_upgrade_forgets_nothing(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "rate_limit_per_source": "1/h"}}, control=True)
    assert ask(address) == b"hello"
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_message("upgraded")
    assert ask(address) == b""
    control_of(daemon).do("restart www")
    wait_until(lambda: ask(address) == b"hello", "a fresh table")


def test_a_flood_hurts_nobody_else(preforkd: Start) -> None:
    """One client is refused hundreds of times while another is served."""
    address, begun = tcp4(), time.monotonic()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "rate_limit_per_source": "2/h burst 20",
                               "max_workers": 4}}, control=True)
    for number in range(20):
        assert ask(address, "127.0.0.1") == b"hello"
        for _ in range(20):
            ask(address, "127.0.0.2")
    wait_until(lambda: totals(daemon)["refused_rate"] == 380, "all but twenty")
    assert totals(daemon)["forked"] <= 8
    assert daemon.said(OVER) == 0
    other = OVER.replace("127.0.0.1", "127.0.0.2")
    daemon.wait_said(other)
    stays(lambda: daemon.said(other) <= 1 + (time.monotonic() - begun) / 10, "one record in ten seconds", 0.2)


def test_problems(tmp_path: Path) -> None:
    path = tmp_path / "checked.conf"

    def check(**keys: object) -> str:
        path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler": "/bin/cat", **keys}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG, keys
        return result.stderr

    for value in ("50", "50/", "50/d", "-1/s", "50/s burst", "50/s 20", "50 / s"):
        assert f'rate_limit: "{value}" is not a rate; expected a rate such as 50/s or 600/m burst 20' in check(rate_limit=value)
    for value in ("0/s", "1000001/s", "5/s burst 0"):
        assert f'rate_limit_per_source: "{value}" is out of range; expected a rate' in check(rate_limit_per_source=value)
    for value in ("0/64", "33/64", "32/129", "32/0"):
        assert f'source_prefix: "{value}" is out of range; expected two prefix lengths such as 32/64' in check(source_prefix=value)
    for value in ("32", "/64", "a/b", "32/64/1"):
        assert f'source_prefix: "{value}" is not a pair of prefix lengths' in check(source_prefix=value)
    assert "rate_limit: a burst of 721 would take more than 30 days to be allowed again; expected at most 720" in \
        check(rate_limit="1/h burst 721")
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler": "/bin/cat", "rate_limit": "50/s",
                                           "rate_limit_per_source": "600/m burst 20", "source_prefix": "24/56"}}))
    shown = run_preforkd("-T", "-c", path)
    assert shown.returncode == 0, shown.stderr
    assert "rate_limit = 50/s burst 50\nrate_limit_per_source = 600/m burst 20\nsource_prefix = 24/56\n" in shown.stdout


@pytest.mark.parametrize("kind", UNGUARDED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("option", ["rate_limit", "rate_limit_per_source"])
def test_a_program_that_accepts_itself_is_not_guarded(tmp_path: Path, kind: Kind, option: str) -> None:
    path = tmp_path / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", option: "5/s", **kind.echo(tmp_path)}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert f"{option}: a handler that accepts itself takes its connections when it likes" in result.stderr
