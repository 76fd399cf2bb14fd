# SPDX-License-Identifier: Apache-2.0
"""Cannot be loaded."""

raise ValueError("this file does not want to be loaded")
