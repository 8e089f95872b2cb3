#!/usr/bin/python3
"""Static analysis: `tidy.py [--deep] BUILD` runs clang-tidy over every source that the build directory BUILD compiles.

`.clang-tidy` says what it looks for. clang's analyzer follows a function through a quarter of the states that it would
by itself, which takes half of the time; with --deep through all. Prints what it finds and exits 1 if that is anything. A file that was clean is not
looked at again until something that goes into the analysis changes: the file, a header it includes, its flags, the
checks or clang-tidy itself. BUILD must be up to date, because ninja knows the headers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


SHALLOW = ["--extra-arg=-Xclang", "--extra-arg=-analyzer-config", "--extra-arg=-Xclang", "--extra-arg=max-nodes=60000"]


@dataclass
class Unit:
    """One compilation."""

    source: Path
    command: str
    inputs: list[Path]  # the source and its headers; empty: not known


def read_inputs(build: Path) -> dict[str, list[Path]]:
    """The files that went into each object, by ninja's notes."""
    notes = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    inputs: dict[str, list[Path]] = {}
    files: list[Path] = []
    for line in notes.splitlines():
        if line.startswith("    "):
            files.append(build / line.strip())
        elif ": #deps" in line:
            files = inputs[line.split(": #deps")[0]] = []
    return inputs


def read_units(build: Path) -> list[Unit]:
    """What is compiled, each source once."""
    inputs = read_inputs(build)
    entries = json.loads((build / "compile_commands.json").read_text())
    units = {(build / entry["file"]).resolve(): entry for entry in entries if entry["file"].endswith(".c")}
    return [Unit(source, entry["command"], inputs.get(entry["output"], [])) for source, entry in sorted(units.items())]


@functools.cache
def digest(path: Path) -> bytes:
    """Of the contents of a file."""
    return hashlib.sha256(path.read_bytes()).digest()


def key_of(unit: Unit, version: bytes, options: list[str]) -> str:
    """Differs when the result may differ."""
    key = hashlib.sha256(version + " ".join([unit.command, *options]).encode())
    settings = [path for folder in unit.source.parents if (path := folder / ".clang-tidy").exists()]
    for path in settings + sorted(unit.inputs):
        key.update(os.fsencode(path) + digest(path))
    return key.hexdigest()


def analyse(unit: Unit, build: Path, options: list[str]) -> str:
    """What is wrong with a file; "" if nothing is."""
    # The warnings that the build asks for are gcc's; clang-tidy would show clang's if they were errors.
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", "--extra-arg=-Wno-error", *options, unit.source],
                          check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return ""
    # On stderr it counts the warnings of checks that are off. If it died, its reason is there.
    return done.stdout.strip() or f"{unit.source}: clang-tidy ended with {done.returncode}: {done.stderr.strip()}"


def main(build: Path, options: list[str]) -> int:
    """Analyse what has changed, on every processor."""
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    version += digest(Path(__file__))
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)

    def check(unit: Unit) -> tuple[str, bool]:
        """(what is wrong, whether it was looked at)"""
        stamp = stamps / hashlib.sha256(os.fsencode(unit.source) + " ".join(options).encode()).hexdigest()
        key = key_of(unit, version, options) if unit.inputs else ""
        if key and stamp.exists() and stamp.read_text() == key:
            return "", False
        findings = analyse(unit, build, options)
        if not findings:
            stamp.write_text(key)
        return findings, True

    units = read_units(build)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(check, units))
    findings = [text for text, _ in results if text]
    for text in findings:
        print(text)
    print(f"{len(units)} files, {sum(looked for _, looked in results)} of them new or changed, "
          f"{len(findings)} with findings")
    return 1 if findings or not units else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[-1]).resolve(), [] if sys.argv[1] == "--deep" else SHALLOW))
