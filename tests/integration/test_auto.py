"""start_method = auto and copy = auto: a handler that works when it is executed works, by the most that it permits; and
status, -T and the decisions say what that is, and why it is not more."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import control_of
from daemon import AS_ROOT, Daemon, connect, handler, preload_object, request, run_preforkd, tcp4, wait_until
from forbidden import fail_prctl, needs_to_forbid
from inetd_handlers import InetdHandler, refused, without_descriptor, works
from programs import PYTHON
from test_start_methods import ask, daemon_workers
from test_upgrade import upgrade

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the most is another on other machines")

Start = Callable[..., Daemon]

AUTO = {"start_method": "auto", "copy": "auto"}
LOADED = "forkserver cannot be used: "
TOUCHED = "snapshot cannot be used: "
PUT_BACK = "rollback cannot be used: "
CRASHED = "its workers end too often: a handler has died of a crash; its memory is not trusted any more"
# Perl has a number for prctl(2), and this sets PR_SET_DUMPABLE, as a change of credentials does.
NOT_DUMPABLE = "syscall(157, 4, 0, 0, 0, 0)"


class Pool:
    """A pool whose method and copy preforkd chooses."""

    def __init__(self, preforkd: Start, command: str | list[str], popen: dict[str, Any] | None = None, **more: Any) -> None:
        self.address = tcp4()
        self.daemon = preforkd({"www": {"listen": self.address, "handler": command, "scaling": "static", "max_workers": 2,
                                        **AUTO, **more}}, control=True, **({"popen": popen} if popen else {}))
        self.options = self.daemon.pools["www"]
        self.control = control_of(self.daemon)

    def start(self) -> tuple[str, str | None]:
        """The method that is used, and why not more."""
        return self.of("start_method")

    def copy(self) -> tuple[str, str | None]:
        return self.of("copy")

    def of(self, member: str) -> tuple[str, str | None]:
        choice = self.control.pool()[member]
        assert choice["configured"] == self.options[member]
        return choice["used"], choice["why"]

    def generation(self) -> int:
        return int(self.control.pool()["generation"])

    def said(self, option: str) -> list[str]:
        """What was recorded about the option, the oldest first."""
        start = f"{option} = auto means "
        return [text.removeprefix(start) for text in reversed(self.control.decisions()) if text.startswith(start)]

    def wait_new_workers(self, count: int = 2) -> None:
        """Until all workers are of the present generation, and idle."""
        def found() -> bool:
            counts = self.control.pool()["counts"]
            return bool(counts["idle"] == count and counts["old"] == 0 and counts["retiring"] == 0)

        wait_until(found, f"{count} new workers", 30)

    def serves(self, data: bytes = b"hello\n") -> None:
        assert request(self.address, data) == data

    def is_well(self) -> None:
        """Nothing was wrong with the pool."""
        pool = self.control.pool()
        assert pool["backoff"]["failures"] == 0 and pool["totals"]["start_failures"] == 0 and pool["totals"]["died"] == 0


# --- when the configuration is read ---------------------------------------------------------------------------------

CHOSEN = [row for row in works() if row.name in ("cat", "perl", "python", "wrapper", "wrapper-static")]


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row.name)
def test_the_most(preforkd: Start, tmp_path: Path, row: InetdHandler) -> None:
    if row.missing():
        pytest.skip(f"{row.missing()} is not installed")
    www = Pool(preforkd, row.command(tmp_path), stderr="null")
    for _ in range(3):
        assert row.is_answer(ask(www.address, row))
    assert www.start() == ("snapshot", None) and www.copy() == ("rollback", None)
    assert www.said("start_method") == ["snapshot"] and www.said("copy") == ["rollback"]
    assert www.generation() == 1
    www.daemon.assert_quiet()


def test_what_nothing_can_be_loaded_into(preforkd: Start, tmp_path: Path) -> None:
    www = Pool(preforkd, [handler("static", tmp_path), "-"])
    assert re.fullmatch(rb"\d+ \d+ \d+ \d+\n", request(www.address))
    why = LOADED + "it is statically linked"
    assert www.start() == ("exec", why) and www.said("start_method") == [f"exec; {why}"]
    assert www.control.pool()["copy"] is None and www.said("copy") == []
    assert www.control.pool()["template"] is None
    www.is_well()


@pytest.mark.parametrize(("keys", "why"), [
    *([({"user": "root"}, "it is not for user = root")] if AS_ROOT else []),
    ({"no_new_privileges": "no"}, "it needs no_new_privileges = yes")])
def test_memory_that_is_not_shared(preforkd: Start, keys: dict[str, str], why: str) -> None:
    www = Pool(preforkd, "/bin/cat", **keys)
    www.serves()
    assert www.start() == ("snapshot", None)
    assert www.copy() == ("fork", PUT_BACK + why) and www.said("copy") == [f"fork; {PUT_BACK}{why}"]
    www.daemon.assert_quiet()


@needs_to_forbid
def test_a_kernel_that_cannot_watch_calls(preforkd: Start, tmp_path: Path) -> None:
    """auto does without; an explicit method is an error."""
    why = "it needs Syscall User Dispatch (Linux 5.11), which the kernel does not have, or refuses"
    forbid = {"preexec_fn": fail_prctl(errno.EINVAL, 59)}
    www = Pool(preforkd, "/bin/cat", popen=forbid)
    www.serves()
    assert www.start() == ("forkserver", TOUCHED + why)
    configuration = tmp_path / "explicit.conf"
    configuration.write_text(f"[www]\nlisten = {tcp4()}\nhandler = /bin/cat\nuser = nobody\nstart_method = snapshot\n")
    result = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)}, **forbid)
    assert result.returncode == 78
    assert f"explicit.conf:5: start_method: {TOUCHED}{why}; expected forkserver or exec" in result.stderr


def test_what_is_no_program(preforkd: Start) -> None:
    """… has no method."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo"}}, control=True)
    pool = control_of(daemon).pool()
    assert pool["start_method"] is None and pool["copy"] is None


def dump(tmp_path: Path, text: str) -> tuple[Path, str]:
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(text)
    shown = run_preforkd("-T", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert shown.returncode == 0, shown.stderr
    return configuration, shown.stdout


@pytest.mark.parametrize("program", ["cat", "static"])
def test_the_dump_is_a_file(tmp_path: Path, program: str) -> None:
    """… that says the same, and says in comments what was chosen."""
    command = "/bin/cat" if program == "cat" else handler("static", tmp_path)
    configuration, shown = dump(tmp_path, f"[www]\nlisten = {tcp4()}\nhandler = {command}\nuser = nobody\n"
                                          "start_method = auto\ncopy = auto\n")
    means = {"cat": "snapshot", "static": f"exec; {LOADED}it is statically linked"}[program]
    assert f"\n; start_method = auto means {means}\nstart_method = auto\n" in shown
    assert ("\n; copy = auto means rollback\ncopy = auto\n" in shown) == (program == "cat")
    assert f"\nmax_requests = {1000 if program == 'cat' else 0}\n" in shown
    configuration.write_text(shown)
    tested = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert tested.returncode == 0 and "warning" not in tested.stderr, tested.stderr
    assert dump(tmp_path, shown)[1] == shown


def test_an_explicit_copy_that_auto_does_not_have(tmp_path: Path) -> None:
    configuration = tmp_path / "preforkd.conf"
    configuration.write_text(f"[www]\nlisten = {tcp4()}\nhandler = {handler('static', tmp_path)}\nuser = nobody\n"
                             "start_method = auto\ncopy = rollback\n")
    result = run_preforkd("-t", "-c", configuration, env={**os.environ, **preload_object(tmp_path)})
    assert result.returncode == 78
    assert (f"preforkd.conf:6: copy: {PUT_BACK}start_method = auto means exec; {LOADED}it is statically linked; "
            "expected fork or auto") in result.stderr


# --- while the pool runs --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("row", refused(), ids=lambda row: row.name)
def test_what_cannot_be_copied_at_the_touch(preforkd: Start, tmp_path: Path, row: InetdHandler) -> None:
    """… is stopped before its main(). No connection is lost, and nobody backs off."""
    variables = row.variables(tmp_path)
    environment = {"environment": [f"{name}={value}" for name, value in variables.items()]} if variables else {}
    www = Pool(preforkd, row.command(tmp_path), stderr="null", copy="fork", **environment)
    for _ in range(3):
        assert row.is_answer(ask(www.address, row))
    why = f"{TOUCHED}{row.refusal}"
    method, reason = www.start()
    assert (method, without_descriptor(reason)) == ("forkserver", why)
    assert www.said("start_method") == ["snapshot", f"forkserver; {reason}"]
    assert www.generation() == 2
    www.is_well()
    www.daemon.assert_quiet()


def test_a_handler_that_asks_for_its_client(preforkd: Start) -> None:
    """… ends where there is none."""
    www = Pool(preforkd, ["/usr/bin/perl", "-e", "exit 1 unless $ENV{TCPREMOTEIP}; print 'hello'"])
    assert request(www.address) == b"hello"
    assert www.start() == ("forkserver", TOUCHED + "it ends before it touches its connection")
    assert www.copy() == ("rollback", None)
    www.is_well()


def test_a_handler_that_waits_for_something_else(preforkd: Start) -> None:
    www = Pool(preforkd, ["/usr/bin/perl", "-e", "sleep 1 until $ENV{TCPREMOTEIP}; print 'hello'"], start_timeout="2s")
    assert request(www.address) == b"hello"
    assert www.start() == ("forkserver", TOUCHED + "it does not touch its connection within start_timeout")
    assert www.generation() == 2 and www.control.pool()["state"] == "running"


def test_a_handler_that_has_stopped_before_has_failed(preforkd: Start, tmp_path: Path) -> None:
    """A template that is renewed and ends is a failure: its method has worked."""
    ends = tmp_path / "ends"
    www = Pool(preforkd, ["/usr/bin/perl", "-e", f"exit 1 if -e '{ends}'; print scalar <STDIN>"])
    www.serves()
    template = www.control.pool()["template"]["pid"]
    ends.touch()
    os.kill(template, 9)
    www.daemon.wait_message("backing off", "www", 20)
    assert www.start() == ("snapshot", None) and www.generation() == 1
    www.serves()
    ends.unlink()
    wait_until(lambda: (www.control.pool()["template"] or {}).get("state") == "ready", "another template", 30)


def test_a_program_that_was_replaced(preforkd: Start, tmp_path: Path) -> None:
    """Nothing can be loaded into the new one, which nobody has looked at."""
    program = tmp_path / "program"
    shutil.copy("/bin/cat", program)
    www = Pool(preforkd, [str(program), "-"])
    www.serves()
    assert www.start() == ("snapshot", None)
    replace(program, handler("static", tmp_path))
    www.control.do("restart www")
    wait_until(lambda: www.start() == ("exec", LOADED + "preforkd's object is not loaded into it"), "the last method", 20)
    www.wait_new_workers()
    assert re.fullmatch(rb"\d+ \d+ \d+ \d+\n", request(www.address))
    assert www.control.pool()["copy"] is None


def replace(program: Path, other: str) -> None:
    new = program.with_suffix(".new")
    shutil.copy(other, new)
    new.chmod(0o755)
    new.replace(program)


def test_an_explicit_copy_is_kept(preforkd: Start, tmp_path: Path) -> None:
    """… so the handler must be loaded once: the pool fails rather than execute it."""
    program = tmp_path / "program"
    shutil.copy("/bin/cat", program)
    www = Pool(preforkd, [str(program), "-"], copy="rollback")
    www.serves()
    replace(program, handler("static", tmp_path))
    www.control.do("restart www")
    www.daemon.wait_message("backing off", "www", 20)
    assert www.start()[0] == "forkserver" and www.copy() == ("rollback", None)
    replace(program, "/bin/cat")
    www.wait_new_workers()
    www.serves()


ACCEPTS = """
import fcntl, os, socket, sys
listener = socket.socket(fileno=3)
lock = open(sys.argv[1], "r+")
exec(sys.argv[2])
while True:
    connection, _ = listener.accept()
    connection.sendall(connection.recv(100))
    connection.close()
"""


@pytest.mark.parametrize(("acts", "accounting", "used", "why"), [
    ("", "preload", "snapshot", None),
    ("fcntl.flock(lock, fcntl.LOCK_SH)", "preload", "exec", TOUCHED + "it holds locks on files"),
    ("", "none", "exec", TOUCHED + "it needs accounting = preload"),
], ids=["most", "refused", "unwatched"])
def test_programs_that_accept(preforkd: Start, tmp_path: Path, acts: str, accounting: str, used: str, why: str | None) -> None:
    """Started once for all workers, or executed for each: there is nothing between."""
    lock = tmp_path / "lock"
    lock.touch()
    lock.chmod(0o666)
    script, address = tmp_path / "program.py", tcp4()
    script.write_text(ACCEPTS)
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "accounting": accounting, "start_method": "auto",
                               "scaling": "static", "max_workers": 2, "handler": [PYTHON, str(script), str(lock), acts]}},
                      control=True)
    assert request(address, b"x") == b"x"
    pool = control_of(daemon).pool()
    said = pool["start_method"]["why"]
    assert pool["start_method"] == {"configured": "auto", "used": used, "why": said} and pool["copy"] is None
    assert (said and without_descriptor(said)) == why
    assert (pool["template"] is not None) == (used == "snapshot")
    assert pool["totals"]["start_failures"] == 0
    daemon.assert_quiet()


# --- copies ---------------------------------------------------------------------------------------------------------

def test_memory_that_cannot_be_put_back(preforkd: Start) -> None:
    """Found by the first worker, before it serves."""
    www = Pool(preforkd, ["/usr/bin/perl", "-e", f"{NOT_DUMPABLE}; print scalar <STDIN>"])
    www.serves()
    used, why = www.copy()
    assert used == "fork" and why and why.startswith(PUT_BACK + "it is not dumpable")
    assert www.said("copy") == ["rollback", f"fork; {why}"]
    assert www.start() == ("snapshot", None)
    www.is_well()
    www.daemon.assert_quiet()


def test_a_handler_that_changes_its_credentials(preforkd: Start) -> None:
    """… shares its worker's memory no more, nor does any other; no connection is lost."""
    www = Pool(preforkd, ["/usr/bin/perl", "-e", f"$_ = <STDIN>; {NOT_DUMPABLE} if /change/; print"])
    workers = daemon_workers(www.daemon)
    www.serves()
    assert www.copy() == ("rollback", None)
    with ClientPool([www.address], count=2) as clients:
        www.serves(b"change\n")
        wait_until(lambda: www.copy()[0] == "fork", "copies by fork")
        wait_until(lambda: not set(daemon_workers(www.daemon)) & set(workers), "other workers", 20)
        clients.wait_served(20)
    assert www.copy() == ("fork", PUT_BACK + "a handler has changed its credentials, or attributes of its memory")
    assert www.generation() == 2
    www.serves(b"change\n")
    assert www.generation() == 2
    www.is_well()


def test_workers_that_end_too_often(preforkd: Start) -> None:
    """Where every other handler crashes, a fork is cheaper than a worker; a few crashes are no reason."""
    www = Pool(preforkd, ["/usr/bin/perl", "-e", "$_ = <STDIN>; kill 'SEGV', $$ if /crash/; print"], max_workers=1)
    for count in range(1, 10):
        assert request(www.address, b"crash\n") == b""
        wait_until(lambda: www.control.pool()["totals"]["recycled"] >= count, "the end of its worker", 20)  # noqa: B023
    assert www.copy() == ("rollback", None) and www.generation() == 1
    assert request(www.address, b"crash\n") == b""
    wait_until(lambda: www.copy() == ("fork", PUT_BACK + CRASHED), "copies by fork", 20)
    wait_until(lambda: www.control.pool()["counts"]["old"] == 0, "another worker", 20)
    [worker] = daemon_workers(www.daemon)
    for _ in range(3):
        assert request(www.address, b"crash\n") == b""
        www.serves()
    assert daemon_workers(www.daemon) == [worker]


# --- how long it holds ----------------------------------------------------------------------------------------------

class Holder(Pool):
    """A handler that cannot be copied at its touch while a file is there."""

    def __init__(self, preforkd: Start, directory: Path) -> None:
        self.file, lock = directory / "holds", directory / "lock"
        self.file.touch()
        lock.touch()
        lock.chmod(0o666)
        super().__init__(preforkd, ["/usr/bin/perl", "-e", f"open(my $lock, '+<', '{lock}') or die; flock($lock, 1) if "
                                                           f"-e '{self.file}'; print scalar <STDIN>"])
        self.wait_start("forkserver")
        assert self.generation() == 2

    def wait_start(self, method: str) -> None:
        wait_until(lambda: self.start()[0] == method, method, 20)
        self.wait_new_workers()


def test_a_reload_keeps_it(preforkd: Start, tmp_path: Path) -> None:
    """… if it replaces no workers, whatever it changes."""
    www = Holder(preforkd, tmp_path)
    www.file.unlink()
    before, said, workers = www.start(), www.said("start_method"), daemon_workers(www.daemon)
    assert www.control.verbs() == {"www": ("keep", [])}
    www.options["request_timeout"] = "1m"
    www.daemon.hup("reloaded")
    www.control.do("scale www max_workers=3")
    wait_until(lambda: set(daemon_workers(www.daemon)) > set(workers), "one more")
    assert www.start() == before and www.generation() == 2
    assert www.said("start_method") == said
    www.serves()


@pytest.mark.parametrize("by", ["reload", "restart"])
def test_it_is_tried_again_with_new_workers(preforkd: Start, tmp_path: Path, by: str) -> None:
    www = Holder(preforkd, tmp_path)

    def renew(number: int) -> None:
        if by == "restart":
            www.control.do("restart www")
            return
        www.options["environment"] = f"NUMBER={number}"
        www.daemon.hup("reloaded")

    renew(1)
    wait_until(lambda: www.generation() == 4, "another attempt", 20)
    www.wait_start("forkserver")
    www.serves()
    www.file.unlink()
    renew(2)
    www.wait_start("snapshot")
    assert www.generation() == 5
    www.serves()
    refusal = f"forkserver; {TOUCHED}it holds locks on files"
    assert [without_descriptor(text) for text in www.said("start_method")] == ["snapshot", refusal, "snapshot", refusal, "snapshot"]
    www.is_well()


def test_an_upgrade_keeps_it(preforkd: Start, tmp_path: Path) -> None:
    www = Holder(preforkd, tmp_path)
    www.file.unlink()
    before, workers = www.start(), daemon_workers(www.daemon)
    with ClientPool([www.address], count=2) as clients:
        upgrade(www.daemon)
        clients.wait_served(20)
    assert www.start() == before and www.generation() == 2
    www.control.do("scale www max_workers=3")
    wait_until(lambda: set(daemon_workers(www.daemon)) > set(workers), "one more", 20)
    assert www.start() == before and len(www.said("start_method")) == 2
    www.control.do("restart www")
    wait_until(lambda: www.start() == ("snapshot", None), "another attempt", 20)


def test_a_reload_finds_another_choice(preforkd: Start, tmp_path: Path) -> None:
    """The program was replaced by one that permits less: the workers are, too."""
    program = tmp_path / "program"
    shutil.copy("/bin/cat", program)
    www = Pool(preforkd, [str(program), "-"])
    www.serves()
    replace(program, handler("static", tmp_path))
    assert www.control.verbs("reload --dry-run") == {"www": ("roll", ["start_method", "copy", "max_requests"])}
    assert www.control.verbs() == {"www": ("roll", ["start_method", "copy", "max_requests"])}
    assert www.start() == ("exec", LOADED + "it is statically linked")
    www.wait_new_workers()
    assert re.fullmatch(rb"\d+ \d+ \d+ \d+\n", request(www.address))
    assert www.said("start_method") == ["snapshot", f"exec; {LOADED}it is statically linked"]
    assert www.control.verbs() == {"www": ("keep", [])}


def test_clients_wait_for_the_way_that_works(preforkd: Start, tmp_path: Path) -> None:
    """They come before the first template has failed, and none is lost."""
    www = Pool(preforkd, ["/usr/bin/perl", "-e", "use POSIX; select(undef, undef, undef, 0.3) unless $ENV{TCPREMOTEIP};"
                                                "exit 3 unless $ENV{TCPREMOTEIP}; print scalar <STDIN>"])
    clients = [connect(www.address) for _ in range(8)]
    for client in clients:
        client.sendall(b"x\n")
    for client in clients:
        with client:
            assert client.recv(10) == b"x\n"
    assert www.start()[0] == "forkserver"


def test_a_replaced_script_is_noticed(preforkd: Start, tmp_path: Path) -> None:
    """… as with an explicit method: the choice is the same, and workers have the former one."""
    script = tmp_path / "script.pl"
    script.write_text("print 'one '; print scalar <STDIN>")
    www = Pool(preforkd, ["/usr/bin/perl", str(script)])
    assert request(www.address, b"x") == b"one x"
    script.with_suffix(".new").write_text("print 'two '; print scalar <STDIN>")
    script.with_suffix(".new").replace(script)
    verb, options = www.control.verbs()["www"]
    assert verb == "roll" and "start_method" not in options
    www.wait_new_workers()
    assert request(www.address, b"x") == b"two x" and www.start() == ("snapshot", None)


def test_a_worker_that_has_served_becomes_the_template(preforkd: Start, tmp_path: Path) -> None:
    """snapshot_after, where auto means snapshot."""
    (tmp_path / "lock").touch()
    (tmp_path / "lock").chmod(0o666)
    script, address = tmp_path / "program.py", tcp4()
    script.write_text(ACCEPTS)
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "start_method": "auto", "snapshot_after": 3,
                               "scaling": "static", "max_workers": 2,
                               "handler": [PYTHON, str(script), str(tmp_path / "lock"), ""]}}, control=True)

    def has_served() -> bool:
        assert request(address, b"x") == b"x"
        template = control_of(daemon).pool()["template"]
        return bool(template and template["requests"] >= 3)

    wait_until(has_served, "a template that has served", 20)
    daemon.assert_quiet()
