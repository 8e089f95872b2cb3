"""A handler that is replaced on disk: where workers keep the one that they have started with, a reload starts a new
generation, and says which file it was."""

from __future__ import annotations

import os
import platform
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import AS_ROOT, HANDLERS, Daemon, alive, request, tcp4, wait_until
from programs import PYTHON
from test_preforkctl import Ctl
from test_start_methods import jail
from test_upgrade import upgrade

Start = Callable[..., Daemon]

PERL = "/usr/bin/perl"
snapshot_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="snapshot is for x86-64")

INETD = 'my $line = <STDIN>; print "{word}\\n";\n'
ACCEPTS = 'use Socket; open my $l, "+<&=3"; while (accept my $c, $l) {{ my $line = <$c>; print $c "{word}\\n"; close $c }}\n'


def put(path: Path, text: str) -> None:
    """As an installer does: a new file takes the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o755)
    new.rename(path)


def copy(source: str | Path, path: Path) -> None:
    new = path.with_suffix(".new")
    shutil.copy(source, new)
    new.chmod(0o755)
    new.rename(path)


def reload(control: Control, line: str = "reload") -> tuple[str, list[str], list[str]]:
    """What it says that it does to the pool: the verb, changed options, replaced files."""
    [change] = control.do(line)["changes"]
    return change["verb"], change["options"], change["files"]


class Pool:
    """One pool of two workers."""

    def __init__(self, preforkd: Start, handler: list[str], **keys: Any) -> None:
        self.address = tcp4()
        self.daemon = preforkd({"www": {"listen": self.address, "handler": handler, "scaling": "static", "max_workers": 2,
                                        **keys}}, control=True)
        self.control = control_of(self.daemon)

    def ask(self) -> bytes:
        return request(self.address, b"one\ntwo\n\n")

    def workers(self) -> list[int]:
        """All that there are, when they are those of one generation."""
        def find() -> list[int] | None:
            pool = self.control.pool(workers=True)
            fine = len(pool["workers"]) == 2 and pool["counts"]["starting"] == 0 \
                and {worker["generation"] for worker in pool["workers"]} == {pool["generation"]}
            return sorted(worker["pid"] for worker in pool["workers"]) if fine else None

        return wait_until(find, "two workers", 20)

    def keeps(self) -> None:
        """A reload touches nobody."""
        workers = self.workers()
        assert reload(self.control) == ("keep", [], [])
        assert self.workers() == workers

    def rolls_for(self, *files: str | Path) -> None:
        """A reload says that it does it, does it, and says why; the next one has nothing to do."""
        old, generation = self.workers(), self.control.pool()["generation"]
        expected = ("roll", [], [str(file) for file in files])
        assert reload(self.control, "reload --dry-run") == expected
        assert self.workers() == old
        assert reload(self.control) == expected
        assert f"generation {generation + 1} ({', '.join(expected[2])} changed)" in self.control.decisions()
        wait_until(lambda: not any(map(alive, old)), "the end of the old workers", 20)
        self.keeps()


def by_cat(path: Path, second: bool) -> bytes:
    """A program: cat(1), then tac(1)."""
    copy("/usr/bin/tac" if second else "/bin/cat", path)
    return b"\ntwo\none\n" if second else b"one\ntwo\n\n"


def by_script(text: str) -> Callable[[Path, bool], bytes]:
    def install(path: Path, second: bool) -> bytes:
        word = "second" if second else "first"
        put(path, f"#!{PERL}\n" + text.format(word=word))
        return f"{word}\n".encode()

    return install


def by_module(path: Path, second: bool) -> bytes:
    copy(HANDLERS / f"module_{'serve' if second else 'hello'}.so", path)
    return b"one\ntwo\n\n" if second else b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"


KEPT = [
    pytest.param(by_cat, [], {"start_method": "forkserver"}, id="forkserver"),
    pytest.param(by_cat, [], {"start_method": "forkserver", "copy": "rollback"}, id="rollback", marks=snapshot_only),
    pytest.param(by_script(INETD), [], {"start_method": "snapshot"}, id="snapshot", marks=snapshot_only),
    pytest.param(by_script(INETD), [PERL], {"start_method": "snapshot"}, id="argument", marks=snapshot_only),
    pytest.param(by_script(ACCEPTS), [], {"handler_type": "listener"}, id="listener"),
    pytest.param(by_script(ACCEPTS), [PERL, "-w"], {"handler_type": "listener", "accounting": "none"}, id="unwatched"),
    pytest.param(by_script(ACCEPTS), [], {"handler_type": "listener", "start_method": "snapshot"}, id="stopped listener",
                 marks=snapshot_only),
    pytest.param(by_module, [], {"handler_type": "module"}, id="module"),
]


@pytest.mark.parametrize(("install", "before", "keys"), KEPT)
def test_a_reload_serves_the_new_one(preforkd: Start, tmp_path: Path, install: Callable[[Path, bool], bytes],
                                     before: list[str], keys: dict[str, Any]) -> None:
    path = tmp_path / "handler"
    first = install(path, False)
    pool = Pool(preforkd, [*before, str(path), *(["echo"] if keys.get("handler_type") == "module" else [])], **keys)
    pool.workers()
    assert pool.ask() == first
    pool.keeps()
    second = install(path, True)
    assert pool.ask() == first
    pool.rolls_for(path)
    for _ in range(4):
        assert pool.ask() == second
    pool.daemon.assert_quiet()


def test_what_is_executed_for_each_connection_needs_none(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "handler"
    first = by_cat(path, False)
    pool = Pool(preforkd, [str(path)], start_method="exec")
    assert pool.ask() == first
    second = by_cat(path, True)
    pool.keeps()
    assert pool.ask() == second


@pytest.fixture
def script(preforkd: Start, tmp_path: Path) -> Callable[..., Pool]:
    """A pool of the script `handler`, with that first line, by which `interpreter` in `bin` executes it."""
    def start(first_line: str, **keys: Any) -> Pool:
        (tmp_path / "bin").mkdir()
        copy(PERL, tmp_path / "bin" / "interpreter")
        put(tmp_path / "handler", f"{first_line}\n" + ACCEPTS.format(word="said"))
        return Pool(preforkd, [str(tmp_path / "handler")], handler_type="listener",
                    environment=f"PATH={tmp_path}/bin:/usr/bin:/bin", **keys)

    return start


@pytest.mark.parametrize("first_line", ["#!{bin}/interpreter", "#! {bin}/interpreter -w", "#!/usr/bin/env interpreter",
                                        "#!/usr/bin/env -S interpreter -w"])
def test_an_interpreter(script: Callable[..., Pool], tmp_path: Path, first_line: str) -> None:
    pool = script(first_line.format(bin=tmp_path / "bin"))
    assert pool.ask() == b"said\n"
    copy(PERL, tmp_path / "bin" / "interpreter")
    pool.rolls_for(tmp_path / "bin" / "interpreter")
    assert pool.ask() == b"said\n"


def test_another_file_is_found_first(preforkd: Start, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    before = by_cat(tmp_path / "second" / "handler", False)
    pool = Pool(preforkd, ["handler"], start_method="forkserver", environment=f"PATH={tmp_path}/first:{tmp_path}/second")
    assert pool.ask() == before
    after = by_cat(tmp_path / "first" / "handler", True)
    pool.rolls_for(tmp_path / "first" / "handler")
    assert pool.ask() == after


def test_a_file_that_was_overwritten(script: Callable[..., Pool], tmp_path: Path) -> None:
    """… by as many bytes, and that says that nobody has."""
    pool, path = script(f"#!{PERL}"), tmp_path / "handler"
    assert pool.ask() == b"said\n"
    times = path.stat()
    path.write_text(path.read_text().replace("said", "told"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns and path.stat().st_size == times.st_size
    pool.rolls_for(path)
    assert pool.ask() == b"told\n"


def test_an_argument_that_comes_and_goes(script: Callable[..., Pool], tmp_path: Path) -> None:
    """What is not there fails no reload, and is no reason to replace anybody; what is back is another file."""
    pool, more = script(f"#!{PERL}"), tmp_path / "more"
    pool.daemon.pools["www"]["handler"] = [str(tmp_path / "handler"), str(more), str(tmp_path), "/dev/null"]
    pool.daemon.hup("reloaded")
    pool.keeps()
    put(more, "one")
    pool.rolls_for(more)
    more.unlink()
    pool.keeps()
    put(more, "one")
    pool.rolls_for(more)


def test_all_of_them_are_named(script: Callable[..., Pool], tmp_path: Path) -> None:
    """After the options that have changed."""
    pool = script(f"#!{tmp_path}/bin/interpreter")
    pool.workers()
    copy(PERL, tmp_path / "bin" / "interpreter")
    put(tmp_path / "handler", f"#!{tmp_path}/bin/interpreter\n" + ACCEPTS.format(word="told"))
    pool.daemon.pools["www"]["umask"] = "077"
    pool.daemon.write_config()
    files = [str(tmp_path / "handler"), str(tmp_path / "bin" / "interpreter")]
    ctl = Ctl(pool.control.path)
    assert f"www   roll    umask, {', '.join(files)}\n" in ctl.do("reload", "--dry-run")
    assert reload(pool.control) == ("roll", ["umask"], files)
    assert f"generation 2 (umask, {', '.join(files)} changed)" in pool.control.decisions()
    wait_until(lambda: pool.ask() == b"told\n", "the new script")


def test_another_handler_is_no_replaced_one(script: Callable[..., Pool], tmp_path: Path) -> None:
    """The option has changed, and that is all there is to say."""
    pool = script(f"#!{PERL}")
    put(tmp_path / "other", f"#!{PERL}\n" + ACCEPTS.format(word="told"))
    pool.daemon.pools["www"]["handler"] = [str(tmp_path / "other")]
    pool.daemon.write_config()
    assert reload(pool.control) == ("roll", ["handler"], [])
    wait_until(lambda: pool.ask() == b"told\n", "the other script")


def test_one_that_cannot_be_executed_is_refused(script: Callable[..., Pool], tmp_path: Path) -> None:
    """… as ever, and the old one stays."""
    pool = script(f"#!{PERL}")
    workers = pool.workers()
    put(tmp_path / "handler", "#!/no/such/interpreter\n")
    pool.control.refused("reload", "refused")
    assert pool.ask() == b"said\n" and pool.workers() == workers
    put(tmp_path / "handler", f"#!{PERL}\n" + ACCEPTS.format(word="told"))
    pool.rolls_for(tmp_path / "handler")
    assert pool.ask() == b"told\n"


def test_what_was_replaced_before_an_upgrade_is_not_forgotten(script: Callable[..., Pool], tmp_path: Path) -> None:
    pool = script(f"#!{PERL}")
    pool.workers()
    upgrade(pool.daemon)
    pool.keeps()
    put(tmp_path / "handler", f"#!{PERL}\n" + ACCEPTS.format(word="told"))
    upgrade(pool.daemon)
    assert pool.ask() == b"said\n"
    pool.rolls_for(tmp_path / "handler")
    assert pool.ask() == b"told\n"


def test_limits_that_are_laid_over_it_hide_nothing(script: Callable[..., Pool], tmp_path: Path) -> None:
    pool = script(f"#!{PERL}")
    pool.workers()
    pool.control.do("scale www spare_timeout=3s")
    put(tmp_path / "handler", f"#!{PERL}\n" + ACCEPTS.format(word="told"))
    verb, _, files = reload(pool.control)
    assert (verb, files) == ("roll", [str(tmp_path / "handler")])
    wait_until(lambda: pool.ask() == b"told\n", "the new script")


def test_sighup_does_it_too(script: Callable[..., Pool], tmp_path: Path) -> None:
    pool = script(f"#!{PERL}")
    old = pool.workers()
    put(tmp_path / "handler", f"#!{PERL}\n" + ACCEPTS.format(word="told"))
    pool.daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: not any(map(alive, old)), "the end of the old workers", 20)
    assert pool.ask() == b"told\n"


@pytest.mark.skipif(not AS_ROOT, reason="only root can change it")
def test_in_a_root_directory(preforkd: Start, tmp_path: Path) -> None:
    """Its file is the one that the handler sees, through a link that is absolute inside, and is shown as it is outside."""
    root = jail(tmp_path)
    (root / "srv").mkdir()
    (root / "tmp").chmod(0o1777)  # for tac(1)
    copy("/bin/cat", root / "srv" / "program")
    (root / "handler").symlink_to("/srv/program")
    pool = Pool(preforkd, ["/handler"], start_method="forkserver", root_directory=str(root))
    assert pool.ask() == b"one\ntwo\n\n"
    copy("/usr/bin/tac", root / "srv" / "program")
    pool.rolls_for(root / "handler")
    assert pool.ask() == b"\ntwo\none\n"


@snapshot_only
def test_a_python_script(preforkd: Start, tmp_path: Path) -> None:
    """With the arguments of its own."""
    path = tmp_path / "script.py"
    text = "import sys\nsys.stdin.readline()\nprint('{word}', *sys.argv[1:])\n"
    put(path, text.format(word="first"))
    pool = Pool(preforkd, [PYTHON, "-I", str(path), "and", "more"], start_method="snapshot")
    assert pool.ask() == b"first and more\n"
    put(path, text.format(word="second"))
    pool.rolls_for(path)
    assert pool.ask() == b"second and more\n"
