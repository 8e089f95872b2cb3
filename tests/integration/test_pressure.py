"""growth_pressure_limit: the growth of a pool stops while the pressure is above it, and goes on afterwards.

Most tests have files of their own in the place of the kernel's, so they need no kernel that measures pressure: each sees a
control group whose processes have waited as long as the test says. One has a group of its own, and real pressure.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control import control_of
from daemon import (BINARY, Daemon, Timeout, burst, connect, context_switches, format_config, run_preforkd, tcp4, wait_until,
                    with_own_mounts)
from served import served

Start = Callable[..., Daemon]
Program = Callable[[str], str]

CTL = BINARY.parents[1] / "ctl/preforkctl"
BAD_CONFIG = 78
YEAR_US = 365 * 86400 * 1000000


def own_group() -> str:
    """The control group (version 2) of this process, and of the daemons that it starts."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::/") and not line.startswith("0::/.."):
            return line.removeprefix("0::")
    pytest.skip("needs control groups of version 2")


class Files:
    """A control group of which the test says how long its processes have waited."""

    def __init__(self, directory: Path) -> None:
        self.stalled_us = 0
        self.root = directory / "cgroup"
        self.directory = self.root / own_group().lstrip("/")
        self.directory.mkdir(parents=True)
        self.binary = with_own_mounts(directory, f"mount --bind {shlex.quote(str(self.root))} /sys/fs/cgroup")
        self.press(0)

    def press(self, more_us: int = YEAR_US) -> None:
        """A year more of waiting: as much as there can be since the last look, whenever that was."""
        self.stalled_us += more_us
        for resource in ("cpu", "memory"):
            new = self.directory / "new"
            new.write_text("".join(f"{line} avg10=0.00 avg60=0.00 avg300=0.00 total={self.stalled_us}\n"
                                   for line in ("some", "full")))
            new.rename(self.directory / f"{resource}.pressure")


@pytest.fixture
def files(tmp_path: Path, own_mounts: Path) -> Files:
    return Files(tmp_path)


def decided(daemon: Daemon, pattern: str) -> list[str]:
    return [text for text in control_of(daemon).decisions() if re.fullmatch(pattern, text)]


def test_growth_stops_and_goes_on(preforkd: Start, files: Files) -> None:
    """The decisions say so with the number; when the pressure is over, those that waited are served."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 0, "start_workers": 1,
                               "max_workers": 300, "growth_pressure_limit": "cpu 60%"}}, control=True, binary=files.binary)
    pattern = r"growth is held back at \d+ workers?, \d+ missing \(cpu pressure [\d.]+% > 60%\)"
    clients = []

    def held() -> bool:
        files.press()
        if len(clients) < 200:
            clients.append(connect(address))
        return bool(decided(daemon, pattern))

    try:
        wait_until(held, "the end of the growth", 20)
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert client.recv(1) == b"x"
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: decided(daemon, r"growth is no longer held back \((cpu pressure [\d.]+% <= 60%|no worker is missing)\)"),
               "the end of the pressure", 20)
    wait_until(lambda: control_of(daemon).pool()["growth_pressure"]["held_back"] is False, "the status", 20)


def test_status_shows_it(preforkd: Start, files: Files) -> None:
    """While it lasts: in the status, as a metric, for people."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 0,
                               "start_workers": 1, "max_workers": 1000, "growth_pressure_limit": "memory 20%"}},
                      control=True, binary=files.binary)
    control = control_of(daemon)
    daemon.wait_workers(1)
    assert control.pool()["growth_pressure"] in (None, {"held_back": False, "resource": "memory", "percent": 0.0,
                                                        "limit_percent": 20.0})
    clients = []
    try:
        def held() -> bool:
            files.press()
            if len(clients) < 500:  # one by one: a burst is served before the second look at the files
                clients.append(connect(address))
            return (control.pool()["growth_pressure"] or {}).get("held_back", False)

        wait_until(held, "growth to be held back", 20)
        shown = control.pool()["growth_pressure"]
        assert (shown["resource"], shown["limit_percent"]) == ("memory", 20.0)
        assert 0 <= shown["percent"] <= 100

        def told() -> bool:
            files.press()
            ctl = subprocess.run([CTL, "-s", str(control.path), "status", "www"], capture_output=True, text=True,
                                 check=True, timeout=60)
            return re.search(r"^  held back +memory pressure [\d.]+%, growth_pressure_limit is 20%$", ctl.stdout,
                             re.MULTILINE) is not None

        wait_until(told, "preforkctl to show it", 20)

        def saturated() -> bool:
            files.press()
            return control.pool()["state"] == "saturated"

        wait_until(saturated, "the pool to be full as it is", 20)
    finally:
        for client in clients:
            client.close()


def test_a_pool_at_rest_does_not_look(preforkd: Start, files: Files) -> None:
    """Whatever the pressure is."""
    files.press()
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_workers": 3, "min_spare_workers": 3,
                               "growth_pressure_limit": "1%"}}, control=True, binary=files.binary)
    daemon.wait_workers(3)
    files.press()

    def sleeps() -> bool:
        before = context_switches(daemon.pid)
        try:
            wait_until(lambda: context_switches(daemon.pid) != before, "a wake-up", 2)
        except Timeout:
            return True
        return False

    wait_until(sleeps, "two seconds of sleep", 30)


def test_files_that_are_gone_hold_nobody_back(preforkd: Start, program: Program, files: Files) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "500"], "min_spare_workers": 0,
                               "start_workers": 1, "max_workers": 20, "growth_pressure_limit": "cpu 60%"}},
                      control=True, binary=with_own_mounts(
                          files.root.parent, f"mount --bind {shlex.quote(str(files.root))} /sys/fs/cgroup",
                          "if [ -d /proc/pressure ]; then mount -t tmpfs none /proc/pressure; fi"))
    daemon.wait_workers(1)
    (files.directory / "cpu.pressure").unlink()
    assert [served(reply) for reply in burst(address, 8)]
    assert not decided(daemon, "growth is held back.*")


@pytest.mark.parametrize(("value", "named"), [("cpu 60%", ["cpu"]), ("memory 9%", ["memory"]), ("50%", ["cpu", "memory"])])
def test_a_kernel_that_does_not_measure_it(tmp_path: Path, own_mounts: Path, value: str, named: list[str]) -> None:
    """The limit would do nothing: an error, with its place."""
    binary = with_own_mounts(tmp_path, "mount -t tmpfs none /sys/fs/cgroup",
                             "if [ -d /proc/pressure ]; then mount -t tmpfs none /proc/pressure; fi")
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat", "growth_pressure_limit": value}}))
    result = run_preforkd("-t", "-c", path, binary=binary)
    assert result.returncode == BAD_CONFIG
    for resource in named:
        assert re.search(rf":\d+: growth_pressure_limit: cannot read /proc/pressure/{resource}: No such file or directory; "
                         r"this kernel does not measure pressure \(CONFIG_PSI; psi=1 on its command line\)$",
                         result.stderr, re.MULTILINE), result.stderr
    assert result.stderr.count("cannot read") == len(named)


# --- real pressure --------------------------------------------------------------------------------------------------

@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of its own, below that of this process."""
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        path = Path(mount + own_group()) / f"preforkd-test-{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            (path / "cpu.pressure").read_text()
        except OSError:
            path.rmdir()
            continue
        yield path
        wait_until(lambda: not (path / "cgroup.procs").read_text(), "an empty group", 30)
        path.rmdir()
        return
    pytest.skip("needs the right to make a control group, and a kernel that measures pressure")


SPIN = """
import os, socket, sys
client = socket.socket(fileno=os.dup(0))
client.settimeout(0)
while True:
    try:
        client.recv(1)
        break
    except BlockingIOError:
        sum(range(20000))
"""


def test_real_pressure_of_a_group(group: Path, preforkd: Start, tmp_path: Path) -> None:
    """Handlers that want more processors than there are: the pool stays as it is until they have ended."""
    cpus = os.cpu_count() or 1
    binary = tmp_path / "preforkd-in-a-group"
    binary.write_text(f"#!/bin/sh\necho $$ > {shlex.quote(str(group / 'cgroup.procs'))} && "
                      f"exec {shlex.quote(str(BINARY))} \"$@\"\n")
    binary.chmod(0o755)
    spin = tmp_path / "spin.py"
    spin.write_text(SPIN)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/python3", str(spin)], "min_spare_workers": 0,
                               "start_workers": 1, "max_workers": 50 * cpus + 100,
                               "growth_pressure_limit": "cpu 25%"}}, control=True, binary=binary)
    control = control_of(daemon)
    clients = []

    def held() -> bool:
        if len(clients) < 40 * cpus:
            clients.append(connect(address))
        return (control.pool()["growth_pressure"] or {}).get("held_back", False)

    try:
        wait_until(held, "pressure", 60)
        assert decided(daemon, r"growth is held back at \d+ workers?, \d+ missing \(cpu pressure [\d.]+% > 25%\)")
        assert control.pool()["growth_pressure"]["resource"] == "cpu"
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: not control.pool()["growth_pressure"]["held_back"], "the end of the pressure", 60)
