"""`handler_type = listener`: programs that accept their connections themselves. They report by libprefork (`api`), or a
preloaded object watches how they accept: at once, or after they have waited by poll, select or epoll."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (AS_ROOT, POOL_USER, Daemon, abstract, alive, burst, children, connect, exchange, listener_inode, read_all,
                    request, run_preforkd, slowness, stays, status_value, tcp4, user_arguments, wait_until)
from programs import begin, command, end, example, rows, talk_open, wait_rows, wait_total

pytestmark = pytest.mark.usefixtures("listener_method")

Start = Callable[..., Daemon]


WAYS = ["api", "plain", "poll", "select", "epoll"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def acceptor(program: Callable[[str], str], way: str) -> Callable[..., dict[str, Any]]:
    """A pool of `handler_acceptor`, which accepts in that way."""
    def pool(address: str | list[str], **keys: object) -> dict[str, Any]:
        fd = keys.get("listen_fd", 3)
        return {"listen": address, "handler_type": "listener", "handler": [program("acceptor"), way, str(fd)],
                "accounting": "api" if way == "api" else "preload", **keys}
    return pool


def only(*ways: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", ways, indirect=True)


def served_by(address: str) -> int:
    return int(command(address, "pid"))


# --- what a program gets --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["shared", "static", "python"])
def test_the_examples(preforkd: Start, tmp_path: Path, name: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "handler": example(name, tmp_path),
                               "environment": f"LD_LIBRARY_PATH={tmp_path}", "accounting": "api", "scaling": "static",
                               "max_workers": 2}}, control=True)
    workers = wait_rows(daemon, 2)
    answers = [request(address) for _ in range(20)]
    pids = {int(answer.removeprefix(b"hello from ")) for answer in answers}
    assert pids <= set(workers)
    wait_total(control_of(daemon), "requests", 20)
    daemon.assert_quiet()


def test_the_worker_is_the_handler(preforkd: Start, acceptor: Callable[..., dict[str, Any]], way: str) -> None:
    """Same pid, child of the master, the pool's user, no signal blocked but the retire signal."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1, limit_nofile=77)}, control=True)
    [pid] = wait_rows(daemon, 1)
    lines = command(address, "report").splitlines()
    assert f"pid {pid}" in lines and f"parent {daemon.pid}" in lines
    assert f"errno {0 if way == 'api' else 77}" in lines  # a success leaves it alone
    assert [line for line in lines if line.startswith("blocked")] == [f"blocked {signal.SIGWINCH.value}"]
    assert os.getsid(pid) == pid
    assert "77" in Path(f"/proc/{pid}/limits").read_text().split("Max open files")[1].splitlines()[0]
    if AS_ROOT:
        assert int(status_value(pid, "Uid").split()[0]) != 0


def variables(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("env ").split("=", 1) for line in lines if line.startswith("env "))


@only("api", "plain")
def test_descriptors_and_environment(preforkd: Start, acceptor: Callable[..., dict[str, Any]], way: str,
                                     listener_method: str) -> None:
    """The listeners from 3 on, as systemd passes them, and what it reports with. The variables for that are gone when it
    has attached; those of PHP can be changed by the pool."""
    listen = [tcp4(), abstract(), tcp4()]
    daemon = preforkd({"www": acceptor(listen, scaling="static", max_workers=1,
                                       environment=["A=b", "PHP_FCGI_MAX_REQUESTS=9", "LISTEN_FDS=8"])}, control=True)
    [pid] = wait_rows(daemon, 1)
    for address in listen if way == "api" else listen[:1]:  # the others wait for the first alone
        lines = command(address, "report").splitlines()
        assert [line for line in lines if line.endswith("listener")] == ["fd 3 listener", "fd 4 listener", "fd 5 listener"]
        own = {line.split()[2] for line in lines if line.startswith("fd ") and int(line.split()[1]) > 5}
        assert own == {"file", "pipe"}  # the scoreboard, the epoll set, the wake pipe
        found = variables(lines)
        assert found["LISTEN_FDS"] == "3"
        assert (found["LISTEN_PID"] == str(pid)) == ("exec" in (listener_method, {"api": "exec"}.get(way)))  # else the template's
        assert found["PHP_FCGI_CHILDREN"] == "0" and found["PHP_FCGI_MAX_REQUESTS"] == "9" and found["A"] == "b"
        assert not [name for name in found if name.startswith("PREFORK_")] and "LD_PRELOAD" not in found


def test_children_get_nothing_of_ours(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    preforkd({"www": acceptor(address)})
    lines = command(address, "child").splitlines()
    assert not [line for line in lines if re.search("PREFORK|LD_PRELOAD", line)]
    own = [int(line.split()[1]) for line in command(address, "report").splitlines() if re.search("fd [0-9]+ (file|pipe)", line)]
    seen = [int(line.split()[1]) for line in lines if line.startswith("fd ")]
    # 0 to 2, the listener, the directory that ls reads; and the connection, which accept(2) makes inheritable
    assert len(own) >= 6 and len(seen) in (5, 6), (own, seen)


def test_as_descriptor_0(preforkd: Start, acceptor: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    path = f"{tmp_path}/socket"
    daemon = preforkd({"www": acceptor(path, listen_fd=0, socket_mode="0666", max_workers=1, scaling="static")}, control=True)
    wait_rows(daemon, 1)
    lines = command(path, "report").splitlines()
    assert [line for line in lines if line.endswith("listener")] == ["fd 0 listener"]
    assert "LISTEN_FDS" not in variables(lines)


# --- it does as it is told ------------------------------------------------------------------------------------------

def test_the_pool_grows_and_shrinks(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, min_spare_workers=1, max_spare_workers=2, start_workers=1, max_workers=8,
                                       spare_timeout="300ms")}, control=True)
    wait_rows(daemon, 1)
    clients = [talk_open(address) for _ in range(8)]
    assert len([row for row in rows(daemon) if row["state"] == "busy"]) == 8
    for client in clients:
        client.close()
    wait_rows(daemon, 2)
    wait_total(control_of(daemon), "requests", 8)
    daemon.assert_quiet()


@pytest.mark.parametrize("count", [1, 3])
def test_no_connection_is_lost(preforkd: Start, acceptor: Callable[..., dict[str, Any]], way: str, count: int,
                               listener_method: str) -> None:
    """Retired, recycled and reloaded without end, under load."""
    if count > 1 and way != "api":
        count = 1
    listen = [tcp4() for _ in range(count)]
    daemon = preforkd({"www": acceptor(listen, min_spare_workers=2, max_spare_workers=4, start_workers=2, max_workers=8,
                                       max_requests=7)},
                      control=True)
    wait_rows(daemon, 2)
    control, stop = control_of(daemon), threading.Event()
    pause = 0.05 if listener_method == "exec" else 0.5 * slowness()  # so that a program gets ready

    def disturb() -> None:
        while not stop.wait(pause):
            control.do("restart www")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        replies = [reply for _ in range(20) for reply in exchange(listen * (24 // count), b"pid\n", half_close=False)]
    finally:
        stop.set()
        thread.join()
    assert not [reply.error for reply in replies if reply.error]
    assert all(reply.data.isdigit() for reply in replies)
    wait_total(control, "requests", len(replies))
    wait_until(lambda: request(listen[0], b"pid\n", half_close=False) and control.pool()["totals"]["recycled"], "a worker that is recycled")
    daemon.assert_quiet()


def test_a_busy_one_finishes_its_request(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """A reload retires it; meanwhile another serves. No sleep is cut short."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    [old] = wait_rows(daemon, 1)
    client = begin(address, "sleep 1500")
    assert client.recv(6) == b"begun\n"
    control_of(daemon).do("restart www")
    assert served_by(address) != old
    assert end(client) == "slept"
    wait_until(lambda: not alive(old), "its end")
    daemon.assert_quiet()


def test_recycling(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """Exactly max_requests each, and a worker that leaks is bounded."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1, max_requests=5, max_requests_jitter="0%"),
                       "big": acceptor(tcp4(), scaling="static", max_workers=1, max_worker_memory="20M")}, control=True)
    wait_rows(daemon, 1)
    pids = [served_by(address) for _ in range(20)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [5, 5, 5, 5]
    big = str(daemon.pools["big"]["listen"])
    leaky = int(command(big, "leak 30"))
    assert served_by(big) != leaky
    wait_until(lambda: not alive(leaky), "the end of one that is too big")
    daemon.assert_quiet()


def test_deadlines(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """TERM to the program's group. It is gone then, with its request; the others stay, and nothing backs off."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=2, request_timeout="1s")}, control=True)
    workers = wait_rows(daemon, 2)
    client = begin(address, "sleep 60000")
    assert end(client) == "begun\n"
    daemon.wait_message("request timed out")
    now = wait_rows(daemon, 2)
    assert len(set(workers) & set(now)) == 1
    assert served_by(address) in now
    daemon.assert_quiet()


def test_limits_by_source(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=4, max_connections_per_source=2)}, control=True)
    wait_rows(daemon, 4)
    clients = [talk_open(address) for _ in range(2)]
    with begin(address, "pid") as third:
        assert read_all(third) == b""  # and no reset, though its request is not read
    for client in clients:
        client.close()
    wait_rows(daemon, 4)
    assert served_by(address)


def test_stop_and_orphans(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """When the master is killed, idle programs end, busy ones after their request, and the address is free."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=3)}, control=True)
    workers = wait_rows(daemon, 3)
    client = talk_open(address)
    daemon.kill()
    wait_until(lambda: len([pid for pid in workers if alive(pid)]) == 1, "the end of the idle ones")
    client.sendall(b"y")
    assert client.recv(1) == b"y"
    client.close()
    wait_until(lambda: not any(map(alive, workers)), "the end of the busy one")


def test_a_master_that_dies_while_they_start(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "handler": "/bin/sleep 1000", "accounting": "api",
                               "scaling": "static", "max_workers": 2}})
    workers = wait_until(lambda: len(found := children(daemon.pid)) == 2 and all(
        b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found) and found, "two that start")
    daemon.kill()
    wait_until(lambda: not any(map(alive, workers)), "their end")


def test_upgrade(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """The next program goes on with the same programs, and can still retire them and end a request."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=2, request_timeout="2s")}, control=True)
    workers = wait_rows(daemon, 2)
    client = begin(address, "sleep 60000")
    assert client.recv(6) == b"begun\n"
    control_of(daemon).do("upgrade")
    assert end(client) == ""
    daemon.wait_message("request timed out")
    now = wait_rows(daemon, 2)
    assert len(set(workers) & set(now)) == 1
    control_of(daemon).do("restart www")
    wait_until(lambda: not set(wait_rows(daemon, 2)) & set(now), "new ones")
    assert served_by(address)
    daemon.assert_quiet()


def test_it_dies_in_a_request(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """It costs its own request only; the exit code of one that has served means nothing."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=2)}, control=True)
    wait_rows(daemon, 2)
    for _ in range(2):
        assert served_by(address)
    command(address, "exit 1")
    wait_rows(daemon, 2)
    for _ in range(2):
        assert served_by(address)
    wait_rows(daemon, 2)
    mark = daemon.log_mark()
    with begin(address, f"crash {signal.SIGSEGV.value}") as client:
        try:
            assert read_all(client) == b""
        except ConnectionResetError:
            pass
    daemon.wait_message("worker died", after=mark)
    wait_rows(daemon, 2)
    assert served_by(address)
    daemon.assert_none(["backing off"])


@only("api", "plain")
def test_a_listener_that_is_shut_while_it_starts(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """A reload with another address, and the old one has drained before the program waits for its first connection."""
    pool = acceptor(tcp4(), scaling="static", max_workers=2)
    pool["handler"] = ["/bin/sh", "-c", 'sleep 0.7; exec "$0" "$@"', *pool["handler"]]
    daemon = preforkd({"www": pool}, control=True)
    old = [row["pid"] for row in rows(daemon) if row["pid"]]  # those that wait for a template have none
    assert rows(daemon) and all(row["state"] in ("launching", "starting") for row in rows(daemon))
    daemon.pools["www"]["listen"] = address = tcp4()
    daemon.hup("reloaded")
    wait_until(lambda: not any(map(alive, old)), "the end of the old ones")
    assert served_by(address) in wait_rows(daemon, 2)
    daemon.assert_quiet()


# --- what does not work ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_one_that_ends_at_once_is_backed_off(preforkd: Start, program: str) -> None:
    """Whatever its exit code says."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "handler": program, "accounting": "api",
                               "restart_delay_min": "200ms"}}, control=True)
    daemon.wait_message("backing off")
    control = control_of(daemon)
    before = control.pool()["totals"]["forked"]
    stays(lambda: control.pool()["totals"]["forked"] <= before + 12, "few starts", 1.0)


@only("plain")
def test_one_that_does_not_report(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """Killed at start_timeout, and the pool backs off."""
    daemon = preforkd({"www": acceptor(tcp4(), accounting="api", start_timeout="300ms")})
    daemon.wait_message("worker stuck")
    daemon.wait_message("backing off")


@only("api")
@pytest.mark.parametrize("how", ["gone", "broken"])
def test_a_program_that_cannot_be_executed(preforkd: Start, acceptor: Callable[..., dict[str, Any]], tmp_path: Path,
                                           how: str) -> None:
    """It served once. With many listeners, the descriptors have moved when the exec fails; the log is still reached."""
    pool = acceptor([tcp4() for _ in range(9)], scaling="static", max_workers=1)
    program = Path(pool["handler"][0])
    daemon = preforkd({"www": pool}, control=True)
    wait_rows(daemon, 1)
    program.unlink()
    if how == "broken":
        program.write_bytes(b"\x7fELF")
        program.chmod(0o755)
    control_of(daemon).do("restart www")
    daemon.wait_message("backing off")
    daemon.wait_message("worker died")
    daemon.may_leak = True  # the worker that served stays, and with it the scoreboard from before the restart


@pytest.mark.parametrize(("keys", "word"), [
    ({"stderr": "socket"}, "stderr"),
    ({"listen_fd": "0", "listen": "@preforkd-a @preforkd-b"}, "listen_fd"),
])
def test_what_is_refused(tmp_path: Path, keys: dict[str, str], word: str) -> None:
    settings = {"listen": "@preforkd-x", "handler_type": "listener", "handler": "/bin/cat", "accounting": "api", **keys}
    file = tmp_path / "preforkd.conf"
    user = f"user = {POOL_USER}\n" if AS_ROOT else ""
    file.write_text("[www]\n" + user + "".join(f"{key} = {value}\n" for key, value in settings.items()))
    result = run_preforkd("-t", "-c", file)
    assert result.returncode != 0 and re.search(rf":\d+: {word}: ", result.stderr), result.stderr


def test_what_has_no_effect() -> None:
    result = run_preforkd("-t", "--listen=@preforkd-x", "--accounting=api", *user_arguments(), "--", "/bin/cat")
    assert result.returncode == 0 and "--accounting: no effect" in result.stderr


def test_a_burst(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """More clients than workers: all are served, by at most max_workers."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, max_workers=6)}, control=True)
    replies = burst(address, 60, b"pid\n")
    assert not [reply.error for reply in replies if reply.error]
    assert len({reply.data for reply in replies}) <= 6
    wait_total(control_of(daemon), "requests", 60)
    assert listener_inode(address)
    daemon.assert_quiet()


def test_the_name_of_a_program(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    daemon = preforkd({"www": acceptor(tcp4(), scaling="static", max_workers=1, argv0="in.acceptd")}, control=True)
    [pid] = wait_rows(daemon, 1)
    assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"in.acceptd\0")


def test_the_limits_of_a_program(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    daemon = preforkd({"www": acceptor(tcp4(), scaling="static", max_workers=1, limit_data="700M:800M", limit_stack="4M:16M",
                                       limit_fsize="1M:2M")}, control=True)
    [pid] = wait_rows(daemon, 1)
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name, soft, hard in (("data size", 700, 800), ("stack size", 4, 16), ("file size", 1, 2)):
        assert re.search(rf"^Max {name} +{soft << 20} +{hard << 20} ", limits, re.MULTILINE), limits
