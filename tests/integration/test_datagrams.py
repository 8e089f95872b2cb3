"""Datagrams, and what inetd calls `wait`: programs that take over the socket itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import SLOW, Daemon, alive, connect, context_switches, free_port, read_all, request, stays, tcp4, wait_until
from datagrams import Client, udp
from manager import Manager
from programs import PYTHON, rows, wait_rows

Start = Callable[..., Daemon]

# What a program has on descriptor 0, by inetd's rules, or from 3, by systemd's. `serve` answers one datagram with the pid
# and what came.
BEGIN = """
import os, signal, socket, sys, time
listeners = [socket.socket(fileno=3 + i) for i in range(int(os.environ.get("LISTEN_FDS", 0)))] or [socket.socket(fileno=0)]
listener = listeners[0]
def serve(listener=listener):
    data, sender = listener.recvfrom(65535)
    if sender:
        listener.sendto(b"%d " % os.getpid() + data, sender)
    return data
"""


def wait_service(address: str, program: list[str], **keys: object) -> dict[str, Any]:
    return {"listen": address, "handler_type": "listener", "listen_fd": 0, "scaling": "ondemand", "max_workers": 1,
            "accounting": "none", "handler": program, **keys}


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    def write(text: str) -> list[str]:
        path = tmp_path / f"program-{len(list(tmp_path.glob('program-*')))}.py"
        path.write_text(BEGIN + text)
        return [PYTHON, str(path)]
    return write


@pytest.mark.skipif(not shutil.which("in.tftpd") or not shutil.which("tftp"), reason="needs tftpd-hpa and tftp-hpa")
def test_tftpd(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """It serves files, ends after a quiet second, and is started again; over a restart and an upgrade."""
    files, port = tmp_path / "files", free_port()
    files.mkdir()
    (files / "boot.img").write_bytes(os.urandom(100000))
    server = [shutil.which("in.tftpd"), "--timeout", "1", "--secure", str(files)]
    daemon = preforkd({"tftp": wait_service(udp(port), server, user="root")}, control=True)

    def get() -> None:
        target = tmp_path / "got"
        target.unlink(missing_ok=True)
        subprocess.run(["tftp", "-m", "binary", "127.0.0.1", str(port), "-c", "get", "boot.img", target], check=True,
                       timeout=20 * SLOW, stdout=subprocess.DEVNULL)
        assert target.read_bytes() == (files / "boot.img").read_bytes()

    assert rows(daemon, "tftp") == []
    get()
    [first] = wait_rows(daemon, 1, "unwatched", "tftp")
    get()
    assert wait_rows(daemon, 1, "unwatched", "tftp") == [first]
    wait_rows(daemon, 0, pool="tftp")
    get()
    control_of(daemon).do("restart tftp")
    get()
    control_of(daemon).do("upgrade")
    get()
    daemon.pools["tftp"]["max_workers"] = 2
    daemon.hup("reloaded")
    get()
    wait_rows(daemon, 0, pool="tftp")
    daemon.assert_quiet()


def test_perl_answers_on_its_standard_output(preforkd: Start) -> None:
    """As under inetd, where the socket is input and output."""
    address = udp()
    perl = 'my $from = recv(STDIN, my $data, 65536, 0); send(STDOUT, "$$ $data", 0, $from)'
    daemon = preforkd({"www": wait_service(address, ["/usr/bin/perl", "-e", perl])})
    with Client(address) as client:
        client.ask()
    daemon.assert_quiet()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_stream_server_that_serves_and_ends(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path,
                                              kind: str) -> None:
    """However quickly: what it has accepted shows that it has served."""
    address = tcp4() if kind == "tcp" else str(tmp_path / "www.sock")
    daemon = preforkd({"www": wait_service(address, script(
        "connection, _ = listener.accept()\nconnection.sendall(b'%d' % os.getpid())\n"))})
    clients = [connect(address, 30) for _ in range(30)]
    pids = set()
    for client in clients:
        with client:
            pids.add(read_all(client))
    assert len(pids) == 30
    daemon.assert_quiet()


@pytest.mark.parametrize("kind", ["udp", "unixgram", "abstract"])
def test_one_that_reads_one_and_ends(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path,
                                     kind: str) -> None:
    """As inetd's do that fork: nothing that the kernel has kept is lost."""
    address = {"udp": udp(), "unixgram": f"unixgram:{tmp_path}/s", "abstract": f"unixgram:@preforkd-{os.getpid()}"}[kind]
    daemon = preforkd({"www": wait_service(address, script("serve()\n"))}, control=True)
    with Client(address, 30) as client:
        for number in range(8):
            client.send(b"%0*d" % (9 - number, number))
        heard = [client.hear() for _ in range(8)]
    assert {int(data) for _, data in heard} == set(range(8))
    assert len({pid for pid, _ in heard}) == 8
    daemon.assert_quiet()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_more_comes_while_it_starts(preforkd: Start, script: Callable[[str], list[str]], kind: str) -> None:
    """So more waits at its end than at its start, and it has served all the same."""
    address = udp() if kind == "udp" else tcp4()
    act = "serve()" if kind == "udp" else "connection, _ = listener.accept()\nconnection.sendall(b'1 x')"
    daemon = preforkd({"www": wait_service(address, script(f"time.sleep(0.2)\n{act}\n"))}, control=True)
    if kind == "udp":
        with Client(address, 30) as client:
            client.send()
            wait_rows(daemon, 1, "unwatched")
            for _ in range(5):
                client.send()
            assert {client.hear()[1] for _ in range(6)} == {b"x"}
    else:
        clients = [connect(address, 30)]
        wait_rows(daemon, 1, "unwatched")
        clients += [connect(address, 30) for _ in range(5)]
        assert {read_all(client) for client in clients} == {b"1 x"}
        for client in clients:
            client.close()
    daemon.assert_quiet()


@pytest.mark.parametrize("kind", ["udp", "unixgram"])
def test_one_that_reads_one_while_others_come(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path,
                                              kind: str) -> None:
    """As much waits when it ends as when it began, or more: it has served nevertheless."""
    address = udp() if kind == "udp" else f"unixgram:{tmp_path}/s"
    daemon = preforkd({"www": wait_service(address, script("""
time.sleep(0.02)
serve()
"""), restart_delay_min="5s")}, control=True)
    with Client(address, 30) as client:
        client.send(b"%5d" % 0)
        for number in range(1, 8):
            client.send(b"%5d" % number)
            client.hear()
        client.hear()
    daemon.assert_quiet()


def test_one_that_reads_nothing_is_backed_off(preforkd: Start, script: Callable[[str], list[str]]) -> None:
    """Not started without end, and never given up; what waits is still there for the next one."""
    address = udp()
    daemon = preforkd({"www": wait_service(address, ["/bin/true"], restart_delay_min="200ms", restart_delay_max="1s")},
                      control=True)
    control = control_of(daemon)
    with Client(address) as client:
        client.send(b"kept")
        daemon.wait_message("backing off")
        before = control.pool()["totals"]["forked"]
        stays(lambda: control.pool()["totals"]["forked"] <= before + 6, "few starts", 1.0)
        daemon.pools["www"]["handler"] = script("serve()\nserve()\n")
        daemon.hup("reloaded")
        assert client.hear()[1] == b"kept"
        client.ask(b"next")


def test_more_workers_on_demand(preforkd: Start, script: Callable[[str], list[str]]) -> None:
    """Each serves one datagram for long; the next is one that nobody takes."""
    address = udp()
    program = script("data = serve()\ntime.sleep(1000)\n")
    daemon = preforkd({"www": wait_service(address, program, max_workers=3)}, control=True)
    with Client(address) as client:
        pids = {client.ask() for _ in range(3)}
        assert len(pids) == 3
        client.send(b"later")
        daemon.wait_message("saturated")
        os.kill(min(pids), signal.SIGTERM)
        assert client.hear()[1] == b"later"


def test_the_master_rests_while_it_serves(preforkd: Start, script: Callable[[str], list[str]]) -> None:
    """And does not end it as a surplus, however long it is quiet."""
    address = udp()
    daemon = preforkd({"www": wait_service(address, script("while True:\n    serve()\n"), spare_timeout="100ms")},
                      control=True)
    with Client(address) as client:
        pid = client.ask()

        def rests() -> bool:
            before = context_switches(daemon.pid)
            stays(lambda: alive(pid), "its life", 1.0)
            return context_switches(daemon.pid) == before

        wait_until(rests, "a second without waking")
        assert client.ask() == pid


def test_both_kinds_as_systemd_passes_them(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    addresses = [udp(), f"unixgram:{tmp_path}/s", tcp4()]
    program = script("""
import select
while True:
    for listener in select.select(listeners, [], [])[0]:
        if listener.type == socket.SOCK_DGRAM:
            serve(listener)
        else:
            connection, _ = listener.accept()
            connection.sendall(b"%d connection" % os.getpid())
            connection.close()
""")
    daemon = preforkd({"www": wait_service(" ".join(addresses), program, listen_fd=3)}, control=True)
    with Client(addresses[0]) as first, Client(addresses[1]) as second, connect(addresses[2]) as third:
        pid = first.ask()
        assert second.ask() == pid
        assert read_all(third) == b"%d connection" % pid
    listeners = {listener["address"]: listener for listener in control_of(daemon).pool()["listeners"]}
    assert list(listeners) == addresses
    assert all(listener["listening"] for listener in listeners.values())
    daemon.assert_quiet()


# Goes on until it is told to end, and then ends after what it is doing.
POLITE = """
end = []
signal.signal(signal.SIGTERM, lambda *_: end.append(1))
import select
while not end:
    if select.select([listener], [], [], 0.05)[0]:
        listener.setblocking(False)
        try:
            time.sleep(0.01)
            serve()
        except BlockingIOError:
            pass
"""


@pytest.mark.parametrize("act", ["stop", "removal", "restart", "upgrade"])
@pytest.mark.parametrize("kind", ["udp", "unixgram"])
def test_what_waits_is_served(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path, act: str,
                              kind: str) -> None:
    address = udp() if kind == "udp" else f"unixgram:{tmp_path}/s"
    daemon = preforkd({"www": wait_service(address, script(POLITE), scaling="static"),
                       "other": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    wait_rows(daemon, 1, "unwatched")
    with Client(address, 20) as client:
        client.ask()
        for number in range(8):
            client.send(b"%d" % number)
        if act == "stop":
            daemon.send_signal(signal.SIGTERM)
        elif act == "removal":
            del daemon.pools["www"]
            daemon.hup("reloaded")
        else:
            control_of(daemon).do("restart www" if act == "restart" else "upgrade")
        assert {int(client.hear()[1]) for _ in range(8)} == set(range(8))
    if act == "stop":
        assert daemon.wait_end() == 0
    daemon.assert_quiet()


def test_what_nobody_has_read_before_a_reload(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    """A helper serves it, and ends, although it would read on: the old address does not stay open for it. SIGTERM ends it
    at once, so it comes when the last was served most likely, and not when it was read."""
    old, stuck = udp(), tmp_path / "stuck"
    daemon = preforkd({"www": wait_service(old, script(f"""
if os.path.exists({str(stuck)!r}):
    with open("/proc/self/comm", "w") as comm:
        comm.write("stuck")
    time.sleep(1000)
while True:
    data, sender = listener.recvfrom(65535)
    time.sleep(0.1)
    listener.sendto(b"%d " % os.getpid() + data, sender)
"""))}, control=True)
    control = control_of(daemon)
    stuck.touch()
    with Client(old, 20) as client:
        client.send(b"early")
        [pid] = wait_rows(daemon, 1, "unwatched")
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "stuck\n", "the program")
        stuck.unlink()
        daemon.pools["www"]["listen"] = udp()
        daemon.hup("reloaded")
        os.kill(pid, signal.SIGKILL)
        assert client.hear()[1] == b"early"
    wait_until(lambda: len(control.pool()["listeners"]) == 1, "the end of the old listener")
    wait_rows(daemon, 0)


def test_what_the_new_handler_cannot_serve(preforkd: Start, script: Callable[[str], list[str]]) -> None:
    """Datagrams wait, and it serves connections: what is lost does not keep the pool from serving."""
    old, new = udp(), tcp4()
    daemon = preforkd({"www": wait_service(old, script("time.sleep(1000)\n"))}, control=True)
    control = control_of(daemon)
    with Client(old) as client:
        client.send(b"early")
        [pid] = wait_rows(daemon, 1, "unwatched")
        daemon.pools["www"] = {"listen": new, "handler": "/bin/cat", "restart_delay_min": "10ms",
                               "restart_delay_max": "100ms"}
        daemon.hup("reloaded")
        os.kill(pid, signal.SIGKILL)
        daemon.wait_message("connections at risk")
    wait_until(lambda: len(control.pool()["listeners"]) == 1, "the end of the old listener")
    failures = control.pool()["totals"]["start_failures"]
    assert request(new, b"hello") == b"hello"
    stays(lambda: control.pool()["totals"]["start_failures"] == failures, "no more failures", 0.5)


def test_a_socket_that_a_program_has_connected(preforkd: Start, script: Callable[[str], list[str]],
                                               tmp_path: Path) -> None:
    """It gets what one client sends, and nothing else: another one is opened."""
    for address in udp(), f"unixgram:{tmp_path}/s":
        daemon = preforkd({"www": wait_service(address, script("""
data, sender = listener.recvfrom(65535)
listener.sendto(b"%d " % os.getpid() + data, sender)
if data == b"connect":
    listener.connect(sender)
"""))})
        with Client(address) as client, Client(address, 20) as other:
            client.ask(b"connect")
            daemon.wait_message("listener damaged")

            def is_served() -> bool:
                other.socket.settimeout(0.2)
                try:
                    other.ask()
                except OSError:  # the connected one is there still
                    return False
                return True

            wait_until(is_served, "an answer to another client")


def awake_ms(pid: int) -> float:
    """How long it has run, or wanted to."""
    return sum(int(field) for field in Path(f"/proc/{pid}/schedstat").read_text().split()[:2]) / 1e6


@pytest.mark.parametrize("ends", [True, False])
def test_errors_that_a_program_does_not_read(preforkd: Start, script: Callable[[str], list[str]], ends: bool) -> None:
    """Clients that have gone do no harm: neither is the listener replaced, nor does the master spin."""
    address, IP_RECVERR = udp(), 11
    daemon = preforkd({"www": wait_service(address, script(f"""
listener.setsockopt(socket.IPPROTO_IP, {IP_RECVERR}, 1)
serve()
listener.sendto(b"gone", ("127.0.0.1", {free_port()}))
while True:
    try:
        serve()
        break
    except ConnectionRefusedError:
        pass
time.sleep({0 if ends else 1000})
"""))}, control=True)
    with Client(address) as client:
        client.ask()
        client.ask()
        wait_rows(daemon, *((0,) if ends else (1, "unwatched")))
        before = awake_ms(daemon.pid)
        stays(lambda: awake_ms(daemon.pid) < before + 700, "its rest", 1.5)
        if ends:
            client.ask()
    daemon.assert_none(["listener damaged"])


def test_an_address_that_is_taken(preforkd: Start, script: Callable[[str], list[str]]) -> None:
    """UDP ports are their own, and are not shared with strangers."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        daemon = preforkd({"www": wait_service(udp(port), script("serve()\n"))}, ready=False)
        assert daemon.wait_end() != 0
        daemon.assert_problem(f"udp:127.0.0.1:{port}")
    daemon = preforkd({"www": wait_service(udp(port), script("serve()\n")),
                       "tcp": {"listen": tcp4(port), "handler": "/bin/cat"}})
    with Client(udp(port)) as client:
        client.ask()


def test_sockets_of_units(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    """Their type is known when they are passed."""
    with Manager(tmp_path) as manager:
        passed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        passed.bind(("127.0.0.1", free_port()))
        manager.used.append(passed)
        options = manager.options([("dgram", passed)])
        daemon = preforkd({"www": {"listen": "systemd:dgram", "handler": "/bin/cat"}}, **options, ready=False)
        assert daemon.wait_end() == 1
        daemon.assert_problem('listen: "dgram" cannot be used: a program that gets a connection on stdin and stdout cannot')
        daemon = preforkd({"www": wait_service("systemd:dgram", script("while True:\n    serve()\n"))}, **options)
        with Client(f"udp:127.0.0.1:{passed.getsockname()[1]}") as client:
            client.ask()
            daemon.stop()


def test_the_descriptor_store(preforkd: Start, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    """What arrives while no master runs is served by the next one."""
    address = udp()
    with Manager(tmp_path, store_max=4) as manager:
        pools = {"www": wait_service(address, script("while True:\n    serve()\n"))}
        daemon = preforkd(pools, **manager.options(), ready=False)
        manager.wait("READY=1")
        with Client(address, 20) as client:
            pid = client.ask()
            daemon.kill()
            wait_until(lambda: not alive(pid), "the end of the handler")
            client.send(b"waits")
            preforkd(pools, **manager.options(), ready=False)
            manager.wait("READY=1")
            assert client.hear()[1] == b"waits"
