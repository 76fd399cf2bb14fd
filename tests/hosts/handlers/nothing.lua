-- SPDX-License-Identifier: Apache-2.0
-- Compiles, and returns no handler.
return 42
