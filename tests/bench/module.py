#!/usr/bin/python3
"""module: what a connection costs in a worker that serves itself, against a preforked server that does nothing else.

preforkd with the module of tests/handlers/module_hello.c against tests/handlers/bare.c, the least preforked accept loop, and
Apache's prefork MPM serving a file of 3 bytes. All have the same number of processes, and all of a server's processes are in
a control group of their own, whose CPU time counts everything that they and the kernel did for them. In each round ab(1)
meets each server once, in another order every round; rounds are short and many, because what a machine shared with others
does meanwhile is more than what is measured. There are as many workers as processors: with more, the figure says who wakes
whom. It is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import bench
from bench import Cgroup, tests

GOAL, CLIENTS = 1.05, 8

APACHE = """
ServerRoot {root}
ServerName localhost
PidFile {root}/pid
DefaultRuntimeDir {root}
ErrorLog /dev/null
Listen 127.0.0.1:{port}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
{user}
StartServers {workers}
MinSpareServers {workers}
MaxSpareServers {workers}
MaxRequestWorkers {workers}
MaxConnectionsPerChild 0
KeepAlive Off
DocumentRoot {root}/documents
<Directory {root}/documents>
    AllowOverride None
    Require all granted
</Directory>
"""


def apache_command(directory: Path, port: int, workers: int) -> list[str]:
    root = directory / "apache"
    (root / "documents").mkdir(parents=True)
    (root / "documents/three").write_text("abc")
    user = f"User {tests.POOL_USER}\nGroup nogroup" if tests.AS_ROOT else ""
    (root / "httpd.conf").write_text(APACHE.format(root=root, port=port, workers=workers, user=user))
    return ["/usr/sbin/apache2", "-f", str(root / "httpd.conf"), "-D", "FOREGROUND"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, to each server")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with_apache = Path("/usr/lib/apache2/modules/mod_mpm_prefork.so").exists()
    with bench.Bench("module", "CPU time per connection of a worker that serves itself",
                     {**vars(options), "clients": CLIENTS},
                     ["apache2-utils", *(["apache2-bin"] if with_apache else [])]) as figures:
        ports = {name: tests.free_port() for name in ("preforkd", "bare", *(["apache"] if with_apache else []))}
        groups = {name: figures.stack.enter_context(Cgroup.new(name)) for name in ports}
        if not all(groups.values()):
            figures.not_measured("CPU per connection", "control groups of version 2 cannot be made here")
            return
        pool = {"listen": tests.tcp4(ports["preforkd"]), "handler_type": "module", "handler": figures.module("hello"),
                "scaling": "static", "max_workers": options.workers}
        figures.stack.enter_context(figures.daemon({"www": pool}, popen={"preexec_fn": groups["preforkd"].enter}))
        commands = {"bare": [figures.handler("bare"), str(ports["bare"]), str(options.workers)]}
        if with_apache:
            commands["apache"] = apache_command(figures.directory, ports["apache"], options.workers)
        for name, command in commands.items():
            figures.stack.enter_context(figures.peer(command, ports[name], groups[name]))
        figures.say(f"bare: {' '.join(commands['bare'])}")
        measure(figures, options, ports, groups)
        if not with_apache:
            figures.not_measured("over Apache", "apache2-bin is not installed")


def measure(figures: bench.Bench, options: argparse.Namespace, ports: dict[str, int],
            groups: dict[str, Cgroup | None]) -> None:
    costs = bench.measure_cpu(figures, ports, groups, CLIENTS, options.rounds, options.requests, {"apache": "three"})
    for name in list(ports)[1:]:
        figures.figure(f"CPU over {name}", bench.median(costs["preforkd"]) / bench.median(costs[name]), "×",
                       at_most=GOAL if name == "bare" else 1.0, digits=3)


if __name__ == "__main__":
    main()
