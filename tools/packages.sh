# shellcheck shell=bash
# Debian packages: which are missing, and how they get here. Sourced by ./check and ./quickstart.
#
# One place says what is needed: whoever adds a dependency to meson.build adds its package here.

# What it takes to build and run the daemon.
# shellcheck disable=SC2034 # used by those who source this
build_packages=(gcc libc6-dev meson ninja-build pkgconf libev-dev libinih-dev libbsd-dev libjansson-dev libncurses-dev
        libsystemd-dev libmicrohttpd-dev)
# What the quick start shows things with.
# shellcheck disable=SC2034
demo_packages=(netcat-openbsd)
# What the tests need besides.
# shellcheck disable=SC2034
test_packages=(libcmocka-dev python3 python3-pytest python3-pytest-xdist git binutils mandoc systemd iproute2 procps perl
        php-cli php-cgi nginx-light fcgiwrap libfcgi-perl gunicorn tftpd-hpa tftp-hpa apache2-utils clang-format clang-tidy
        spin ruby rsync haproxy libnginx-mod-stream subversion vsftpd ucspi-tcp tcpd curl
        prometheus)
# What only `./check --fuzz` needs.
# shellcheck disable=SC2034
fuzz_packages=(clang libclang-rt-14-dev)
# What only `./check --long` needs. (A browser is half a gigabyte.)
# shellcheck disable=SC2034
long_test_packages=(valgrind libasan8 libubsan1 chromium chromium-driver)

# Runs as root, in a shell of its own, with the packages as arguments. A service that comes with a package stays down:
# RUNLEVEL=1 tells invoke-rc.d so, and a policy (removed again, where there was none) tells everybody else. Lists may be
# missing (fresh images have none) or stale, hence the update before the first and the second attempt.
# shellcheck disable=SC2016 # expanded by that shell
install_script='
set -eu
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
        trap "rm -f $policy" EXIT
        trap "exit 1" HUP INT TERM
        printf "#!/bin/sh\nexit 101\n" >"$policy"
        chmod 755 "$policy"
fi
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt-get update
apt-get install -y --no-install-recommends "$@" || {
        apt-get update
        apt-get install -y --no-install-recommends "$@"
}
'

# Print those of the given packages that are not installed, one a line.
missing_packages() {
        local package
        for package in "$@"; do
                dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
                        printf '%s\n' "$package"
        done
}

# Install what is missing, as root or by sudo. Where neither is to be had, print the one line that does it and fail.
ensure_packages() {
        local missing
        if ! command -v dpkg-query >/dev/null; then
                printf 'This is no Debian system; going on in the hope that these are here: %s\n' "$*" >&2
                return 0
        fi
        mapfile -t missing < <(missing_packages "$@")
        [ ${#missing[@]} -gt 0 ] || return 0
        printf 'Installing: %s\n' "${missing[*]}"
        if [ "$(id -u)" -eq 0 ]; then
                sh -c "$install_script" sh "${missing[@]}" && return 0
        elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
                # Without a terminal sudo could only hang or fail at its question for a password.
                sudo sh -c "$install_script" sh "${missing[@]}" && return 0
        fi
        printf 'Packages are missing. Please run this, then try again:\n\n  %s\n\n' \
                "su -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'" >&2
        return 1
}
