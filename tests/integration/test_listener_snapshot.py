"""start_method = snapshot for programs that accept themselves: they start once, stop at their first wait for a connection,
and each worker goes on from there. What a fork does not give, they have; what cannot be had twice is refused by name."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (Daemon, connect, kill_worker, listener_inode, open_descriptors, read_all, request, run_preforkd, status_value,
                    tcp4, user_arguments, wait_until)
from inetd_handlers import without_descriptor
from nginx import Nginx
from programs import PYTHON, rows, wait_rows
from test_preload import fastcgi
from test_upgrade import upgrade

Start = Callable[..., Daemon]

BEGIN = """
import ctypes, os, signal, socket, sys, threading, time, fcntl, tempfile
listener = socket.socket(fileno=3)
os.chdir(sys.argv[1])
open("starts", "a").write(f"{os.getpid()}\\n")
def serve(answer):
    while True:
        connection, _ = listener.accept()
        connection.sendall(answer().encode() if callable(answer) else answer)
        connection.close()
"""


class Pool:
    """A pool of a Python program: what follows BEGIN."""

    def __init__(self, preforkd: Start, directory: Path, program: str, **keys: Any) -> None:
        self.directory, self.address = directory, tcp4()
        (directory / "program.py").write_text(BEGIN + program)
        (directory / "starts").touch()
        (directory / "starts").chmod(0o666)
        directory.chmod(0o777)
        options = {"listen": self.address, "handler_type": "listener", "start_method": "snapshot", "scaling": "static",
                   "max_workers": 3, "handler": [PYTHON, str(directory / "program.py"), str(directory)], **keys}
        self.daemon = preforkd({"www": options}, control=True)
        self.control = control_of(self.daemon)

    def workers(self) -> list[int]:
        return wait_rows(self.daemon, 3)

    def wait_others(self, than: list[int]) -> None:
        """… than these workers, as many, and idle. Unlike workers() it bears that they die meanwhile."""
        def found() -> bool:
            now = rows(self.daemon)
            return len(now) == 3 and all(row["state"] == "idle" and row["pid"] not in than for row in now)

        wait_until(found, "other workers", 20)

    def starts(self) -> list[int]:
        return [int(line) for line in (self.directory / "starts").read_text().split()]

    def ask(self) -> str:
        return request(self.address).decode()

    def ask_each(self) -> dict[int, str]:
        """The answer of each worker: "PID ANSWER"."""
        answers: dict[int, str] = {}

        def all_have_answered() -> bool:
            pid, _, text = self.ask().partition(" ")
            answers.setdefault(int(pid), text)
            return len(answers) == 3

        wait_until(all_have_answered, "an answer of each")
        return answers


@pytest.fixture
def pool(preforkd: Start, tmp_path: Path) -> Callable[..., Pool]:
    return lambda program, **keys: Pool(preforkd, tmp_path, program, **keys)


def test_it_starts_once(pool: Callable[..., Pool]) -> None:
    """Workers are the master's children, lead sessions, and one that dies is replaced without a start."""
    www = pool("serve(lambda: f'{os.getpid()} {os.getppid()}')")
    workers = www.workers()
    template = www.control.pool()["template"]
    assert www.starts() == [template["pid"]] and template["state"] == "ready"
    assert www.ask_each() == {pid: str(www.daemon.pid) for pid in workers}
    assert all(os.getsid(pid) == pid for pid in workers)
    kill_worker(workers[0])

    def replaced() -> bool:
        now = {row["pid"] for row in rows(www.daemon) if row["state"] == "idle"}
        return len(now) == 3 and now & set(workers) == set(workers[1:])

    wait_until(replaced, "another")
    assert www.starts() == [template["pid"]]


def test_a_template_holds_no_listener(pool: Callable[..., Pool]) -> None:
    """… nor a scoreboard, also when the program has given its listener other numbers and an epoll set."""
    www = pool("""
import select
other = socket.socket(fileno=os.dup(listener.fileno()))
ready = select.epoll()
ready.register(other, select.EPOLLIN)
while True:
    ready.poll()
    try:
        connection, _ = other.accept()
    except BlockingIOError:
        continue
    connection.sendall(b'%d ' % os.getpid())
    connection.close()
""")
    www.workers()
    assert set(www.ask_each()) == set(www.workers())
    template = www.control.pool()["template"]["pid"]
    assert f"socket:[{listener_inode(www.address)}]" not in open_descriptors(template).values()
    assert "memfd:" not in Path(f"/proc/{template}/maps").read_text()


def test_what_a_fork_does_not_give(pool: Callable[..., Pool], tmp_path: Path) -> None:
    """Each worker has its timers, and reads its files from where the program had read them."""
    (tmp_path / "data").write_text("one\ntwo\n")
    www = pool("""
data = open("data", "rb", buffering=0)
first = data.read(4)
signal.signal(signal.SIGALRM, lambda *_: open(f"alarm-{os.getpid()}", "w").close())
signal.alarm(1)
rest = None
def answer():
    global rest
    rest = rest or data.read(4).decode().strip()
    return f"{os.getpid()} {rest}"
serve(answer)
""")
    workers = www.workers()
    assert set(www.ask_each().values()) == {"two"}
    for pid in workers:
        wait_until((www.directory / f"alarm-{pid}").exists, f"the alarm of {pid}")


def test_a_file_without_a_name_is_shared(pool: Callable[..., Pool]) -> None:
    """… as by programs that fork their workers: PHP's opcache locks by one."""
    www = pool("""
shared = tempfile.TemporaryFile(buffering=0)
def answer():
    fcntl.lockf(shared, fcntl.LOCK_EX)
    count = int(os.pread(shared.fileno(), 20, 0) or 0) + 1
    os.pwrite(shared.fileno(), str(count).encode(), 0)
    fcntl.lockf(shared, fcntl.LOCK_UN)
    return f"{os.getpid()} {count}"
serve(answer)
""")
    www.workers()
    assert [int(www.ask().split()[1]) for _ in range(9)] == list(range(1, 10))


def test_a_server_on_an_event_loop(pool: Callable[..., Pool]) -> None:
    """… waits in an epoll set, and wakes itself by a socket pair. Each worker has its own: it is woken by its own threads,
    and by them alone."""
    www = pool("""
import selectors
listener.setblocking(False)
near, far = socket.socketpair()
near.setblocking(False)
loop = selectors.DefaultSelector()
loop.register(listener, selectors.EVENT_READ)
loop.register(near, selectors.EVENT_READ)
waiting = []
def wake():
    far.sendall(os.getpid().to_bytes(4, "big"))
while True:
    for key, _ in loop.select():
        if key.fileobj is listener:
            try:
                waiting.append(listener.accept()[0])
                threading.Thread(target=wake).start()
            except BlockingIOError:
                pass
        else:
            text = f"{os.getpid()} {int.from_bytes(near.recv(4), 'big')}"
            connection = waiting.pop()
            connection.sendall(text.encode())
            connection.close()
""")
    assert set(www.workers()) == set(www.ask_each())
    for _ in range(20):
        pid, woken_by = www.ask().split()
        assert pid == woken_by
    assert len(www.starts()) == 1


def test_stderr_is_of_the_worker(pool: Callable[..., Pool]) -> None:
    www = pool("""
os.write(2, b"starting\\n")
def answer():
    os.write(2, b"serving\\n")
    return str(os.getpid())
serve(answer)
""")
    www.workers()
    pid = int(www.ask())
    www.daemon.wait_said("serving", "www", pid)


def test_a_crash_renews_it(pool: Callable[..., Pool]) -> None:
    """All workers have its layout and its canaries: whoever guesses gets others."""
    www = pool("serve(lambda: os.abort() if os.path.exists('crash') else f'{os.getpid()} ')")
    www.workers()
    template = www.control.pool()["template"]["pid"]
    (www.directory / "crash").touch()

    def another() -> bool:
        with connect(www.address) as client:
            read_all(client)
        now = www.control.pool()["template"]
        return bool(now and now["pid"] != template and now["state"] == "ready")

    wait_until(another, "another template")
    (www.directory / "crash").unlink()
    www.ask_each()
    assert www.control.pool()["totals"]["handler_crashes"] >= 1


def test_a_restart_while_it_starts(pool: Callable[..., Pool]) -> None:
    """The workers that waited for the template have slots in the former scoreboard, which goes with them."""
    www = pool("time.sleep(0.7)\nserve(lambda: f'{os.getpid()} ')")
    www.control.do("restart www")
    wait_until(lambda: www.control.pool()["counts"]["old"] == 0 and www.workers(), "workers of the second generation", 20)
    wait_until(lambda: sum("memfd:preforkd:www" in link for link in open_descriptors(www.daemon.pid).values()) == 1,
               "one scoreboard")


def test_another_number_of_addresses(pool: Callable[..., Pool]) -> None:
    """The program knows how many it has from its start on: it starts again."""
    www = pool("serve(lambda: f\"{os.getpid()} {os.environ['LISTEN_FDS']}\")")
    first = www.workers()
    assert set(www.ask_each().values()) == {"1"}
    www.daemon.pools["www"]["listen"] = [www.address, tcp4()]
    www.daemon.hup("reloaded")
    www.wait_others(first)
    assert set(www.ask_each().values()) == {"2"}
    assert len(www.starts()) == 2


@pytest.mark.parametrize(("program", "reason"), [
    ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "it has threads"),
    ("child = os.fork()\nif child == 0:\n    time.sleep(60)", "it has children that it has not waited for"),
    ("pipe = os.pipe()\nos.write(pipe[1], b'x')\nos.dup2(pipe[0], 77)\nos.close(pipe[0])\nos.close(pipe[1])",
     "it has a pipe open that all copies would share: descriptor 77"),
    ("peer = socket.create_server(('127.0.0.1', 0))\nclient = socket.create_connection(peer.getsockname())\npeer.close()\n"
     "os.dup2(client.fileno(), 78)\nclient.close()",
     "it has a connection open that all copies would share: descriptor 78"),
    ("own = socket.create_server(('127.0.0.1', 0))\nos.dup2(own.fileno(), 79)\nown.close()",
     "it has a listener of its own open, which all copies would share: descriptor 79"),
    ("timer = ctypes.CDLL(None).timerfd_create(1, 0)\nos.dup2(timer, 80)\nos.close(timer)",
     "it has a timer open that all copies would share: descriptor 80"),
    ("watch = ctypes.CDLL(None).inotify_init1(0)\nos.dup2(watch, 81)\nos.close(watch)",
     "it has something open that all copies would share: descriptor 81"),
    ("lock = os.open('lock', os.O_RDWR | os.O_CREAT)\nos.dup2(lock, 82)\nos.close(lock)\nfcntl.lockf(82, fcntl.LOCK_EX)",
     "it holds locks on files: descriptor 82"),
], ids=["threads", "children", "pipe", "connection", "listener of its own", "timer", "another", "lock"])
def test_what_is_refused_by_name(pool: Callable[..., Pool], program: str, reason: str) -> None:
    www = pool(f"{program}\nserve(b'x')\n")
    assert www.daemon.wait_copies("refused") == reason
    www.daemon.wait_message("backing off")
    said = rf"cannot serve: handler: Operation not supported: {reason} \(template \d+\)"
    assert any(re.fullmatch(said, text) for text in www.control.decisions(template=True)), "why says it, too"
    assert not [row for row in www.control.pool(workers=True)["workers"] if row["pid"]]


@pytest.mark.parametrize(("keys", "words"), [
    (["--start-method=forkserver"], "expected snapshot or exec"),
    (["--start-method=snapshot", "--accounting=api"], "snapshot needs accounting = preload"),
    (["--start-method=snapshot", "--accounting=none"], "snapshot needs accounting = preload"),
    (["--start-method=snapshot", "--snapshot-after=10", "--max-requests=10"], "no worker gets so far"),
])
def test_what_cannot_be(keys: list[str], words: str) -> None:
    result = run_preforkd("-t", *user_arguments(), "--handler-type=listener", *keys, f"--listen={tcp4()}", "--", "/bin/cat")
    assert result.returncode != 0 and words in result.stderr, result.stderr


# --- snapshot_after -------------------------------------------------------------------------------------------------

WARMING = """
served = []
def answer():
    served.append(os.getpid())
    return f"{os.getpid()} {len(served)} {served[0]}"
serve(answer)
"""


def warmed(www: Pool, not_pid: int = 0) -> dict[str, Any]:
    """Ask until a worker has become the template; that."""
    def find() -> dict[str, Any] | None:
        www.ask()
        template = www.control.pool()["template"]
        return template if template and template["requests"] > 0 and template["pid"] != not_pid else None

    return wait_until(find, "a template that has served", 20)


def test_a_worker_that_has_served_becomes_the_template(pool: Callable[..., Pool]) -> None:
    """All workers are replaced by forks of it, and the program has not started again. Nothing is lost."""
    www = pool(WARMING, snapshot_after=20)
    first = www.workers()
    template = warmed(www)
    assert template["pid"] in first and template["requests"] == 20 and template["generation"] == 2
    www.wait_others(first)
    for text in www.ask_each().values():
        count, pid = map(int, text.split())
        assert count > 20 and pid == template["pid"]
    assert len(www.starts()) == 1
    pool_now = www.control.pool()
    assert pool_now["template"]["pid"] == template["pid"] and pool_now["generation"] == 2
    assert pool_now["totals"]["died"] == 0 and pool_now["totals"]["lost"] == 0
    assert any(f"worker {template['pid']} has served 20 requests" in text for text in www.control.decisions())
    kill_worker(www.workers()[0])  # another comes from it
    wait_until(lambda: {row["state"] for row in rows(www.daemon)} == {"idle"} and len(rows(www.daemon)) == 3, "another")
    assert {text.split()[1] for text in www.ask_each().values()} == {str(template["pid"])}


def test_requests_are_counted_once(pool: Callable[..., Pool]) -> None:
    """Those of the worker that has become the template, too."""
    www = pool(WARMING, snapshot_after=10)
    www.workers()
    asked = 0
    while not (www.control.pool()["template"] or {}).get("requests"):
        www.ask()
        asked += 1
    wait_until(lambda: www.control.pool()["totals"]["requests"] == asked, f"{asked} requests")


def test_a_restart_begins_with_a_fresh_one(pool: Callable[..., Pool]) -> None:
    www = pool(WARMING, snapshot_after=5)
    www.workers()
    used = warmed(www)
    www.control.do("restart www")
    wait_until(lambda: len(www.starts()) == 2 and www.control.pool()["template"]["requests"] == 0, "a fresh one")
    assert warmed(www)["generation"] > used["generation"] + 1


def test_an_upgrade_begins_with_a_fresh_one(pool: Callable[..., Pool]) -> None:
    """… the worker that was to be the template serves on."""
    www = pool(WARMING, snapshot_after=50)
    workers = www.workers()
    upgrade(www.daemon)
    for _ in range(200):
        www.ask()
    assert set(www.workers()) == set(workers) and www.control.pool()["totals"]["died"] == 0
    kill_worker(workers[0])
    assert warmed(www)["requests"] == 50
    www.wait_others(workers)


def test_one_that_cannot_be_copied_serves_on(pool: Callable[..., Pool]) -> None:
    www = pool("""
held = []
def answer():
    if not held:
        held.extend(os.pipe())
        os.close(held[0])
    return f"{os.getpid()} "
serve(answer)
""", snapshot_after=3)
    workers = www.workers()
    said = www.daemon.wait_copies("serves on", www.ask)  # after three requests of the one that was chosen
    assert without_descriptor(said) == "it has a pipe open that all copies would share"
    assert set(www.workers()) == set(workers)
    state = www.control.pool()
    assert state["generation"] == 1 and state["template"]["requests"] == 0 and state["totals"]["died"] == 0


def test_one_that_dies_before_has_a_successor(pool: Callable[..., Pool]) -> None:
    www = pool(WARMING, snapshot_after=8)
    workers = www.workers()
    for pid in workers:
        kill_worker(pid)
    www.wait_others(workers)
    assert warmed(www)["pid"] not in workers


def test_php_that_has_served_has_compiled(preforkd: Start, tmp_path: Path) -> None:
    """What a request has loaded is there in all workers."""
    socket = tmp_path / "fastcgi.sock"
    keys = fastcgi("php", tmp_path, socket, start_method="snapshot", snapshot_after=6, scaling="static", max_workers=3)
    daemon = preforkd({"www": keys}, control=True)
    wait_rows(daemon, 3)
    with Nginx(tmp_path, {"/": socket}, tmp_path) as nginx:
        first = {row["pid"] for row in rows(daemon)}

        def replaced() -> bool:
            assert nginx.get("/pid.php")[0] == 200
            return not {row["pid"] for row in rows(daemon)} & first

        wait_until(replaced, "others", 20)
        assert control_of(daemon).pool()["template"]["requests"] == 6


# --- php-cgi --------------------------------------------------------------------------------------------------------

CACHE = """<?php
$status = opcache_get_status();
echo getmypid(), ' ', $status ? count($status['scripts']) : 'off', ' ', $status ? $status['opcache_statistics']['misses'] : 0;
"""


def test_php_shares_its_cache(preforkd: Start, tmp_path: Path) -> None:
    """The memory of opcache is one for all workers: what one has compiled the others have; a file that changes changes for
    all; a reset is seen by all. Of its own a worker has little memory."""
    socket = tmp_path / "fastcgi.sock"
    keys = fastcgi("php", tmp_path, socket, start_method="snapshot", scaling="static", max_workers=3)
    keys["handler"] = [*keys["handler"], "-d", "opcache.enable=1", "-d", "opcache.revalidate_freq=0", "-d",
                       "opcache.file_update_protection=0", "-d", "opcache.memory_consumption=32"]
    (tmp_path / "cache.php").write_text(CACHE)
    (tmp_path / "reset.php").write_text("<?php opcache_reset(); echo 'reset';")
    daemon = preforkd({"www": keys}, control=True)
    workers = set(wait_rows(daemon, 3))
    with Nginx(tmp_path, {"/": socket}, tmp_path) as nginx:
        seen: dict[int, list[str]] = {}

        def ask() -> bool:
            pid, scripts, misses = nginx.ask("/cache.php").split()
            seen.setdefault(int(pid), []).append(f"{scripts} {misses}")
            return set(seen) == workers

        wait_until(ask, "an answer of each")
        if "off" in str(seen):
            pytest.skip("needs php-opcache")
        assert {answer for answers in seen.values() for answer in answers[1:]} <= {"1 1"}, seen
        for pid in workers:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            private = sum(int(found) for found in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))
            assert private < 2048, text
        (tmp_path / "cache.php").write_text(CACHE.replace("echo ", "echo 'new ', "))
        os.utime(tmp_path / "cache.php", (1, 1))  # PHP compares seconds
        assert {nginx.ask("/cache.php").split()[0] for _ in range(9)} == {"new"}
        assert nginx.ask("/reset.php") == "reset"
        wait_until(lambda: nginx.ask("/cache.php").split()[2] == "1", "an empty cache")
    assert all(int(status_value(pid, "PPid")) == daemon.pid for pid in workers)
