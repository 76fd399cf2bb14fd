/* SPDX-License-Identifier: Apache-2.0 */
/* Recovering what a context lost; see cctx/_backup.py. */
#include "home.h"

struct handler {
  struct home *home;
  PyObject *callable;
};

/* An exception stops the recovery, with the code of an argument that has no meaning. */
static int handle(void *memory, cctx *prev, cctx *cur, cctx **out) {
  struct handler *handler = memory;
  PyObject *before = cctx__py_wrap(handler->home, prev);
  PyObject *now = before ? cctx__py_wrap(handler->home, cur) : NULL;
  PyObject *result =
      now ? PyObject_CallFunctionObjArgs(handler->callable, before, now, NULL) : NULL;
  int decision = result == NULL ? CCTX_EINVAL : result != Py_None;
  if (decision == 1) {
    cctx *ctx = cctx__py_unwrap(handler->home, result);
    if (ctx)
      *out = cctx_ref(ctx);
    else
      decision = CCTX_EINVAL;
  }
  Py_XDECREF(result);
  Py_XDECREF(now);
  Py_XDECREF(before);
  return decision;
}

/* The keys of a tuple of names. One that nobody has used names no value; it is not made. */
static const cctx_key **to_keys(PyObject *names, size_t *n) {
  const cctx_key **keys = PyMem_New(const cctx_key *, (size_t)PyTuple_GET_SIZE(names) + 1);
  if (keys == NULL) PyErr_NoMemory();
  for (*n = 0; keys && *n < (size_t)PyTuple_GET_SIZE(names); ++*n) {
    Py_ssize_t len;
    const char *text = cctx__py_text(PyTuple_GET_ITEM(names, (Py_ssize_t)*n), "key", &len);
    if (text == NULL) {
      PyMem_Free(keys);
      return NULL;
    }
    keys[*n] = strlen(text) == (size_t)len ? cctx_key_find(text) : NULL;
  }
  return keys;
}

/* What is current may be known here where the core alone cannot know it. */
static cctx *to_previous(struct home *home, PyObject *object) {
  cctx *ctx;
  if (object == Py_None) return cctx__py_current_ref();
  ctx = cctx__py_unwrap(home, object);
  return ctx ? cctx_ref(ctx) : NULL;
}

static PyObject *to_result(struct home *home, cctx *out, const struct cctx_recovered *did) {
  PyObject *context = cctx__py_wrap_new(home, out);
  return Py_BuildValue("(NsIIINNN)", context, cctx_recover_reason_word((int)did->reason),
                       did->pairs, did->left_out, did->values,
                       PyBool_FromLong(did->handled), PyBool_FromLong(did->deadline),
                       PyBool_FromLong(did->cancellation));
}

static PyObject *do_recover(struct home *home, cctx *prev, cctx *cur,
                            const struct cctx_recovery *how, bool is_current) {
  struct cctx_recovered did;
  cctx *out;
  int status = cctx_recover(&out, prev, cur, how, &did);
  if (status == CCTX_ENOMEM && !PyErr_Occurred()) PyErr_NoMemory();
  if (status != CCTX_OK) return NULL;
  if (is_current && did.reason == CCTX_REASON_NO_SESSION &&
      cctx__py_status() == CCTX_CURRENT_ENDED)
    did.reason = CCTX_REASON_ENDED;
  return to_result(home, out, &did);
}

/* (context, previous, handler, keys, scopes, flags) */
static PyObject *recover(PyObject *module, PyObject *args) {
  struct handler handler = {.home = cctx__py_home_here()};
  struct cctx_recovery how = {.arg = &handler};
  PyObject *context, *previous, *names, *result = NULL;
  const cctx_key **keys;
  cctx *cur, *prev;
  (void)module;
  if (handler.home == NULL ||
      !PyArg_ParseTuple(args, "OOOO!II:recover", &context, &previous, &handler.callable,
                        &PyTuple_Type, &names, &how.scopes, &how.flags) ||
      (cur = cctx__py_unwrap(handler.home, context)) == NULL)
    return NULL;
  if (handler.callable != Py_None) how.handler = handle;
  keys = to_keys(names, &how.keys_n);
  how.keys = keys;
  prev = keys ? to_previous(handler.home, previous) : NULL;
  if (prev) result = do_recover(handler.home, prev, cur, &how, previous == Py_None);
  cctx_unref(prev);
  PyMem_Free(keys);
  return result;
}

static PyObject *check_egress(PyObject *module, PyObject *context) {
  struct home *home = cctx__py_home_here();
  cctx *ctx = home ? cctx__py_unwrap(home, context) : NULL, *current;
  const char *file;
  int line, status;
  (void)module;
  if (ctx == NULL) return NULL;
  cctx__py_place(&file, &line);
  current = cctx__py_current_ref();
  status = cctx_check_egress_at(ctx, current, file, line);
  cctx_unref(current);
  return PyBool_FromLong(status == CCTX_OK);
}

/* What another thread may have of a context. */
static PyObject *capture(PyObject *module, PyObject *context) {
  struct home *home = cctx__py_home_here();
  cctx *ctx = home ? cctx__py_unwrap(home, context) : NULL;
  (void)module;
  return ctx ? cctx__py_wrap_new(home, cctx_capture(ctx)) : NULL;
}

PyMethodDef cctx__py_recover_functions[] = {
    {"_recover", recover, METH_VARARGS, NULL},
    {"_capture", capture, METH_O, NULL},
    {"check_egress", check_egress, METH_O,
     CCTX__PY_DOC("check_egress", "(context, /)",
                  "Whether a call that leaves the process with this context works for the\n"
                  "current session: False if the context was lost on the way, which is "
                  "counted.")},
    {NULL, NULL, 0, NULL},
};
