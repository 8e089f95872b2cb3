"""Upgrade in place: another program goes on as the same process, and nobody notices but its administrator."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import (AS_ROOT, BINARY, POOL_USER, SLOW, Daemon, alive, children, connect, context_switches,
                    open_descriptors, read_all, request, run_preforkd, stays, tcp4, title, wait_until,
                    with_own_mounts)
from manager import Manager
from methods import NEVER_TOUCHES, executed_only, not_at_touch

Start = Callable[..., Daemon]


@pytest.fixture
def controlled(preforkd: Start, tmp_path: Path) -> Callable[..., tuple[Daemon, Control]]:
    """A daemon with a control socket; the pool www echoes, with two workers, unless its options say otherwise."""

    def start(pools: Any = None, master: Any = None, **options: Any) -> tuple[Daemon, Control]:
        www = {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}
        if pools is None or "www" in pools:
            pools = {**(pools or {}), "www": {**www, **(pools or {}).get("www", {})}}
        daemon = preforkd(pools, master={"control": tmp_path / "control.sock", **(master or {})}, **options)
        return daemon, control_of(daemon)

    return start


def address_of(daemon: Daemon, pool: str = "www") -> str:
    return str(daemon.pools[pool]["listen"])


def assert_closed_on_execution(daemon: Daemon) -> None:
    """Every descriptor of the master but the first three."""
    for fd, target in open_descriptors(daemon.pid).items():
        try:
            info = Path(f"/proc/{daemon.pid}/fdinfo/{fd}").read_text()
        except FileNotFoundError:
            continue  # one that comes and goes
        flags = re.search(r"^flags:\s+([0-7]+)$", info, re.MULTILINE)
        assert fd <= 2 or (flags and int(flags[1], 8) & os.O_CLOEXEC), (fd, target)


def upgrade(daemon: Daemon, path: Path | None = None) -> None:
    """By signal, or to a program by command, and wait until it has taken over."""
    mark = daemon.log_mark()
    if path:
        control_of(daemon).do(f"upgrade {path}")
    else:
        daemon.send_signal(signal.SIGUSR2)
    daemon.wait_message("upgraded", after=mark)


def running_child(daemon: Daemon, *words: str) -> bool:
    """True if a child of the master has one of these in its title: what reads a configuration, or a preflight."""
    return any(word in title(pid) for pid in children(daemon.pid) for word in words)


def kill_workers(daemon: Daemon, pool: str = "www") -> None:
    """So that those that serve from here on are the present program's."""
    before = daemon.workers(pool)
    for worker in before:
        os.kill(worker, signal.SIGKILL)

    def others() -> bool:
        now = daemon.workers(pool)
        return now != [] and not set(now) & set(before)

    wait_until(others, "other workers")


def between(directory: Path, action: str, only_in_earnest: bool = True) -> Path:
    """A program that does something and then becomes preforkd: what happens between two programs of one process.

    In `action` (Python), `state` is the hand-over document; what is changed in it is handed on.
    """
    program = directory / "between"
    program.write_text(f"""#!/usr/bin/python3 -IS
import json, os, signal, sys, time
option, _, fd = sys.argv[1].partition("=")
fd = int(fd)
if option == "--take-over" or not {only_in_earnest}:
    state = json.loads(os.pread(fd, 1 << 26, 0))
{"".join(f"    {line}{chr(10)}" for line in action.splitlines())}
    changed = json.dumps(state).encode()
    os.ftruncate(fd, 0)
    os.pwrite(fd, changed, 0)
os.execv({str(BINARY)!r}, [{str(BINARY)!r}, *sys.argv[1:]])
""")
    program.chmod(0o755)
    return program


# --- what stays -------------------------------------------------------------------------------------------------------

def test_nothing_changes(controlled: Start) -> None:
    """The process, its workers, what they have counted, what was decided, and since when."""
    daemon, control = controlled()
    for number in range(5):
        assert request(address_of(daemon), b"%d" % number) == b"%d" % number
    control.wait_totals(requests=5)
    control.wait_workers(2)
    control.wait_at_rest()
    workers = sorted(daemon.wait_workers(2))
    before, decisions = control.do("status --workers"), control.decisions()
    upgrade(daemon)
    after = control.do("status --workers")
    assert sorted(daemon.workers()) == workers
    for key in ("pid", "version", "state"):
        assert after["master"][key] == before["master"][key]
    assert after["master"]["uptime_ms"] >= before["master"]["uptime_ms"]
    [pool], [pool_before] = after["pools"], before["pools"]
    for key in ("name", "state", "generation", "limits", "totals", "listeners", "counts"):
        assert pool[key] == pool_before[key], key
    assert [worker["pid"] for worker in pool["workers"]] == [worker["pid"] for worker in pool_before["workers"]]
    assert control.decisions() == decisions
    assert control.do("config")["config"] == run_preforkd("-T", "-c", daemon.config).stdout
    assert request(address_of(daemon), b"after") == b"after"
    wait_until(lambda: control.pool()["totals"]["requests"] == 6, "one more request")


def test_the_program_at_the_path_is_executed(preforkd: Start, tmp_path: Path) -> None:
    """… and not the one that was there, which is deleted by now."""
    binary = tmp_path / "preforkd"
    shutil.copy(BINARY, binary)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, binary=binary)
    old = os.stat(f"/proc/{daemon.pid}/exe").st_ino
    shutil.copy(BINARY, tmp_path / "newer")
    (tmp_path / "newer").replace(binary)
    upgrade(daemon)
    assert os.stat(f"/proc/{daemon.pid}/exe").st_ino == binary.stat().st_ino != old
    assert request(address_of(daemon), b"hello") == b"hello"


@pytest.mark.parametrize("how", ["relative", "search path", "symbolic link", "another name"])
def test_however_it_was_started(preforkd: Start, tmp_path: Path, how: str) -> None:
    """Without a path, it is executed by the one it was started by."""
    binary, link = tmp_path / "preforkd", tmp_path / "link"
    shutil.copy(BINARY, binary)
    link.symlink_to(binary)
    word, expected = {"relative": ("./preforkd", binary), "search path": ("preforkd", binary),
                      "symbolic link": (str(link), link), "another name": ("nobody-knows", binary)}[how]
    starter = tmp_path / "starter"
    path = f"{tmp_path}:{os.environ['PATH']}" if how == "search path" else os.environ["PATH"]
    starter.write_text("#!/usr/bin/python3 -IS\nimport os, sys\n"
                       f"os.chdir({str(tmp_path)!r})\nos.environ['PATH'] = {path!r}\n"
                       f"os.execv({str(binary if how != 'symbolic link' else link)!r}, [{word!r}, *sys.argv[1:]])\n")
    starter.chmod(0o755)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, binary=starter, control=True)
    for _ in range(2):
        assert control_of(daemon).do("upgrade")["program"] in (str(expected), f"{tmp_path}/./preforkd")
    upgrade(daemon)


def test_the_command_line_form(preforkd: Start) -> None:
    address = tcp4()
    user = [f"--user={POOL_USER}"] if AS_ROOT else []
    daemon = preforkd(arguments=["--listen", address, *user, "--max-workers=3", "--", "/bin/echo", "--take-over=9", "ok"])
    upgrade(daemon)
    upgrade(daemon)
    assert request(address) == b"--take-over=9 ok\n"
    daemon.hup("reloaded")


def test_what_a_handler_gets_is_the_same(preforkd: Start, tmp_path: Path, program: Callable[[str], str]) -> None:
    """Limits, signals, descriptors and environment are those that the first program was started with."""
    address = tcp4()

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    # So many workers that the master has to raise its own limit of open files.
    daemon = preforkd({"www": {"listen": address, "handler": program("probe"), "max_workers": 300, "max_requests": 1,
                               "clear_environment": "no"}}, popen={"preexec_fn": prepare})

    def probe() -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(request(address))
        seen["environment"] = sorted(line for line in seen["environment"] if "REMOTEPORT" not in line
                                     and "REMOTE_PORT" not in line)
        return {key: re.sub(r"\[\d+\]", "", str(value)) for key, value in seen.items()
                if key not in ("pid", "ppid", "pgid", "sid")}

    before = probe()
    assert "256" in before["limits"]
    upgrade(daemon)
    upgrade(daemon)
    kill_workers(daemon)
    assert probe() == before


def test_requests_in_flight_go_on(controlled: Start) -> None:
    daemon, control = controlled()
    with connect(address_of(daemon)) as chat:
        chat.sendall(b"one\n")
        assert chat.recv(100) == b"one\n"
        upgrade(daemon)
        chat.sendall(b"two\n")
        assert chat.recv(100) == b"two\n"
        assert control.pool()["counts"]["busy"] == 1
    wait_until(lambda: control.pool()["counts"]["busy"] == 0, "the end of the request")


def test_state_that_is_in_force_stays(controlled: Start) -> None:
    """What commands and signals have made of the configuration."""
    daemon, control = controlled({"www": {"scaling": "dynamic", "max_workers": 10}, "mail": {"listen": tcp4(), "handler": "/bin/cat"}})
    control.do("scale www max_workers=20")
    daemon.send_signal(signal.SIGTTIN)
    wait_until(lambda: control.pool("mail")["limits"]["max_workers"] == 65, "SIGTTIN is taken up")
    control.do("restart www")
    control.do("pause mail")
    wait_until(lambda: not daemon.workers("mail"), "mail to be paused")
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "the roll")
    upgrade(daemon)
    www, mail = control.pool("www"), control.pool("mail")
    assert (www["limits"]["max_workers"], www["generation"]) == (21, 2)
    assert (mail["limits"]["max_workers"], mail["state"]) == (65, "paused")
    stays(lambda: not daemon.workers("mail"), "a paused pool stays so", 0.3)
    control.do("resume mail")
    assert request(address_of(daemon, "mail"), b"again") == b"again"
    daemon.hup("reloaded")
    assert control.pool("www")["limits"]["max_workers"] == 10


@executed_only("the handler is not executed again for a connection")
def test_back_off_goes_on(controlled: Start, tmp_path: Path) -> None:
    """An upgrade is no reason to try again at once."""
    handler = tmp_path / "handler"
    handler.write_text("#!/bin/cat\n")
    handler.chmod(0o755)
    daemon, control = controlled({"www": {"handler": handler, "restart_delay_min": "5s"}})
    # Both must be ready: one that still starts would find no handler and leave nobody for the second request.
    wait_until(lambda: control.pool()["counts"]["idle"] == 2, "two ready workers")
    handler.unlink()
    for _ in range(2):
        request(address_of(daemon), b"")
    wait_until(lambda: control.pool()["state"] == "backing off", "back-off")
    before = control.pool()
    upgrade(daemon)
    after = control.pool()
    assert after["state"] == "backing off" and after["backoff"]["failures"] == before["backoff"]["failures"]
    assert 0 < after["backoff"]["next_start_ms"] <= before["backoff"]["next_start_ms"]
    assert after["totals"]["forked"] == before["totals"]["forked"]
    handler.write_text("#!/bin/cat\n")
    handler.chmod(0o755)
    wait_until(lambda: control.pool()["state"] == "running", "the end of the back-off", 15)


def test_deadlines_go_on(controlled: Start, program: Callable[[str], str]) -> None:
    """A request that began before the upgrade is timed out after it; one that was told to end is killed."""
    address = tcp4()
    daemon, control = controlled({"www": {"listen": address, "max_workers": 1, "request_timeout": "1500ms", "kill_timeout": "1s",
                                    "handler": ["/bin/sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done"]}})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        upgrade(daemon)
        daemon.wait_message("request timed out")
        upgrade(daemon)
        daemon.wait_message("request killed")
        assert read_all(client) == b""
    wait_until(lambda: control.pool(workers=True)["workers"][0]["last_exit"] == {"signal": signal.SIGKILL}, "its end")
    assert control.pool()["totals"]["request_timeouts"] == 1


def test_detached_and_retiring_workers_stay_what_they_are(controlled: Start) -> None:
    daemon, control = controlled({"www": {"detach_after": "200ms"},
                                  "mail": {"listen": tcp4(), "handler": "/bin/cat", "max_workers": 3}})
    with connect(address_of(daemon)) as long, connect(address_of(daemon, "mail")) as busy:
        for client in (long, busy):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        wait_until(lambda: control.pool()["counts"]["detached"] == 1, "a detached worker")
        control.do("restart mail")
        wait_until(lambda: control.pool("mail")["counts"]["retiring"] == 1, "a retiring worker")
        upgrade(daemon)
        assert control.pool()["counts"]["detached"] == 1
        assert control.pool("mail")["counts"]["retiring"] == 1
        for client in (long, busy):
            client.sendall(b"y")
            assert client.recv(1) == b"y"
    wait_until(lambda: control.pool()["counts"]["detached"] == 0 and control.pool("mail")["counts"]["retiring"] == 0,
               "their ends")


def test_what_drains_goes_on_draining(controlled: Start) -> None:
    """A pool and a listener that were removed end when their requests have, with the configuration they had."""
    extra = tcp4()
    daemon, control = controlled({"www": {"listen": [tcp4(), extra]}, "mail": {"listen": tcp4(), "handler": "/bin/cat"}})
    mail = address_of(daemon, "mail")
    with connect(mail) as chat, connect(extra) as other:
        for client in (chat, other):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        del daemon.pools["mail"]
        daemon.pools["www"]["listen"] = [daemon.pools["www"]["listen"][0]]
        daemon.hup("reloaded")
        upgrade(daemon)
        assert {pool["name"]: pool["state"] for pool in control.do("status")["pools"]} == {
            "www": "running", "mail": "closing"}
        for client in (chat, other):
            client.sendall(b"y")
            assert client.recv(1) == b"y"
    wait_until(lambda: len(control.do("status")["pools"]) == 1, "the end of mail")
    wait_until(lambda: len(control.pool()["listeners"]) == 1, "the end of the listener")
    daemon.layout_at_start = None


def test_a_pool_that_drains_keeps_its_configuration(controlled: Start) -> None:
    """Limits, and what new workers of it are like: it has to serve what waits in its queue."""
    listen, expected = [tcp4(), tcp4()], b"/usr\n77\n0027\n"
    daemon, control = controlled({"www": {}, "old": {
        "listen": listen, "handler": ["/bin/sh", "-c", "pwd; ulimit -n; umask; cat"], "directory": "/usr", "umask": "0027",
        "scaling": "static", "max_workers": 1, "request_timeout": "1h", "limit_nofile": 77}})
    wait_until(lambda: control.pool("old")["counts"]["idle"] == 1, "the worker")
    control.do("scale old max_workers=2")
    with connect(listen[0]) as busy, connect(listen[0]) as other:
        for client in (busy, other):
            assert client.makefile("rb").read(len(expected)) == expected
        with connect(listen[1]) as waiting:
            wait_until(lambda: control.pool("old")["queue"] == 1, "one that waits")
            del daemon.pools["old"]
            daemon.hup("reloaded")
            before = control.pool("old")
            upgrade(daemon)
            after = control.pool("old")
            assert (after["state"], after["limits"]) == ("closing", before["limits"])
            for worker in daemon.workers("old"):  # the present program forks for those who wait
                os.kill(worker, signal.SIGKILL)
            waiting.shutdown(1)
            assert read_all(waiting) == expected
    wait_until(lambda: len(control.do("status")["pools"]) == 1, "the end of the old pool")
    daemon.layout_at_start = None


def test_a_listener_that_drains_is_kept_from_new_connections(controlled: Start) -> None:
    """By whichever means: they are not refused, and not accepted by anybody."""
    extra = tcp4()
    daemon, control = controlled({"www": {"listen": [tcp4(), extra], "request_timeout": "1h"}})
    with connect(extra) as first, connect(extra) as second:
        for client in (first, second):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        with connect(extra) as waiting:
            wait_until(lambda: control.pool()["queue"] == 1, "one that waits")
            daemon.pools["www"]["listen"] = [daemon.pools["www"]["listen"][0]]
            daemon.pools["www"]["max_workers"] = 2
            daemon.hup("reloaded")
            upgrade(daemon)
            queued = next(item for item in control.pool()["listeners"] if item["address"] == extra)
            assert queued["closing"]
            with pytest.raises((TimeoutError, ConnectionRefusedError)):
                connect(extra, 0.5 / SLOW).close()
            waiting.sendall(b"z")
            waiting.settimeout(10 * SLOW)
            assert waiting.recv(1) == b"z"
        first.close()
        second.close()
    wait_until(lambda: len(control.pool()["listeners"]) == 1, "the end of the listener")
    daemon.layout_at_start = None


def test_saturation_goes_on(controlled: Start) -> None:
    """One episode, told once, and its end."""
    daemon, control = controlled()
    with connect(address_of(daemon)) as one, connect(address_of(daemon)) as two, connect(address_of(daemon)) as waiting:
        for client in (one, two, waiting):
            client.sendall(b"x")
        daemon.wait_message("saturated")
        upgrade(daemon)
        assert (control.pool()["state"], control.pool()["totals"]["saturations"]) == ("saturated", 1)
        stays(lambda: control.pool()["totals"]["saturations"] == 1, "the episode is the same", 0.5)
    daemon.wait_message("relieved")
    assert len(daemon.messages("saturated")) == 1


def test_figures_go_on(controlled: Start) -> None:
    """How long requests took, and how many a second there were."""
    daemon, control = controlled({"www": {"max_requests": 5, "max_requests_jitter": "0%"}})
    for _ in range(22):
        request(address_of(daemon), b"x")
    control.wait_totals(requests=22)
    control.wait_workers(2)
    control.wait_at_rest()
    before = control.pool()
    upgrade(daemon)
    after = control.pool()
    assert before["duration_us"]["p50"] > 0 and after["duration_us"] == before["duration_us"]
    assert after["totals"] == before["totals"]
    assert after["rate_window_ms"] > 0


def test_recycling_goes_on(controlled: Start) -> None:
    daemon, control = controlled({"www": {"max_requests": 10, "max_requests_jitter": "0%", "scaling": "dynamic", "max_workers": 4}})
    address = address_of(daemon)
    with ClientPool([address], count=4, pause=0.001) as clients:
        for _ in range(5):
            clients.wait_served(40)
            upgrade(daemon)
        clients.wait_served(100)
    wait_until(lambda: control.pool()["totals"]["recycled"] >= 10, "recycled workers")
    assert control.pool()["totals"]["died"] == 0


def test_a_line_begun_on_stderr_is_not_lost(controlled: Start) -> None:
    """… if it is ended before its 200 ms are over, for which the upgrade must be quick."""
    daemon, _ = controlled({"www": {"handler": ["/bin/sh", "-c", "printf 'one half ' >&2; echo; read x;"
                                                "echo 'the other' >&2; echo end"]}})
    for _ in range(20):
        with connect(address_of(daemon)) as client:
            assert client.recv(10) == b"\n"
            begun = time.monotonic()
            upgrade(daemon)
            client.sendall(b"\n")
            assert read_all(client) == b"end\n"
        if time.monotonic() - begun < 0.15:
            daemon.wait_said("one half the other")
            return
    pytest.skip("an upgrade takes longer here than an unfinished line is kept")


def test_a_refused_pool_goes_on_refusing(controlled: Start, tmp_path: Path) -> None:
    """… and tells the whole of the episode once, whoever comes next and whatever he knows of it."""
    daemon, control = controlled({"www": {"max_workers": 1, "when_full": "refuse"}})
    address = address_of(daemon)
    with connect(address) as chat:
        chat.sendall(b"x")
        assert chat.recv(1) == b"x"
        assert request(address) == b""
        upgrade(daemon)
        assert request(address) == b""
        chat.sendall(b"y")
        assert chat.recv(1) == b"y"
    wait_until(lambda: control.pool()["counts"]["idle"] == 1, "an idle worker")
    assert request(address, b"served") == b"served"
    wait_until(lambda: "no longer saturated; 2 connections were refused" in control.decisions(), "the end of it", 20)
    upgrade(daemon)
    upgrade(daemon, between(tmp_path, "del state['pools'][0]['refused_before']"))
    assert request(address, b"served") == b"served"
    assert control.pool()["totals"]["saturations"] == 1
    assert len([text for text in control.decisions() if "saturated" in text]) == 2


@pytest.mark.parametrize("scaling", ["ondemand", "static"])
def test_other_ways_to_scale(controlled: Start, scaling: str) -> None:
    pool = {"listen": [tcp4(), tcp4()], "handler": "/bin/cat", "scaling": scaling, "max_workers": 3, "spare_timeout": "1s"}
    daemon, _ = controlled({"web": pool})
    upgrade(daemon)
    for address in pool["listen"]:
        assert request(str(address), b"hello") == b"hello"
    if scaling == "ondemand":
        wait_until(lambda: not daemon.workers("web"), "the end of surplus workers")
        upgrade(daemon)
        assert request(str(pool["listen"][1]), b"again") == b"again"


def test_unix_sockets(controlled: Start, tmp_path: Path) -> None:
    """Their files are known to be ours: removed at the end, and not when they are another's."""
    path = tmp_path / "socket"
    daemon, _ = controlled({"www": {"listen": [str(path), f"@preforkd-upgrade-{os.getpid()}"]}})
    upgrade(daemon)
    assert request(str(path), b"hello") == b"hello"
    assert request(f"@preforkd-upgrade-{os.getpid()}", b"hello") == b"hello"
    daemon.stop()
    assert not path.exists()


# --- in the gap -------------------------------------------------------------------------------------------------------

def test_children_that_end_in_the_gap(controlled: Start, tmp_path: Path) -> None:
    daemon, control = controlled()
    workers = daemon.wait_workers(2)
    upgrade(daemon, between(tmp_path, f"os.kill({workers[0]}, signal.SIGKILL)\n"
                            f"while open('/proc/{workers[0]}/stat').read().rpartition(')')[2].split()[0] != 'Z':\n"
                            "    time.sleep(0.001)"))
    daemon.wait_message("worker died", worker=workers[0])
    assert workers[1] in daemon.wait_workers(2)
    assert control.pool()["totals"]["died"] == 1


def test_signals_that_come_in_the_gap(controlled: Start, tmp_path: Path) -> None:
    daemon, _ = controlled()
    mark = daemon.log_mark()
    upgrade(daemon, between(tmp_path, "os.kill(os.getpid(), signal.SIGHUP)"))
    daemon.wait_message("reloaded", after=mark)
    upgrade(daemon, between(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)"))
    assert daemon.wait_end() == 0


def test_connections_that_come_in_the_gap(controlled: Start, tmp_path: Path) -> None:
    """A pool without workers: the connection waits for the next program."""
    address = tcp4()
    daemon, _ = controlled({"www": {"listen": address, "scaling": "ondemand"}})
    action = ("import socket\nconnection = socket.create_connection(('127.0.0.1', " + address.rpartition(":")[2] + "))\n"
              "connection.sendall(b'from the gap')\nos.set_inheritable(connection.fileno(), True)\nconnection.detach()")
    upgrade(daemon, between(tmp_path, action))
    daemon.wait_workers(1)
    daemon.may_leak = True


# --- control clients --------------------------------------------------------------------------------------------------

def test_half_a_request_is_read_on(controlled: Start) -> None:
    daemon, control = controlled()
    with control.connect() as client:
        client.sendall(b"ver")
        control.do("version")  # the first half has been read by now
        upgrade(daemon)
        client.sendall(b"sion\n")
        assert json.loads(read_all(client))["pid"] == daemon.pid


def test_a_reply_that_is_being_read_is_sent_on(controlled: Start) -> None:
    daemon, control = controlled()
    with control.connect() as client:
        client.setsockopt(1, 8, 1)  # SO_RCVBUF
        for _ in range(200):
            control.do("scale www max_workers=64")
        client.sendall(b"why\n")
        before = client.recv(1)
        upgrade(daemon)
        assert len(json.loads(before + read_all(client))["pools"][0]["decisions"]) == 100


def test_who_asked_is_answered_by_the_next_program(controlled: Start) -> None:
    daemon, control = controlled()
    reply = control.do(f"upgrade {BINARY}")
    assert (reply["pid"], reply["program"], reply["problems"]) == (daemon.pid, str(BINARY), [])
    assert reply["from"] == reply["version"] == control.do("version")["version"]


def read_slowly(daemon: Daemon) -> Callable[[], None]:
    """The configuration becomes a FIFO, whose reader waits until the function that this returns is called."""
    text, fifo = daemon.config.read_text(), daemon.config.with_name("fifo")
    os.mkfifo(fifo)
    daemon.config.unlink()
    daemon.config.symlink_to(fifo)

    def go_on() -> None:
        with open(fifo, "w", encoding="utf-8") as writer:
            writer.write(text)

    return go_on


def test_an_upgrade_waits_for_a_reload(controlled: Start, tmp_path: Path) -> None:
    """… so that each gets its reply; what comes while both are under way is done afterwards."""
    daemon, control = controlled()
    program = between(tmp_path, f"open({str(tmp_path / 'tried')!r}, 'w').close()", only_in_earnest=False)
    go_on = read_slowly(daemon)
    clients = [control.connect() for _ in range(3)]
    try:
        clients[0].sendall(b"reload\n")
        wait_until(lambda: running_child(daemon, "reading"), "the reading")
        clients[1].sendall(f"upgrade {program}\n".encode())
        wait_until((tmp_path / "tried").exists, "the preflight")
        wait_until(lambda: not running_child(daemon, "take-over", "preflight", "between"), "the end of the preflight")
        clients[2].sendall(b"reload --dry-run\n")
        control.do("version")
        daemon.assert_none(["upgraded"])
        for _ in range(2):  # the reload, and then the dry run
            [reader] = wait_until(lambda: [pid for pid in children(daemon.pid) if "reading" in title(pid)], "who reads")
            go_on()
            wait_until(lambda: not alive(reader), "its end")  # noqa: B023
        replies = [json.loads(read_all(client)) for client in clients]
    finally:
        for client in clients:
            client.close()
    assert [reply["command"] for reply in replies if reply["ok"]] == ["reload", "upgrade", "reload"], replies
    assert daemon.find_message("upgraded")


def test_one_at_a_time(controlled: Start, tmp_path: Path) -> None:
    daemon, control = controlled()
    go = tmp_path / "go"
    slow = between(tmp_path, f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)", only_in_earnest=False)
    with control.connect() as client:
        client.sendall(f"upgrade {slow}\n".encode())
        wait_until(lambda: running_child(daemon, "between"), "the preflight")
        control.refused("upgrade", "busy")
        switches = context_switches(daemon.pid)
        daemon.send_signal(signal.SIGUSR2)
        wait_until(lambda: context_switches(daemon.pid) > switches, "the master has read it")
        control.do("version")
        go.touch()
        assert json.loads(read_all(client))["ok"]
    control.do("version")
    assert len(daemon.messages("upgraded")) == 1 and not running_child(daemon, "between", "preflight")


def test_the_path_must_be_absolute(controlled: Start) -> None:
    _, control = controlled()
    control.refused("upgrade preforkd", "usage")


def test_control_group_may_not_name_a_program(controlled: Start, as_root: None) -> None:
    """It commands preforkd; who may have it execute anything would be root."""
    daemon, control = controlled(master={"control_group": "games"})
    assert json.loads(control.ask_as(f"upgrade {BINARY}", "nobody", ["games"]))["error"] == "permission"
    assert json.loads(control.ask_as("upgrade", "nobody", ["games"]))["ok"]
    assert daemon.find_message("upgraded")


# --- programs that cannot take over -----------------------------------------------------------------------------------

SCRIPTS = {
    "a word": ("echo 'the disk is full of eels' >&2; exit 1", "the disk is full of eels"),
    "no word": ("exit 3", "ended with code 3 and without a message"),
    "nothing at all": ("exit 0", "ended with code 0 and without a message"),
    "the wrong answer": ("echo yes; exit 0", "without a message"),
    "a signal": ("kill -SEGV $$", "killed by signal 11"),
    "another preforkd": (f"shift; exec {shlex.quote(str(BINARY))} --unheard-of=5 \"$@\"", "exclude each other"),
}


@pytest.mark.parametrize("kind", [*SCRIPTS, "missing", "not executable", "a directory", "no program"])
def test_a_program_that_cannot(controlled: Start, tmp_path: Path, kind: str) -> None:
    """It is refused with its reason, and nothing has happened."""
    daemon, control = controlled()
    workers = sorted(daemon.wait_workers(2))
    program = tmp_path / "broken"
    reason = {"missing": "No such file", "not executable": "Permission denied", "a directory": "Permission denied",
              "no program": "Exec format error"}.get(kind)
    if kind in SCRIPTS:
        script, reason = SCRIPTS[kind]
        program.write_text(f"#!/bin/sh\n{script}\n")
    elif kind == "a directory":
        program.mkdir()
    elif kind != "missing":
        program.write_bytes(b"\x7fELF and no more")
    if kind not in ("missing", "not executable"):
        program.chmod(0o755)
    reply = control.refused(f"upgrade {program}", "refused")
    assert reason and any(reason in problem["text"] for problem in reply["problems"]), reply
    daemon.wait_message("upgrade refused")
    assert sorted(daemon.workers()) == workers
    assert request(address_of(daemon), b"still") == b"still"
    upgrade(daemon)  # the next one may be better
    assert sorted(daemon.workers()) == workers


@pytest.mark.parametrize("how", ["hangs", "writes without end"])
def test_a_program_that_never_ends_its_preflight(controlled: Start, tmp_path: Path, how: str) -> None:
    daemon, control = controlled()
    program = tmp_path / "endless"
    program.write_text("#!/bin/sh\n" + ("exec sleep 1000\n" if how == "hangs" else "exec yes >&2\n"))
    program.chmod(0o755)
    reply = control.refused(f"upgrade {program}", "refused")
    assert any("longer than 10 s" in problem["text"] for problem in reply["problems"]), reply
    assert request(address_of(daemon), b"still") == b"still"
    wait_until(lambda: len(children(daemon.pid)) == 2, "the end of the preflight")


def test_a_stop_overtakes_a_preflight(controlled: Start, tmp_path: Path) -> None:
    daemon, control = controlled()
    program = tmp_path / "endless"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    with control.connect() as client:
        client.sendall(f"upgrade {program}\n".encode())
        wait_until(lambda: running_child(daemon, "sleep", "endless"), "the preflight")
        daemon.stop(timeout=5)
        assert "stopping" in json.loads(read_all(client))["message"]


def test_a_file_that_changes_after_its_preflight(controlled: Start, tmp_path: Path) -> None:
    """What was tried is what is executed."""
    daemon, control = controlled()
    program = between(tmp_path, f"if sys.argv[1].startswith('--preflight'):\n    open({str(tmp_path / 'between')!r}, 'a').write('#')",
                      only_in_earnest=False)
    reply = control.refused(f"upgrade {program}", "refused")
    assert any("has changed" in problem["text"] for problem in reply["problems"]), reply
    assert request(address_of(daemon), b"still") == b"still"


@not_at_touch(NEVER_TOUCHES)
def test_a_program_that_fails_to_execute_after_its_preflight(controlled: Start, tmp_path: Path) -> None:
    """Everything is as before: descriptors are closed on execution again, and nothing of ours is in the environment."""
    with Manager(tmp_path) as manager:
        daemon, control = controlled({"www": {"handler": ["/bin/sh", "-c", "env; ls -l /proc/self/fd; cat"],
                                              "clear_environment": "no"}}, **manager.options())
        interpreter, program = tmp_path / "interpreter", tmp_path / "program"
        shutil.copy("/bin/dash", interpreter)
        program.write_text(f"#!{interpreter}\nrm {interpreter}\nexec {BINARY} \"$@\"\n")
        program.chmod(0o755)
        control.refused(f"upgrade {program}", "refused")
        assert_closed_on_execution(daemon)
        kill_workers(daemon)
        reply = request(address_of(daemon)).decode()
        assert "NOTIFY_SOCKET" not in reply and "memfd" not in reply
        assert len(re.findall(r"^l.* -> ", reply, re.MULTILINE)) == 4, reply  # 0, 1, 2, and the directory
        upgrade(daemon)
        assert_closed_on_execution(daemon)


def test_a_script_that_does_not_become_preforkd(controlled: Start, tmp_path: Path) -> None:
    """It would be the master's process, and preforkd its child, whose workers are another's."""
    daemon, control = controlled()
    workers = sorted(daemon.wait_workers(2))
    program = tmp_path / "script"
    program.write_text(f"#!/bin/sh\n{BINARY} \"$@\"\n")
    program.chmod(0o755)
    reply = control.refused(f"upgrade {program}", "refused")
    assert any("as a child of what was executed" in problem["text"] for problem in reply["problems"]), reply
    assert sorted(daemon.workers()) == workers


def test_what_a_preflight_leaves_behind_goes_with_it(controlled: Start, tmp_path: Path) -> None:
    """It has our descriptors. It is not waited for, either."""
    daemon, control = controlled()
    program = tmp_path / "script"
    program.write_text(f"#!/bin/sh\nsleep 1000 & echo $! >{tmp_path}/left\n")
    program.chmod(0o755)
    control.refused(f"upgrade {program}", "refused")
    left = int((tmp_path / "left").read_text())
    wait_until(lambda: not alive(left), "the end of what the preflight has left behind")


@pytest.mark.parametrize("known", [True, False], ids=["its path known", "its path unknown"])
def test_without_proc(preforkd: Start, tmp_path: Path, as_root: None, known: bool) -> None:
    """What the kernel says of our path cannot be had then: what we were called by is taken, if it is a path."""
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    if b"libasan" in BINARY.read_bytes():
        pytest.skip("LeakSanitizer needs /proc")
    words = f'import os, sys; os.execv("{BINARY}", ["nobody-knows", *sys.argv[1:]])'
    unknown = [] if known else [f"exec /usr/bin/python3 -ISc '{words}' \"$@\""]
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}},
                      master={"control": tmp_path / "control.sock"},
                      binary=with_own_mounts(tmp_path, "mount -t tmpfs none /proc", *unknown))
    for _ in range(0 if known else 3):  # nothing may be lost by trying
        mark = daemon.log_mark()
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgrade refused", after=mark)
    upgrade(daemon, None if known else BINARY)
    upgrade(daemon)
    assert request(address_of(daemon), b"x") == b"x"


@pytest.mark.parametrize(("mode", "owner", "group", "reason"), [
    (0o757, 0, 0, "it may be written by everybody (mode 0757)"), (0o775, 0, 65534, "it may be written by its group"),
    (0o755, 65533, 0, "it belongs to uid 65533")])
def test_a_program_that_others_may_write(controlled: Start, tmp_path: Path, as_root: None, mode: int, owner: int,
                                         group: int, reason: str) -> None:
    daemon, control = controlled()
    program = tmp_path / "next"
    shutil.copy(BINARY, program)
    os.chown(program, owner, group)
    program.chmod(mode)
    reply = control.ask(f"upgrade {program}")
    assert not reply["ok"] and reason in json.dumps(reply), reply
    os.chown(program, 0, 0)
    program.chmod(0o755)
    (tmp_path / "writable").mkdir()
    (tmp_path / "writable").chmod(0o777)
    program.rename(tmp_path / "writable/next")
    reply = control.ask(f"upgrade {tmp_path}/writable/next")
    assert not reply["ok"] and "its directory may be written by everybody (mode 0777)" in json.dumps(reply), reply
    (tmp_path / "writable").chmod(0o1777)
    upgrade(daemon, tmp_path / "writable/next")


@pytest.mark.parametrize("how", ["during its preflight", "while it waits"])
def test_a_configuration_that_nobody_has_tried(controlled: Start, tmp_path: Path, how: str) -> None:
    """What the new program cannot take is found out before it is executed, also when it came after the preflight."""
    daemon, control = controlled()
    workers = sorted(daemon.wait_workers(2))
    program = between(tmp_path, "if 'max_workers = 3' in state['config']:\n"
                      "    state['config'] = state['config'].replace('max_workers = 3', 'max_workers = of a later day')\n"
                      f"if not os.path.exists({str(tmp_path / 'tried')!r}):\n"
                      f"    open({str(tmp_path / 'tried')!r}, 'w').close()\n"
                      f"    while not os.path.exists({str(tmp_path / 'go')!r}):\n"
                      "        time.sleep(0.01)", only_in_earnest=False)
    with control.connect() as client:
        client.sendall(f"upgrade {program}\n".encode())
        wait_until(lambda: (tmp_path / "tried").exists(), "the preflight")
        daemon.pools["www"]["max_workers"] = 3
        if how == "while it waits":
            daemon.write_config()
            go_on = read_slowly(daemon)
            daemon.send_signal(signal.SIGHUP)
            wait_until(lambda: any("reading" in title(pid) for pid in children(daemon.pid)), "the reading")
            (tmp_path / "go").touch()
            wait_until(lambda: not any("preflight" in title(pid) or "between" in title(pid) for pid in children(daemon.pid)),
                       "the end of the preflight")
            go_on()
        else:
            daemon.hup("reloaded")
            (tmp_path / "go").touch()
        reply = json.loads(read_all(client))
    assert not reply["ok"] and any("max_workers" in problem["text"] for problem in reply["problems"]), reply
    assert set(workers) <= set(daemon.workers())
    assert request(address_of(daemon), b"still") == b"still"


def test_started_without_standard_descriptors(preforkd: Start, tmp_path: Path) -> None:
    """Nothing that matters gets their numbers."""
    starter = tmp_path / "starter"
    starter.write_text(f"#!/bin/sh\nexec {BINARY} \"$@\" <&- >&-\n")
    starter.chmod(0o755)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, binary=starter)
    for _ in range(2):
        upgrade(daemon)
    assert request(address_of(daemon), b"x") == b"x"
    assert [open_descriptors(daemon.pid)[fd] for fd in (0, 1)] == ["/dev/null"] * 2


# --- older and newer --------------------------------------------------------------------------------------------------

MANY_KEYS = "state['config'] += ''.join('of_a_later_day_%d = 1\\n' % number for number in range(2000))"

EVERYWHERE = """
def add(value):
    for item in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
        add(item)
    if isinstance(value, dict):
        value["of a later day"] = {"what": [1, None, "x"]}
add(state)
state["config"] = state["config"].replace("[www]", "[www]\\nof_a_later_day = 1")
state["version"] = "99.0"
"""


def test_from_a_newer_program(controlled: Start, tmp_path: Path) -> None:
    """What it does not know is passed over, so that going back works."""
    daemon, control = controlled()
    request(address_of(daemon), b"one")
    wait_until(lambda: control.pool()["totals"]["requests"] == 1, "the end of the request")
    workers = sorted(daemon.wait_workers(2))
    reply = control.do(f"upgrade {between(tmp_path, EVERYWHERE, only_in_earnest=False)}")
    assert reply["from"] == "99.0"
    assert any("of_a_later_day" in problem["text"] and problem["severity"] == "warning" for problem in reply["problems"]), reply
    assert sorted(daemon.workers()) == workers
    assert control.pool()["totals"]["requests"] == 1
    assert request(address_of(daemon), b"two") == b"two"
    upgrade(daemon)
    daemon.hup("reloaded")


def test_many_keys_that_are_not_known(controlled: Start, tmp_path: Path) -> None:
    """However much there is to say, the preflight does not wait for somebody to listen; who asked is told."""
    daemon, control = controlled()
    reply = control.do(f"upgrade {between(tmp_path, MANY_KEYS, only_in_earnest=False)}")
    assert len(reply["problems"]) == 2000 and reply["problems"][0]["severity"] == "warning"
    assert len([problem for problem in daemon.problems() if "'of_a_later_day_1999'" in problem.text]) == 1, "logged once"


def test_descriptors_of_a_newer_program_are_closed(controlled: Start, tmp_path: Path) -> None:
    """What nobody takes over is not left open."""
    daemon, _ = controlled()
    upgrade(daemon, between(tmp_path, "extra = os.open('/etc/passwd', os.O_RDONLY)\nos.set_inheritable(extra, True)\n"
                            "state['descriptors'].append(extra)"))
    assert "/etc/passwd" not in open_descriptors(daemon.pid).values()
    assert_closed_on_execution(daemon)


def test_from_an_older_program(controlled: Start, tmp_path: Path) -> None:
    """What is not mentioned is as in a new daemon."""
    daemon, control = controlled()
    workers = sorted(daemon.wait_workers(2))
    upgrade(daemon, between(tmp_path, "for pool in state['pools']:\n"
                            "    for key in ('totals', 'rate', 'decisions', 'closing', 'mode', 'wanted', 'saturated'):\n"
                            "        del pool[key]\n"
                            "    for worker in pool['workers']:\n"
                            "        del worker['escalated_request']\n"
                            "for key in ('worker_outputs', 'readiness', 'manager', 'log', 'original_limits'):\n"
                            "    del state[key]", only_in_earnest=False))
    assert sorted(daemon.workers()) == workers
    assert control.pool()["totals"]["forked"] == 0
    assert request(address_of(daemon), b"two") == b"two"
    daemon.may_leak = True


@pytest.mark.parametrize("change, reason", [
    ("state['handover'] = 2", "format 2"),
    ("state['config'] = state['config'].replace('max_workers = 2', 'max_workers = many')", "max_workers"),
    ("state['pools'][0]['workers'][0]['state'] = 'dancing'", '"dancing" is not known'),
    ("state['pools'][0]['workers'][0]['slot'] = 70000", "cannot be"),
    ("state['pools'][0]['workers'][1]['slot'] = state['pools'][0]['workers'][0]['slot']", "cannot be"),
    ("state['pools'][0]['workers'][0]['pid'] = 'x'", "pid: expected a number"),
    ("state['pools'][0]['generation'] = []", "generation: expected a number"),
    ("state['pools'][0]['mode'] = 'dancing'", '"dancing" is not known'),
    ("state['pools'][0]['wanted'] = 'rest'", '"rest" is not known'),
    ("state['pools'][0]['board'] = 4711", "expected a descriptor"),
    ("state['pools'][0]['board'] = state['pools'][0]['listeners'][0]['fd']", "scoreboard"),
    ("state['pools'] = []", "pool www is missing"),
    ("state['pools'][0]['name'] = 'other'", "has no configuration"),
    ("state['descriptors'].append(4711)", "4711 was not handed over"),
    ("state['descriptors'] *= 2", "was not handed over"),
    ("state = {}", "format"),
])
def test_a_state_that_cannot_be_taken_over(controlled: Start, tmp_path: Path, change: str, reason: str) -> None:
    """… is found out by the preflight."""
    daemon, control = controlled()
    workers = sorted(daemon.wait_workers(2))
    reply = control.refused(f"upgrade {between(tmp_path, change, only_in_earnest=False)}", "refused")
    assert any(reason in problem["text"] for problem in reply["problems"]), reply
    assert sorted(daemon.workers()) == workers
    assert request(address_of(daemon), b"still") == b"still"


def test_a_document_cut_short(controlled: Start, tmp_path: Path) -> None:
    daemon, control = controlled()
    program = between(tmp_path, "os.ftruncate(fd, 1000)\nos.execv(%r, [%r, *sys.argv[1:]])" % (str(BINARY), str(BINARY)),
                      only_in_earnest=False)
    reply = control.refused(f"upgrade {program}", "refused")
    assert any("cannot be read" in problem["text"] for problem in reply["problems"]), reply
    assert request(address_of(daemon), b"still") == b"still"


# --- the service manager ----------------------------------------------------------------------------------------------

@not_at_touch(NEVER_TOUCHES)
def test_the_service_manager_notices_nothing_but_the_status(preforkd: Start, tmp_path: Path) -> None:
    """Readiness is not said again, listeners are not stored twice, the watchdog is fed on, reloads are told."""
    with Manager(tmp_path, store_max=16) as manager:
        options = manager.options()
        options["popen"]["env"]["WATCHDOG_USEC"] = "400000"
        daemon = preforkd({"www": {"listen": tcp4(), "handler": ["/bin/sh", "-c", "env"], "clear_environment": "no"}},
                          ready=False, **options)
        manager.wait("READY=1")
        daemon.wait_ready()
        assert len(manager.store) == 1
        mark = len(manager.messages)
        daemon.hup("reloaded")
        manager.wait("READY=1", after=mark)  # said after it is logged
        for number in range(3):
            manager.receive_all()
            mark = len(manager.messages)
            upgrade(daemon)
            if number == 0:  # later it is the same, and not said again
                manager.wait("STATUS=Upgraded from .*", after=mark)
            manager.wait("WATCHDOG=1", after=len(manager.messages))
            assert not any("READY=1" in message.lines or "FDSTORE=1" in message.lines
                           for message in manager.messages[mark:])
        assert "NOTIFY_SOCKET" not in request(address_of(daemon)).decode()
        mark = len(manager.messages)
        daemon.pools["mail"] = {"listen": tcp4(), "handler": "/bin/cat"}
        daemon.hup("reloaded")
        manager.wait("RELOADING=1", after=mark)
        manager.wait("READY=1", after=mark)
        assert len(manager.store) == 2
        del daemon.pools["mail"]
        daemon.hup("reloaded")
        wait_until(lambda: manager.receive_all() and len(manager.store) == 1, "the listener to leave the store")
        manager.wait("STATUS=Reload 3 applied.*", after=mark)  # they are counted on
        daemon.stop()
        manager.wait("STOPPING=1")
        assert len(manager.store) == 1


def test_what_waits_for_the_service_manager_is_not_lost(preforkd: Start, tmp_path: Path) -> None:
    """One that does not read for a while gets all of it from the next program, in order, descriptors included."""
    with Manager(tmp_path, store_max=100) as manager:
        daemon = preforkd({"p0": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "ondemand"}}, ready=False,
                          **manager.options())
        manager.wait("READY=1")
        daemon.wait_ready()
        for number in range(1, 30):  # more than the socket holds
            daemon.pools[f"p{number}"] = {"listen": tcp4(), "handler": "/bin/cat", "scaling": "ondemand"}
        daemon.hup("reloaded")
        upgrade(daemon)
        upgrade(daemon)
        wait_until(lambda: manager.receive_all() and len(manager.store) == 30, "every listener in the store")
        manager.wait("READY=1", after=3)
        daemon.layout_at_start = None


def test_activated_sockets_stay_activated(preforkd: Start, tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        sockets = [("web", manager.listen(2, ("127.0.0.1", 0))), ("later", manager.listen(1, str(tmp_path / "later")))]
        address = "%s:%d" % sockets[0][1].getsockname()
        daemon = preforkd({"www": {"listen": "systemd:web", "handler": "/bin/cat"},
                           "late": {"listen": "systemd:later", "handler": "/bin/cat"}},
                          ready=False, **manager.options(sockets))
        manager.wait("READY=1")
        daemon.wait_ready()
        upgrade(daemon)
        assert request(address, b"hello") == b"hello"
        late = daemon.pools.pop("late")  # taken away, and wanted again: it stays at hand
        daemon.hup("reloaded")
        upgrade(daemon)
        daemon.pools["late"] = late
        daemon.hup("reloaded")
        assert request(str(tmp_path / "later"), b"hello") == b"hello"
        daemon.stop()
        assert (tmp_path / "later").exists()


# --- under load -------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apache2-utils)")
def test_fifty_in_a_row_under_load(controlled: Start, tmp_path: Path, program: Callable[[str], str]) -> None:
    """… to the same path and to a copy by turns; not one request fails."""
    copy = tmp_path / "preforkd-copy"
    shutil.copy(BINARY, copy)
    daemon, control = controlled({"www": {"handler": program("hello"), "scaling": "dynamic", "max_workers": 16, "max_requests": 200}})
    port = address_of(daemon).rpartition(":")[2]
    output = tmp_path / "ab"
    with output.open("wb") as sink:
        load = subprocess.Popen(["ab", "-q", "-r", "-s", str(30 * SLOW), "-c", "8", "-t", "300", "-n", "100000000",
                                 f"http://127.0.0.1:{port}/"], stdout=sink, stderr=subprocess.STDOUT)
        try:
            for number in range(50):
                before = control.pool()["totals"]["requests"]
                control.do(f"upgrade {copy if number % 2 else BINARY}", timeout=30)
                wait_until(lambda: control.pool()["totals"]["requests"] > before, "requests served")
        finally:
            load.send_signal(signal.SIGINT)
            load.wait(30 * SLOW)
    said = output.read_text()
    failed = re.search(r"Failed requests:\s+(\d+)", said)
    assert failed and int(failed[1]) == 0, said
    assert "Non-2xx" not in said, said
    assert len(daemon.messages("upgraded")) == 50
    pool = control.pool()
    assert (pool["totals"]["died"], pool["generation"]) == (0, 1)


@pytest.mark.parametrize("listeners", [1, 2])
def test_upgrades_among_reloads_and_rolls(controlled: Start, listeners: int) -> None:
    """Whatever it is in the middle of."""
    daemon, control = controlled({"www": {"listen": [tcp4() for _ in range(listeners)], "scaling": "dynamic", "max_workers": 12,
                                          "min_spare_workers": 3, "max_spare_workers": 6, "request_timeout": "20s"}})
    addresses = daemon.pools["www"]["listen"]
    with ClientPool(list(addresses) if listeners > 1 else [addresses[0]], count=8) as clients:
        for number in range(12):
            daemon.pools["www"]["environment"] = f"N={number}"
            if number % 3 == 0:
                daemon.hup(None)
            elif number % 3 == 1:
                control.do("restart www")
            else:
                control.do(f"scale www max_workers={10 + number}")
            control.do("upgrade", timeout=30)
            clients.wait_served(5)
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "the last roll")
    assert control.pool()["totals"]["died"] == 0
    daemon.layout_at_start = None


def test_an_upgraded_daemon_sleeps(controlled: Start) -> None:
    daemon, _ = controlled()
    upgrade(daemon)
    daemon.wait_asleep(2)


def test_no_descriptor_is_left_over(controlled: Start) -> None:
    daemon, control = controlled()
    wait_until(lambda: control.pool()["counts"]["idle"] == 2, "a daemon that has nothing to do")

    def descriptors() -> list[str]:
        return sorted(re.sub(r"\d{3,}", "N", target) for target in open_descriptors(daemon.pid).values())

    upgrade(daemon)
    before = descriptors()
    for _ in range(5):
        upgrade(daemon)
    wait_until(lambda: descriptors() == before, "the same descriptors")
