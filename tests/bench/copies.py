#!/usr/bin/python3
"""copies: handlers that start once, against servers that execute them for every connection.

preforkd with `start_method` and `copy`, and what a service wants besides (a user, resource limits, stderr in the log),
against tcpserver of ucspi-tcp (as the same user; no limits, no log, no look-ups), systemd-socket-activate --accept --inetd
(no user, no limits, no log) and preforkd's own `start_method = exec`. Handlers: tests/handlers/hello.c, a Perl script with
five modules, a Python script with six imports, also with
fast_exit = python. In each round ab(1) meets each server once, in another order every round;
the figures are medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bench
from bench import tests
from exec import CONFIGURATION as EXEC
from exec import peer_commands

PERL = """#!/usr/bin/perl
use strict; use warnings; use IO::Handle; use POSIX; use Data::Dumper; use File::Temp; use Getopt::Long;
while (<STDIN>) { last if /^\\r?\\n/ }
print "HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nhi\\n";
"""
PYTHON = """#!/usr/bin/python3
import argparse, datetime, json, logging, re, sys
while sys.stdin.buffer.readline() not in (b"\\r\\n", b"\\n", b""): pass
sys.stdout.write("HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nhi\\n")
"""
FORK, ROLLBACK = "fork", "rollback"
# Handler → (the keys of its pool, the text of a script); and the goals over tcpserver: (handler, copy, clients) → ratio.
HANDLERS: dict[str, tuple[dict[str, str], str]] = {
    "C": ({"start_method": "forkserver"}, ""), "Perl": ({"start_method": "snapshot"}, PERL),
    "Python": ({"start_method": "snapshot"}, PYTHON),
    "Python-fast_exit": ({"start_method": "snapshot", "fast_exit": "python"}, PYTHON)}
GOALS = {("C", FORK, 8): 2.0, ("C", FORK, 1): 2.5, ("C", ROLLBACK, 8): 5.0, ("C", ROLLBACK, 1): 5.5, ("Perl", FORK, 8): 16.0,
         ("Perl", ROLLBACK, 8): 45.0, ("Python", FORK, 8): 3.5, ("Python-fast_exit", ROLLBACK, 8): 50.0}
GOALS_OVER_SYSTEMD = {("C", FORK, 8): 2.8}


def program(figures: bench.Bench, name: str, text: str) -> str:
    if not text:
        return figures.handler("hello")
    path = Path(figures.directory) / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def measure(ports: dict[str, int], clients: int, rounds: int, requests: dict[str, int]) -> dict[str, list[float]]:
    """Connections a second of each server in each round."""
    names = list(ports)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            rates[name].append(bench.load(ports[name], clients, requests[name]).per_second)
    return rates


def compare(figures: bench.Bench, handler: str, rounds: int, requests: int) -> None:
    keys, text = HANDLERS[handler]
    path = program(figures, handler, text)
    own = {copy: tests.free_port() for copy in (FORK, ROLLBACK)}
    ports = {**own, "exec": tests.free_port(), "tcpserver": tests.free_port(), "systemd-socket-activate": tests.free_port()}
    common = {"handler": path, "scaling": "static", "max_workers": 8, **EXEC}
    pools = {copy: {**common, "listen": tests.tcp4(port), **keys, "copy": copy} for copy, port in own.items()}
    pools["exec"] = {**common, "listen": tests.tcp4(ports["exec"])}
    slow = text != ""
    counts = {name: requests if name in own or not slow else max(requests // 20, 16) for name in ports}
    with figures.daemon(pools):
        peers = peer_commands(path, ports)
        with figures.peer(peers["tcpserver"], ports["tcpserver"]), \
                figures.peer(peers["systemd-socket-activate"], ports["systemd-socket-activate"]):
            for clients in (1, 8):
                rates = measure(ports, clients, rounds, counts)
                many = f"{clients} client{'s' if clients > 1 else ''}"
                for name, values in rates.items():
                    figures.say(f"{handler}, {many}, {name}: {bench.spread(values, 0)} connections/s")
                for copy in own:
                    for other in ("tcpserver", "systemd-socket-activate", "exec"):
                        ratios = [a / b for a, b in zip(rates[copy], rates[other])]
                        goals = {"tcpserver": GOALS, "systemd-socket-activate": GOALS_OVER_SYSTEMD}.get(other, {})
                        figures.figure(f"{handler}, {copy} over {other}, {many} ({min(ratios):.1f} to {max(ratios):.1f})",
                                       bench.median(ratios), "×", at_least=goals.get((handler, copy, clients)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to each server that starts handlers once")
    parser.add_argument("handlers", nargs="*", default=list(HANDLERS), help=" ".join(HANDLERS))
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils", "tcpserver": "ucspi-tcp", "systemd-socket-activate": "systemd"})
    with bench.Bench("copies", "handlers that start once, against servers that execute them for each connection",
                     {"rounds": options.rounds, "requests a round": options.requests,
                      **{key: value for key, value in EXEC.items() if key != "start_method"}},
                     ["ucspi-tcp", "systemd", "apache2-utils"]) as figures:
        for handler in options.handlers:
            compare(figures, handler, options.rounds, options.requests)


if __name__ == "__main__":
    main()
