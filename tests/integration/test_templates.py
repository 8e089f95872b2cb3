"""Templates: with start_method = forkserver and snapshot the workers of a pool are forked from one process, in which the
handler has started once. What becomes of it, and what it can do, harms nobody."""

from __future__ import annotations

import os
import platform
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import control_of
from daemon import (AS_ROOT, Daemon, alive, burst, children, connect, handler, kill_worker, open_descriptors, request, status_value,
                    tcp4, title, wait_until)
from programs import COMING_OR_GOING, PYTHON
from test_preforkctl import Ctl
from test_upgrade import upgrade

Start = Callable[..., Daemon]

COPIED = ["forkserver", *(["snapshot"] if platform.machine() == "x86_64" else [])]


@pytest.fixture(params=COPIED)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Pool:
    """A pool of the handler tests/handlers/template.c, whose starts are counted; and another pool, which nothing harms."""

    def __init__(self, preforkd: Start, directory: Path, method: str, environment: list[str] | None = None, **more: Any) -> None:
        self.starts = directory / "starts"
        self.starts.touch()
        self.starts.chmod(0o666)
        self.address, self.other = tcp4(), tcp4()
        options = {
            "listen": self.address, "handler": handler("template", directory), "start_method": method, "scaling": "static",
            "max_workers": 4, "environment": [f"STARTS={self.starts}", *(environment or [])], **more}
        self.daemon = preforkd({"www": options, "good": {"listen": self.other, "handler": "/bin/cat"}}, control=True)
        self.options = self.daemon.pools["www"]
        self.control = control_of(self.daemon)

    def started(self) -> int:
        return len(self.starts.read_text().splitlines())

    def template(self) -> dict[str, Any] | None:
        template = self.control.pool()["template"]
        return template if template and template["state"] != "ending" else None

    def wait_template(self, not_pid: int = 0, state: str = "ready") -> int:
        def find() -> int | None:
            template = self.template()
            return template["pid"] if template and template["pid"] != not_pid and template["state"] == state else None

        return wait_until(find, f"a template that is {state}", 20)

    def workers(self, count: int = 4, without: tuple[int, ...] = ()) -> list[int]:
        """As many workers that have a process, all ready."""
        def find() -> list[int] | None:
            pool = self.control.pool(workers=True)
            pids = [row["pid"] for row in pool["workers"]]
            fine = (len(pids) == count and not set(pids) & set(without)
                    and not any(row["state"] in COMING_OR_GOING for row in pool["workers"]))
            return sorted(pids) if fine else None

        return wait_until(find, f"{count} workers", 20)

    def serves(self) -> None:
        assert request(self.address, b"hello") == b"hello"

    def good_serves(self) -> None:
        """… and the master answers."""
        assert request(self.other, b"hello") == b"hello"
        self.control.pool("good")


@pytest.fixture
def pool(preforkd: Start, tmp_path: Path, method: str) -> Callable[..., Pool]:
    return lambda environment=None, **options: Pool(preforkd, tmp_path, method, environment, **options)


def test_workers_share_one_start(pool: Callable[..., Pool]) -> None:
    """… are the master's children, lead sessions of their own, and one that ends is replaced without a start."""
    www = pool()
    workers, template = www.workers(), www.wait_template()
    assert www.started() == 1
    for worker in workers:
        assert int(status_value(worker, "PPid")) == www.daemon.pid
        assert os.getsid(worker) == worker
    kill_worker(workers[0])
    later = www.workers(without=(workers[0],))
    assert set(workers[1:]) < set(later)
    assert www.started() == 1 and www.wait_template() == template
    assert template not in later
    www.serves()
    assert www.control.do("status")["master"]["counts"]["total"] >= 4


def test_memory_is_shared(pool: Callable[..., Pool]) -> None:
    """Of 50 MB that the handler has written to before it stopped, a worker has next to nothing of its own."""
    www = pool([f"MEMORY={50 << 20}"])
    for worker in www.workers():
        text = Path(f"/proc/{worker}/smaps_rollup").read_text()
        sizes = {key: int(kilobytes) for key, kilobytes in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
        assert sizes["Rss"] > 50 << 10
        assert sizes["Private_Dirty"] + sizes["Private_Clean"] < 2 << 10, text
    template = www.template()
    assert template and template["memory_bytes"] > 50 << 20


def test_nothing_of_the_pool_is_in_a_template(pool: Callable[..., Pool]) -> None:
    """No scoreboard, no listener, nothing of another pool: a socket to the master, and a pipe for what it says."""
    www = pool(stderr="null")
    www.workers()
    template = www.wait_template()
    assert "memfd:" not in Path(f"/proc/{template}/maps").read_text()
    kinds = sorted(re.sub(r":.*", "", target) for target in open_descriptors(template).values())
    stand_ins = {"forkserver": 0, "snapshot": 1}[www.options["start_method"]]
    assert [kind for kind in kinds if kind != "/dev/null"].count("pipe") == 1
    assert kinds.count("socket") <= 1 + 2 * stand_ins + stand_ins, kinds
    assert set(kinds) <= {"/dev/null", "pipe", "socket"}, kinds
    listening = Path("/proc/net/tcp").read_text()
    for inode in [text[8:-1] for text in open_descriptors(template).values() if text.startswith("socket:")]:
        assert f" 0A 00000000:00000000 00:00000000 00000000     0        0 {inode} " not in listening


SLOW_START = """
import asyncio, decimal, email.message, http.client, json, logging.config, os, sys, unittest, xml.dom.minidom
sys.stdout.write(sys.stdin.readline())
sys.stdout.flush()
os._exit(0)  # the end of an interpreter takes as long in either case
"""


@pytest.mark.skipif("snapshot" not in COPIED, reason="x86-64 alone")
def test_a_burst_is_served_sooner(preforkd: Start, tmp_path: Path) -> None:
    """48 clients at once, and two spare workers: a template is forked where a handler would be executed."""
    script = tmp_path / "script.py"
    script.write_text(SLOW_START)
    addresses = {"exec": tcp4(), "snapshot": tcp4()}
    daemon = preforkd({method: {"listen": address, "handler": [PYTHON, str(script)], "start_method": method, "max_workers": 48,
                                "min_spare_workers": 2, "max_spare_workers": 4, "start_workers": 2}
                       for method, address in addresses.items()}, control=True)
    times = {}
    for method, address in addresses.items():
        assert request(address, b"first\n") == b"first\n"
        control_of(daemon).wait_idle(method)
        begun = time.monotonic()
        replies = burst(address, 48, b"hello\n", 60)
        times[method] = time.monotonic() - begun
        assert [reply.data for reply in replies] == [b"hello\n"] * 48
    assert times["exec"] > 4 * times["snapshot"], times


def test_a_template_that_is_killed(pool: Callable[..., Pool]) -> None:
    """Its workers serve on, and another takes its place."""
    www = pool()
    workers, template = www.workers(), www.wait_template()
    with ClientPool([www.address, www.other], count=2) as clients:
        os.kill(template, signal.SIGKILL)
        another = www.wait_template(template)
        clients.wait_served(20)
    assert www.workers() == workers
    assert www.started() == 2
    os.kill(workers[0], signal.SIGKILL)
    assert set(www.workers(without=(workers[0],))) > set(workers[1:])
    assert www.wait_template() == another
    assert not www.daemon.find_message("backing off")


def test_renewal_has_its_time(pool: Callable[..., Pool]) -> None:
    """Somebody who kills every template causes one a second."""
    www = pool()
    begun, seen = time.monotonic(), set()
    while len(seen) < 4:
        template = www.wait_template()
        if template not in seen:
            seen.add(template)
            os.kill(template, signal.SIGKILL)
    assert time.monotonic() - begun > 2.9
    www.serves()


def test_a_template_that_is_stopped(pool: Callable[..., Pool]) -> None:
    www = pool()
    workers, template = www.workers(), www.wait_template()
    os.kill(template, signal.SIGSTOP)
    www.wait_template(template)
    wait_until(lambda: not alive(template), "the end of the stopped one")
    assert www.workers() == workers
    kill_worker(workers[0])
    www.workers(without=(workers[0],))
    www.serves()


def test_why_says_what_becomes_of_it(pool: Callable[..., Pool]) -> None:
    """In the words of the log, among the decisions about the pool, also after an upgrade."""
    www = pool()
    expected: list[str] = []

    def begins(pid: int, generation: int, between: list[str] | None = None) -> None:
        expected.extend([rf"template {pid}: started, for generation {generation}", *(between or []),
                         rf"template {pid}: ready after \d+ ms, for generation {generation}"])

    def told() -> bool:
        said = www.control.decisions(template=True)[::-1]
        return len(said) == len(expected) and all(map(re.fullmatch, expected, said))

    www.workers()
    first = www.wait_template()
    begins(first, 1)
    wait_until(told, "the start")
    os.kill(first, signal.SIGKILL)
    second = www.wait_template(first)
    expected.append(rf"template {first}: killed by signal 9 \(Killed\)")
    begins(second, 1)
    wait_until(told, "the end and another start")
    www.control.do("restart www")
    third = www.wait_template(second)
    begins(third, 2, [rf"template {second}: ended with generation 1"])
    www.workers()
    wait_until(told, "the end of the generation")
    upgrade(www.daemon)
    expected.append(rf"template {third}: ended with the program that is replaced")
    wait_until(told, "what the former program has said")
    www.control.do(f"kill-worker {www.workers()[0]}")
    begins(www.wait_template(third), 2)
    wait_until(told, "the start of the next one")
    assert "+4 workers (static 4)" in www.control.decisions()
    both = [decision["text"] for decision in www.control.do("why www")["pools"][0]["decisions"]][::-1]
    assert both.index("+4 workers (static 4)") < both.index(f"template {second}: ended with generation 1")
    assert f"  template {first}: killed by signal 9 (Killed)\n" in Ctl(www.control.path).do("why", "www")


def test_why_says_that_it_cannot_start(pool: Callable[..., Pool]) -> None:
    www = pool(["DO=end"])
    wait_until(lambda: any(re.fullmatch(r"template \d+: exited with code \d+ while starting", said)
                           for said in www.control.decisions(template=True)), "its end")


def test_it_is_listed_with_the_workers(pool: Callable[..., Pool]) -> None:
    """For ps(1) shows the handler. It is none of them."""
    www = pool()
    workers, template = www.workers(), www.wait_template()
    assert title(template) == title(workers[0]) == str(www.options["handler"])
    [row] = www.control.pool(workers=True)["templates"]
    assert (row["pid"], row["state"], row["generation"]) == (template, "ready", 1)
    assert 0 <= row["since_ms"] <= row["age_ms"] and row["memory_bytes"] > 100_000
    assert "templates" not in www.control.pool()
    ctl = Ctl(www.control.path)
    for command in (["status", "www", "--workers"], ["top", "www"]):
        rows = re.findall(r"^ +(\d+) +(\S+) +\S+ +\S+ +(\d+) +(\S+) +\S+ +(\S+[KMG]) ", ctl.do(*command), re.MULTILINE)
        assert [(int(pid), state) for pid, state, *_ in rows[:1]] == [(template, "template")], rows
        assert [requests for *_, requests, _ in rows] == ["-", "0", "0", "0", "0"]
        assert sorted(int(pid) for pid, *_ in rows[1:]) == workers


def test_one_that_starts_is_listed_as_such(preforkd: Start, tmp_path: Path) -> None:
    www = Pool(preforkd, tmp_path, "forkserver", ["DO=hang"], start_timeout="30s")
    template = www.wait_template(state="starting")
    assert re.search(rf"^ +{template} +template, starting ", Ctl(www.control.path).do("status", "www", "--workers"),
                     re.MULTILINE)
    www.options["environment"] = [f"STARTS={www.starts}"]
    www.daemon.hup()
    www.workers()


def test_a_crash_renews_it(preforkd: Start, tmp_path: Path, method: str) -> None:
    """… at most once a second, however many crash; the workers stay. A handler that is killed is no crash."""
    www = Pool(preforkd, tmp_path, method, handler=["/usr/bin/perl", "-e", "my $line = <STDIN>; kill $line, $$"])
    workers, template = www.workers(), www.wait_template()

    def end_by(name: str, count: int) -> None:
        before = www.control.pool()["totals"]["requests"]
        for _ in range(count):
            assert request(www.address, name.encode()) == b""
        wait_until(lambda: www.control.pool()["totals"]["requests"] == before + count, "their ends")

    end_by("KILL", 5)
    time.sleep(1.1)  # from then on it may be renewed
    www.control.do("scale www max_workers=5")
    www.workers(5)
    assert www.wait_template() == template
    begin = time.monotonic()
    end_by("SEGV", 20)
    assert www.control.pool()["totals"]["handler_crashes"] == 20
    www.control.do("scale www max_workers=6")
    assert set(workers) < set(www.workers(6))
    www.wait_template(template)
    end_by("SEGV", 20)
    www.control.do("scale www max_workers=7")
    www.workers(7)
    www.wait_template()
    ready = set(www.daemon.told("template ready")) - {template}
    assert 1 <= len(ready) <= 1 + (time.monotonic() - begin)


def test_a_start_that_takes_too_long(pool: Callable[..., Pool]) -> None:
    www = pool(["DO=hang"], start_timeout="300ms", restart_delay_min="200ms")
    www.daemon.wait_message("worker stuck", "www")
    www.daemon.wait_message("backing off", "www")
    www.good_serves()
    assert all(row["pid"] is None for row in www.control.pool(workers=True)["workers"])


@pytest.mark.parametrize("what", ["end", "crash"])
def test_a_start_that_fails(pool: Callable[..., Pool], what: str) -> None:
    """The pool backs off, once for each template, however many workers waited for it."""
    www = pool([f"DO={what}"], restart_delay_min="100ms", restart_delay_max="400ms")

    def delays() -> list[int]:
        found = [re.fullmatch(r"backing off: (\d+) failed starts? in a row, next in \d+ ms", text) for text in www.control.decisions()]
        return [int(match[1]) for match in reversed(found) if match]

    wait_until(lambda: len(delays()) >= 3, "three delays", 20)
    assert delays()[:3] == [1, 2, 3]
    www.good_serves()


LIES = ["garbage", "words", "launched", "descriptors", "flood", "strangers", "steal", "silent", "close"]


@pytest.mark.parametrize("what", LIES)
def test_a_template_that_lies(pool: Callable[..., Pool], what: str) -> None:
    """… makes children for the master, takes orders, talks without end: the other pool serves, the master has no process or
    descriptor more, and the pool recovers with a handler that behaves."""
    www = pool([f"DO={what}"], start_timeout="500ms", restart_delay_min="200ms", restart_delay_max="200ms")
    master = www.daemon.pid
    begun = time.monotonic()
    while time.monotonic() - begun < 2:
        www.good_serves()
    assert len(open_descriptors(master)) < 60, open_descriptors(master)
    www.options["environment"] = [f"STARTS={www.starts}"]
    www.daemon.hup()
    www.wait_template()
    www.workers()
    www.serves()
    www.good_serves()

    def nobody_else() -> bool:
        """Looked at anew, because a slow machine lets a worker miss its start_timeout."""
        found = set(children(master))
        known = {row["pid"] for name in ("www", "good") for row in www.control.pool(name, workers=True)["workers"]}
        return found <= {*known, www.wait_template()}

    wait_until(nobody_else, "nobody else")


def test_strangers_are_killed_with_their_template(preforkd: Start, tmp_path: Path) -> None:
    www = Pool(preforkd, tmp_path, "forkserver", ["DO=strangers"], start_timeout="1s", restart_delay_min="200ms")
    wait_until(lambda: www.daemon.told("strangers killed"), "the end of those that nobody ordered")
    www.daemon.wait_message("backing off", "www")
    www.good_serves()


@pytest.mark.skipif(not AS_ROOT, reason="needs pools of two users")
def test_strangers_are_found_after_an_order_of_another_pool(preforkd: Start, tmp_path: Path) -> None:
    """While an order is in flight, one that nobody ordered may be one that somebody has: the search waits for its answer."""
    silent = Pool(preforkd, tmp_path, "forkserver", ["DO=silent"], start_timeout="8s", restart_delay_min="1h",
                  restart_delay_max="1h")
    daemon = silent.daemon
    silent.wait_template()  # the orders are on their way
    daemon.pools["lying"] = {**silent.options, "listen": tcp4(), "environment": ["DO=strangers"], "user": "daemon"}
    daemon.hup()
    wait_until(lambda: silent.control.pool("lying")["counts"]["idle"] == 4, "all that were ordered")
    assert not daemon.told("strangers killed", "lying")
    daemon.wait_message("backing off", "www")
    wait_until(lambda: daemon.told("strangers killed", "lying"), "the end of those that nobody ordered")


def test_a_reload_starts_another(pool: Callable[..., Pool]) -> None:
    www = pool()
    workers, template = www.workers(), www.wait_template()
    with ClientPool([www.address], count=2) as clients:
        www.options["environment"] = [f"STARTS={www.starts}", "OTHER=1"]
        www.daemon.hup()
        www.wait_template(template)
        www.workers(without=tuple(workers))
        clients.wait_served(20)
    wait_until(lambda: not alive(template), "the end of the former one")
    assert www.started() == 2


def test_a_reload_in_place_keeps_it(pool: Callable[..., Pool]) -> None:
    www = pool()
    workers, template = www.workers(), www.wait_template()
    www.options["max_workers"] = 6
    www.daemon.hup()
    assert set(www.workers(6)) > set(workers)
    assert www.wait_template() == template and www.started() == 1


def test_it_ends_with_the_method_and_with_the_pool(pool: Callable[..., Pool]) -> None:
    www = pool()
    workers, template = www.workers(), www.wait_template()
    www.options["start_method"] = "exec"
    www.daemon.hup()
    wait_until(lambda: not alive(template), "its end")
    www.workers(without=tuple(workers))
    www.serves()
    www.options["start_method"] = "forkserver"
    www.daemon.hup()
    template = www.wait_template()
    del www.daemon.pools["www"]
    www.daemon.hup()
    wait_until(lambda: not alive(template), "its end")
    wait_until(lambda: len(www.control.do("status")["pools"]) == 1, "the end of the pool")
    www.good_serves()


def test_a_restart_starts_another(pool: Callable[..., Pool]) -> None:
    www = pool()
    workers, template = www.workers(), www.wait_template()
    with ClientPool([www.address], count=2) as clients:
        www.control.do("restart www")
        www.wait_template(template)
        www.workers(without=tuple(workers))
        clients.wait_served(20)
    assert www.started() == 2


def test_an_upgrade_starts_another(pool: Callable[..., Pool]) -> None:
    """The workers stay, nobody is lost, and nothing of the former template is left."""
    www = pool(max_requests=3)
    www.workers()
    template = www.wait_template()
    with ClientPool([www.address], count=4) as clients:
        for _ in range(3):
            clients.wait_served(20)
            upgrade(www.daemon)
            wait_until(lambda: not alive(template), "the end of the former one")  # noqa: B023
            template = www.wait_template(template)
        clients.wait_served(20)
    www.workers()
    good = {row["pid"] for row in www.control.pool("good", workers=True)["workers"]}
    wait_until(lambda: set(children(www.daemon.pid)) <= {*www.workers(), *good, www.wait_template()}, "nobody else")


def test_an_upgrade_while_a_template_starts(preforkd: Start, tmp_path: Path) -> None:
    """Workers that wait for it are launched again by the next program."""
    www = Pool(preforkd, tmp_path, "forkserver", ["DO=hang"], start_timeout="30s")
    first = www.wait_template(state="starting")
    upgrade(www.daemon)
    wait_until(lambda: not alive(first), "the end of the former one")
    www.wait_template(first, state="starting")
    www.options["environment"] = [f"STARTS={www.starts}"]
    www.daemon.hup()
    www.workers()
    www.serves()


def test_it_ends_with_the_master(pool: Callable[..., Pool]) -> None:
    www = pool()
    www.workers()
    template = www.wait_template()
    www.daemon.kill()
    wait_until(lambda: not alive(template), "the end of the template")


def test_stderr_is_of_the_worker(pool: Callable[..., Pool]) -> None:
    """What a copy says is logged under its worker; what the handler said while it started, under the template."""
    www = pool(["SAY=words of a copy"], max_workers=1)
    [worker] = www.workers(1)
    www.serves()
    www.daemon.wait_said("words of a copy", "www", worker)
    os.unlink(www.starts)
    template = www.wait_template()
    os.kill(template, signal.SIGKILL)
    another = www.wait_template(template)
    www.daemon.wait_said(f"{www.starts}: No such file or directory", "www", another)


def test_workers_that_are_not_wanted_any_more(preforkd: Start, tmp_path: Path) -> None:
    """Retired before there was a template: they never start."""
    www = Pool(preforkd, tmp_path, "forkserver", ["DO=hang"], start_timeout="30s")
    www.wait_template(state="starting")
    www.control.do("pause www")
    wait_until(lambda: www.control.pool(workers=True)["workers"] == [], "nobody who waits")
    www.options["environment"] = [f"STARTS={www.starts}"]
    www.daemon.hup()
    www.control.do("resume www")
    www.workers()
    www.serves()


def test_a_paused_pool_keeps_it(pool: Callable[..., Pool]) -> None:
    www = pool()
    www.workers()
    template = www.wait_template()
    www.control.do("pause www")
    wait_until(lambda: www.control.pool()["counts"]["total"] == 0, "no workers")
    with connect(www.address) as client:
        client.sendall(b"x")
        www.control.do("resume www")
        assert client.recv(1) == b"x"
    assert www.wait_template() == template and www.started() == 1
