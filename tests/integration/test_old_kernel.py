"""System calls that an old filter, or what stands in for a kernel, refuses: preforkd does without."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from daemon import Daemon, open_descriptors, request, tcp4
from forbidden import fail, needs_to_forbid

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
