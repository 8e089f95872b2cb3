"""handler_type = builtin: the small services, and redirect."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control import control_of
from daemon import (SLOW, Daemon, Reply, alive, burst, connect, context_switches, endpoint, format_config, port_of,
                    read_all, request, run_preforkd, stays, tcp4, tcp6, user_arguments, wait_until)

Start = Callable[..., Daemon]
BAD_CONFIG = 78


@pytest.fixture(params=["tcp4", "tcp6", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "tcp6":
        request.getfixturevalue("ipv6")
    return {"tcp4": tcp4, "tcp6": tcp6, "unix": lambda: str(tmp_path / "socket")}[request.param]()


def builtin(address: str, *handler: str, **keys: object) -> dict[str, object]:
    return {"listen": address, "handler_type": "builtin", "handler": list(handler), "socket_mode": "0666"
            if address.startswith("/") else None, **keys}


def totals(daemon: Daemon, pool: str = "www") -> dict[str, int]:
    return control_of(daemon).pool(pool)["totals"]


# --- the small services ---------------------------------------------------------------------------------------------

def test_echo(preforkd: Start, address: str) -> None:
    preforkd({"www": builtin(address, "echo")})
    for data in (b"", b"\0", bytes(range(256)) * 5000):
        assert request(address, data) == data
    with connect(address) as client:
        for word in (b"one", b"two"):
            client.sendall(word)
            assert client.recv(100) == word, "at once"


def test_discard(preforkd: Start, address: str) -> None:
    daemon = preforkd({"www": builtin(address, "discard")}, control=True)
    with connect(address) as client:
        client.sendall(b"x" * 3_000_000)
        wait_until(lambda: control_of(daemon).pool()["counts"]["busy"] == 1, "it goes on")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")


def test_daytime(preforkd: Start, address: str) -> None:
    preforkd({"www": builtin(address, "daytime", environment="TZ=XYZ-3")})
    before = time.time()
    said = request(address).decode()
    after = time.time()
    assert re.fullmatch(r"\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d XYZ\r\n", said)
    expected = {time.strftime("%d %b %Y %H:%M:%S", time.gmtime(moment + 3 * 3600)).upper()
                for moment in range(int(before), int(after) + 1)}
    assert said.removesuffix(" XYZ\r\n") in expected


def test_time(preforkd: Start, address: str) -> None:
    preforkd({"www": builtin(address, "time")})
    before = int(time.time())
    reply = request(address)
    assert len(reply) == 4
    assert before <= struct.unpack(">I", reply)[0] - 2208988800 <= int(time.time())


def test_a_new_second_is_told_at_once(preforkd: Start) -> None:
    """time(2) may be a tick behind the clock that others read."""
    address = tcp4()
    preforkd({"www": builtin(address, "time")})
    for _ in range(3):
        begun = int(time.time()) + 1
        time.sleep(max(0, begun - time.time() - 0.01))
        while time.time() < begun:
            pass
        assert struct.unpack(">I", request(address))[0] - 2208988800 >= begun


def test_chargen(preforkd: Start, address: str) -> None:
    """94 lines of 72 characters, over and over, until the client has enough."""
    daemon = preforkd({"www": builtin(address, "chargen", scaling="static", max_workers=1)}, control=True)
    characters = "".join(map(chr, range(33, 127)))
    expected = "".join((characters * 2)[line:line + 72] + "\r\n" for line in range(94)) * 3
    with connect(address) as client:
        received = b""
        while len(received) < len(expected):
            received += client.recv(65536)
    assert received[:len(expected)].decode() == expected
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end, without a client")
    assert totals(daemon)["handler_failures"] == 0
    with connect(address) as client:
        assert client.recv(8) == b'!"#$%&\'('


@pytest.mark.parametrize("handler", ["echo", "discard", "chargen"])
def test_a_deadline_ends_them(preforkd: Start, address: str, handler: str) -> None:
    """Also while nobody reads what chargen sends."""
    daemon = preforkd({"www": builtin(address, handler, request_timeout="200ms", kill_timeout="20s", scaling="static",
                                      max_workers=1)}, control=True)
    with connect(address):
        wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    assert totals(daemon)["request_timeouts"] == 1
    daemon.assert_none(["request killed", "worker died"])


@pytest.mark.parametrize(("handler", "reason"), [
    ("ehco", 'there is no builtin "ehco"; expected one of echo, discard, daytime, time, chargen, redirect'),
    ("/bin/cat", "there is no builtin"),
    ("echo x", 'the builtin "echo" takes no arguments'),
    ("redirect", "expected redirect ADDRESS:PORT or /PATH"),
    ("redirect localhost:1 localhost:2", "expected redirect ADDRESS:PORT or /PATH"),
    ("redirect example.com:80", '"example.com:80" is no target'),
    ("redirect 127.0.0.1", '"127.0.0.1" is no target'),
    ("redirect *:80", r'"\*:80" is no target'),
    ("redirect 127.0.0.1:0", "is no target"),
    ("redirect [fe80::1]:80", "needs its interface"),
    ("redirect 127.0.0.1:1", "where the pool itself listens"),
])
def test_what_is_refused(tmp_path: Path, handler: str, reason: str) -> None:
    path = tmp_path / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler_type": "builtin", "handler": handler}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert re.search(rf"checked.conf:\d+: handler: .*{reason}", result.stderr), result.stderr


def test_on_the_command_line(preforkd: Start) -> None:
    address = tcp4()
    preforkd(arguments=[f"--listen={address}", "--handler-type=builtin", *user_arguments(), "--", "echo"])
    assert request(address, b"x") == b"x"


# --- redirect -------------------------------------------------------------------------------------------------------

class Target:
    """A server of the test's own, for what can be seen from that side alone."""

    def __init__(self, family: str, directory: Path) -> None:
        self.address = str(directory / "target") if family == "unix" else tcp6() if family == "tcp6" else tcp4()
        kind, where = endpoint(self.address)
        self.listener = socket.socket(kind, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.settimeout(10 * SLOW)
        self.listener.bind(where)
        self.listener.listen(64)
        if family == "unix":
            Path(self.address).chmod(0o666)

    def accept(self) -> socket.socket:
        connection = self.listener.accept()[0]
        connection.settimeout(10 * SLOW)
        return connection

    def close(self) -> None:
        self.listener.close()


@pytest.fixture(params=["tcp4", "tcp6", "unix"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "tcp6":
        request.getfixturevalue("ipv6")
    server = Target(request.param, tmp_path)
    yield server
    server.close()


@pytest.fixture
def tcp_target(tmp_path: Path) -> Iterator[Target]:
    server = Target("tcp4", tmp_path)
    yield server
    server.close()


def redirecting(preforkd: Start, target: Target | str, **keys: object) -> tuple[Daemon, str]:
    address = tcp4()
    to = target if isinstance(target, str) else target.address
    daemon = preforkd({"www": builtin(address, "redirect", to, scaling="static",
                                      **{"max_workers": 2, **keys})}, control=True)
    return daemon, address


def receive(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count and (chunk := connection.recv(1 << 20)):
        received += chunk
    return bytes(received)


def test_both_ways(preforkd: Start, target: Target) -> None:
    daemon, address = redirecting(preforkd, target)
    with connect(address) as client, target.accept() as server:
        for word in (b"a", b"bb"):
            client.sendall(word)
            assert server.recv(100) == word
            server.sendall(word * 2)
            assert client.recv(100) == word * 2
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    assert totals(daemon)["handler_failures"] == 0


def test_the_target_may_speak_first(preforkd: Start, target: Target) -> None:
    _, address = redirecting(preforkd, target)
    with connect(address) as client, target.accept() as server:
        server.sendall(b"220 ready\r\n")
        assert client.recv(100) == b"220 ready\r\n"


def test_the_clients_end_is_passed_on(preforkd: Start, target: Target) -> None:
    """… and the other direction goes on."""
    daemon, address = redirecting(preforkd, target)
    with connect(address) as client, target.accept() as server:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"question"
        for _ in range(3):
            server.sendall(b"answer")
            assert receive(client, 6) == b"answer"
        assert totals(daemon)["requests"] == 0
        server.close()
        assert read_all(client) == b""
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    assert totals(daemon)["handler_failures"] == 0


def test_the_targets_end_is_passed_on(preforkd: Start, target: Target) -> None:
    daemon, address = redirecting(preforkd, target)
    with connect(address) as client, target.accept() as server:
        server.sendall(b"bye")
        server.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"bye"
        for _ in range(3):
            client.sendall(b"more")
            assert receive(server, 4) == b"more"
        assert totals(daemon)["requests"] == 0
        client.close()
        assert read_all(server) == b""
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")


def test_a_target_that_closes_both_sides_has_said_all(preforkd: Start, target: Target) -> None:
    """As most servers do when they have answered. A client that is slow, and has not ended its own side, gets everything."""
    daemon, address = redirecting(preforkd, target)
    for number, size in enumerate((10, 3_000_000), 1):
        with connect(address) as client, target.accept() as server:
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            sender = threading.Thread(target=lambda: (server.sendall(b"x" * size), server.close()))
            sender.start()
            time.sleep(0.2)
            assert len(read_all(client)) == size
            sender.join()
        wait_until(lambda: totals(daemon)["requests"] == number, "its end")
    assert totals(daemon)["handler_failures"] == 0


@pytest.mark.parametrize("size", [1, 70_000, 262_144, 262_145, 5_000_000])
def test_nothing_is_lost_in_either_direction(preforkd: Start, target: Target, size: int) -> None:
    """Small ones go through a buffer, large ones through a pipe; both at once, and the ends behind the last byte."""
    daemon, address = redirecting(preforkd, target)
    up, down = (bytes(range(256)) * (size // 256 + 1))[:size], (bytes(range(255, -1, -1)) * (size // 256 + 1))[:size]
    for _ in range(3):  # what one request leaves in the worker must not get into the next
        with connect(address) as client, target.accept() as server:
            def send(connection: socket.socket, data: bytes) -> None:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            threads = [threading.Thread(target=send, args=pair) for pair in ((client, up), (server, down))]
            received: dict[str, bytes] = {}
            threads += [threading.Thread(target=lambda: received.update(client=read_all(client))),
                        threading.Thread(target=lambda: received.update(server=read_all(server)))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert received["server"] == up and received["client"] == down
    wait_until(lambda: totals(daemon)["requests"] == 3, "three requests")
    assert totals(daemon)["handler_failures"] == 0


def test_a_broken_large_transfer_leaves_nothing_behind(preforkd: Start, tcp_target: Target) -> None:
    daemon, address = redirecting(preforkd, tcp_target, max_workers=1)
    with connect(address) as client, tcp_target.accept() as server:
        server.setblocking(False)
        sent = 0
        while True:  # until every buffer between both is full
            try:
                sent += server.send(b"x" * 100_000)
            except BlockingIOError:
                time.sleep(0.05)
                try:
                    sent += server.send(b"x" * 100_000)
                except BlockingIOError:
                    break
        assert sent > 1 << 20
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    with connect(address) as client, tcp_target.accept() as server:
        server.sendall(b"fresh")
        assert receive(client, 5) == b"fresh"
    daemon.assert_quiet()


def test_many_clients(preforkd: Start) -> None:
    inner, address = tcp4(), tcp4()
    daemon = preforkd({"www": builtin(address, "redirect", inner, max_workers=20),
                       "inner": builtin(inner, "echo", max_workers=20)}, control=True)
    for data in (b"x" * 100, b"y" * 600_000):
        replies: list[Reply] = burst(address, 40, data)
        assert [reply.error for reply in replies] == [None] * 40
        assert all(reply.data == data for reply in replies)
    wait_until(lambda: totals(daemon)["requests"] == 80, "all of them")
    assert totals(daemon)["handler_failures"] == 0
    daemon.assert_quiet()


def ends(client: socket.socket) -> bool:
    """The connection ends, one way or the other."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_target_that_is_gone(preforkd: Start, tmp_path: Path) -> None:
    """The client's connection is closed, the failure is counted and told once in a while, and the target may come back."""
    target = tcp4()
    daemon, address = redirecting(preforkd, target)
    for _ in range(5):
        with connect(address) as client:
            assert ends(client)
    wait_until(lambda: totals(daemon)["handler_failures"] == 5, "five failures")
    assert len(daemon.told("handler failed")) == 1
    daemon.assert_quiet()
    server = socket.create_server(("127.0.0.1", port_of(target)))
    with server, connect(address) as client:
        connection = server.accept()[0]
        connection.sendall(b"back")
        assert client.recv(100) == b"back"
        connection.close()


def test_a_unix_target_that_is_not_there(preforkd: Start, tmp_path: Path) -> None:
    daemon, address = redirecting(preforkd, str(tmp_path / "missing"))
    with connect(address) as client:
        assert ends(client)
    wait_until(lambda: totals(daemon)["handler_failures"] == 1, "a failure")


def test_a_reset_of_the_target_is_no_orderly_end(preforkd: Start, tcp_target: Target) -> None:
    """The client must not take what it has for all."""
    daemon, address = redirecting(preforkd, tcp_target)
    with connect(address) as client, tcp_target.accept() as server:
        server.sendall(b"half of")
        assert receive(client, 7) == b"half of"
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    wait_until(lambda: totals(daemon)["handler_failures"] == 1, "a failure")


@pytest.mark.parametrize("half_closed", [False, True])
def test_a_reset_of_the_client_is_passed_on(preforkd: Start, tcp_target: Target, half_closed: bool) -> None:
    """Even while nothing is sent, and if the client had ended its side before."""
    daemon, address = redirecting(preforkd, tcp_target)
    with connect(address) as client, tcp_target.accept() as server:
        if half_closed:
            client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        if not half_closed:
            with pytest.raises(ConnectionResetError):
                server.recv(1)
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    assert totals(daemon)["handler_failures"] == 0, "it is no failure of ours"


def test_a_client_of_a_unix_socket_that_leaves(preforkd: Start, tcp_target: Target, tmp_path: Path) -> None:
    """A UNIX socket shows it at once; nobody spins meanwhile."""
    path = str(tmp_path / "socket")
    daemon = preforkd({"www": builtin(path, "redirect", tcp_target.address, scaling="static", max_workers=1)}, control=True)
    with connect(path) as client:
        server = tcp_target.accept()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
    assert server.recv(1) == b""
    wait_until(lambda: totals(daemon)["requests"] == 1, "its end")
    server.close()


def test_an_idle_redirect_uses_no_processor(preforkd: Start, target: Target) -> None:
    """In every state in which it may be left: open, half closed, half closed the other way."""
    daemon, address = redirecting(preforkd, target, max_workers=1)
    [worker] = daemon.wait_workers(1)
    for end_of in ("nobody", "client", "target"):
        with connect(address) as client, target.accept() as server:
            if end_of != "nobody":
                (client if end_of == "client" else server).shutdown(socket.SHUT_WR)
                assert ends(server if end_of == "client" else client)
            time.sleep(0.3)
            before = context_switches(worker)
            stays(lambda: alive(worker), "it lives", 0.5)
            assert context_switches(worker) - before <= 3, end_of


def test_deadlines(preforkd: Start, target: Target) -> None:
    """TERM ends it in every state; also if only the target is waited for."""
    daemon, address = redirecting(preforkd, target, request_timeout="1s", kill_timeout="30s", max_workers=1)
    for number, half_closed in enumerate((False, True), 1):
        with connect(address) as client, target.accept() as server:
            if half_closed:
                client.shutdown(socket.SHUT_WR)
            assert ends(client)
            wait_until(lambda: totals(daemon)["requests"] == number, "its end")
            read = server.recv
            try:
                while read(100):
                    pass
            except ConnectionResetError:
                pass
    assert totals(daemon)["request_timeouts"] == 2
    daemon.assert_none(["request killed", "worker died"])


def test_a_target_that_does_not_accept_is_given_up_at_the_deadline(preforkd: Start, tmp_path: Path) -> None:
    """connect(2) itself waits: a UNIX socket whose queue is full."""
    path = str(tmp_path / "full")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(0)
    Path(path).chmod(0o666)
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    waiting.connect(path)
    with listener, waiting:
        daemon, address = redirecting(preforkd, path, request_timeout="300ms", kill_timeout="30s", max_workers=1)
        with connect(address) as client:
            assert ends(client)
        wait_until(lambda: totals(daemon)["handler_failures"] == 1, "a failure")
        daemon.assert_none(["request killed", "worker died"])
