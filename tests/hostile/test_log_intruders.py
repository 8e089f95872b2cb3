"""The log file of a root daemon, and pools that want to decide which file is written, or what stands in it."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import (POOL_USER, SLOW, Daemon, children, format_config, request, run_preforkd, stat_fields, tcp4, title,
                    wait_until)
from messages import STAMP
from pools import static

Start = Callable[..., Daemon]

# A group that the pool's user is in by configuration.
GROUP = 4711


# --- which file is written ----------------------------------------------------------------------------------------------

def owned(directory: Path) -> None:
    os.chown(directory, pwd.getpwnam(POOL_USER).pw_uid, -1)
    directory.chmod(0o500)


def of_the_group(directory: Path) -> None:
    os.chown(directory, -1, GROUP)
    directory.chmod(0o775)


def open_to_all(directory: Path) -> None:
    directory.chmod(0o777)


def sticky(directory: Path) -> None:
    directory.chmod(0o1777)


WAYS = {"theirs": owned, "of their group": of_the_group, "open": open_to_all, "sticky": sticky}


def problems_of(tmp_path: Path, path: Path) -> str:
    """What `-t` says of a log file with a pool of POOL_USER."""
    config = tmp_path / "preforkd.conf"
    config.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat", "supplementary_groups": str(GROUP)}},
                                    {"log_target": f"file:{path}"}))
    result = run_preforkd("-t", "-c", config)
    assert (result.returncode == 0) == (" log_target: " not in result.stderr), result.stderr
    return result.stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_that_a_pools_user_may_write(tmp_path: Path, as_root: None, way: str) -> None:
    """They could put a link there before the file is opened: a sticky one is no better. Without the pool it is fine."""
    directory = tmp_path / "logs"
    directory.mkdir()
    assert "log_target" not in problems_of(tmp_path, directory / "log")
    WAYS[way](directory)
    assert (f'log_target: the user "{POOL_USER}" of pool www may write the directory "{directory}"'
            in problems_of(tmp_path, directory / "log"))


@pytest.mark.parametrize("way", ["theirs", "of their group", "open"])
def test_a_directory_further_up(tmp_path: Path, as_root: None, way: str) -> None:
    """They could put another one in the place of the directory."""
    above = tmp_path / "above"
    directory = above / "logs"
    directory.mkdir(parents=True)
    WAYS[way](above)
    assert f'may write the directory "{above}"' in problems_of(tmp_path, directory / "log")


def test_a_sticky_directory_further_up(tmp_path: Path, as_root: None) -> None:
    """As /tmp is: what is somebody else's stays where it is, what is theirs does not."""
    above = tmp_path / "above"
    directory = above / "logs"
    directory.mkdir(parents=True)
    sticky(above)
    assert "log_target" not in problems_of(tmp_path, directory / "log")
    link = above / "link"
    link.symlink_to(directory)
    assert "log_target" not in problems_of(tmp_path, link / "log")
    os.chown(link, pwd.getpwnam(POOL_USER).pw_uid, -1, follow_symlinks=False)
    assert f'may write the directory "{above}"' in problems_of(tmp_path, link / "log")


def test_a_link_on_the_way(tmp_path: Path, as_root: None) -> None:
    """Where it leads to counts as well."""
    above, link = tmp_path / "above", tmp_path / "link"
    directory = above / "logs"
    directory.mkdir(parents=True)
    link.symlink_to(directory)
    open_to_all(above)
    assert f'may write the directory "{above}"' in problems_of(tmp_path, link / "log")


@pytest.mark.parametrize("way", ["theirs", "open"])
def test_a_file_that_a_pools_user_may_write(tmp_path: Path, as_root: None, way: str) -> None:
    path = tmp_path / "file"
    path.touch()
    assert "log_target" not in problems_of(tmp_path, path)
    WAYS[way](path)
    assert f'log_target: the user "{POOL_USER}" of pool www may write "{path}"' in problems_of(tmp_path, path)


def test_the_start_and_a_reload_refuse_it(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    open_to_all(directory)
    pools = {"www": {"listen": tcp4(), **static(1)}}
    daemon = preforkd(pools, master={"log_target": f"file:{directory}/log"}, ready=False)
    assert daemon.wait_end() == 78
    daemon = preforkd(pools, control=True)
    daemon.master["log_target"] = f"file:{directory}/log"
    daemon.write_config()
    [problem] = control_of(daemon).refused("reload", "refused")["problems"]
    assert "may write the directory" in problem["text"]
    assert not (directory / "log").exists()


# --- what stands in it --------------------------------------------------------------------------------------------------

# Code in a worker, with the worker's socket to the log process, or with its stderr. It takes the descriptor as root and
# acts as the pool's user; sends what it is told, `flood` times (0: without end).
SENDER = """
import ctypes, os, socket, stat, sys
PIDFD_OPEN, PIDFD_GETFD = 434, 438
worker, user, flood = map(int, sys.argv[1:4])
libc = ctypes.CDLL(None, use_errno=True)
pidfd = libc.syscall(PIDFD_OPEN, worker, 0)
fds = []
for number in os.listdir(f"/proc/{worker}/fd"):
    if os.readlink(f"/proc/{worker}/fd/{number}").startswith("socket:"):
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(number), 0)
        if socket.socket(fileno=os.dup(fd)).getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_SEQPACKET:
            fds.append(fd)
[fd] = fds
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
log = socket.socket(fileno=fd)
log.setblocking(False)
data = sys.argv[4].encode()
print("begun", flush=True)
sent = 0
while flood == 0 or sent < flood:
    try:
        log.send(data)
        sent += 1
    except BlockingIOError:
        pass
"""


@contextmanager
def sender(worker: int, data: str, flood: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    user = pwd.getpwnam(POOL_USER).pw_uid
    with subprocess.Popen([sys.executable, "-c", SENDER, str(worker), str(user), str(flood), data],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


def with_two_pools(preforkd: Start, tmp_path: Path) -> tuple[Daemon, Path, str, int]:
    directory = tmp_path / "logs"
    directory.mkdir()
    path, other = directory / "log", tcp4()
    daemon = preforkd({"www": {"listen": tcp4(), **static(2)},
                       "other": {"listen": other, **static(1, handler=["/bin/sh", "-c", "kill -SEGV $$"])}},
                      master={"log_target": f"file:{path}"}, control=True)
    return daemon, path, other, daemon.wait_workers(2)[0]


def test_a_worker_cannot_speak_for_others(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """Whatever it sends is a line of its own, under its pool and pid, with a level that is a worker's."""
    daemon, path, other, worker = with_two_pools(preforkd, tmp_path)
    forged = ("<0>emergency\n2026-01-01T00:00:00.000+00:00 preforkd: stopped\npreforkd: pool other: worker 1: forged\n"
              "\x1b[2Jcleared\x00\n" + "x" * 4000)
    with sender(worker, forged.replace("\0", ""), 1) as process:
        assert process.wait(20) == 0
    wait_until(lambda: "xxx" in path.read_text(), "the words of the worker")
    lines = path.read_text().splitlines()
    head = rf"{STAMP}preforkd: (?:error: )?pool www: worker {worker}: "
    for words in ("emergency", "2026-01-01", "pool other: worker 1: forged", "cleared", "xxx"):
        [line] = [line for line in lines if words in line]
        assert re.match(head, line), line
    assert "\x1b" not in path.read_text()
    assert all(re.match(STAMP, line) and len(line) < 4096 for line in path.read_text().splitlines())


def cpu_seconds(pid: int) -> float:
    fields = stat_fields(pid)
    assert fields
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("data", ["x", "x" * 2000, "x\n" * 500], ids=["short", "long", "many lines"])
def test_a_worker_that_floods_its_socket(preforkd: Start, tmp_path: Path, as_root: None, data: str) -> None:
    """The file gets a part and is told of the rest; others are heard, the master does not notice, and the log process does
    not spend its time on it."""
    daemon, path, other, worker = with_two_pools(preforkd, tmp_path)
    [log_process] = [pid for pid in children(daemon.pid) if title(pid).startswith("preforkd: log ")]
    control = control_of(daemon)
    with sender(worker, data):
        begun, cpu, master_cpu = time.monotonic(), cpu_seconds(log_process), cpu_seconds(daemon.pid)
        assert request(other) == b""
        wait_until(lambda: "pool other: worker" in path.read_text(), "the words of another pool")
        while time.monotonic() < begun + 3 * SLOW:
            control.do("status", timeout=5)
            time.sleep(0.05)
        lasted = time.monotonic() - begun
        share = (cpu_seconds(log_process) - cpu) / lasted, (cpu_seconds(daemon.pid) - master_cpu) / lasted
    lines = path.read_text().count(f"worker {worker}: x")
    assert 500 < lines <= 6000 + 1000 * (lasted + 1)
    told = wait_until(lambda: re.findall(r"(?m)preforkd: warning: pool www: (\d+) records were dropped", path.read_text()),
                      "the record of what was dropped", 20)
    assert len(told) <= 2 + lasted / 10
    assert share[0] < 0.3 and share[1] < 0.1, share
    assert daemon.workers() and control.do("status")["master"]["log"]["pid"] == log_process


def test_an_empty_datagram_ends_only_what_its_sender_says(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    daemon, path, other, worker = with_two_pools(preforkd, tmp_path)
    with sender(worker, "", 1) as process:
        assert process.wait(20) == 0
    assert request(other) == b""
    wait_until(lambda: "pool other: worker" in path.read_text(), "the words of another pool")
    assert worker in daemon.workers()
