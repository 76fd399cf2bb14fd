# SPDX-License-Identifier: Apache-2.0
import contextvars
import threading

import cctx


def handler(query, table):
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(audit, cctx.current())).start()
    return f"{query(table)}, says Python to {cctx.metadata('tenant')}"


def audit(request):
    request.wait()  # so it is late: the request has ended
    seen = f"{cctx.current_status()}, {cctx.metadata('tenant')}"
    print(f"late: {seen}; was {request.metadata('tenant')}, {request.err()}", flush=True)
