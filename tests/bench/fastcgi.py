#!/usr/bin/python3
"""fastcgi: programs that accept themselves, behind nginx, with `accounting = preload`.

The CPU time of a PHP request and the memory that a worker has for itself, of php-cgi here, executed for each worker and
started once (start_method = snapshot), against php-fpm with as many workers and the same opcache: measured in turn within
one run, by the scheduler's account of the workers alone. A burst of 64 scripts of 200 ms at a pool with 2 spare workers.
And retirements under load, of php-cgi, fcgiwrap and a Perl program: none may cost a request,
hang, or cut a sleep short.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bench
from bench import tests
from control import control_of
from nginx import Nginx
from test_preload import CGI, PERL

METHODS = ("exec", "snapshot")
GOAL_CPU = {"exec": 1.3, "snapshot": 1.0}
GOAL_PRIVATE_MB = 0.6  # of a worker under a snapshot
GOAL_BURST_SECONDS = {"exec": 1.2, "snapshot": 0.3}
WORKERS = 8

SCRIPTS = {
    "hello.php": "<?php echo 'hello';",
    "work.php": "<?php for ($i = 0, $s = ''; $i < 20000; $i++) $s = md5($s . $i); echo $s;",
    "sleep.php": "<?php $begun = microtime(true); usleep(200000); echo microtime(true) - $begun >= 0.2 ? 'slept' : 'cut';",
    "script.cgi": CGI,
    "program.pl": PERL,
}
FPM = """[global]
daemonize = no
error_log = {directory}/fpm.log
[www]
user = nobody
group = nogroup
listen = {directory}/fpm.sock
listen.mode = 0666
listen.backlog = 2048
pm = static
pm.max_children = {workers}
"""


def pool(socket: Path, handler: list[str], **keys: object) -> dict[str, object]:
    return {"listen": str(socket), "socket_mode": "0666", "handler_type": "listener", "listen_fd": 0, "handler": handler,
            "backlog": 2048, **keys}


@contextmanager
def php_fpm(directory: Path) -> Iterator[int]:
    program = next(Path("/usr/sbin").glob("php-fpm*"))
    config = directory / "fpm.conf"
    config.write_text(FPM.format(directory=directory, workers=WORKERS))
    process = subprocess.Popen([program, "-F", "-y", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        tests.wait_until(lambda: len(bench.child_pids(process.pid)) == WORKERS, "php-fpm")
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def cpu_ns(parent: int) -> int:
    """CPU time of the children that are there, to the nanosecond."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in bench.child_pids(parent))


def private_mb(parent: int) -> float:
    """What a child has of its own, in the middle."""
    sizes = [sum(int(found) for found in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE)) / 1024
             for text in (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in bench.child_pids(parent))]
    return bench.median(sizes)


def ab(nginx: Nginx, path: str, count: int, clients: int = WORKERS) -> bench.LoadResult:
    done = subprocess.run(["ab", "-q", "-s", "60", "-n", str(count), "-c", str(clients), f"http://127.0.0.1:{nginx.port}{path}"],
                          capture_output=True, text=True, check=True)
    result = bench.LoadResult(done.stdout)
    if result.failed:
        raise RuntimeError(f"{result.failed} requests failed: {nginx.complaints()}\n{result.text}")
    return result


def compare_with_fpm(figures: bench.Bench, rounds: int, requests: int) -> None:
    directory = figures.directory
    sockets = {name: directory / f"{name}.sock" for name in METHODS}
    with ExitStack() as stack:
        parents = {name: stack.enter_context(figures.daemon(
            {"www": pool(sockets[name], ["php-cgi"], scaling="static", max_workers=WORKERS, start_method=name)}, control=True)).pid
                   for name in METHODS}
        parents["fpm"] = stack.enter_context(php_fpm(directory))
        nginx = stack.enter_context(Nginx(directory, {f"/{name}/": directory / f"{name}.sock" for name in parents}, directory))
        for name in parents:
            (directory / name).mkdir()
            for script, text in SCRIPTS.items():
                (directory / name / script).write_text(text)
        for script in ("hello.php", "work.php"):
            compare_cpu(figures, nginx, parents, script, rounds, requests)
        memory = {name: private_mb(parent) for name, parent in parents.items()}
        figures.say("private memory of a worker: " + ", ".join(f"{name} {size:.2f} MB" for name, size in memory.items()))
        figures.figure("private memory of a php-cgi worker, snapshot", memory["snapshot"], "MB", at_most=GOAL_PRIVATE_MB)


def compare_cpu(figures: bench.Bench, nginx: Nginx, parents: dict[str, int], script: str, rounds: int, requests: int) -> None:
    costs: dict[str, list[float]] = {name: [] for name in parents}
    for name in parents:
        ab(nginx, f"/{name}/{script}", 400)
    for _ in range(rounds):
        for name in random.sample(list(parents), len(parents)):
            before = cpu_ns(parents[name])
            ab(nginx, f"/{name}/{script}", requests)
            costs[name].append((cpu_ns(parents[name]) - before) / requests / 1000)
    for name in METHODS:
        ratios = [ours / theirs for ours, theirs in zip(costs[name], costs["fpm"], strict=True)]
        figures.say(f"{script}, {name}: {bench.spread(costs[name], 0)} µs a request; against php-fpm {bench.spread(ratios, 2)}")
        figures.figure(f"CPU of a request, {script}, {name}, against php-fpm", bench.median(ratios), "×", at_most=GOAL_CPU[name])


def one_burst(figures: bench.Bench, method: str, clients: int) -> float:
    directory = Path(figures.directory) / f"burst-{random.getrandbits(32):x}"
    directory.mkdir()
    directory.chmod(0o755)
    (directory / "sleep.php").write_text(SCRIPTS["sleep.php"])
    socket = directory / "burst.sock"
    with figures.daemon({"www": pool(socket, ["php-cgi"], min_spare_workers=2, max_spare_workers=2, start_workers=2,
                                     max_workers=120, start_method=method)}, control=True), \
            Nginx(directory, {"/": socket}, directory) as nginx:
        ab(nginx, "/sleep.php", 2, 1)
        # Not ab(1), whose first client is alone until it has its answer.
        asked = b"GET /sleep.php HTTP/1.0\r\n\r\n"
        replies = tests.exchange([tests.tcp4(nginx.port)] * clients, asked, half_close=False)
        failed = [reply for reply in replies if reply.error or not reply.data.startswith(b"HTTP/1.1 200 ")]
        if failed:
            raise RuntimeError(f"{len(failed)} of {clients} clients were not served: {failed[0]}\n{nginx.complaints()}")
        return max(reply.seconds for reply in replies)


def retire(figures: bench.Bench, kind: str, handler: list[str], paths: tuple[str, str], count: int) -> None:
    directory = figures.directory / kind
    directory.mkdir()
    directory.chmod(0o755)
    for script, text in SCRIPTS.items():
        (directory / script).write_text(text)
        (directory / script).chmod(0o755)
    socket = directory / "retire.sock"
    answers: list[tuple[int, bytes]] = []
    stop = threading.Event()
    with figures.daemon({"www": pool(socket, [word.format(directory=directory) for word in handler], scaling="static",
                                     max_workers=WORKERS, reload_surge="100%")}, control=True) as daemon, \
            Nginx(directory, {"/": socket}, directory) as nginx:

        def ask(path: str) -> None:
            while not stop.is_set():
                answers.append(nginx.get(path))

        threads = [threading.Thread(target=ask, args=(paths[i % 3 == 0],)) for i in range(6)]
        for thread in threads:
            thread.start()
        control = control_of(daemon)
        while (retired := control.pool()["totals"]["retired"]) < count:
            control.do("restart www")
            tests.wait_until(lambda: control.pool()["totals"]["retired"] >= retired + WORKERS, "a restart", 60)  # noqa: B023
        stop.set()
        for thread in threads:
            thread.join()
        tests.wait_until(lambda: control.pool()["counts"]["retiring"] == 0, "the end of the last", 60)
        totals = control.pool()["totals"]
        failed = len([status for status, _ in answers if status != 200])
        cut = len([text for _, text in answers if text == b"cut"])
        hung = len(daemon.messages("worker stuck")) + totals["died"]
        figures.say(f"{kind}: {totals['retired']} retirements, {len(answers)} requests; nginx: {nginx.complaints() or 'nothing'}")
        figures.figure(f"requests that failed, {kind}", failed, at_most=0, digits=0)
        figures.figure(f"workers that hung or died, {kind}", hung, at_most=0, digits=0)
        figures.figure(f"sleeps cut short, {kind}", cut, at_most=0, digits=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=800)
    parser.add_argument("--retirements", type=int, default=2000)
    parser.add_argument("--only", choices=("cpu", "burst", "retire"))
    options = parser.parse_args()
    bench.require({"php-cgi": "php-cgi", "ab": "apache2-utils", "perl": "perl", "/usr/sbin/nginx": "nginx-light",
                   "/usr/sbin/fcgiwrap": "fcgiwrap"})
    with bench.Bench("fastcgi", "programs that accept themselves, behind nginx",
                     {"rounds": options.rounds, "requests": options.requests, "retirements": options.retirements,
                      "workers": WORKERS}, ["php8.2-cgi", "php8.2-fpm", "nginx-light", "fcgiwrap", "libfcgi-perl"]) as figures:
        if options.only in (None, "cpu") and not list(Path("/usr/sbin").glob("php-fpm*")):
            figures.not_measured("CPU of a request, against php-fpm", "php-fpm is missing")
        elif options.only in (None, "cpu"):
            compare_with_fpm(figures, options.rounds, options.requests)
        for method in METHODS if options.only in (None, "burst") else ():
            makespans = [one_burst(figures, method, 64) for _ in range(min(options.rounds, 5))]
            figures.say(f"makespan, {method}: {bench.spread(makespans)} s")
            figures.figure(f"64 scripts of 200 ms, from 2 workers, {method}", bench.median(makespans), "s",
                           at_most=GOAL_BURST_SECONDS[method], digits=3)
        if options.only in (None, "retire"):
            retire(figures, "php-cgi", ["php-cgi"], ("/hello.php", "/sleep.php"), options.retirements)
            retire(figures, "fcgiwrap", ["/usr/sbin/fcgiwrap"], ("/script.cgi", "/script.cgi?sleep"), options.retirements)
            retire(figures, "perl", ["/usr/bin/perl", "{directory}/program.pl"], ("/x", "/x?sleep"), options.retirements)


if __name__ == "__main__":
    main()
