#!/usr/bin/env bash
# Installs a build and builds and tests the C++ example against what was installed: check_package.sh BUILD_DIR
set -euo pipefail
build=$(realpath "$1")
work=$build/package
rm -rf "$work"
cmake --install "$build" --prefix "$work/prefix" >/dev/null
cmake -S "$(dirname "$0")/../examples/cpp" -B "$work/example" -G Ninja \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/example"
ctest --test-dir "$work/example" --output-on-failure --no-tests=error
