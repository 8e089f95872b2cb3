"""All ways in which a pool can serve, as rows of one table: what holds for handlers holds for each of them.

A kind of handler is described by pools that serve in the same way whatever the kind: `echo()` answers with what it gets
until the client has ended, and so is busy for as long as a client likes. A new handler type is a new row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon import handler, tcp4
from modules import module

Keys = dict[str, object]


@dataclass(frozen=True)
class Kind:
    """`echo` gives the keys of a pool that echoes, in a directory for what it executes or loads; `behind` the pools that
    it needs besides. The pool itself is "www"."""

    name: str
    echo: Callable[[Path], Keys]
    behind: Callable[[Path], dict[str, Keys]] = lambda _: {}
    # The worker itself serves: what must be killed ends the worker, too.
    in_process: bool = False
    # A handler that takes a while for each connection and then says which process served, as handler_wait; if it can.
    wait: Callable[[Path, str], Keys] | None = None
    # A handler that says "begun", and cannot be ended by asking; if there can be one.
    stubborn: Callable[[Path], Keys] | None = None
    # A program that accepts itself: it is the worker, and bears the title that it likes.
    is_program: bool = False
    # Somebody tells what it does; without that nothing is known of requests (accounting = none in preforkd.conf(5)).
    is_watched: bool = True
    # Code of ours looks at its connections first, and refuses whom it is not to see.
    is_guarded: bool = True


# Where the kind "redirect" leads: a pool of its own, whose address is the same for all tests of a process.
_target = ""


def target() -> str:
    global _target
    _target = _target or tcp4()
    return _target


def acceptor(name: str, way: str, accounting: str, is_watched: bool = True, **keys: object) -> Kind:
    """A program that accepts itself, tests/handlers/acceptor.c."""
    def runs(*what: str) -> Callable[[Path], Keys]:
        return lambda directory: {"handler_type": "listener", "accounting": accounting,
                                  "handler": [handler("acceptor", directory), way, "3", *what], **keys}

    return Kind(name, runs("echo"), in_process=True, is_program=True, is_watched=is_watched,
                is_guarded=accounting == "preload",
                wait=lambda directory, time: runs("wait", time)(directory), stubborn=runs("stubborn"))


def inetd(name: str, **keys: object) -> Kind:
    """A program on stdin and stdout, started in one of the ways of start_method and copy."""
    return Kind(name, lambda _: {"handler": "/bin/cat", **keys},
                wait=lambda directory, time: {"handler": [handler("wait", directory), time], **keys},
                stubborn=lambda _: {"handler": ["/bin/sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done"],
                                    **keys})


KINDS = [
    inetd("inetd"),
    inetd("inetd-forkserver", start_method="forkserver"),
    inetd("inetd-snapshot", start_method="snapshot"),
    inetd("inetd-rollback", start_method="forkserver", copy="rollback"),
    inetd("inetd-snapshot-rollback", start_method="snapshot", copy="rollback"),
    Kind("module", lambda directory: {"handler_type": "module", "handler": [module("serve", directory), "echo"]},
         in_process=True,
         wait=lambda directory, time: {"handler_type": "module", "handler": [module("serve", directory), "wait", time]},
         stubborn=lambda directory: {"handler_type": "module", "handler": [module("serve", directory), "stubborn"]}),
    Kind("builtin", lambda _: {"handler_type": "builtin", "handler": "echo"}, in_process=True),
    Kind("redirect", lambda _: {"handler_type": "builtin", "handler": ["redirect", target()]}, in_process=True,
         behind=lambda _: {"target": {"handler_type": "builtin", "handler": "echo", "listen": target(),
                                      "max_workers": 200, "max_spare_workers": 8}}),
    acceptor("listener-preload", "all", "preload"),
    acceptor("listener-snapshot", "all", "preload", start_method="snapshot"),
    acceptor("listener-api", "api", "api"),
    acceptor("listener-none", "polite", "none", is_watched=False),
]
