#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the core's test programs of one build tree where pytest cannot: under an emulator, or
# under valgrind.
#
# usage: run_core.sh TREE SKIP [COMMAND...]
#
# SKIP is an extended regular expression over "program test"; what matches is left out.
# Each program is run once, behind COMMAND, with all the tests that are left.
set -eu

tree=$1 skip=$2
shift 2
seconds=120 # for one program
passed=0 failed=0 left_out=0
log=$tree/run_core.log

for program in "$tree"/tests/core/test_*; do
  [ -x "$program" ] || continue
  name=$(basename "$program")
  all=$("$@" "$program" --list)
  tests=$(echo "$all" | sed "s/^/$name /" | grep -Ev "$skip" | cut -d' ' -f2) || true
  left_out=$((left_out + $(echo "$all" | wc -l) - $(echo "$tests" | grep -c . || true)))
  [ -n "$tests" ] || continue
  status=0
  # shellcheck disable=SC2086
  timeout "$seconds" "$@" "$program" $tests >"$log" 2>&1 || status=$?
  passed=$((passed + $(grep -c '^PASS' "$log" || true)))
  case $status in
    0 | 77) continue ;;
    124) echo "$name: over $seconds s" ;;
    *) echo "$name: exit status $status" ;;
  esac
  grep -v '^PASS' "$log" | head -n 60 || true
  failed=$((failed + 1))
done
echo "$passed tests passed, $left_out left out; $failed programs failed"
[ "$passed" -gt 0 ] && [ "$failed" = 0 ]
