# SPDX-License-Identifier: Apache-2.0
"""What joins cctx to other libraries: a module for each, imported by who has the library."""
