"""What the figures have in common: a release build, a daemon to measure, rounds, and words for the result.

A script measures one figure. It prints what it ran, every figure beside its goal, and ends with status 0 (all goals met),
1 (one was missed) or 77 (something it needs is not there). Figures that compare are ratios of things that were measured
in turn within one run: a machine shared with others is never twice the same. Servers are only spoken to over loopback,
and everything that is started is started here and ended here; nothing of the system's is touched.

    with Bench("burst", "64 clients at once", {"clients": 64}) as bench:
        with bench.daemon({"www": {...}}) as daemon:
            bench.figure("makespan", 0.241, "s", at_most=0.30)
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-bench"
MISSING = 77  # exit status: something needed is not installed


def build() -> Path:
    """The daemon to measure: the one PREFORKD names, or a release build of this tree."""
    if "PREFORKD" not in os.environ:
        steps = [] if (BUILD / "build.ninja").exists() else [
            ["meson", "setup", str(BUILD), str(ROOT), "--buildtype=release", "-Dtests=true"]]
        for command in [*steps, ["meson", "compile", "-C", str(BUILD)]]:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-5000:]}")
        os.environ["PREFORKD"] = str(BUILD / "src/bin/preforkd")
    return Path(os.environ["PREFORKD"])


build()
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/integration"))
import daemon as tests  # noqa: E402  the tests' way to start a daemon and to be its client; wants PREFORKD set
import modules  # noqa: E402


def require(programs: Mapping[str, str]) -> None:
    """End with a word on which Debian package is missing; `programs`: program → package."""
    missing = sorted({package for program, package in programs.items() if not shutil.which(program)})
    if missing:
        print(f"not measured: missing; apt-get install --no-install-recommends {' '.join(missing)}")
        sys.exit(MISSING)


def package_version(package: str) -> str:
    query = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return f"{package} {query.stdout or 'of unknown version'}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 3) -> str:
    """A row of measurements in short: median, least and most."""
    return f"median {median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


class Bench:
    """One figure, or several that belong together."""

    def __init__(self, name: str, what: str, parameters: Mapping[str, Any], packages: Sequence[str] = ()) -> None:
        self.name = name
        self.missed = False
        self.stack = contextlib.ExitStack()
        version = tests.run_preforkd("--version").stdout.strip()
        print(f"== {name}: {what}")
        print(f"   {version}; Linux {platform.release()}, {os.cpu_count()} cores, load "
              f"{os.getloadavg()[0]:.1f}; {'as root' if tests.AS_ROOT else 'unprivileged'}")
        if packages:
            print(f"   {', '.join(map(package_version, packages))}")
        print(f"   {', '.join(f'{key} {value}' for key, value in parameters.items())}", flush=True)

    def __enter__(self) -> Bench:
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="preforkd-bench-", dir="/tmp")))
        self.directory.chmod(0o755)  # pools of another user enter it
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stack.close()
        if kind is None:
            sys.exit(1 if self.missed else 0)

    def handler(self, name: str) -> str:
        return tests.handler(name, self.directory)

    def module(self, name: str) -> str:
        return modules.module(name, self.directory)

    @contextlib.contextmanager
    def daemon(self, pools: tests.Pools, **options: Any) -> Iterator[tests.Daemon]:
        """A daemon that serves; stopped, and looked at, at the end."""
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        directory.chmod(0o755)
        daemon = tests.Daemon(directory, pools, **options)
        try:
            yield daemon.wait_ready(30)
        finally:
            daemon.close()

    @contextlib.contextmanager
    def peer(self, command: Sequence[str], port: int, group: Cgroup | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Another server, to compare with, in a control group if there is one; ended by its pid."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=tests.clean_environment(), start_new_session=True,
                                   preexec_fn=group.enter if group else None)
        try:
            tests.wait_until(lambda: process.poll() is not None or not tests.refuses(tests.tcp4(port)), f"{command[0]} serving")
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} has ended with status {process.returncode}")
            yield process
        finally:
            process.terminate()
            process.wait(10)

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)

    def figure(self, what: str, value: float, unit: str = "", *, at_most: float | None = None,
               at_least: float | None = None, digits: int = 2) -> bool:
        """Print a figure beside its goal; a figure without one is for information."""
        goal, met = "", True
        if at_most is not None:
            goal, met = f"≤ {at_most:g}", value <= at_most
        elif at_least is not None:
            goal, met = f"≥ {at_least:g}", value >= at_least
        self.missed |= not met
        verdict = ("met" if met else "MISSED") if goal else ""
        print(f"   {what:<58} {value:>10.{digits}f} {unit:<3} {goal:<9} {verdict}".rstrip(), flush=True)
        if summary := os.environ.get("BENCH_SUMMARY"):
            with open(summary, "a", encoding="utf-8") as file:
                file.write(json.dumps([self.name, what, f"{value:.{digits}f} {unit}".strip(), goal, verdict]) + "\n")
        return met

    def not_measured(self, what: str, why: str) -> None:
        print(f"   {what:<58} not measured: {why}", flush=True)
        if summary := os.environ.get("BENCH_SUMMARY"):
            with open(summary, "a", encoding="utf-8") as file:
                file.write(json.dumps([self.name, what, "–", "", f"not measured: {why}"]) + "\n")


# --- load -----------------------------------------------------------------------------------------------------------

class LoadResult:
    """What ab(1) says of a run."""

    def __init__(self, text: str) -> None:
        self.text = text

        def number(label: str, default: float | None = None) -> float:
            found = re.search(rf"^{label}:\s+([\d.]+)", text, re.MULTILINE)
            if found is None and default is None:
                raise RuntimeError(f"ab said nothing of '{label}':\n{text}")
            return float(found[1]) if found else float(default or 0)

        self.complete = int(number("Complete requests"))
        self.failed = int(self.without_doubles(int(number("Failed requests"))) + number("Write errors", 0)
                          + number("Non-2xx responses", 0))
        self.per_second = number("Requests per second")

    def without_doubles(self, failed: int) -> int:
        """The connections that failed. ab counts the kinds of failure instead: one reset before its reply is a `Receive`,
        a `Length` and an `Exceptions`."""
        kinds = re.search(r"\(Connect: (\d+), Receive: (\d+), Length: (\d+), Exceptions: (\d+)\)", self.text)
        if not kinds:
            return failed
        connect, *others = map(int, kinds.groups())
        return connect + max(others)


def load_command(port: int, clients: int, *more: str, path: str = "") -> list[str]:
    # -r: go on after a reset; -l is not given, so a reply of another length is a failure; -s: a stuck request is one.
    return ["ab", "-q", "-r", "-s", "30", "-c", str(clients), *more, f"http://127.0.0.1:{port}/{path}"]


def run_load(command: Sequence[str]) -> LoadResult:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ab failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return LoadResult(done.stdout)


def load(port: int, clients: int, requests: int, path: str = "") -> LoadResult:
    result = run_load(load_command(port, clients, "-n", str(requests), path=path))
    if result.failed or result.complete != requests:
        raise RuntimeError(f"{result.failed} requests failed, {result.complete} of {requests} complete:\n{result.text}")
    return result


def answers_per_second(port: int, clients: int, requests: int) -> float:
    """The same by tests/handlers/quick.c: ab(1) is one thread, which a server that is quick enough waits for."""
    done = subprocess.run([tests.HANDLERS / "client_quick", str(port), str(requests), str(clients)], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"client_quick failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return float(done.stdout.split()[0])


# --- measuring processes --------------------------------------------------------------------------------------------

class Cgroup:
    """A control group of version 2 of our own: its cpu.stat counts what all processes in it used, of those that lived for
    half a millisecond and are gone, too, and without waiting for their parents to end. It is there without the cpu
    controller."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    @contextlib.contextmanager
    def new(name: str) -> Iterator[Cgroup | None]:
        """None where we may not make one."""
        mount = re.search(r"^\S+ (\S+) cgroup2 ", Path("/proc/self/mounts").read_text(), re.MULTILINE)
        own = re.search(r"^0::(/.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
        path = Path(f"{mount[1] if mount else '/nowhere'}{own[1] if own else '/'}") / f"preforkd-bench-{os.getpid()}-{name}"
        try:
            path.mkdir()
        except OSError:
            yield None
            return
        try:
            yield Cgroup(path)
        finally:
            # A process that has ended leaves its group a moment after it was waited for.
            tests.wait_until(lambda: not (path / "cgroup.procs").read_text(), f"the end of all in {path}")
            path.rmdir()

    def enter(self) -> None:
        """Put the calling process into it: for `preexec_fn`."""
        (self.path / "cgroup.procs").write_text("0")

    def cpu_us(self) -> int:
        found = re.search(r"^usage_usec (\d+)", (self.path / "cpu.stat").read_text(), re.MULTILINE)
        assert found
        return int(found[1])


def measure_cpu(figures: Bench, ports: Mapping[str, int], groups: Mapping[str, Cgroup | None], clients: int, rounds: int,
                requests: int, paths: Mapping[str, str] | None = None) -> dict[str, list[float]]:
    """µs of CPU time a connection, of each server in each round: ab(1) meets each once, in another order every round.
    `paths`: what is asked of a server."""
    costs: dict[str, list[float]] = {name: [] for name in ports}
    names = list(ports)
    for number in range(rounds + 1):
        for name in names[number % len(names):] + names[:number % len(names)]:
            group = groups[name]
            assert group
            before = group.cpu_us()
            load(ports[name], clients, requests, (paths or {}).get(name, ""))
            if number > 0:  # the first round is for caches
                costs[name].append((group.cpu_us() - before) / requests)
    for name, values in costs.items():
        figures.say(f"{name}: {spread(values, 2)} µs of CPU time a connection")
    return costs


def memory_kb(pid: int) -> dict[str, int]:
    """/proc/PID/smaps_rollup by name; `Private` is what no other process shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    values = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    values["Private"] = values["Private_Clean"] + values["Private_Dirty"]
    return values


def child_pids(pid: int) -> list[int]:
    """The children of a process, in one read (`daemon.children` looks at every process there is)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
