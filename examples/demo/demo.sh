#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows cctx at work; ./dev demo runs it, with CCTX_BUILD naming the build tree.
set -eu
exec "${PYTHON:-python3}" "$(dirname "$0")/demo.py" "$@"
