#!/usr/bin/env python3
"""The style and the script of the page as C, and the policy that allows these two and nothing else.

    embed.py page.css page.js OUTPUT.c

A browser compares the hash of what stands between the tags with the policy, so both are made of the same bytes here.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path


def array(name: str, data: bytes) -> str:
    numbers = ", ".join(str(byte) for byte in data + b"\0")
    return f"const char {name}[] = {{{numbers}}};\n"


def source_of(data: bytes) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode() + "'"


def main() -> None:
    style_file, script_file, output = (Path(name) for name in sys.argv[1:])
    style, script = style_file.read_bytes(), script_file.read_bytes()
    for file, data in ((style_file, style), (script_file, script)):
        # ASCII: bytes beyond would be negative. Nothing that ends the element, and no CR, which a browser would drop.
        if not data.isascii() or b"</" in data or b"<!--" in data or b"\r" in data or b"\0" in data:
            sys.exit(f"{file}: expected ASCII without </, <!--, CR and NUL")
    policy = (f"default-src 'none'; style-src {source_of(style)}; script-src {source_of(script)}; connect-src 'self'; "
              "img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
    output.write_text('#include "web/page_files.h"\n\n' + array("page_style", style) + array("page_script", script)
                      + array("page_policy", policy.encode()))


main()
