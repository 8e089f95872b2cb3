"""The touch stop of start_method = snapshot, without a daemon: a handler with tests/handlers/touch_object.c in it starts
once, stops at its first touch of the connection, and answers each client like one that was executed for it."""

from __future__ import annotations

import errno
import os
import platform
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import HANDLERS, SLOW
from forbidden import fail
from inetd_handlers import INETD_HANDLERS, LINE, PATH, InetdHandler, refused, script, without_descriptor, works
from programs import PYTHON

OBJECT = HANDLERS / "touch_object.so"
CONNECTIONS = 3

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="Syscall User Dispatch is there on x86-64 alone")


class Template:
    """A handler that was started once. What its object reports, line by line; and the socket that it serves."""

    def __init__(self, process: subprocess.Popen[bytes], listener: socket.socket, reports: int) -> None:
        self.process, self.listener, self.reports = process, listener, reports

    def report(self) -> str:
        """The next report; "" if it has ended without one."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.reports], [], [], 10 * SLOW)[0], "the handler has not stopped"
            byte = os.read(self.reports, 1)
            if not byte:
                break
            line += byte
        return line.decode().strip()

    def ask(self, data: bytes, half_close: bool = True) -> bytes:
        with socket.socket(self.listener.family) as client:
            client.settimeout(10 * SLOW)
            client.connect(self.listener.getsockname())
            return converse(client, data, half_close)


def converse(client: socket.socket, data: bytes, half_close: bool) -> bytes:
    """The answer. A handler that ends with data unread resets its connection."""
    answer = b""
    try:
        client.sendall(data)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        while chunk := client.recv(65536):
            answer += chunk
    except (ConnectionResetError, BrokenPipeError, OSError) as error:
        if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
            raise
    return answer


def listen(family: int, directory: Path) -> socket.socket:
    listener = socket.socket(family)
    listener.bind({socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}.get(family) or str(directory / "sock"))
    listener.listen(64)
    return listener


@contextmanager
def started(command: list[str], directory: Path, family: int = socket.AF_INET, stderr_too: bool = False,
            share: bool = False, **more: object) -> Iterator[Template]:
    """Run a handler with the object in it until the end of the block."""
    listener = listen(family, directory)
    reports, report_fd = os.pipe()
    environment = {"PATH": PATH, "LD_PRELOAD": str(OBJECT), "TOUCH_LISTEN_FD": f"{listener.fileno():03}",
                   "TOUCH_REPORT_FD": f"{report_fd:03}", "TOUCH_FAMILY": str(int(family)),
                   "TOUCH_STDERR": str(int(stderr_too)), "TOUCH_SHARE": str(int(share)),
                   **more.pop("env", {})}  # type: ignore[call-overload]
    process = subprocess.Popen(command, env=environment, pass_fds=[listener.fileno(), report_fd], cwd=directory,
                               stdin=subprocess.DEVNULL, start_new_session=True, **more)  # type: ignore[call-overload]
    os.close(report_fd)
    try:
        yield Template(process, listener, reports)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        os.close(reports)
        listener.close()


def executed(row: InetdHandler, directory: Path) -> bytes:
    """What it answers if it is executed for the connection."""
    command, environment = row.command(directory), {"PATH": PATH, **row.variables(directory)}
    with listen(socket.AF_INET, directory) as listener, socket.create_connection(listener.getsockname()) as client:
        connection = listener.accept()[0]
        client.settimeout(10 * SLOW)
        process = subprocess.Popen(command, env=environment, cwd=directory, stdin=connection, stdout=connection)
        connection.close()
        answer = converse(client, row.sends, row.half_close)
    process.wait(10 * SLOW)
    return answer


def skip_if_missing(row: InetdHandler) -> None:
    if row.missing():
        pytest.skip(f"needs {row.missing()}")
    assert OBJECT.exists(), f"{OBJECT} is missing: build first (./check does)"


@pytest.mark.parametrize("row", INETD_HANDLERS, ids=lambda row: row.name)
def test_the_answer_of_a_program_that_is_executed(row: InetdHandler, tmp_path: Path) -> None:
    """The table itself."""
    skip_if_missing(row)
    answer = executed(row, tmp_path)
    assert row.is_answer(answer), answer


@pytest.mark.parametrize("row", works(), ids=lambda row: row.name)
def test_a_forked_copy_answers_the_same(row: InetdHandler, tmp_path: Path) -> None:
    skip_if_missing(row)
    with started(row.command(tmp_path), tmp_path, env=row.variables(tmp_path)) as template:
        assert template.report() == "stopped"
        for _ in range(CONNECTIONS):
            answer = template.ask(row.sends, row.half_close)
            assert row.is_answer(answer), answer


@pytest.mark.parametrize("row", works(), ids=lambda row: row.name)
def test_a_copy_that_shares_the_memory_answers_the_same(row: InetdHandler, tmp_path: Path) -> None:
    """It goes on by the frame of the signal, from a stack of its own."""
    skip_if_missing(row)
    with started(row.command(tmp_path), tmp_path, env=row.variables(tmp_path), share=True) as template:
        assert template.report() == "stopped"
        answer = template.ask(row.sends, row.half_close)
        assert row.is_answer(answer), answer


@pytest.mark.parametrize("row", refused(), ids=lambda row: row.name)
def test_what_cannot_be_copied_is_refused_by_name(row: InetdHandler, tmp_path: Path) -> None:
    skip_if_missing(row)
    with started(row.command(tmp_path), tmp_path, env=row.variables(tmp_path)) as template:
        assert without_descriptor(template.report()) == row.refusal


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX], ids=["tcp4", "tcp6", "unix"])
def test_the_connection_is_the_listeners(family: int, tmp_path: Path) -> None:
    """Its family and its peer are seen; and before there is one, a child sees a stand-in of the same family."""
    row = script("family", PYTHON, """
import socket, subprocess, sys
ask = "import socket; s = socket.socket(fileno=0); s.getpeername(); print(int(s.family), end='')"
before = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
connection = socket.socket(fileno=0)
connection.getpeername()
connection.sendall(("%s %d" % (before.stdout, connection.family)).encode())
""", b"")
    with started(row.command(tmp_path), tmp_path, family) as template:
        assert template.report() == "stopped"
        for _ in range(CONNECTIONS):
            assert template.ask(b"") == b"%d %d" % (family, family)


@pytest.mark.parametrize("stderr_too", [False, True], ids=["stderr-apart", "stderr-too"])
def test_stderr_may_be_the_connection(stderr_too: bool, tmp_path: Path) -> None:
    command = ["perl", "-e", '$| = 1; print STDERR "to stderr\\n"; print scalar <STDIN>']
    with started(command, tmp_path, stderr_too=stderr_too, stderr=subprocess.PIPE) as template:
        assert template.report() == "stopped"
        assert template.process.stderr is not None
        with template.process.stderr:
            assert stderr_too or template.process.stderr.readline() == b"to stderr\n"
        for _ in range(CONNECTIONS):
            assert template.ask(LINE) == (b"to stderr\n" if stderr_too else b"") + LINE


def test_it_starts_once(tmp_path: Path) -> None:
    """Before there is a client."""
    row = script("once", PYTHON, """
import sys
with open("starts", "a") as file:
    file.write("x")
print("served", sys.stdin.readline(), end="")
""", b"")
    with started(row.command(tmp_path), tmp_path) as template:
        assert template.report() == "stopped"
        assert (tmp_path / "starts").read_text() == "x"
        for _ in range(CONNECTIONS):
            assert template.ask(LINE) == b"served " + LINE
        assert (tmp_path / "starts").read_text() == "x"


def test_copies_do_not_see_each_other(tmp_path: Path) -> None:
    """What one reads from a file is nothing to the next."""
    command = script("apart", "perl", """
$| = 1; open(my $file, "<", "lines") or die; my $line = <STDIN>; chomp $line;
my ($first, $rest); sysread($file, $first, 4); sysread($file, $rest, 99); print "$first $line $rest";
""", b"").command(tmp_path)
    with started(command, tmp_path) as template:
        assert template.report() == "stopped"
        for _ in range(CONNECTIONS):
            assert template.ask(LINE) == b"aabb some words ccdd\n"


@pytest.mark.parametrize("name, program", [("env", "perl"), ("wrapper", "perl"), ("wrapper-search", "cat"),
                                           ("wrapper-static", "dash"), ("wrapper-setuid", "dash")])
def test_where_a_wrapper_stops(name: str, program: str, tmp_path: Path) -> None:
    """In the program that it executes, if the object can be loaded into that one; else before the exec."""
    row = next(row for row in INETD_HANDLERS if row.name == name)
    if Path("/bin/sh").resolve().name != "dash":
        pytest.skip("/bin/sh is not dash")
    with started(row.command(tmp_path), tmp_path) as template:
        assert template.report() == "stopped"
        assert Path(f"/proc/{template.process.pid}/exe").resolve().name.startswith(program)


def test_a_kernel_without_dispatch(tmp_path: Path) -> None:
    with started(["/bin/cat"], tmp_path, preexec_fn=fail(errno.EINVAL, "prctl")) as template:
        assert template.report() == "no dispatch"


def test_without_proc(tmp_path: Path, as_root: None) -> None:
    """In a root directory that has none, a program can be copied if it has no file open."""
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec env LD_PRELOAD="$OBJECT" "$@"', "sh"]
    for command, report in ((["/bin/cat"], "stopped"),
                            (["perl", "-e", 'open(F, "<", "/etc/passwd"); print scalar <STDIN>'],
                             "it has a file open that cannot be opened again")):
        with started(hide + command, tmp_path, env={"LD_PRELOAD": "", "OBJECT": str(OBJECT)}) as template:
            assert without_descriptor(template.report()) == report
            if report == "stopped":
                assert template.ask(LINE) == LINE


def test_a_signal_of_others_is_the_programs_own(tmp_path: Path) -> None:
    """SIGSYS that somebody sends during the start-up ends a program that has no handler for it."""
    with started(["/bin/sh", "-c", "kill -SYS $$; cat"], tmp_path) as template:
        assert template.report() == ""
        assert template.process.wait(10 * SLOW) == -signal.SIGSYS
