"""Workers of a status pool that a client has got into its hands: what they ask the master for, and how."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import Control, control_of
from daemon import BINARY, Daemon, clean_environment, connect, open_descriptors, request, run_preforkd, tcp4, wait_until

Start = Callable[..., Daemon]


@pytest.fixture
def daemon(preforkd: Start, tmp_path: Path) -> Daemon:
    target = tmp_path / "status_hostile.so"
    shutil.copy(BINARY.parents[2] / "tests/handlers/status_hostile.so", target)
    target.chmod(0o755)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"},
                       "status": {"listen": tcp4(), "handler_type": "builtin", "handler": "status", "scaling": "static",
                                  "max_workers": 2}},
                      control=True, popen={"env": clean_environment(PREFORKD_STATUS=str(target))})
    daemon.wait_workers(2, "status")
    return daemon


def commit(daemon: Daemon, crime: str) -> int:
    return int(request(str(daemon.pools["status"]["listen"]), crime.encode() + b"\n"))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serves(daemon: Daemon, control: Control) -> None:
    assert request(str(daemon.pools["www"]["listen"]), b"hello") == b"hello"
    assert control.do("status")["master"]["state"] == "running"


@pytest.mark.parametrize("crime", ["flood", "hoard"])
def test_asking_without_end(daemon: Daemon, crime: str) -> None:
    """It costs the master next to nothing, and nobody else waits."""
    control, before, begun = control_of(daemon), cpu_s(daemon.pid), time.monotonic()
    answers = commit(daemon, crime)
    serves(daemon, control)
    lasted = time.monotonic() - begun
    assert lasted >= 3 and cpu_s(daemon.pid) - before < 0.15 * lasted
    assert answers <= 40 * lasted + 30, "no more than the limit"
    files = [target for target in open_descriptors(daemon.pid).values() if "preforkd-status" in target]
    assert len(files) <= 3


def test_documents_are_rendered_ten_times_a_second(daemon: Daemon) -> None:
    begun = time.monotonic()
    documents = commit(daemon, "count")
    assert 2 <= documents <= 10 * (time.monotonic() - begun) + 2


@pytest.mark.parametrize("crime", ["nonsense", "number", "nothing"])
def test_asking_for_what_there_is_not(daemon: Daemon, crime: str) -> None:
    """The worker gets no answers any more; the other one does."""
    commit(daemon, crime)
    serves(daemon, control_of(daemon))
    wait_until(lambda: commit(daemon, "gone") == 1, "one of the two whose link was cut")


def test_leaving_a_heir(daemon: Daemon) -> None:
    """A process that has the worker's end of the link does not keep the master's open."""
    def sockets() -> int:
        return daemon.descriptors()["socket"]

    before = sockets()
    with contextlib.ExitStack() as clients:
        for _ in range(3):
            dead = set(daemon.workers("status"))
            client = clients.enter_context(connect(str(daemon.pools["status"]["listen"])))
            client.sendall(b"heir\n")
            wait_until(lambda before=dead: len(set(daemon.workers("status")) - before) == 1, "another worker")
            daemon.wait_workers(2, "status")
        wait_until(lambda: sockets() <= before, "no link of a dead worker", 3)


def test_passing_files(daemon: Daemon) -> None:
    """They are closed."""
    before = len(open_descriptors(daemon.pid))
    commit(daemon, "files")
    serves(daemon, control_of(daemon))
    wait_until(lambda: len(open_descriptors(daemon.pid)) <= before + 3, "none is kept")


def test_of_another_version(preforkd: Start, tmp_path: Path) -> None:
    """An object that is none of ours is refused by name."""
    config = tmp_path / "wrong.conf"
    other = BINARY.parents[2] / "tests/handlers/module_hello.so"
    config.write_text(f"[status]\nlisten = {tcp4()}\nhandler_type = builtin\nhandler = status\n"
                      + ("user = root\nno_new_privileges = yes\n" if os.geteuid() == 0 else ""))
    result = run_preforkd("-t", "-c", config, env=clean_environment(PREFORKD_STATUS=str(other)))
    assert result.returncode != 0 and "but not the one that serves the status" in result.stderr, result.stderr
