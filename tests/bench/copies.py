#!/usr/bin/python3
"""copies: handlers that start once, against servers that execute them for every connection.

preforkd with `start_method` and `copy`, and what a service wants besides (a user, resource limits, stderr in the log),
against tcpserver of ucspi-tcp (as the same user; no limits, no log, no look-ups), systemd-socket-activate --accept --inetd
(no user, no limits, no log) and preforkd's own `start_method = exec`. Handlers: tests/handlers/hello.c, the same with
stdio, a Perl script with five modules, a Python script with six imports, also with fast_exit = python or an end by
os._exit(); rollback also where the kernel does not say what was written. In each round a client of ours meets each server
once, in another order every round; the figures are medians of the rounds' ratios: connections a second, in which the
client itself has a part, and the processor time of a connection by control group, in which it has none. (The client is
tests/handlers/quick.c. ab(1) is one thread: at 8 clients it would be the one that all wait for.)
"""

from __future__ import annotations

import argparse
import errno
from dataclasses import dataclass, field
from pathlib import Path

import bench
import forbidden
from bench import Cgroup, tests
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
PYTHON_EXIT = PYTHON.replace("import argparse", "import os, argparse") + "sys.stdout.flush()\nos._exit(0)\n"
FORK, ROLLBACK = "fork", "rollback"
COPYING = "rollback by copying"  # as before Linux 6.7, or in a sandbox that refuses userfaultfd(2)
# Handler → (the keys of its pool, the name of a program of tests/handlers or the text of a script); and the goals over
# tcpserver: (handler, copy, clients) → ratio.
HANDLERS: dict[str, tuple[dict[str, str], str]] = {
    "C": ({"start_method": "forkserver"}, "hello"), "C-stdio": ({"start_method": "forkserver"}, "stdio"),
    "Perl": ({"start_method": "snapshot"}, PERL),
    "Python": ({"start_method": "snapshot"}, PYTHON),
    "Python-fast_exit": ({"start_method": "snapshot", "fast_exit": "python"}, PYTHON),
    "Python-os._exit": ({"start_method": "snapshot"}, PYTHON_EXIT)}
OWN = (FORK, ROLLBACK, COPYING)
COPYABLE = ("C", "C-stdio", "Perl")  # the memory of others is more than is copied after each connection
GOALS = {("C", FORK, 8): 2.0, ("C", FORK, 1): 2.5, ("C", ROLLBACK, 8): 5.0, ("C", ROLLBACK, 1): 5.5,
         ("C-stdio", ROLLBACK, 8): 4.0, ("C-stdio", ROLLBACK, 1): 5.5, ("Perl", FORK, 8): 16.0, ("Perl", ROLLBACK, 8): 45.0,
         ("Python", FORK, 8): 3.5, ("Python-fast_exit", ROLLBACK, 8): 50.0, ("Python-os._exit", FORK, 8): 30.0,
         ("Python-os._exit", ROLLBACK, 8): 100.0}
GOALS_OVER_SYSTEMD = {("C", FORK, 8): 2.8}


def is_script(text: str) -> bool:
    return text.startswith("#!")


def program(figures: bench.Bench, name: str, text: str) -> str:
    if not is_script(text):
        return figures.handler(text)
    path = Path(figures.directory) / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@dataclass
class Server:
    """One that is measured, and what was found in each round."""

    port: int
    requests: int
    group: Cgroup | None
    rates: list[float] = field(default_factory=list)  # connections a second
    costs: list[float] = field(default_factory=list)  # µs of processor time a connection; empty: there is no group


def measure(servers: dict[str, Server], clients: int, rounds: int) -> None:
    names = list(servers)
    for server in servers.values():
        server.rates, server.costs = [], []
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            server = servers[name]
            before = server.group.cpu_us() if server.group else 0
            server.rates.append(bench.answers_per_second(server.port, clients, server.requests))
            if server.group:
                server.costs.append((server.group.cpu_us() - before) / server.requests)


def start(figures: bench.Bench, handler: str, requests: int) -> dict[str, Server]:
    """The pools and their peers, each in a control group if we may make one."""
    keys, text = HANDLERS[handler]
    path = program(figures, handler, text)
    pools: dict[str, dict[str, str]] = {FORK: {**keys, "copy": FORK}, ROLLBACK: {**keys, "copy": ROLLBACK},
                                        COPYING: {**keys, "copy": ROLLBACK}, "exec": {}}
    if not forbidden.can_forbid() or handler not in COPYABLE:
        del pools[COPYING]
    names = [*pools, "tcpserver", "systemd-socket-activate"]
    servers = {}
    for name in names:
        group = figures.stack.enter_context(Cgroup.new(f"{handler}-{name.replace(' ', '-')}"))
        count = requests if name in OWN or not is_script(text) else max(requests // 20, 16)
        servers[name] = Server(tests.free_port(), count, group)
    commands = peer_commands(path, {name: server.port for name, server in servers.items()})
    for name, server in servers.items():
        if name in pools:
            pool = {"handler": path, "scaling": "static", "max_workers": 8, **EXEC, **pools[name],
                    "listen": tests.tcp4(server.port)}
            before = [server.group.enter] if server.group else []
            if name == COPYING:
                before.append(forbidden.fail(errno.EPERM, "userfaultfd"))
            popen = {"preexec_fn": lambda before=before: [step() for step in before]}
            figures.stack.enter_context(figures.daemon({"www": pool}, popen=popen))
        else:
            figures.stack.enter_context(figures.peer(commands[name], server.port, server.group))
    return servers


def say(figures: bench.Bench, handler: str, clients: int, servers: dict[str, Server]) -> None:
    many = f"{clients} client{'s' if clients > 1 else ''}"
    for name, server in servers.items():
        cost = f", {bench.spread(server.costs, 0)} µs of processor time" if server.costs else ""
        figures.say(f"{handler}, {many}, {name}: {bench.spread(server.rates, 0)} connections/s{cost}")
    for copy in (copy for copy in OWN if copy in servers):
        for other in ("tcpserver", "systemd-socket-activate", "exec"):
            one, two = servers[copy], servers[other]
            goals = {"tcpserver": GOALS, "systemd-socket-activate": GOALS_OVER_SYSTEMD}.get(other, {})
            ratios = [a / b for a, b in zip(one.rates, two.rates)]
            figures.figure(f"{handler}, {copy} over {other}, {many} ({min(ratios):.1f} to {max(ratios):.1f})",
                           bench.median(ratios), "×", at_least=goals.get((handler, copy, clients)))
            if one.costs and two.costs:
                figures.figure(f"{handler}, processor time of {other} over {copy}, {many}",
                               bench.median([b / a for a, b in zip(one.costs, two.costs)]), "×")


def compare(figures: bench.Bench, handler: str, rounds: int, requests: int) -> None:
    servers = start(figures, handler, requests)
    for clients in (1, 8):
        measure(servers, clients, rounds)
        say(figures, handler, clients, servers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to each server that starts handlers once")
    parser.add_argument("handlers", nargs="*", default=list(HANDLERS), help=" ".join(HANDLERS))
    options = parser.parse_args()
    bench.require({"tcpserver": "ucspi-tcp", "systemd-socket-activate": "systemd"})
    with bench.Bench("copies", "handlers that start once, against servers that execute them for each connection",
                     {"rounds": options.rounds, "requests a round": options.requests,
                      **{key: value for key, value in EXEC.items() if key != "start_method"}},
                     ["ucspi-tcp", "systemd"]) as figures:
        for handler in options.handlers:
            compare(figures, handler, options.rounds, options.requests)


if __name__ == "__main__":
    main()
