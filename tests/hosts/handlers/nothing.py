# SPDX-License-Identifier: Apache-2.0
"""Can be loaded, and has no handler."""
