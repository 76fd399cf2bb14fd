/* SPDX-License-Identifier: Apache-2.0 */
/* The Python workers: one interpreter, and for each thread an event loop, which worker.py
 * drives. */
#define PY_SSIZE_T_CLEAN
#include "python.h"

#include <stdio.h>

#include "server.h"
#include "ticket.h"
#include "worker_py.h"

static const struct cctx_py_api *cctx_py;
static PyThreadState *main_state; /* of the thread that started Python */
static PyObject *worker_class;

/* [(index, file), ...] */
static PyObject *list_routes(const struct server *server) {
  PyObject *list = PyList_New(0);
  for (size_t i = 0; list && i < server->routes_n; i++) {
    if (server->routes[i].language != LANGUAGE_PYTHON) continue;
    PyObject *file = PyUnicode_DecodeFSDefault(server->routes[i].file);
    PyObject *item = file ? Py_BuildValue("(nN)", (Py_ssize_t)i, file) : NULL;
    if (!item || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

/* A loaded Worker, or NULL with an exception. The routes are loaded under background. */
static PyObject *load_worker(const struct server *server) {
  PyObject *routes = list_routes(server);
  PyObject *args = routes ? PyTuple_Pack(1, routes) : NULL;
  PyObject *worker =
      args ? cctx_py->call(cctx_background(), NULL, worker_class, args, NULL) : NULL;
  Py_XDECREF(args);
  Py_XDECREF(routes);
  return worker;
}

static void run_worker(PyObject *worker) {
  PyObject *run = PyObject_GetAttrString(worker, "run");
  PyObject *result = run ? cctx_py->call(cctx_background(), NULL, run, NULL, NULL) : NULL;
  if (!result) PyErr_Print();
  Py_XDECREF(result);
  Py_XDECREF(run);
}

/* The thread keeps one thread state for its whole life. */
static void work(struct crew *crew, void *server) {
  char why[512];
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *worker = load_worker(server);
  if (worker) {
    crew_ready(crew);
    run_worker(worker);
    Py_DECREF(worker);
  } else {
    python_explain(why, sizeof why);
    crew_fail(crew, why);
  }
  PyGILState_Release(state);
}

bool python_workers_start(struct server *server, struct crew *crew) {
  return crew_start(crew, server->workers, work, server);
}

/* ---- The interpreter ---- */

static bool import_worker(void) {
  PyObject *module = python_import("_cctx_worker", worker_py);
  worker_class = module ? PyObject_GetAttrString(module, "Worker") : NULL;
  Py_XDECREF(module);
  return worker_class != NULL;
}

bool python_open(struct server *server, char *why, size_t size) {
  static char name[] = "cctx";
  char *argv[] = {name};
  struct python_setup setup = {.argv = argv,
                               .argc = 1,
                               .paths = server->python_paths.at,
                               .paths_n = server->python_paths.n};
  if (!ticket_offer_module(server)) {
    snprintf(why, size, "out of memory");
    return false;
  }
  cctx_py = python_start(&setup, why, size);
  if (!cctx_py) return false;
  ticket_set_api(cctx_py);
  bool ok = import_worker();
  if (!ok) python_explain(why, size);
  main_state = PyEval_SaveThread();
  return ok;
}

void python_close(void) {
  if (!main_state) return;
  PyEval_RestoreThread(main_state);
  Py_CLEAR(worker_class);
  Py_FinalizeEx();
}
