/* SPDX-License-Identifier: Apache-2.0 */
/* The Python interpreter inside this program. */
#define PY_SSIZE_T_CLEAN
#include "python.h"

#include <stdio.h>
#include <string.h>

#include "fetch_python.h"
#include "home.h"

void python_explain(char *why, size_t size) {
  PyObject *type, *value, *trace, *text;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const char *name = type ? ((PyTypeObject *)type)->tp_name : "no exception";
  text = value ? PyObject_Str(value) : NULL;
  const char *message = text ? PyUnicode_AsUTF8(text) : NULL;
  if (!message) message = "";
  snprintf(why, size, "%s: %.*s", name, (int)strcspn(message, "\n"), message);
  Py_XDECREF(text);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  PyErr_Clear();
}

static void explain_status(PyStatus status, char *why, size_t size) {
  snprintf(why, size, "%s", status.err_msg ? status.err_msg : "unknown error");
}

static bool initialize(const struct python_setup *setup, char *why, size_t size) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  config.install_signal_handlers = setup->signals;
  PyStatus status = PyConfig_SetBytesArgv(&config, setup->argc, setup->argv);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) explain_status(status, why, size);
  return !PyStatus_Exception(status);
}

/* Put `directory` in front of sys.path. */
static bool add_path(const char *directory) {
  PyObject *path = PySys_GetObject("path"); /* borrowed */
  PyObject *entry = PyUnicode_DecodeFSDefault(directory);
  bool ok = path && entry && PyList_Insert(path, 0, entry) == 0;
  Py_XDECREF(entry);
  return ok;
}

static bool add_paths(const struct python_setup *setup) {
  char home[PATH_MAX];
  if (find_python_home(home) && !add_path(home)) return false;
  for (size_t i = setup->paths_n; i-- > 0;)
    if (!add_path(setup->paths[i])) return false;
  return true;
}

const struct cctx_py_api *python_start(const struct python_setup *setup, char *why,
                                       size_t size) {
  if (!fetch_python_offer()) {
    snprintf(why, size, "out of memory");
    return NULL;
  }
  if (!initialize(setup, why, size)) return NULL;
  const struct cctx_py_api *api = add_paths(setup) ? cctx_py_import() : NULL;
  if (!api) python_explain(why, size);
  return api;
}

PyObject *python_import(const char *name, const char *source) {
  char file[64];
  snprintf(file, sizeof file, "<cctx %s>", name);
  PyObject *code = Py_CompileString(source, file, Py_file_input);
  PyObject *module = code ? PyImport_ExecCodeModule(name, code) : NULL;
  Py_XDECREF(code);
  return module;
}
