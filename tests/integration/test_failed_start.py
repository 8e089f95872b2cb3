"""A start that fails says why, whatever is short: also before there is a log."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import BINARY, SLOW, binary_for_everybody, clean_environment, format_config, tcp4
from forbidden import fail, needs_to_forbid


def start(directory: Path, before: Callable[[], None], binary: Path = BINARY) -> subprocess.CompletedProcess[str]:
    """A start that fails; what it says on stderr."""
    config = directory / "preforkd.conf"
    config.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat"}}))
    result = subprocess.run([binary, "-c", config], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            preexec_fn=before, env=clean_environment(), timeout=20 * SLOW, check=False)
    assert result.returncode > 0, result
    return result


@pytest.mark.parametrize("descriptors", range(4, 12))
def test_without_descriptors(tmp_path: Path, descriptors: int) -> None:
    result = start(tmp_path, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
    if result.returncode != 127:  # 127: the loader of programs has said it
        assert os.strerror(errno.EMFILE) in result.stderr or "open files" in result.stderr


@pytest.mark.parametrize("bytes_of_a_file", [0, 100])
def test_with_a_limit_on_the_size_of_files(tmp_path: Path, bytes_of_a_file: int) -> None:
    result = start(tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_of_a_file, bytes_of_a_file)))
    assert os.strerror(errno.EFBIG) in result.stderr


@needs_to_forbid
def test_without_what_the_configuration_is_read_by(tmp_path: Path) -> None:
    """The error alone ("Function not implemented") would leave people to guess."""
    result = start(tmp_path, fail(errno.ENOSYS, "memfd_create"))
    assert f"cannot start reading the configuration: {os.strerror(errno.ENOSYS)}\n" in result.stderr


def test_without_a_log(tmp_path: Path, as_root: None) -> None:
    """Stderr is another user's pipe, which takes two descriptors to write to, and only one is left."""
    binary, nobody = binary_for_everybody(tmp_path), pwd.getpwnam("nobody")

    def become_nobody() -> None:
        os.setgroups([])
        os.setuid(nobody.pw_uid)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    result = start(tmp_path, become_nobody, binary)
    assert result.stderr == f"preforkd: error: cannot start: {os.strerror(errno.EMFILE)}\n"


@pytest.mark.parametrize("option", ["--version", "--help", "--help-config", "-T"])
def test_a_full_disk_for_the_output(tmp_path: Path, option: str) -> None:
    config = tmp_path / "preforkd.conf"
    config.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat"}}))
    with open("/dev/full", "wb") as full:
        result = subprocess.run([BINARY, option, *(["-c", config] if option == "-T" else [])], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=20 * SLOW, check=False)
    assert result.returncode == 1
    assert os.strerror(errno.ENOSPC) in result.stderr
