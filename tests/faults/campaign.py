"""Many faults, one after the other, in one scenario: what becomes of the master and of the clients, and the numbers of it.

A scenario is an operation on a daemon (a reload, an upgrade, a burst …) during which the n-th call of a function fails, for
many functions, errors and n. Whatever may come of the operation itself (it succeeds, or it is refused and says why), the
master lives and answers, every address serves, no client is lost, no descriptor leaks, and the same operation succeeds
when nothing fails any more.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from daemon import BINARY, Timeout
from faults import Age, Faults, Role, errors, numbers

CONTROL_PROGRAM = BINARY.parents[1] / "ctl/preforkctl"
RESULTS = BINARY.parents[2] / "results/faults"

# A regular expression for the faults to try, such as `fcntl64 4:`; to try one again.
ONLY = os.environ.get("PREFORKD_TEST_FAULT", "")

# An operation is repeated until its fault was met, because under load the same call may be another's.
REPEATS = 10
# How long a lasting fault lasts, in seconds.
LASTING = 0.3
# What is beyond it is not reported one by one: something is broken that all of them meet.
VIOLATIONS_MAX = 25


class MasterLost(AssertionError):
    """It has ended, or answers nobody any more."""


class ClientsLost(AssertionError):
    """So many accepted connections were not served."""

    def __init__(self, what: str, count: int) -> None:
        super().__init__(what)
        self.count = count


@dataclass(frozen=True)
class Fault:
    """The n-th call of a function fails, and so many after it."""

    function: str
    error: int
    number: int
    times: int = 1

    def __str__(self) -> str:
        lasting = f" and all for {LASTING} s" if self.times > 1 else ""
        return f"{self.function} {self.number}{lasting}: {errno.errorcode[self.error]}"


@dataclass
class Result:
    """The numbers of a campaign."""

    name: str
    form: str
    tried: int = 0
    hit: int = 0
    masters_lost: int = 0
    clients_lost: int = 0
    clients_served: int = 0
    clients_of_failed_workers: int = 0  # the connection that the very worker held whose call has failed
    operations_refused: int = 0         # with a reason
    seconds: float = 0.0
    slowest: list[tuple[float, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def write(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / f"{re.sub('[^a-z]+', '-', self.name)}.{self.form}.json"
        numbers_only = {key: value for key, value in asdict(self).items() if key not in ("violations", "slowest")}
        path.write_text(json.dumps(numbers_only) + "\n")
        path.with_suffix(".txt").write_text("\n".join(["violations:", *self.violations, "slowest:",
                                                       *(f"{seconds} s: {what}" for seconds, what in self.slowest)]) + "\n")


class Scenario(Protocol):
    """What faults happen to."""

    name: str
    role: Role
    ages: Age
    served: int  # clients so far

    def begin(self) -> None:
        """Make what the operation needs; also after a violation, when the state of what is there is not known."""

    def prepare(self) -> None:
        """Before each operation, while nothing fails."""

    def operate(self) -> bool:
        """Do it, while something may fail. False: it was refused, with a reason. It must not hang or end silently."""

    def settle(self, hits: int) -> int:
        """Nothing fails any more: check all that must hold, and go back to the state before. Returns how many clients were
        lost that a failed worker held."""

    def check_rest(self) -> None:
        """Now and then: what takes longer to see."""


@dataclass(frozen=True)
class Form:
    """How much is tried."""

    name: str
    most: int           # numbers of the first error of a function
    most_of_others: int  # numbers of each of its other errors
    lasting: bool       # also faults that last for a while

    def faults(self, role: Role, counts: dict[str, int]) -> Iterator[Fault]:
        for function, count in sorted(counts.items()):
            tried = errors(role, function)
            for index, error in enumerate(tried):
                for number in numbers(count, self.most_of_others if index else self.most):
                    yield Fault(function, error, number)
            if self.lasting and tried and tried[0] != errno.EINTR:
                yield Fault(function, tried[0], 1, 1_000_000)


SHORT = Form("short", 1, 0, False)
LONG = Form("long", 40, 8, True)


class Campaign:
    """Runs one scenario."""

    def __init__(self, scenario: Scenario, faults: Faults, form: Form) -> None:
        self.scenario = scenario
        self.faults = faults
        self.form = form
        self.result = Result(scenario.name, form.name)

    def run(self) -> Result:
        begun = time.monotonic()
        try:
            self.scenario.begin()
            counts = self.count()
            function = ""
            for fault in self.form.faults(self.scenario.role, counts):
                if not re.match(ONLY, str(fault)):
                    continue
                if function != fault.function and self.form.lasting:
                    self.guard(f"after {function}", self.scenario.check_rest)
                function = fault.function
                self.attempt(fault)
                if len(self.result.violations) >= VIOLATIONS_MAX:
                    break
            self.guard(f"after {function}", self.scenario.check_rest)
        finally:
            self.result.clients_served = self.scenario.served
            self.result.seconds = round(time.monotonic() - begun, 1)
            self.result.write()
        return self.result

    def count(self) -> dict[str, int]:
        """How often the operation calls each function, at least: the smaller of two numbers."""
        found = []
        for _ in range(2):
            self.scenario.prepare()
            self.faults.arm(self.scenario.role, None, ages=self.scenario.ages)
            assert self.scenario.operate(), "the operation fails without any fault"
            found.append(self.faults.counts())
            self.scenario.settle(0)
        return {name: min(found[0][name], found[1][name]) for name in found[0] if name in found[1]}

    def attempt(self, fault: Fault) -> None:
        begun = time.monotonic()
        self.result.tried += 1
        self.guard(str(fault), lambda: self.inject(fault))
        took = (round(time.monotonic() - begun, 2), str(fault))
        self.result.slowest = sorted([*self.result.slowest, took], reverse=True)[:5]

    def inject(self, fault: Fault) -> None:
        for repeat in range(REPEATS):
            self.scenario.prepare()
            if repeat == 0:
                self.faults.arm(self.scenario.role, fault.function, fault.number, fault.times, fault.error,
                                self.scenario.ages)
            else:
                self.faults.again()
            with self.ending(fault):
                succeeded = self.scenario.operate()
            hits = self.faults.hits
            self.faults.clear()
            self.result.operations_refused += not succeeded
            self.result.clients_of_failed_workers += self.scenario.settle(hits)
            if hits:
                self.result.hit += 1
                return
        assert self.faults.calls < fault.number, "it was not hit although the call was made"
        self.result.tried -= 1  # the call is not made any more: a chance that the count had caught

    @contextlib.contextmanager
    def ending(self, fault: Fault) -> Iterator[None]:
        """A fault that lasts ends after a while, whether or not the operation has."""
        if fault.times == 1:
            yield
            return
        end = threading.Timer(LASTING, self.faults.clear)
        end.start()
        try:
            yield
        finally:
            end.cancel()
            end.join()

    def place(self) -> str:
        return self.faults.place(CONTROL_PROGRAM if self.scenario.role == Role.CONTROL else BINARY)

    def guard(self, what: str, action: Callable[[], None]) -> None:
        """Do something that may find a violation; then all is made anew."""
        try:
            action()
        except (AssertionError, OSError, ValueError, KeyError, Timeout) as violation:
            self.result.violations.append(f"{what} at {self.place()}: {type(violation).__name__}: {violation}"[:1500])
            self.result.masters_lost += isinstance(violation, MasterLost)
            if isinstance(violation, ClientsLost):
                self.result.clients_lost += violation.count
            self.faults.clear()
            self.scenario.begin()
