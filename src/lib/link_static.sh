#!/bin/sh
# Make one archive of another, in which only the public functions can be seen: a program that is linked to it may use
# every other name itself. Arguments: the archive, the result, a directory for what is in between.
set -eu
archive=$(realpath "$1")
mkdir -p "$3"
cd "$(dirname "$2")"
result=$(basename "$2")
part=$(basename "$3")/prefork.o
ld -r --whole-archive -o "$part" "$archive"
objcopy --wildcard --keep-global-symbol='prefork_*' "$part"
rm -f "$result"
ar rcs "$result" "$part"
rm -f "$part"
