"""The log file: what stands in it, opening it anew, disks that are full or do not answer, and that no record is lost."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import (AS_ROOT, POOL_USER, SLOW, Daemon, alive, binary_for_everybody, burst, children, connect, context_switches,
                    open_descriptors, request, stays, status_value, tcp4, title, wait_until)
from messages import STAMP, said_pattern
from pools import in_conversation, static

Start = Callable[..., Daemon]
# One line in the log for every request, with what the client has sent.
SAYS = ["/bin/sh", "-c", "read line; echo said $line >&2; echo done"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the log file. Nobody but us may write the directory."""
    directory = tmp_path / "logs"
    directory.mkdir(0o755)
    return directory / "preforkd.log"


@pytest.fixture
def logged(preforkd: Start, path: Path) -> Callable[..., tuple[Daemon, Control, str]]:
    """A daemon whose records go to the file; its control socket, and an address. Of one worker's handlers the lines come in
    their order."""
    def start(handler: list[str] | None = None, workers: int = 1, master: dict[str, object] | None = None,
              pool: dict[str, object] | None = None, **options: object) -> tuple[Daemon, Control, str]:
        address = tcp4()
        daemon = preforkd({"www": {"listen": address, **static(workers, handler=handler or SAYS, **(pool or {}))}},
                          master={"log_target": f"file:{path}", **(master or {})}, control=True, **options)
        return daemon, control_of(daemon), address
    return start


Logged = Callable[..., tuple[Daemon, Control, str]]


def log_processes(daemon: Daemon) -> list[int]:
    return [pid for pid in children(daemon.pid) if title(pid).startswith("preforkd: log ")]


def wait_log_process(daemon: Daemon, other: int = 0) -> int:
    """The one there is; another one than `other`."""
    return wait_until(lambda: [pid for pid in log_processes(daemon) if pid != other], "the log process")[0]


def log_status(control: Control) -> dict[str, object]:
    return control.do("status")["master"]["log"]


def said(*paths: Path) -> list[int]:
    """The numbers that handlers have said, in the order of the files."""
    return [int(number) for path in paths if path.exists()
            for number in re.findall(rf"(?m){STAMP}{said_pattern('said N')[1:].replace('N', '([0-9]+)')}", path.read_text())]


def say(address: str, numbers: range) -> None:
    """One request a number, one after the other."""
    for number in numbers:
        assert request(address, b"%d\n" % number) == b"done\n"


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A log process that waits for a disk, as far as anybody can see."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: status_value(pid, "State")[0] == "T", "a process that is stopped")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# --- what stands in it ------------------------------------------------------------------------------------------------

def test_every_record_is_a_line_with_the_time(logged: Logged, path: Path) -> None:
    """From the first to the last, as they would be on stderr, on which there is nothing."""
    daemon, control, address = logged()
    say(address, range(20))
    daemon.stop()
    lines = path.read_text().splitlines()
    assert all(re.match(STAMP + "preforkd: ", line) for line in lines), lines
    assert said(path) == list(range(20))
    assert daemon.find_message("started") and re.fullmatch(rf"{STAMP}preforkd: stopped", lines[-1])
    assert daemon.stderr() == ""


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file_is_closed_to_others(logged: Logged, path: Path, umask: int) -> None:
    """Whatever the umask of the daemon; one that is there stays as it is."""
    logged(popen={"preexec_fn": lambda: os.umask(umask) and None})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_uid == os.geteuid()


def test_a_file_that_is_there_is_written_on(logged: Logged, path: Path) -> None:
    path.write_text("before\n")
    path.chmod(0o604)
    daemon, *_ = logged()
    assert path.read_text().startswith("before\n2") and stat.S_IMODE(path.stat().st_mode) == 0o604


def test_the_log_process_has_what_it_needs(logged: Logged, path: Path) -> None:
    """A title, a session, no capability; the file, and nothing that is a listener's or a client's."""
    daemon, _, address = logged(workers=2)
    daemon.wait_workers(2)
    pid = wait_log_process(daemon)
    assert title(pid) == f"preforkd: log ({path})"
    assert os.getsid(pid) == pid and status_value(pid, "NoNewPrivs") == "1"
    assert all(int(status_value(pid, f"Cap{kind}"), 16) == 0 for kind in ("Inh", "Prm", "Eff", "Amb"))
    expected = {"/dev/null": 3, "anon_inode": 1, "pipe": 1, str(path): 1, "socket": 3}  # orders, and two workers
    wait_until(lambda: Counter(re.sub(r":?\[.*", "", target) for target in open_descriptors(pid).values()) == expected,
               "what it has open")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                                    signal.SIGPIPE])
def test_signals_to_all_of_us_do_not_end_it(logged: Logged, path: Path, number: signal.Signals) -> None:
    """`pkill preforkd` finds it too, and it writes how the others end."""
    daemon, control, address = logged()
    pid = wait_log_process(daemon)
    os.kill(pid, number)
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "the records")
    assert log_processes(daemon) == [pid]


def test_log_time_and_log_level(logged: Logged, path: Path) -> None:
    daemon, control, address = logged(master={"log_time": "no", "log_level": "debug"})
    assert re.match("preforkd: ", path.read_text())
    daemon.wait_workers(1)
    assert daemon.find_message("started") and wait_until(daemon.lives, "the record of a worker")
    daemon.master |= {"log_time": "auto", "log_level": "warning"}
    daemon.hup(None)
    wait_until(lambda: control.do("reload")["ok"], "the reload")
    mark = daemon.log_mark()
    say(address, range(2))
    os.kill(daemon.wait_workers(1)[0], signal.SIGKILL)
    daemon.wait_message("worker died", after=mark)
    assert re.search(rf"(?m){STAMP}preforkd: warning: pool www: worker \d+: killed", path.read_text())
    assert not said(path)


def test_workers_write_without_the_master(logged: Logged, path: Path) -> None:
    """Their own words, marked with their pool and pid, which they do not say themselves. Without the log process they take
    the way by the master."""
    daemon, control, address = logged(handler=["/bin/sh", "-c", "kill -SEGV $$"])
    [worker] = daemon.wait_workers(1)
    record = rf"^preforkd: pool www: worker {worker}: handler killed by signal 11 \(Segmentation fault\) after \d+ ms$"
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        assert request(address) == b""
        daemon.wait_log(record)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    pid = wait_log_process(daemon)
    os.kill(pid, signal.SIGKILL)
    wait_log_process(daemon, other=pid)
    mark = daemon.log_mark()

    def said_again() -> object:
        """One in ten seconds is logged; it is the number of those that were not which shows that it works."""
        request(address)
        return daemon.find_log(rf"^preforkd: pool www: worker {worker}: handler killed by signal 11 .*; and \d+ more",
                               after=mark)

    wait_until(said_again, "the next record of the worker", 20)
    assert daemon.workers() == [worker]


# --- opening it anew --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["reopen-logs", "SIGHUP", "reload", "a reload that is refused"])
def test_a_file_that_was_renamed(logged: Logged, path: Path, how: str) -> None:
    daemon, control, address = logged()
    say(address, range(5))
    wait_until(lambda: said(path) == list(range(5)), "the records")
    old = path.rename(path.with_suffix(".1"))
    say(address, range(5, 10))
    wait_until(lambda: said(old) == list(range(10)), "records in the file that was renamed")
    if how == "reopen-logs":
        assert control.do("reopen-logs")["log_file"] == str(path)
    elif how == "SIGHUP":
        daemon.send_signal(signal.SIGHUP)
    elif how == "reload":
        control.do("reload")
    else:
        daemon.write_raw_config("nonsense\n")
        control.refused("reload", "refused")
        daemon.write_config()
    wait_until(path.exists, "the new file")
    say(address, range(10, 15))
    wait_until(lambda: said(path) == list(range(10, 15)), "records in the new file")
    assert said(old) == list(range(10)) and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_no_record_is_lost_by_renaming(logged: Logged, path: Path) -> None:
    """Under load, again and again: each record stands in one of the files, and in their order."""
    daemon, control, address = logged()
    files = []
    for turn in range(20):
        say(address, range(10 * turn, 10 * turn + 5))
        files.append(path.rename(path.with_suffix(f".{turn}")))
        say(address, range(10 * turn + 5, 10 * turn + 10))
        control.do("reopen-logs")
    wait_until(lambda: said(*files, path) == list(range(200)), "every record, in order")


def test_without_a_file_there_is_nothing_to_open(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, control=True)
    assert control_of(daemon).do("reopen-logs")["log_file"] is None
    assert not log_processes(daemon)
    log = log_status(control_of(daemon))
    assert log == {"target": "stderr", "file": None, "pid": None, "error": None, "dropped": 0}


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda path: path.symlink_to("/etc/passwd"), "it is a symbolic link"),
    "a FIFO": (os.mkfifo, "it is not a regular file"),
    "a directory": (Path.mkdir, "it is a directory"),
    "another name": (lambda path: (path.with_suffix(".other").touch(), path.hardlink_to(path.with_suffix(".other"))),
                     "it has 2 names"),
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_what_is_no_file_is_not_opened(logged: Logged, path: Path, what: str) -> None:
    """The file that is open is written on; stderr says so, once; and it is a reason to refuse a reload."""
    daemon, control, address = logged()
    old = path.rename(path.with_suffix(".1"))
    make, why = OBSTACLES[what]
    make(path)
    size = Path("/etc/passwd").stat().st_size
    for _ in range(3):
        assert why in control.refused("reopen-logs", "failed")["message"]
    assert why in str(log_status(control)["error"])
    say(address, range(3))
    wait_until(lambda: said(old) == [0, 1, 2], "records in the file that is open")
    assert daemon.stderr().count(why) == 1 and "written on" in daemon.stderr()
    refused = control.refused("reload", "refused")
    assert any(f'cannot write "{path}": {why}' in problem["text"] for problem in refused["problems"])
    assert Path("/etc/passwd").stat().st_size == size
    path.rmdir() if path.is_dir() else path.unlink()
    control.do("reopen-logs")
    assert log_status(control)["error"] is None and "can be written again" in daemon.stderr()
    say(address, range(3, 6))
    wait_until(lambda: said(path) == [3, 4, 5], "records in the new file")


def test_a_file_that_was_removed_is_made_anew(logged: Logged, path: Path) -> None:
    daemon, control, address = logged()
    path.unlink()
    control.do("reopen-logs")
    say(address, range(2))
    wait_until(lambda: said(path) == [0, 1], "records in the new file")


# --- another target ---------------------------------------------------------------------------------------------------

def test_targets_that_change_in_a_reload(logged: Logged, path: Path) -> None:
    """From one file to another, to stderr and back: each record is in one place, and workers stay."""
    daemon, control, address = logged()
    daemon.may_leak = True
    workers = daemon.wait_workers(1)
    other = path.with_suffix(".other")
    say(address, range(3))
    for target in (f"file:{other}", "stderr", f"file:{path}"):
        before = log_processes(daemon)
        daemon.master["log_target"] = target
        daemon.write_config()
        assert control.do("reload")["master_options"] == ["log_target"]
        wait_until(lambda: not set(before) & set(log_processes(daemon)), "the end of the old log process")
        say(address, range(3, 6))
        wait_until(lambda: said(daemon.record_path)[-3:] == [3, 4, 5], "the records")
    assert said(path) == [0, 1, 2, 3, 4, 5] and said(other) == said(daemon.log_path) == [3, 4, 5]
    assert daemon.workers() == workers


def test_a_target_that_is_refused_changes_nothing(logged: Logged, path: Path) -> None:
    daemon, control, address = logged()
    pid = wait_log_process(daemon)
    daemon.master["log_target"] = "file:/nonexistent/log"
    daemon.write_config()
    refused = control.refused("reload", "refused")
    assert ('log_target: cannot write "/nonexistent/log": it cannot be made in the directory "/nonexistent": No such file or '
            "directory") in [problem["text"] for problem in refused["problems"]]
    daemon.master["log_target"] = f"file:{path}"
    say(address, range(2))
    wait_until(lambda: said(path) == [0, 1], "the records")
    assert log_processes(daemon) == [pid]


def test_a_start_that_fails_makes_no_file(preforkd: Start, path: Path) -> None:
    """It is said on stderr, as nothing applies yet; the log process that was to write is gone."""
    first = preforkd({"www": {"listen": tcp4(), **static(1)}})
    daemon = preforkd({"www": {"listen": first.pools["www"]["listen"], **static(1)}}, ready=False,
                      master={"log_target": f"file:{path}"})
    assert daemon.wait_end() == 1
    assert "not started" in daemon.stderr() and not path.exists()


def test_a_start_with_a_file_that_cannot_be_opened(preforkd: Start, path: Path) -> None:
    path.mkdir()
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, master={"log_target": f"file:{path}"}, ready=False)
    assert daemon.wait_end() == 78
    assert f'log_target: cannot write "{path}": it is a directory' in daemon.stderr()


# --- a log process that ends, or waits ----------------------------------------------------------------------------------

def test_a_log_process_that_is_killed(logged: Logged, path: Path) -> None:
    """Another one takes its place, and writes what was said meanwhile; stderr had that, too."""
    daemon, control, address = logged()
    pid = 0
    for turn in range(4):
        pid = wait_log_process(daemon, other=pid)
        wait_until(lambda: said(path) == list(range(10 * turn)), "the records so far")
        wait_until(lambda: log_status(control)["error"] is None, "the word that it is over")
        os.kill(pid, signal.SIGKILL)
        say(address, range(10 * turn, 10 * turn + 10))
    wait_until(lambda: said(path) == list(range(40)), "every record")
    assert len(re.findall(r"(?m)^preforkd: warning: the log process \d+ was killed by signal 9 \(Killed\); another one begins "
                          r"in \d+ ms$", daemon.log())) == 4
    wait_until(lambda: log_status(control)["error"] is None, "the state of the log")
    assert log_status(control)["dropped"] == 0
    told = re.findall(r"(?m)^preforkd: error: log_target: (\S+): the log process \d+ was killed by signal 9 \(Killed\); "
                      "records go to stderr as long as that lasts$", daemon.stderr())
    assert told == [str(path)] * 4 and daemon.stderr().count("can be written again") == 4


def test_a_stop_after_the_log_process_was_killed(logged: Logged, path: Path) -> None:
    """There is one more, for what is waiting in the pipe."""
    daemon, control, address = logged()
    os.kill(wait_log_process(daemon), signal.SIGKILL)
    say(address, range(3))
    daemon.stop()
    assert said(path) == [0, 1, 2] and path.read_text().endswith("preforkd: stopped\n")


def test_a_log_process_that_is_killed_again_and_again(logged: Logged, path: Path) -> None:
    """The delay grows: the master does not fork without end."""
    daemon, control, address = logged()
    begun, killed = time.monotonic(), set()
    while time.monotonic() - begun < 3 * SLOW:
        for pid in log_processes(daemon):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.01)
    assert 2 <= len(killed) < 10
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "the records", 30)


@contextmanager
def pipe_for_stderr() -> Iterator[tuple[int, int]]:
    """A pipe: its reading end, which does not wait, and the one for a daemon."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


WORDS = "x" * 900


def with_a_full_pipe(logged: Logged, **options: object) -> tuple[Daemon, str]:
    """A daemon whose log process has been stopped for a while and goes on; and what it says is missing."""
    daemon, control, address = logged(handler=["/usr/bin/perl", "-e", "$_ = <STDIN>; print STDERR qq($_) x 3000; print qq(done\\n)"],
                                      **options)
    with stopped(wait_log_process(daemon)):
        assert request(address, WORDS.encode() + b"\n") == b"done\n"
        wait_until(lambda: int(str(log_status(control)["dropped"])) > 0, "records that are dropped")
        begun = time.monotonic()
        assert control.refused("reopen-logs", "failed")["message"].endswith("does a disk not answer?")
        assert time.monotonic() - begun < 9 * SLOW
        for _ in range(3):
            control.do("status", timeout=3)
            daemon.send_signal(signal.SIGUSR1)

    def missing() -> list[re.Match[str]]:
        daemon.send_signal(signal.SIGUSR1)
        found = list(re.finditer(r"(?m)^preforkd: warning: (\d+) log records? (?:was|were) dropped.*$", daemon.log()))
        return found if sum(int(match[1]) for match in found) == log_status(control)["dropped"] else []

    text = wait_until(missing, "the report of what is missing")[0][0]
    assert daemon.log().count(WORDS) > 500, "what a pipe holds"
    return daemon, text


def test_a_disk_that_does_not_answer(logged: Logged) -> None:
    """The master serves and answers. A pipe full of records waits; the rest is counted, and its place in the file says so. It
    does not go to stderr, because that is a file, which may be on the same disk."""
    daemon, text = with_a_full_pipe(logged)
    assert text.endswith("dropped") and WORDS not in daemon.stderr()


def test_a_disk_that_does_not_answer_and_another_reader(logged: Logged) -> None:
    with pipe_for_stderr() as (reading, writing):
        _, text = with_a_full_pipe(logged, stderr=writing)
        assert text.endswith("dropped here; stderr had them")
        assert WORDS.encode() in os.read(reading, 65536)


def test_a_stop_does_not_wait_for_a_disk(logged: Logged, path: Path) -> None:
    """Not for long; the log process writes what it has when the disk answers."""
    daemon, control, address = logged()
    pid = wait_log_process(daemon)
    with stopped(pid):
        say(address, range(3))
        begun = time.monotonic()
        daemon.stop()
        assert time.monotonic() - begun < 5 * SLOW
        assert alive(pid)
    wait_until(lambda: not alive(pid), "the end of the log process")
    assert said(path) == [0, 1, 2] and path.read_text().endswith("preforkd: stopped\n")


def limit_file_size(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_is_full(logged: Logged, path: Path) -> None:
    """Said once on stderr, which gets the records as well; the file says what is missing when there is room again."""
    daemon, control, address = logged()
    pid = wait_log_process(daemon)
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "the records")
    limit_file_size(pid, path.stat().st_size + 10)
    say(address, range(3, 10))
    wait_until(lambda: log_status(control)["error"] == "File too large", "the state of the log")
    say(address, range(10, 15))
    wait_until(lambda: said(daemon.log_path)[-5:] == list(range(10, 15)), "records on stderr")
    limit_file_size(pid, resource.RLIM_INFINITY)

    def goes_on() -> bool:
        say(address, range(15, 16))
        return 15 in said(path)

    wait_until(goes_on, "a file that grows again")
    wait_until(lambda: log_status(control)["error"] is None, "the state of the log")
    report = re.search(r"(?m)^preforkd: warning: (\d+) log records were dropped: the file could not be written$", daemon.log())
    assert report and int(report[1]) == log_status(control)["dropped"]
    missing = set(range(16)) - set(said(path))
    assert missing and 15 not in missing and int(report[1]) >= len(missing)
    lines = path.read_text().splitlines()
    assert sum(not re.match(STAMP + "preforkd: ", line) for line in lines) <= 1, "the beginning of a line for which there was room"
    assert len(re.findall("File too large; records go to stderr", daemon.stderr())) == 1
    assert len(re.findall("can be written again", daemon.stderr())) == 1


# --- the end of the master, and its successor ---------------------------------------------------------------------------

def test_the_master_is_killed(logged: Logged, path: Path) -> None:
    """What it has sent is written, and so is what is said in requests in flight. Then nothing is left."""
    daemon, control, address = logged(handler=["/bin/sh", "-c", "echo begun; read line; echo said $line >&2; kill -SEGV $$"])
    pid = wait_log_process(daemon)
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        with stopped(pid):
            control.do("status")
            daemon.send_signal(signal.SIGUSR1)
            control.do("reload")
            daemon.kill()
        daemon.wait_message("reloaded")
        assert alive(pid), "a worker may have something to say"
        client.sendall(b"7\n")
        wait_until(lambda: said(path) == [7], "the words of the handler")
        daemon.wait_log(r"^preforkd: pool www: worker \d+: handler killed by signal 11 ")
    wait_until(lambda: not alive(pid), "the end of the log process")


def test_last_words_after_the_masters_death(logged: Logged, path: Path) -> None:
    """A handler that says much and ends at once is heard to the end."""
    daemon, _, address = logged(handler=["/usr/bin/perl", "-e", "$| = 1; print qq(begun\\n); <STDIN>;"
                                         "print STDERR qq(said 0\\n), (q(x) x 1900 . qq(\\n)) x 5, qq(said 1\\n)"])
    wait_log_process(daemon)
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        daemon.kill()
        client.sendall(b"go on\n")
        wait_until(lambda: said(path) == [0, 1], "the words of the handler")


def waits_for_a_connection(pid: int) -> bool:
    try:
        return "accept" in Path(f"/proc/{pid}/wchan").read_text()
    except OSError:  # it has ended
        return False


@pytest.mark.skipif(not AS_ROOT, reason="nobody else sees where a process waits")
@pytest.mark.parametrize("pool", [{}, {"start_method": "forkserver"}, {"start_method": "forkserver", "copy": "rollback"}],
                         ids=["exec", "forkserver", "rollback"])
def test_last_words_before_the_masters_death(logged: Logged, path: Path, pool: dict[str, object]) -> None:
    """The handler has ended, and the master has not read what it said."""
    daemon, control, address = logged(pool=pool)
    control.wait_at_rest()
    wait_log_process(daemon)
    [worker] = [row["pid"] for row in control.pool(workers=True)["workers"]]
    daemon.send_signal(signal.SIGSTOP)
    wait_until(lambda: status_value(daemon.pid, "State")[0] == "T", "a master that is stopped")
    say(address, range(7, 8))
    wait_until(lambda: any(map(waits_for_a_connection, [worker, *children(worker)])), "a worker that has done with it")
    daemon.kill()
    wait_until(lambda: said(path) == [7], "the words of the handler")


@pytest.mark.parametrize("killed", [False, True])
def test_an_upgrade_loses_no_record(logged: Logged, path: Path, killed: bool) -> None:
    """The next program has a log process of its own, which begins when the former one has written what it was sent."""
    daemon, control, address = logged()
    former, number = wait_log_process(daemon), 0
    for _ in range(5):
        say(address, range(number, number + 5))
        if killed:  # what it has read and not written by then is lost
            wait_until(lambda: said(path) == list(range(number + 5)), "the records so far")  # noqa: B023
            os.kill(former, signal.SIGKILL)
        control.do("upgrade")
        say(address, range(number + 5, number + 10))
        former, number = wait_log_process(daemon, other=former), number + 10
    wait_until(lambda: said(path) == list(range(number)), "every record, in order")
    path.rename(path.with_suffix(".1"))
    control.do("reopen-logs")
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "records in the new file")
    assert len(log_processes(daemon)) == 1
    if killed:
        wait_until(lambda: daemon.stderr().endswith("can be written again\n"), "the word that it is over")
    else:
        assert daemon.stderr() == ""


def test_an_upgrade_while_a_disk_does_not_answer(logged: Logged, path: Path) -> None:
    """It does not wait for it, and neither does who wants the file opened anew."""
    daemon, control, address = logged()
    former = wait_log_process(daemon)
    with stopped(former):
        say(address, range(3))
        control.do("upgrade")
        say(address, range(3, 6))
        assert control.do("status")["master"]["pid"] == daemon.pid
        assert log_processes(daemon) == [former]
    wait_log_process(daemon, other=former)
    wait_until(lambda: said(path) == list(range(6)), "every record, in order")


def test_an_upgrade_that_fails_changes_nothing(logged: Logged, path: Path) -> None:
    daemon, control, address = logged()
    pid = wait_log_process(daemon)
    control.refused("upgrade /bin/true", "refused")
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "the records")
    assert log_processes(daemon) == [pid]


def test_records_of_many_clients(logged: Logged, path: Path) -> None:
    """Each is whole, and there once."""
    daemon, control, address = logged(workers=8)
    replies = burst(address, 200, b"1\n")
    assert all(reply.data == b"done\n" for reply in replies)
    wait_until(lambda: len(said(path)) == 200, "200 records")
    assert all(re.match(STAMP + "preforkd: ", line) for line in path.read_text().splitlines())


def test_renamed_and_opened_anew_under_load(logged: Logged, path: Path) -> None:
    daemon, control, address = logged(workers=4, handler=["/bin/sh", "-c", "echo said 1 >&2; exec cat"])
    files = []
    with ClientPool([address], count=4) as clients:
        for turn in range(10):
            clients.wait_served(20)
            files.append(path.rename(path.with_suffix(f".{turn}")))
            control.do("reopen-logs")
    wait_until(lambda: len(said(*files, path)) == control.pool()["totals"]["requests"] >= 200, "a record a request")
    assert log_status(control)["dropped"] == 0


def test_nobody_wakes_for_nothing(logged: Logged) -> None:
    daemon, *_ = logged()
    pid = wait_log_process(daemon)
    daemon.wait_workers(1)

    def at_rest() -> bool:
        before = context_switches(daemon.pid) + context_switches(pid)
        time.sleep(1)
        return context_switches(daemon.pid) + context_switches(pid) == before

    wait_until(at_rest, "a second without a wake-up", 20)
    before = context_switches(daemon.pid), context_switches(pid)
    stays(lambda: (context_switches(daemon.pid), context_switches(pid)) == before, "nobody wakes", 2)


# --- an ordinary user's daemon ------------------------------------------------------------------------------------------

def test_an_ordinary_users_daemon(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    directory = tmp_path / "theirs"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    address, path = tcp4(), directory / "log"
    daemon = preforkd({"www": {"listen": address, "user": None, **static(1, handler=SAYS)}},
                      master={"log_target": f"file:{path}", "control": directory / "control"},
                      popen={"user": POOL_USER, "group": "nogroup", "extra_groups": []},
                      binary=binary_for_everybody(tmp_path))
    say(address, range(3))
    wait_until(lambda: said(path) == [0, 1, 2], "the records")
    assert path.stat().st_uid == 65534 and log_processes(daemon)
