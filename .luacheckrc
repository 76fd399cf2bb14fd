-- SPDX-License-Identifier: Apache-2.0
std = "lua54"
max_line_length = 92
-- `local _ <close> = ctx:attach()` is used by being there.
ignore = { "211/_.*" }
exclude_files = { "build", ".venv" }
