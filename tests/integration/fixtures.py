"""What tests with a daemon have in common: a daemon per test, and what must be as before when a test has ended.

A directory of such tests has a conftest.py that takes everything in here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import daemon as daemons_module
from changed_tree import Programs
from daemon import (AS_ROOT, SLOW, Daemon, Timeout, adopt_orphans, alive, children, claimed_ports, handler,
                    has_children, have_ipv6, title, wait_until, with_own_mounts)
from next_version import build_next_version

# Longer than any wait of a test that works: a test that hangs fails with a traceback instead of stopping the run.
TEST_DEADLINE = 120
LONG_TEST_DEADLINE = 900


def pytest_sessionstart(session: pytest.Session) -> None:
    adopt_orphans()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows what its daemons said."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    if report.failed:
        for number, daemon in enumerate(item.stash.get(DAEMONS, [])):
            report.sections.append((f"log of preforkd {number} ({' '.join(daemon.arguments)})", daemon.log()[-20000:]))
            if daemon.record_path != daemon.log_path:
                report.sections.append((f"stderr of preforkd {number}", daemon.stderr()[-20000:]))
            if daemon.config.is_file():  # a pipe would hold us up
                report.sections.append((f"configuration of preforkd {number}", daemon.config.read_text()))


DAEMONS: pytest.StashKey[list[Daemon]] = pytest.StashKey()
FAILED: pytest.StashKey[bool] = pytest.StashKey()


@pytest.fixture(scope="session")
def next_version() -> Programs:
    return build_next_version()


@pytest.fixture(autouse=True)
def deadline(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test runs for ever."""
    seconds = (LONG_TEST_DEADLINE if request.node.get_closest_marker("long") else TEST_DEADLINE) * SLOW

    def on_alarm(_number: int, _frame: Any) -> None:
        raise Timeout(f"the test has run for {seconds:g} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def reap_adopted(known: set[int]) -> None:
    """Collect orphans that have come to us and ended; children of `subprocess` are its own business."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in known:
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == os.getpid() and fields[0] == "Z":
                    os.waitpid(int(entry), os.WNOHANG)
            except (OSError, ChildProcessError):
                pass


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory that pools of every user can enter, with a path short enough for UNIX sockets.

    pytest's own is closed to other users and may be long. Kept if the test fails.
    """
    path = Path(tempfile.mkdtemp(prefix="preforkd-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    if not request.node.stash.get(FAILED, False):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest, tmp_path: Path, deadline: None) -> Iterator[None]:
    """Processes and descriptors are as before when a test has ended.

    This process adopts every orphan below it, so whatever a daemon left behind, workers and handlers alike, is its
    child afterwards. The descriptors looked at here are the test's own; those of the master are Daemon.close()'s.
    """
    before = set(children(os.getpid())) if has_children() else set()
    descriptors_before = len(os.listdir("/proc/self/fd")) - claimed_ports()
    yield

    def left_over() -> list[int]:
        if not has_children():
            return []
        reap_adopted(before)
        return [pid for pid in children(os.getpid()) if pid not in before]

    try:
        wait_until(lambda: not left_over(), "the end of everything the test started", 10)
    except Timeout:
        leaked = {pid: title(pid) for pid in left_over()}
        for pid in leaked:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not left_over(), "the end of killed processes", 10)
        request.node.stash[FAILED] = True  # keeps the directory, and so the log for the report
        pytest.fail(f"processes left behind: {leaked}")
    descriptors = len(os.listdir("/proc/self/fd")) - claimed_ports()
    assert descriptors <= descriptors_before, "the test itself leaks descriptors"


@pytest.fixture(params=["exec", "snapshot"])
def listener_method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Programs that accept themselves, and that the preloaded object watches, are started in this way."""
    monkeypatch.setattr(daemons_module, "LISTENER_METHOD", "" if request.param == "exec" else request.param)
    return request.param


@pytest.fixture
def preforkd(request: pytest.FixtureRequest, tmp_path: Path, no_leaks: None) -> Iterator[Callable[..., Daemon]]:
    """Start daemons: `preforkd({"www": {"listen": …, "handler": …}})`, or `preforkd(arguments=[…])` for the one-line form.

    Returns when it serves (`ready=False`: at once). At the end of the test each is stopped and looked at.
    """
    daemons: list[Daemon] = []
    request.node.stash[DAEMONS] = daemons

    def start(pools: Any = None, *, ready: bool = True, **options: Any) -> Daemon:
        directory = tmp_path / f"daemon{len(daemons)}" if daemons else tmp_path
        directory.mkdir(exist_ok=True)
        daemon = Daemon(directory, pools, **options)
        daemons.append(daemon)
        return daemon.wait_ready() if ready else daemon

    yield start
    failures: list[BaseException] = []
    for daemon in daemons:
        try:
            daemon.close()
        except (AssertionError, OSError) as failure:
            failures.append(failure)
            request.node.stash[FAILED] = True
    if failures:
        raise failures[0]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """The path of a program of tests/handlers/ where handlers of every user can execute it."""
    return lambda name: handler(name, tmp_path)


@pytest.fixture
def as_root() -> None:
    if not AS_ROOT:
        pytest.skip("needs root")


@pytest.fixture
def own_mounts(tmp_path: Path) -> Path:
    """preforkd in a mount namespace of its own, in which a test may change what /etc or /dev hold."""
    probe = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    if not AS_ROOT or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to make a mount namespace")
    return with_own_mounts(tmp_path)


@pytest.fixture
def ipv6() -> None:
    if not have_ipv6():
        pytest.skip("needs IPv6 on the loopback interface")
