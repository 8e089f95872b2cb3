"""The real daemon under test, its clients, and how to wait for things.

Nothing here sleeps for luck: whoever waits names a condition and a deadline (`wait_until`), and deadlines stretch with
`PREFORKD_TEST_SLOW` for sanitizers and valgrind. Everything is safe to run in parallel, with other test runs on the
same machine included.

    def test_echo(preforkd):
        address = tcp4()
        daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
        assert request(address, b"hello") == b"hello"
        daemon.hup()
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import os
import random
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from messages import (copies_pattern, DEATH, LIFE, PROBLEM, message_pattern, said_pattern, told_pattern, total_pattern,
                      without_stamps)

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("PREFORKD", ROOT / "build-check/src/bin/preforkd")).resolve()
HANDLERS = BINARY.parents[2] / "tests/handlers"
SLOW = float(os.environ.get("PREFORKD_TEST_SLOW", "1"))
# How programs on stdin and stdout are started where a test does not say: what holds for one way holds for all.
START_METHOD = os.environ.get("PREFORKD_TEST_START_METHOD", "")
# The same for programs that accept themselves and are watched by the preloaded object, which can only be "snapshot".
LISTENER_METHOD = START_METHOD if START_METHOD == "snapshot" else ""
AS_ROOT = os.geteuid() == 0
# Whom pools serve as where the master is root and the test does not care.
POOL_USER = "nobody"

Value = str | int | bool | Path | Sequence[str] | None
Pools = Mapping[str, Mapping[str, Value]]
T = TypeVar("T")

# Whatever a sanitizer or an assertion says is a failure, in whichever process it was said.
OUR_BUG = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed"
                     r"|stack smashing detected|double free|buffer overflow detected")


# --- waiting --------------------------------------------------------------------------------------------------------

class Timeout(AssertionError):
    """Something did not happen in time."""


def wait_until(condition: Callable[[], T], what: str, timeout: float = 10.0) -> T:
    """Return the first true result of `condition`; fail, naming `what`, if there is none in time."""
    give_up = time.monotonic() + timeout * SLOW
    pause = 0.001
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > give_up:
            raise Timeout(f"{what}: not within {timeout * SLOW:g} s (last seen: {result!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def slowness() -> float:
    """How much longer than on an idle machine it takes just now to execute a program; at least 1. For limits of time that
    a fault would exceed many times."""
    begun = time.monotonic()
    for _ in range(20):
        subprocess.run(["/bin/true"], check=True)
    return max(1.0, (time.monotonic() - begun) / 20 / 0.003)


def stays(condition: Callable[[], T], what: str, duration: float) -> None:
    """Fail as soon as `condition` is false within `duration`: for what must *not* happen."""
    end = time.monotonic() + duration
    while time.monotonic() < end:
        assert condition(), what
        time.sleep(0.02)


# --- processes ------------------------------------------------------------------------------------------------------

def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it: what a daemon leaves behind cannot hide with init."""
    pr_set_child_subreaper = 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name (state first, parent second); None if there is no such process."""
    # By the bare calls: a test looks at every process of the machine many times, and Path takes three times as long.
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, 4096).rpartition(b")")[2].decode().split()
    except OSError:
        return None
    finally:
        os.close(fd)


def listed_children(pid: int) -> list[int] | None:
    """As the kernel lists them; None for a process with threads, each of which has a list, or without such lists. The kernel
    leaves some out if one ends meanwhile: two lists that agree have all."""
    seen = None
    try:
        while os.listdir(f"/proc/{pid}/task") == [str(pid)]:
            with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
                listed = file.read(1 << 16)
            if listed == seen:
                return [int(child) for child in listed.split()]
            seen = listed
    except OSError:  # it has ended, or this kernel has no such lists
        pass
    return None


def children(pid: int) -> list[int]:
    """The live children of a process, zombies left out."""
    found = []
    listed = listed_children(pid)
    for child in listed if listed is not None else [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]:
        fields = stat_fields(child)
        if fields and int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(child)
    return sorted(found)


def has_children() -> bool:
    """Whether this process has any child, dead ones included: one call where children() looks at every process."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def descendants(pid: int) -> list[int]:
    """Everything below a process."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    """True while a process runs; a zombie does not."""
    fields = stat_fields(pid)
    return fields is not None and fields[0] not in "ZX"


def kill_worker(pid: int) -> None:
    """Kill a worker, and see the end of the copy that waits for its next connection: until it has run once more, a process
    that was killed in accept(2) may take a connection with it."""
    below = descendants(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(alive(process) for process in (pid, *below)), "the end of a worker and its copy")


def title(pid: int) -> str:
    """What ps shows of a process; empty for one that is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    # A title set by setproctitle() ends at the first NUL; what follows is left of the arguments.
    return (words[0] if words[0].startswith(b"preforkd: ") else b" ".join(words)).decode(errors="replace").strip()


def has_started(pid: int) -> bool:
    """True of a worker that has reported ready: it has handlers for its signals, and waits."""
    try:
        return (not int(status_value(pid, "SigBlk"), 16) & 1 << signal.SIGTERM - 1
                and status_value(pid, "State").startswith("S"))
    except OSError:
        return False


def status_value(pid: int, key: str) -> str:
    """One value of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    raise KeyError(key)


def context_switches(pid: int) -> int:
    """How often a process was switched to since its start."""
    return int(status_value(pid, "voluntary_ctxt_switches")) + int(status_value(pid, "nonvoluntary_ctxt_switches"))


def is_sanitized(pid: int) -> bool:
    """True under AddressSanitizer, which keeps what was freed for a while: figures of memory say little then."""
    return "libasan" in Path(f"/proc/{pid}/maps").read_text()


def open_descriptors(pid: int) -> dict[int, str]:
    """What a process has open: number → what it is. Nothing if it has ended."""
    found = {}
    try:
        entries = os.listdir(f"/proc/{pid}/fd")
    except FileNotFoundError:
        return {}
    for entry in entries:
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            pass  # closed meanwhile
    return found


def kind_of_descriptor(target: str) -> str:
    """`socket:[4711]` → `socket`: what can be compared between two moments."""
    target = re.sub(r" \(deleted\)$", "", target)
    return re.sub(r":\[\d+\]$", "", target)


# --- addresses ------------------------------------------------------------------------------------------------------

# A port that was handed out stays ours for the life of this process: an abstract socket of that name, which every test
# run on the machine sees, whoever runs it, and which the kernel removes with us.
_claims: list[socket.socket] = []


def _claim(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0preforkd-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def claimed_ports() -> int:
    """How many descriptors of this process are claims, which stay."""
    return len(_claims)


def _is_free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return False
    return True


def free_port() -> int:
    """A TCP port nobody uses, below those the kernel gives to outgoing connections."""
    for _ in range(10000):
        port = random.randint(10240, 32000)
        if _claim(port) and _is_free(port):
            return port
    raise AssertionError("no free port")


def tcp4(port: int | None = None) -> str:
    return f"127.0.0.1:{port or free_port()}"


def tcp6(port: int | None = None) -> str:
    return f"[::1]:{port or free_port()}"


def abstract() -> str:
    return f"@preforkd-test-{os.getpid()}-{random.getrandbits(48):x}"


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def have_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def endpoint(address: str) -> tuple[socket.AddressFamily, Any]:
    """A listen address as preforkd.conf writes it, as Python's sockets want it."""
    if address.startswith("/"):
        return socket.AF_UNIX, address
    if address.startswith("@"):
        return socket.AF_UNIX, "\0" + address[1:]
    host, _, port = address.rpartition(":")
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, ("127.0.0.1" if host in ("*", "localhost") else host, int(port))


def listener_inode(address: str) -> int:
    """The inode of the socket that listens there: another one if it was opened anew."""
    family, target = endpoint(address)
    if family == socket.AF_UNIX:
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
        [inode] = [row[6] for row in rows if row[7:] == [address] and int(row[3], 16) & 0x10000]  # __SO_ACCEPTCON
    else:
        table = Path("/proc/net/tcp" if family == socket.AF_INET else "/proc/net/tcp6")
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        [inode] = [row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == target[1]]
    return int(inode)


# --- clients --------------------------------------------------------------------------------------------------------

def connect(address: str, timeout: float = 10.0) -> socket.socket:
    """A connected socket, for conversations; close it (`with connect(…) as client`)."""
    family, target = endpoint(address)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(timeout * SLOW)
    try:
        client.connect(target)
    except BaseException:
        client.close()
        raise
    return client


def read_all(client: socket.socket) -> bytes:
    """Everything until the other side ends."""
    chunks = []
    while chunk := client.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def refuses(address: str) -> bool:
    """True if nobody listens there. A listener that is being drained does not answer at all: that is a no."""
    try:
        connect(address, 2).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except TimeoutError:
        return False
    return False


@dataclass
class Reply:
    """How one client of a burst fared."""

    data: bytes = b""
    error: OSError | None = None
    seconds: float = 0.0  # from the start of its connect to the end of its reply


@dataclass
class _Client:
    address: str
    to_send: memoryview
    reply: Reply
    socket: socket.socket | None = None
    received: bytearray = field(default_factory=bytearray)


class _Exchange:
    """Many clients at once in one thread: connect, send, half-close, read to the end.

    Threads would cost more than the daemon under test, and sending everything before reading anything would lock up
    with a handler that echoes.
    """

    def __init__(self, clients: list[_Client], half_close: bool) -> None:
        self.selector = selectors.DefaultSelector()
        self.start = time.monotonic()
        self.half_close = half_close
        self.unconnected = list(clients)
        self.open = len(clients)

    def run(self, timeout: float) -> None:
        give_up = self.start + timeout * SLOW
        with self.selector:
            while self.open:
                self.unconnected = [client for client in self.unconnected if not self.connect(client)]
                wait = 0.002 if self.unconnected else max(give_up - time.monotonic(), 0)
                for key, events in self.selector.select(wait):
                    self.advance(key.data, events)
                if time.monotonic() > give_up:
                    self.give_up()

    def give_up(self) -> None:
        late = [key.data for key in list(self.selector.get_map().values())] + self.unconnected
        for client in late:
            self.finish(client, TimeoutError(errno.ETIMEDOUT, "no whole reply in time"))
        self.unconnected = []

    def connect(self, client: _Client) -> bool:
        """Begin to connect. False: a UNIX socket's queue is full, to be tried again."""
        family, target = endpoint(client.address)
        client.socket = socket.socket(family, socket.SOCK_STREAM)
        client.socket.setblocking(False)
        result = client.socket.connect_ex(target)
        if result == errno.EAGAIN:
            client.socket.close()
            client.socket = None
            return False
        if result not in (0, errno.EINPROGRESS):
            self.finish(client, OSError(result, os.strerror(result)))
            return True
        self.selector.register(client.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        return True

    def advance(self, client: _Client, events: int) -> None:
        assert client.socket
        try:
            if events & selectors.EVENT_WRITE:
                self.send(client)
            if events & selectors.EVENT_READ:
                chunk = client.socket.recv(65536)
                client.received += chunk
                if not chunk:
                    self.finish(client, None)
        except BlockingIOError:
            pass
        except OSError as error:
            self.finish(client, error)

    def send(self, client: _Client) -> None:
        assert client.socket
        if client.to_send:
            sent = client.socket.send(client.to_send)
            client.to_send = client.to_send[sent:]
        if not client.to_send:
            if self.half_close:
                client.socket.shutdown(socket.SHUT_WR)
            self.selector.modify(client.socket, selectors.EVENT_READ, client)

    def finish(self, client: _Client, error: OSError | None) -> None:
        if client.socket:
            if client.socket in self.selector.get_map():
                self.selector.unregister(client.socket)
            client.socket.close()
        client.reply.data = bytes(client.received)
        client.reply.error = error
        client.reply.seconds = time.monotonic() - self.start
        self.open -= 1


def exchange(addresses: Sequence[str], data: bytes = b"", timeout: float = 20.0,
             half_close: bool = True) -> list[Reply]:
    """One client to each address, all at once; every one sends `data` and reads to the end of its reply."""
    clients = [_Client(address, memoryview(data), Reply()) for address in addresses]
    _Exchange(clients, half_close).run(timeout)
    return [client.reply for client in clients]


def burst(address: str, count: int, data: bytes = b"", timeout: float = 20.0) -> list[Reply]:
    """`count` clients at once."""
    return exchange([address] * count, data, timeout)


def request(address: str, data: bytes = b"", timeout: float = 20.0, half_close: bool = True) -> bytes:
    """One client; its whole reply, or the error it met."""
    reply = exchange([address], data, timeout, half_close)[0]
    if reply.error:
        raise reply.error
    return reply.data


# --- configuration --------------------------------------------------------------------------------------------------

def format_value(value: Value) -> str:
    """A Python value as preforkd.conf writes it; a list becomes quoted words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, (str, int, Path)):
        return str(value)
    # Addresses need no quotes, and should be seen as people write them.
    words = [word if re.fullmatch(r"[\w@%+=:,./\[\]*-]+", word) else shlex.quote(word) for word in value]
    return " ".join(words)


def format_config(pools: Pools, master: Mapping[str, Value] | None = None) -> str:
    """A configuration file. A root master's pools get a `user` where they have none; `None` leaves a key out."""
    # Daemons under test run side by side: none takes the place of the machine's own control socket.
    settings: dict[str, Value] = {"shutdown_timeout": f"{int(10 * SLOW)}s", "control": "", **(master or {})}
    lines = ["[preforkd]", *(f"{key} = {format_value(value)}" for key, value in settings.items()
                             if value is not None)]
    for name, options in pools.items():
        lines += ["", f"[{name}]"]
        if START_METHOD and options.get("handler_type", "inetd") == "inetd" and "start_method" not in options:
            lines.append(f"start_method = {START_METHOD}")
        if (LISTENER_METHOD and options.get("handler_type") == "listener" and "start_method" not in options
                and options.get("accounting", "preload") == "preload"):
            lines.append(f"start_method = {LISTENER_METHOD}")
        if AS_ROOT and "user" not in options:
            lines.append(f"user = {POOL_USER}")
        lines += [f"{key} = {format_value(value)}" for key, value in options.items() if value is not None]
    return "\n".join(lines) + "\n"


def user_arguments() -> list[str]:
    """What the one-line form needs besides as root."""
    return [f"--user={POOL_USER}"] if AS_ROOT else []


def handler(name: str, directory: Path) -> str:
    """A program of tests/handlers/, copied to where every user can execute it: the checkout may be in a closed home."""
    target = directory / f"handler_{name}"
    if not target.exists():
        source = HANDLERS / f"handler_{name}"
        assert source.exists(), f"{source} is missing: build first (./check does)"
        shutil.copy(source, target)
        target.chmod(0o755)
    return str(target)


def binary_for_everybody(directory: Path) -> Path:
    """A copy of preforkd that every user can execute: for tests that start it as another user."""
    target = directory / "preforkd"
    shutil.copy(BINARY, target)
    target.chmod(0o755)
    return target


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what a service manager may have put there."""
    dropped = re.compile(r"NOTIFY_SOCKET|LISTEN_|WATCHDOG_|JOURNAL_STREAM|INVOCATION_ID|MANAGERPID")
    preload = {"PREFORKD_PRELOAD": str(preload_file())} if START_METHOD else {}
    return {**{key: value for key, value in os.environ.items() if not dropped.match(key)}, **preload, **more}


def preload_file() -> Path:
    """The object as it was built, where every user can read it."""
    source = BINARY.parents[2] / "src/preload/preforkd-preload.so"
    target = Path(tempfile.gettempdir()) / f"preforkd-preload-{os.getpid()}.so"
    if not target.exists():
        shutil.copy(source, target)
        target.chmod(0o755)
        atexit.register(target.unlink, missing_ok=True)
    return target


def status_object() -> dict[str, str]:
    """The object that serves the status, where every user can read it."""
    source = BINARY.parents[2] / "src/web/preforkd-status.so"
    target = Path(tempfile.gettempdir()) / f"preforkd-status-{os.getpid()}.so"
    if not target.exists():
        shutil.copy(source, target)
        target.chmod(0o755)
        atexit.register(target.unlink, missing_ok=True)
    return {"PREFORKD_STATUS": str(target)}


def preload_object(directory: Path) -> dict[str, str]:
    """The object that is loaded into programs that accept themselves, where every user can read it."""
    target = directory / "preforkd-preload.so"
    source = BINARY.parents[2] / "src/preload/preforkd-preload.so"
    if source.exists() and not target.exists():
        shutil.copy(source, target)
        target.chmod(0o755)
    return {"PREFORKD_PRELOAD": str(target)}


def maps_scoreboard(pid: int, pool: str) -> bool:
    """A worker of that pool, or a copy of its handler that waits for a connection; one that serves has none. Only root can
    look into them; others see them by the signals that they block."""
    try:
        return f"/memfd:preforkd:{pool}" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except PermissionError:
        return blocks_signal(pid, signal.SIGSEGV)
    except OSError:
        return False


def blocks_signal(pid: int, number: int) -> bool:
    try:
        return bool(int(status_value(pid, "SigBlk"), 16) & 1 << number - 1)
    except OSError:
        return False


def handlers_of(worker: int) -> list[int]:
    """The processes that serve for a worker."""
    return [pid for pid in children(worker) if not maps_scoreboard(pid, "")]


def run_preforkd(*arguments: str | Path, timeout: float = 20.0, binary: Path = BINARY,
                 **options: Any) -> subprocess.CompletedProcess[str]:
    """Run preforkd to its end: for what does not serve."""
    assert binary.exists(), f"{binary} is missing: build first (./check does)"
    options.setdefault("env", clean_environment())
    result = subprocess.run([str(binary), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=timeout * SLOW, check=False, **options)
    assert not OUR_BUG.search(result.stderr), result.stderr
    return result


def with_own_mounts(directory: Path, *commands: str) -> Path:
    """A stand-in for preforkd that runs it in a mount namespace of its own, after these shell commands. Needs root."""
    target = directory / "preforkd-with-own-mounts"
    inner = " && ".join([*commands, f'exec {shlex.quote(str(BINARY))} "$@"'])
    target.write_text("#!/bin/sh\n"
                      f'exec unshare --mount --propagation private sh -c {shlex.quote(inner)} sh "$@"\n')
    target.chmod(0o755)
    return target


def in_mounts_of(daemon: Daemon, *command: str) -> None:
    """Run a command where a daemon sees its files."""
    subprocess.run(["nsenter", f"--target={daemon.pid}", "--mount", *command], check=True, timeout=20 * SLOW)


# --- the daemon -----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Problem:
    """What is wrong with a configuration; its place, as far as it has one (line 0: none)."""

    severity: str
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Life:
    """A worker was forked, or retired, and why: see Daemon.lives()."""

    what: str
    worker: int
    reason: str


class Daemon:
    """One running preforkd with its configuration file and its log. Made by the fixture `preforkd`."""

    def __init__(self, directory: Path, pools: Pools | None = None, master: Mapping[str, Value] | None = None,
                 arguments: Sequence[str] = (), popen: Mapping[str, Any] | None = None, binary: Path = BINARY,
                 stderr: int | None = None, control: bool = False) -> None:
        self.directory = directory
        self.config = directory / "preforkd.conf"
        self.log_path = directory / "log"
        self.pools: dict[str, dict[str, Value]] = {name: dict(options) for name, options in (pools or {}).items()}
        self.master = {**({"control": directory / "control.sock"} if control else {}), **(master or {})}
        if pools is not None:
            self.write_config()
            arguments = ["-c", str(self.config), *arguments]
        assert binary.exists(), f"{binary} is missing: build first (./check does)"
        self.arguments = [str(binary), *arguments]
        self.log_file: IO[bytes] = open(self.log_path, "ab")
        settings: dict[str, Any] = {"env": clean_environment(**preload_object(directory)), "start_new_session": True,
                                    **(popen or {})}
        if START_METHOD:
            settings["env"] = {**preload_object(directory), **settings["env"]}
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self.log_file,
                                        stderr=self.log_file if stderr is None else stderr, **settings)
        self.descriptors_at_start: Counter[str] | None = None
        self.layout_at_start: Any = None
        self.may_leak = False  # set by a test that ends with other descriptors on purpose
        self.may_smash = False  # set by a test whose module destroys its worker's memory

    # configuration

    def write_config(self) -> None:
        """Write `pools` and `master` to the file; readers never see half of it."""
        scratch = self.config.with_suffix(".new")
        scratch.write_text(format_config(self.pools, self.master))
        scratch.replace(self.config)

    def write_raw_config(self, text: str) -> None:
        self.config.write_text(text)

    def hup(self, wait: str | None = "either", timeout: float = 10.0) -> None:
        """Write the configuration, reload, and wait for the outcome: "reloaded", "reload refused", either, or for none."""
        self.write_config()
        self.hup_only(wait, timeout)

    def hup_only(self, wait: str | None = "either", timeout: float = 10.0) -> None:
        """Reload what the file has now, and wait."""
        mark = self.log_mark()
        self.send_signal(signal.SIGHUP)
        kinds = ("reloaded", "reload refused") if wait == "either" else (wait,) if wait else ()
        if kinds:
            wait_until(lambda: any(self.find_message(kind, after=mark) for kind in kinds), f"a reload: {wait}", timeout)

    # processes

    @property
    def pid(self) -> int:
        """The master."""
        return self.process.pid

    def send_signal(self, number: int) -> None:
        assert self.running(), f"preforkd has ended with status {self.process.returncode}\n{self.log()}"
        os.kill(self.pid, number)

    def running(self) -> bool:
        return self.process.poll() is None

    def workers(self, pool: str = "www") -> list[int]:
        """The pids of a pool's workers: as ps would show them, or those that have executed their handler and stopped it. One
        that is about to end has no title any more, before it is not alive()."""
        return [pid for pid in children(self.pid)
                if title(pid) == f"preforkd: worker {pool}" or (START_METHOD and maps_scoreboard(pid, f"{pool} ("))]

    def wait_workers(self, count: int, pool: str = "www", timeout: float = 10.0, ready: bool = True,
                     without: Iterable[int] = ()) -> list[int]:
        """Wait until a pool has so many workers, none of them one of `without`, and all of them have started
        (`ready=False`: as soon as they exist)."""
        former = set(without)
        found: list[int] = []

        def as_many() -> bool:
            found[:] = self.workers(pool)
            return len(found) == count and not former & set(found) and (not ready or all(map(has_started, found)))

        try:
            wait_until(as_many, f"{count} workers of pool {pool}", timeout)
        except Timeout as late:
            raise Timeout(f"{late}; there are {len(found)}") from None
        return found

    def wait_asleep(self, seconds: float = 1.0, timeout: float = 20.0) -> None:
        """Wait until the master has slept for so long without waking: there is no moment from which on it must, but one that
        has a tick never does."""
        def sleeps() -> bool:
            before = context_switches(self.pid)
            time.sleep(seconds)
            return context_switches(self.pid) == before

        wait_until(sleeps, f"{seconds:g} seconds of sleep", timeout)

    # log

    @property
    def record_path(self) -> Path:
        """Where records are: in a log file, or among what was written to stderr."""
        target = str(self.master.get("log_target") or "")
        return Path(target.removeprefix("file:")) if target.startswith("file:") else self.log_path

    def log(self) -> str:
        """All records so far, without the time of each line; on stderr also what preforkd's children wrote. Whole lines:
        the last one may be half written."""
        text = self.read(self.record_path)
        return text[:text.rfind("\n") + 1]

    def stderr(self) -> str:
        """Everything preforkd and what it runs wrote to stderr so far, without times."""
        return self.read(self.log_path)

    @staticmethod
    def read(path: Path) -> str:
        if path.exists() and not path.is_file():
            return ""  # a FIFO, which would never end
        try:
            return without_stamps(path.read_text(errors="replace"))
        except FileNotFoundError:
            return ""  # there is none yet, or the test is over and its directory removed

    def log_mark(self) -> int:
        """Where the log ends now; for `after=`."""
        return len(self.log())

    def find_log(self, pattern: str, after: int = 0) -> re.Match[str] | None:
        return re.search(pattern, self.log()[after:], re.MULTILINE)

    def wait_log(self, pattern: str, timeout: float = 10.0, after: int = 0) -> re.Match[str]:
        """Wait for a line; `^` and `$` are line ends."""
        return wait_until(lambda: self.find_log(pattern, after), f"/{pattern}/ in the log", timeout)

    def messages(self, kind: str, pool: str | None = None, worker: int | None = None,
                 after: int = 0) -> list[re.Match[str]]:
        """The records of a kind that has a MESSAGE_ID, see messages.py; of any pool or worker, or of one."""
        return list(re.finditer(message_pattern(kind, pool, worker), self.log()[after:], re.MULTILINE))

    def find_message(self, kind: str, pool: str | None = None, after: int = 0,
                     worker: int | None = None) -> re.Match[str] | None:
        """The first such record."""
        return next(iter(self.messages(kind, pool, worker, after)), None)

    def wait_message(self, kind: str, pool: str | None = None, timeout: float = 10.0, after: int = 0,
                     worker: int | None = None) -> re.Match[str]:
        """Wait for such a record."""
        return wait_until(lambda: self.find_message(kind, pool, after, worker), f"a record of the kind \"{kind}\"", timeout)

    def wait_messages(self, count: int, kind: str, pool: str | None = None, timeout: float = 10.0,
                      after: int = 0, worker: int | None = None) -> list[re.Match[str]]:
        """Wait for so many of them."""
        return wait_until(lambda: (found := self.messages(kind, pool, worker, after)) and len(found) >= count and found,
                          f"{count} records of the kind \"{kind}\"", timeout)

    def assert_none(self, kinds: Iterable[str], pool: str | None = None, after: int = 0) -> None:
        """No record of these kinds."""
        for kind in kinds:
            found = self.find_message(kind, pool, after)
            assert not found, f"a record of the kind \"{kind}\": {found[0]}" if found else ""

    def assert_quiet(self, pool: str | None = None, after: int = 0) -> None:
        """No worker has died or hung, and nothing backs off."""
        self.assert_none(["worker died", "worker stuck", "backing off"], pool, after)

    def lives(self, pool: str = "www", after: int = 0) -> list[Life]:
        """Which workers were forked and retired, in that order, and why. Needs log_level = debug; unlike a look at /proc it
        misses nothing."""
        assert self.master.get("log_level") == "debug"
        return [Life(match["what"], int(match["worker"]), match["reason"])
                for match in re.finditer(LIFE, self.log()[after:], re.MULTILINE) if match["pool"] == pool]

    def reported(self, label: str, pool: str = "www") -> int:
        """One total of a pool, as the report on SIGUSR1 has it."""
        mark = self.log_mark()
        self.send_signal(signal.SIGUSR1)
        return int(wait_until(lambda: self.find_log(total_pattern(label, pool), mark), f"{label} in the report")[1])

    def deaths(self) -> list[str]:
        """What each worker that was killed was doing: "serving", "idle" …, which no counter says."""
        return [match["doing"] for match in re.finditer(DEATH, self.log(), re.MULTILINE)]

    def problems(self, after: int = 0) -> list[Problem]:
        """What was wrong with a configuration, as a start reports it, which has nobody else to tell. Of a reload, ask the
        control socket."""
        return [Problem(match["severity"], match["file"] or "", int(match["line"] or 0), match["text"])
                for match in re.finditer(PROBLEM, self.log()[after:], re.MULTILINE)]

    def assert_problem(self, *words: str, line: int | None = None, after: int = 0) -> None:
        """One of them has these words, in its text or the name of its file, and that line."""
        found = self.problems(after)
        assert any(all(word in f"{problem.file}: {problem.text}" for word in words) and line in (None, problem.line)
                   for problem in found), (words, line, found)

    def said(self, words: str, pool: str | None = None, worker: int | None = None, after: int = 0) -> int:
        """How many lines of these very words a worker or its handler has written to stderr."""
        return len(re.findall(said_pattern(words, pool, worker), self.log()[after:], re.MULTILINE))

    def wait_said(self, words: str, pool: str | None = None, worker: int | None = None, after: int = 0) -> None:
        """Wait for such a line."""
        wait_until(lambda: self.said(words, pool, worker, after), f"the line {words!r} of a handler")

    def wait_copies(self, kind: str, ask: Callable[[], object] = lambda: None) -> str:
        """Wait for a record about copies of a handler, see messages.COPIES; the reason in it. Meanwhile call `ask`."""
        def found() -> re.Match[str] | None:
            ask()
            return self.find_log(copies_pattern(kind))

        return wait_until(found, f"a copy {kind}")[1]

    def told(self, kind: str, pool: str = "www") -> list[int]:
        """The numbers in the records of a kind that has no MESSAGE_ID, see messages.TOLD."""
        return [int(match[1]) for match in re.finditer(told_pattern(kind, pool), self.log(), re.MULTILINE)]

    def wait_ready(self, timeout: float = 10.0) -> Daemon:
        """Wait until it serves; fail with its log if it ends instead."""
        wait_until(lambda: self.find_message("started") or not self.running(), "preforkd ready", timeout)
        assert self.running(), f"preforkd has ended with status {self.process.returncode}:\n{self.log()}"
        self.layout_at_start = self.layout()
        self.descriptors_at_start = self.descriptors() | self.descriptors()  # one look has missed one once
        return self

    # descriptors

    def descriptors(self) -> Counter[str]:
        """How many descriptors of each kind the master has open."""
        return Counter(kind_of_descriptor(target) for target in open_descriptors(self.pid).values())

    def wait_descriptors(self, before: Counter[str]) -> None:
        """Until the master has as many as before, none more and none less."""
        try:
            wait_until(lambda: self.descriptors() == before, "the same descriptors")
        except Timeout:
            raise Timeout(f"descriptors: more by {self.descriptors() - before}, less by {before - self.descriptors()}; "
                          f"{open_descriptors(self.pid)}") from None

    def layout(self) -> Any:
        """What decides how many descriptors a master needs: its pools and their listeners."""
        return {name: (options.get("listen"), options.get("stderr"), options.get("user"))
                for name, options in self.pools.items()}, self.master.get("log_target")

    def check_descriptors(self, timeout: float = 5.0) -> None:
        """Fail if the master has more open than at its start, for the same pools and listeners.

        Pipes follow the number of workers and processes that end; a template has a socket, and so has a worker of a status
        pool or an agent, whose documents are files. All other kinds must be the same. What is being drained may take a moment.
        """
        at_start = self.descriptors_at_start
        if self.may_leak or at_start is None or self.layout() != self.layout_at_start:
            return

        def surplus() -> dict[str, int]:
            more = {kind: count - at_start[kind] for kind, count in self.descriptors().items() if count > at_start[kind]}
            if not more:
                return more
            templates = len(re.findall("^start_method = (?!exec)", format_config(self.pools, self.master), re.MULTILINE))
            asking = len(children(self.pid)) if re.search("^handler = (status$|agent )", format_config(self.pools), re.MULTILINE) else 0
            may = {"pipe": 2 * len(children(self.pid)) + 2, "socket": templates + asking,
                   "/memfd:preforkd-status": 3 if asking else 0}
            return {kind: count for kind, count in more.items() if count > may.get(kind, 0)}

        try:
            wait_until(lambda: not surplus(), "the master's descriptors as at its start", timeout)
        except Timeout:
            raise AssertionError(f"the master leaks descriptors: {surplus()} more than at its start; it has "
                                 f"{open_descriptors(self.pid)}") from None

    # end

    def wait_end(self, timeout: float = 15.0) -> int:
        """Wait for the master's end; its exit status (negative: a signal)."""
        wait_until(lambda: not self.running(), "the end of the master", timeout)
        assert self.process.returncode is not None
        return self.process.returncode

    def stop(self, number: int = signal.SIGTERM, expect: int = 0, timeout: float = 20.0) -> None:
        """End it as a service manager would; fail unless it ends well and in time."""
        if self.running():
            self.send_signal(number)
        status = self.wait_end(timeout)
        assert status == expect, f"preforkd ended with status {status}, not {expect}:\n{self.log()}"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it the hard way; nothing is expected of it."""
        if self.running():
            self.send_signal(number)
            self.process.wait(10 * SLOW)

    def close(self) -> None:
        """The end of every test: nothing that it started may stay, and nobody may have complained."""
        try:
            if self.running():
                self.check_descriptors()
                self.stop()
            complaint = OUR_BUG.search(self.stderr()) if not self.may_smash else None
            assert not complaint, f"a bug of ours on stderr:\n{self.stderr()[complaint.start():][:4000]}"
        finally:
            below = descendants(self.pid) if self.running() else []
            for pid in [self.pid, *below] if self.running() else []:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait(10 * SLOW)
            self.log_file.close()
