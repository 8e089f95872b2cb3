"""Copy by rollback by itself (`preload/rollback`): a handler that tries to leave something behind, and the next one that
looks for it. The sources are in a preload object of the tests, which serves by them and does no more."""

from __future__ import annotations

import errno
import os
import platform
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import HANDLERS, SLOW, connect, read_all, wait_until
from forbidden import fail, needs_to_forbid

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="rollback knows x86-64 alone")

OBJECT = HANDLERS / "rollback_object.so"
NASTY = HANDLERS / "handler_nasty"

# What ends the worker, and the reason that it names. After all else it goes on.
ENDS = {
    "protect_text": "changed mappings",
    "unmap_data": "changed mappings",
    "child_shares": "left a process",
    "credentials": "changed its credentials",
    "not_dumpable": "changed its credentials",
    "write_execute": "changed its credentials",
    "aio": "asynchronous input",
    **dict.fromkeys(["segv", "null_pointer", "abort", "bus", "ill", "fpe", "sys", "trap"], "died of a crash"),
}
# Of the probe: what a worker may have different from another.
OF_WORKER = {"worker"}
# Flags of mappings that the fast check does not see.
STRICT = {"flags"}


class Stopped:
    """A program that was stopped before main(), and the worker that serves by it."""

    def __init__(self, directory: Path, options: str, program: Path = NASTY, *,
                 preexec: Callable[[], None] | None = None, **environment: str) -> None:
        self.notes_file = directory / f"notes-{options}"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        with self.notes_file.open("w") as notes:
            passed = [self.listener.fileno(), notes.fileno()]
            self.process = subprocess.Popen(
                [program], cwd=directory, pass_fds=passed, preexec_fn=preexec, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={"LD_PRELOAD": str(OBJECT), "LD_BIND_NOW": "1", "ROLLBACK_OPTIONS": options,
                     "ROLLBACK_LISTENER": str(passed[0]), "ROLLBACK_NOTES": str(passed[1]), **environment})

    def notes(self) -> str:
        return self.notes_file.read_text()

    def ask(self, word: str) -> dict[str, str]:
        """What the handler says: fields, each of them as often as it said it."""
        with connect(self.address, 20) as client:
            client.sendall(word.encode() + b"\n")
            try:
                text = read_all(client).decode(errors="replace")
            except ConnectionError:  # it died with unread input
                text = ""
        fields: dict[str, str] = {}
        for line in text.splitlines():
            key, _, value = line.partition("=")
            fields[key] = fields.get(key, "") + value + ";"
        return fields

    def probe(self, *, strict: bool) -> dict[str, str]:
        fields = self.ask("probe")
        assert "secrets" in fields, self.notes()
        return {key: value for key, value in fields.items() if key not in OF_WORKER | (set() if strict else STRICT)}

    def worker(self) -> str:
        return self.ask("nothing")["worker"]

    def misdeeds(self) -> list[str]:
        return [name for name in self.ask("list") if name not in ("worker", "done")]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.close()


Stop = Callable[..., Stopped]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Stop]:
    started: list[Stopped] = []

    def start(options: str, program: Path = NASTY, **more: object) -> Stopped:
        started.append(Stopped(tmp_path, options, program, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.close()


def differences(first: dict[str, str], now: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    return {key: (first.get(key), now.get(key)) for key in first.keys() | now.keys() if first.get(key) != now.get(key)}


@pytest.mark.parametrize("options", ["tv", "cv", "tvs", "cvs", "tvi", "cvi"])
def test_nothing_is_left(stopped: Stop, options: str) -> None:
    """Each misdeed by itself: the next handler finds all as the first one did, byte by byte, in the same worker if that
    can be put back, and in another if not."""
    program = stopped(options)
    strict = "s" in options
    first = program.probe(strict=strict)
    wrong = []
    for name in program.misdeeds():
        before = program.worker()
        program.ask(name)
        if name in ENDS:
            wait_until(lambda: program.notes().rsplit("unfit", 1)[-1].count("worker"), f"another worker after {name}")
        after = program.worker()
        if (before != after) != (name in ENDS):
            wrong.append(f"{name}: worker {before} then {after}")
        if name in ENDS and ENDS[name] not in program.notes().rsplit("unfit", 1)[-1]:
            wrong.append(f"{name}: {program.notes()[-200:]}")
        if left := differences(first, program.probe(strict=strict)):
            wrong.append(f"{name} leaves {left}")
    assert not wrong, "\n".join(wrong)
    assert "fault of preforkd" not in program.notes()


@pytest.mark.parametrize("options", ["tv", "cv", "tvs"])
def test_what_is_freed_lazily_does_not_vanish(stopped: Stop, options: str) -> None:
    """Memory pressure takes such pages away when the handler has long ended."""
    program = stopped(options)
    first = program.probe(strict=False)
    program.ask("free_lazily")
    program.ask("page_out")
    assert not differences(first, program.probe(strict=False))


def storm(program: Stopped, requests: int, clients: int) -> None:
    """Random misdeeds by several clients; every probe among them is as the first."""
    first = program.probe(strict=False)
    names = [name for name in program.misdeeds() if name != "daemonise"]
    wrong: list[str] = []

    def hammer(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(requests // clients):
            name = chance.choice(names)
            try:
                program.ask(name)
                if chance.random() < 0.3 and (left := differences(first, program.probe(strict=False))):
                    wrong.append(f"after {name} or others: {left}")
            except (AssertionError, OSError) as error:
                wrong.append(f"after {name}: {error}")

    threads = [threading.Thread(target=hammer, args=[seed]) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, "\n".join(wrong[:5])
    assert "fault of preforkd" not in program.notes()


@pytest.mark.parametrize("options", ["tv", "cv", "tvi"])
def test_a_storm(stopped: Stop, options: str) -> None:
    storm(stopped(options, ROLLBACK_WORKERS="3"), 300, 6)


@pytest.mark.long
@pytest.mark.parametrize("options", ["tv", "cv", "tvs", "tvi"])
def test_a_long_storm(stopped: Stop, options: str) -> None:
    storm(stopped(options, ROLLBACK_WORKERS="3"), 100000 if options == "tv" else 20000, 6)


@pytest.mark.parametrize("before, reason", [
    ("thread", "threads"), ("lock", "locked memory"), ("dumpable", "not dumpable"), ("mdwe", "PR_SET_MDWE"),
    ("aio", "io_setup"), ("io_uring", "io_uring")])
def test_what_cannot_be_rolled_back_is_refused_by_name(stopped: Stop, before: str, reason: str) -> None:
    program = stopped("tv", NASTY_BEFORE=before)
    assert program.process.wait(20 * SLOW) == 3
    assert "refused: " in program.notes() and reason in program.notes()


@needs_to_forbid
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
def test_without_userfaultfd_memory_is_copied(stopped: Stop, error: int) -> None:
    """The way is chosen, unless one was asked for."""
    program = stopped("v", preexec=fail(error, "userfaultfd"))
    first = program.probe(strict=False)
    for name in ("statics", "heap", "stack", "mapped_cut", "forget_data"):
        program.ask(name)
        assert not differences(first, program.probe(strict=False))
    assert "way: copying" in program.notes() and "fault" not in program.notes()
    program = stopped("tv", preexec=fail(error, "userfaultfd"))
    assert program.process.wait(20 * SLOW) == 3
    assert "does not track writes" in program.notes()


def test_the_way_is_tracking_where_the_kernel_can(stopped: Stop) -> None:
    major, minor = (int(part) for part in os.uname().release.split(".")[:2])
    if (major, minor) < (6, 7):
        pytest.skip("this kernel cannot")
    program = stopped("v")
    program.worker()
    assert "way: tracking" in program.notes()


def test_a_large_image_is_not_copied(stopped: Stop) -> None:
    program = stopped("cv", NASTY_BEFORE="large", ROLLBACK_COPYING_MOST=str(16 << 20))
    assert program.process.wait(20 * SLOW) == 3
    assert "more writable memory" in program.notes()
    assert stopped("tv", NASTY_BEFORE="large", ROLLBACK_COPYING_MOST=str(16 << 20)).worker()


def private_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


@pytest.mark.parametrize("options", ["ti", "ci"])
def test_workers_share_what_they_do_not_change(stopped: Stop, options: str) -> None:
    """32 MB of a template cost its workers nothing, neither in the program nor in the checkpoint."""
    def private_of_two(options: str) -> int:
        program = stopped(options, NASTY_BEFORE="large", ROLLBACK_WORKERS="2")
        workers: set[int] = set()
        wait_until(lambda: workers.add(int(program.worker().rstrip(";"))) or len(workers) == 2, "two workers")
        for _ in range(8):
            program.ask("heap_block")
        return max(private_kilobytes(worker) for worker in workers)

    assert private_of_two(options) < 1000
    assert private_of_two(options.replace("i", "")) > 30000


def test_recycling(stopped: Stop) -> None:
    program = stopped("tv", ROLLBACK_MOST="3")
    workers = [program.worker() for _ in range(9)]
    assert len(set(workers)) == 3
    assert "unfit" not in program.notes()
