"""Faults that are injected into a running daemon and the programs that it executes; see inject.c."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import BINARY, clean_environment

INJECTOR = BINARY.parents[2] / "tests/faults/inject.so"


@dataclass
class Faults:
    """What fails, for processes that are executed from now on."""

    path: Path

    def environment(self) -> dict[str, str]:
        return {**clean_environment(), "LD_PRELOAD": str(INJECTOR), "FAULTS": str(self.path)}

    def set(self, role: str, function: str, number: int, times: int = 1, error: int = errno.ENOMEM) -> None:
        """The n-th call fails, and those after it as often as `times` says."""
        self.hits_path.unlink(missing_ok=True)
        self.path.write_text(f"{role} {function} {number} {times} {error}\n")

    def clear(self) -> None:
        self.path.write_text("")

    @property
    def hits_path(self) -> Path:
        return self.path.with_name(self.path.name + ".hits")

    @property
    def hits(self) -> int:
        """How many calls have failed since set()."""
        return self.hits_path.stat().st_size if self.hits_path.exists() else 0


def numbers(thorough: bool) -> list[int]:
    """Which calls fail: the first ones, and then ever fewer; with `thorough` each of the first 14, and more of the rest."""
    found = list(range(1, 15)) if thorough else [1, 2, 3, 5, 8, 13]
    while found[-1] < 20000:
        found.append(found[-1] * (7 if thorough else 9) // 5)
    return found


def needs_plain_build() -> None:
    """A sanitizer wraps the same functions, and wants to be loaded first."""
    if b"__asan_init" in BINARY.read_bytes():
        pytest.skip("needs a build without sanitizers")
