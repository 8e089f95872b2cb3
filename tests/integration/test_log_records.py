"""The wording of records that people read: one test for each, and no other test depends on it.

What brings a record about is tested elsewhere, by what happens and by MESSAGE_IDs (messages.py). Here it only has to come
about.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import resource
import shutil
import signal
import socket
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boards import SLOTS, scoreboard
from control import control_of
from daemon import (Daemon, abstract, binary_for_everybody, burst, connect, free_port, request, run_preforkd, stat_fields,
                    tcp4, wait_until)
from forbidden import POWERLESS, fail, needs_to_forbid
from manager import Manager
from messages import total_pattern
from methods import NEVER_TOUCHES, SHELLS_PID, executed_only, not_at_touch
from modules import ask, module
from pools import STUBBORN, in_conversation, static
from sabotage import sabotage, shrink, shut

Start = Callable[..., Daemon]


# --- start and stop -------------------------------------------------------------------------------------------------

def test_ready_with_the_version(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": [tcp4(), tcp4()], **static(1)}})
    version = run_preforkd("--version").stdout.strip()
    daemon.wait_log(rf"^preforkd: {re.escape(version)} ready: 1 pool, 2 listeners$")


@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract"])
def test_listening_with_the_effective_backlog(preforkd: Start, tmp_path: Path, kind: str) -> None:
    address = {"tcp": tcp4(), "unix": str(tmp_path / "www.sock"), "abstract": abstract()}[kind]
    cut = int(Path("/proc/sys/net/core/somaxconn").read_text())
    daemon = preforkd({"www": {"listen": address, "backlog": 65535, **static(1)}})
    daemon.wait_log(rf"^preforkd: pool www: listening on {re.escape(address)}, backlog {cut} \(asked for 65535")
    daemon.pools["www"]["backlog"] = 44
    daemon.hup("reloaded")
    daemon.wait_log(rf"pool www: listening on {re.escape(address)}, backlog 44$")


def test_stopping_with_the_cause(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, control=True)
    daemon.stop(signal.SIGINT)
    assert daemon.find_log(r"^preforkd: stopping \(SIGINT\)$")
    assert daemon.find_log(r"^preforkd: pool www: closing \(SIGINT\)$")
    assert daemon.find_log(r"^preforkd: stopped$")


def test_stopping_because_the_terminal_hung_up(preforkd: Start) -> None:
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, popen={"preexec_fn": take_terminal, "pass_fds": [theirs]})
    os.close(theirs)
    os.close(ours)
    assert daemon.wait_end() == 0
    assert daemon.find_log(r"^preforkd: stopping \(the terminal hung up\)$")


def test_shutdown_timeout(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, handler=STUBBORN)}}, master={"shutdown_timeout": 0})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        daemon.stop()
    assert daemon.find_log(r"^preforkd: warning: shutdown_timeout has passed: ending the requests still in flight$")
    assert daemon.find_log(r"^preforkd: warning: pool www: ending 1 request in flight \(shutdown_timeout\)$")
    assert daemon.find_log(total_pattern("aborted", "www"))[1] == "1"


@pytest.mark.parametrize("how", ["SIGQUIT", "a second signal", "control"])
def test_an_immediate_stop_says_what_it_ends(preforkd: Start, how: str) -> None:
    """How many requests of which pool; nothing of pools that have none."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(3)}, "idle": {"listen": tcp4(), **static(1)}}, control=True)
    with in_conversation(address), in_conversation(address):
        if how == "control":
            control_of(daemon).do("stop --now")
        elif how == "SIGQUIT":
            daemon.send_signal(signal.SIGQUIT)
        else:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait_message("stopping")
            daemon.send_signal(signal.SIGINT)
        assert daemon.wait_end() == 0
    assert daemon.find_log(rf"^preforkd: warning: pool www: ending 2 requests in flight \({how}")
    assert daemon.find_log(total_pattern("aborted", "www"))[1] == "2"
    assert not daemon.find_log("pool idle: ending")


def test_a_pool_that_is_closed(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}, "old": {"listen": tcp4(), **static(1)}})
    daemon.layout_at_start = None
    del daemon.pools["old"]
    daemon.hup("reloaded")
    daemon.wait_log(r"^preforkd: pool old: closing \(removed")


@needs_to_forbid
def test_new_connections_that_cannot_be_kept_away(preforkd: Start) -> None:
    address, new = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, popen=POWERLESS)
    daemon.pools["www"]["listen"] = new
    daemon.hup("reloaded")
    daemon.wait_log(rf"pool www: cannot keep new connections from {re.escape(address)} while it drains "
                    r"\(Operation not permitted\): the last may be reset$")


def test_no_default_control_socket(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """An ordinary user cannot have it."""
    if Path("/run/preforkd").exists() and Path("/run/preforkd").stat().st_uid != 0:
        pytest.skip("/run/preforkd belongs to somebody else")
    daemon = preforkd({"www": {"listen": tcp4(), "user": None, **static(1)}}, master={"control": None},
                      binary=binary_for_everybody(tmp_path),
                      popen={"user": "nobody", "group": "nogroup", "extra_groups": []})
    daemon.wait_log("^preforkd: no control socket: cannot open /run/preforkd/control.sock: ")


# --- reload and upgrade ---------------------------------------------------------------------------------------------

def test_what_a_reload_does(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, control=True)
    daemon.pools["www"]["request_timeout"] = "1h"
    daemon.hup("reloaded")
    daemon.wait_log(r"^preforkd: pool www: new limits \(request_timeout changed\)$")
    daemon.pools["www"]["umask"] = "077"
    daemon.write_config()
    control_of(daemon).do("reload")
    daemon.wait_log(r"^preforkd: reloading \(control")
    daemon.wait_log(r"^preforkd: pool www: generation 2 \(umask changed\)$")
    daemon.wait_log(r"^preforkd: reloaded: 1 pool$")


def test_a_listener_that_moves_between_pools(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"old": {"listen": address, **static(1)}})
    daemon.layout_at_start = None
    daemon.pools = {"new": daemon.pools["old"]}
    daemon.hup("reloaded")
    daemon.wait_log(rf"^preforkd: pool old: {re.escape(address)} goes to pool new$")


def test_a_listener_that_is_taken_back(preforkd: Start) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, reload_surge="1%")}})
    with in_conversation(address), connect(address), connect(address):
        daemon.pools["www"]["listen"] = other
        daemon.hup("reloaded")
        daemon.pools["www"]["listen"] = address
        daemon.hup("reloaded")
        daemon.wait_log(rf"^preforkd: pool www: listening on {re.escape(address)} again$")


def test_a_reload_while_stopping(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    with in_conversation(address):
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_message("stopping")
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_log("^preforkd: not reloading: stopping$")
    assert daemon.wait_end() == 0


def test_an_upgrade(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(2)}}, control=True)
    program = re.escape(daemon.arguments[0])
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_log(rf"^preforkd: upgrading: preflight of {program} \(SIGUSR2\)$")
    daemon.wait_log(rf"^preforkd: executing {program} \(SIGUSR2\)$")
    daemon.wait_log(r"^preforkd: preforkd \S+ has taken over from \S+: 1 pool, 2 workers$")
    control_of(daemon).refused("upgrade /no/such/program", "refused")
    daemon.wait_log("^preforkd: error: .*/no/such/program: .*No such file or directory")
    daemon.wait_log("^preforkd: error: not upgraded: the running program goes on")


def test_an_upgrade_while_one_is_under_way(preforkd: Start, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 1000\n")
    endless.chmod(0o755)
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, control=True)
    with control_of(daemon).connect() as client:
        client.sendall(f"upgrade {endless}\n".encode())
        daemon.wait_log("^preforkd: upgrading: preflight")
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_log(r"^preforkd: not upgrading \(SIGUSR2\): an upgrade is under way$")
        daemon.stop()


# --- workers --------------------------------------------------------------------------------------------------------

def test_workers_that_come_and_go(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_workers": 3, "min_spare_workers": 1,
                               "max_spare_workers": 3, "spare_timeout": "100ms"}}, master={"log_level": "debug"},
                      control=True)
    daemon.wait_log(r"^preforkd: pool www: \+3 workers \(start\)$")
    control_of(daemon).wait_idle()
    daemon.pools["www"].update({"start_workers": 1, "max_spare_workers": 1})
    daemon.hup("reloaded")
    daemon.wait_log(r"^preforkd: pool www: -2 workers \(idle 3 > 1 for 100ms\)$")
    daemon.wait_log(r"^preforkd: debug: pool www: worker \d+: forked \(scale\)$")
    daemon.wait_log(r"^preforkd: debug: pool www: worker \d+: retired \(surplus\)$")


def test_saturation(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 2}})
    with in_conversation(address), in_conversation(address), connect(address):
        daemon.wait_log(r"^preforkd: warning: pool www: saturated: 2 workers are all in use, 1 connection waits")
    daemon.wait_log("^preforkd: pool www: no longer saturated", 20)


def test_what_a_slow_request_does(preforkd: Start) -> None:
    """Its processes, the eldest first; their number is the kernel's."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/bin/sh", "-c", "read word; sleep 60 & wait; cat"],
                               "request_slowlog_timeout": "1s", **{key: value for key, value in static(1).items()
                                                                      if key != "handler"}}})
    [worker] = daemon.wait_workers(1)
    with connect(address) as client:
        client.send(b"x\n")
        said = daemon.wait_log(rf"^preforkd: warning: pool www: worker {worker}: request_slowlog_timeout: busy for (\d+) ms: "
                               r"sh (\d+) \(S, (?:in [\w.]+, )?(\S+) s old, CPU 0\.\d\d s\), sleep (\d+) \(S, .*\)$")
        assert 1000 <= int(said[1]) < 20000 and 0 < float(said[3]) < 30
        assert int(stat_fields(int(said[2]))[1]) == worker and int(stat_fields(int(said[4]))[1]) == int(said[2])
        os.kill(int(said[4]), signal.SIGKILL)


def test_names_of_slow_processes_are_made_readable(preforkd: Start) -> None:
    """A name is what its process wants it to be; there may be very many."""
    address = tcp4()
    program = ("import ctypes, subprocess, sys; ctypes.CDLL(None).prctl(15, b'many\\n) R 1'); "
               "others = [subprocess.Popen(['sleep', '60']) for _ in range(20)]; sys.stdin.read(); "
               "[(other.kill(), other.wait()) for other in others]")
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/python3", "-c", program],
                               "request_slowlog_timeout": "5s", "scaling": "static", "max_workers": 1}})
    with connect(address):
        said = daemon.wait_log(r"request_slowlog_timeout: busy for \d+ ms: (.*)$", 30)[1]
    assert said.startswith("many?) R 1 ") and said.endswith("), …") and said.count("s old") == 12


def test_the_death_of_workers(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    [idle] = daemon.wait_workers(1)
    request(address, b"x")
    os.kill(idle, signal.SIGKILL)
    daemon.wait_log(rf"^preforkd: warning: pool www: worker {idle}: killed by signal 9 \(Killed\) while (idle|serving .*), "
                    r"after \d+ requests$")
    daemon.wait_workers(1, without=[idle])
    with in_conversation(address):
        [busy] = daemon.workers()
        os.kill(busy, signal.SIGKILL)
        daemon.wait_log(rf"^preforkd: warning: pool www: worker {busy}: killed by signal 9 \(Killed\) "
                        r"while serving a request for \d+ ms, after 0 requests$")


def test_workers_that_cannot_serve(preforkd: Start, tmp_path: Path) -> None:
    directory, handler = tmp_path / "directory", tmp_path / "handler.sh"
    directory.mkdir()
    handler.write_text("#!/bin/sh\nexec /bin/cat\n")
    handler.chmod(0o755)
    keys = {"scaling": "ondemand", "restart_delay_min": "50ms"}
    first, second = tcp4(), tcp4()
    daemon = preforkd({"one": {"listen": first, "handler": "/bin/cat", "directory": str(directory), **keys},
                       "two": {"listen": second, "handler": str(handler), **keys}})
    directory.rmdir()
    handler.unlink()
    with connect(first), connect(second):
        daemon.wait_log(r"^preforkd: error: pool one: worker \d+: cannot serve: directory: No such file or directory$")
        daemon.wait_log(r"^preforkd: error: pool two: worker \d+: cannot serve: handler: No such file or directory$")
        daemon.wait_log("^preforkd: warning: pool one: backing off: 2 failed starts in a row, next in 100 ms$")


@executed_only("the handler is not executed again for a connection")
def test_a_handler_that_cannot_be_executed_any_more(preforkd: Start, tmp_path: Path) -> None:
    """What was good when it was read: program, interpreter and user are named."""
    address, interpreter, handler = tcp4(), tmp_path / "interpreter", tmp_path / "handler"
    shutil.copy("/bin/cat", interpreter)
    handler.write_text(f"#!{interpreter}\n")
    for path in [handler, tmp_path]:
        path.chmod(0o755)
    daemon = preforkd({"www": {"listen": address, "handler": handler}})
    assert b"interpreter" in request(address)
    interpreter.unlink()
    with connect(address):
        daemon.wait_log(rf'pool www: worker \d+: cannot execute the handler "{handler}" as uid \d+: '
                        rf'its interpreter "{interpreter}": No such file or directory$')
        daemon.wait_log("cannot serve: executing the handler: No such file")


def test_a_module_that_cannot_be_loaded_any_more(preforkd: Start, tmp_path: Path) -> None:
    address, path = tcp4(), tmp_path / "module_serve.so"
    daemon = preforkd({"www": {"listen": address, "handler_type": "module", "handler": [module("serve", tmp_path), "echo"],
                               "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    shutil.copy(module("bad_other_abi", tmp_path), path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
    os.kill(worker, signal.SIGKILL)
    daemon.wait_log(rf'pool www: worker \d+: cannot load the module "{path}" as uid \d+: it is for version 99 of the interface '
                    r"of modules, and this preforkd has version 1$")
    daemon.wait_log("cannot serve: handler: Protocol error")


def test_a_module_that_cannot_start(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "module",
                               "handler": [module("serve", tmp_path), "init", "111"]}}, ready=False)
    daemon.wait_log(r'pool www: worker \d+: the module ".*/module_serve\.so" cannot start: Connection refused$')
    daemon.wait_log("cannot serve: handler: Connection refused")


def test_requests_that_a_module_could_not_serve(preforkd: Start, tmp_path: Path) -> None:
    """One record in a while, from all workers of the pool together."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "module",
                               "handler": [module("serve", tmp_path), "wait", "0", "110"]}})
    for _ in range(3):
        request(address)
    daemon.wait_log(r"pool www: worker \d+: handler failed after \d+ ms: Connection timed out$")


@pytest.mark.parametrize(("what", "words"), [
    ("close standard", r"the handler has closed descriptor 0, which is its worker's; the worker ends"),
    ("end thread", "the module has ended the thread of its worker"),
    ("exit", r"exited with code 0 while serving a request for \d+ ms, after 0 requests"),
    ("replace listener", "cannot serve: listeners: Socket operation on non-socket"),
    ("leak descriptors", "cannot serve: handler: Too many open files"),
])
def test_what_a_module_has_done_to_its_worker(preforkd: Start, tmp_path: Path, what: str, words: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "module", "handler": module("misbehave", tmp_path),
                               "scaling": "static", "max_workers": 1}}, control=True)
    wait_until(lambda: control_of(daemon).pool()["counts"]["idle"] == 1, "the master knows that it is ready")
    ask(address, what)
    if what == "close standard":
        ask(address, "pid")
    daemon.wait_log(rf"pool www: worker \d+: {words}$")


@pytest.mark.parametrize("how", ["gone", "broken"])
def test_a_program_that_cannot_be_executed_any_more(preforkd: Start, tmp_path: Path, how: str) -> None:
    """The descriptors of the worker have moved when an exec fails, and its log is still where it was."""
    program = tmp_path / "program"
    shutil.copy("/bin/sleep", program)
    daemon = preforkd({"www": {"listen": [tcp4() for _ in range(9)], "handler_type": "listener", "accounting": "api",
                               "handler": [str(program), "1000"], "max_workers": 1, "start_timeout": "300ms"}})
    daemon.wait_log(r"pool www: worker \d+: the handler runs and does not report; accounting = api is for programs that call "
                    r"prefork_attach\(\)$")
    program.unlink()
    if how == "broken":
        program.write_bytes(b"\x7fELF")
        program.chmod(0o755)
    daemon.wait_log(rf'pool www: worker \d+: cannot execute the handler "{program}" as uid \d+: ')
    daemon.wait_log(r"pool www: worker \d+: cannot serve: (handler|executing the handler): ")


@pytest.mark.parametrize(("text", "words"), [
    ("time.sleep(1000)", r"the handler has not waited for a connection on the pool's sockets; see listen_fd for where it finds "
                         r"them"),
    ("os.fork() or listener.accept(); os.wait(); os._exit(1)",
     r"the handler forks workers of its own, which accounting = preload cannot follow; expected a handler that accepts "
     r"itself, or accounting = none"),
    ("os.execve('/bin/sleep', ['sleep', '1000'], {})",
     r"the handler has not waited for a connection on the pool's sockets; see listen_fd for where it finds them"),
], ids=["sleeps", "forks", "executes"])
def test_a_program_that_does_not_accept(preforkd: Start, tmp_path: Path, text: str, words: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import os, socket, time\nlistener = socket.socket(fileno=3)\n{text}\n")
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "max_workers": 1, "start_timeout": "2s",
                               "handler": ["/usr/bin/python3", str(program)]}})
    daemon.wait_log(rf"pool www: worker \d+: {words}$")


def test_a_socket_file_that_was_removed(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": path, **static(1)}})
    path.unlink()
    daemon.hup("reloaded")
    assert daemon.find_log(rf"pool www: the file of {path} was removed: it is opened anew$")


def test_a_listener_that_was_shut_down(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    daemon.wait_workers(1)
    sabotage(daemon, shut)
    daemon.wait_log(rf"^preforkd: warning: pool www: nobody can connect to {address} any more: a process that has it has "
                    "shut it down$")


def test_a_listener_that_was_changed(preforkd: Start) -> None:
    """The name of an abstract socket is taken: it is put right in place."""
    address = abstract()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, control=True)
    daemon.wait_workers(1)
    sabotage(daemon, shrink)
    control_of(daemon).do("restart www")
    daemon.wait_log(rf"^preforkd: warning: pool www: {address} is not as it was opened \(backlog\)$")
    daemon.wait_log(rf"^preforkd: pool www: {address} was put right$")


def test_a_listener_that_only_the_service_manager_can_open(preforkd: Start, tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        listener = manager.listen(socket.AF_UNIX, str(tmp_path / "www.sock"))
        daemon = preforkd({"www": {"listen": "systemd:web", **static(1)}}, **manager.options([("web", listener)]))
        daemon.wait_workers(1)
        sabotage(daemon, shut)
        daemon.wait_log("^preforkd: error: pool www: systemd:web cannot be put right: stop preforkd, restart the socket "
                        "unit, start preforkd$")
        daemon.stop()


def test_an_address_that_is_waited_for(preforkd: Start) -> None:
    address = tcp4()
    with socket.create_server(("127.0.0.1", int(address.partition(":")[2]))):
        daemon = preforkd({"www": {"listen": address, "restart_delay_min": "50ms", **static(1)}},
                          master={"partial_start": True})
        daemon.descriptors_at_start["socket"] += 1
        why = r"somebody else listens there \(address already in use\)"
        daemon.wait_log(rf"^preforkd: warning: \S+:\d+: pool www: listen: cannot open {address}: {why}; the pool waits for it "
                        r"\(partial_start\)$")
        daemon.wait_log(rf"^preforkd: warning: pool www: cannot open {address}: {why}; trying again$")
        daemon.wait_log("ready: 1 pool, 0 listeners$")
    daemon.wait_log(rf"^preforkd: pool www: opened {address}$")


@needs_to_forbid
def test_a_listener_that_cannot_be_accepted_on(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, popen={"preexec_fn": fail(errno.ENOSYS, "accept4")})
    daemon.wait_log(rf"^preforkd: error: pool www: worker \d+: cannot accept connections on {address}: Function not "
                    "implemented$")


def test_workers_that_cannot_be_forked(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "ondemand"}})
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
    with connect(address):
        daemon.wait_log("^preforkd: error: pool www: cannot fork a worker: Too many open files; trying again later$")
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))  # a leak checker needs some at its end
    daemon.may_leak = True


@executed_only("one whose handler is copied is continued when it is retired")
def test_a_worker_that_does_not_retire(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}})
    [worker] = daemon.wait_workers(1)
    os.kill(worker, signal.SIGSTOP)
    daemon.pools["www"]["environment"] = "A=1"
    daemon.hup("reloaded")
    daemon.wait_log(rf"^preforkd: warning: pool www: worker {worker}: does not retire: killed after \d+ ms$", 20)


def test_a_worker_that_is_stopped(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}})
    [worker] = daemon.wait_workers(1)
    os.kill(worker, signal.SIGSTOP)
    try:
        daemon.wait_log(rf"^preforkd: warning: pool www: worker {worker}: stopped by a signal; it serves nobody until it is "
                        "continued$")
    finally:
        os.kill(worker, signal.SIGCONT)


def test_recycling(preforkd: Start) -> None:
    address = tcp4()
    keys = {"handler": "/bin/cat", "min_spare_workers": 0, "max_spare_workers": 1, "start_workers": 1, "max_workers": 4,
            "max_requests_jitter": "0%"}
    daemon = preforkd({"www": {"listen": address, "max_requests": 1, **keys},
                       "old": {"listen": tcp4(), "max_worker_age": "300ms", **keys}}, master={"log_level": "debug"})
    with in_conversation(address):
        daemon.wait_log(r"^preforkd: debug: pool www: worker \d+: forked \(recycle\)$")
    daemon.wait_log(r"^preforkd: debug: pool www: recycling worker \d+ \(max_requests, 1 request\)$")
    daemon.wait_log(r"^preforkd: debug: pool old: recycling worker \d+ \(max_worker_age, 0 requests\)$")


def test_orders_of_an_administrator(preforkd: Start) -> None:
    threads = {"handler_type": "builtin", "handler": "echo", "threads_per_worker": 4, "scaling": "ondemand", "max_workers": 10}
    daemon = preforkd({"www": {"listen": tcp4(), **static(2)}, "b": {"listen": tcp4(), **static(2)},
                       "threads": {"listen": tcp4(), **threads}}, control=True)
    control_of(daemon).do("scale threads max_workers=15")
    daemon.wait_log(r"^preforkd: pool threads: max_workers 12, spare \d+ to \d+ until the next reload \(control.*\): max_workers=15$")
    control_of(daemon).do("scale www max_workers=4")
    daemon.wait_log(r"^preforkd: pool www: max_workers 4, spare \d+ to \d+ until the next reload \(control")
    assert not daemon.find_log("pool b: max_workers")
    control_of(daemon).do("scale www request_timeout=9s 'rate_limit=10/s burst 3'")
    daemon.wait_log(r"^preforkd: pool www: max_workers 4, .* until the next reload \(control.*\): "
                    r"max_workers=4 'rate_limit=10/s burst 3' request_timeout=9s$")
    daemon.send_signal(signal.SIGTTIN)
    daemon.wait_log("^preforkd: pool www: max_workers is 5 until the next reload$")
    daemon.wait_log("^preforkd: pool b: max_workers is 3 until the next reload$")
    daemon.wait_log("^preforkd: pool threads: max_workers is 16 until the next reload$")


def test_a_scoreboard_that_says_what_cannot_be(preforkd: Start) -> None:
    """With the worker, the word, and what to do; once for each scoreboard."""
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, control=True)
    [worker] = daemon.wait_workers(1)
    for _ in range(2):
        with scoreboard(daemon) as memory:
            memory[SLOTS + 24:SLOTS + 32] = (2**64 - 5).to_bytes(8, "little")
            control_of(daemon).pool()
            memory[SLOTS + 24:SLOTS + 32] = (7).to_bytes(8, "little")
            control_of(daemon).pool()
    daemon.wait_log(rf"^preforkd: warning: pool www: worker {worker}: the scoreboard says what cannot be \(requests went from 0 "
                    r"to 18446744073709551611\): it is not counted; a worker of this pool may have written it, and a restart of "
                    r"the pool makes a fresh scoreboard$")
    assert len(daemon.messages("scoreboard implausible")) == 1


# --- requests -------------------------------------------------------------------------------------------------------

def test_request_timeout(preforkd: Start) -> None:
    """Told of the right worker, with the time the request has taken; the end of its handler, which was ordered, too."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "request_timeout": "1s", "kill_timeout": "1s",
                               **static(1, handler=STUBBORN)}})
    [worker] = daemon.wait_workers(1)
    assert request(address, half_close=False) == b"begun\n"
    head = rf"pool www: worker {worker}: "
    assert 1000 <= int(daemon.wait_log(rf"{head}request_timeout: TERM to the handler after (\d+) ms$")[1]) < 5000
    assert 2000 <= int(daemon.wait_log(rf"{head}kill_timeout: KILL to the handler after (\d+) ms$")[1]) < 10000
    daemon.wait_log(rf"{head}handler killed by signal 9 \(Killed\) after \d+ ms$")


@not_at_touch(NEVER_TOUCHES)
def test_a_handler_that_dies_of_itself_is_worth_a_notice(preforkd: Start) -> None:
    """Also after one that was told to, which is not."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "request_timeout": "2s", **static(1, handler=[
        "/bin/sh", "-c", "read word; [ $word = crash ] && kill -SEGV $$; sleep 1000"])}}, master={"log_level": "notice"})
    assert request(address, b"wait\n") == b""
    assert request(address, b"crash\n") == b""
    daemon.wait_log(r"pool www: worker \d+: handler killed by signal 11 \(Segmentation fault\)")
    assert not daemon.find_log("killed by signal 15")


def records_in(daemon: Daemon, pattern: str, begun: float) -> int:
    """How many records that are limited to one in ten seconds the log has, which must be no more than that."""
    found = len(re.findall(pattern, daemon.log(), re.MULTILINE))
    assert 1 <= found <= 2 + (time.monotonic() - begun) / 10
    return found


@not_at_touch(NEVER_TOUCHES)
def test_clients_that_leave_early_are_one_record(preforkd: Start) -> None:
    address, begun = tcp4(), time.monotonic()
    daemon = preforkd({"www": {"listen": address, **static(4, handler=["/bin/sh", "-c", "kill -PIPE $$"])}}, control=True)
    assert [reply.data for reply in burst(address, 40)] == [b""] * 40
    wait_until(lambda: control_of(daemon).pool()["totals"]["handler_deaths"] == 40, "the end of all")
    daemon.wait_log(r"^preforkd: pool www: worker \d+: handler killed by signal 13 \(Broken pipe\) after \d+ ms$")
    assert records_in(daemon, "handler killed by signal 13", begun) < 10


@not_at_touch(SHELLS_PID)
def test_a_crash_is_told_among_clients_that_leave_early(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=["/bin/sh", "-c", "read word; kill -$word $$"])}})
    for number in ("PIPE", "PIPE", "SEGV", "PIPE"):
        assert request(address, f"{number}\n".encode()) == b""
    daemon.wait_log(r"pool www: worker \d+: handler killed by signal 11 \(Segmentation fault\)")


def test_who_was_refused(preforkd: Start) -> None:
    """Once in a while, with the address; not the client that is served."""
    address, begun = tcp4(), time.monotonic()
    daemon = preforkd({"www": {"listen": address, **static(3), "max_connections_per_source": 1}}, control=True)
    with in_conversation(address):
        for _ in range(20):
            with connect(address) as client:
                assert client.recv(1) == b""
    assert control_of(daemon).pool()["totals"]["refused_source"] == 20
    daemon.wait_log(r"^preforkd: pool www: worker \d+: refused a connection from 127\.0\.0\.1: "
                    r"it has 1 already \(max_connections_per_source\)$")
    assert records_in(daemon, "refused a connection from", begun) < 10


@executed_only("the handler is not executed again for a connection")
def test_a_shortage_and_a_request_lost_in_it(preforkd: Start, program: Callable[[str], str]) -> None:
    """One warning however often it was tried again, and who lost the connection after how long; over TCP with the client's
    address, which a UNIX socket does not have."""
    address, local, handler = tcp4(), abstract(), program("hello")
    daemon = preforkd({"www": {"listen": [address, local], "start_timeout": "1s", **static(1, handler=handler)}})
    [worker] = daemon.wait_workers(1)
    head = rf"pool www: worker {worker}: "
    with open(handler, "r+b"):
        with connect(address) as client:
            port = client.getsockname()[1]
            assert client.recv(1) == b""
        shortage = (rf"^preforkd: warning: {head}cannot start the handler of a connection: Text file busy; "
                    "trying again until it is over$")
        daemon.wait_log(shortage)
        lost = daemon.wait_log(rf"^preforkd: error: {head}closed a connection of 127\.0\.0\.1:{port} unserved: "
                               r"its handler could not be started for (\d+) ms: Text file busy$")
        assert 1000 <= int(lost[1]) < 10000
        with connect(local) as client:
            assert client.recv(1) == b""
        daemon.wait_log(rf"^preforkd: error: {head}closed a connection unserved: its handler ")
    assert len(re.findall(shortage, daemon.log(), re.MULTILINE)) == 1
    assert request(address) != b""


def test_detached(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, detach_after="100ms")}})
    [worker] = daemon.wait_workers(1)
    with in_conversation(address):
        daemon.wait_log(rf"^preforkd: pool www: worker {worker}: detached after \d+ ms$")


# --- the service manager --------------------------------------------------------------------------------------------

def test_stored_listeners(preforkd: Start, tmp_path: Path) -> None:
    kept, lost, extra = tcp4(), str(tmp_path / "lost.sock"), tcp4()
    with Manager(tmp_path, store_max=2) as store:
        first = preforkd({"www": {"listen": [kept, lost], **static(1)}}, **store.options())
        wait_until(lambda: bool(store.receive_all()) and len(store.store) == 2, "stored listeners")
        first.stop()
        os.unlink(lost)
        second = preforkd({"www": {"listen": [kept, lost, extra], **static(1)}}, **store.options())
        second.wait_log(rf"taking over the stored listener {re.escape(kept)}$")
        second.wait_log(rf"the stored listener {re.escape(lost)} cannot be taken over \(.*\): opening it anew$")
        second.wait_log("warning: the service manager's store has room for 2 listeners only")
        second.stop()


def test_an_activated_socket(preforkd: Start, tmp_path: Path) -> None:
    port = free_port()
    with Manager(tmp_path) as manager:
        web = manager.listen(socket.AF_INET, ("127.0.0.1", port))
        daemon = preforkd({"www": {"listen": "systemd:web", **static(1)}}, **manager.options([("web", web)]))
        daemon.wait_log(rf"^preforkd: pool www: listening on systemd:web \(127\.0\.0\.1:{port}\)")
        daemon.stop()


# --- the report on SIGUSR1 ------------------------------------------------------------------------------------------

def report(daemon: Daemon, until: str) -> str:
    """What the log gets on SIGUSR1, up to the line with `until`."""
    mark = daemon.log_mark()
    daemon.send_signal(signal.SIGUSR1)
    daemon.wait_log(until, after=mark)
    return daemon.log()[mark:]


def test_the_report_of_workers_that_report_nothing(preforkd: Start, program: Callable[[str], str]) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "accounting": "none", "scaling": "static",
                               "handler": [program("acceptor"), "plain"], "max_workers": 2}}, control=True)
    wait_until(lambda: control_of(daemon).pool()["counts"]["unwatched"] == 2, "two workers")
    report(daemon, r"pool www: generation 1: 0 idle, 0 busy, 0 starting, 2 unwatched, 0 retiring, 0 detached; in all 2 forked")


def test_totals_at_the_end(preforkd: Start) -> None:
    """The classic servers' statement: what was done, and by whom."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(3)}})
    for _ in range(30):
        request(address)
    daemon.stop()
    assert daemon.find_log(r"pool www: generation 1: .*in all 3 forked")
    assert daemon.find_log(r"pool www: 30 requests over 3 workers: \d+\.\.\d+, median \d+")


def test_the_report(preforkd: Start) -> None:
    """Its figures are those of the status; the distribution over workers is nowhere else."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(4)}, "other": {"listen": tcp4(), **static(1)}}, control=True)
    daemon.wait_workers(4)
    for _ in range(40):
        request(address)
    with in_conversation(address):
        def whole_report() -> str | None:
            """A client sees the end of its reply a moment before its request counts as ended."""
            log = report(daemon, "pool other: 0 requests over 1 worker")
            return log if "pool www: 40 requests" in log and " 3 idle, 1 busy" in log else None

        log = wait_until(whole_report, "40 requests in the report")
        pool = control_of(daemon).pool()
    assert re.search(r"pool www: generation 1: 3 idle, 1 busy, 0 starting, .*in all 4 forked, 0 retired", log), log
    shares = re.search(r"pool www: 40 requests over 4 workers: (\d+)\.\.(\d+), median (\d+), p90 (\d+); cpu ", log)
    assert shares, log
    least, most, median, p90 = map(int, shares.groups())
    assert least <= median <= p90 <= most and least <= 10 <= most <= 40
    assert re.search(r"pool www: request durations: mean [\d.]+ ms; estimated: median [\d.]+ ms, p90 "
                     r"[\d.]+ ms, p99 [\d.]+ ms", log), log
    counts, totals = pool["counts"], pool["totals"]
    assert f"{counts['idle']} idle, {counts['busy']} busy" in log
    for label in ("forked", "retired", "recycled", "died", "refused"):
        assert f"{totals[label]} {label}" in log, log


@pytest.mark.parametrize("upgraded", [False, True])
def test_the_report_remembers_workers_that_are_gone(preforkd: Start, upgraded: bool) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    for _ in range(5):
        request(address)
    old = daemon.wait_workers(1)
    daemon.pools["www"]["environment"] = "A=1"
    daemon.hup("reloaded")
    daemon.wait_workers(1, without=old)
    if upgraded:
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgraded")
    for _ in range(2):
        request(address)
    wait_until(lambda: re.search(r"7 requests over 2 workers: 2\.\.5", report(daemon, "requests over")),
               "both workers in the report")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another method there")
def test_what_auto_means(preforkd: Start, tmp_path: Path) -> None:
    """At the start, and when less is taken; a reload that changes nothing of it says nothing."""
    lock = tmp_path / "lock"
    lock.touch()
    lock.chmod(0o666)
    keys = {"start_method": "auto", "copy": "auto", "scaling": "static", "max_workers": 1}
    daemon = preforkd({"one": {"listen": tcp4(), "handler": "/bin/cat", **keys},
                       "two": {"listen": tcp4(), **keys, "no_new_privileges": "no", "handler": [
                           "/usr/bin/perl", "-e", f"open(my $lock, '+<', '{lock}') or die; flock($lock, 2); print scalar <STDIN>"]}})
    daemon.wait_log(r"^preforkd: pool one: start_method = auto means snapshot$")
    daemon.wait_log(r"^preforkd: pool one: copy = auto means rollback$")
    daemon.wait_log(r"^preforkd: pool two: copy = auto means fork; rollback cannot be used: it needs no_new_privileges = yes$")
    daemon.wait_log(r"^preforkd: pool two: start_method = auto means forkserver; snapshot cannot be used: it holds locks on files: descriptor \d+$")
    daemon.hup("reloaded")
    assert daemon.log().count(" = auto means ") == 5
