"""handler = agent POOL: what HAProxy is told about a pool, and what a real HAProxy makes of it (its agent-check)."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from control import control_of, let_documents_age
from daemon import SLOW, Daemon, connect, format_config, free_port, read_all, request, run_preforkd, stays, tcp4, wait_until
from test_backoff import write_handler
from test_preforkctl import ctl_of
from test_upgrade import upgrade

Start = Callable[..., Daemon]
BAD_CONFIG = 78

needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")


def agent_pool(pool: str = "www", **keys: object) -> dict[str, object]:
    return {"listen": tcp4(), "handler_type": "builtin", "handler": ["agent", pool], "scaling": "static", "max_workers": 2, **keys}


def node(preforkd: Start, master: dict[str, object] | None = None, **keys: object) -> Daemon:
    """A daemon with a pool `www` and its agent."""
    return preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 4, **keys},
                     "agent": agent_pool()}, control=True, **({"master": master} if master else {}))


def line(daemon: Daemon, question: bytes = b"") -> bytes:
    """All that is said on one connection. The client goes on sending for as long as it likes: nobody waits for its end."""
    return request(str(daemon.pools["agent"]["listen"]), question, half_close=False)


def wait_line(daemon: Daemon, expected: bytes, timeout: float = 10.0) -> None:
    wait_until(lambda: line(daemon) == expected, f"{expected!r}", timeout)
    let_documents_age()


@contextmanager
def clients(address: str, count: int) -> Iterator[list[socket.socket]]:
    """So many that are being served, or wait to be."""
    with ExitStack() as stack:
        found = [stack.enter_context(connect(address, timeout=20.0 * SLOW)) for _ in range(count)]
        for client in found:
            client.sendall(b"x")
        yield found


# --- the line ---------------------------------------------------------------------------------------------------------

def test_one_line_follows_the_load(preforkd: Start) -> None:
    daemon = node(preforkd)
    daemon.wait_workers(4)
    wait_line(daemon, b"up 100% maxconn:4\n")
    assert line(daemon, b"what agent-send sends\n") == b"up 100% maxconn:4\n"
    www = str(daemon.pools["www"]["listen"])
    with clients(www, 2):
        wait_line(daemon, b"up 50% maxconn:4\n")
        with clients(www, 2):
            wait_line(daemon, b"up 1% maxconn:4\n")
    wait_line(daemon, b"up 100% maxconn:4\n")
    daemon.assert_quiet("agent")


def test_places_that_cannot_exist_are_not_announced(preforkd: Start) -> None:
    """Of ten, with processes of four threads, there are eight; and of nine that all pools may have together, too."""
    threads = {"handler_type": "builtin", "handler": "echo", "threads_per_worker": 4, "scaling": "ondemand"}
    daemon = preforkd({"www": {"listen": tcp4(), **threads, "max_workers": 10}, "agent": agent_pool()}, control=True)
    control = control_of(daemon)
    assert line(daemon) == b"up 100% maxconn:8\n"
    with clients(str(daemon.pools["www"]["listen"]), 9):
        wait_line(daemon, b"up 1% maxconn:8\n")
        pool = control.pool()
        assert pool["limits"]["max_workers"] == pool["counts"]["busy"] == 8 and pool["limits"]["threads_per_worker"] == 4
        metrics = ctl_of(daemon).do("metrics", "www")
        assert 'preforkd_pool_workers_max{pool="www"} 8\n' in metrics
        assert 'preforkd_pool_workers_available{pool="www"} 0\n' in metrics
    assert control.do("scale www max_workers=15")["limits"]["max_workers"] == 12


def test_a_place_that_is_no_process_is_not_announced(preforkd: Start) -> None:
    """The rest of max_workers_total may be less than the threads of a process."""
    daemon = node(preforkd, master={"max_workers_total": 9}, handler_type="builtin", handler="echo", scaling="ondemand",
                  threads_per_worker=4, max_workers=8)
    wait_line(daemon, b"up 50% maxconn:4\n")  # two are the agent's


def test_short_requests_are_not_missed(preforkd: Start) -> None:
    """Nobody is busy at most moments at which it is asked, but four are for half of the time."""
    daemon = node(preforkd, handler=["/bin/sh", "-c", "sleep 0.1"])
    www = str(daemon.pools["www"]["listen"])
    seen: list[int] = []

    def weight() -> int:
        match = re.fullmatch(rb"up (\d+)% maxconn:4\n", line(daemon))
        assert match
        return int(match[1])

    until = time.monotonic() + 4
    while time.monotonic() < until:
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(connect(www))
            time.sleep(0.1)
        time.sleep(0.1)
        said = weight()
        if time.monotonic() > until - 2:
            seen.append(said)
    assert all(value == 1 or value % 5 == 0 for value in seen)
    # Two of four, for half of the time; at single moments the machine may have had something else to do.
    assert 50 <= statistics.median(seen) <= 90, seen


def test_all_agents_say_the_same(preforkd: Start) -> None:
    """Each question may come to another worker, and one pool may have two agents."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 4},
                       "agent": agent_pool(max_workers=4), "other": agent_pool()}, control=True)
    with clients(str(daemon.pools["www"]["listen"]), 1):
        wait_line(daemon, b"up 75% maxconn:4\n")
        for name in ("agent", "other") * 8:  # nothing is said if the master is late
            said = wait_until(lambda: request(str(daemon.pools[name]["listen"])), f"a word of {name}")  # noqa: B023
            assert said == b"up 75% maxconn:4\n"


def test_drained_paused_stopped(preforkd: Start) -> None:
    daemon = node(preforkd, {"drain_delay": "1h"})
    control = control_of(daemon)
    www = str(daemon.pools["www"]["listen"])
    control.do("drain www")
    wait_line(daemon, b"up 0% maxconn:4\n")
    assert request(www, b"x") == b"x", "who comes is served"
    control.do("pause www")
    wait_line(daemon, b"down #paused\n")
    control.do("resume www")
    wait_line(daemon, b"up 0% maxconn:4\n")
    control.do("undrain www")
    wait_line(daemon, b"up 100% maxconn:4\n")
    daemon.send_signal(signal.SIGTERM)
    wait_line(daemon, b"up 0% maxconn:4\n")
    assert control.do("status")["master"]["state"] == "draining"
    daemon.send_signal(signal.SIGTERM)  # again: begin now
    assert daemon.wait_end() == 0


def test_not_listening(preforkd: Start, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    daemon = node(preforkd, {"partial_start": "yes"}, listen=directory / "socket")
    wait_line(daemon, b"down #not listening\n")
    directory.mkdir()
    wait_line(daemon, b"up 100% maxconn:4\n")


def test_a_master_that_hangs(preforkd: Start) -> None:
    """Nothing is said, in time, which changes nothing; the pool itself serves on."""
    daemon = node(preforkd)
    wait_line(daemon, b"up 100% maxconn:4\n")
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        let_documents_age()
        for _ in range(2):
            begun = time.monotonic()
            assert line(daemon) == b""
            assert time.monotonic() - begun < 1 + 2 * SLOW
        assert request(str(daemon.pools["www"]["listen"]), b"x") == b"x"
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    wait_line(daemon, b"up 100% maxconn:4\n")


def test_it_goes_on_after_reloads_and_upgrades(preforkd: Start) -> None:
    daemon = node(preforkd)
    wait_line(daemon, b"up 100% maxconn:4\n")
    workers = daemon.wait_workers(2, "agent")
    upgrade(daemon)
    wait_line(daemon, b"up 100% maxconn:4\n")
    assert daemon.workers("agent") == workers
    daemon.pools["www"]["max_workers"] = 6
    daemon.hup("reloaded")
    wait_line(daemon, b"up 100% maxconn:6\n")


# --- its pool ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("handler", "keys", "said"), [
    (["agent"], {}, "handler: expected agent POOL"),
    (["agent", "www", "mail"], {}, "handler: expected agent POOL"),
    (["agent", "wwww"], {}, 'handler: there is no pool "wwww"; expected the name of the pool that the agent tells of'),
    (["agent", "agent"], {}, "handler: an agent tells of another pool than its own; expected that pool's name"),
    (["agent", "www"], {"threads_per_worker": 2}, "threads_per_worker: a worker of the builtin \"agent\" asks the master one thing at "
                                                  "a time; expected 1"),
])
def test_a_wrong_pool_is_refused(tmp_path: Path, handler: list[str], keys: dict[str, object], said: str) -> None:
    path = tmp_path / "preforkd.conf"
    text = format_config({"www": {"listen": tcp4(), "handler": "/bin/cat"}, "agent": agent_pool(handler=handler, **keys)})
    path.write_text(text)
    key = said.split(":")[0]
    place = [number for number, found in enumerate(text.splitlines(), 1) if found.startswith(key + " ")][-1]
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG and f"{path}:{place}: {said}" in result.stderr, result.stderr


def test_a_reload_that_removes_its_pool_is_refused(preforkd: Start) -> None:
    daemon = node(preforkd)
    wait_line(daemon, b"up 100% maxconn:4\n")
    removed = daemon.pools.pop("www")
    daemon.hup("reload refused")
    daemon.assert_problem('there is no pool "www"')
    daemon.pools["www"] = removed
    assert line(daemon) == b"up 100% maxconn:4\n" and request(str(removed["listen"]), b"x") == b"x"


# --- a real HAProxy ---------------------------------------------------------------------------------------------------

HAPROXY = """
global
    log stdout format raw local0
    stats socket {directory}/stats level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
    timeout check 5s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    balance roundrobin
    default-server weight 100 agent-check agent-inter 500ms
"""


class Balancer:
    def __init__(self, directory: Path, nodes: dict[str, Daemon], options: str = "check inter 500ms") -> None:
        self.directory = directory
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        (directory / "haproxy.cfg").write_text(HAPROXY.format(directory=directory, port=self.port) + "".join(
            f"    server {name} {one.pools['www']['listen']} agent-port {str(one.pools['agent']['listen']).rpartition(':')[2]} {options}\n"
            for name, one in nodes.items()))

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10 * SLOW)
            client.connect(str(self.directory / "stats"))
            client.sendall(command.encode() + b"\n")
            return read_all(client).decode()

    def server(self, name: str = "one") -> dict[str, str]:
        rows = csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))
        return next(row for row in rows if row["svname"] == name)

    def wait(self, timeout: float = 10.0, name: str = "one", **expected: str) -> None:
        wait_until(lambda: all(self.server(name)[key] == value for key, value in expected.items()), f"{name}: {expected}", timeout)


@contextmanager
def balancer(directory: Path, nodes: dict[str, Daemon], options: str = "check inter 500ms") -> Iterator[Balancer]:
    found = Balancer(directory, nodes, options)
    with (directory / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(directory / "haproxy.cfg")], stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or (directory / "stats").exists(), "HAProxy runs")
        assert process.poll() is None, (directory / "haproxy.log").read_text()
        for name in nodes:
            found.wait(name=name, agent_status="L7OK")
        yield found
    finally:
        process.terminate()
        process.wait(20 * SLOW)


@needs_haproxy
def test_weights_follow_the_load(preforkd: Start, tmp_path: Path) -> None:
    daemon = node(preforkd)
    www = str(daemon.pools["www"]["listen"])
    with balancer(tmp_path, {"one": daemon}) as proxy:
        proxy.wait(status="UP", weight="100", slim="4")
        with clients(www, 2):
            proxy.wait(weight="50")
            with clients(www, 2):
                proxy.wait(weight="1")
        proxy.wait(weight="100")


@needs_haproxy
def test_the_queue_is_in_the_balancer(preforkd: Start, tmp_path: Path) -> None:
    """… and nobody waits at the node, or is refused."""
    daemon = node(preforkd, when_full="refuse")
    control = control_of(daemon)
    with balancer(tmp_path, {"one": daemon}, "no-check") as proxy, clients(proxy.address, 12) as waiting:
        wait_until(lambda: proxy.server("BACKEND")["qcur"] == "8", "eight wait")
        def four_are_served() -> bool:
            return proxy.server()["scur"] == "4" and control.pool("www")["queue"] == 0

        wait_until(four_are_served, "four are served")  # the last of them may be on its way
        stays(four_are_served, "four are served", 1)
        for client in waiting:
            client.shutdown(socket.SHUT_WR)
        assert [read_all(client) for client in waiting] == [b"x"] * 12
        proxy.wait(weight="100")
        assert int(proxy.server()["smax"]) == 4
    control.wait_totals("www", requests=12, refused_full=0)


@needs_haproxy
def test_a_node_that_backs_off_is_left_out(preforkd: Start, tmp_path: Path) -> None:
    handler = tmp_path / "handler.sh"
    write_handler(handler)
    bad = node(preforkd, handler=str(handler), max_workers=2, restart_delay_min="100ms", restart_delay_max="400ms")
    good = node(preforkd)
    with balancer(tmp_path, {"one": bad, "two": good}) as proxy:
        proxy.wait(status="UP", weight="100")
        handler.unlink()
        for _ in range(2):
            with suppress(OSError), connect(str(bad.pools["www"]["listen"])) as client:
                client.sendall(b"x")
                read_all(client)
        proxy.wait(status="DOWN (agent)")
        assert re.search(r"down \(backing off: \d+ failed start", proxy.server()["last_agt"])
        before = int(proxy.server("one")["stot"])
        assert all(request(proxy.address, b"x") == b"x" for _ in range(8))
        assert int(proxy.server("one")["stot"]) == before
        write_handler(handler)
        proxy.wait(status="UP", weight="100")
        wait_until(lambda: request(proxy.address, b"x") == b"x" and int(proxy.server("one")["stot"]) > before, "it is sent somebody")


@needs_haproxy
def test_a_drained_node_serves_on(preforkd: Start, tmp_path: Path) -> None:
    drained, other = node(preforkd), node(preforkd)
    control = control_of(drained)
    with balancer(tmp_path, {"one": drained, "two": other}) as proxy, clients(proxy.address, 2) as served:
        wait_until(lambda: {proxy.server(name)["scur"] for name in ("one", "two")} == {"1"}, "one each")
        control.do("drain www")
        proxy.wait(weight="0")
        before = int(proxy.server("one")["stot"])
        assert all(request(proxy.address, b"x") == b"x" for _ in range(8))
        assert int(proxy.server("one")["stot"]) == before and proxy.server("one")["status"] in ("UP", "DRAIN", "DRAIN (agent)")
        for client in served:
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"x", "who is there is served"
        control.do("undrain www")
        proxy.wait(weight="100", status="UP")


@needs_haproxy
@pytest.mark.parametrize("state", ["maint", "drain"])
def test_what_the_operator_says_stands(preforkd: Start, tmp_path: Path, state: str) -> None:
    daemon = node(preforkd)
    control = control_of(daemon)
    with balancer(tmp_path, {"one": daemon}) as proxy:
        proxy.ask(f"set server back/one state {state}")
        asked = control.pool("agent")["totals"]["requests"]
        for command in ("drain", "undrain", "pause", "resume"):
            control.do(f"{command} www")
            wait_until(lambda: control.pool("agent")["totals"]["requests"] >= asked + 3, "it has been told")
            asked = control.pool("agent")["totals"]["requests"]
            status = proxy.server()["status"]
            assert status.startswith(state.upper()) or (state == "drain" and command == "pause" and status.startswith("DOWN")), command
        proxy.ask("set server back/one state ready")
        proxy.wait(status="UP", weight="100")


@needs_haproxy
def test_a_silent_agent_changes_nothing(preforkd: Start, tmp_path: Path) -> None:
    daemon = node(preforkd)
    with balancer(tmp_path, {"one": daemon}) as proxy, clients(str(daemon.pools["www"]["listen"]), 2):
        proxy.wait(weight="50", slim="4")
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: "L7OK" not in proxy.server()["agent_status"], "it gets no answers")
            stays(lambda: (proxy.server()["status"], proxy.server()["weight"]) == ("UP", "50"), "as before", 3)
            assert request(proxy.address, b"x") == b"x"
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        proxy.wait(agent_status="L7OK")
