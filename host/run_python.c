/* SPDX-License-Identifier: Apache-2.0 */
/* A run of a Python script: the interpreter and the alarm here, the script in script.py. */
#define PY_SSIZE_T_CLEAN
#include "python.h"

#include "alarm.h"
#include "options.h"
#include "run.h"
#include "script_py.h"

/* What script.run answers for a script that the deadline stopped. */
enum { STOPPED = 256 };

/* module.prepare(context, signal). */
static bool prepare(const struct cctx_py_api *api, PyObject *module,
                    const struct run *run) {
  PyObject *context = api->wrap(run->ctx);
  PyObject *result =
      context ? PyObject_CallMethod(module, "prepare", "Oi", context, alarm_signal())
              : NULL;
  Py_XDECREF(context);
  Py_XDECREF(result);
  return result != NULL;
}

/* module.run(file) under the context: its answer, or -1 with an exception. */
static int call_script(const struct cctx_py_api *api, PyObject *module,
                       const struct run *run) {
  PyObject *function = PyObject_GetAttrString(module, "run");
  PyObject *path = PyUnicode_DecodeFSDefault(run->argv[0]);
  PyObject *args = path ? PyTuple_Pack(1, path) : NULL;
  PyObject *result =
      function && args ? api->call(run->ctx, NULL, function, args, NULL) : NULL;
  int answer = result ? (int)PyLong_AsLong(result) : -1;
  Py_XDECREF(result);
  Py_XDECREF(args);
  Py_XDECREF(path);
  Py_XDECREF(function);
  return answer;
}

/* The exit status for `answer`. */
static int conclude(const struct run *run, int answer) {
  char why[512];
  bool stopped = answer == STOPPED;
  if (answer == -1) { /* a second alarm may have come while the first was handled */
    stopped = cctx_err(run->ctx) == CCTX_EDEADLINE;
    python_explain(why, sizeof why);
    if (!stopped) complain("run", "%s: %s", run->argv[0], why);
  }
  if (stopped) run_tell_deadline(run);
  return stopped ? STATUS_DEADLINE : answer == -1 ? STATUS_FAILED : answer;
}

int run_python(const struct run *run) {
  struct python_setup setup = {.argv = run->argv, .argc = run->argc, .signals = true};
  char why[512];
  const struct cctx_py_api *api = python_start(&setup, why, sizeof why);
  if (!api)
    return complain("run", "Python cannot be started with the package cctx: %s.", why);
  PyObject *module = python_import("_cctx_script", script_py);
  if (!module || !prepare(api, module, run)) {
    python_explain(why, sizeof why);
    return complain("run", "Python cannot be made ready: %s.", why);
  }
  if (!run_arm(run)) return STATUS_BAD_INPUT;
  int status = conclude(run, call_script(api, module, run));
  alarm_stop();
  Py_DECREF(module);
  return Py_FinalizeEx() < 0 && status == 0 ? STATUS_FAILED : status;
}
