"""Who may not come in is not seen by programs that accept themselves, with accounting = preload: the programs that
people use, the ways in which programs wait, and what must not open the gate. What holds for all kinds of handlers is in
test_access, test_rates and test_answers."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (AS_ROOT, Daemon, abstract, connect, format_config, open_descriptors, port_of, preload_object,
                    read_all, request, run_preforkd, stays, tcp4, wait_until)
from handler_kinds import acceptor
from nginx import Nginx
from programs import PYTHON, wait_rows
from test_access import ask
from test_preload import HTTP, fastcgi, kind  # noqa: F401  (a fixture)
from test_upgrade import upgrade

Start = Callable[..., Daemon]
Keys = dict[str, Any]

DENIED = "refused a connection from 127.0.0.2: deny has its address"
BAD_CONFIG = 78
WAYS = ["plain", "poll", "select", "epoll", "edge"]
ONE = {"scaling": "static", "max_workers": 1}


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


def wait_counted(daemon: Daemon, **expected: int) -> None:
    wait_until(lambda: {key: totals(daemon)[key] for key in expected} == expected, f"{expected}")


@contextmanager
def silent(address: str) -> Iterator[None]:
    """A client that was refused, and stays without a word."""
    with socket.socket() as client:
        client.bind(("127.0.0.2", 0))
        client.settimeout(20)
        client.connect(("127.0.0.1", port_of(address)))
        assert client.recv(10) == b"no"
        yield


# --- programs that people use ---------------------------------------------------------------------------------------

@pytest.mark.skipif(not AS_ROOT, reason="else nginx and this test are the same user")
@pytest.mark.usefixtures("listener_method")
def test_fastcgi(preforkd: Start, tmp_path: Path, kind: str) -> None:  # noqa: F811
    """Behind nginx, which is let in by its user; this test is not, and the program neither ends nor sees it."""
    path = tmp_path / "fastcgi.sock"
    daemon = preforkd({"www": fastcgi(kind, tmp_path, path, scaling="static", max_workers=2, deny="unix",
                                      allow="uid:nobody", full_response="no")}, control=True)
    workers = wait_rows(daemon, 2)
    nginx = Nginx(tmp_path, {"/": path}, tmp_path)
    page = {"php": "/pid.php", "fcgiwrap": "/script.cgi", "perl": "/any"}[kind]
    try:
        for _ in range(10):
            assert request(str(path), b"x" * 20000, half_close=False) == b"no"
            assert int(nginx.ask(page)) in workers
    finally:
        nginx.close()
    wait_counted(daemon, requests=11, refused_access=10, died=0)  # one by which it was found that nginx answers
    assert sorted(wait_rows(daemon, 2)) == sorted(workers)
    daemon.wait_said("refused a connection from uid 0: deny has its user or group")


PERL = """use Socket; use IO::Socket;
my $listener = IO::Socket::INET->new_from_fd(3, 'r+') or die;
while (my $client = $listener->accept()) { my $line = <$client>; print $client "$$"; close $client; }
"""


@pytest.mark.usefixtures("listener_method")
@pytest.mark.parametrize("language", ["python", "perl"])
def test_servers(preforkd: Start, tmp_path: Path, language: str) -> None:
    """Python's own polls before it accepts; one in Perl does not."""
    address = tcp4()
    program = tmp_path / "server"
    program.write_text(HTTP if language == "python" else PERL)
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "deny": "127.0.0.2", **ONE,
                               "handler": [PYTHON if language == "python" else "/usr/bin/perl", str(program)]}}, control=True)
    [worker] = wait_rows(daemon, 1)
    for _ in range(5):
        assert ask(address, "127.0.0.2") == b""
        assert request(address, b"GET / HTTP/1.0\r\n\r\n").endswith(b"%d" % worker)
    wait_counted(daemon, requests=5, refused_access=5, died=0)
    assert wait_rows(daemon, 1) == [worker]
    daemon.wait_said(DENIED)


# --- the ways in which they wait ------------------------------------------------------------------------------------

@pytest.mark.usefixtures("listener_method")
@pytest.mark.parametrize("full_response", ["", "no"])
@pytest.mark.parametrize("way", WAYS)
def test_ways(preforkd: Start, tmp_path: Path, way: str, full_response: str) -> None:
    """Crowds of both: each who is let in is served, nobody else, and the program ends as it is told, with none lost."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", "full_response": full_response, "scaling": "static",
                               "max_workers": 3, **acceptor(way, way, "preload").echo(tmp_path)}}, control=True)
    wait_rows(daemon, 3)
    answers: dict[str, list[bytes]] = {"127.0.0.1": [], "127.0.0.2": []}

    def clients(source: str) -> None:
        for _ in range(60):
            answers[source].append(ask(address, source))

    threads = [threading.Thread(target=clients, args=[source]) for source in answers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {"127.0.0.1": [b"hello"] * 120, "127.0.0.2": [full_response.encode()] * 120}
    wait_counted(daemon, requests=120, refused_access=120, died=0)
    old = wait_rows(daemon, 3)
    control_of(daemon).do("restart www")
    wait_until(lambda: not set(wait_rows(daemon, 3)) & set(old), "other workers")
    assert ask(address, "127.0.0.2") == full_response.encode() and ask(address, "127.0.0.1") == b"hello"
    daemon.wait_said(DENIED)


@pytest.mark.usefixtures("listener_method")
def test_who_lingers_at_one_listener_keeps_nobody_at_another(preforkd: Start, tmp_path: Path) -> None:
    """A program that polls has two; refused clients stay at the first, where others come all the time."""
    first, second = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": [first, second], "deny": "127.0.0.2", "full_response": "no", **ONE,
                               **acceptor("all", "all", "preload").echo(tmp_path)}}, control=True)
    wait_rows(daemon, 1)
    done = threading.Event()
    refused = 0

    def linger() -> None:
        nonlocal refused
        with ExitStack() as stack:
            while not done.is_set():
                stack.enter_context(silent(first))
                refused += 1
                done.wait(0.1)

    thread = threading.Thread(target=linger)
    thread.start()
    try:
        wait_until(lambda: refused > 2, "some that linger")
        for _ in range(5):
            assert ask(second, "127.0.0.1") == b"hello"
    finally:
        done.set()
        thread.join()
    wait_counted(daemon, requests=5, refused_access=refused, died=0)


@pytest.mark.usefixtures("listener_method")
@pytest.mark.parametrize("way", WAYS)
def test_nobody_lingers_while_the_program_serves(preforkd: Start, tmp_path: Path, way: str) -> None:
    """It has one connection, its own; and those that linger end with a retirement."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", "full_response": "no", **ONE,
                               **acceptor(way, way, "preload").echo(tmp_path)}}, control=True)
    [worker] = wait_rows(daemon, 1)

    def sockets() -> int:
        return sum(target.startswith("socket:") for target in open_descriptors(worker).values())

    before = sockets()
    with silent(address), connect(address, timeout=20) as served:
        served.sendall(b"x")
        assert served.recv(1) == b"x"
        assert sockets() == before + 1
    wait_rows(daemon, 1)
    with silent(address):
        control_of(daemon).do("restart www")
        wait_until(lambda: wait_rows(daemon, 1) != [worker], "another worker")
    assert totals(daemon)["died"] == 0


# --- copies of a worker ---------------------------------------------------------------------------------------------

def test_heirs(preforkd: Start, tmp_path: Path) -> None:
    """Workers that are copies of one that has served have its gate, and the reloaded one after a reload."""
    address, listed = tcp4(), tmp_path / "list"
    listed.write_text("127.0.0.2\n")
    daemon = preforkd({"www": {"listen": address, "deny": f"@{listed}", "start_method": "snapshot", "snapshot_after": 3,
                               "scaling": "static", "max_workers": 2, "connection_log": "refused",
                               **acceptor("plain", "plain", "preload").echo(tmp_path)}}, control=True)
    first = wait_rows(daemon, 2)

    def serve_until_heirs() -> bool:
        for source in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):  # two workers take turns: each is to serve
            assert ask(address, source) == (b"hello" if source == "127.0.0.1" else b"")
        return not set(wait_rows(daemon, 2)) & set(first)

    wait_until(serve_until_heirs, "workers that are copies of one that has served", 30)
    template = control_of(daemon).pool()["template"]["pid"]
    assert template in first
    for _ in range(5):
        assert ask(address, "127.0.0.2") == b""
    old = wait_rows(daemon, 2)
    listed.write_text("127.0.0.3\n")
    daemon.hup()
    wait_until(lambda: not set(wait_rows(daemon, 2)) & set(old), "workers that have the other list", 30)
    for _ in range(5):
        assert ask(address, "127.0.0.2") == b"hello" and ask(address, "127.0.0.3") == b""
    assert totals(daemon)["died"] == 0
    daemon.wait_said(DENIED)


@pytest.mark.usefixtures("listener_method")
def test_upgrades(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", **ONE,
                               **acceptor("plain", "plain", "preload").echo(tmp_path)}}, control=True)
    wait_rows(daemon, 1)
    for _ in range(2):
        assert ask(address, "127.0.0.2") == b"" and ask(address, "127.0.0.1") == b"hello"
        upgrade(daemon)
    assert ask(address, "127.0.0.2") == b"" and ask(address, "127.0.0.1") == b"hello"
    wait_counted(daemon, refused_access=3, died=0)


# --- what must not open the gate --------------------------------------------------------------------------------------

@pytest.mark.usefixtures("listener_method")
@pytest.mark.parametrize("wrapper", [["/usr/bin/env"], ["/bin/sh", "-c", 'true; exec "$0" "$@"'],
                                     ["/usr/bin/env", "-i", "/bin/bash", "-c", 'exec "$0" "$@"']])
def test_wrappers(preforkd: Start, tmp_path: Path, wrapper: list[str]) -> None:
    """A program that executes the handler in its place passes the gate on."""
    address = tcp4()
    keys: Keys = acceptor("plain", "plain", "preload").echo(tmp_path)
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", **ONE, **keys,
                               "handler": [*wrapper, *keys["handler"]]}}, control=True)
    wait_rows(daemon, 1)
    assert ask(address, "127.0.0.2") == b"" and ask(address, "127.0.0.1") == b"hello"
    daemon.wait_said(DENIED)


CLOSER = """import ctypes, os, sys
for name in os.listdir('/proc/self/fd'):
    try:
        found = os.readlink('/proc/self/fd/' + name)
    except OSError:  # that of the directory
        continue
    if 'preforkd access' in found:
        ctypes.CDLL(None).syscall(3, int(name))  # past the object, which knows this number as its own
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_gate_that_is_lost_lets_nobody_in(preforkd: Start, tmp_path: Path) -> None:
    """The program that a wrapper has executed does not find the rules: it ends, and accepts nobody before."""
    address = tcp4()
    keys: Keys = acceptor("plain", "plain", "preload").echo(tmp_path)
    (tmp_path / "closer.py").write_text(CLOSER)
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", **ONE, **keys,
                               "handler": [PYTHON, str(tmp_path / "closer.py"), *keys["handler"]]}}, control=True)
    wait_until(lambda: totals(daemon)["died"] > 1, "it ends, and again", 30)
    with connect(address) as client:
        client.sendall(b"hello")
        stays(lambda: totals(daemon)["requests"] == 0, "nobody is served", 0.5)
    daemon.wait_message("backing off")


def test_children_get_nothing(preforkd: Start, tmp_path: Path) -> None:
    """A child has nothing of the gate: but for the listener, the connection and the directory that ls reads, 0 to 2."""
    address = tcp4()
    keys: Keys = acceptor("plain", "plain", "preload").echo(tmp_path)
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", **ONE, **keys, "handler": keys["handler"][:-1]}},
                      control=True)
    wait_rows(daemon, 1)
    lines = request(address, b"child\n", half_close=False).decode().splitlines()
    assert not [line for line in lines if "PREFORK" in line]
    assert len([line for line in lines if line.startswith("fd ")]) in (5, 6), lines


@pytest.mark.parametrize("accounting", ["api", "none"])
@pytest.mark.parametrize("key, value", [("allow", "192.0.2.1"), ("deny", "192.0.2.1"), ("rate_limit", "5/s"),
                                        ("rate_limit_per_source", "5/s"), ("banner", "hello"), ("connection_log", "refused")])
def test_who_is_not_guarded(tmp_path: Path, accounting: str, key: str, value: str) -> None:
    path = tmp_path / "checked.conf"
    keys = {"listen": "127.0.0.1:1", "handler_type": "listener", "handler": "/bin/cat", key: value}
    path.write_text(format_config({"www": {**keys, "accounting": accounting}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG and f"{key}: a handler that accepts itself" in result.stderr
    path.write_text(format_config({"www": keys}))
    tmp_path.chmod(0o755)
    result = run_preforkd("-t", "-c", path, env={**os.environ, **preload_object(tmp_path)})
    assert result.returncode == 0, result.stderr


def test_headers_of_proxies_are_the_programs(tmp_path: Path) -> None:
    path = tmp_path / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler_type": "listener", "handler": "/bin/cat",
                                           "proxy_protocol": "192.0.2.1"}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert "proxy_protocol: a handler that accepts itself asks the kernel who its client is" in result.stderr


@pytest.mark.usefixtures("listener_method")
def test_who_is_held_is_served_after_a_signal(preforkd: Start, tmp_path: Path) -> None:
    """The rate of the pool, in a program that polls: a retirement ends the wait, not the connection."""
    addresses = [tcp4(), abstract()]
    daemon = preforkd({"www": {"listen": addresses, "rate_limit": "1/h", **ONE,
                               **acceptor("all", "all", "preload").echo(tmp_path)}}, control=True,
                      master={"shutdown_timeout": "8s"})
    wait_rows(daemon, 1)
    assert request(addresses[0], b"first") == b"first"
    with connect(addresses[1], timeout=40) as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: control_of(daemon).pool()["counts"]["throttled"] == 1, "it is held")
        daemon.send_signal(signal.SIGTERM)
        assert read_all(client) == b"hello"
    assert daemon.wait_end(timeout=40) == 0
