# SPDX-License-Identifier: Apache-2.0
"""The part of `cctx run` that is written in Python: a script as __main__, and its end."""

import os
import signal
import sys
import threading

import cctx

STOPPED = 256  # instead of an exit status: the deadline stopped the script

_context = None
_over = False  # nothing is left to be stopped


def _raise_deadline(number, frame):
    if not _over:
        _context.check()


def prepare(context, number):
    """Take the alarm: signal `number` stops whatever the main thread does."""
    global _context
    _context = context
    signal.signal(number, _raise_deadline)
    name = "python%d.%d" % sys.version_info[:2]
    executable = os.path.join(sys.base_exec_prefix, "bin", name)
    sys.executable = executable if os.path.exists(executable) else ""


def _execute(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    main = sys.modules["__main__"]
    main.__file__ = path
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)


def _show(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _exit_status(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _run_to_end(path):
    try:
        _execute(path)
    except SystemExit as error:
        return _exit_status(error.code)
    except KeyboardInterrupt as error:
        _show(error)
        return 130
    except BaseException as error:
        if isinstance(error, cctx.DeadlineExceeded) and _context.remaining() == 0:
            raise
        _show(error)
        return 1
    return 0


def _join_threads():
    """As the interpreter's end does, but while the alarm can still stop it."""
    me = threading.current_thread()
    while True:
        threads = [t for t in threading.enumerate() if t is not me and not t.daemon]
        if not threads:
            return
        threads[0].join()


def run(path):
    """The exit status of the script, or STOPPED."""
    global _over
    try:
        status = _run_to_end(path)
        _join_threads()
        return status
    except cctx.DeadlineExceeded:
        return STOPPED
    finally:
        _over = True
