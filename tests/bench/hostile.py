#!/usr/bin/python3
"""hostile: what a pool gets beside another one that attacks, compared with one that only takes a processor.

Pool A is attacked from inside, in several ways that have no end: its user wakes the master, kills all workers, stops and
continues them, writes garbage into the scoreboard, or its handler floods stderr. Pool B serves ab(1) with 4 clients
meanwhile. In turn with each such round is one in which pool A's user runs a plain busy loop. The ratio of the medians of
pool B's throughput must be at least 0.9, and the master must take at most 5 % of a processor.

Signals without end to all processes of a user cost the kernel more than a busy loop does, whoever they are for: it holds
a lock meanwhile that each fork needs. So stops are compared with the same signals to processes that are nobody's workers.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bench
from bench import tests
from culprits import IDLER, KILLER, SCRIBBLER, WAKER, culprit

CLIENTS = 4
SECONDS = 2.0
FLOOD = ["/usr/bin/perl", "-e", 'my $lines = "a line of twenty bytes\\n" x 100; print "x"; $| = 1; syswrite STDERR, $lines while 1']


@dataclass
class Attack:
    name: str
    handler: str | list[str]
    begin: Callable[[tests.Daemon, str, int], contextlib.AbstractContextManager[object]]
    beside: Callable[[int], contextlib.AbstractContextManager[object]] = lambda user: culprit(IDLER, user)
    what: str = "a busy loop"


@dataclass
class Round:
    per_second: float
    share: float  # of a processor, of the master


def wake_ups(daemon: tests.Daemon, address: str, user: int) -> contextlib.AbstractContextManager[object]:
    return culprit(WAKER, tests.wait_until(lambda: daemon.workers("a"), "a worker")[0], user)


def kills(daemon: tests.Daemon, address: str, user: int) -> contextlib.AbstractContextManager[object]:
    return culprit(KILLER, user, signal.SIGKILL)


def stops(daemon: tests.Daemon, address: str, user: int) -> contextlib.AbstractContextManager[object]:
    return culprit(KILLER, user, signal.SIGSTOP, signal.SIGCONT)


@contextlib.contextmanager
def strangers(user: int) -> Iterator[None]:
    """As many processes of the user as the pool has workers at first, stopped and continued in the same way."""
    processes = [subprocess.Popen(["sleep", "1000"], user=user, group=user, extra_groups=[]) for _ in range(2)]
    try:
        with culprit(KILLER, user, signal.SIGSTOP, signal.SIGCONT):
            yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def garbage(daemon: tests.Daemon, address: str, user: int) -> contextlib.AbstractContextManager[object]:
    [fd] = [fd for fd, target in tests.open_descriptors(daemon.pid).items() if target.startswith("/memfd:preforkd:a ")]
    return culprit(SCRIBBLER, daemon.pid, fd, user)


@contextlib.contextmanager
def lines(daemon: tests.Daemon, address: str, user: int) -> Iterator[None]:
    """One request, of a handler that writes as fast as its stderr is read."""
    with tests.connect(address):
        yield


ATTACKS = [
    Attack("wake-ups", "/bin/cat", wake_ups),
    Attack("workers killed", "/bin/cat", kills),
    Attack("workers stopped and continued", "/bin/cat", stops, strangers, "the same to other processes"),
    Attack("garbage in the scoreboard", "/bin/cat", garbage),
    Attack("lines on stderr", FLOOD, lines),
]


def processor_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure(daemon: tests.Daemon, port: int) -> Round:
    """Pool B's throughput for a while, and what the master took meanwhile."""
    used, begin = processor_seconds(daemon.pid), time.monotonic()
    command = bench.load_command(port, CLIENTS, "-t", str(int(SECONDS)), "-n", "10000000")
    result = bench.run_load(command)
    return Round(result.per_second, (processor_seconds(daemon.pid) - used) / (time.monotonic() - begin))


def compare(run: bench.Bench, attack: Attack, user: int, rounds: int) -> None:
    address, port = tests.tcp4(), tests.free_port()
    hostile, busy = [], []
    pools = {"a": {"listen": address, "handler": attack.handler, "user": user, "group": user, "min_spare_workers": 2,
                   "max_spare_workers": 4, "max_workers": 20},
             "b": {"listen": tests.tcp4(port), "handler": run.handler("hello"), "min_spare_workers": 4,
                   "max_spare_workers": 8, "max_workers": 16}}
    with run.daemon(pools) as daemon:
        measure(daemon, port)  # until the pool has grown
        for _ in range(rounds):
            with attack.beside(user):
                busy.append(measure(daemon, port))
            with attack.begin(daemon, address, user):
                hostile.append(measure(daemon, port))
    run.say(f"{attack.name}: requests/s of pool B {bench.spread([round_.per_second for round_ in hostile], 0)}, "
            f"beside {attack.what} {bench.spread([round_.per_second for round_ in busy], 0)}")
    run.figure(f"{attack.name}: throughput over that beside {attack.what}",
               bench.median([round_.per_second for round_ in hostile]) / bench.median([round_.per_second for round_ in busy]),
               "×", at_least=0.9)
    run.figure(f"{attack.name}: the master, of a processor", 100 * bench.median([round_.share for round_ in hostile]), "%",
               at_most=5)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7, help="of each kind for each attack")
    rounds = parser.parse_args().rounds
    bench.require({"ab": "apache2-utils", "perl": "perl"})
    with bench.Bench("hostile", "a pool beside one that attacks", {
            "clients": CLIENTS, "rounds": rounds, "seconds a round": SECONDS}, ["apache2-utils"]) as run:
        if not tests.AS_ROOT:
            run.not_measured("a pool beside one that attacks", "only root has two pools of different users")
            return
        user = random.randint(1 << 20, 1 << 30)  # nobody else's: it signals all that it may
        for attack in ATTACKS:
            compare(run, attack, user, rounds)


if __name__ == "__main__":
    main()
