"""The injector meets every function of libc that can fail, and its table agrees with it."""

from __future__ import annotations

import errno
import re
import subprocess
from pathlib import Path

import pytest

from campaign import CONTROL_PROGRAM
from daemon import BINARY, run_preforkd
from faults import ERRORS, INJECTOR, NAMES, Age, Faults, Role, needs_plain_build, numbers

# What programs import from libc that does not fail, whatever happens to the machine, or whose failure is a NULL of
# malloc(3), which is met there. What dlopen(3) loads, and how that fails, is tested with modules.
CANNOT_FAIL = set("""
    __assert_fail alphasort64 __asprintf_chk __ctype_b_loc __ctype_tolower_loc __cxa_finalize __dprintf_chk __environ __errno_location
    __tls_get_addr __explicit_bzero_chk __fprintf_chk __libc_start_main __memcpy_chk __memmove_chk __snprintf_chk __stack_chk_fail __vsnprintf_chk _exit abort alarm
    asprintf clock_gettime dirfd dlerror dlopen dlsym dprintf environ explicit_bzero feof fprintf free getegid getenv geteuid getpid getppid getsid gettid getuid glob64
    globfree64 getauxval gmtime_r group_member if_indextoname inet_ntop inet_pton isatty localtime_r malloc_usable_size memchr
    memcmp memcpy memmove memrchr memset mktime nanosleep pthread_barrier_init pthread_barrier_wait
    nl_langinfo pthread_join pthread_sigmask qsort qsort_r raise sched_yield setfsgid setfsuid setlocale sigaddset sigdelset sigemptyset
    sigfillset sigismember snprintf stderr stdout strcasecmp strchr strcmp strcspn strdup strerror strftime strlen
    strncasecmp strncmp strndup strnlen strpbrk strptime strrchr strsep strsignal strspn strstr strtok_r strtol strtoul strtoull sysconf tgkill time tzset umask
    unsetenv vsnprintf
""".split())


def symbols(path: Path, *options: str) -> set[str]:
    """Of libc, or of the file itself."""
    output = subprocess.run(["nm", "-D", *options, str(path)], capture_output=True, text=True, check=True).stdout
    words = [line.split()[-1] for line in output.splitlines() if line.split()]
    return {re.sub("@.*", "", word) for word in words if "@" not in word or "GLIBC" in word}


def test_every_function_of_the_table_is_wrapped() -> None:
    needs_plain_build()
    assert set(NAMES) <= symbols(INJECTOR, "--defined-only")
    assert set(ERRORS) == set(NAMES) and sorted(NAMES) == NAMES
    assert len(NAMES) >= 70


@pytest.mark.parametrize("program", [BINARY, CONTROL_PROGRAM])
def test_every_function_that_is_used_is_in_the_table(program: Path) -> None:
    """One that is new must be wrapped, or argued to be one that cannot fail."""
    needs_plain_build()
    used = {name for name in symbols(program, "--undefined-only") if not name.startswith(("_ITM_", "__gmon"))}
    ours = {name for name in used if not re.match(r"ini_|ev_|json_|sd_|setproctitle", name)}
    assert ours - set(NAMES) - CANNOT_FAIL == set()


def test_a_fault_is_hit_once(faults: Faults) -> None:
    faults.arm(Role.MASTER, "fputs", 1, error=errno.ENOSPC, ages=Age.SINCE)
    failed = run_preforkd("--help-config", env=faults.environment())
    assert faults.hits == 1 and failed.returncode != 0 and failed.stderr
    faults.arm(Role.MASTER, "malloc", 1_000_000, ages=Age.SINCE)
    assert run_preforkd("--help-config", env=faults.environment()).returncode == 0
    assert faults.hits == 0 and faults.counts()["malloc"] > 3
    faults.arm(Role.WORKER, "malloc", 1, ages=Age.SINCE)
    assert run_preforkd("--help-config", env=faults.environment()).returncode == 0
    assert faults.hits == 0 and not faults.counts()


def test_which_numbers_are_tried() -> None:
    assert numbers(0, 9) == [] and numbers(3, 9) == [1, 2, 3] and numbers(1000, 2) == [1, 1000]
    assert numbers(100, 40)[:14] == list(range(1, 15)) and numbers(100, 40)[-1] == 100
