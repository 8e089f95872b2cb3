"""The configuration as it reaches the daemon and the handler: files, includes, quotes, what -T prints.

Kinds of mistakes are in tests/unit/test_config_*.c, the command line in test_command_line.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import AS_ROOT, POOL_USER, SLOW, Daemon, request, run_preforkd, slowness, tcp4, wait_until

Start = Callable[..., Daemon]
BAD_CONFIG = 78
USER = f"user = {POOL_USER}\n" if AS_ROOT else ""


def serve_raw(preforkd: Start, tmp_path: Path, text: str) -> Daemon:
    """A daemon with a file that is written here word for word."""
    path = tmp_path / "raw.conf"
    path.write_text(text)
    return preforkd(arguments=["-c", str(path)])


def include(daemon: Daemon, name: str, text: str) -> Path:
    directory = daemon.config.parent / "pools.d"
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path


# --- pools.d --------------------------------------------------------------------------------------------------------

def test_pools_of_included_files_come_and_go(preforkd: Start) -> None:
    base, more = tcp4(), tcp4()
    daemon = preforkd({"base": {"listen": base, "handler": "/bin/echo base"}})
    path = include(daemon, "more.conf", f"[more]\nlisten = {more}\nhandler = /bin/echo more\n{USER}")
    daemon.hup("reloaded")
    assert request(base) == b"base\n" and request(more) == b"more\n"
    path.unlink()
    daemon.hup("reloaded")
    wait_until(lambda: not daemon.workers("more"), "the end of the pool")
    assert request(base) == b"base\n"


def test_what_is_not_called_conf_is_not_read(preforkd: Start) -> None:
    daemon = preforkd({"base": {"listen": tcp4(), "handler": "/bin/cat"}})
    for name in ["README", "x.conf.dpkg-old", "x.conf~", ".hidden.conf"]:
        include(daemon, name, "nonsense\n")
    daemon.hup("reloaded")


def test_included_files_are_read_in_the_order_of_their_names(preforkd: Start) -> None:
    """So that it is always the same one of two that is told off."""
    daemon = preforkd({"base": {"listen": tcp4(), "handler": "/bin/cat"}})
    for name in ["20-b.conf", "10-a.conf"]:
        include(daemon, name, f"[same]\nlisten = {tcp4()}\nhandler = /bin/cat\n{USER}")
    daemon.hup("reload refused")
    assert [(Path(problem.file).name, problem.line) for problem in daemon.problems() if problem.line] == [("20-b.conf", 1)]


def test_every_problem_of_every_file_at_once(preforkd: Start) -> None:
    daemon = preforkd({"base": {"listen": tcp4(), "handler": "/bin/cat"}})
    include(daemon, "a.conf", f"[a]\nlisten = 127.0.0.1:99999\nhandler = /bin/cat\nmax_wokers = 3\n{USER}")
    include(daemon, "b.conf", f"[b]\nlisten = {tcp4()}\nhandler = /no/such/thing\nspare_timeout = 5 parsecs\n{USER}")
    daemon.pools["base"]["nice"] = 77
    daemon.hup("reload refused")
    line_of_nice = daemon.config.read_text().splitlines().index("nice = 77") + 1
    for place, words in [("pools.d/a.conf:2", "99999"), ("pools.d/a.conf:4", "max_workers"),
                         ("pools.d/b.conf:3", "/no/such/thing"), ("pools.d/b.conf:4", "parsecs"),
                         (f"preforkd.conf:{line_of_nice}", "nice")]:
        file, _, line = place.partition(":")
        assert any(problem.severity == "error" and problem.file.endswith(file) and problem.line == int(line)
                   and words in problem.text for problem in daemon.problems()), (place, daemon.problems())


# --- values that go through unchanged -------------------------------------------------------------------------------

AWKWARD = ["plain", "", "two words", " ; no comment", "# nor this", "a:b=c", "[section]", 'double "quotes"', "single 'quotes'",
           "back\\slash", "$HOME `id` $(id) *", "tab\there", "ünïcödé ☃", "end;", "x" * 3000]


def test_awkward_words_reach_the_handler_unchanged(preforkd: Start, program: Callable[[str], str]) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": [program("probe"), *AWKWARD]}})
    seen = [word.encode("latin-1").decode() for word in json.loads(request(address))["argv"]]
    assert seen[1:] == AWKWARD


def test_continuation_lines_and_quotes(preforkd: Start, tmp_path: Path, program: Callable[[str], str]) -> None:
    """As people write them: the line goes on where the next one is indented; quotes protect what would be a comment."""
    address = tcp4()
    serve_raw(preforkd, tmp_path, f"""; a comment
# another
[www]
listen = {address}
handler = {program('probe')} one
    "two ; three"
    'four # five' ; a comment at the end
    six\\ seven
{USER}
environment = A="first value"
    B=second "C=with ; semicolon"
[preforkd]
control =
""")
    report = json.loads(request(address))
    assert report["argv"][1:] == ["one", "two ; three", "four # five", "six seven"]
    assert {"A=first value", "B=second", "C=with ; semicolon"} <= set(report["environment"])


def test_the_environment_is_exact(preforkd: Start, program: Callable[[str], str]) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": program("probe"), "environment": ["A=1", "EMPTY=", "S=a b;c#d", "U=ö"]}})
    report = dict(entry.split("=", 1) for entry in json.loads(request(address))["environment"])
    user = {"HOME", "USER", "LOGNAME", "SHELL", "PATH"}
    peer = {"PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST"}
    assert set(report) == {"A", "EMPTY", "S", "U"} | user | peer
    assert (report["A"], report["EMPTY"], report["S"]) == ("1", "", "a b;c#d")
    assert report["U"].encode("latin-1").decode() == "ö"


@pytest.mark.parametrize("length", [190, 200, 4096, 100_000])
def test_long_lines_are_whole(preforkd: Start, tmp_path: Path, program: Callable[[str], str], length: int) -> None:
    """Values of any length on one line, as they are and through -T: a word of it, many words, and what is behind."""
    address = tcp4()
    long = ("ä b;#" * length)[:length]
    handler = ["a", long, *(f"w{number}" for number in range(length // 20)), "z"]
    path = tmp_path / "long.conf"
    path.write_text("[preforkd]\ncontrol =\n"  # else those of two processes have the same
                    f"[www]\nlisten = {address}\nhandler = {program('probe')} {shlex.join(handler)} ; the end\n"
                    f"environment = {shlex.quote(f'A={long}')} B='2'\n{USER}")
    dump = run_preforkd("-T", "-c", path)
    assert (dump.returncode, dump.stderr) == (0, "")
    for text in (path.read_text(), dump.stdout):
        daemon = serve_raw(preforkd, tmp_path, text)
        report = json.loads(request(address))
        assert [word.encode("latin-1").decode() for word in report["argv"]][1:] == handler
        environment = [entry.encode("latin-1").decode() for entry in report["environment"]]
        assert {f"A={long}", "B=2"} <= set(environment)
        daemon.stop()


def test_a_word_that_the_kernel_does_not_take_is_refused(tmp_path: Path) -> None:
    """Each request would fail at it."""
    most = 32 * os.sysconf("SC_PAGESIZE") - 1
    path = tmp_path / "long.conf"
    path.write_text(f"[www]\nlisten = {tcp4()}\nhandler = /bin/cat {'y' * most} {'y' * (most + 1)}\n"
                    f"environment = A={'x' * (most - 2)} B={'x' * 2_000_000}\n{USER}")
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    reason = f"the kernel takes at most {most} in an argument or variable"
    assert f"{path}:3: handler: word 3 has {most + 1} bytes; {reason}\n" in result.stderr
    assert f"{path}:4: environment: word 2 has 2000002 bytes; {reason}\n" in result.stderr
    assert result.stderr.count(reason) == 2, result.stderr


def test_long_names_are_unknown_names(tmp_path: Path) -> None:
    path = tmp_path / "long.conf"
    path.write_text(f"[{'p' * 300}]\nnice = 1\n[www]\nlisten = {tcp4()}\nhandler = /bin/cat\n{USER}{'k' * 300} = 1\n")
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert f":1: \"{'p' * 80}…\" is not a valid pool name" in result.stderr
    assert re.search(rf":\d: unknown key '{'k' * 80}…'\n", result.stderr), result.stderr


@pytest.mark.parametrize("text", [b"\xff\xfe[www]\n", b"[www]\nhandler = /bin/e\0cho\n", b"\0" * 100, b"[www\n", b"]\n", b"= x\n",
                                  b"[www]\r\nlisten = x\r\n", b"key = outside\n", b"[]\n", b"[a b]\nx\n", b"[" + b"x" * 500])
def test_rubbish_is_refused_with_its_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "rubbish.conf"
    path.write_bytes(text)
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG, result
    assert re.search(rf"{re.escape(str(path))}:\d+: \S", result.stderr), result.stderr


def test_a_directory_in_the_place_of_the_file(tmp_path: Path) -> None:
    result = run_preforkd("-t", "-c", tmp_path)
    assert result.returncode == BAD_CONFIG
    assert "Is a directory" in result.stderr


def test_an_endless_file_ends(tmp_path: Path) -> None:
    result = run_preforkd("-t", "-c", "/dev/zero")
    assert result.returncode == BAD_CONFIG
    assert "/dev/zero: the file has more than 16 MiB" in result.stderr


def test_a_file_that_may_not_be_read(preforkd: Start) -> None:
    """Of pools.d: silently serving less than was asked for would be worse than an error."""
    daemon = preforkd({"base": {"listen": tcp4(), "handler": "/bin/cat"}})
    directory = daemon.config.parent / "pools.d"
    directory.mkdir()
    (directory / "gone.conf").symlink_to(directory / "nowhere")
    daemon.hup("reload refused")
    daemon.assert_problem("pools.d/gone.conf: ", "No such file")


def test_a_large_environment_starts_at_once(preforkd: Start) -> None:
    """20,000 variables: nothing that is done with them takes their number squared (it was seconds for each worker)."""
    address = tcp4()
    variables = " ".join(f"V{number}={'x' * 20}" for number in range(20000))
    started = time.monotonic()
    preforkd({"www": {"listen": address, "handler": "/bin/sh -c '/usr/bin/env | /usr/bin/wc -l'",
                      "environment": variables}})
    assert int(request(address)) >= 20000
    assert time.monotonic() - started < 1.5 * SLOW * slowness()


# --- -T -------------------------------------------------------------------------------------------------------------

def test_what_T_prints_is_the_same_configuration(preforkd: Start, tmp_path: Path, program: Callable[[str], str]) -> None:
    """As text, and as what runs: a reload to it keeps every pool as it is."""
    addresses = [tcp4(), tcp4()]
    pools: dict[str, dict[str, Any]] = {
        "www": {"listen": addresses[0], "handler": [program("probe"), *AWKWARD], "environment": ["A=b c", "D=;#\"'\\"],
                "max_workers": 9, "umask": "027", "limit_core": "10M:20M", "spare_timeout": "90s", "directory": "/tmp"},
        "api": {"listen": f"{addresses[1]} {tmp_path}/api.sock", "handler": "/bin/cat", "scaling": "static", "max_workers": 3,
                "max_requests": 100, "max_requests_jitter": "33%", "when_full": "refuse"},
    }
    daemon = preforkd(pools, master={"log_level": "debug", "shutdown_timeout": "7s"}, control=True)
    control = control_of(daemon)
    first = run_preforkd("-T", "-c", daemon.config)
    assert first.returncode == 0 and not first.stderr, first.stderr
    again = tmp_path / "again.conf"
    again.write_text(first.stdout)
    second = run_preforkd("-T", "-c", again)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    workers = daemon.wait_workers(3, "api")
    daemon.config.write_text(first.stdout)
    names = [pool["name"] for pool in control.do("status")["pools"]]
    assert control.verbs("reload --dry-run") == {name: ("keep", []) for name in names}
    daemon.hup_only("reloaded")
    assert [pool["generation"] for pool in control.do("status")["pools"]] == [1] * len(names)
    assert daemon.workers("api") == workers
    seen = [word.encode("latin-1").decode() for word in json.loads(request(addresses[0]))["argv"]]
    assert seen[1:] == AWKWARD


def test_T_of_the_sample_file(tmp_path: Path) -> None:
    """Every option of the delivered file, uncommented or not, is one that -T knows."""
    sample = Path(__file__).resolve().parents[2] / "etc" / "preforkd.conf"
    text = sample.read_text()
    path = tmp_path / "sample.conf"
    path.write_text(text + f"\n[www]\nlisten = {tcp4()}\nhandler = /bin/cat\n{USER}"
                    if not re.search(r"^\[(?!preforkd)", text, re.MULTILINE) else text)
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 0, result.stderr


def test_the_one_line_form_and_its_dump_serve_the_same(preforkd: Start, tmp_path: Path, program: Callable[[str], str]) -> None:
    address = tcp4()
    arguments = ["--listen", address, "--umask=031", "--environment=A='b c' D=e"]
    arguments += [f"--user={POOL_USER}"] if AS_ROOT else []
    dump = run_preforkd(*arguments, "-T", "--", program("probe"), *AWKWARD)
    assert dump.returncode == 0, dump.stderr
    path = tmp_path / "dump.conf"
    path.write_text(dump.stdout)
    preforkd(arguments=["-c", str(path)])
    report = json.loads(request(address))
    assert [word.encode("latin-1").decode() for word in report["argv"]][1:] == AWKWARD
    assert report["umask"] == 0o031 and {"A=b c", "D=e"} <= set(report["environment"])
    assert report["cwd"] == os.getcwd()
