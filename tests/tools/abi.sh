#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails if libcctx.so.0 of a build tree lacks or has changed what the last release had.
#
# Usage: abi.sh BUILD. A release is a tag like v0.1.0; it is built from its own sources.
set -eu
new=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
if [ -z "$tag" ]; then
  echo "no release is tagged yet: there is nothing to compare with"
  exit 0
fi
command -v abidiff >/dev/null || {
  echo "abidiff is missing; install libabigail's tools" >&2
  exit 1
}
old=$new/abi-$tag
if [ ! -e "$old/build/libcctx.so" ]; then
  mkdir -p "$old/source"
  git archive "$tag" | tar -x -C "$old/source"
  cmake -S "$old/source" -B "$old/build" -G Ninja -DCCTX_CORE=ON >/dev/null
  cmake --build "$old/build" --target cctx >/dev/null
fi
if [ "$(readlink "$old/build/libcctx.so")" != "$(readlink "$new/libcctx.so")" ]; then
  echo "the library has another number than in $tag: it need not be compatible"
  exit 0
fi
echo "compared with $tag; what is new is not shown"
# Types that no public header has may change.
exec abidiff --no-added-syms --drop-private-types \
  --headers-dir1 "$old/source/core/include" --headers-dir2 core/include \
  "$old/build/libcctx.so" "$new/libcctx.so"
