"""A machine with a real systemd as PID 1 and preforkd installed by the project's own rules, for a session of tests.

It lives in namespaces over a throw-away overlay (`in-systemd`), so it needs root, and nothing of it stays. This process
joins its network: `request()` and `connect()` of daemon.py reach what listens there. UNIX paths are reached by
`machine.path()`.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon import BINARY, HANDLERS, SLOW, Pools, Value, format_config, wait_until

CLONE_NEWNET = 0x40000000
HERE = Path(__file__).resolve().parent
UNIT_DIRECTORY = "/etc/systemd/system"
TOOLS = ("unshare", "nsenter", "setpriv", "systemctl", "systemd-analyze", "journalctl", "ip")


def why_not() -> str | None:
    """The reason why there can be no such machine here."""
    if os.geteuid() != 0:
        return "needs root (a systemd of its own, in namespaces)"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or not Path("/lib/systemd/systemd").exists():
        return f"needs {', '.join(missing or ['/lib/systemd/systemd'])}"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        probe = subprocess.run(["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "/bin/sh", "-ec",
                                f"mount -t tmpfs tmpfs {scratch}; mkdir {scratch}/u {scratch}/w {scratch}/r {scratch}/c;"
                                f"mount -t overlay overlay -o lowerdir=/,upperdir={scratch}/u,workdir={scratch}/w {scratch}/r;"
                                f"mount -t cgroup2 cgroup2 {scratch}/c; rmdir $(mktemp -d -p {scratch}/c)"],
                               capture_output=True, text=True, check=False)
    return f"needs namespaces, overlayfs and cgroup2 ({probe.stderr.strip()[:120]})" if probe.returncode else None


def _enter_network(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Machine:
    """Made once a session by the fixture of that name."""

    def __init__(self) -> None:
        self.own_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.box = Path(tempfile.mkdtemp(prefix="preforkd-systemd-", dir="/var/tmp"))
        self._install_into(self.box / "install")
        self.runner = subprocess.Popen([HERE / "in-systemd", "--boot", self.box], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True, preexec_fn=_end_with_parent)
        try:
            wait_until(lambda: (self.box / "pid").exists() or self.runner.poll() is not None, "systemd up", 60)
            assert self.runner.poll() is None, self.runner.stderr and self.runner.stderr.read()
            self.pid = int((self.box / "pid").read_text())
            self.root = Path(f"/proc/{self.pid}/root")
            network = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _enter_network(network)
            os.close(network)
            self.run("cp", "-a", "/run/box/install/.", "/")
            self.run("systemd-sysusers")
            self.run("systemd-tmpfiles", "--create", "--prefix=/run/preforkd")
            self.systemctl("daemon-reload")
        except BaseException:
            self.close()
            raise

    def _install_into(self, directory: Path) -> None:
        subprocess.run(["meson", "install", "-C", BINARY.parents[2], "--no-rebuild", "--destdir", directory],
                       check=True, capture_output=True, text=True)
        tools = directory / "usr/local/libexec/preforkd"
        for program in HANDLERS.glob("handler_*"):
            if program.is_file():
                shutil.copy(program, tools / program.name)
        directory.chmod(0o755)

    def close(self) -> None:
        _enter_network(self.own_network)
        os.close(self.own_network)
        self.runner.terminate()
        self.runner.communicate(timeout=60)
        shutil.rmtree(self.box, ignore_errors=True)

    # commands

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--root",
                "--wdns=/", "--"]

    def run(self, *command: str | Path | int, check: bool = True, timeout: float = 60.0,
            **options: Any) -> subprocess.CompletedProcess[str]:
        """A command as root in there."""
        result = subprocess.run([*self._enter(), *map(str, command)], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=timeout * SLOW, check=False, **options)
        assert not check or result.returncode == 0, \
            f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
        return result

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A command as root in there, which goes on; its stdout is read by the test."""
        return subprocess.Popen([*self._enter(), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def systemctl(self, *arguments: str, check: bool = True, timeout: float = 100.0) -> subprocess.CompletedProcess[str]:
        return self.run("systemctl", *arguments, check=check, timeout=timeout)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", f"--property={name}", "--value", unit).stdout.strip()

    def main_pid(self, unit: str = "preforkd.service") -> int:
        return int(self.show(unit, "MainPID"))

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        self.run("kill", f"-{number}", pid)

    def status(self, unit: str = "preforkd.service") -> str:
        return self.show(unit, "StatusText")

    def journal(self, unit: str = "preforkd.service") -> list[dict[str, Any]]:
        """The records of a unit, oldest first."""
        self.run("journalctl", "--sync")
        output = self.run("journalctl", "--output=json", "--no-pager", f"--unit={unit}").stdout
        return [json.loads(line) for line in output.splitlines()]

    # files

    def path(self, path: str) -> Path:
        """A file in there, as it is reached from here."""
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(target.name + ".new")
        scratch.write_text(text)
        scratch.chmod(mode)
        scratch.replace(target)

    def configure(self, pools: Pools, master: Mapping[str, Value] | None = None, instance: str | None = None) -> None:
        """Write the configuration of preforkd.service, or of an instance."""
        directory = f"/usr/local/etc/preforkd/{instance}" if instance else "/usr/local/etc/preforkd"
        self.write(f"{directory}/preforkd.conf", format_config(pools, master))

    def drop_in(self, unit: str, text: str) -> None:
        """Change a unit for this test."""
        self.write(f"{UNIT_DIRECTORY}/{unit}.d/test.conf", text)
        self.systemctl("daemon-reload")

    def clean(self) -> None:
        """As after the boot."""
        units = [f"preforkd{what}" for what in (".service", "@*.service", "@*.socket")]
        self.systemctl("stop", "--", *reversed(units), check=False)
        self.run("pkill", "-9", "-x", "preforkd", check=False)
        self.systemctl("reset-failed", "--", *units, check=False)
        self.run("sh", "-c", f"rm -rf /usr/local/etc/preforkd {UNIT_DIRECTORY}/preforkd* /run/preforkd/*")
        self.systemctl("daemon-reload")
        self.run("journalctl", "--rotate")
        self.run("journalctl", "--vacuum-time=1ms")
