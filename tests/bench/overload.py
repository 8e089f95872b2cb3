#!/usr/bin/python3
"""overload: a CPU-bound handler with four times the load that the machine can serve: growth_pressure_limit against the best
of fixed sizes.

Static pools of 1, 2, 4 … workers, one pool that may grow to --most, and the same with growth_pressure_limit serve a handler
that computes for --ms milliseconds, with when_full = refuse. Connections come four times as fast as the processors can serve
them; a client whose answer does not come within --patience seconds goes away and does not count. Each pool is met in turn, in
another order every round. The figure is the median over the rounds of the ratio to the best fixed size in the same round, so
that what else the machine does weighs on both.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import socket
import subprocess
import time

import bench
from bench import tests
from control import control_of

CLOSED = {"limit": "adaptive with growth_pressure_limit", "free": "adaptive without"}


def program(figures: bench.Bench, milliseconds: float) -> str:
    """Computes for so much of its own CPU time, whatever else runs."""
    path = figures.directory / "compute.c"
    path.write_text(f"""
#include <time.h>
#include <unistd.h>
static double used(void) {{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}}
int main(void) {{
        static volatile unsigned char memory[1 << 20];
        for (unsigned i = 1; used() < {milliseconds}; i++)
                for (unsigned j = 0; j < sizeof(memory); j += 64)
                        memory[j] = (unsigned char)(memory[j] * 31 + i);
        return write(1, "done\\n", 5) != 5;
}}
""")
    target = figures.directory / "compute"
    subprocess.run(["cc", "-O2", "-o", str(target), str(path)], check=True)
    target.chmod(0o755)
    return str(target)


def offer(port: int, rate: float, seconds: float, patience: float) -> float:
    """Answers a second, while so many connections a second come."""
    selector = selectors.DefaultSelector()
    begun: dict[socket.socket, float] = {}  # oldest first
    served = 0

    def leave(client: socket.socket) -> None:
        selector.unregister(client)
        client.close()
        del begun[client]

    start = due = time.monotonic()
    while (now := time.monotonic()) < start + seconds:
        due = max(due, now - 0.1)  # what we were too slow for does not come
        while due <= now:
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            begun[client] = now
            selector.register(client, selectors.EVENT_READ)
            due += 1 / rate
        for key, _ in selector.select(max(due - time.monotonic(), 0)):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            with contextlib.suppress(OSError):
                served += client.recv(100) == b"done\n"
            leave(client)
        while begun and now - begun[first := next(iter(begun))] > patience:
            leave(first)
    took = time.monotonic() - start
    for client in list(begun):
        leave(client)
    selector.close()
    return served / took


def pool_of(name: str, port: int, handler: str, options: argparse.Namespace) -> dict[str, object]:
    pool: dict[str, object] = {"listen": tests.tcp4(port), "handler": handler, "when_full": "refuse"}
    if name.isdigit():
        return {**pool, "scaling": "static", "max_workers": int(name)}
    limit = {"growth_pressure_limit": options.limit} if name == "limit" else {}
    return {**pool, "scaling": "adaptive", "max_workers": options.most, **limit}


def main() -> None:
    cpus = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4, help="for each pool in each round")
    parser.add_argument("--ms", type=float, default=10, help="CPU time of a request")
    parser.add_argument("--patience", type=float, default=2, help="how long a client waits")
    parser.add_argument("--overload", type=float, default=4, help="what comes, over what the processors can serve")
    parser.add_argument("--most", type=int, default=512, help="max_workers of the pools that grow")
    parser.add_argument("--limit", default="cpu 80%")
    options = parser.parse_args()
    sizes = [str(size) for size in sorted({max(cpus // 2, 1), *(cpus * 2 ** power for power in range(6))})]
    rate = options.overload * cpus * 1000 / options.ms
    names = [*sizes, *CLOSED]
    bench.require({"cc": "gcc"})
    with bench.Bench("overload", "four times the load of a CPU-bound handler", {**vars(options), "connections a second": f"{rate:.0f}"}) as figures:
        handler = program(figures, options.ms)
        ports = {name: tests.free_port() for name in names}
        rates: dict[str, list[float]] = {name: [] for name in names}
        reached: dict[str, list[float]] = {name: [] for name in CLOSED}
        for number in range(options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                with figures.daemon({"www": pool_of(name, ports[name], handler, options)}, control=True) as daemon:
                    rates[name].append(offer(ports[name], rate, options.seconds, options.patience))
                    if name in CLOSED:
                        reached[name].append(float(control_of(daemon).pool()["counts"]["total"]))
        for name in names:
            figures.say(f"{CLOSED.get(name, f'{name} workers')}: {bench.spread(rates[name], 1)} answers a second"
                        + (f"; {bench.spread(reached[name], 0)} workers at the end" if name in CLOSED else ""))
        best = max(sizes, key=lambda name: bench.median(rates[name]))
        figures.say(f"the best fixed size is {best}")
        for name, goal in (("limit", {"at_least": 0.95}), ("free", {})):
            ratios = [mine / its for mine, its in zip(rates[name], rates[best], strict=True)]
            figures.say(f"{CLOSED[name]} over {best} workers: {bench.spread(ratios)}")
            figures.figure(f"{CLOSED[name]}, over the best fixed size", bench.median(ratios), "×", digits=3, **goal)


if __name__ == "__main__":
    main()
