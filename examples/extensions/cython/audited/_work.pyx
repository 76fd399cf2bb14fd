# SPDX-License-Identifier: Apache-2.0
# cython: language_level=3
"""Asks libcctx itself, with the GIL and without it."""

cdef extern from "cctx.h" nogil:
    ctypedef struct cctx:
        pass
    cctx *cctx_current()
    int cctx_err(const cctx *ctx)
    const char *cctx_metadata(const cctx *ctx, const char *name, size_t *len)


cdef bytes tenant_of(const cctx *ctx):
    cdef size_t size = 0
    cdef const char *text = cctx_metadata(ctx, b"tenant", &size)
    return text[:size] if text != NULL else b"nobody"


def describe():
    """Whose request this is, and whether it goes on."""
    cdef const cctx *ctx = cctx_current()  # borrowed until script code runs
    cdef int err = cctx_err(ctx)
    return f"{tenant_of(ctx).decode()} {'stop' if err else 'go on'}"


def describe_without_gil():
    """The same, asked where other threads may run Python."""
    cdef const cctx *ctx
    cdef const char *text
    cdef size_t size = 0
    cdef int err
    with nogil:
        ctx = cctx_current()
        err = cctx_err(ctx)
        text = cctx_metadata(ctx, b"tenant", &size)
    tenant = text[:size].decode() if text != NULL else "nobody"
    return f"{tenant} {'stop' if err else 'go on'}"
