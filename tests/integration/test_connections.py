"""connection_log, lingering_close and idle_timeout: what a worker does with a connection beside its handler; the same for
everything that serves by connections that preforkd accepts."""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import (SLOW, Daemon, connect, format_config, port_of, read_all, request, run_preforkd, status_value, tcp4,
                    wait_until)
from datagrams import Client, udp
from handler_kinds import KINDS, Kind
from modules import module

Start = Callable[..., Daemon]
BAD_CONFIG = 78
SO_ATTACH_FILTER = 26

ACCEPTED_HERE = [kind for kind in KINDS if not kind.is_program]
PROGRAMS = [kind for kind in KINDS if kind.is_program]
GUARDED = [kind for kind in KINDS if kind.is_guarded]
every_kind = pytest.mark.parametrize("kind", ACCEPTED_HERE, ids=lambda kind: kind.name)

RECORD = re.compile(r"^preforkd: pool (?P<of>\S+): worker (?P<worker>\d+): connection pool=(?P=of) (?P<rest>.*)$", re.MULTILINE)


def records(daemon: Daemon, pool: str = "www") -> list[dict[str, str]]:
    """The records of connections so far."""
    return [{"worker": found["worker"], **dict(item.split("=", 1) for item in found["rest"].split())}
            for found in RECORD.finditer(daemon.log()) if found["of"] == pool]


def wait_records(daemon: Daemon, count: int, pool: str = "www") -> list[dict[str, str]]:
    wait_until(lambda: len(records(daemon, pool)) >= count, f"{count} records of connections", 20)
    found = records(daemon, pool)
    assert len(found) == count, found
    return found


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


def idle_worker(daemon: Daemon) -> int:
    """The pid of the only worker, when it is idle."""
    def idle() -> int | None:
        rows = control_of(daemon).pool(workers=True)["workers"]
        return rows[0]["pid"] if [row["state"] for row in rows] == ["idle"] else None

    return wait_until(idle, "an idle worker", 20) or 0


def of_one(tmp_path: Path, kind: Kind, address: str, **keys: object) -> dict[str, dict[str, object]]:
    return {"www": {"listen": address, "scaling": "static", "max_workers": 1, **kind.echo(tmp_path), **keys},
            **kind.behind(tmp_path)}


def ask(address: str, data: bytes, source: str = "127.0.0.1") -> tuple[bytes, int]:
    """The answer to a client, and its port."""
    with socket.socket() as client:
        client.settimeout(10 * SLOW)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port_of(address)))
        client.sendall(data)
        try:
            client.shutdown(socket.SHUT_WR)
        except OSError:  # it has been closed
            pass
        return read_all(client), client.getsockname()[1]


# --- connection_log ---------------------------------------------------------------------------------------------------

@every_kind
def test_a_record_for_every_connection(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    address = tcp4()
    daemon = preforkd(of_one(tmp_path, kind, address, connection_log="all", deny="127.0.0.2"), control=True)
    worker = idle_worker(daemon)
    for number, size in enumerate((5, 0, 70000), start=1):
        data, port = ask(address, b"x" * size)
        assert len(data) == size
        record = wait_records(daemon, number)[-1]
        assert {"listener": address, "client": "127.0.0.1", "client_port": str(port), "proxy": "-", "worker": str(worker),
                "bytes_in": str(size), "bytes_out": str(size), "status": "0", "signal": "-",
                "reason": "served"}.items() <= record.items()
        assert (int(record["pid"]) == worker) == kind.in_process
        assert int(record["rtt_us"]) > 0 and int(record["wait_ms"]) < 5000 * SLOW
        assert (record["cpu_us"] == "-") == kind.in_process
    assert ask(address, b"", "127.0.0.2")[0] == b""
    record = wait_records(daemon, 4)[-1]
    assert {"client": "127.0.0.2", "pid": "-", "bytes_out": "0", "status": "-", "cpu_us": "-", "reason": "access"}.items() \
        <= record.items()


@every_kind
def test_the_client_sees_the_end_when_the_handler_ends(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """Not only when the worker has got round to it; and what it holds is closed again."""
    address = tcp4()
    daemon = preforkd(of_one(tmp_path, kind, address, connection_log="all"), control=True)
    worker = idle_worker(daemon)
    assert request(address, b"x") == b"x"
    wait_records(daemon, 1)
    idle_worker(daemon)
    before = len(os.listdir(f"/proc/{worker}/fd"))
    for _ in range(5):
        assert request(address, b"x") == b"x"
    wait_records(daemon, 6)
    assert idle_worker(daemon) == worker and len(os.listdir(f"/proc/{worker}/fd")) == before


@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_only_what_is_refused(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """Each has a record, though one warning stands for all."""
    address = tcp4()
    daemon = preforkd(of_one(tmp_path, kind, address, connection_log="refused", deny="127.0.0.2"), control=True)
    idle_worker(daemon)
    for _ in range(3):
        assert ask(address, b"hello")[0] == b"hello"
        assert ask(address, b"", "127.0.0.2")[0] == b""
    assert {(record["client"], record["reason"]) for record in wait_records(daemon, 3)} == {("127.0.0.2", "access")}
    daemon.wait_said("refused a connection from 127.0.0.2: deny has its address")  # by another way than the records
    assert daemon.said("refused a connection from 127.0.0.2: deny has its address") == 1


@pytest.mark.parametrize("keys", [{}, {"start_method": "forkserver"}, {"start_method": "forkserver", "copy": "rollback"}],
                         ids=["exec", "fork", "rollback"])
def test_how_a_handler_has_ended(preforkd: Start, keys: dict[str, object]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 1, "connection_log": "all",
                               "request_timeout": "2s", "kill_timeout": "1h",
                               "handler": ["/bin/sh", "-c", "read what; eval \"$what\""], **keys}}, control=True)
    for what in (b"exit 7\n", b"kill -KILL $$\n", b"kill -PIPE $$\n", b"sleep 1000\n"):
        request(address, what, half_close=False)
    exited, killed, left, late = wait_records(daemon, 4)
    assert (exited["status"], exited["signal"], exited["reason"]) == ("7", "-", "served")
    assert (killed["status"], killed["signal"], killed["reason"]) == ("-", "9", "killed")
    assert (left["signal"], left["reason"]) == ("13", "left")
    assert (late["signal"], late["reason"]) == ("15", "timed_out") and int(late["duration_ms"]) >= 2000


def test_who_is_refused_why(preforkd: Start) -> None:
    one, full, proxied = tcp4(), tcp4(), tcp4()
    pool = {"handler": "/bin/cat", "scaling": "static", "max_workers": 2, "connection_log": "refused"}
    daemon = preforkd({"one": {**pool, "listen": one, "max_connections_per_source": 1},
                       "full": {**pool, "listen": full, "max_workers": 1, "when_full": "refuse"},
                       "proxied": {**pool, "listen": proxied, "proxy_protocol": "127.0.0.0/8", "deny": "192.0.2.9"}},
                      control=True)
    with connect(one) as first, connect(full) as second:
        for client in (first, second):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert ask(one, b"")[0] == b"" and ask(full, b"")[0] == b""
        assert [record["reason"] for record in wait_records(daemon, 1, "one")] == ["too_many"]
        assert [(record["client"], record["reason"]) for record in wait_records(daemon, 1, "full")] == [("127.0.0.1", "full")]
    ask(proxied, b"hello")
    wait_records(daemon, 1, "proxied")  # another worker may be quicker to tell
    ask(proxied, b"PROXY TCP4 192.0.2.9 192.0.2.1 1234 80\r\n")
    header, access = wait_records(daemon, 2, "proxied")
    assert (header["client"], header["proxy"], header["reason"]) == ("127.0.0.1", "-", "no_proxy")
    assert (access["client"], access["client_port"], access["proxy"], access["reason"]) == \
        ("192.0.2.9", "1234", "127.0.0.1", "access")


@pytest.mark.parametrize("method", ["exec", "forkserver"])
def test_who_has_waited_too_long(preforkd: Start, method: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1,
                               "queue_timeout": "1s", "connection_log": "refused", "start_method": method}}, control=True)
    idle_worker(daemon)
    with connect(address) as busy:
        busy.sendall(b"x")
        assert busy.recv(1) == b"x"
        with connect(address) as late:
            time.sleep(1.3)  # what is measured
            busy.close()
            assert read_all(late) == b""
    [record] = wait_records(daemon, 1)
    assert record["reason"] == "too_late" and int(record["wait_ms"]) >= 1000


def test_unix_sockets_and_datagrams(preforkd: Start, tmp_path: Path) -> None:
    path, datagrams = str(tmp_path / "socket"), udp()
    daemon = preforkd({"www": {"listen": [path, datagrams], "handler_type": "builtin", "connection_log": "all",
                               "handler": "echo", "socket_mode": "0666",
                               "scaling": "static", "max_workers": 1}}, control=True)
    assert request(path, b"hello") == b"hello"
    [record] = wait_records(daemon, 1)
    assert {"listener": path, "client": f"uid:{os.geteuid()}", "client_port": "-", "wait_ms": "-", "bytes_in": "-",
            "rtt_us": "-", "reason": "served"}.items() <= record.items()
    with Client(datagrams) as client:
        client.send(b"hello")
        assert client.socket.recv(100) == b"hello"
    record = wait_records(daemon, 2)[-1]
    assert {"listener": "-", "client": "127.0.0.1", "bytes_in": "-", "reason": "served"}.items() <= record.items()


def test_threads(preforkd: Start) -> None:
    """Each has a record and a timer of its own."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "connection_log": "all", "idle_timeout": "2s",
                               "lingering_close": "1s", "handler": "echo", "threads_per_worker": 4,
                               "scaling": "static", "max_workers": 4}}, control=True)
    with connect(address, 20) as idle, connect(address) as busy:
        for client in (idle, busy):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        while not select.select([idle], [], [], 0.1)[0]:
            busy.sendall(b"x")
            assert busy.recv(1) == b"x"
        assert read_all(idle) == b""
        assert [record["reason"] for record in wait_records(daemon, 1)] == ["idle"]
    assert [record["reason"] for record in wait_records(daemon, 2)] == ["idle", "served"]


def test_format(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    pool = {"listen": address, "handler": "/bin/cat", "connection_log": "all"}
    daemon = preforkd({"www": {**pool, "connection_log_format": '"{{{pool}}} {client} - [{reason}] {proxy}"'}}, control=True)
    assert request(address, b"x") == b"x"
    daemon.wait_log(r"worker \d+: {www} 127\.0\.0\.1 - \[served\] -$")
    path = tmp_path / "checked.conf"

    def check(text: str) -> str:
        path.write_text(format_config({"www": {**pool, "connection_log_format": f'"{text}"'}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG
        return result.stderr

    said = check("{client} {clinet}")
    assert "connection_log_format: there is no field {clinet}; expected {pool}, {listener}, {client}" in said
    assert said.rstrip().endswith("{cpu_us} or {reason}")
    for text in ("{client", "client}", "{", "}", "{client{pool}}", "{}{"):
        assert "connection_log_format: " in check(text), text
    assert "a brace without its counterpart" in check("{client")
    path.write_text(format_config({"www": {**pool, "connection_log": "no", "connection_log_format": "{client}"}}))
    assert "connection_log_format: no effect without connection_log" in run_preforkd("-t", "-c", path).stderr


@pytest.mark.parametrize("kind", PROGRAMS, ids=lambda kind: kind.name)
def test_a_program_that_accepts_itself_has_its_connections_alone(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "checked.conf"
    refused = [] if kind.is_guarded else [("connection_log", "refused")]
    for key, value in (("connection_log", "all"), ("lingering_close", "1s"), ("idle_timeout", "1s"), *refused):
        path.write_text(format_config({"www": {"listen": "127.0.0.1:1", key: value, **kind.echo(tmp_path)}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG
        assert f"{key}: a handler that accepts itself has its connections alone" in result.stderr


def test_nobody_waits_for_the_log(preforkd: Start) -> None:
    """While the master reads nothing, workers serve on; what was dropped is told."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo", "connection_log": "all",
                               "scaling": "static", "max_workers": 1}}, control=True)
    idle_worker(daemon)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        for _ in range(1300):
            assert request(address, b"x") == b"x"
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    wait_until(lambda: len(records(daemon)) >= 1024, "those that the ring had room for", 20)
    assert request(address, b"x") == b"x"
    [told] = wait_until(lambda: daemon.told("records dropped"), "what was dropped", 20)
    wait_until(lambda: len(records(daemon)) + told == 1301, "all are accounted for", 20)
    wait_until(lambda: totals(daemon)["requests"] == 1301, "all are counted")


def echoing(preforkd: Start, **keys: object) -> tuple[Daemon, str]:
    """A pool that answers at once, with one worker, which is idle."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo", "connection_log": "all",
                               "scaling": "static", "max_workers": 1, **keys}}, control=True)
    idle_worker(daemon)
    return daemon, address


def wake_ups(daemon: Daemon) -> int:
    """How often the master has waited for something that then came."""
    return int(status_value(daemon.pid, "voluntary_ctxt_switches"))


def serve(address: str, count: int) -> None:
    for _ in range(count):
        assert request(address, b"x") == b"x"


def test_many_records_are_logged_together(preforkd: Start) -> None:
    """The master wakes for the first, and some ten times a second as long as there are more; then not at all."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo", "connection_log": "all",
                               "scaling": "static", "max_workers": 4}}, control=True)
    control_of(daemon).wait_at_rest()
    before, begin = wake_ups(daemon), time.monotonic()
    serve(address, 1000)
    woken, seconds = wake_ups(daemon) - before, time.monotonic() - begin
    assert woken <= 30 * seconds + 50
    wait_records(daemon, 1000)
    control_of(daemon).wait_at_rest()
    before = wake_ups(daemon)
    time.sleep(1)
    assert wake_ups(daemon) - before <= 3


COUNT = 1100  # more than there are cells


def stop(daemon: Daemon) -> None:
    daemon.send_signal(signal.SIGTERM)
    wait_until(lambda: not daemon.running(), "the end", 20)


def reload(daemon: Daemon) -> None:
    daemon.pools["www"]["connection_log"] = "no"
    daemon.hup("reloaded")


def upgrade(daemon: Daemon) -> None:
    os.kill(daemon.pid, signal.SIGUSR2)
    daemon.wait_message("upgraded")


def restart(daemon: Daemon) -> None:
    control_of(daemon).do("restart www")
    control_of(daemon).wait_at_rest()


def kill(daemon: Daemon) -> None:
    os.kill(daemon.workers()[0], signal.SIGKILL)


@pytest.mark.parametrize("change", [stop, reload, upgrade, restart, kill], ids=lambda change: change.__name__)
def test_none_is_lost_by(preforkd: Start, change: Callable[[Daemon], None]) -> None:
    """What waits for the master's next look is logged whatever becomes of the pool, once, and in its order."""
    daemon, address = echoing(preforkd)
    ports = []
    for _ in range(COUNT):
        data, port = ask(address, b"x")
        assert data == b"x"
        ports.append(str(port))
    change(daemon)
    assert [record["client_port"] for record in wait_records(daemon, COUNT)] == ports
    if change in (upgrade, restart, kill):
        serve(address, 5)
        wait_records(daemon, COUNT + 5)


def test_an_upgrade_loses_none(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "connection_log": "all",
                               "scaling": "static", "max_workers": 1}}, control=True)
    worker = idle_worker(daemon)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.wait_message("upgraded")
    assert wait_records(daemon, 1)[0]["worker"] == str(worker)


# A handler whose own end would not wait for the client, whatever it has asked for.
LINGERER = ("use Socket; use Fcntl; setsockopt(STDOUT, SOL_SOCKET, SO_LINGER, pack('ii', 1, 3600)); "
            "fcntl(STDOUT, F_SETFL, O_NONBLOCK); 1 while syswrite(STDOUT, 'x' x 65536);")


@pytest.mark.parametrize("keys", [{}, {"start_method": "forkserver"}, {"start_method": "forkserver", "copy": "rollback"}],
                         ids=["exec", "forkserver", "rollback"])
def test_the_worker_does_not_wait_for_the_client_either(preforkd: Start, keys: dict[str, object]) -> None:
    """It is the last to close the connection, and the kernel waits for those that do (SO_LINGER)."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", LINGERER], "scaling": "static",
                               "max_workers": 1, "connection_log": "all", **keys}}, control=True)
    with connect(address), connect(address):
        assert [record["reason"] for record in wait_records(daemon, 2)] == ["served"] * 2


# --- lingering_close --------------------------------------------------------------------------------------------------

ANSWER = "x" * 50000
ANSWERERS: dict[str, dict[str, object]] = {
    **{name: {"handler": ["/usr/bin/perl", "-e", f'print "x" x {len(ANSWER)}'], **keys} for name, keys in (
        ("exec", {}), ("forkserver", {"start_method": "forkserver"}), ("snapshot", {"start_method": "snapshot"}),
        ("rollback", {"start_method": "forkserver", "copy": "rollback"}))},
    "builtin": {"handler_type": "builtin", "handler": "daytime"},
}


def sends_much(address: str) -> bytes | OSError:
    """A client that sends what the handler does not read, and looks at the answer a while later."""
    with connect(address, 20) as client:
        try:
            client.sendall(b"y" * 200000)
            time.sleep(0.1)
            return read_all(client)
        except OSError as error:
            return error


@pytest.mark.parametrize("pool", ANSWERERS.values(), ids=ANSWERERS.keys())
def test_the_end_of_the_answer_arrives(preforkd: Start, pool: dict[str, object]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "lingering_close": "30s", "connection_log": "all", "scaling": "static",
                               "max_workers": 2, **pool}}, control=True)
    for _ in range(5):
        answer = sends_much(address)
        assert isinstance(answer, bytes) and len(answer) == (len(ANSWER) if "builtin" not in pool.values() else 26), answer
    assert all(record["reason"] == "served" and record["bytes_in"] == "200000" for record in wait_records(daemon, 5))


def test_without_it_the_end_of_the_answer_is_lost(preforkd: Start) -> None:
    """What the test above shows is there to be seen."""
    address = tcp4()
    preforkd({"www": {"listen": address, **ANSWERERS["exec"]}})
    assert any(isinstance(answer := sends_much(address), OSError) or len(answer) < len(ANSWER) for _ in range(10))


@pytest.mark.parametrize("pool", ANSWERERS.values(), ids=ANSWERERS.keys())
def test_lingering_has_an_end(preforkd: Start, pool: dict[str, object]) -> None:
    """A client that does not end, and another that sends without end, keep the worker for the time alone."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "lingering_close": "2s", "scaling": "static", "max_workers": 1, **pool}},
                      control=True)
    worker = idle_worker(daemon)
    with connect(address) as silent:
        begun = time.monotonic()
        assert read_all(silent), "the end comes at once"
        assert time.monotonic() - begun < 2 * SLOW
        assert idle_worker(daemon) == worker
        assert time.monotonic() - begun >= 1.9
    with connect(address) as talker:
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < begun + 20 * SLOW:
                talker.sendall(b"z" * 10000)
        assert time.monotonic() - begun >= 1.9
    assert idle_worker(daemon) == worker


@pytest.mark.parametrize("pool", ANSWERERS.values(), ids=ANSWERERS.keys())
def test_deadlines_end_lingering_and_not_the_worker(preforkd: Start, pool: dict[str, object]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "lingering_close": "1h", "request_timeout": "2s", "kill_timeout": "1h",
                               "scaling": "static", "max_workers": 1, **pool}}, control=True)
    worker = idle_worker(daemon)
    with connect(address) as client:
        assert read_all(client)
        daemon.wait_message("request timed out")
        with connect(address) as next_client:
            assert read_all(next_client), "the worker serves again"
    assert [row["pid"] for row in control_of(daemon).pool(workers=True)["workers"]] == [worker]
    assert totals(daemon)["request_timeouts"] >= 1 and totals(daemon)["died"] == 0


# --- idle_timeout -----------------------------------------------------------------------------------------------------

@every_kind
def test_an_idle_connection_is_ended(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    address = tcp4()
    daemon = preforkd(of_one(tmp_path, kind, address, idle_timeout="2s", kill_timeout="1h", connection_log="all"),
                      control=True)
    worker = idle_worker(daemon)
    with connect(address, 30) as client:
        for _ in range(7):  # longer than that time, and never so long without a byte
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            time.sleep(0.4)
        begun = time.monotonic()
        assert read_all(client) == b""
        assert 1 <= time.monotonic() - begun < 5 * SLOW
    [record] = wait_records(daemon, 1)
    assert record["reason"] == "idle" and (kind.in_process or record["signal"] == "15")
    assert idle_worker(daemon) == worker
    assert (totals(daemon)["idle_timeouts"], totals(daemon)["request_timeouts"], totals(daemon)["requests"]) == (1, 0, 1)
    daemon.wait_said("idle_timeout: nothing has gone either way for 2000 ms")


@pytest.mark.parametrize("kind", [kind for kind in ACCEPTED_HERE if kind.stubborn], ids=lambda kind: kind.name)
def test_who_does_not_obey_is_killed(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    address = tcp4()
    assert kind.stubborn
    daemon = preforkd({"www": {"listen": address, "idle_timeout": "500ms", "kill_timeout": "500ms", "scaling": "static",
                               "max_workers": 1, **kind.stubborn(tmp_path)}}, control=True)
    worker = idle_worker(daemon)
    with connect(address, 30) as client:
        begun = time.monotonic()
        try:
            read_all(client)
        except ConnectionResetError:
            pass
        assert time.monotonic() - begun >= (0.4 if kind.in_process else 0.9)
    if kind.in_process:
        wait_until(lambda: totals(daemon)["requests"] == 1, "it was counted", 20)
    assert (idle_worker(daemon) == worker) == (not kind.in_process)


def test_a_module_that_waits_elsewhere_is_interrupted(preforkd: Start, tmp_path: Path) -> None:
    """As by request_timeout: also in a read of another descriptor."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "idle_timeout": "500ms", "kill_timeout": "1h", "scaling": "static",
                               "max_workers": 1, "handler_type": "module", "handler": [module("serve", tmp_path), "hang"]}},
                      control=True)
    worker = idle_worker(daemon)
    for number in (1, 2):
        with connect(address) as client:
            assert read_all(client) == b""
        wait_until(lambda: totals(daemon)["idle_timeouts"] == number, "it was counted")
    assert idle_worker(daemon) == worker and totals(daemon)["handler_failures"] == 2


def test_bytes_that_do_not_arrive_have_not_gone(preforkd: Start) -> None:
    """A client that reads nothing: the handler waits to write."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "idle_timeout": "1s", "handler": "/usr/bin/yes", "scaling": "static",
                               "max_workers": 1, "connection_log": "all"}}, control=True)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port_of(address)))
        record = wait_records(daemon, 1)[0]
        assert record["reason"] == "idle" and int(record["duration_ms"]) >= 900


def test_sending_again_is_no_progress(preforkd: Start) -> None:
    """A client that has vanished: the kernel sends to it after 0.2, 0.6, 1.4, 3 s, and each time data have been sent."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "idle_timeout": "2900ms", "scaling": "static", "max_workers": 1,
                               "connection_log": "all",
                               "handler": ["/bin/sh", "-c", "echo begun; read what; echo lost; sleep 1000"]}}, control=True)
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET 0
        client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(nothing)))
        client.sendall(b"x\n")
        record = wait_records(daemon, 1)[0]
        assert record["reason"] == "idle" and 2500 <= int(record["duration_ms"]) < 5000


def test_only_on_tcp(tmp_path: Path) -> None:
    path = tmp_path / "checked.conf"
    for listen in (str(tmp_path / "socket"), f"127.0.0.1:1 {tmp_path / 'socket'}", "@abstract"):
        path.write_text(format_config({"www": {"listen": listen, "handler": "/bin/cat", "idle_timeout": "1s"}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG
        assert "idle_timeout: when something has gone is known of TCP connections alone, and the pool listens on " in result.stderr
