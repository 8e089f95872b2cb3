"""Modules and builtins that serve datagrams: each is a request."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (SLOW, Daemon, format_config, free_port, open_descriptors, request, run_preforkd, tcp4, wait_until)
from datagrams import Client, udp
from modules import module

Start = Callable[..., Daemon]
BAD_CONFIG = 78
DATAGRAMS = 50000 // int(SLOW) * 2  # of two senders


@pytest.fixture(params=["udp", "udp6", "unixgram", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "udp6":
        request.getfixturevalue("ipv6")
    return {"udp": udp, "udp6": lambda: f"udp:[::1]:{free_port()}", "unixgram": lambda: f"unixgram:{tmp_path}/s",
            "abstract": lambda: f"unixgram:@preforkd-{os.getpid()}-{time.monotonic_ns()}"}[request.param]()


def pool_of(address: str, directory: Path, **keys: object) -> dict[str, Any]:
    return {"listen": address, "handler_type": "module", "handler": [module("datagram", directory)],
            "socket_mode": "0666" if address.startswith("unixgram:/") else None, **keys}


def builtin(address: str, name: str, **keys: object) -> dict[str, Any]:
    return {"listen": address, "handler_type": "builtin", "handler": [name],
            "socket_mode": "0666" if address.startswith("unixgram:/") else None, **keys}


def totals(daemon: Daemon) -> dict[str, int]:
    return control_of(daemon).pool()["totals"]


# --- modules --------------------------------------------------------------------------------------------------------

def test_a_datagram_is_a_request(preforkd: Start, address: str, tmp_path: Path) -> None:
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="static", max_workers=2)}, control=True)
    workers = set(daemon.wait_workers(2))
    with Client(address) as client:
        for size in (1, 100, 8000):
            client.send(b"pid " + b"x" * size)
            pid, data = client.hear()
            assert pid in workers and data == b"x" * size
        client.send(b"twice")
        assert [client.socket.recv(100) for _ in range(2)] == [b"one", b"two"]
        client.send(b"")
        client.send(b"nonsense")
        wait_until(lambda: totals(daemon)["requests"] == 6, "all counted")
    assert totals(daemon)["handler_failures"] == 2
    daemon.assert_quiet()


def test_whom_it_was_sent_to(preforkd: Start, tmp_path: Path, ipv6: None) -> None:
    """The answer comes from there, though the socket is bound to every address."""
    port = free_port()
    preforkd({"www": pool_of(f"udp:*:{port}", tmp_path)})
    for host, expected in (("127.0.0.1", b"6 %d 1" % port), ("127.0.0.77", b"6 %d 77" % port), ("::1", b"6 %d 1" % port)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(10 * SLOW)
            client.connect((host, port))  # hears nothing from anywhere else
            client.send(b"local")
            assert client.recv(100) == expected


def test_together_with_connections(preforkd: Start, tmp_path: Path) -> None:
    addresses = [tcp4(), udp(), f"unixgram:{tmp_path}/s"]
    daemon = preforkd({"www": pool_of(" ".join(addresses), tmp_path, scaling="static", max_workers=1)}, control=True)
    [pid] = daemon.wait_workers(1)
    assert request(addresses[0], b"pid x", half_close=False) == b"%d x" % pid
    for address in addresses[1:]:
        with Client(address) as client:
            client.send(b"pid x")
            assert client.hear() == (pid, b"x")
    control_of(daemon).wait_idle()
    assert totals(daemon)["requests"] == 3
    daemon.assert_quiet()


def test_it_is_scaled(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="ondemand", max_workers=5)}, control=True)
    clients = [Client(address) for _ in range(5)]
    for client in clients:
        client.send(b"wait 1000000")
        assert client.socket.recv(10) == b"begun"
    assert control_of(daemon).pool()["counts"]["busy"] == 5
    with Client(address) as client:
        client.send(b"pid x")
        daemon.wait_message("saturated")
        os.kill(control_of(daemon).pool(workers=True)["workers"][0]["pid"], signal.SIGKILL)
        assert client.hear()[1] == b"x"
    for client in clients:
        client.socket.close()


def test_a_deadline_interrupts(preforkd: Start, tmp_path: Path) -> None:
    """The module still answers, and goes on."""
    address = udp()
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="static", max_workers=1, request_timeout="1s",
                                      kill_timeout="10s")}, control=True)
    workers = daemon.wait_workers(1)
    with Client(address) as client:
        client.send(b"wait 1000000")
        assert [client.socket.recv(10) for _ in range(2)] == [b"begun", b"cut"]
        client.send(b"pid x")
        assert client.hear() == (workers[0], b"x")
    wait_until(lambda: totals(daemon)["request_timeouts"] == 1, "it is counted")
    daemon.assert_quiet()


def test_a_crash_takes_its_worker(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": pool_of(address, tmp_path)}, control=True)
    with Client(address) as client:
        client.send(b"crash")
        daemon.wait_message("worker died")
        client.send(b"pid x")
        assert client.hear()[1] == b"x"


def test_descriptors_that_a_client_passes_are_not_taken(preforkd: Start, tmp_path: Path) -> None:
    """They would be a worker's for good, and of his choice."""
    address = f"unixgram:{tmp_path}/s"
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="static", max_workers=1)})
    [worker] = daemon.wait_workers(1)
    with Client(address) as client, open("/dev/null", "rb") as passed:
        client.send(b"pid x")
        assert client.hear() == (worker, b"x")
        before = open_descriptors(worker)
        client.socket.connect(client.target)
        for _ in range(20):
            socket.send_fds(client.socket, [b"pid x"], [passed.fileno()] * 3)
            assert client.hear() == (worker, b"x")
        assert open_descriptors(worker) == before


def test_max_requests(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="static", max_workers=2, max_requests=5)}, control=True)
    with Client(address) as client:
        pids = set()
        for _ in range(20):
            client.send(b"pid x")
            pids.add(client.hear()[0])
    assert len(pids) >= 4
    daemon.assert_quiet()


def test_a_limit_of_a_source(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": pool_of(address, tmp_path, max_connections_per_source=1)}, control=True)
    with Client(address) as client:
        client.send(b"wait 1000000")
        assert client.socket.recv(10) == b"begun"
        client.send(b"pid dropped")
        wait_until(lambda: totals(daemon)["refused_source"] == 1, "it is dropped and counted")
        assert totals(daemon)["requests"] == 0


def test_a_module_that_does_not_say_it(preforkd: Start, tmp_path: Path) -> None:
    config = tmp_path / "preforkd.conf"
    config.write_text(format_config({"www": {"listen": udp(), "handler_type": "module", "user": "root",
                                             "handler": [module("hello", tmp_path)]}}))
    result = run_preforkd("-t", "-c", str(config))
    assert result.returncode == BAD_CONFIG
    assert "does not say that it can serve datagrams (PREFORK_MODULE_DATAGRAMS)" in result.stderr


class Numbers(threading.Thread):
    """Sends numbers, and notes which were answered; never more unanswered than a socket holds."""

    def __init__(self, address: str, first: int, count: int) -> None:
        super().__init__()
        self.client, self.wanted, self.window = Client(address, 30), set(range(first, first + count)), 40
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self.client:
                waiting = iter(sorted(self.wanted))
                unanswered = 0
                for number in waiting:
                    self.client.send(b"pid %d" % number)
                    unanswered += 1
                    while unanswered >= self.window:
                        unanswered -= self.hear()
                while unanswered:
                    unanswered -= self.hear()
        except BaseException as error:
            self.error = error

    def hear(self) -> int:
        _, data = self.client.hear()
        self.wanted.remove(int(data))
        return 1


def drops(port: int) -> int:
    """What the kernel has dropped, for want of room."""
    rows = (row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(row[-1]) for row in rows if int(row[1].rpartition(":")[2], 16) == port)


def unrest(daemon: Daemon, senders: list[Numbers]) -> None:
    """All that replaces workers, in turn, until the senders have ended."""
    control, round = control_of(daemon), 0
    while any(sender.is_alive() for sender in senders):
        daemon.pools["www"]["max_workers"] = 4 + round % 3
        daemon.pools["www"]["environment"] = f"ROUND={round // 2}"
        if round % 3 == 0:
            control.do("restart www")
        elif round % 3 == 1:
            daemon.write_config()
            control.do("reload")
        else:
            control.do("upgrade")
        round += 1
        time.sleep(0.05)  # some rounds a second are unrest enough
    assert round >= 3


def test_none_is_lost(preforkd: Start, tmp_path: Path) -> None:
    """Over recycling, restarts, reloads and upgrades."""
    port = free_port()
    daemon = preforkd({"www": pool_of(udp(port), tmp_path, scaling="static", max_workers=4, max_requests=200)},
                      control=True)
    senders = [Numbers(udp(port), number * DATAGRAMS // 2, DATAGRAMS // 2) for number in range(2)]
    for sender in senders:
        sender.start()
    unrest(daemon, senders)
    for sender in senders:
        sender.join()
    assert drops(port) == 0
    lost = {number for sender in senders for number in sender.wanted}
    assert not lost, f"{len(lost)} without an answer; {totals(daemon)['requests']} of {DATAGRAMS} served"
    assert all(not sender.error for sender in senders)
    control_of(daemon).wait_totals(requests=DATAGRAMS, handler_failures=0)  # some were served by workers that go
    daemon.assert_quiet()


@pytest.mark.parametrize("act", ["stop", "removal"])
def test_what_waits_is_served(preforkd: Start, address: str, tmp_path: Path, act: str) -> None:
    daemon = preforkd({"www": pool_of(address, tmp_path, scaling="static", max_workers=1),
                       "other": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    daemon.wait_workers(1)
    with Client(address, 20) as busy, Client(address, 20) as client:
        busy.send(b"wait 500")
        assert busy.socket.recv(10) == b"begun"
        for number in range(8):
            client.send(b"pid %d" % number)
        if act == "stop":
            daemon.send_signal(signal.SIGTERM)
        else:
            del daemon.pools["www"]
            daemon.hup("reloaded")
        assert busy.socket.recv(10) == b"ended"
        assert {int(client.hear()[1]) for _ in range(8)} == set(range(8))
    if act == "stop":
        assert daemon.wait_end() == 0
    daemon.assert_quiet()


# --- builtins -------------------------------------------------------------------------------------------------------

def test_echo_and_discard(preforkd: Start, address: str) -> None:
    other = udp()
    daemon = preforkd({"echo": builtin(address, "echo"), "www": builtin(other, "discard")}, control=True)
    with Client(address) as client:
        for data in (b"", b"\0", b"x" * 8000):
            client.send(data)
            assert client.socket.recv(65536) == data
    with Client(other) as client:
        client.send(b"x")
        wait_until(lambda: totals(daemon)["requests"] == 1, "it is taken")
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.socket.recv(100)


def test_a_client_that_reads_no_answer(preforkd: Start, tmp_path: Path) -> None:
    """It holds a worker until the deadline, and no longer; the worker lives."""
    address = f"unixgram:{tmp_path}/s"
    daemon = preforkd({"www": builtin(address, "echo", scaling="static", max_workers=1, request_timeout="300ms",
                                      kill_timeout="60s")}, control=True)
    [worker] = daemon.wait_workers(1)
    with Client(address) as deaf, Client(address, 30) as client:
        deaf.socket.setblocking(False)

        def is_over() -> bool:
            for _ in range(100):
                try:
                    deaf.send(b"x" * 100)
                except BlockingIOError:
                    break
            return totals(daemon)["request_timeouts"] >= 2

        wait_until(is_over, "two timeouts, one after the other")
        deaf.socket.close()
        client.send(b"still there")
        assert client.socket.recv(100) == b"still there"
    assert daemon.wait_workers(1) == [worker]
    daemon.assert_none(["worker died", "request killed"])


def test_daytime_time_and_chargen(preforkd: Start, tmp_path: Path) -> None:
    addresses = {name: udp() for name in ("daytime", "time", "chargen")}
    preforkd({name: builtin(address, name) for name, address in addresses.items()})

    def ask(name: str) -> bytes:
        with Client(addresses[name]) as client:
            client.send(b"")
            return client.socket.recv(65536)

    assert re.fullmatch(rb"\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d \w+\r\n", ask("daytime"))
    assert abs(struct.unpack("!I", ask("time"))[0] - 2208988800 - time.time()) < 5
    assert ask("chargen") == bytes(range(33, 33 + 72)) + b"\r\n"


def test_no_answer_to_the_port_of_a_service(preforkd: Start, as_root: None) -> None:
    """Two such services would talk to each other without end."""
    address = udp()
    daemon = preforkd({"www": builtin(address, "echo")}, control=True)
    with Client(address) as client:
        for port in range(1023, 600, -1):
            try:
                client.socket.bind(("127.0.0.1", port))
                break
            except OSError:
                pass
        client.send(b"x")
        wait_until(lambda: totals(daemon)["requests"] == 1, "it is taken")
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.socket.recv(100)
