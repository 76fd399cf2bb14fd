-- SPDX-License-Identifier: Apache-2.0
std = "max" -- what any Lua has
max_line_length = 92
-- `local _ <close> = ctx:attach()` is used by being there.
ignore = { "211/_.*" }
exclude_files = { "build", ".venv" }
