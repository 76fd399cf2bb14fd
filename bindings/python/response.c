/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: metadata that goes back to the caller. */
#include "home.h"

typedef int change_function(cctx *ctx, const struct cctx_metadata_pair *pairs, size_t n,
                            size_t *bad);

/* True, or False where nobody takes it any more, or ever did. */
static PyObject *change(cctx *ctx, change_function *function, PyObject *name,
                        PyObject *value) {
  struct py_pairs pairs;
  PyObject *result;
  size_t bad = 0;
  int status;
  if (cctx__py_pairs_init(&pairs, name, value, NULL) < 0) return NULL;
  status = function(ctx, pairs.at, pairs.n, &bad);
  result = status == CCTX_OK || status == CCTX_ENOTFOUND || status == CCTX_ESTALE
               ? PyBool_FromLong(status == CCTX_OK)
               : cctx__py_pairs_refused(&pairs, status, bad);
  cctx__py_pairs_done(&pairs);
  return result;
}

static char *change_names[] = {"name", "value", NULL};

PyObject *cctx__py_read_response_set(struct home *home, cctx *ctx, bool is_current,
                                     PyObject *args, PyObject *kwargs) {
  PyObject *name, *value = NULL;
  (void)home, (void)is_current;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:response_set", change_names, &name,
                                   &value))
    return NULL;
  return change(ctx, cctx_response_set, name, value);
}

PyObject *cctx__py_read_response_receive(struct home *home, cctx *ctx, bool is_current,
                                         PyObject *args, PyObject *kwargs) {
  PyObject *name, *value = NULL;
  (void)home, (void)is_current;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:response_receive", change_names,
                                   &name, &value))
    return NULL;
  return change(ctx, cctx_response_receive, name, value);
}

PyObject *cctx__py_read_response(struct home *home, cctx *ctx) {
  cctx *response = cctx_response(ctx);
  PyObject *result = cctx__py_wrap(home, response);
  cctx_unref(response);
  return result;
}

static int to_policy(PyObject *word, enum cctx_response_policy *policy) {
  static const char *const words[] = {"last", "first", "append"};
  Py_ssize_t len;
  const char *text = word ? cctx__py_text(word, "policy", &len) : words[CCTX_LAST];
  if (text == NULL) return -1;
  for (int i = CCTX_LAST; i <= CCTX_APPEND; i++)
    if (strcmp(text, words[i]) == 0) {
      *policy = (enum cctx_response_policy)i;
      return 0;
    }
  PyErr_Format(PyExc_ValueError, "policy must be 'last', 'first' or 'append', not %R",
               word);
  return -1;
}

PyObject *cctx__py_with_response(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"policy", NULL};
  enum cctx_response_policy policy;
  PyObject *word = NULL;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:with_response", names, &word) ||
      to_policy(word, &policy) < 0)
    return NULL;
  return cctx__py_wrap_child(
      self, cctx_with_response(((context_object *)self)->ctx, policy), NULL, 0);
}

PyObject *cctx__py_response_end(PyObject *self, PyObject *unused) {
  int status = cctx_response_end(((context_object *)self)->ctx);
  (void)unused;
  if (status == CCTX_OK || status == CCTX_ESTALE) return PyBool_FromLong(status == CCTX_OK);
  PyErr_SetString(PyExc_ValueError,
                  "this context has no response of its own to end: only what "
                  "with_response or a request(response=True) gave has");
  return NULL;
}
