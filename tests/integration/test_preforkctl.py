"""preforkctl: what it prints, its exit codes, and `top` on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import BINARY, OUR_BUG, ROOT, SLOW, Daemon, burst, connect, request, run_preforkd, tcp4, wait_until
from terminal import Terminal, terminal

Start = Callable[..., Daemon]
CTL = BINARY.parents[1] / "ctl/preforkctl"
OK, FAILURE, USAGE, NOT_RUNNING, PERMISSION = range(5)


class Ctl:
    """preforkctl, pointed to one socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        result = subprocess.run([CTL, "-s", self.path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=40 * SLOW, check=False, **options)  # type: ignore[call-overload]
        assert not OUR_BUG.search(result.stderr), result.stderr
        return result

    def do(self, *arguments: str) -> str:
        """The output of what must succeed, without a word on stderr."""
        result = self.run(*arguments)
        assert result.returncode == OK and result.stderr == "", result
        return result.stdout


def ctl_of(daemon: Daemon) -> Ctl:
    return Ctl(Path(str(daemon.master["control"])))


@pytest.fixture
def controlled(preforkd: Start, tmp_path: Path) -> tuple[Daemon, Ctl]:
    path = tmp_path / "control.sock"
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "min_spare_workers": 2, "max_spare_workers": 2},
                       "mail": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}},
                      master={"control": path})
    daemon.wait_workers(2)
    daemon.wait_workers(1, "mail")
    return daemon, Ctl(path)


def address_of(daemon: Daemon) -> str:
    return str(daemon.pools["www"]["listen"])


# --- what it prints ---------------------------------------------------------------------------------------------------

def test_status(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    wait_until(lambda: re.search(r"^www +running +1 +2 +0 ", ctl.do("status"), re.MULTILINE), "two idle workers")
    text = ctl.do("status")
    assert re.match(rf"preforkd \S+, pid {daemon.pid}, running, up .*: 3 workers", text)
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["POOL", "www", "mail"]
    assert all(line == line.rstrip() for line in text.splitlines())


def test_status_of_one_pool(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    control_of(daemon).wait_idle()
    text = ctl.do("status", "www")
    assert text.startswith("www: running, generation 1\n") and "mail" not in text
    assert re.search(rf"^ +{re.escape(address_of(daemon))} +0 +511$", text, re.MULTILINE)
    text = ctl.do("status", "www", "--workers")
    pids = re.findall(r"^ +(\d+) +idle ", text, re.MULTILINE)
    assert sorted(map(int, pids)) == sorted(daemon.workers())


def test_what_auto_means(preforkd: Start, tmp_path: Path) -> None:
    """… is shown where it is not what the configuration says."""
    path = tmp_path / "control.sock"
    preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_method": "auto", "no_new_privileges": "no", "copy": "auto"},
              "mail": {"listen": tcp4(), "handler": "/bin/cat", "start_method": "forkserver"}}, master={"control": path})
    assert re.search(r"^  start      (?:snapshot|forkserver) \(auto.*\)\n  copy       fork \(auto; rollback cannot be used: .+\)$",
                     Ctl(path).do("status", "www"), re.MULTILINE)
    assert not re.search(r"^  (?:start|copy) ", Ctl(path).do("status", "mail"), re.MULTILINE)


def test_waits_are_shown_where_they_are_known(preforkd: Start, tmp_path: Path) -> None:
    pools = {"tcp": tcp4(), "unix": str(tmp_path / "www.sock")}
    preforkd({name: {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}
              for name, address in pools.items()}, master={"control": tmp_path / "control.sock"})
    ctl = Ctl(tmp_path / "control.sock")
    for name, address in pools.items():
        assert "waits" not in ctl.do("status", name)
        assert request(address, b"x") == b"x"
    assert re.search(r"^  waits      median ~\S+, 90% within ~\S+, 99% within ~\S+$", ctl.do("status", "tcp"), re.MULTILINE)
    assert "waits" not in ctl.do("status", "unix")


def test_durations_fit_what_clients_saw(preforkd: Start, tmp_path: Path) -> None:
    """Requests of 0.6 s are in the bucket from 0.52 to 1.05 s: neither its middle nor its bounds are their median."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sleep 0.6", "min_spare_workers": 9}},
                      master={"control": tmp_path / "control.sock"})
    ctl = Ctl(tmp_path / "control.sock")
    assert "durations" not in ctl.do("status", "www")
    begun = time.monotonic()
    burst(address, 9)
    control_of(daemon).wait_idle()
    longest_us = (time.monotonic() - begun) * 1e6
    durations = json.loads(ctl.do("status", "--json"))["pools"][0]["duration_us"]
    assert 600_000 <= durations["mean"] <= longest_us
    assert 570_000 <= durations["p50"] <= durations["p90"] <= durations["p99"] <= 2 * longest_us
    assert durations["p50"] < 1.2 * durations["mean"]
    assert re.search(r"^  durations  mean \d+ms, median ~\S+, 90% within ~\S+, 99% within ~\S+$",
                     ctl.do("status", "www"), re.MULTILINE)


def test_requests_that_were_lost_are_shown(preforkd: Start, program: Callable[[str], str], tmp_path: Path) -> None:
    """In the table, and of one pool: a handler that could not be started, for its file was being written."""
    address, handler = tcp4(), program("hello")
    preforkd({"www": {"listen": address, "handler": handler, "start_timeout": "1s"}}, control=True)
    ctl = Ctl(tmp_path / "control.sock")
    assert re.search(r"^  limits met .* 0 lost$", ctl.do("status", "www"), re.MULTILINE)
    with open(handler, "r+b"):
        assert request(address) == b""
    wait_until(lambda: re.search(r"^  limits met .* 1 lost$", ctl.do("status", "www"), re.MULTILINE), "one that is lost")
    heading, row = ctl.do("status").splitlines()[2:4]
    assert dict(zip(heading.split(), row.split()))["LOST"] == "1"


def test_json_is_the_reply_as_it_came(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    document = json.loads(ctl.do("status", "--json"))
    assert document["protocol"] == 2 and document["master"]["pid"] == daemon.pid
    result = ctl.run("--json", "restart", "nope")
    assert result.returncode == FAILURE and json.loads(result.stdout)["error"] == "unknown-pool"


def test_why(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    text = ctl.do("why")
    assert re.match(r"www:\n  \d\d:\d\d:\d\d\.\d{3}  \+2 workers \(start\)\n", text) and "\nmail:\n" in text
    assert "mail:" not in ctl.do("why", "www")


def test_reload(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    daemon.pools["www"]["max_workers"] = 9
    daemon.write_config()
    assert "www   limits  max_workers" in ctl.do("reload", "--dry-run")
    assert "www   limits  max_workers" in ctl.do("reload")
    assert re.search(r"^ +www +keep$", ctl.do("reload"), re.MULTILINE)
    daemon.pools["www"]["max_worker"] = 9
    daemon.write_config()
    result = ctl.run("reload")
    assert result.returncode == FAILURE and result.stdout == ""
    assert re.search(rf"^{daemon.config}:\d+: unknown key 'max_worker'", result.stderr, re.MULTILINE)
    del daemon.pools["www"]["max_worker"]


def test_orders(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    assert ctl.do("restart", "www") == "www: generation 2 begun\n"
    assert ctl.do("scale", "www", "max_workers=7") == "www: at most 7 workers, 2 to 2 spare, until the next reload\n"
    assert ("  overlay    max_workers 7 (configured: 64); until the next reload\n" in ctl.do("status", "www"))
    assert ctl.do("pause", "www").startswith("www: paused")
    assert re.search(r"^www +paused ", ctl.do("status"), re.MULTILINE)
    assert ctl.do("resume", "www") == "www: resumed\n"
    pid = daemon.workers("mail")[0]
    assert ctl.do("kill-worker", str(pid)) == f"mail: worker {pid} killed\n"
    assert ctl.do("version") == f"preforkctl {_version()}\npreforkd {_version()}, pid {daemon.pid}\n"
    assert "max_workers = 7" in ctl.do("config")
    assert ctl.do("stop") == "stopping\n"
    assert daemon.wait_end() == 0


def _version() -> str:
    return run_preforkd("--version").stdout.split()[1]


# --- exit codes -------------------------------------------------------------------------------------------------------

def test_exit_codes_of_failures(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    for arguments in (["restart", "nope"], ["kill-worker", "1"], ["scale", "www", "max_workers=1"],
                      ["upgrade", "/bin/false"], ["top", "nope"]):
        result = ctl.run(*arguments)
        assert result.returncode == FAILURE and result.stderr.count("\n") >= 1 and result.stdout == "", result


@pytest.mark.parametrize("arguments", [["status"], ["why"], ["config"], ["version"], ["reload"], ["reload", "--dry-run"],
                                       ["restart", "www"], ["pause", "www"], ["drain"], ["kill-worker", "7"], ["stop"], ["upgrade"]],
                         ids=" ".join)
def test_a_daemon_that_is_stopped_does_not_keep_us(controlled: tuple[Daemon, Ctl], arguments: list[str]) -> None:
    daemon, ctl = controlled
    daemon.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        result = ctl.run("--timeout", "200ms", *arguments)
        assert time.monotonic() - started < 5 * SLOW
        assert result.returncode == NOT_RUNNING and result.stdout == ""
        assert "preforkd did not answer within 0.2 s" in result.stderr
    finally:
        daemon.send_signal(signal.SIGCONT)


def test_an_answer_that_trickles_does_not_keep_us(tmp_path: Path) -> None:
    """The time is for the whole answer and not for each of its bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        process = subprocess.Popen([CTL, "-s", tmp_path / "socket", "--timeout=1", "status"], stderr=subprocess.PIPE)
        connection, _ = server.accept()
        with connection, process:
            give_up = time.monotonic() + 10 * SLOW
            while process.poll() is None and time.monotonic() < give_up:
                try:
                    connection.send(b" ")
                except OSError:
                    break
                time.sleep(0.05)
            assert process.wait(5 * SLOW) == NOT_RUNNING


def test_upgrade(controlled: tuple[Daemon, Ctl], tmp_path: Path) -> None:
    """To a path that is relative to where the user is; what cannot take over is refused with its reason."""
    daemon, ctl = controlled
    (tmp_path / "next").symlink_to(BINARY)
    said = ctl.run("upgrade", "next", cwd=tmp_path)
    assert said.returncode == OK and said.stderr == "", said
    assert said.stdout == f"upgraded from {_version()} to {_version()}: {tmp_path}/next, pid {daemon.pid}\n"
    assert ctl.do("upgrade") == said.stdout
    refused = ctl.run("upgrade", "/bin/true")
    assert refused.returncode == FAILURE and refused.stdout == "", refused
    assert refused.stderr == ("/bin/true: it cannot take over: its preflight ended with code 0 and without a message\n"
                              "preforkctl: not upgraded: the running program goes on\n")


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["status", "a", "b"], ["why", "--watch"], ["--watch"], ["status", "a", "b", "--watch"], ["status", "--nope"], ["restart"], ["scale", "www"], ["kill-worker", "x"],
    ["reload", "www"], ["top", "a", "b"], ["top", "-d", "never"], ["top", "-d"], ["status", "-d", "2s"], ["-s"],
    ["top", "--json"], ["status", "\x1b[2J"], ["status", "x" * 5000], ["status", "-x"], ["-x", "status"], ["upgrade", "-x"],
    ["status", "-d", "1s"], ["-d", "1s", "status"], ["-d", "never", "--help"], ["--timeout", "never", "status"], ["--timeout=0", "status"], ["--timeout"],
], ids=lambda arguments: " ".join(arguments)[:30].replace("\x1b", "ESC"))
def test_usage_is_checked_without_a_daemon(tmp_path: Path, arguments: list[str]) -> None:
    result = subprocess.run([CTL, *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert result.returncode == USAGE and result.stdout == "" and result.stderr.startswith("preforkctl: "), result


def test_help_and_version() -> None:
    for arguments in (["help"], ["-h"], ["--help"], ["status", "--help"], ["scale", "www", "-h"], ["--json", "-h"],
                      ["-s", "/nonexistent", "stop", "--help"], ["frobnicate", "-x", "--help"], ["-h", "-V"]):
        result = subprocess.run([CTL, *arguments], capture_output=True, text=True, check=True, timeout=20)
        for word in ("status", "top", "why", "healthcheck", "reload", "restart", "scale", "pause", "resume", "drain", "undrain", "kill-worker",
                     "stop", "upgrade", "config", "version", "--json", "-s"):
            assert re.search(rf"^ +.*{word}\b", result.stdout, re.MULTILINE), word
    for arguments in (["-V"], ["--version"], ["status", "-V"], ["stop", "--now", "--version"], ["-V", "--help"]):
        result = subprocess.run([CTL, *arguments], capture_output=True, text=True, check=True, timeout=20)
        assert result.stdout == f"preforkctl {_version()}\n" and result.stderr == ""
    result = subprocess.run([CTL, "-s", "-h", "status"], capture_output=True, text=True, check=False, timeout=20)
    assert result.returncode == NOT_RUNNING and "control socket -h" in result.stderr, "the value of an option is none itself"


FULL = "No space left on device"
CLOSED = "Bad file descriptor"


@pytest.mark.parametrize(("redirection", "why"), [(">/dev/full", FULL), (">&-", CLOSED)])
def test_stdout_that_cannot_be_written(controlled: tuple[Daemon, Ctl], redirection: str, why: str) -> None:
    """Said on stderr by every command; and for those that change something, that it was done."""
    daemon, ctl = controlled

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", f'exec "$0" "$@" {redirection}', CTL, "-s", ctl.path, *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=20 * SLOW, check=False)

    pid = str(daemon.workers("mail")[0])
    for arguments in (["help"], ["-V"], ["status"], ["status", "--json"], ["status", "www", "--workers"], ["top"], ["why"],
                      ["reload", "--dry-run"], ["config"], ["version"], ["reload", "--json"], ["reload"],
                      ["restart", "www"], ["scale", "www", "max=7"], ["pause", "www"], ["resume", "www"],
                      ["drain"], ["undrain", "www"], ["kill-worker", pid], ["upgrade"], ["stop"]):
        done = arguments[0] in ("restart", "scale", "pause", "resume", "drain", "undrain", "kill-worker", "upgrade", "stop") or (
            arguments[0] == "reload" and "--dry-run" not in arguments)
        result = run(*arguments)
        assert result.returncode == FAILURE, result
        assert result.stderr == (f"preforkctl: cannot write to stdout: {why}"
                                 + (f"; the command was carried out: {arguments[0]}" if done else "") + "\n"), result
    assert daemon.wait_end() == 0
    assert run("status", "--json").returncode == NOT_RUNNING


@pytest.mark.parametrize("what", ["nothing", "a dead socket", "no directory", "a file", "below a file", "a long path",
                                  "a long name", "a loop", "datagrams"])
def test_not_running(tmp_path: Path, what: str) -> None:
    path = tmp_path / "control.sock"
    if what == "a dead socket":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(path))
    elif what == "no directory":
        path = tmp_path / "none" / "control.sock"
    elif what in ("a file", "below a file"):
        path.write_text("precious")
        path = path if what == "a file" else path / "control.sock"
    elif what == "a long path":
        path = tmp_path / "x" / ("y" * (108 - len(str(tmp_path / "x/"))))
        assert len(str(path)) == 109
    elif what == "a long name":
        path = tmp_path / ("z" * 300)
    elif what == "a loop":
        path.symlink_to(path)
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if what == "datagrams":
        datagrams.bind(str(path))
    with datagrams:
        for arguments in (["status"], ["top"], ["stop"]):
            result = Ctl(path).run(*arguments)
            assert result.returncode == NOT_RUNNING and str(path) in result.stderr, result


def test_no_permission(controlled: tuple[Daemon, Ctl], as_root: None, tmp_path: Path) -> None:
    """Kept away by the mode, and refused by the daemon."""
    _, ctl = controlled
    copy = tmp_path / "preforkctl"
    copy.write_bytes(CTL.read_bytes())
    copy.chmod(0o755)
    for mode in (0o600, 0o666):
        ctl.path.chmod(mode)
        result = subprocess.run([copy, "-s", ctl.path, "stop"], user="nobody", group="nogroup", extra_groups=[],
                                capture_output=True, text=True, check=False, timeout=20)
        assert result.returncode == PERMISSION and "may not" in result.stderr, result


def test_a_stranger_behind_the_socket(tmp_path: Path) -> None:
    """Nothing, garbage, another protocol: a failure that says so, not a crash."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        for reply in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"[]\n", b'{"protocol":3,"ok":true}\n', b'{"ok":true}\n',
                      b'{"protocol":2,"ok":false}\n', b"{" * 100000):
            process = subprocess.Popen([CTL, "-s", path, "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            client, _ = listener.accept()
            with client:
                client.recv(100)
                client.sendall(reply)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == FAILURE and errors.startswith(b"preforkctl: "), (reply[:20], errors)


def test_documents_without_what_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        for arguments in (["status"], ["status", "x"], ["why"], ["reload"], ["restart", "x"], ["version"], ["config"]):
            for pools in ("[{}]", "[1]", "{}", "null", '[{"workers":[{}],"listeners":[{}],"decisions":[{}]}]'):
                process = subprocess.Popen([CTL, "-s", path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                client, _ = listener.accept()
                with client:
                    client.recv(100)
                    client.sendall(f'{{"protocol":2,"ok":true,"pools":{pools},"changes":{pools}}}\n'.encode())
                _, errors = process.communicate(timeout=20)
                assert process.returncode == OK, (arguments, pools, errors)


# --- top --------------------------------------------------------------------------------------------------------------

def top(ctl: Ctl, *arguments: str, **size: Any) -> AbstractContextManager[Terminal]:
    return terminal([CTL, "-s", ctl.path, "top", *arguments], **size)


def test_top_shows_pools_and_workers(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    with top(ctl, "-d", "100ms") as screen:
        screen.wait(rf"preforkd \S+, pid {daemon.pid}, running")
        screen.wait(r"POOL +STATE +GEN")
        for pid in daemon.workers():
            screen.wait(rf"\b{pid} +www +idle")
        with connect(address_of(daemon)):
            screen.wait(r"\d+ +www +busy")
        screen.type(b"q")
        assert screen.end() == OK


@pytest.mark.parametrize("command", ["status", "status www --workers", "top"])
@pytest.mark.parametrize("how", ["TERM=xterm", "NO_COLOR=1", "TERM=dumb", "piped"])
def test_states_have_colours_on_a_terminal(controlled: tuple[Daemon, Ctl], command: str, how: str) -> None:
    _, ctl = controlled
    if how == "piped":
        assert "\x1b" not in ctl.do(*command.split())
        return
    program = ["/usr/bin/env", *(["-u", "NO_COLOR"] if how != "NO_COLOR=1" else []), how, CTL, "-s", ctl.path]
    with terminal([*program, *command.split()], term="xterm") as screen:
        screen.wait("www.* running")
        if command == "top" and how != "TERM=dumb":
            screen.type(b"q")
        assert screen.end() == OK
        assert screen.screen.colours == ({32} if how == "TERM=xterm" else set())


def test_the_table_of_pools_has_what_fits(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    wide = r" REQUESTS +REFUSED +TIMEOUTS +DIED +LOST +~MEDIAN +~P99 +~WAIT P99$"
    assert re.search(wide, ctl.do("status"), re.MULTILINE)
    for command in ("status", "top"):
        fits = r" REQUESTS +REFUSED +TIMEOUTS$" if command == "status" else r" REQUESTS +BUSY, 10 MIN$"
        widest = wide if command == "status" else wide.replace("REQUESTS", "REQUESTS +BUSY, 10 MIN")
        for columns, heading in ((200, widest), (106, fits), (80, r" MAX .*")):
            with terminal([CTL, "-s", ctl.path, command], columns=columns, term="vt100") as screen:
                screen.wait(heading)
                assert columns > 80 or "REFUSED" not in screen.text()
                screen.type(b"q")
                assert screen.end() == OK


@pytest.mark.parametrize("how", ["text", "json"])
def test_status_watches(controlled: tuple[Daemon, Ctl], how: str) -> None:
    """Until the daemon ends; a pipe gets one after the other."""
    daemon, ctl = controlled
    options = ["--watch", "-d", "100ms", *(["--json"] if how == "json" else [])]
    with subprocess.Popen([CTL, "-s", ctl.path, "status", "www", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout and process.stderr
        if how == "json":
            assert [json.loads(process.stdout.readline())["pools"][0]["name"] for _ in range(3)] == ["www"] * 3
        else:
            first = process.stdout.readline()
            shown = 1
            while shown < 3:
                line = process.stdout.readline()
                shown += line == "\n" and process.stdout.readline().split()[:2] == first.split()[:2]
        daemon.stop()
        # It may still answer when the pool has gone; that is JSON, too.
        said = process.stdout.read() + process.stderr.read()
        assert (process.wait(20), True) in ((NOT_RUNNING, "not running" in said), (FAILURE, "there is no pool" in said)), said


def test_status_watches_on_a_screen(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    with terminal([CTL, "-s", ctl.path, "status", "--watch", "-d", "100ms"], columns=120, term="xterm") as screen:
        screen.wait(r"^www +running")
        ctl.do("pause", "www")
        screen.wait(r"^www +paused")
        assert len(re.findall("^www ", screen.text(), re.MULTILINE)) == 1, "in the same place"
        ctl.do("resume", "www")
        screen.type(b"\x03")
        screen.end()
    assert daemon.running()


def test_top_sorts(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    with top(ctl) as screen:
        screen.wait("by state")
        assert "s r c m t p sort" in screen.text()
        for key, name in ((b"r", "requests"), (b"c", "cpu"), (b"m", "memory"), (b"t", "time"), (b"p", "pid"),
                          (b"s", "state")):
            screen.type(key)
            screen.wait(f"^by {name} ")
        screen.type(b"R")
        screen.wait("reversed")
        screen.type(b"\x1b[B\x1b[A\x1b[6~\x1b[5~ xyz")
        screen.type(b"q")
        assert screen.end() == OK


def test_top_explains_itself(controlled: tuple[Daemon, Ctl]) -> None:
    """Keys and columns, until any key; a change of the window's size is none."""
    _, ctl = controlled
    with top(ctl, "-d", "100ms") as screen:
        for key in (b"h", b"?"):
            screen.wait(r"POOL +STATE")
            screen.type(key)
            wait_until(lambda: re.search("~WAIT P99 +how long", screen.text()) and "Workers are sorted by" in screen.text() and
                       not re.search(r"POOL +STATE", screen.text()), "the explanation")  # drawn in pieces, perhaps
            screen.resize(40, 130 if key == b"h" else 131)
            screen.wait("Workers are sorted by")
            screen.type(b"r")  # sorts nothing
        screen.wait(r"^by state ")
        screen.type(b"q")
        assert screen.end() == OK


@pytest.mark.parametrize("size", [(1, 1), (2, 10), (5, 20), (24, 80), (60, 300)])
def test_top_survives_every_size(controlled: tuple[Daemon, Ctl], size: tuple[int, int]) -> None:
    """Begins small, is made large, small and large again."""
    daemon, ctl = controlled
    with top(ctl, "-d", "100ms", rows=size[0], columns=size[1]) as screen:
        wait_until(lambda: screen.text() and screen.drawn, "it has begun")
        for _ in range(3):
            for rows, columns in ((50, 200), size, (3, 5), (30, 120)):
                drawn = screen.drawn
                screen.resize(rows, columns)
                wait_until(lambda: screen.text() and screen.drawn > drawn, "something is drawn")
        screen.wait(rf"pid {daemon.pid}")
        screen.type(b"q")
        assert screen.end() == OK


def test_top_uses_the_room_it_gets(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    with top(ctl, "-d", "100ms", rows=6, columns=40) as screen:
        screen.wait("POOL")
        assert "LAST EXIT" not in screen.text()
        screen.resize(40, 120)
        screen.wait("LAST EXIT")
        for pid in daemon.workers():
            screen.wait(rf"\b{pid} +www")
        screen.type(b"q")
        assert screen.end() == OK


@pytest.mark.parametrize("keys", [b"\x1bOB", b"\x1b[6~"], ids=["down", "page down"])
def test_top_reaches_everything_on_a_small_screen(preforkd: Start, tmp_path: Path, keys: bytes) -> None:
    """22 pools, more than the screen has lines: pools and workers scroll as one list, to the last and back."""
    path = tmp_path / "control.sock"
    pools = [f"pool{number:02}" for number in range(22)]
    daemon = preforkd({name: {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}
                       for name in pools}, master={"control": path})
    workers = [daemon.wait_workers(1, name)[0] for name in pools]
    with top(Ctl(path), "-d", "1h", rows=60, columns=80, term="xterm") as screen:
        rows = [*(rf"^{name} +running" for name in pools), *(rf"^ *{pid} +pool" for pid in workers)]

        def shown() -> list[str]:
            """The rows on the screen, from the top."""
            text = screen.text()
            places = {row: match.start() for row in rows if (match := re.search(row, text, re.MULTILINE))}
            return sorted(places, key=places.__getitem__)

        def first_row() -> int | None:
            """The number of the first row on the screen, when just those that are due are drawn."""
            position = re.search(r"^(\d+) rows above, (\d+) below$", screen.text(), re.MULTILINE)
            if not position or shown() != order[int(position[1]):len(order) - int(position[2])] or "q quit" not in screen.text():
                return None
            return int(position[1])

        wait_until(lambda: len(shown()) == len(rows), "all rows")
        order = shown()
        screen.resize(24, 80)
        wait_until(lambda: first_row() == 0, "the first rows")
        assert len(shown()) == 20 and "PID" not in screen.text()
        above, seen = 0, set(shown())
        while seen != set(rows):
            screen.type(keys)
            before = above
            wait_until(lambda: (first_row() or 0) > before, f"rows below {before}")
            above = first_row() or 0
            seen |= set(shown())
        screen.wait(", 0 below$")
        screen.resize(60, 80)
        screen.wait("^pool00 ")
        screen.wait(rf"^ *{workers[-1]} ")
        assert "below" not in screen.text()
        screen.resize(24, 80)
        screen.wait("^0 rows above")
        screen.type(b"\x1bOF")
        screen.wait(", 0 below$")
        screen.type(b"\x1bOH")
        screen.wait("^0 rows above")
        screen.type(b"q")
        assert screen.end() == OK


def test_top_outlives_the_daemon(controlled: tuple[Daemon, Ctl]) -> None:
    """It says that nobody is there, and shows the next one."""
    daemon, ctl = controlled
    with top(ctl, "-d", "100ms") as screen:
        screen.wait(r"www +running")
        daemon.stop()
        screen.wait("is not running")
        screen.type(b"q")
        assert screen.end() == OK


def test_top_of_one_pool(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    with top(ctl, "mail") as screen:
        screen.wait(r"\d+ +mail +idle")
        assert "www" not in screen.text()
        screen.type(b"q")
        assert screen.end() == OK


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], ids=lambda number: number.name)
@pytest.mark.parametrize("interval", ["100ms", "1h"])
def test_top_ended_by_a_signal(controlled: tuple[Daemon, Ctl], number: signal.Signals, interval: str) -> None:
    """It dies of it, as programs do, after the terminal is as before: a shell goes by that."""
    _, ctl = controlled
    with top(ctl, "-d", interval) as screen:
        screen.wait("by state")
        assert not screen.echoes()
        if number == signal.SIGINT:
            screen.type(b"\x03")
        else:
            os.kill(screen.pid, number)
        assert screen.end() == -number
        assert screen.echoes()


def test_top_leaves_signals_alone_that_are_ignored(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    with terminal(["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', CTL, "-s", ctl.path, "top"]) as screen:
        screen.wait("by state")
        screen.type(b"\x03R")
        screen.wait("reversed")
        screen.type(b"q")
        assert screen.end() == OK


def test_top_ends_with_its_terminal(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    master, slave = pty.openpty()
    process = subprocess.Popen([CTL, "-s", ctl.path, "top", "-d", "100ms"], stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, "TERM": "vt100"})
    os.close(slave)
    wait_until(lambda: select.select([master], [], [], 0)[0], "something is drawn")
    os.close(master)
    process.wait(10 * SLOW)


@pytest.mark.parametrize("term", ["vt100", "no-such-terminal", ""])
def test_top_without_a_terminal_prints_once(controlled: tuple[Daemon, Ctl], term: str) -> None:
    daemon, ctl = controlled
    result = ctl.run("top", env={**os.environ, "TERM": term})
    assert result.returncode == OK
    assert f"pid {daemon.pid}" in result.stdout and "\x1b" not in result.stdout
    assert all(str(pid) in result.stdout for pid in daemon.workers())


@pytest.mark.parametrize("term", ["no-such-terminal", "dumb", ""])
def test_top_where_nobody_can_draw_prints_once(controlled: tuple[Daemon, Ctl], term: str) -> None:
    daemon, ctl = controlled
    master, slave = pty.openpty()
    try:  # curses itself leaks what it allocated before it found out
        process = subprocess.Popen([CTL, "-s", ctl.path, "top"], stdin=slave, stdout=slave, stderr=slave,
                                   env={**os.environ, "TERM": term, "ASAN_OPTIONS": "detect_leaks=0"})
        assert process.wait(10 * SLOW) == OK
        said = os.read(master, 65536)
        assert str(daemon.pid).encode() in said and b"\x1b" not in said
        assert all(str(pid).encode() in said for pid in daemon.workers())
    finally:
        os.close(slave)
        os.close(master)


# --- logs, where there is no journal (where there is one: tests/systemd) ---------------------------------------------

def logs_elsewhere(directory: Path, *commands: str, user: str = "root") -> subprocess.CompletedProcess[str]:
    """`preforkctl logs` in a mount namespace with an empty /run and /var/log, after these shell commands."""
    program = directory / "preforkctl"
    shutil.copy(CTL, program)
    program.chmod(0o755)
    inner = " && ".join(["mount -t tmpfs none /run", "mount -t tmpfs none /var/log", *commands,
                         f"exec setpriv --reuid={user} --regid=nogroup --clear-groups {program} logs"])
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", inner], capture_output=True,
                          text=True, timeout=20 * SLOW, check=False)


def test_logs_without_systemd(own_mounts: Path, tmp_path: Path) -> None:
    result = logs_elsewhere(tmp_path)
    assert result.returncode == FAILURE and result.stdout == ""
    assert result.stderr.startswith("preforkctl: there is no journal: this system does not run systemd;")


def test_logs_of_a_journald_that_keeps_none(own_mounts: Path, tmp_path: Path) -> None:
    result = logs_elsewhere(tmp_path, "mkdir -p /run/systemd/system")
    assert result.returncode == FAILURE and "journald keeps none" in result.stderr


def test_logs_that_may_not_be_read(own_mounts: Path, tmp_path: Path) -> None:
    """Also where the directory is closed, as that of the volatile journal is."""
    for base, mode in (("/var/log/journal", 755), ("/run/log/journal", 750)):
        commands = [f"mkdir -p {base}/$(cat /etc/machine-id)", f"cd {base}/*", f"chmod {mode} .", "touch system.journal",
                    "chmod 640 system.journal", "cd /"]
        result = logs_elsewhere(tmp_path, *commands, user="nobody")
        assert result.returncode == PERMISSION and "you may not read the journal" in result.stderr, result


@pytest.mark.parametrize("arguments", ["www mail", "-n x", "-p loud", "--since soon", "--until now", "--json", "-d 1s"])
def test_logs_usage(tmp_path: Path, arguments: str) -> None:
    """Wrong usage is found before anything is looked for."""
    result = Ctl(tmp_path / "none").run("logs", *arguments.split())
    assert result.returncode == USAGE and 'Try "preforkctl help"' in result.stderr


# --- completion -------------------------------------------------------------------------------------------------------

def split_as_bash(words: list[str]) -> list[str]:
    """COMP_WORDS: bash breaks words at each `=` and `:`, which become words of their own (COMP_WORDBREAKS)."""
    return [part for word in words for part in (re.findall(r"[=:]+|[^=:]+", word) or [""])]


def completions(words: list[str], directory: Path) -> list[str]:
    """What bash offers for the last word."""
    line = " ".join(words)
    words = split_as_bash(words)
    script = ROOT / "share/bash-completion/completions/preforkctl"
    program = (f"set -u; . {script}; COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; "
               f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _preforkctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, timeout=20,
                            env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"})
    assert result.stderr == ""
    return result.stdout.split()


def test_completion(controlled: tuple[Daemon, Ctl]) -> None:
    daemon, ctl = controlled
    at = ["preforkctl", "-s", str(ctl.path)]
    offered = completions([*at, ""], CTL.parent)
    assert {"status", "top", "why", "healthcheck", "reload", "restart", "scale", "pause", "resume", "drain", "undrain", "kill-worker",
            "stop", "config", "version", "help"} <= set(offered)
    assert completions([*at, "re"], CTL.parent) == ["reload", "reopen-logs", "restart", "resume"]
    assert completions([*at, "restart", ""], CTL.parent) == ["www", "mail"]
    assert completions([*at, "status", "m"], CTL.parent) == ["mail"]
    assert completions([*at, "adv"], CTL.parent) == ["advise"] and completions([*at, "advise", "w"], CTL.parent) == ["www"]
    assert completions([*at, "reload", "--"], CTL.parent) == ["--dry-run", "--json", "--timeout"]
    assert set(completions([*at, "kill-worker", ""], CTL.parent)) == {
        str(pid) for pid in daemon.workers() + daemon.workers("mail")}
    assert completions([*at, "logs", ""], CTL.parent) == ["www", "mail"]
    assert completions([*at, "logs", "-n", "5", "m"], CTL.parent) == ["mail"]
    assert completions([*at, "logs", "-p", "w"], CTL.parent) == ["warning"]
    assert completions([*at, "logs", "--s"], CTL.parent) == ["--since"]
    assert completions([*at, "logs", "--since", "y"], CTL.parent) == ["yesterday"]
    assert completions([*at, "import", ""], CTL.parent) == ["xinetd", "inetd", "systemd", "tcpserver", "php-fpm",
                                                                "tcprules", "hosts-access"]
    assert completions([*at, "import", "xinetd", "--"], CTL.parent) == ["--table"]
    assert "max_workers=" in completions([*at, "scale", "www", "max_"], CTL.parent)
    assert completions(["preforkctl", "-s", "/nonexistent", "restart", ""], CTL.parent) == []


def test_completion_offers_every_key_that_scale_takes(controlled: tuple[Daemon, Ctl]) -> None:
    """Those of the option table whose change applies in place, then the short forms; and scale takes each of them."""
    _, ctl = controlled
    pool_keys = run_preforkd("--help-config").stdout.split("\n[")[2]
    keys = re.findall(r"^(\w+).*\n(?:        .*\n)*        .*; a change applies in place$", pool_keys, re.MULTILINE)
    at = ["preforkctl", "-s", str(ctl.path)]
    assert len(keys) > 15
    short = [key.removesuffix("_workers") for key in ("max_workers", "min_spare_workers", "max_spare_workers", "start_workers")]
    assert completions([*at, "scale", "www", ""], CTL.parent) == [f"{key}=" for key in keys + short]
    ctl.do("scale", "www", "max=9", "min_spare=2", "max_spare=3", "start=2")
    document = json.loads(ctl.run("--json", "scale", "www", *(f"{key}=?" for key in keys)).stdout)
    refused = "\n".join(problem["text"] for problem in document["problems"])
    assert "cannot change" not in refused and all(key in refused for key in keys), refused


def test_completion_knows_the_values_of_options(controlled: tuple[Daemon, Ctl]) -> None:
    _, ctl = controlled
    for option in ("--timeout", "-d"):
        assert completions(["preforkctl", "-s", str(ctl.path), option, ""], CTL.parent) == []
        assert completions(["preforkctl", option, "5s", "-s", str(ctl.path), "restart", "w"], CTL.parent) == ["www"]
    assert "--timeout" in completions(["preforkctl", "scale", "www", "--"], CTL.parent)


SCALE_KEYS = "max_workers="


@pytest.mark.parametrize("option", ["-s {}", "-s{}", "--socket {}", "--socket={}"])
def test_completion_after_every_form_of_the_socket(controlled: tuple[Daemon, Ctl], option: str, tmp_path: Path) -> None:
    _, ctl = controlled
    odd = tmp_path / "a=b:c.sock"  # split into five words
    odd.symlink_to(ctl.path)
    for path in (ctl.path, odd):
        at = ["preforkctl", *option.format(path).split(" ")]
        assert "reload" in completions([*at, ""], CTL.parent)
        assert completions([*at, "restart", "w"], CTL.parent) == ["www"]
        assert completions([*at, "--json", "status", "m"], CTL.parent) == ["mail"]
        assert SCALE_KEYS in completions([*at, "scale", "www", "max_"], CTL.parent)
        assert SCALE_KEYS in completions([*at, "scale", "www", "max_requests=3", "max_"], CTL.parent)
        assert completions([*at, "scale", "www", "max_requests=3"], CTL.parent) == []


def test_completion_of_the_socket_s_path(tmp_path: Path) -> None:
    (tmp_path / "one.sock").touch()
    path = f"{tmp_path}/on"
    for words in (["-s", path], ["--socket", path], [f"--socket={path}"]):
        assert completions(["preforkctl", *words], CTL.parent) == [f"{tmp_path}/one.sock"]
    assert completions(["preforkctl", f"-s{path}"], CTL.parent) == [f"-s{tmp_path}/one.sock"]


@pytest.mark.parametrize("option", ["-s {}", "-s{}", "--socket={}"])
def test_completion_in_a_real_shell(controlled: tuple[Daemon, Ctl], option: str) -> None:
    """On a terminal, with readline's own way to split a line; no file of a user is read."""
    _, ctl = controlled
    script = ROOT / "share/bash-completion/completions/preforkctl"
    with terminal(["/bin/bash", "--norc", "--noprofile", "-i"], rows=40, columns=200) as screen:
        screen.type(f"PS1='ready> '; PATH={CTL.parent}:$PATH; . {script}\n".encode())
        screen.wait("^ready>$")
        screen.type(f"preforkctl {option.format(ctl.path)} rest\t".encode())
        screen.wait(r"\.sock restart ?$")
        screen.type(b"w\t")
        screen.wait(r"\.sock restart www ?$")
        screen.type(b"\x15exit\n")
        screen.end()
