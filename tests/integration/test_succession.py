"""After a master was killed, another can take its place at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from daemon import Daemon, alive, connect, read_all, request, tcp4, wait_until


@pytest.mark.parametrize("listeners", [1, 3])
def test_a_worker_in_its_last_request_holds_no_listener(preforkd: Callable[..., Daemon], listeners: int) -> None:
    addresses = [tcp4() for _ in range(listeners)]
    pools = {"www": {"listen": addresses, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}}
    first = preforkd(pools)
    client = connect(addresses[0])
    client.sendall(b"before ")
    assert client.recv(100) == b"before "
    idle_and_busy = first.wait_workers(3)
    first.may_leak = True
    first.send_signal(signal.SIGKILL)
    first.process.wait(10)
    wait_until(lambda: sum(map(alive, idle_and_busy)) == 1, "the idle workers' end")

    preforkd(pools)  # starts, or the fixture says why not
    for address in addresses:
        assert request(address, b"hello") == b"hello"
    client.sendall(b"after")
    client.shutdown(1)
    assert read_all(client) == b"after"
