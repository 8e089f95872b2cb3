#!/usr/bin/python3
"""redirect: connections passed on, and bytes, against HAProxy in TCP mode.

preforkd with the builtin handler redirect and HAProxy with one thread pass connections on to the same target, a pool of
preforkd with the module of tests/handlers/module_hello.c; then one client fetches 100 MB through each from a server of the
script's own. Each round meets each of them once, in turn; the figures are ratios of medians.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time

import bench
from bench import tests

CLIENTS, MEGABYTES = 8, 100
RATE_GOAL, THROUGHPUT_GOAL = 0.9, 0.9

HAPROXY = """
global
    nbthread 1
    maxconn 2000
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    retries 0
listen small
    bind 127.0.0.1:{small}
    server target 127.0.0.1:{target}
listen large
    bind 127.0.0.1:{large}
    server target 127.0.0.1:{source}
"""


class Source:
    """Sends so many megabytes to each client, and reads to its end."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        block = bytes(1 << 20)
        while True:
            connection = self.listener.accept()[0]
            with connection:
                for _ in range(MEGABYTES):
                    connection.sendall(block)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)


def fetch(port: int) -> float:
    """Megabytes a second."""
    buffer = bytearray(1 << 20)
    begun = time.monotonic()
    received = 0
    with socket.create_connection(("127.0.0.1", port)) as client:
        while length := client.recv_into(buffer):
            received += length
    if received != MEGABYTES << 20:
        raise RuntimeError(f"received {received} bytes")
    return MEGABYTES / (time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, through each")
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils", "haproxy": "haproxy"})
    with bench.Bench("redirect", "connections passed on", {**vars(options), "clients": CLIENTS, "megabytes": MEGABYTES},
                     ["haproxy", "apache2-utils"]) as figures:
        source = Source()
        ports = {name: tests.free_port() for name in ("target", "small", "large", "haproxy small", "haproxy large")}

        def pool(name: str, *handler: str, **keys: object) -> dict[str, object]:
            return {"listen": tests.tcp4(ports[name]), "handler_type": "builtin", "handler": list(handler),
                    "scaling": "static", "max_workers": CLIENTS, **keys}

        target = {**pool("target"), "handler_type": "module", "handler": figures.module("hello")}
        figures.stack.enter_context(figures.daemon({"target": target}))
        figures.stack.enter_context(figures.daemon({
            "small": pool("small", "redirect", f"127.0.0.1:{ports['target']}"),
            "large": pool("large", "redirect", f"127.0.0.1:{source.port}")}))
        config = figures.directory / "haproxy.cfg"
        config.write_text(HAPROXY.format(small=ports["haproxy small"], large=ports["haproxy large"], target=ports["target"],
                                         source=source.port))
        figures.stack.enter_context(figures.peer(["haproxy", "-db", "-f", str(config)], ports["haproxy small"]))
        figures.say(f"haproxy -db -f {config}: mode tcp, nbthread 1")
        measure(figures, options, ports)


def measure(figures: bench.Bench, options: argparse.Namespace, ports: dict[str, int]) -> None:
    rates: dict[str, list[float]] = {"small": [], "haproxy small": []}
    speeds: dict[str, list[float]] = {"large": [], "haproxy large": []}
    for number in range(options.rounds + 1):
        for name in sorted(rates, reverse=number % 2 == 0):
            rate = bench.load(ports[name], CLIENTS, options.requests).per_second
            if number > 0:  # the first round is for caches
                rates[name].append(rate)
        for name in sorted(speeds, reverse=number % 2 == 0):
            speed = fetch(ports[name])
            if number > 0:
                speeds[name].append(speed)
    for what, values, unit in (("connections", rates, "connections/s"), ("bytes", speeds, "MB/s")):
        own, other = values.values()
        figures.say(f"{what}: preforkd {bench.spread(own, 0)} {unit}, HAProxy {bench.spread(other, 0)} {unit}")
        figures.figure(f"{what} over HAProxy", bench.median(own) / bench.median(other), "×",
                       at_least=RATE_GOAL if what == "connections" else THROUGHPUT_GOAL)


if __name__ == "__main__":
    main()
