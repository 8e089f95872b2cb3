"""preforkd as the first process of a container: nothing can be written but /mnt, there is no /run, few capabilities are
left, and orphans of all processes are its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import AS_ROOT, BINARY, SLOW, alive, children, clean_environment, preload_file, request, status_value, tcp4, wait_until
from test_preforkctl import CTL

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="needs the right to make namespaces")

CAPABILITIES = {"5": "kill", "6": "setgid", "7": "setuid"}
ORPHANS = ["/bin/sh", "-c", "(sleep 0.2) & (sleep 0.3) & cat"]
CONTAINER = """
mount -t proc proc /proc
mount -t tmpfs -o ro none /run
mount -o remount,bind,ro /
mount -t tmpfs none /mnt
exec setpriv --bounding-set=-all,+setuid,+setgid,+kill --inh-caps=-all --no-new-privs -- {command}
"""


class Container:
    def __init__(self, log: Path, address: str, *options: str, handler: list[str]) -> None:
        self.log = log
        command = shlex.join([str(BINARY), "--listen", address, "--user=nobody", "--log-format=json", *options, "--", *handler])
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-ec",
                 CONTAINER.format(command=command)], env=clean_environment(PREFORKD_PRELOAD=str(preload_file())),
                stderr=stderr)
        self.wait_said(": 1 pool, 1 listener")
        [self.pid] = children(self.process.pid)

    def wait_said(self, text: str) -> None:
        """… on stderr, each line of which is an object."""
        def said() -> bool:
            lines = self.log.read_text()
            return any(text in json.loads(line)["message"] for line in lines[:lines.rfind("\n") + 1].splitlines())

        wait_until(said, text)

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["nsenter", f"--target={self.pid}", "--pid", "--mount", *command], capture_output=True, text=True,
                              timeout=20 * SLOW, check=False)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Callable[..., Container]]:
    started: list[Container] = []

    def start(address: str, *options: str, handler: list[str] | None = None) -> Container:
        started.append(Container(tmp_path / "log", address, *options, handler=handler or ["/bin/cat"]))
        return started[-1]

    yield start
    for one in started:
        with one.process as process:
            process.kill()  # --kill-child does the rest
        wait_until(lambda one=one: not alive(one.pid), "its end")  # type: ignore[misc]


def users(box: Container) -> set[str]:
    """Of the first process's children; none while one of them is just ending."""
    try:
        return {status_value(pid, "Uid").split()[0] for pid in children(box.pid)}
    except OSError:
        return set()


@pytest.mark.parametrize("method", ["exec", "forkserver", "snapshot"])
def test_it_serves(container: Callable[..., Container], method: str) -> None:
    """As nobody, with what a container leaves of root."""
    address = tcp4()
    box = container(address, f"--start-method={method}", "--max-requests=2")
    assert status_value(box.pid, "NSpid").split()[1] == "1"
    assert int(status_value(box.pid, "CapBnd"), 16) == sum(1 << int(bit) for bit in CAPABILITIES)
    assert box.inside("touch", "/new").returncode != 0 and box.inside("touch", "/run/new").returncode != 0
    for _ in range(10):
        assert request(address, b"hello") == b"hello"
    wait_until(lambda: users(box) == {"65534"}, "workers, as nobody")


def test_orphans_are_reaped(container: Callable[..., Container]) -> None:
    """Those of handlers, and of whatever else was started inside; they are no workers, and nobody counts them."""
    address = tcp4()
    box = container(address, "--control=/mnt/control.sock", "--scaling=static", "--max-workers=2", handler=ORPHANS)
    before = set(wait_until(lambda: len(now := children(box.pid)) == 2 and now, "two workers"))
    for _ in range(5):
        assert request(address, b"hello") == b"hello"
    box.inside("sh", "-c", "(sleep 0.2; exit 7) & exit 0")

    def no_zombies() -> bool:
        now = [pid for pid in os.listdir("/proc") if pid.isdigit() and parent_is(int(pid), box.pid)]
        return {int(pid) for pid in now} <= before

    wait_until(no_zombies, "the end of all orphans")
    status = box.inside(str(CTL), "-s", "/mnt/control.sock", "--json", "status")
    assert json.loads(status.stdout)["pools"][0]["totals"]["died"] == 0


def parent_is(pid: int, parent: int) -> bool:
    """Also of a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[1]) == parent


def test_its_health_and_its_end(container: Callable[..., Container]) -> None:
    """`docker stop` sends SIGTERM to the first process: requests in flight end, and balancers have found out before."""
    address = tcp4()
    box = container(address, "--control=/mnt/control.sock", "--drain-delay=5s")
    health = box.inside(str(CTL), "-s", "/mnt/control.sock", "healthcheck")
    assert (health.returncode, health.stdout) == (0, "healthy: 1 pool\n"), health
    os.kill(box.pid, signal.SIGTERM)
    box.wait_said("draining for 5000 ms")
    assert request(address, b"late") == b"late"
    box.wait_said("stopped")
    assert box.process.wait(20 * SLOW) == 0


def test_without_a_place_for_its_socket(container: Callable[..., Container]) -> None:
    """/run cannot be written. From a command line there is no socket unless one is asked for."""
    address = tcp4()
    container(address)
    assert request(address, b"hello") == b"hello"
