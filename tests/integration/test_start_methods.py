"""What a handler gets and does is the same however it is started: executed for its connection, or copied from a process
that was stopped before its main() or at its first touch of the connection."""

from __future__ import annotations

import errno
import json
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (AS_ROOT, POOL_USER, SLOW, Daemon, alive, children, connect, context_switches, handler, preload_object,
                    read_all, request, run_preforkd, stat_fields, tcp4, wait_until)
from inetd_handlers import InetdHandler, refused, without_descriptor, works
from test_touch_stop import converse

Start = Callable[..., Daemon]



@dataclass(frozen=True)
class Method:
    """A way to start a handler, and to copy it."""

    name: str
    keys: dict[str, str]

    @property
    def stop(self) -> str:
        return self.keys["start_method"]


X86 = platform.machine() == "x86_64"
COPIED = [Method("forkserver", {"start_method": "forkserver"}),
          *([Method("snapshot", {"start_method": "snapshot"}),
             Method("forkserver-rollback", {"start_method": "forkserver", "copy": "rollback"}),
             Method("snapshot-rollback", {"start_method": "snapshot", "copy": "rollback"}),
             Method("snapshot-strict", {"start_method": "snapshot", "copy": "rollback", "rollback_check": "strict"})]
            if X86 else [])]
METHODS = [Method("exec", {"start_method": "exec"}), *COPIED]
FORKED = [method for method in COPIED if "copy" not in method.keys]


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest) -> Method:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=COPIED, ids=lambda method: method.name)
def copied(request: pytest.FixtureRequest) -> Method:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=FORKED, ids=lambda method: method.name)
def forked(request: pytest.FixtureRequest) -> Method:
    return request.param  # type: ignore[no-any-return]


def serve(preforkd: Start, row: InetdHandler, directory: Path, method: Method) -> tuple[Daemon, str]:
    if row.missing():
        pytest.skip(f"{row.missing()} is not installed")
    address, variables, command = tcp4(), row.variables(directory), row.command(directory)
    if AS_ROOT:  # git serves only what is its user's
        subprocess.run(["chown", "-R", POOL_USER, str(directory)], check=True)
    options: dict[str, Any] = {"environment": [f"{name}={value}" for name, value in variables.items()]} if variables else {}
    daemon = preforkd({"www": {"listen": address, "handler": command, **method.keys,
                               "scaling": "static", "max_workers": 2, "stderr": "null", **options}}, control=True)
    return daemon, address


def ask(address: str, row: InetdHandler) -> bytes:
    with connect(address, 20) as client:
        return converse(client, row.sends, row.half_close)


@pytest.mark.parametrize("row", works(), ids=lambda row: row.name)
def test_every_handler(preforkd: Start, tmp_path: Path, method: Method, row: InetdHandler) -> None:
    """The same answer to each of five clients, of two workers."""
    daemon, address = serve(preforkd, row, tmp_path, method)
    for number in range(5):
        answer = ask(address, row)
        assert row.is_answer(answer), f"connection {number}: {answer!r}"
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 5, "five requests")
    daemon.assert_quiet()


@pytest.mark.skipif(not X86, reason="x86-64 alone")
@pytest.mark.parametrize("row", refused(), ids=lambda row: row.name)
def test_what_cannot_be_copied_is_refused_by_name(preforkd: Start, tmp_path: Path, row: InetdHandler) -> None:
    daemon, _ = serve(preforkd, row, tmp_path, Method("snapshot", {"start_method": "snapshot"}))
    assert without_descriptor(daemon.wait_copies("refused")) == row.refusal
    daemon.wait_message("backing off")


@pytest.fixture
def probe(preforkd: Start, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What a handler sees of itself, asked by a second client: what the first has left would show."""
    def look(**keys: Any) -> dict[str, Any]:
        from daemon import handler  # noqa: PLC0415
        address = keys.pop("listen", None) or tcp4()
        preforkd({"www": {"listen": address, "handler": [handler("probe", tmp_path), "an argument"], "scaling": "static",
                          "max_workers": 1, **keys}})
        request(address)
        seen: dict[str, Any] = json.loads(request(address))
        return seen

    return look


# What differs between two processes of the same program anyway.
OWN = re.compile(r"pid|sid|pgid|TCPREMOTEPORT|REMOTE_PORT|TCPLOCALPORT|inode|time")


def comparable(report: Any) -> Any:
    if isinstance(report, dict):
        return {key: comparable(value) for key, value in report.items() if not OWN.search(key)}
    if isinstance(report, list):
        return [comparable(item) for item in report if not (isinstance(item, str) and OWN.search(item))]
    return re.sub(r":\[\d+\]", "", report) if isinstance(report, str) else report


@pytest.mark.parametrize("copy", ["fork", *(["rollback"] if X86 else [])])
@pytest.mark.parametrize("keys", [
    {}, {"umask": "027", "nice": 3}, {"limit_nofile": "50:60", "limit_core": "0", "limit_cpu": "7:9", "limit_as": "900M"},
    {"limit_data": "700M:800M", "limit_stack": "4M:16M", "limit_fsize": "1M:2M"},
    {"environment": ["ONE=1", "LD_BIND_NOT=1"], "clear_environment": "yes"}, {"stderr": "socket"}, {"directory": "/usr"},
], ids=lambda keys: " ".join(keys) or "defaults")
def test_a_handler_sees_the_same(probe: Callable[..., dict[str, Any]], keys: dict[str, Any], copy: str) -> None:
    """… under forkserver. (Under snapshot there is nothing about the client in the environment.)"""
    assert comparable(probe(**keys, start_method="forkserver", copy=copy)) == comparable(probe(**keys, start_method="exec"))


def test_a_crash_takes_one_connection(preforkd: Start, method: Method) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "handler": [
        "/usr/bin/perl", "-e", "my $line = <STDIN>; kill 'SEGV', $$ if $line =~ /crash/; print $line"]}}, control=True)
    workers = daemon_workers(daemon)
    for _ in range(3):
        assert request(address, b"crash\n") == b""
        assert request(address, b"serve\n") == b"serve\n"
    wait_until(lambda: control_of(daemon).pool()["totals"]["handler_deaths"] == 3, "three deaths")
    if "copy" in method.keys:  # its memory is not trusted any more
        assert daemon_workers(daemon) != workers
    else:
        assert daemon_workers(daemon) == workers
    daemon.assert_quiet()


def waiting_copy(daemon: Daemon, worker: int) -> int:
    """The copy that waits in the only worker's place. (Before it is ready, a worker looks for room with a child.)"""
    wait_until(lambda: control_of(daemon).pool()["counts"]["idle"] == 1, "an idle worker")
    [copy] = children(worker)
    return copy


def daemon_workers(daemon: Daemon) -> list[int]:
    """The workers that are no longer being launched."""
    def find() -> list[int] | None:
        pids = [row["pid"] for row in control_of(daemon).pool(workers=True)["workers"]]
        return sorted(pids) if all(pids) else None

    return wait_until(find, "the workers' pids")


def test_nothing_of_ours_is_in_a_copy(preforkd: Start, copied: Method) -> None:
    """No descriptor, no handler of a signal, no mapping of the scoreboard; a copy by rollback shares the worker's memory."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **copied.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        [pid] = children(daemon_workers(daemon)[0])
        assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
        assert ("memfd:" in Path(f"/proc/{pid}/maps").read_text()) == ("copy" in copied.keys)
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^SigBlk:\s+0+$", status, re.MULTILINE) and re.search(r"^SigCgt:\s+0+$", status, re.MULTILINE)


def test_the_scoreboard_is_not_in_what_a_handler_forks(preforkd: Start, method: Method) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "handler": [
        "/usr/bin/perl", "-e", "$| = 1; $_ = <STDIN>; if (!fork) { open(my $maps, '<', '/proc/self/maps') or die; "
                               "my @found = grep { /memfd/ } <$maps>; print scalar(@found), ' '; exit } wait; print 'end'"]}})
    assert request(address, b"\n") == b"0 end"


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_environment_says_nothing_of_us(preforkd: Start, tmp_path: Path, method: Method, shell: str) -> None:
    """Neither in the handler nor in what it executes, also when the handler is bash, which has its own getenv(3). What
    the user preloads stays."""
    own = preload_object(tmp_path)["PREFORKD_PRELOAD"]
    other = tmp_path / "other.so"
    other.write_bytes(Path(own).read_bytes())
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "environment": [f"LD_PRELOAD={other}"], "stderr": "null",
                      "handler": [shell, "-c", "read line; env; echo own=$LD_PRELOAD"]}})
    said = request(address, b"\n").decode()
    assert re.search(rf"^LD_PRELOAD={re.escape(str(other))}$", said, re.MULTILINE), said
    assert re.search(rf"^own={re.escape(str(other))}$", said, re.MULTILINE), said
    assert "PREFORK_" not in said and "LD_BIND" not in said, said


def test_a_copy_that_is_killed_ends_its_worker(preforkd: Start, forked: Method) -> None:
    """… and nothing spins: the worker is replaced."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **forked.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    copy = waiting_copy(daemon, worker)
    os.kill(copy, signal.SIGKILL)
    assert int(daemon.wait_copies("died")) == signal.SIGKILL
    wait_until(lambda: daemon_workers(daemon) not in ([], [worker]), "another worker", 20)
    assert request(address, b"x") == b"x"


def test_a_worker_that_is_killed_takes_its_copy_along(preforkd: Start, forked: Method) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **forked.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    copy = waiting_copy(daemon, worker)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not alive(copy), "the end of the copy")
    wait_until(lambda: request(address, b"x") == b"x", "another worker serves", 20)


def test_a_program_starts_once(preforkd: Start, tmp_path: Path, copied: Method) -> None:
    """… for each worker, and not for each connection: a script is read once under snapshot."""
    log, address = tmp_path / "starts", tcp4()
    log.touch()
    log.chmod(0o666)
    script = tmp_path / "script.pl"
    script.write_text(f"open(my $log, '>>', '{log}') or die; syswrite($log, \"start\\n\"); close($log);"
                      "$_ = <STDIN>; print;")
    preforkd({"www": {"listen": address, **copied.keys, "scaling": "static", "max_workers": 1,
                      "handler": ["/usr/bin/perl", str(script)]}})
    for _ in range(4):
        assert request(address, b"x\n") == b"x\n"
    assert len(log.read_text().splitlines()) == (1 if copied.stop == "snapshot" else 4)


@pytest.mark.parametrize(("program", "why"), [
    ("static", "it is statically linked"), ("setuid", "it is setuid, and loads nothing with no_new_privileges = no")])
def test_what_cannot_be_loaded_into_is_refused_ahead(tmp_path: Path, copied: Method, program: str, why: str) -> None:
    [row] = [row for row in [*works(), *refused()] if row.name == program] or [None]  # type: ignore[list-item]
    path = tmp_path / program
    if program == "static":
        source = tmp_path / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        os.system(f"gcc -static -o {path} {source}")  # noqa: S605
    else:
        path.write_bytes(Path("/bin/cat").read_bytes())
        path.chmod(0o4755)
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(f"[www]\nlisten = {tcp4()}\nhandler = {path}\nuser = nobody\nno_new_privileges = no\n"
                             f"start_method = {copied.stop}\n")
    result = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert result.returncode == 78
    assert f"preforkd.conf:6: start_method: {copied.stop} cannot be used with the handler \"{path}\": {why}; expected exec" in result.stderr


def test_too_many_addresses_are_refused_ahead(tmp_path: Path, copied: Method) -> None:
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(f"[www]\nlisten = {' '.join(f'@many-{number}' for number in range(129))}\nhandler = /bin/cat\n"
                             f"user = nobody\nstart_method = {copied.stop}\n")
    result = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert result.returncode == 78
    assert "preforkd.conf:5: start_method: a handler is copied for at most 128 addresses; expected exec" in result.stderr


def test_deadlines_and_orders(preforkd: Start, method: Method) -> None:
    """A request that takes too long is ended with its group, and the next is served."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1,
                               "request_timeout": "1500ms", "kill_timeout": "1s",
                               "handler": ["/bin/sh", "-c", "read line; case $line in slow) sleep 60 & wait;; esac; echo $line"]}},
                      control=True)
    begun = time.monotonic()
    assert request(address, b"slow\n") == b""
    assert time.monotonic() - begun < 10 * SLOW
    assert request(address, b"quick\n") == b"quick\n"
    wait_until(lambda: control_of(daemon).pool()["totals"]["request_timeouts"] == 1, "it is counted")


def test_half_closed_and_big(preforkd: Start, method: Method) -> None:
    """A megabyte each way."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "handler": "/bin/cat"}})
    data = os.urandom(1 << 20)
    assert request(address, data, timeout=30) == data


def test_unix_and_several_listeners(preforkd: Start, tmp_path: Path, method: Method) -> None:
    path, address = str(tmp_path / "sock"), tcp4()
    daemon = preforkd({"www": {"listen": [address, path, f"@preforkd-methods-{method.name}-{os.getpid()}"], **method.keys,
                               "scaling": "static", "max_workers": 2, "handler": "/bin/cat"}}, control=True)
    for where in (address, path) * 6:
        with connect(where) as client:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"x"
    daemon.assert_quiet()


PYTHON_END = """
import atexit, sys, threading, time
sys.stdin.readline()
atexit.register(lambda: print("at exit"))
class Kept:
    def __del__(self): print("freed")
kept = Kept()
thread = threading.Thread(target=lambda: (time.sleep(0.2), print("thread")))
thread.start()
print("main")
sys.exit(7)
"""


@pytest.mark.skipif(not X86, reason="x86-64 alone")
@pytest.mark.parametrize("wrapper", [[], ["/usr/bin/env"]], ids=["", "env"])
@pytest.mark.parametrize("stop", ["snapshot", "snapshot-rollback"])
def test_python_ends_quickly(preforkd: Start, tmp_path: Path, stop: str, wrapper: list[str]) -> None:
    """Threads, atexit, streams and status are what they were; what is freed is nobody's business."""
    [way] = [method for method in COPIED if method.name == stop]
    address, script = tcp4(), tmp_path / "script.py"
    script.write_text(PYTHON_END)
    daemon = preforkd({"www": {"listen": address, **way.keys, "fast_exit": "python", "scaling": "static", "max_workers": 1,
                               "handler": [*wrapper, "/usr/bin/python3", str(script)]}}, control=True)
    for number in range(1, 4):
        assert request(address, b"\n") == b"main\nthread\nat exit\n"
        wait_until(lambda: control_of(daemon).pool()["totals"]["handler_failures"] == number, "status 7")  # noqa: B023
    daemon.assert_quiet()


def test_a_fast_end_of_something_else(preforkd: Start, copied: Method) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **copied.keys, "fast_exit": "python", "handler": "/bin/cat"}})
    assert request(address, b"x") == b"x"
    assert daemon.wait_copies("end slowly") == "the handler is not Python"


def libraries(program: str) -> list[str]:
    """What the loader finds for a program, and the loader."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", said)


def jail(directory: Path) -> Path:
    """A root directory with cat(1), its libraries and the object, which must have the path that it has outside."""
    root = directory / "root"
    preload_object(directory)
    for name in ["/bin/cat", *libraries("/bin/cat"), str(directory / "preforkd-preload.so")]:
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)
    return root


@pytest.mark.skipif(not AS_ROOT, reason="only root can change it")
def test_in_a_root_directory(preforkd: Start, tmp_path: Path, method: Method) -> None:
    """Only rollback needs /proc there."""
    root, address = jail(tmp_path), tcp4()
    if "copy" in method.keys:
        (root / "proc").mkdir()
        subprocess.run(["mount", "--bind", "/proc", str(root / "proc")], check=True)
    try:
        daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "root_directory": str(root), **method.keys,
                                   "scaling": "static", "max_workers": 2}})
        for _ in range(3):
            assert request(address, b"inside\n") == b"inside\n"
        daemon.assert_quiet()
    finally:
        if "copy" in method.keys:
            subprocess.run(["umount", "--lazy", str(root / "proc")], check=True)


@pytest.mark.skipif(not (AS_ROOT and X86), reason="only root can change it")
def test_rollback_needs_proc(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "root_directory": str(jail(tmp_path)),
                               "start_method": "forkserver", "copy": "rollback"}}, control=True)
    assert daemon.wait_copies("not rolled back") == "/proc is missing or cannot be read"
    wait_until(lambda: any(re.fullmatch(r"cannot serve: handler: .*: /proc is missing or cannot be read", text)
                           for text in control_of(daemon).decisions()), "why says it, too")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM])
def test_signals_to_a_copy_that_waits_are_not_for_its_request(preforkd: Start, forked: Method, number: int) -> None:
    """Somebody looks for the program by its name: the next client has nothing to do with it."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **forked.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    copy = waiting_copy(daemon, worker)
    os.kill(copy, number)
    assert request(address, b"x") == b"x"
    daemon.assert_quiet()


def test_a_handler_without_stderr(preforkd: Start, method: Method) -> None:
    """What it has closed while it started is closed: the connection does not take its number."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1,
                      "handler": ["/bin/sh", "-c", "exec 2>&-; read line; nothing; echo end"]}})
    for _ in range(2):
        assert request(address, b"\n") == b"end\n"


def test_children_of_the_start_have_nothing_of_ours(preforkd: Start, tmp_path: Path, method: Method) -> None:
    """They may live on: listeners would stay open, and the log process would wait for them."""
    address, said, logs = tcp4(), tmp_path / "said", tmp_path / "logs"
    said.touch()
    said.chmod(0o666)
    logs.mkdir()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1,
                      "handler": ["/bin/sh", "-c", f"ls /proc/self/fd > {said}; read line; echo $line"]}},
             master={"log_target": f"file:{logs}/log"})
    assert request(address, b"x\n") == b"x\n"
    assert said.read_text().split() == ["0", "1", "2", "3"]


def limit_of(pid: int, what: str, number: int | str) -> None:
    """Set the soft limit of a process that is not root's."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--{what}={number}:"], user=POOL_USER,
                   group=pwd.getpwnam(POOL_USER).pw_gid, extra_groups=[], check=True)


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_a_shortage_of_processes_is_waited_for(preforkd: Start, copied: Method) -> None:
    """… in pauses, and not in a loop."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **copied.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        most = Path(f"/proc/{worker}/limits").read_text().split("Max processes")[1].split()[1]
        limit_of(worker, "nproc", 0)
    with connect(address) as client:  # whom a worker holds that shares its memory; another has not accepted it
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        assert daemon.wait_copies("no process") == os.strerror(errno.EAGAIN)
        before = context_switches(worker)
        time.sleep(1)
        assert context_switches(worker) - before < 100
        limit_of(worker, "nproc", most)  # others have processes of this user, too
        assert read_all(client) == b"x"
    daemon.assert_quiet()


def test_limits_that_a_handler_has_lowered_itself(preforkd: Start, method: Method) -> None:
    """… stay; those of the pool are limits of what it may have raised."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1,
                      "limit_nofile": "150:200", "limit_core": "1000K:1000K", "limit_cpu": "7:9",
                      "handler": ["/bin/sh", "-c", "ulimit -S -n 120; ulimit -c 0; read line; "
                                  "ulimit -S -n; ulimit -H -n; ulimit -c; ulimit -S -t; ulimit -H -t"]}})
    assert request(address, b"\n").split() == [b"120", b"200", b"0", b"7", b"9"]


def test_the_name_of_a_handler(preforkd: Start, method: Method) -> None:
    """The first word says what is executed, argv0 what that sees as its name."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1,
                               "argv0": "'two words'",
                               "handler": ["/usr/bin/perl", "-e", "$_ = <STDIN>; open(my $file, '<', '/proc/self/cmdline');"
                                           "print((split /\\0/, <$file>)[0])", "-"]}})
    assert request(address, b"\n") == b"two words"
    daemon.pools["www"]["argv0"] = "another"
    daemon.hup("reloaded")
    wait_until(lambda: request(address, b"\n") == b"another", "the next generation")


def test_the_stack_of_a_thread(preforkd: Start, method: Method) -> None:
    """libc looks at the limit when a program is executed: a template has it, too."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "limit_stack": "3M:16M",
                      "handler": ["/usr/bin/python3", "-I", "-S", "-c", "import ctypes, sys; libc = ctypes.CDLL(None);"
                                  "attributes = ctypes.create_string_buffer(56); size = ctypes.c_size_t();"
                                  "libc.pthread_getattr_default_np(attributes);"
                                  "libc.pthread_attr_getstacksize(attributes, ctypes.byref(size));"
                                  "sys.stdin.readline(); print(size.value)"]}})
    assert request(address, b"\n") == b"%d\n" % (3 << 20)


def test_a_file_that_grows_too_large(preforkd: Start, method: Method, tmp_path: Path) -> None:
    """… ends the handler; its connection is no file, and the next one is served."""
    address, path = tcp4(), tmp_path / "written"
    tmp_path.chmod(0o777)
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "limit_fsize": "64K",
                               "handler": ["/usr/bin/perl", "-e", "$| = 1; $_ = <STDIN>; print 'x' x 100000;"
                                           f"if (/write/) {{ open(my $file, '>', '{path}') or die; print $file 'y' x 100000;"
                                           " close $file; print 'end' }"]}}, control=True)
    assert len(request(address, b"nothing\n")) == 100000
    assert len(request(address, b"write\n")) == 100000
    assert path.stat().st_size == 64 << 10
    wait_until(lambda: control_of(daemon).pool()["totals"]["handler_deaths"] == 1, "a death")
    assert len(request(address, b"nothing\n")) == 100000


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_a_worker_is_not_its_handlers_to_change(preforkd: Start, method: Method) -> None:
    """It has the scoreboard and the listeners; its handler has the same user."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "stderr": "null",
                      "handler": ["/usr/bin/perl", "-e", "$_ = <STDIN>; my $parent = getppid;"
                                  "print open(my $file, '+<', \"/proc/$parent/mem\") ? 'open' : $!, ' ';"
                                  "print open(my $own, '+<', \"/proc/$$/mem\") ? 'open' : $!"]}})
    # A copy by rollback is in that memory anyway.
    assert request(address, b"\n") == (b"open open" if "copy" in method.keys else b"Permission denied open")


@pytest.mark.skipif(not X86, reason="x86-64 alone")
@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_a_file_that_a_copy_cannot_open_again(preforkd: Start, tmp_path: Path) -> None:
    """The log says why the connection was not served."""
    path, address = tmp_path / "data", tcp4()
    path.write_text("data\n")
    path.chmod(0o644)
    daemon = preforkd({"www": {"listen": address, "start_method": "snapshot", "scaling": "static", "max_workers": 1,
                               "handler": ["/usr/bin/perl", "-e", f"open(my $f, '<', '{path}') or die; $_ = <STDIN>; print <$f>"]}},
                      control=True)
    assert request(address) == b"data\n"
    path.chmod(0)
    assert request(address) == b""
    assert without_descriptor(daemon.wait_copies("refused")) == "it has a file open that cannot be opened again"
    path.chmod(0o644)
    wait_until(lambda: request(address) == b"data\n", "it is served again", 20)


@pytest.mark.skipif(not X86, reason="x86-64 alone")
@pytest.mark.parametrize("start", ["sigprocmask(SIG_SETMASK, POSIX::SigSet->new)", "sigsuspend_for_a_moment()", "$SIG{WINCH} = sub {}; sigprocmask(SIG_UNBLOCK, POSIX::SigSet->new(28))"],
                         ids=["mask", "suspend", "handler"])
def test_the_retire_signal_while_a_handler_starts(preforkd: Start, tmp_path: Path, start: str) -> None:
    """… means nothing to a template, whatever the handler does to its signals, nor to its workers."""
    address, ready, go = tcp4(), tmp_path / "ready", tmp_path / "go"
    ready.touch()
    ready.chmod(0o666)
    script = tmp_path / "script.pl"
    script.write_text(f"""use POSIX ':signal_h'; use POSIX;
sub sigsuspend_for_a_moment {{ $SIG{{ALRM}} = sub {{}}; alarm 1; POSIX::sigsuspend(POSIX::SigSet->new); }}
sub mask {{ {start}; }}
mask() if {int("suspend" not in start)};
open(my $file, '>>', '{ready}'); syswrite($file, "$$\\n"); close($file);
mask() if {int("suspend" in start)};
select(undef, undef, undef, 0.01) until -e '{go}';
$SIG{{WINCH}} = 'DEFAULT';
$_ = <STDIN>; print;
""")
    daemon = preforkd({"www": {"listen": address, "start_method": "snapshot", "scaling": "static", "max_workers": 1,
                               "handler": ["/usr/bin/perl", str(script)]}}, control=True)
    [template] = wait_until(lambda: [int(pid) for pid in ready.read_text().split()], "a handler that starts")
    os.kill(template, signal.SIGWINCH)
    go.touch()
    assert request(address, b"x\n") == b"x\n"
    assert control_of(daemon).pool()["template"]["pid"] == template


def test_a_worker_that_was_stopped(preforkd: Start, method: Method) -> None:
    """It serves nobody, and does not look busy: a reload ends it when it has had its time."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 2,
                               "handler": "/bin/cat"}}, control=True)
    first, other = daemon_workers(daemon)
    wait_until(lambda: control_of(daemon).pool()["counts"]["idle"] == 2, "two that wait")
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: [row for row in control_of(daemon).pool(workers=True)["workers"] if row["state"] == "stopped"], "its standstill")
    wait_until(lambda: not children(first), "the end of its copy")
    for _ in range(4):
        assert request(address, b"x") == b"x"
    [row] = [row for row in control_of(daemon).pool(workers=True)["workers"] if row["pid"] == first]
    assert row["requests"] == 0
    daemon.pools["www"]["environment"] = "NEW=1"
    daemon.hup()
    wait_until(lambda: not alive(other), "the end of the other", 20)
    wait_until(lambda: not alive(first), "the end of the stopped one", 30)


def test_limits_that_are_lowered_from_outside_hold(preforkd: Start, tmp_path: Path, copied: Method) -> None:
    """prlimit(1) upon a worker: its copies get no more, and serve."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler("probe", tmp_path), "limit_nofile": "300:400",
                               "scaling": "static", "max_workers": 1, **copied.keys}}, control=True)
    assert json.loads(request(address))["limits"]["nofile"] == [300, 400]
    [worker] = daemon_workers(daemon)
    group = pwd.getpwnam(POOL_USER).pw_gid
    of_pool: dict[str, Any] = {"user": POOL_USER, "group": group, "extra_groups": []} if AS_ROOT else {}
    subprocess.run(["prlimit", f"--pid={worker}", "--nofile=200:250"], check=True, **of_pool)
    wait_until(lambda: json.loads(request(address))["limits"]["nofile"] == [200, 250], "copies that have less")


def test_a_worker_that_was_stopped_and_continued(preforkd: Start, forked: Method) -> None:
    """Its copy has been told to go, so it goes, too."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **forked.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    waiting_copy(daemon, worker)
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: not children(worker), "the end of its copy")
    os.kill(worker, signal.SIGCONT)
    assert request(address, b"x") == b"x"
    wait_until(lambda: not alive(worker), "the end of the worker")
    daemon.assert_quiet()


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_a_shortage_of_descriptors_is_waited_for(preforkd: Start, forked: Method) -> None:
    """With several listeners each copy opens a set of them, and may find no descriptor for it."""
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": [address, other], **forked.keys, "scaling": "static", "max_workers": 1,
                               "handler": "/bin/cat"}}, control=True)
    [worker] = daemon_workers(daemon)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        limit_of(worker, "nofile", 3)
    assert daemon.wait_copies("no descriptor") == os.strerror(errno.EMFILE)
    [copy] = children(worker)
    limit_of(copy, "nofile", 100)
    assert request(other, b"x") == b"x"
    limit_of(worker, "nofile", 100)
    assert alive(worker)
    daemon.assert_quiet()


@pytest.mark.skipif(not X86, reason="x86-64 alone")
def test_a_handler_that_leaves_no_descriptors(preforkd: Start) -> None:
    """Its worker fails to start, and does not try without end; there is room for all of its own but one."""
    daemon = preforkd({"www": {"listen": tcp4(), "start_method": "snapshot", "scaling": "static", "max_workers": 1,
                               "handler": ["/bin/sh", "-c", "ulimit -n 15; exec 9</dev/null; read line; echo $line"]}},
                      ready=False)
    daemon.wait_message("backing off")
    assert any("Too many open files" in match.string[match.start():match.end() + 200] for match in daemon.messages("worker died"))


SECRET_KEEPERS = {
    "cat": ["/bin/cat"],
    "perl": ["/usr/bin/perl", "-e", "$| = 1; while (<STDIN>) { push @kept, $_ x 3; print }"],
    "python": ["/usr/bin/python3", "-c", "import sys; kept = []; [(kept.append(line * 3), sys.stdout.write(line), "
                                         "sys.stdout.flush()) for line in sys.stdin]"],
    "sh": ["/bin/sh", "-c", "while read -r line; do kept=$line$kept; echo $line; done"],
}


def find_in_memory(pid: int, words: bytes) -> list[str]:
    """Where these bytes are in the memory of a process."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line or "memfd:preforkd:" in line:
                continue
            try:
                memory.seek(start)
                if words in memory.read(end - start):
                    found.append(line)
            except OSError:
                continue
    return found


@pytest.mark.skipif(not AS_ROOT, reason="needs ptrace")
@pytest.mark.parametrize("keeper", SECRET_KEEPERS)
def test_a_client_s_secret_is_not_in_the_next_one_s_process(preforkd: Start, copied: Method, keeper: str) -> None:
    address, secret = tcp4(), os.urandom(24).hex().encode()
    daemon = preforkd({"www": {"listen": address, **copied.keys, "scaling": "static", "max_workers": 1, "handler": SECRET_KEEPERS[keeper]}},
                      control=True)
    [worker] = daemon_workers(daemon)
    with connect(address) as first:
        first.sendall(secret + b"\n")
        assert first.recv(100) == secret + b"\n"
        assert find_in_memory(children(worker)[0], secret), "the search finds what is there"
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 1, "the end of the first")
    with connect(address) as second:
        second.sendall(b"hello\n")
        assert second.recv(100) == b"hello\n"
        assert daemon_workers(daemon) == [worker]
        assert not find_in_memory(children(worker)[0], secret)
        assert not find_in_memory(worker, secret)


@pytest.mark.parametrize(("keys", "expected"), [
    ("copy = rollback", "1000"), ("copy = rollback\nmax_requests = 0", "0"), ("copy = fork", "0")])
def test_a_worker_that_shares_its_memory_is_recycled(tmp_path: Path, keys: str, expected: str) -> None:
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(f"[www]\nlisten = {tcp4()}\nhandler = /bin/cat\nuser = nobody\nstart_method = forkserver\n{keys}\n")
    shown = run_preforkd("-T", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert f"\nmax_requests = {expected}\n" in shown.stdout


@pytest.mark.parametrize(("keys", "line", "problem"), [
    ("user = root", 5, "copy: rollback is not for user = root; expected fork"),
    ("user = nobody\nno_new_privileges = no", 5, "copy: rollback needs no_new_privileges = yes; expected fork")])
def test_rollback_is_refused_where_rights_differ(tmp_path: Path, keys: str, line: int, problem: str) -> None:
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(f"[www]\nlisten = {tcp4()}\nhandler = /bin/cat\nstart_method = forkserver\ncopy = rollback\n{keys}\n")
    result = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert result.returncode == 78 and f"preforkd.conf:{line}: {problem}" in result.stderr, result.stderr


def test_a_descriptor_with_a_high_number(preforkd: Start, method: Method) -> None:
    """What a handler has opened while it started it has, whatever the number."""
    address = tcp4()
    preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "handler": [
        "/usr/bin/perl", "-MPOSIX", "-e", "open(my $f, '<', '/dev/zero'); POSIX::dup2(fileno($f), 2500); $_ = <STDIN>;"
        "print -e '/proc/self/fd/2500' ? 'open' : 'closed'"]}})
    assert request(address, b"\n") == b"open"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls")
def test_attributes_that_a_fork_does_not_inherit(preforkd: Start, method: Method) -> None:
    """A death signal and being a subreaper, set while the handler started; orphans stay nobody's zombies."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **method.keys, "scaling": "static", "max_workers": 1, "handler": [
        "/usr/bin/perl", "-e", "syscall(157, 1, 12, 0, 0, 0); syscall(157, 36, 1, 0, 0, 0); $_ = <STDIN>; my $word = pack('i', 0);"
        "for my $get (2, 37) { syscall(157, $get, $word, 0, 0, 0); print unpack('i', $word), ' '; }"
        "if (!fork) { fork or sleep 1; } "]}}, control=True)
    [worker] = daemon_workers(daemon)
    assert request(address, b"\n").startswith(b"12 1 ")
    wait_until(lambda: len(Path(f"/proc/{worker}/task/{worker}/children").read_text().split()) <= 1, "no zombies", 5)


@pytest.mark.skipif(not X86, reason="x86-64 alone")
@pytest.mark.parametrize(("script", "keys"), [
    ("$_ = <STDIN>;", {}), ("system('sleep 1000');", {"start_timeout": "1s"})], ids=["refused", "never stops"])
def test_a_start_that_fails_leaves_nobody_behind(preforkd: Start, tmp_path: Path, script: str, keys: dict[str, str]) -> None:
    """Children that a handler has started by then end with it: every attempt would leave some more."""
    pids = tmp_path / "pids"
    pids.touch()
    pids.chmod(0o666)
    daemon = preforkd({"www": {"listen": tcp4(), "start_method": "snapshot", "scaling": "static", "max_workers": 1, **keys,
                               "handler": ["/usr/bin/perl", "-e", f"open(my $f, '>>', '{pids}'); syswrite($f, \"$$\\n\"); close($f);"
                                           f"if (!fork) {{ system('sleep 1000'); exit }} {script}"]}}, ready=False)
    daemon.wait_message("backing off", timeout=20)
    group = int(pids.read_text().split()[0])
    wait_until(lambda: not any(fields for fields in map(stat_fields, map(int, filter(str.isdigit, os.listdir("/proc"))))
                               if fields and int(fields[2]) == group and fields[0] not in "ZX"), "the end of all", 10)
