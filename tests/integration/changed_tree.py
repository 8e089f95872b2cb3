"""Programs built from this tree with changes: what the next version of preforkd could be, or what a recipe leads to.

A changed tree is a copy that is kept beside the build directory and built again only where it differs. Several test
processes may ask for the same one: the first builds it, the others wait.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon import BINARY, ROOT

BUILD = BINARY.parents[2]
# What the daemon, preforkctl and the manuals are built from.
PARTS = ("src", "include", "man", "etc", "share", "examples", "systemd", "meson.build", "meson_options.txt", "LICENSE",
         "README.md")


@dataclass(frozen=True)
class Change:
    """In `file`: put `text` before or after the only place where `at` (a regular expression) matches, or in its place.

    `\\1` and its kind in `text` are groups of `at`. An empty `at` makes a new file.
    """

    file: str
    at: str
    text: str
    where: str = "after"  # "before", "instead"

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        if not self.at:
            assert not path.exists(), f"{self.file} is there already"
            path.write_text(self.text)
            return
        code = path.read_text()
        found = list(re.finditer(self.at, code, re.MULTILINE | re.DOTALL))
        assert len(found) == 1, f"{self.file}: {self.at!r} matches {len(found)} times"
        text = found[0].expand(self.text.replace("\\n", "\\\\n"))
        start, end = found[0].span()
        keep = code[start:end]
        changed = {"after": keep + text, "before": text + keep, "instead": text}[self.where]
        path.write_text(code[:start] + changed + code[end:])


@dataclass(frozen=True)
class Programs:
    """What a changed tree was built into."""

    preforkd: Path
    preforkctl: Path
    manuals: Path


def run(*arguments: str | Path) -> None:
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(map(str, arguments))}:\n{result.stdout[-4000:]}"


def copy_if_changed(source: str, target: str) -> None:
    """A file that is as before keeps its time, so that nothing is built for it again."""
    if not Path(target).exists() or Path(source).read_bytes() != Path(target).read_bytes():
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def lay(tree: Path, changes: Sequence[Change]) -> None:
    """The tree with its changes, at `tree`; what is there and the same is left alone."""
    fresh = tree.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, fresh / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, fresh / part)
    for change in changes:
        change.apply(fresh)
    for old in tree.rglob("*") if tree.exists() else ():
        if old.is_file() and not (fresh / old.relative_to(tree)).exists():
            old.unlink()
    shutil.copytree(fresh, tree, copy_function=copy_if_changed, dirs_exist_ok=True)
    shutil.rmtree(fresh)


def build_changed(name: str, changes: Sequence[Change], options: Mapping[str, str] | None = None) -> Programs:
    """Build this tree with `changes` under a name that stands for them."""
    place = BUILD / "changed" / name
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree, build = place / "tree", place / "build"
        lay(tree, changes)
        given = [f"-D{key}={value}" for key, value in (options or {}).items()]
        if not (build / "build.ninja").exists():
            shutil.rmtree(build, ignore_errors=True)
            run("meson", "setup", build, tree, "-Dtests=false", "-Dwerror=true", "--buildtype=plain", *given)
        run("meson", "compile", "-C", build)
    return Programs(build / "src/bin/preforkd", build / "src/ctl/preforkctl", build / "man")
