"""What preforkd itself says to clients: full_response to those that it refuses, banner to the others; and queue_timeout,
which refuses who has waited too long. The same for everything that serves by connections that preforkd accepts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (SLOW, Daemon, abstract, children, connect, format_config, open_descriptors, port_of, read_all,
                    request, run_preforkd, tcp4, wait_until)
from handler_kinds import KINDS, Kind, acceptor

Start = Callable[..., Daemon]
BAD_CONFIG = 78

GUARDED = [kind for kind in KINDS if kind.is_guarded]
WATCHED = [kind for kind in KINDS if kind.is_watched and not kind.is_guarded]
RESPONSE = b"421 \xc3\xbcber 9000; no room\r\n\0"
RESPONSE_TEXT = r'"421 über 9000; no room\r\n\x00"'
BANNER = b"220 # 'welcome'  \\o/\x1b[m\r\n"
BANNER_TEXT = r'"220 # \x27welcome\x27  \\o/\e[m\r\n"'


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


def ask(address: str, source: str = "127.0.0.1", data: bytes = b"hello") -> bytes:
    """All that a client with this address gets, to the end; a reset is an error."""
    with socket.socket() as client:
        client.settimeout(20 * SLOW)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port_of(address)))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def idle_workers(daemon: Daemon) -> list[int]:
    """The pid of the one that there is, when it is idle."""
    def idle() -> list[int] | None:
        rows = control_of(daemon).pool(workers=True)["workers"]
        return [row["pid"] for row in rows] if [row["state"] for row in rows] == ["idle"] else None

    return wait_until(idle, "one idle worker") or []


@contextlib.contextmanager
def in_conversation(address: str, greeting: bytes = b"") -> Iterator[socket.socket]:
    """A client that is being served."""
    with connect(address) as client:
        client.sendall(b"x")
        got = b""
        while len(got) < len(greeting) + 1:
            more = client.recv(100)
            assert more, "it is served"
            got += more
        assert got == greeting + b"x"
        yield client


@pytest.mark.parametrize("where", ["tcp", "unix"])
@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_every_kind_greets(preforkd: Start, tmp_path: Path, kind: Kind, where: str) -> None:
    """The client gets the banner first, also who sends nothing; the handler gets nothing of it."""
    address = tcp4() if where == "tcp" else abstract()
    daemon = preforkd({"www": {"listen": address, "banner": BANNER_TEXT, "max_workers": 2, **kind.echo(tmp_path)},
                       **kind.behind(tmp_path)}, control=True)
    for _ in range(3):
        assert request(address, b"hello") == BANNER + b"hello"
    with connect(address) as silent:
        assert silent.recv(100) == BANNER
    wait_until(lambda: totals(daemon)["requests"] == 4, "four served")
    assert totals(daemon)["refused"] == 0


@pytest.mark.parametrize("listeners", [1, 3])
@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_every_kind_answers_whom_it_refuses(preforkd: Start, tmp_path: Path, kind: Kind, listeners: int) -> None:
    address = tcp4()
    addresses = [address, tcp4(), abstract()][:listeners]
    daemon = preforkd({"www": {"listen": addresses, "deny": "127.0.0.2", "full_response": RESPONSE_TEXT,
                               "scaling": "static", "max_workers": 1, **kind.echo(tmp_path)}, **kind.behind(tmp_path)},
                      control=True)
    for _ in range(3):
        assert ask(address, "127.0.0.2", b"x" * 20000) == RESPONSE
        assert ask(address) == b"hello"
    wait_until(lambda: totals(daemon)["refused_access"] == 3, "three refused")
    wait_until(lambda: totals(daemon)["requests"] == 3, "three served")
    daemon.wait_said("refused a connection from 127.0.0.2: deny has its address")


@pytest.mark.parametrize("kind", GUARDED + WATCHED, ids=lambda kind: kind.name)
def test_every_kind_refuses_who_has_waited_too_long(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    address = tcp4()
    answer = {} if not kind.is_guarded else {"full_response": RESPONSE_TEXT}
    daemon = preforkd({"www": {"listen": address, "queue_timeout": "1s", "scaling": "static", "max_workers": 1, **answer,
                               **kind.echo(tmp_path)}, **kind.behind(tmp_path)}, control=True)
    idle_workers(daemon)  # the first waits for none
    with connect(address) as first, connect(address) as late:
        first.sendall(b"x")
        assert first.recv(1) == b"x"
        late.sendall(b"late")
        time.sleep(1.5)  # what is measured
        first.shutdown(socket.SHUT_WR)
        assert read_all(first) == b""
        assert read_all(late) == (RESPONSE if kind.is_guarded else b"")
    counted = wait_until(lambda: totals(daemon) if totals(daemon)["refused_wait"] == 1 else None, "it is counted")
    assert counted and counted["refused"] == 1
    wait_until(lambda: ask(address) == b"hello", "one that has not waited")
    assert control_of(daemon).pool()["wait_us"]["p99"] >= 1_000_000
    if kind.is_guarded:
        daemon.wait_said("refused a connection from 127.0.0.1: it has waited for more than 1000 ms (queue_timeout)")
    daemon.assert_quiet()


def test_the_timeout_applies_in_place(preforkd: Start) -> None:
    """What a worker has held is no wait for a worker: a PROXY header that is late."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "queue_timeout": "500ms",
                               "proxy_protocol": "127.0.0.0/8", "scaling": "static", "max_workers": 1}}, control=True)
    [worker] = daemon.wait_workers(1)

    def held() -> bytes:
        with connect(address) as client:
            time.sleep(0.8)  # its worker has it
            client.sendall(b"PROXY UNKNOWN\r\nhello")
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    wait_until(lambda: held() == b"hello", "a client that did not wait in the queue", 30)
    os.kill(worker, signal.SIGSTOP)
    with connect(address) as late:
        late.sendall(b"PROXY UNKNOWN\r\nhello")
        late.shutdown(socket.SHUT_WR)
        time.sleep(1)  # what is measured
        os.kill(worker, signal.SIGCONT)
        assert read_all(late) == b""
    before = wait_until(lambda: totals(daemon)["refused_wait"], "it is counted")
    daemon.pools["www"]["queue_timeout"] = "0"  # type: ignore[index]
    daemon.hup()
    os.kill(worker, signal.SIGSTOP)
    with connect(address) as late:
        late.sendall(b"PROXY UNKNOWN\r\nhello")
        late.shutdown(socket.SHUT_WR)
        time.sleep(1)  # what is measured
        os.kill(worker, signal.SIGCONT)
        assert read_all(late) == b"hello"
    assert totals(daemon)["refused_wait"] == before and daemon.workers() == [worker]


# Programs that accept themselves, in each way in which they wait: tests/handlers/acceptor.c.
ACCEPT_WAYS = ["plain", "poll", "select", "epoll", "edge"]


def echo(way: str, directory: Path) -> dict[str, Any]:
    """A handler that echoes: a program of connections with that start_method, or one that accepts in that way."""
    return acceptor(way, way, "preload").echo(directory) if way in ACCEPT_WAYS else \
        {"handler": "/bin/cat", "start_method": way}


LIMITS: list[tuple[str, dict[str, Any], bool]] = [
    ("full", {"max_workers": 1, "when_full": "refuse"}, True),
    ("access", {"deny": "127.0.0.0/8 unix", "scaling": "static", "max_workers": 2}, False),
    ("source", {"max_connections_per_source": 1, "max_workers": 4}, True),
]


@pytest.mark.parametrize("where", ["tcp", "unix"])
@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit[0])
@pytest.mark.parametrize("way", ["exec", "forkserver", *ACCEPT_WAYS])
def test_who_has_sent_much_reads_the_answer(preforkd: Start, tmp_path: Path, limit: tuple[str, dict[str, Any], bool],
                                            where: str, way: str) -> None:
    """200 of 200 clients that have sent 100 KB get all of it and the end, and no reset. (Of programs that accept in
    their own way 20: the end of a connection is the same.)"""
    name, keys, is_busy = limit
    count = 20 if way in ACCEPT_WAYS else 200
    if (name, where) == ("source", "unix") or (name == "full" and way != "exec"):
        pytest.skip("clients of UNIX sockets have no address; the refuser is the same for all handlers")
    address = tcp4() if where == "tcp" else abstract()
    daemon = preforkd({"www": {"listen": address, "full_response": RESPONSE_TEXT, **keys, **echo(way, tmp_path)}},
                      control=True)
    with in_conversation(address) if is_busy else contextlib.nullcontext():
        for _ in range(count):
            with connect(address) as client:
                client.sendall(b"x" * 100000)
                assert client.recv(1, socket.MSG_PEEK) == RESPONSE[:1]
                for _ in range(3):  # on its way when it was refused
                    client.sendall(b"x" * 10000)
                assert read_all(client) == RESPONSE
        wait_until(lambda: totals(daemon)["refused"] == count, "all counted")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit[0])
@pytest.mark.parametrize("where", ["tcp", "unix"])
@pytest.mark.parametrize("way", ["exec", *ACCEPT_WAYS])
def test_who_sends_for_ever_holds_nothing(preforkd: Start, tmp_path: Path, limit: tuple[str, dict[str, Any], bool],
                                          where: str, way: str) -> None:
    """Nor who says nothing: the number of those that linger is bounded, and so are their time and what is read."""
    name, keys, is_busy = limit
    if (name, where) == ("source", "unix") or (name == "full" and way != "exec"):
        pytest.skip("clients of UNIX sockets have no address; the refuser is the same for all handlers")
    address = tcp4() if where == "tcp" else abstract()
    daemon = preforkd({"www": {"listen": address, "full_response": RESPONSE_TEXT, **keys, **echo(way, tmp_path)}},
                      control=True)
    most = 1 + max(map(sockets, wait_until(lambda: pids(daemon, "idle"), "idle workers")))
    with in_conversation(address) if is_busy else contextlib.nullcontext(), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(address)) for _ in range(100)]
        wait_until(lambda: totals(daemon)["refused"] == 100, "all refused")
        for client in silent:
            assert client.recv(100) == RESPONSE
        endless = stack.enter_context(connect(address))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                endless.sendall(b"x" * 65536)

        def none_is_held() -> bool:
            if all(sockets(worker) <= most for worker in pids(daemon, "idle", "busy")):
                return True
            connect(address).close()  # one may wait for a connection that another has taken
            return False

        wait_until(none_is_held, "none is held", 20)


def pids(daemon: Daemon, *states: str) -> list[int]:
    """Of workers in these states."""
    return [row["pid"] for row in control_of(daemon).pool(workers=True)["workers"] if row["state"] in states]


def sockets(pid: int) -> int:
    return sum(target.startswith("socket:") for target in open_descriptors(pid).values())


@pytest.mark.parametrize("way", ["exec", *ACCEPT_WAYS])
def test_no_worker_waits_for_a_refused_client(preforkd: Start, tmp_path: Path, way: str) -> None:
    """A served client comes at once, after one that lingers: also in the worker that has refused."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "deny": "127.0.0.2", "scaling": "static", "max_workers": 1,
                               "full_response": "no", **echo(way, tmp_path)}}, control=True)
    with contextlib.ExitStack() as stack:
        times = []
        for _ in range(20):
            lingers = stack.enter_context(socket.socket())
            lingers.settimeout(20 * SLOW)
            lingers.bind(("127.0.0.2", 0))
            lingers.connect(("127.0.0.1", port_of(address)))
            assert lingers.recv(10) == b"no"
            begun = time.monotonic()
            assert ask(address) == b"hello"
            times.append(time.monotonic() - begun)
        assert sorted(times)[10] < 0.5 * SLOW, times
    assert totals(daemon)["refused_access"] == 20


@pytest.mark.parametrize("keys", [{}, {"start_method": "forkserver"}, {"start_method": "forkserver", "copy": "rollback"}],
                         ids=["exec", "fork", "rollback"])
def test_nobody_lingers_while_somebody_is_served(preforkd: Start, keys: dict[str, str]) -> None:
    """Neither in the worker nor in its handler, which has one connection, its own."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "deny": "127.0.0.2", "scaling": "static",
                               "max_workers": 1, "full_response": "no", **keys}}, control=True)
    [worker] = idle_workers(daemon)
    most = sockets(worker)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            lingers = stack.enter_context(socket.socket())
            lingers.settimeout(20 * SLOW)
            lingers.bind(("127.0.0.2", 0))
            lingers.connect(("127.0.0.1", port_of(address)))
            assert lingers.recv(10) == b"no"
        with in_conversation(address):
            [handler] = wait_until(lambda: children(worker), "the handler")
            held = {target for target in open_descriptors(handler).values() if target.startswith("socket:")}
            assert len(held) == 1, held
            assert sockets(worker) <= most + 1


# --- the configuration ----------------------------------------------------------------------------------------------

def check(path: Path, **keys: object) -> str:
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler": "/bin/cat", "when_full": "refuse",
                                           **keys}}))  # type: ignore[dict-item]
    result = run_preforkd("-t", "-c", path)
    assert result.returncode in (0, BAD_CONFIG), result.stderr
    return result.stderr if result.returncode else f"fine: {result.stderr}"


def test_what_cannot_be(tmp_path: Path) -> None:
    path, text = tmp_path / "checked.conf", tmp_path / "text"

    def says(words: str, **keys: object) -> None:
        assert words in check(path, **keys), keys

    says("queue_timeout: the kernel does not say how long a connection to a UNIX socket has waited",
         listen=f"127.0.0.1:1 {tmp_path}/socket", queue_timeout="1s")
    says("fine", listen=f"{tmp_path}/socket", queue_timeout="0")
    unwatched = {"handler_type": "listener", "accounting": "none", "when_full": "queue"}
    says("queue_timeout: with accounting = none nobody sees the connections", queue_timeout="1s", **unwatched)
    says("banner: a handler that accepts itself takes its connections before preforkd sees them", banner="x", **unwatched)
    says("full_response: a handler that accepts itself closes what is refused without a text", full_response="x", **unwatched)
    says("full_response: only clients refused by when_full get it", handler_type="listener", accounting="api",
         full_response="x", queue_timeout="1s")
    says("fine", handler_type="listener", accounting="api", full_response="x")
    datagrams = {"listen": "udp:127.0.0.1:1", "handler_type": "builtin", "handler": "echo", "when_full": "queue"}
    says("banner: nobody is greeted before a datagram", banner="x", **datagrams)
    says("full_response: a datagram is dropped without an answer", full_response="x", **datagrams)
    says("queue_timeout: the kernel does not say how long a datagram has waited", queue_timeout="1s", **datagrams)
    says("full_response: no effect: nothing is refused", full_response="x", when_full="queue")
    for limit in ({"rate_limit_per_source": "1/s"}, {"max_connections_per_source": 1}, {"queue_timeout": "1s"},
                  {"deny": "10.0.0.0/8"}, {"proxy_protocol": "10.0.0.1"}, {"when_full": "refuse"}):
        assert "no effect" not in check(path, **{"full_response": "x", "when_full": "queue", **limit}), limit
    says('banner: clients get "/etc/motd" itself; for what is in that file write @/etc/motd', banner="/etc/motd")
    says('full_response: clients get "/etc/motd" itself', full_response="/etc/motd")
    for name in ("/two words", "/etc/motd\\n", "@/etc/passwd"):
        assert "itself" not in check(path, banner=name), name
    says('banner: "\\q" is no escape; expected \\r, \\n', banner="a\\q")
    says('banner: "\\x4" is no escape', banner="a\\x4")
    says('banner: "\\xg0" is no escape', banner='"\\xg0"')
    says("banner: something follows the quote that closes the text", banner="'a'b")
    says("banner: it has 4097 bytes; expected at most 4096", banner="x" * 4097)
    says("fine", banner="x" * 4096)
    says("banner: an @ at the beginning names a file by an absolute path", banner="@here")
    says("fine", banner="\\x40here")
    says(f'banner: cannot read "{text}": No such file', banner=f"@{text}")
    text.write_bytes(b"x" * 4097)
    says(f'banner: "{text}" has 4097 bytes; expected at most 4096', banner=f"@{text}")
    text.unlink()
    os.mkfifo(text)
    says(f'banner: cannot read "{text}"', banner=f"@{text}")


def test_defaults_are_for_those_that_can(tmp_path: Path) -> None:
    """What is printed of them is as good as what was written."""
    path = tmp_path / "checked.conf"
    api = {"handler_type": "listener", "accounting": "api", "handler": "/bin/cat"}
    pools: dict[str, dict[str, object]] = {
        "defaults": {"banner": "hello", "full_response": "busy", "queue_timeout": "5s"},
        "program": {"listen": "127.0.0.1:1", **api}, "full": {"listen": "127.0.0.1:2", "when_full": "refuse", **api},
        "datagrams": {"listen": "udp:127.0.0.1:3", "handler_type": "builtin", "handler": "echo"},
        "unix": {"listen": f"{tmp_path}/socket", "handler": "/bin/cat"},
        "tcp": {"listen": "127.0.0.1:4", "handler": "/bin/cat"}}
    path.write_text(format_config(pools))  # type: ignore[arg-type]
    shown = run_preforkd("-T", "-c", path)
    said = {section.split("]")[0]: [key for key in ("banner", "full_response", "queue_timeout") if f"\n{key} =" in section]
            for section in shown.stdout.split("\n[")[1:]}
    assert said == {"program": ["queue_timeout"], "full": ["full_response", "queue_timeout"], "datagrams": [],
                    "unix": ["banner", "full_response"], "tcp": ["banner", "full_response", "queue_timeout"]}
    path.write_text(shown.stdout)
    assert run_preforkd("-T", "-c", path).stdout == shown.stdout


def test_a_text_is_printed_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shown.conf"
    for written, shown in ((BANNER_TEXT, r"'220 # \x27welcome\x27  \\o/\e[m\r\n'"), (RESPONSE_TEXT, "'421 über"),
                           ("  plain  ", "plain"), (r"two  words\n", r"'two  words\n'"), (r"'\x40/x'", r"'\x40/x'"),
                           (r"\xff\xC3(", r"'\xff\xc3('"), ("", ""), ("''", ""), ('@"/a b"', None)):
        path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler": "/bin/cat", "banner": written}}))
        result = run_preforkd("-T", "-c", path)
        if shown is None:
            assert result.returncode == BAD_CONFIG
            continue
        assert f"banner = {shown}".rstrip() in result.stdout, (written, result.stdout, result.stderr)
        path.write_text(result.stdout)
        assert run_preforkd("-T", "-c", path).stdout == result.stdout


@pytest.mark.parametrize("method", ["exec", "forkserver"])
def test_a_file_is_read_again(preforkd: Start, tmp_path: Path, method: str) -> None:
    """By a reload, which replaces the workers if it says something else; a broken file leaves everything as it is; an
    upgrade reads nothing."""
    address, text = tcp4(), tmp_path / "text"
    text.write_bytes(b"\0\xff first\n")
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "banner": f"@{text}", "scaling": "static",
                               "max_workers": 1, "start_method": method}}, control=True)
    [worker] = idle_workers(daemon)
    assert ask(address) == b"\0\xff first\nhello"
    daemon.hup()
    assert ask(address) == b"\0\xff first\nhello" and idle_workers(daemon) == [worker]
    text.write_bytes(b"x" * 5000)
    daemon.hup()
    daemon.assert_problem("has 5000 bytes")
    assert idle_workers(daemon) == [worker]
    text.write_bytes(b"second\n")
    daemon.hup()
    wait_until(lambda: ask(address) == b"second\nhello", "another text")
    text.unlink()
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_message("upgraded")
    before = idle_workers(daemon)
    control_of(daemon).do("restart www")
    wait_until(lambda: idle_workers(daemon) != before, "new workers")
    assert ask(address) == b"second\nhello"
