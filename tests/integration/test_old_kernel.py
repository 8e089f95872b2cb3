"""System calls that an old filter, or what stands in for a kernel, refuses: preforkd does without."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import Daemon, abstract, connect, handler, open_descriptors, read_all, request, tcp4, wait_until
from forbidden import GETSOCKOPT, TCP_INFO, fail, forbid, forbid_family, needs_to_forbid
from test_start_methods import X86

Start = Callable[..., Daemon]


@needs_to_forbid
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
def test_without_close_range(preforkd: Start, error: int) -> None:
    """Workers start, and have none of the descriptors that the master inherited."""
    address = tcp4()
    leaked, other_end = os.pipe()
    os.set_inheritable(leaked, True)
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}},
                      popen={"preexec_fn": fail(error, "close_range"), "pass_fds": [leaked]})
    foreign = os.readlink(f"/proc/self/fd/{leaked}")
    os.close(leaked)
    os.close(other_end)
    [worker] = daemon.wait_workers(1)
    assert foreign in open_descriptors(daemon.pid).values()
    assert foreign not in open_descriptors(worker).values()
    assert request(address, b"x") == b"x"
    daemon.hup("reloaded")
    daemon.assert_quiet()


@needs_to_forbid
@pytest.mark.skipif(not X86, reason="x86-64 alone")
def test_without_clone3(preforkd: Start, tmp_path: Path) -> None:
    """A copy by rollback has none of the worker's handlers of signals."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler("probe", tmp_path), "start_method": "forkserver",
                               "copy": "rollback", "scaling": "static", "max_workers": 1}},
                      popen={"preexec_fn": fail(errno.ENOSYS, "clone3")})
    for _ in range(3):
        assert json.loads(request(address))["caught"] == []
    daemon.assert_quiet()


@needs_to_forbid
@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract"])
@pytest.mark.parametrize("act", ["stop", "remove"])
def test_without_netlink_a_queue_is_served(preforkd: Start, tmp_path: Path, kind: str, act: str) -> None:
    """Nobody is lost who waits when the listener closes, whatever tells the length of the queue."""
    address = {"tcp": tcp4(), "unix": str(tmp_path / "www.sock"), "abstract": abstract()}[kind]
    a_queue_is_served(preforkd, address, act, forbid_family(socket.AF_NETLINK), 6)


@needs_to_forbid
@pytest.mark.parametrize("act", ["stop", "remove"])
def test_without_tcp_info_a_queue_is_served(preforkd: Start, act: str) -> None:
    """It is not known how many wait, but whether anybody does."""
    a_queue_is_served(preforkd, tcp4(), act, forbid(TCP_INFO, call=GETSOCKOPT), 1)


def a_queue_is_served(preforkd: Start, address: str, act: str, forbidding: Callable[[], None], shown: int) -> None:
    """Eight clients, two workers, and the end of the listener."""
    pool = {"handler": ["/bin/sh", "-c", "read word; echo $word"], "scaling": "static", "max_workers": 2}
    daemon = preforkd({"www": {"listen": address, **pool}, "other": {"listen": tcp4(), **pool}},
                      popen={"preexec_fn": forbidding}, control=True)
    daemon.wait_workers(2)
    clients = [connect(address, 30) for _ in range(8)]
    wait_until(lambda: control_of(daemon).pool()["counts"]["busy"] == 2, "busy workers")
    assert control_of(daemon).pool()["queue"] == shown
    if act == "stop":
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: daemon.find_message("stopping"), "the stop")
    else:
        del daemon.pools["www"]
        daemon.hup("reloaded")
    for number, client in enumerate(clients):
        with client:
            client.sendall(b"%d\n" % number)
            assert read_all(client) == b"%d\n" % number
    if act == "stop":
        assert daemon.wait_end() == 0
    else:
        wait_until(lambda: not daemon.workers(), "the end of the pool")


@needs_to_forbid
def test_without_netlink_a_burst_grows_the_pool(preforkd: Start, tmp_path: Path) -> None:
    address = str(tmp_path / "www.sock")
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "ondemand", "max_workers": 20}},
                      popen={"preexec_fn": forbid_family(socket.AF_NETLINK)}, control=True)
    clients = [connect(address, 30) for _ in range(12)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x", "all are served at one time"
    for client in clients:
        client.close()
