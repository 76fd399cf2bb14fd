# SPDX-License-Identifier: Apache-2.0
"""One context for a request: metadata, deadline, cancellation.

    import cctx

    def handler():
        print(cctx.metadata("tenant"), cctx.remaining())
        cctx.check()                          # raises once the work should stop
        with cctx.use(cctx.current().with_timeout(0.1)):
            step()                            # sees 100 ms at most, in Python, C and Lua

A context follows the code as a contextvars.ContextVar does: tasks and copies of
the running contextvars.Context inherit it. Times are seconds.
"""

from cctx import _load

_load.load_extension()  # before all that needs it

from cctx._backup import Recovered, SessionInfo, recover, sessions
from cctx._cctx import (
    Canceled,
    Cause,
    Context,
    DeadlineExceeded,
    Observer,
    Policy,
    SessionManager,
    __version__,
    alive,
    background,
    backup,
    backup_mistakes,
    backup_options,
    can_be_done,
    cause,
    check,
    check_egress,
    current,
    current_status,
    deadline,
    err,
    extract,
    inject,
    metadata,
    metadata_pairs,
    metadata_scope,
    remaining,
    request,
    response,
    response_receive,
    response_set,
    session,
    session_state,
    stale_detaches,
    todo,
    use,
    value,
)
from cctx._handover import wrap
from cctx._install import Installation, install
from cctx._keys import Key
from cctx._paths import get_include, get_libraries, get_library_dirs
from cctx._scopes import cancel_scope, detached, timeout, timeout_at
from cctx._threads import Executor, Thread
from cctx._vars import Binding, bind_var

__all__ = [
    "Binding",
    "Canceled",
    "Cause",
    "Context",
    "DeadlineExceeded",
    "Executor",
    "Installation",
    "Key",
    "Observer",
    "Policy",
    "Recovered",
    "SessionInfo",
    "SessionManager",
    "Thread",
    "alive",
    "background",
    "backup",
    "backup_mistakes",
    "backup_options",
    "bind_var",
    "can_be_done",
    "cancel_scope",
    "cause",
    "check",
    "check_egress",
    "current",
    "current_status",
    "deadline",
    "detached",
    "err",
    "extract",
    "get_include",
    "get_libraries",
    "get_library_dirs",
    "inject",
    "install",
    "metadata",
    "metadata_pairs",
    "metadata_scope",
    "recover",
    "remaining",
    "request",
    "response",
    "response_receive",
    "response_set",
    "session",
    "session_state",
    "sessions",
    "stale_detaches",
    "timeout",
    "timeout_at",
    "todo",
    "use",
    "value",
    "wrap",
]
