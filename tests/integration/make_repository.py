#!/usr/bin/python3
"""Make a git repository with a history, always the same one: `make_repository.py DIRECTORY [COMMITS]`.

Text that grows and changes, binary files, deep directories, executable files, links, branches and tags: a pack that
takes git some work and whose bytes are worth comparing. Fed to `git fast-import`, so a thousand commits take no time.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

CLEAN = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def stream(commits: int) -> bytes:
    """The history as fast-import wants it."""
    dice = random.Random(7007)
    out: list[bytes] = []

    def data(content: bytes) -> None:
        out.append(b"data %d\n%s\n" % (len(content), content))

    def put(mode: bytes, path: str, content: bytes) -> None:
        out.append(b"M %s inline %s\n" % (mode, path.encode()))
        data(content)

    lines: list[str] = []
    for number in range(1, commits + 1):
        branch = b"refs/heads/side" if number % 5 == 0 else b"refs/heads/main"
        out.append(b"commit %s\nmark :%d\n" % (branch, number))
        out.append(b"committer A Committer <committer@example.org> %d +0000\n" % (1600000000 + number * 3600))
        data(f"Commit {number}\n\nBecause {dice.random()}.\n".encode())
        if number > 1:
            # The side branch goes on from main again and again, as branches do.
            parent = number - 1 if number % 5 != 1 else number - 2
            out.append(b"from :%d\n" % max(parent, 1))
        lines.insert(dice.randint(0, len(lines)), f"line {number} of {dice.getrandbits(64):x}")
        put(b"100644", "text/story.txt", "\n".join(lines).encode() + b"\n")
        put(b"100644", f"deep/{number % 7}/{number % 11}/file{number}.bin", dice.randbytes(dice.randint(0, 20000)))
        if number % 10 == 0:
            put(b"100755", f"bin/run{number}", b"#!/bin/sh\nexit 0\n")
            put(b"120000", f"link{number}", b"text/story.txt")
        if number % 25 == 0:
            out.append(b"tag v%d\nfrom :%d\ntagger A Tagger <tagger@example.org> %d +0000\n"
                       % (number, number, 1600000000 + number * 3600))
            data(f"Version {number}\n".encode())
    return b"".join(out)


def make_repository(directory: Path, commits: int = 200) -> None:
    """A bare repository that git daemon may export."""
    def git(*arguments: str, **options: object) -> None:
        subprocess.run(["git", "-C", str(directory), *arguments], check=True, env=CLEAN, capture_output=True,
                       **options)  # type: ignore[call-overload]

    directory.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main")
    git("fast-import", "--quiet", input=stream(commits))
    git("repack", "-a", "-d", "--quiet")
    (directory / "git-daemon-export-ok").touch()


if __name__ == "__main__":
    make_repository(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
