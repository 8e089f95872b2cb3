"""Open files that the master shares with workers and handlers.

Whoever shares an open file with the master can clear its O_NONBLOCK. If the master reads such a file and somebody else
has read it empty, it waits in read(2) for as long as they like.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, POOL_USER, Daemon, connect, descendants, open_descriptors, request, tcp4, title, wait_until
from served import handlers

Start = Callable[..., Daemon]

KCMP = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine, -1)

# Code in a worker: with every pipe and event of the worker that it can get at it clears O_NONBLOCK, and reads away what
# it has written itself. It takes the descriptors as root and acts as the pool's user.
# When it has written, it waits for a time that grows, until it meets the moment between the master's epoll_wait(2) and
# its read(2).
BLOCKER = """
import ctypes, fcntl, os, sys, time
PIDFD_OPEN, PIDFD_GETFD = 434, 438
worker, user = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
pidfd = libc.syscall(PIDFD_OPEN, worker, 0)
found = {}
for number in os.listdir(f"/proc/{worker}/fd"):
    target = os.readlink(f"/proc/{worker}/fd/{number}")
    if target.startswith(("pipe:", "anon_inode:[event")):
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(number), 0)
        if fd >= 0:
            found.setdefault(target, []).append(fd)
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
for target, fds in found.items():
    if target.startswith("pipe:"):
        try:
            fds.append(os.open(f"/proc/self/fd/{fds[0]}", os.O_RDONLY | os.O_NONBLOCK))
        except PermissionError:
            pass

def may(fd, mode):
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE in (mode, os.O_RDWR)

def without_waiting(fd, act, argument):
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        act(fd, argument)
    except OSError:
        pass
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)

writing = [fd for fds in found.values() for fd in fds if may(fd, os.O_WRONLY)]
reading = [fd for fds in found.values() for fd in fds if may(fd, os.O_RDONLY)]
print(len(writing), len(reading), flush=True)
turn = 0
while True:
    for fd in writing:
        without_waiting(fd, os.write, (1).to_bytes(8, "little"))
    turn += 1
    for _ in range(turn % 100 * 20):
        pass
    for fd in reading:
        without_waiting(fd, os.read, 4096)
    time.sleep(0.002)  # the master goes back to sleep
"""

# A handler that opens what it has on stderr for reading, and its worker's descriptors, if it may.
READS_STDERR = """
use Fcntl;
$| = 1;
sysopen(my $own, "/proc/self/fd/2", O_RDONLY | O_NONBLOCK);
my @ends = grep { defined } ($own, map { sysopen(my $end, $_, O_RDONLY | O_NONBLOCK) ? $end : undef }
                                       glob "/proc/" . getppid . "/fd/*");
fcntl(STDERR, F_SETFL, 0);
print "begun\\n";
while (1) {
    syswrite STDERR, "x";
    for my $end (@ends) { fcntl($end, F_SETFL, O_NONBLOCK); sysread $end, $_, 4096; fcntl($end, F_SETFL, 0) }
    select undef, undef, undef, 0.001;
}
"""



def is_same_file(one: int, fd: int, other: int, other_fd: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(KCMP, one, other, 0, fd, other_fd)
    return bool(result == 0)


def can_compare() -> bool:
    return is_same_file(os.getpid(), 0, os.getpid(), 0)


def flags_of(pid: int, fd: int) -> int:
    for line in Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "flags":
            return int(value, 8)
    raise KeyError(fd)


def shared_files(daemon: Daemon, others: list[int]) -> set[tuple[str, int]]:
    """What the master shares with other processes: what it is, and its number in the master."""
    mine = open_descriptors(daemon.pid)
    return {(target, fd) for fd, target in mine.items() for pid in others for other_fd in open_descriptors(pid)
            if is_same_file(daemon.pid, fd, pid, other_fd)}


def closed_directory(tmp_path: Path) -> Path:
    """Nobody but us may write it."""
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


def listening_sockets() -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(f"socket:[{fields[9]}]")
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[3], 16) & 0x10000:
            found.add(f"socket:[{fields[6]}]")
    return found


@pytest.mark.skipif(not can_compare(), reason="needs kcmp(2)")
@pytest.mark.parametrize("change", ["none", "reload", "upgrade", "log file"])
def test_the_master_shares_only_what_it_never_reads(preforkd: Start, tmp_path: Path, change: str) -> None:
    logged, inherited, refusing = tcp4(), tcp4(), tcp4()
    waits = ["/bin/sh", "-c", "echo begun; read line"]
    daemon = preforkd({
        "logged": {"listen": [logged, str(tmp_path / "sock")], "handler": waits},
        "inherited": {"listen": inherited, "handler": waits, "stderr": "inherit"},
        "refusing": {"listen": refusing, "handler": waits, "max_workers": 1, "when_full": "refuse"}},
        master={"control": tmp_path / "control.sock",
                "log_target": f"file:{closed_directory(tmp_path)}/log" if change == "log file" else "auto"})
    if change == "reload":
        daemon.pools["logged"]["environment"] = "A=b"  # type: ignore[index]
        daemon.hup()
    if change == "upgrade":
        control_of(daemon).do("upgrade")
        daemon.wait_message("upgraded")
    with connect(logged) as one, connect(inherited) as two, connect(refusing) as three:
        for client in (one, two, three):
            assert client.recv(100) == b"begun\n"
        wait_until(lambda: len(daemon.workers("refusing")) == 2, "the refuser")
        log_process = [pid for pid in descendants(daemon.pid) if title(pid).startswith("preforkd: log ")]
        others = [pid for pid in descendants(daemon.pid) if pid not in log_process]
        assert sum(len(handlers(daemon, pool)) for pool in daemon.pools) == 3
        listeners, stderr = listening_sockets(), open_descriptors(daemon.pid)[2]
        shared = {(target, fd) for target, fd in shared_files(daemon, others)
                  if target not in listeners and target != stderr}
        for pid in log_process:  # it shares nothing with a process of a pool, and with the master the pipe between them
            own = open_descriptors(pid)
            assert not [target for fd, target in own.items() for other in others for other_fd in open_descriptors(other)
                        if is_same_file(pid, fd, other, other_fd)]
            assert sum(is_same_file(pid, fd, daemon.pid, other_fd)
                       for fd in own for other_fd in open_descriptors(daemon.pid)) == 1
    assert all(target.startswith("pipe:") and flags_of(daemon.pid, fd) & os.O_ACCMODE == os.O_WRONLY
               for target, fd in shared), shared
    assert len(shared) == 3, "the wake-ups of three pools"
    assert bool(log_process) == (change == "log file")


@contextmanager
def blocker(worker: int) -> Iterator[list[int]]:
    """Code in a worker that wants the master to wait; yields how many writing and reading ends it got at."""
    user = pwd.getpwnam(POOL_USER).pw_uid if AS_ROOT else 0
    with subprocess.Popen([sys.executable, "-c", BLOCKER, str(worker), str(user)], stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout
        try:
            yield [int(word) for word in process.stdout.readline().split()]
        finally:
            process.kill()


def answers_for(daemon: Daemon, seconds: float, also: Callable[[], object] = lambda: None) -> None:
    """Fail unless the master answers all the time."""
    control, end = control_of(daemon), time.monotonic() + seconds
    while time.monotonic() < end:
        control.do("status", timeout=5)
        also()


def test_code_in_a_worker_cannot_make_the_master_wait(preforkd: Start, tmp_path: Path) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"},
                       "other": {"listen": other, "handler": "/bin/cat"}},
                      master={"control": tmp_path / "control.sock"})
    worker = wait_until(daemon.workers, "a worker")[0]
    with blocker(worker) as (writing, reading):
        assert writing >= 2, "stderr and the wake-ups"
        assert reading >= 1, "the worker's own reader of its stderr"
        answers_for(daemon, 3, lambda: request(other, b"x", timeout=5))


def test_a_handler_cannot_make_the_master_wait(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", READS_STDERR.replace("\n", " ")],
                               "kill_timeout": "100ms"}},
                      master={"shutdown_timeout": "100ms", "control": tmp_path / "control.sock"})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        answers_for(daemon, 3)


def perl(program: str) -> list[str]:
    return ["/usr/bin/perl", "-MFcntl", "-e", program]


@pytest.mark.parametrize("user", [POOL_USER, "root"])
def test_a_handler_can_open_its_stderr(preforkd: Start, as_root: None, user: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "user": user, "handler": perl(
        'open(my $again, ">", "/dev/stderr") or die; print $again "again\\n"; '
        'print chmod(0600, "/dev/stderr"), sysopen(my $end, "/dev/stderr", O_RDONLY) ? "reads" : "cannot read"')}})
    reply = request(address)
    assert reply == (b"1reads" if user == "root" else b"0cannot read")
    daemon.wait_said("again", "www")


CHANGES_STDERR = ('print fcntl(STDERR, F_GETFL, 0) & O_NONBLOCK ? "changed" : "blocking"; '
                  'fcntl(STDERR, F_SETFL, O_NONBLOCK | O_APPEND)')


@pytest.mark.parametrize("stderr", ["log", "inherit", "null"])
def test_flags_of_stderr_do_not_reach_the_next_handler(preforkd: Start, stderr: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 1, "stderr": stderr,
                               "handler": perl(CHANGES_STDERR)}})
    daemon.wait_workers(1)
    assert [request(address) for _ in range(3)] == [b"blocking"] * 3


def test_flags_of_an_inherited_stderr_do_not_reach_the_next_worker(preforkd: Start) -> None:
    """A program that accepts itself, and ends after one request."""
    address = tcp4()
    preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 1, "stderr": "inherit",
                      "handler_type": "listener", "restart_delay_min": "1ms", "handler": perl(
        f'open(my $listener, "+<&=3") or die; accept(my $client, $listener) or die; select($client); {CHANGES_STDERR}')}})
    assert [request(address) for _ in range(3)] == [b"blocking"] * 3
