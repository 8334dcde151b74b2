#!/usr/bin/env python3
"""Fails unless a shared library is what an ahead-of-time user should have to link: check_runtime_library.py LIBRARY.

Under 1 MB, needing only the C and C++ libraries, exporting only the public API.
"""
import os
import re
import subprocess
import sys

LIMIT = 1 << 20
NEEDED = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2"}
EXPORTED = re.compile(r"^(lapis_|lapis::|(vtable|typeinfo|typeinfo name) for lapis::)")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def findings(library):
    size = os.path.getsize(library)
    if size >= LIMIT:
        yield f"is {size} bytes, which is not under {LIMIT}"
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "-dW", library)):
        if name not in NEEDED:
            yield f"needs {name}"
    exported = [line.split(maxsplit=2)[2] for line in output_of("nm", "-DC", "--defined-only", library).splitlines()]
    if not exported:
        yield "exports nothing"
    for symbol in exported:
        if not EXPORTED.match(symbol):
            yield f"exports {symbol}"


if __name__ == "__main__":
    found = list(findings(sys.argv[1]))
    print("\n".join(f"{sys.argv[1]} {finding}" for finding in found) or "as small and closed as promised")
    sys.exit(bool(found))
