# SPDX-License-Identifier: Apache-2.0
"""Work that says for whom it is done, in Cython."""

import cctx  # noqa: F401  first: it brings the library that the extension links

from audited._work import describe, describe_without_gil

__all__ = ["describe", "describe_without_gil"]
