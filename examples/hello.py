#!/usr/bin/python3
"""A worker of preforkd that accepts its connections itself, with libprefork: it answers each with a line.

    [hello]
    listen = 127.0.0.1:7000
    handler_type = listener
    accounting = api
    handler = /usr/bin/python3 /usr/local/lib/hello.py
    user = nobody
"""

import ctypes
import errno
import os
import socket
import sys


class Worker:
    """The functions of prefork/worker.h that a worker needs."""

    def __init__(self) -> None:
        self.lib = ctypes.CDLL("libprefork.so.0")
        self.lib.prefork_accept.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self.lib.prefork_done.argtypes = [ctypes.c_void_p]
        self.lib.prefork_done.restype = None
        self.handle = ctypes.c_void_p()
        self.check(self.lib.prefork_attach(ctypes.byref(self.handle)))

    @staticmethod
    def check(result: int) -> int:
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def accept(self) -> socket.socket | None:
        """The next connection; None: the worker must end."""
        while True:
            result = self.lib.prefork_accept(self.handle, None, None)
            if result == -errno.ESHUTDOWN:
                return None
            if result != -errno.EINTR:
                return socket.socket(fileno=self.check(result))

    def done(self) -> None:
        self.lib.prefork_done(self.handle)


def main() -> int:
    worker = Worker()
    while connection := worker.accept():
        with connection:
            connection.sendall(b"hello from %d\n" % os.getpid())
        worker.done()
    return 0


if __name__ == "__main__":
    sys.exit(main())
