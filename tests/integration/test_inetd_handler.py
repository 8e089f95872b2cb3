"""`handler_type = inetd`: what a handler gets (a program that looks reports it), over every kind of listener."""

from __future__ import annotations

import json
import os
import pwd
import resource
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import (AS_ROOT, BINARY, POOL_USER, START_METHOD, Daemon, abstract, alive, burst, connect, exchange,
                    format_config, free_port, port_of, preload_object, read_all, refuses, request, run_preforkd, tcp4, tcp6,
                    title, wait_until)
from methods import NEVER_TOUCHES, PEER, executed_only, not_at_touch

Start = Callable[..., Daemon]

# The user a handler runs as in these tests.
ACCOUNT = pwd.getpwnam(POOL_USER) if AS_ROOT else pwd.getpwuid(os.getuid())


@pytest.fixture
def look(preforkd: Start, program: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """Serve once with the probe under the given keys; what the handler saw."""

    def serve(popen: dict[str, Any] | None = None, binary: Path = BINARY, **keys: Any) -> dict[str, Any]:
        address = keys.pop("listen", None) or tcp4()
        handler = [program("probe"), "an argument", "ö;#"]
        preforkd({"www": {"listen": address, "handler": handler, **keys}}, popen=popen, binary=binary)
        return json.loads(request(address))

    return serve


def environment(report: dict[str, Any]) -> dict[str, str]:
    names = [entry.partition("=")[0] for entry in report["environment"]]
    assert len(names) == len(set(names)), f"a name twice: {sorted(names)}"
    return dict(entry.split("=", 1) for entry in report["environment"])


# --- the connection -------------------------------------------------------------------------------------------------

def test_echo_of_one_line(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    assert request(address, b"hello\n") == b"hello\n"


def test_echo_of_a_megabyte_is_byte_identical(preforkd: Start) -> None:
    address = tcp4()
    data = os.urandom(1 << 20)
    preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    assert request(address, data) == data


def test_a_conversation(preforkd: Start) -> None:
    """Both directions stay open as long as both sides want: no half-close, no waiting for the end of the input."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    with connect(address) as client:
        for number in range(5):
            client.sendall(b"%d\n" % number)
            assert client.recv(100) == b"%d\n" % number
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def test_many_clients_one_after_another(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 2}})
    workers = daemon.wait_workers(2)
    for number in range(50):
        assert request(address, b"%d" % number) == b"%d" % number
    assert daemon.workers() == workers, "workers outlive their requests"


def test_many_clients_at_once(preforkd: Start) -> None:
    """More clients than workers: those that find none free wait in the kernel's queue."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 4, "max_spare_workers": 4}})
    replies = burst(address, 40, b"x" * 1000)
    assert [reply.error for reply in replies] == [None] * 40
    assert all(reply.data == b"x" * 1000 for reply in replies)


def test_the_handlers_end_ends_the_connection(preforkd: Start) -> None:
    """Even though the client never ends its side: nobody else holds the connection open."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/echo done"}})
    assert request(address, half_close=False) == b"done\n"


@pytest.mark.parametrize("handler", ["/bin/false", "/bin/sh -c 'kill -SEGV $$'"])
@not_at_touch(NEVER_TOUCHES)
def test_a_failing_handler_harms_nobody(preforkd: Start, handler: str) -> None:
    """One request's failure is that request's: the worker goes on, the next client is served."""
    good, bad = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": good, "handler": "/bin/cat"}, "bad": {"listen": bad, "handler": handler}})
    for _ in range(5):
        assert request(bad) == b""
    assert request(good, b"x") == b"x"
    assert daemon.running()


# --- what a handler inherits ----------------------------------------------------------------------------------------

def test_arguments(look: Callable[..., dict[str, Any]]) -> None:
    assert look()["argv"][1:] == ["an argument", "ö;#".encode().decode("latin-1")]


def test_descriptors(look: Callable[..., dict[str, Any]]) -> None:
    """0 and 1 are the connection, blocking; 2 goes to the log; nothing else is open."""
    fds = {entry["fd"]: entry for entry in look()["fds"]}
    assert sorted(fds) == [0, 1, 2], fds
    assert fds[0]["target"].startswith("socket:")
    assert fds[1]["target"] == fds[0]["target"]
    assert fds[2]["target"] != fds[0]["target"]
    assert not fds[0]["nonblocking"] and not fds[1]["nonblocking"]


def test_descriptors_that_were_open_at_start_are_not_passed_on(look: Callable[..., dict[str, Any]],
                                                              tmp_path: Path) -> None:
    with open(tmp_path / "secret", "w") as secret:
        fds = look(popen={"pass_fds": [secret.fileno()]})["fds"]
    assert [entry["fd"] for entry in fds] == [0, 1, 2]


def test_signals(look: Callable[..., dict[str, Any]]) -> None:
    report = look()
    assert report["blocked"] == [] and report["pending"] == []
    assert report["ignored"] == [] and report["caught"] == []


def test_signals_that_were_blocked_or_ignored_at_start(look: Callable[..., dict[str, Any]]) -> None:
    """nohup, cron and shells start programs that way; handlers must not notice."""

    def spoil() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD])
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)

    report = look(popen={"preexec_fn": spoil, "restore_signals": False})
    assert report["blocked"] == [] and report["pending"] == []
    assert report["ignored"] == [] and report["caught"] == []


def test_process_group(look: Callable[..., dict[str, Any]]) -> None:
    """The handler leads a group of its own: its `kill 0` reaches itself alone."""
    report = look()
    assert report["pgid"] == report["pid"]


@not_at_touch(NEVER_TOUCHES)
def test_kill_0_in_a_handler_reaches_itself_alone(preforkd: Start) -> None:
    address, other = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sh -c 'kill -KILL 0'"},
                       "other": {"listen": other, "handler": "/bin/cat"}})
    for _ in range(3):
        assert request(address) == b""
    assert request(other, b"x") == b"x"
    assert daemon.running()


def test_the_handlers_parent_is_a_worker(preforkd: Start, program: Callable[[str], str]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": program("probe")}})
    parent = json.loads(request(address))["ppid"]
    assert parent in daemon.workers()


def test_credentials(look: Callable[..., dict[str, Any]]) -> None:
    report = look()
    assert report["uid"] == [ACCOUNT.pw_uid] * 3
    assert report["gid"] == [ACCOUNT.pw_gid] * 3
    if AS_ROOT:
        assert set(report["groups"]) <= {ACCOUNT.pw_gid}, "none of the master's groups"


def test_group_and_supplementary_groups(look: Callable[..., dict[str, Any]], as_root: None) -> None:
    report = look(group="daemon", supplementary_groups="games mail")
    assert report["gid"] == [1, 1, 1]
    assert set(report["groups"]) - {1, ACCOUNT.pw_gid} == {60, 8}  # games, mail: fixed numbers in Debian


def test_root_must_be_written(look: Callable[..., dict[str, Any]], as_root: None) -> None:
    assert look(user="root")["uid"] == [0, 0, 0]


def test_no_new_privileges(look: Callable[..., dict[str, Any]]) -> None:
    assert look()["no_new_privs"] == 1


def test_no_new_privileges_off(look: Callable[..., dict[str, Any]]) -> None:
    inherited = int(Path("/proc/self/status").read_text().split("NoNewPrivs:")[1].split()[0])
    assert look(no_new_privileges="no")["no_new_privs"] == inherited


def test_no_parent_death_signal(look: Callable[..., dict[str, Any]]) -> None:
    assert look()["parent_death_signal"] == 0


@pytest.mark.parametrize(("value", "seen"), [("077", 0o077), ("002", 0o002)])
def test_umask(look: Callable[..., dict[str, Any]], value: str, seen: int) -> None:
    assert look(umask=value)["umask"] == seen


def test_nice(look: Callable[..., dict[str, Any]]) -> None:
    assert look(nice=7)["nice"] == 7


def test_nice_is_inherited(look: Callable[..., dict[str, Any]]) -> None:
    """An ordinary user who starts preforkd under nice(1) could not set it back."""
    assert look(popen={"preexec_fn": lambda: os.nice(5)})["nice"] == min(os.nice(0) + 5, 19)


def test_oom_score_adj(look: Callable[..., dict[str, Any]]) -> None:
    assert look(oom_score_adj=500)["oom_score_adj"] == 500


@pytest.mark.parametrize("given", [-500, 300])
def test_oom_score_adj_by_default(look: Callable[..., dict[str, Any]], given: int, as_root: None) -> None:
    """What protects the daemon does not protect its handlers, and what endangers it does not endanger them."""
    if subprocess.run(["sh", "-c", f"echo {given} >/proc/self/oom_score_adj"], capture_output=True, check=False).returncode:
        pytest.skip("needs CAP_SYS_RESOURCE")
    daemon_gets = {"preexec_fn": lambda: Path("/proc/self/oom_score_adj").write_text(str(given))}
    assert look(popen=daemon_gets)["oom_score_adj"] == 0


@pytest.mark.parametrize("user", ["root", POOL_USER])
def test_capabilities_are_not_inherited(look: Callable[..., dict[str, Any]], user: str, tmp_path: Path,
                                        as_root: None) -> None:
    """AmbientCapabilities= of the unit are for preforkd. A root handler gets what root gets."""
    preforkd = tmp_path / "preforkd-with-capabilities"
    preforkd.write_text("#!/bin/sh\nexec setpriv --inh-caps +net_bind_service,+kill "
                        f"--ambient-caps +net_bind_service,+kill {BINARY} \"$@\"\n")
    preforkd.chmod(0o755)
    capabilities = look(user=user, binary=preforkd)["capabilities"]
    assert int(capabilities["Inh"], 16) == int(capabilities["Amb"], 16) == 0
    assert (int(capabilities["Eff"], 16) == 0) == (user != "root")


def test_root_where_groups_cannot_be_set(look: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """A user namespace of one id, as in rootless containers: nothing needs to change, so nothing fails."""
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a user namespace")
    preforkd = tmp_path / "preforkd-in-namespace"
    preforkd.write_text(f"#!/bin/sh\nexec unshare -Ur -- {BINARY} \"$@\"\n")
    preforkd.chmod(0o755)
    assert look(user="root", binary=preforkd)["uid"] == [0, 0, 0]


def test_directory(look: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert look(directory=tmp_path)["cwd"] == str(tmp_path)


def test_directory_by_default(look: Callable[..., dict[str, Any]]) -> None:
    assert look()["cwd"] == "/"


@not_at_touch("without /proc no file can be opened again")
def test_root_directory(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """The handler, its libraries and its working directory are looked up inside."""
    address = tcp4()
    jail = tmp_path / "jail"
    (jail / "sub").mkdir(parents=True)
    (jail / "sub" / "marker").write_text("inside")
    copy_with_libraries("/bin/cat", jail)
    if START_METHOD:
        copy_with_libraries(preload_object(tmp_path)["PREFORKD_PRELOAD"], jail)
    preforkd({"www": {"listen": address, "handler": "/bin/cat marker /sub/marker", "root_directory": jail,
                      "directory": "/sub"}})
    assert request(address) == b"insideinside"


def copy_with_libraries(binary: str, jail: Path) -> None:
    """A program and what ldd says it needs, at the same places below `jail`."""
    output = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    paths = [word for line in output.splitlines() for word in line.split() if word.startswith("/")]
    for path in [binary, *paths]:
        target = jail / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


@pytest.mark.parametrize(("key", "value", "name", "seen"), [
    ("limit_nofile", "100:200", "nofile", [100, 200]), ("limit_nofile", "150", "nofile", [150, 150]),
    ("limit_core", "0", "core", [0, 0]), ("limit_cpu", "60:70", "cpu", [60, 70]),
    ("limit_as", "512M:1G", "as", [512 << 20, 1 << 30]), ("limit_nproc", "900:1000", "nproc", [900, 1000]),
    ("limit_data", "256M:512M", "data", [256 << 20, 512 << 20]), ("limit_stack", "4M:16M", "stack", [4 << 20, 16 << 20]),
    ("limit_fsize", "1M:2M", "fsize", [1 << 20, 2 << 20]),
])
def test_limits(look: Callable[..., dict[str, Any]], key: str, value: str, name: str, seen: list[int]) -> None:
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
    if not AS_ROOT and hard != resource.RLIM_INFINITY and seen[1] > hard:
        pytest.skip(f"this user's hard limit of {name} is {hard}")
    assert look(**{key: value})["limits"][name] == seen


def test_limits_by_default_are_those_preforkd_was_started_with(look: Callable[..., dict[str, Any]]) -> None:
    """Whatever preforkd raises for itself: programs that use select() need the small soft limit."""
    report = look(popen={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4000))})
    assert report["limits"]["nofile"] == [300, 4000]
    for name in ("core", "as", "cpu", "nproc", "stack", "data", "fsize"):
        unlimited = [-1 if value == resource.RLIM_INFINITY else value
                     for value in resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))]
        assert report["limits"][name] == unlimited, name


# --- the environment ------------------------------------------------------------------------------------------------

PEER_TCP = {"PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR", "REMOTE_PORT",
            "REMOTE_HOST"}
LOGIN = {"HOME", "USER", "LOGNAME", "SHELL", "PATH"}


@not_at_touch(PEER)
def test_environment_of_a_tcp_client(preforkd: Start, program: Callable[[str], str]) -> None:
    """Exactly this, and nothing of preforkd's own environment."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": program("probe"), "environment": ["A=1", "B=two words", "C=a=b"]}},
             popen={"env": {**os.environ, "SECRET": "x", "HOME": "/wrong", "PATH": "/wrong:/bin:/usr/bin"}})
    with connect(address) as client:
        peer = client.getsockname()
        seen = environment(json.loads(read_all(client)))
    expected = {"PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": str(port_of(address)),
                "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(peer[1]), "REMOTE_ADDR": "127.0.0.1",
                "REMOTE_PORT": str(peer[1]), "REMOTE_HOST": "127.0.0.1", "A": "1", "B": "two words", "C": "a=b"}
    assert {name: value for name, value in seen.items() if name not in LOGIN} == expected
    assert "/wrong" not in seen["PATH"] and "/usr/bin" in seen["PATH"].split(":")


def test_environment_of_the_user(look: Callable[..., dict[str, Any]], as_root: None) -> None:
    seen = environment(look())
    assert seen["USER"] == seen["LOGNAME"] == POOL_USER
    assert seen["HOME"] == ACCOUNT.pw_dir
    assert seen.get("SHELL", ACCOUNT.pw_shell) == ACCOUNT.pw_shell


def test_environment_given_wins_over_what_the_user_implies(look: Callable[..., dict[str, Any]]) -> None:
    seen = environment(look(environment=["HOME=/srv", "PATH=/opt/bin"]))
    assert seen["HOME"] == "/srv" and seen["PATH"] == "/opt/bin"


@not_at_touch(PEER)
def test_environment_passed_on(look: Callable[..., dict[str, Any]]) -> None:
    """`clear_environment = no`, less what concerns preforkd alone."""
    private = ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
               "JOURNAL_STREAM", "INVOCATION_ID", "CREDENTIALS_DIRECTORY"]
    given = {"PATH": "/usr/bin:/bin", "KEPT": "yes", **{name: "1" for name in private}}
    seen = environment(look(popen={"env": given}, clear_environment="no"))
    assert seen["KEPT"] == "yes"
    assert not seen.keys() & set(private)
    assert seen["PROTO"] == "TCP"


def test_a_stale_peer_variable_is_not_passed_on(look: Callable[..., dict[str, Any]]) -> None:
    """A UNIX peer has no TCP address, whatever preforkd's own environment says."""
    seen = environment(look(listen=abstract(), popen={"env": {**os.environ, "TCPREMOTEIP": "192.0.2.1"}},
                            clear_environment="no"))
    assert "TCPREMOTEIP" not in seen


@not_at_touch(PEER)
def test_the_peer_is_new_for_every_connection(preforkd: Start, program: Callable[[str], str]) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": program("probe"), "scaling": "static", "max_workers": 1}})
    for _ in range(5):
        with connect(address) as client:
            port = client.getsockname()[1]
            assert environment(json.loads(read_all(client)))["TCPREMOTEPORT"] == str(port)


@not_at_touch(PEER)
def test_environment_of_an_ipv6_client(look: Callable[..., dict[str, Any]], ipv6: None) -> None:
    seen = environment(look(listen=tcp6()))
    assert seen["TCPREMOTEIP"] == seen["REMOTE_ADDR"] == seen["TCPLOCALIP"] == "::1"
    assert seen["PROTO"].startswith("TCP")


@not_at_touch(PEER)
def test_an_ipv4_client_of_a_dual_stack_listener_has_an_ipv4_address(preforkd: Start, program: Callable[[str], str],
                                                                     ipv6: None) -> None:
    port = free_port()
    preforkd({"www": {"listen": f"[::]:{port}", "handler": program("probe")}})
    seen = environment(json.loads(request(f"127.0.0.1:{port}")))
    assert seen["TCPREMOTEIP"] == seen["REMOTE_ADDR"] == seen["TCPLOCALIP"] == "127.0.0.1"
    assert environment(json.loads(request(f"[::1]:{port}")))["TCPREMOTEIP"] == "::1"


@pytest.mark.parametrize("kind", ["path", "abstract"])
@not_at_touch(PEER)
def test_environment_of_a_unix_client(look: Callable[..., dict[str, Any]], tmp_path: Path, kind: str) -> None:
    """The peer's uid, gid and pid, and no TCP names."""
    seen = environment(look(listen=str(tmp_path / "sock") if kind == "path" else abstract(), socket_mode="0666"))
    assert seen["PROTO"] == "UNIX"
    assert not seen.keys() & {"TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_PORT"}
    peer = {name: value for name, value in seen.items() if name not in LOGIN}
    assert str(os.getpid()) in [value for name, value in peer.items() if name.endswith("PID")], peer
    assert str(os.getuid()) in [value for name, value in peer.items() if name.endswith("UID")], peer
    assert str(os.getgid()) in [value for name, value in peer.items() if name.endswith("GID")], peer


# --- stderr ---------------------------------------------------------------------------------------------------------

def test_stderr_goes_to_the_log_line_by_line(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sh -c 'echo one >&2; echo two >&2'"}})
    assert request(address) == b""
    daemon.wait_said("one", "www")
    daemon.wait_said("two", "www")


def test_stderr_socket(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/sh -c 'echo error >&2'", "stderr": "socket"}})
    assert request(address) == b"error\n"


def test_stderr_null(look: Callable[..., dict[str, Any]]) -> None:
    assert look(stderr="null")["fds"][2]["target"] == "/dev/null"


def test_stderr_inherit(look: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert look(stderr="inherit")["fds"][2]["target"] == str(tmp_path / "log")


# --- listeners ------------------------------------------------------------------------------------------------------

@pytest.fixture(params=["tcp4", "tcp6", "localhost", "any", "unix", "abstract"])
def address_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """What the configuration says and where a client connects, for every kind of listener."""
    port = free_port()
    if request.param in ("tcp6", "any"):
        request.getfixturevalue("ipv6")
    yield {"tcp4": (f"127.0.0.1:{port}",) * 2, "tcp6": (f"[::1]:{port}",) * 2,
           "localhost": (f"localhost:{port}", f"127.0.0.1:{port}"), "any": (f"*:{port}", f"[::1]:{port}"),
           "unix": (str(tmp_path / "sock"),) * 2, "abstract": (abstract(),) * 2}[request.param]


def test_every_kind_of_listener(preforkd: Start, address_pair: tuple[str, str]) -> None:
    listen, address = address_pair
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat"}})
    assert request(address, b"hello") == b"hello"
    daemon.stop()
    assert refuses(address)


def test_dual_stack(preforkd: Start, ipv6: None) -> None:
    port = free_port()
    preforkd({"www": {"listen": f"[::]:{port}", "handler": "/bin/cat"}})
    assert request(f"127.0.0.1:{port}", b"4") == b"4"
    assert request(f"[::1]:{port}", b"6") == b"6"


def test_ipv6_only(preforkd: Start, ipv6: None) -> None:
    port = free_port()
    preforkd({"www": {"listen": f"[::]:{port}", "handler": "/bin/cat", "ipv6_only": True}})
    assert request(f"[::1]:{port}", b"6") == b"6"
    assert refuses(f"127.0.0.1:{port}")


def test_several_listeners_of_several_kinds(preforkd: Start, tmp_path: Path) -> None:
    """All of one pool, all at once."""
    addresses = [tcp4(), tcp4(), str(tmp_path / "sock"), abstract()]
    preforkd({"www": {"listen": addresses, "handler": "/bin/cat", "max_workers": 4, "max_spare_workers": 4}})
    for address in addresses:
        assert request(address, address.encode()) == address.encode()
    replies = exchange(addresses * 8, b"x" * 5000)
    assert all(reply.error is None and reply.data == b"x" * 5000 for reply in replies)


def test_several_pools(preforkd: Start) -> None:
    """Each with its own handler and its own workers."""
    first, second = tcp4(), tcp4()
    daemon = preforkd({"first": {"listen": first, "handler": "/bin/echo first"},
                       "second": {"listen": second, "handler": "/bin/echo second"}})
    assert request(first) == b"first\n"
    assert request(second) == b"second\n"
    assert daemon.workers("first") and daemon.workers("second")
    assert not set(daemon.workers("first")) & set(daemon.workers("second"))


def test_a_busy_pool_does_not_hinder_another(preforkd: Start) -> None:
    first, second = tcp4(), tcp4()
    preforkd({"first": {"listen": first, "handler": "/bin/cat", "max_workers": 1, "max_spare_workers": 1},
              "second": {"listen": second, "handler": "/bin/cat"}})
    with connect(first) as busy:
        busy.sendall(b"x")
        assert busy.recv(1) == b"x"
        assert request(second, b"y") == b"y"


def test_unix_socket_mode_and_owner(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    preforkd({"www": {"listen": str(path), "handler": "/bin/cat", "socket_mode": "0600",
                      **({"socket_user": "daemon", "socket_group": "mail"} if AS_ROOT else {})}})
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
    if AS_ROOT:
        assert (found.st_uid, found.st_gid) == (1, 8)


def test_unix_socket_mode_by_default(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    preforkd({"www": {"listen": str(path), "handler": "/bin/cat"}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_stale_unix_socket_is_taken_over(preforkd: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
        stale.listen()
    preforkd({"www": {"listen": path, "handler": "/bin/cat"}})
    assert request(path, b"x") == b"x"


def test_a_live_unix_socket_is_an_error(tmp_path: Path, preforkd: Start) -> None:
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(path)
        live.listen()
        daemon = preforkd({"www": {"listen": path, "handler": "/bin/cat"}}, ready=False)
        assert daemon.wait_end() == 1
        daemon.assert_problem("sock", "in use")
        connect(path).close()  # it is still the other's


def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path, preforkd: Start) -> None:
    path = tmp_path / "sock"
    path.write_text("precious")
    daemon = preforkd({"www": {"listen": str(path), "handler": "/bin/cat"}}, ready=False)
    assert daemon.wait_end() == 1
    assert path.read_text() == "precious"


def test_one_address_twice_is_a_problem(tmp_path: Path) -> None:
    address = tcp4()
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config({"a": {"listen": address, "handler": "/bin/cat"},
                                   "b": {"listen": address, "handler": "/bin/cat"}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 78
    assert address in result.stderr


# --- the life of workers, as far as handlers and ps can see it ------------------------------------------------------

@executed_only("a worker shows as its handler")
def test_static_pool_has_all_its_workers(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 5}})
    assert len(daemon.wait_workers(5)) == 5
    assert {title(pid) for pid in daemon.workers()} == {"preforkd: worker www"}


def test_a_killed_worker_is_replaced(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 2}})
    victim = daemon.wait_workers(2)[0]
    os.kill(victim, signal.SIGKILL)
    daemon.wait_workers(2, without=[victim])
    daemon.wait_message("worker died", worker=victim)
    assert request(address, b"x") == b"x"


def test_workers_end_when_the_master_dies(preforkd: Start) -> None:
    """Idle ones at once; a busy one after its request."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}})
    workers = daemon.wait_workers(3)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.kill()
        wait_until(lambda: sum(alive(pid) for pid in workers) == 1, "the end of the idle workers")
        client.sendall(b"y")
        assert client.recv(1) == b"y"
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    wait_until(lambda: refuses(address), "nobody listens any more")
