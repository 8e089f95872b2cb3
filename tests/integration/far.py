"""A network with a distance: two namespaces, and between them a link on which every packet is under way for a while.

    with FarLink(delay=0.03) as link:
        daemon = preforkd({"www": {"listen": f"{FarLink.near}:7007", ...}}, binary=link.starter(tmp_path))
        link.enter()  # this thread is at the far end from here on

The link is a process of its own: this file, executed. With it go the namespaces. Needs root and /dev/net/tun.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


class FarLink:
    near, far = "10.77.7.1", "10.77.7.2"

    def __init__(self, delay: float) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, str(delay)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.namespaces = self.process.stdout.readline().split()

    def works(self) -> bool:
        """False where namespaces or tun devices are not to be had."""
        return len(self.namespaces) == 2

    def __enter__(self) -> FarLink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def starter(self, directory: Path, binary: Path) -> Path:
        """A stand-in for a program that runs it at the near end."""
        target = directory / "at-the-near-end"
        target.write_text(f'#!/bin/sh\nexec nsenter --net={self.namespaces[0]} {binary} "$@"\n')
        target.chmod(0o755)
        return target

    def enter(self) -> None:
        """Take the calling thread to the far end, for good."""
        namespace = os.open(self.namespaces[1], os.O_RDONLY)
        try:
            check(LIBC.setns(namespace, CLONE_NEWNET), "setns")
        finally:
            os.close(namespace)


# --- the process of the link ----------------------------------------------------------------------------------------

def open_end(address: str) -> tuple[int, int]:
    """Make a namespace with a device that has the address; the namespace's descriptor and the device's."""
    check(LIBC.unshare(CLONE_NEWNET), "unshare")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"far0", IFF_TUN | IFF_NO_PI))
    for command in ("link set lo up", "link set far0 up", f"addr add {address}/24 dev far0"):
        subprocess.run(["ip", *command.split()], check=True)
    return os.open("/proc/self/ns/net", os.O_RDONLY), tun


def carry(ends: dict[int, int], delay: float) -> None:
    """Carry packets to the other end, each after `delay` seconds, until this process is killed."""
    under_way: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for tun in select.select(list(ends), [], [], wait)[0]:
            number += 1
            heapq.heappush(under_way, (time.monotonic() + delay, number, ends[tun], os.read(tun, 65536)))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, tun, packet = heapq.heappop(under_way)
            os.write(tun, packet)


def main() -> None:
    near, near_tun = open_end(FarLink.near)
    far, far_tun = open_end(FarLink.far)
    print(f"/proc/{os.getpid()}/fd/{near} /proc/{os.getpid()}/fd/{far}", flush=True)
    carry({near_tun: far_tun, far_tun: near_tun}, float(sys.argv[1]))


if __name__ == "__main__":
    main()
