"""A terminal for programs that draw on one: a pty, and enough of a VT100 to tell what is on its screen.

    with terminal([CTL, "top"], rows=24, columns=80) as screen:
        screen.wait(r"POOL +STATE")
        screen.type(b"q")
        assert screen.end() == 0
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from daemon import Timeout, wait_until

TOKEN = re.compile(rb"\x1b\[([0-9;?]*)([@-~])|\x1b[()][0-9A-Za-z]|\x1b([=>78MDEc])|([\x00-\x1a\x1c-\x1f])|([^\x00-\x1f]+)")


class Screen:
    """What a VT100 would show: cells, a cursor, and the sequences that curses uses for it and for an xterm."""

    def __init__(self, rows: int, columns: int) -> None:
        self.resize(rows, columns)
        self.pending = b""
        self.last = " "
        self.colours: set[int] = set()  # 31 (red) to 37, ever

    def resize(self, rows: int, columns: int) -> None:
        old = getattr(self, "cells", [])
        self.rows, self.columns = rows, columns
        self.cells = [[old[y][x] if y < len(old) and x < len(old[y]) else " " for x in range(columns)]
                      for y in range(rows)]
        self.top, self.bottom = 0, rows - 1  # what scrolls
        self.y, self.x = min(getattr(self, "y", 0), rows - 1), min(getattr(self, "x", 0), columns - 1)

    def feed(self, data: bytes) -> None:
        data = self.pending + data
        at = 0
        while match := TOKEN.match(data, at):
            at = match.end()
            if match.group(2):
                self.sequence(match.group(2).decode(), [int(n) for n in match.group(1).split(b";") if n.isdigit()])
            elif match.group(4):
                self.control(match.group(4))
            elif match.group(5):
                for character in match.group(5).decode(errors="replace"):
                    self.put(character)
            elif match.group(3) == b"M":
                if self.y == self.top:
                    self.scroll(-1, self.top)
                self.y = max(self.y - (self.y != self.top), 0)
        self.pending = data[at:]
        assert len(self.pending) < 100, f"a sequence that this terminal does not know: {self.pending[:20]!r}"

    def put(self, character: str) -> None:
        if self.x >= self.columns:
            self.x, self.y = 0, min(self.y + 1, self.rows - 1)
        self.cells[self.y][self.x] = self.last = character
        self.x += 1

    def control(self, byte: bytes) -> None:
        if byte == b"\r":
            self.x = 0
        elif byte == b"\n" and self.y == self.bottom:
            self.scroll(1, self.top)
        elif byte == b"\n":
            self.y = min(self.y + 1, self.rows - 1)
        elif byte == b"\b":
            self.x = max(self.x - 1, 0)
        elif byte == b"\t":
            self.x = min((self.x // 8 + 1) * 8, self.columns - 1)

    def sequence(self, final: str, numbers: list[int]) -> None:
        first = numbers[0] if numbers else 0
        self.x = min(self.x, self.columns - 1)  # a line that is full wraps with the next character only
        if final == "H":
            self.y = min(max(first, 1), self.rows) - 1
            self.x = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self.columns) - 1
        elif final in "ABCD":
            steps = max(first, 1)
            self.y = min(max(self.y + {"A": -steps, "B": steps}.get(final, 0), 0), self.rows - 1)
            self.x = min(max(self.x + {"D": -steps, "C": steps}.get(final, 0), 0), self.columns - 1)
        elif final == "r":
            self.top, self.bottom = max(first, 1) - 1, (numbers[1] if len(numbers) > 1 else self.rows) - 1
            self.y = self.x = 0
        elif final in "STLM":
            self.scroll(max(first, 1) * (1 if final in "SM" else -1), self.top if final in "ST" else self.y)
        elif final == "d":
            self.y = min(max(first, 1), self.rows) - 1
        elif final == "G":
            self.x = min(max(first, 1), self.columns) - 1
        elif final == "m":
            self.colours |= {number for number in numbers if 31 <= number <= 37}
        elif final in "P@X":
            self.edit(final, max(first, 1))
        elif final == "b":
            for _ in range(first):
                self.put(self.last)
        elif final == "K":
            start, end = {0: (self.x, self.columns), 1: (0, self.x + 1)}.get(first, (0, self.columns))
            for x in range(start, min(end, self.columns)):
                self.cells[self.y][x] = " "
        elif final == "J":
            for y in range(self.y if first == 0 else 0, self.rows):
                for x in range(self.x if first == 0 and y == self.y else 0, self.columns):
                    self.cells[y][x] = " "

    def scroll(self, lines: int, top: int) -> None:
        """Move the lines from one to the end of the region up, or down."""
        part = self.cells[top:self.bottom + 1]
        blank = [[" "] * self.columns for _ in range(min(abs(lines), len(part)))]
        self.cells[top:self.bottom + 1] = part[lines:] + blank if lines > 0 else blank + part[:len(part) - len(blank)]

    def edit(self, final: str, count: int) -> None:
        """Take characters out of a line, put blanks into it, or in the place of characters."""
        row, x = self.cells[self.y], self.x
        count = min(count, self.columns - x)
        rest = {"P": row[x + count:] + [" "] * count, "@": [" "] * count + row[x:self.columns - count],
                "X": [" "] * count + row[x + count:]}
        row[x:] = rest[final]

    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.cells)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: Sequence[str | Path], rows: int, columns: int, term: str, locale: str) -> None:
        self.screen = Screen(rows, columns)
        self.drawn = 0  # bytes, ever
        self.status: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM=term, LC_ALL=locale)
            os.environ.pop("COLUMNS", None)
            os.environ.pop("LINES", None)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(command[0], [str(word) for word in command])

    def echoes(self) -> bool:
        """As a shell wants it: it echoes, and reads by the line."""
        return termios.tcgetattr(self.fd)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON

    def resize(self, rows: int, columns: int) -> None:
        self.read()
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def read(self) -> None:
        while select.select([self.fd], [], [], 0)[0]:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.drawn += len(chunk)
            self.screen.feed(chunk)

    def text(self) -> str:
        self.read()
        return self.screen.text()

    def wait(self, pattern: str, timeout: float = 10.0) -> None:
        """Wait until the screen shows it."""
        try:
            wait_until(lambda: re.search(pattern, self.text(), re.MULTILINE), f"/{pattern}/ on the screen", timeout)
        except Timeout:
            raise Timeout(f"/{pattern}/ is not on the screen:\n{self.text()}") from None

    def end(self, timeout: float = 10.0) -> int:
        """Its exit status."""

        def ended() -> bool:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
            return bool(pid)

        wait_until(ended, "the end of the program", timeout)
        assert self.status is not None
        return self.status

    def close(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextmanager
def terminal(command: Sequence[str | Path], rows: int = 24, columns: int = 100,
             term: str = "vt100", locale: str = "C") -> Iterator[Terminal]:
    program = Terminal(command, rows, columns, term, locale)
    try:
        yield program
    finally:
        program.close()
