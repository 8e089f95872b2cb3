#!/usr/bin/python3
"""fastcgi: programs that accept themselves, behind nginx, with `accounting = preload`.

Three figures. The CPU time of a PHP request, of php-cgi here against php-fpm with as many workers and the same opcache:
measured in turn within one run, by the scheduler's account of the workers alone. A burst of 64 scripts of 200 ms at a
pool with 2 spare workers. And retirements under load, of php-cgi, fcgiwrap and a Perl program: none may cost a request,
hang, or cut a sleep short.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bench
from bench import tests
from control import control_of
from nginx import Nginx
from test_preload import CGI, PERL

GOAL_CPU = 1.3
GOAL_BURST_SECONDS = 1.2
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


def ab(nginx: Nginx, path: str, count: int, clients: int = WORKERS) -> bench.LoadResult:
    done = subprocess.run(["ab", "-q", "-s", "60", "-n", str(count), "-c", str(clients), f"http://127.0.0.1:{nginx.port}{path}"],
                          capture_output=True, text=True, check=True)
    result = bench.LoadResult(done.stdout)
    if result.failed:
        raise RuntimeError(f"{result.failed} requests failed: {nginx.complaints()}\n{result.text}")
    return result


def compare_cpu(figures: bench.Bench, rounds: int, requests: int) -> None:
    directory = figures.directory
    ours = directory / "ours.sock"
    with php_fpm(directory) as fpm, figures.daemon({"www": pool(ours, ["php-cgi"], scaling="static", max_workers=WORKERS)},
                                                   control=True) as daemon, \
            Nginx(directory, {"/ours/": ours, "/fpm/": directory / "fpm.sock"}, directory) as nginx:
        for name in ("ours", "fpm"):
            (directory / name).mkdir()
            for script, text in SCRIPTS.items():
                (directory / name / script).write_text(text)
        parents = {"ours": daemon.pid, "fpm": fpm}
        for script in ("hello.php", "work.php"):
            ratios, costs = [], []
            for name in parents:
                ab(nginx, f"/{name}/{script}", 400)
            for _ in range(rounds):
                used = {}
                for name in random.sample(list(parents), 2):
                    before = cpu_ns(parents[name])
                    ab(nginx, f"/{name}/{script}", requests)
                    used[name] = (cpu_ns(parents[name]) - before) / requests / 1000
                ratios.append(used["ours"] / used["fpm"])
                costs.append(used["ours"])
            figures.say(f"{script}: {bench.spread(costs, 0)} µs a request; against php-fpm {bench.spread(ratios, 2)}")
            figures.figure(f"CPU of a request, {script}, against php-fpm", bench.median(ratios), "×", at_most=GOAL_CPU)


def one_burst(figures: bench.Bench, clients: int) -> float:
    directory = Path(figures.directory) / f"burst-{random.getrandbits(32):x}"
    directory.mkdir()
    directory.chmod(0o755)
    (directory / "sleep.php").write_text(SCRIPTS["sleep.php"])
    socket = directory / "burst.sock"
    with figures.daemon({"www": pool(socket, ["php-cgi"], min_spare_workers=2, max_spare_workers=2, start_workers=2,
                                     max_workers=120)}, control=True), \
            Nginx(directory, {"/": socket}, directory) as nginx:
        ab(nginx, "/sleep.php", 2, 1)
        begun = time.monotonic()
        ab(nginx, "/sleep.php", clients, clients)
        return time.monotonic() - begun


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
                      "workers": WORKERS}, ["php8.2-cgi", "php8.2-fpm", "nginx-core", "fcgiwrap", "libfcgi-perl"]) as figures:
        if options.only in (None, "cpu") and not list(Path("/usr/sbin").glob("php-fpm*")):
            figures.not_measured("CPU of a request, against php-fpm", "php-fpm is missing")
        elif options.only in (None, "cpu"):
            compare_cpu(figures, options.rounds, options.requests)
        if options.only in (None, "burst"):
            makespans = [one_burst(figures, 64) for _ in range(min(options.rounds, 5))]
            figures.say(f"makespan: {bench.spread(makespans)} s")
            figures.figure("64 scripts of 200 ms, from 2 workers", bench.median(makespans), "s",
                           at_most=GOAL_BURST_SECONDS, digits=3)
        if options.only in (None, "retire"):
            retire(figures, "php-cgi", ["php-cgi"], ("/hello.php", "/sleep.php"), options.retirements)
            retire(figures, "fcgiwrap", ["/usr/sbin/fcgiwrap"], ("/script.cgi", "/script.cgi?sleep"), options.retirements)
            retire(figures, "perl", ["/usr/bin/perl", "{directory}/program.pl"], ("/x", "/x?sleep"), options.retirements)


if __name__ == "__main__":
    main()
