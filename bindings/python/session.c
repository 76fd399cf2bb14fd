/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: methods of a Context, and what is known of all of them. */
#include "home.h"

static cctx *get(PyObject *self) { return ((context_object *)self)->ctx; }

/* ---- Making ----------------------------------------------------------------------- */

typedef cctx *make_fn(cctx *parent, int64_t timeout, const char *file, int line);

static PyObject *derive(PyObject *self, PyObject *args, PyObject *kwargs,
                        const char *format, make_fn *make) {
  static char *names[] = {"timeout", NULL};
  PyObject *seconds = Py_None;
  const char *file;
  int64_t timeout;
  int line;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &seconds) ||
      cctx__py_to_timeout(seconds, "timeout", &timeout) < 0)
    return NULL;
  cctx__py_place(&file, &line);
  return cctx__py_wrap_child(self, make(get(self), timeout, file, line), NULL, 0);
}

PyObject *cctx__py_with_session(PyObject *self, PyObject *args, PyObject *kwargs) {
  return derive(self, args, kwargs, "|O:with_session", cctx_with_session_at);
}

PyObject *cctx__py_with_variables(PyObject *self, PyObject *args, PyObject *kwargs) {
  return derive(self, args, kwargs, "|O:with_variables", cctx_with_variables_at);
}

/* ---- States ------------------------------------------------------------------------ */

static PyObject *word(int state) {
  return PyUnicode_FromString(cctx_session_state_word(state));
}

PyObject *cctx__py_session_state(PyObject *self, PyObject *unused) {
  (void)unused;
  return word(cctx_session_state(get(self)));
}

static PyObject *to_first(int status) {
  if (status >= 0) return PyBool_FromLong(status);
  PyErr_SetString(PyExc_ValueError,
                  "this context belongs to no session: with_session, backup or request "
                  "makes one");
  return NULL;
}

PyObject *cctx__py_disable_session(PyObject *self, PyObject *unused) {
  (void)unused;
  return to_first(cctx_session_disable(get(self)));
}

PyObject *cctx__py_end_session(PyObject *self, PyObject *unused) {
  const char *file;
  int line;
  (void)unused;
  cctx__py_place(&file, &line);
  return to_first(cctx_session_end_at(get(self), file, line));
}

/* ---- Variables --------------------------------------------------------------------- */

static void raise_immutable(void) {
  PyErr_SetString(PyExc_ValueError,
                  "this context belongs to no session with variables: with_variables makes "
                  "one");
}

PyObject *cctx__py_set_variable(PyObject *self, PyObject *args) {
  struct home *home = ((context_object *)self)->home;
  PyObject *name, *object;
  cctx_variant value;
  cctx_key *key;
  int status;
  if (!PyArg_ParseTuple(args, "OO:set_variable", &name, &object)) return NULL;
  key = cctx__py_to_key(name);
  if (key == NULL || cctx__py_to_value(home, object, &value) < 0) return NULL;
  status = cctx_variable_set(get(self), key, value);
  cctx__py_value_done(&value);
  cctx__py_drain(home);
  if (status == CCTX_OK) Py_RETURN_NONE;
  if (status == CCTX_ENOMEM) return PyErr_NoMemory();
  raise_immutable();
  return NULL;
}

PyObject *cctx__py_variables(PyObject *self, PyObject *unused) {
  cctx *values = cctx_variables(get(self));
  (void)unused;
  if (values) return cctx__py_wrap_new(((context_object *)self)->home, values);
  raise_immutable();
  return NULL;
}

/* ---- The current one --------------------------------------------------------------- */

static PyObject *session(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  cctx *ctx;
  (void)module, (void)unused;
  if (home == NULL) return NULL;
  cctx__py_notice(home, "ask", NULL);
  ctx = cctx__py_current_ref();
  if (cctx_session_state(ctx) != CCTX_SESSION_NONE) return cctx__py_wrap_new(home, ctx);
  cctx_unref(ctx);
  Py_RETURN_NONE;
}

static PyObject *session_state(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  cctx *ctx;
  int state;
  (void)module, (void)unused;
  if (home == NULL) return NULL;
  ctx = cctx__py_current_ref();
  state = cctx_session_state(ctx);
  cctx_unref(ctx);
  if (state == CCTX_SESSION_NONE && cctx__py_status() == CCTX_CURRENT_ENDED)
    state = CCTX_SESSION_ENDED;
  return word(state);
}

/* ---- All of them ------------------------------------------------------------------- */

struct listing {
  struct home *home;
  PyObject *list; /* NULL: with an exception */
};

static PyObject *to_id(const struct cctx_session_info *info) {
  if (info->is_bound) return PyLong_FromUnsignedLongLong(info->id);
  Py_RETURN_NONE;
}

/* The place is a text that was cut. */
static void add(void *memory, const struct cctx_session_info *info) {
  struct listing *listing = memory;
  PyObject *item;
  if (listing->list == NULL) return;
  item = Py_BuildValue(
      "(NsNNiN)", cctx__py_wrap(listing->home, (cctx *)info->ctx),
      cctx_session_state_word(info->state), cctx__py_from_time(info->since),
      PyUnicode_DecodeUTF8(info->file, (Py_ssize_t)strlen(info->file), "surrogateescape"),
      info->line, to_id(info));
  if (item == NULL || PyList_Append(listing->list, item) < 0) Py_CLEAR(listing->list);
  Py_XDECREF(item);
}

static PyObject *sessions(PyObject *module, PyObject *seconds) {
  struct listing listing = {cctx__py_home_here(), NULL};
  int64_t age;
  (void)module;
  if (listing.home == NULL || cctx__py_to_timeout(seconds, "age", &age) < 0) return NULL;
  listing.list = PyList_New(0);
  if (listing.list && cctx_sessions(age, add, &listing) == CCTX_ENOMEM) {
    Py_DECREF(listing.list);
    return PyErr_NoMemory();
  }
  return listing.list;
}

static PyObject *backup_mistakes(PyObject *module, PyObject *unused) {
  struct cctx_backup_mistakes found;
  (void)module, (void)unused;
  cctx_backup_mistakes(&found);
  return Py_BuildValue("{sKsKsK}", "lost", (unsigned long long)found.lost, "stale",
                       (unsigned long long)found.stale, "left",
                       (unsigned long long)found.left);
}

static PyObject *backup_options(PyObject *module, PyObject *unused) {
  struct cctx_backup_options found;
  (void)module, (void)unused;
  cctx_backup_options(&found);
  return Py_BuildValue("{sNsNsisd}", "enable", PyBool_FromLong(found.enable), "async",
                       PyBool_FromLong(found.async), "shards", found.manager.shards,
                       "gc_interval", (double)found.manager.gc_interval / 1e9);
}

PyMethodDef cctx__py_session_functions[] = {
    {"session", session, METH_NOARGS,
     CCTX__PY_DOC("session", "()",
                  "What is current, if it belongs to a session, in whatever state; else "
                  "None.")},
    {"session_state", session_state, METH_NOARGS,
     CCTX__PY_DOC("session_state", "()",
                  "The state of the current session: 'none', 'valid', 'disabled' or "
                  "'ended'.")},
    {"_sessions", sessions, METH_O, NULL},
    {"backup_mistakes", backup_mistakes, METH_NOARGS,
     CCTX__PY_DOC("backup_mistakes", "()",
                  "How many contexts were lost, tokens stale, and threads left with "
                  "something attached.")},
    {"backup_options", backup_options, METH_NOARGS,
     CCTX__PY_DOC("backup_options", "()", "The options of backups that are in use.")},
    {NULL, NULL, 0, NULL},
};
