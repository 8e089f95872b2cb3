#!/usr/bin/python3
"""threads: one module served by processes and by threads, as two lines of configuration.

Two daemons serve the module of tests/handlers/module_hello.c with the same number of slots: one with threads_per_worker = 1,
one with all slots in processes of --threads. In each round ab(1) meets each once, in another order every round: CPU time per
connection by control group, connections a second by ab's clock. Memory is the PSS of all workers after each has served;
growth is the time from one process to all slots, with every client being served. All figures are ratios of medians within
one run, threads over processes; none has a goal, because which is better is the question.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import time

import bench
from bench import Cgroup, tests
from control import control_of

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
NAMES = ("processes", "threads")


def pool_of(figures: bench.Bench, name: str, port: int, slots: int, threads: int, **keys: object) -> dict[str, object]:
    return {"listen": tests.tcp4(port), "handler_type": "module", "handler": figures.module("hello"), "max_workers": slots,
            "threads_per_worker": threads if name == "threads" else 1, "backlog": 1024, **keys}


def in_turn(number: int) -> tuple[str, ...]:
    return NAMES[number % 2:] + NAMES[:number % 2]


def measure_load(figures: bench.Bench, options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        groups = {name: stack.enter_context(Cgroup.new(name)) for name in NAMES}
        ports = {name: tests.free_port() for name in NAMES}
        for name in NAMES:
            group = groups[name]
            stack.enter_context(figures.daemon(
                {"www": pool_of(figures, name, ports[name], options.workers, options.workers, scaling="static")},
                **({"popen": {"preexec_fn": group.enter}} if group else {})))
        costs: dict[str, list[float]] = {name: [] for name in NAMES}
        rates: dict[str, list[float]] = {name: [] for name in NAMES}
        for number in range(options.rounds + 1):
            for name in in_turn(number):
                group = groups[name]
                before = group.cpu_us() if group else 0
                result = bench.load(ports[name], options.clients, options.requests)
                if number > 0:  # the first round is for caches
                    costs[name].append(((group.cpu_us() if group else 0) - before) / options.requests)
                    rates[name].append(result.per_second)
        for name in NAMES:
            figures.say(f"{name}: {bench.spread(costs[name], 2)} µs of CPU time a connection, "
                        f"{bench.spread(rates[name], 0)} connections a second")
        if all(groups.values()):
            figures.figure("CPU per connection, threads over processes",
                           bench.median(costs["threads"]) / bench.median(costs["processes"]), "×", digits=3)
        else:
            figures.not_measured("CPU per connection", "control groups of version 2 cannot be made here")
        figures.figure("connections a second, threads over processes",
                       bench.median(rates["threads"]) / bench.median(rates["processes"]), "×", digits=3)


def ask_all(port: int, count: int) -> float:
    """Connect `count` clients at once, have each served, and return how long that took: they hold their slots until all
    are connected."""
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        for client in clients:
            client.settimeout(30)
            client.sendall(REQUEST)
        for client in clients:
            if not client.recv(4096).endswith(b"hello\n"):
                raise RuntimeError("a client was not served")
        return time.monotonic() - begun


def hold_all(daemon: tests.Daemon, port: int, count: int) -> float:
    """Seconds until all slots are busy with clients that say nothing."""
    control = control_of(daemon)
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        tests.wait_until(lambda: control.pool()["counts"]["busy"] == count, "all slots are busy", 30)
        return time.monotonic() - begun


def measure_size(figures: bench.Bench, options: argparse.Namespace) -> None:
    memory: dict[str, list[float]] = {name: [] for name in NAMES}
    growth: dict[str, list[float]] = {name: [] for name in NAMES}
    for number in range(options.daemons):
        for name in in_turn(number):
            port = tests.free_port()
            pool = pool_of(figures, name, port, options.slots, options.threads, min_spare_workers=1,
                           start_workers=1, max_spare_workers=options.slots)
            with figures.daemon({"www": pool}, control=True) as daemon:
                daemon.wait_workers(1)
                growth[name].append(hold_all(daemon, port, options.slots))
                ask_all(port, options.slots)
                memory[name].append(sum(bench.memory_kb(pid)["Pss"] for pid in daemon.workers()) / options.slots)
    for name in NAMES:
        figures.say(f"{name}: {bench.spread(memory[name], 0)} KB of PSS a slot, "
                    f"{bench.spread([1000 * seconds for seconds in growth[name]], 1)} ms from one to {options.slots}")
    figures.figure("PSS a slot, threads over processes", bench.median(memory["threads"]) / bench.median(memory["processes"]),
                   "×", digits=3)
    figures.figure("time to grow, threads over processes", bench.median(growth["threads"]) / bench.median(growth["processes"]),
                   "×", digits=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, to each daemon")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=max(os.cpu_count() or 2, 2), help="slots under load: one process, or as many")
    parser.add_argument("--slots", type=int, default=64, help="where memory and growth are measured")
    parser.add_argument("--threads", type=int, default=16, help="threads of each process there")
    parser.add_argument("--daemons", type=int, default=7, help="of each kind, for memory and growth")
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("threads", "one module, served by processes and by threads", vars(options), ["apache2-utils"]) as figures:
        measure_load(figures, options)
        measure_size(figures, options)


if __name__ == "__main__":
    main()
