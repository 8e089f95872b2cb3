"""Which files make up the configuration: what cannot be read is an error, and nothing is waited for.

What is in the files: test_configuration.py.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import AS_ROOT, BINARY, POOL_USER, Daemon, request, run_preforkd, tcp4, wait_until, with_own_mounts

Start = Callable[..., Daemon]
BAD_CONFIG = 78
USER = f"user = {POOL_USER}\n" if AS_ROOT else ""


def pool(name: str, address: str) -> str:
    return f"[{name}]\nlisten = {address}\nhandler = /bin/echo {name}\n{USER}"


def write_main(directory: Path, text: str = "") -> Path:
    path = directory / "preforkd.conf"
    path.write_text("[preforkd]\ncontrol =\n" + text)
    return path


def dump(path: Path | str, **options: object) -> tuple[int, str, str]:
    result = run_preforkd("-T", "-c", path, **options)
    return result.returncode, result.stdout, result.stderr


# --- pools.d that cannot be read ------------------------------------------------------------------------------------

def make_link(directory: Path) -> None:
    directory.symlink_to("/nowhere/at/all")


def make_file(directory: Path) -> None:
    directory.write_text("[lost]\n")


def make_loop(directory: Path) -> None:
    directory.symlink_to(directory)


@pytest.mark.parametrize("break_it", [make_link, make_file, make_loop])
def test_a_pools_d_that_cannot_be_read_drains_no_pool(preforkd: Start, break_it: Callable[[Path], None]) -> None:
    base, more = tcp4(), tcp4()
    daemon = preforkd({"base": {"listen": base, "handler": "/bin/echo base"}})
    directory = daemon.config.parent / "pools.d"
    directory.mkdir()
    (directory / "more.conf").write_text(pool("more", more))
    daemon.hup("reloaded")
    directory.rename(directory.with_name("moved"))
    break_it(directory)
    daemon.hup("reload refused")
    daemon.assert_problem("pools.d: cannot read the directory: ")
    assert request(more) == b"more\n"
    assert run_preforkd("-t", "-c", daemon.config).returncode == BAD_CONFIG
    directory.unlink()
    daemon.hup("reloaded")
    wait_until(lambda: not daemon.workers("more"), "the end of the pool")


def test_a_pools_d_without_permission(tmp_path: Path, as_root: None) -> None:
    main = write_main(tmp_path, f"[a]\nlisten = {tcp4()}\nhandler = /bin/cat\n")
    (tmp_path / "pools.d").mkdir(mode=0o700)
    for directory in [tmp_path, *tmp_path.parents]:
        if directory != Path("/") and directory.stat().st_uid == 0 and directory != Path("/tmp"):
            directory.chmod(0o755)
    code, _, errors = dump(main, user=65534, group=65534, extra_groups=[])
    assert code == BAD_CONFIG
    assert "pools.d: cannot read the directory: Permission denied" in errors


# --- names are taken literally --------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["conf[1]", "srv*", "what?", "{a,b}", "back\\slash", "~root"])
def test_the_name_of_the_directory_is_no_pattern(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    (directory / "pools.d").mkdir(parents=True)
    (tmp_path / "conf1").mkdir()
    (directory / "pools.d/a.conf").write_text(pool("a", tcp4()))
    code, text, errors = dump(write_main(directory))
    assert code == 0, errors
    assert "[a]" in text


def test_files_are_read_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "pools.d").mkdir()
    for name in ["b", "A", "10", "9", "a"]:
        (tmp_path / f"pools.d/{name}.conf").write_text(pool(name, tcp4()))
    code, text, errors = dump("preforkd.conf", cwd=write_main(tmp_path).parent)
    assert code == 0, errors
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[preforkd]", "[10]", "[9]", "[A]", "[a]", "[b]"]


# --- nothing is waited for ------------------------------------------------------------------------------------------

def test_a_fifo_in_pools_d_is_an_error_that_names_it(preforkd: Start) -> None:
    base = tcp4()
    daemon = preforkd({"base": {"listen": base, "handler": "/bin/echo base"}})
    (daemon.config.parent / "pools.d").mkdir()
    os.mkfifo(daemon.config.parent / "pools.d/a.conf")
    started = time.monotonic()
    result = run_preforkd("-t", "-c", daemon.config)
    assert result.returncode == BAD_CONFIG and "pools.d/a.conf: it is a pipe" in result.stderr
    assert time.monotonic() - started < 3
    daemon.hup("reload refused")
    daemon.assert_problem("pools.d/a.conf: it is a pipe")
    assert request(base) == b"base\n"


def test_a_fifo_that_nobody_writes_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.conf")
    result = run_preforkd("-t", "-c", tmp_path / "p.conf")
    assert result.returncode == BAD_CONFIG and "from which nothing comes" in result.stderr


def test_a_user_look_up_that_hangs_ends(tmp_path: Path, own_mounts: Path, as_root: None) -> None:
    """Of -t, as of a reload. /etc/passwd is a FIFO in a mount namespace of its own."""
    os.mkfifo(tmp_path / "passwd")
    stand_in = with_own_mounts(tmp_path, f"mount --bind {shlex.quote(str(tmp_path / 'passwd'))} /etc/passwd")
    result = run_preforkd("-t", "-c", write_main(tmp_path, pool("a", tcp4())), binary=stand_in)
    assert result.returncode == BAD_CONFIG
    assert "took longer than 10 s" in result.stderr


def test_a_pipe_can_be_tested(tmp_path: Path) -> None:
    result = subprocess.run([str(BINARY), "-t", "-c", "/dev/stdin"], input=pool("a", tcp4()), capture_output=True,
                            text=True, timeout=20, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


# --- who may write them ---------------------------------------------------------------------------------------------

def test_files_that_others_may_write_are_warned_about(tmp_path: Path, as_root: None) -> None:
    main = write_main(tmp_path, pool("a", tcp4()))
    (tmp_path / "pools.d").mkdir()
    included = tmp_path / "pools.d/b.conf"
    included.write_text(pool("b", tcp4()))
    code, _, errors = dump(main)
    assert code == 0 and "warning" not in errors, errors
    for path in [main, included, tmp_path / "pools.d"]:
        before = path.stat().st_mode & 0o7777
        path.chmod(before | 0o002)
        code, _, errors = dump(main)
        assert code == 0 and f"warning: {path}: everybody may write it" in errors, errors
        path.chmod(before | 0o020)
        code, _, errors = dump(main)
        assert code == 0 and "warning" not in errors, "root's own group is root"
        os.chown(path, 0, 65534)
        assert f"warning: {path}: its group may write it" in dump(main)[2]
        path.chmod(before)
        os.chown(path, 65534, 0)
        assert f"warning: {path}: it belongs to uid 65534" in dump(main)[2]
        os.chown(path, 0, 0)


def test_an_ordinary_user_is_not_warned(tmp_path: Path) -> None:
    if AS_ROOT:
        pytest.skip("runs as root")
    main = write_main(tmp_path, pool("a", tcp4()))
    main.chmod(0o666)
    assert "warning" not in dump(main)[2]
