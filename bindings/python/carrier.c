/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers: extract and inject over mappings of strings. */
#include "home.h"

/* The fields of a mapping, as the core reads them: the first member is what the core's own
 * carrier looks at. */
struct fields {
  struct cctx_fields seen;
  struct cctx_field *at;
  size_t room;
  PyObject *keep;    /* a list of what they borrow from */
  PyObject *changes; /* by inject: a list of (name, value or None) */
};

static void fields_drop(struct fields *fields) {
  PyMem_Free(fields->at);
  Py_CLEAR(fields->keep);
  Py_CLEAR(fields->changes);
}

/* The bytes of a str or bytes: 1; 0 if it is neither, or has no bytes; -1 with an exception. A
 * str of the operating system may hold bytes that are no UTF-8. */
static int to_bytes(struct fields *fields, PyObject *object, const char **at, size_t *len) {
  Py_ssize_t size;
  PyObject *bytes;
  if (PyBytes_Check(object)) {
    *at = PyBytes_AS_STRING(object);
    *len = (size_t)PyBytes_GET_SIZE(object);
    return 1;
  }
  if (!PyUnicode_Check(object)) return 0;
  *at = PyUnicode_AsUTF8AndSize(object, &size);
  *len = *at ? (size_t)size : 0;
  if (*at) return 1;
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
  PyErr_Clear();
  bytes = PyUnicode_AsEncodedString(object, "utf-8", "surrogateescape");
  if (bytes == NULL) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
    PyErr_Clear();
    return 0;
  }
  *at = PyBytes_AS_STRING(bytes);
  *len = (size_t)PyBytes_GET_SIZE(bytes);
  size = PyList_Append(fields->keep, bytes);
  Py_DECREF(bytes);
  return size < 0 ? -1 : 1;
}

static int add_field(struct fields *fields, PyObject *name, PyObject *value) {
  struct cctx_field field;
  int status = to_bytes(fields, name, &field.name, &field.name_len);
  if (status == 1) status = to_bytes(fields, value, &field.value, &field.len);
  if (status != 1) return status;
  if (fields->seen.n == fields->room) {
    size_t room = fields->room * 2 + 16;
    struct cctx_field *at = PyMem_Realloc(fields->at, room * sizeof *fields->at);
    if (at == NULL) {
      PyErr_NoMemory();
      return -1;
    }
    fields->at = at;
    fields->room = room;
  }
  fields->at[fields->seen.n++] = field;
  return 0;
}

/* A list of values is as many fields. What is no string is no field. */
static int add_item(struct fields *fields, PyObject *name, PyObject *value) {
  PyObject *values;
  int status = 0;
  if (!PyList_Check(value) && !PyTuple_Check(value)) return add_field(fields, name, value);
  values = PySequence_Tuple(value);
  if (values == NULL || PyList_Append(fields->keep, values) < 0) status = -1;
  for (Py_ssize_t i = 0; status >= 0 && i < PyTuple_GET_SIZE(values); i++)
    status = add_field(fields, name, PyTuple_GET_ITEM(values, i));
  Py_XDECREF(values);
  return status;
}

/* The items of a mapping, or pairs: a new list. */
static PyObject *to_items(PyObject *carrier) {
  int is_mapping = cctx__py_is_mapping(carrier);
  if (is_mapping < 0) return NULL;
  return is_mapping ? PyMapping_Items(carrier) : PySequence_List(carrier);
}

/* A pair as a tuple of its own, whatever it says of its length: a new reference. */
static PyObject *to_pair(PyObject *item) {
  PyObject *pair = NULL;
  if (PyTuple_Check(item) || PyList_Check(item)) {
    pair = PySequence_Tuple(item);
    if (pair == NULL || PyTuple_GET_SIZE(pair) == 2) return pair;
  }
  Py_XDECREF(pair);
  PyErr_SetString(PyExc_TypeError, "a carrier must be a mapping, or pairs of strings");
  return NULL;
}

static int fields_fill(struct fields *fields, PyObject *carrier) {
  PyObject *items = to_items(carrier);
  int status = -1;
  *fields = (struct fields){.keep = items ? PyList_New(0) : NULL};
  if (fields->keep) status = PyList_Append(fields->keep, items);
  for (Py_ssize_t i = 0; status >= 0 && i < PyList_GET_SIZE(items); i++) {
    PyObject *item = to_pair(PyList_GET_ITEM(items, i));
    status = item ? PyList_Append(fields->keep, item) : -1;
    if (status == 0)
      status = add_item(fields, PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1));
    Py_XDECREF(item);
  }
  Py_XDECREF(items);
  fields->seen.at = fields->at;
  return status < 0 ? -1 : 0;
}

/* ---- The policy ------------------------------------------------------------------ */

/* What the two keywords say: `storage`, or a Policy's, which the caller's arguments keep. */
static const struct cctx_policy *choose(struct home *home, PyObject *format,
                                        PyObject *policy, struct cctx_policy *storage) {
  enum cctx_format number = CCTX_FORMAT_HTTP;
  if (policy != Py_None && format != Py_None) {
    PyErr_SetString(PyExc_TypeError, "format is part of a policy: give one of them");
    return NULL;
  }
  if (policy != Py_None) return cctx__py_to_policy(home, policy);
  if (format != Py_None && cctx__py_to_format(format, &number) < 0) return NULL;
  *storage = cctx_policy_for(number);
  return storage;
}

/* ---- Extract --------------------------------------------------------------------- */

PyObject *cctx__py_extract(PyObject *module, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"carrier", "parent", "format", "policy", NULL};
  struct home *home = cctx__py_home_here();
  PyObject *mapping, *parent = Py_None, *format = Py_None, *policy = Py_None;
  const struct cctx_policy *chosen;
  struct cctx_policy storage;
  struct cctx_carrier carrier;
  struct fields fields;
  cctx *from, *ctx = NULL;
  int status;
  (void)module;
  if (home == NULL ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$OO:extract", names, &mapping, &parent,
                                   &format, &policy) ||
      (chosen = choose(home, format, policy, &storage)) == NULL)
    return NULL;
  from = parent == Py_None ? cctx_background() : cctx__py_unwrap(home, parent);
  if (from == NULL) return NULL;
  if (fields_fill(&fields, mapping) < 0) {
    fields_drop(&fields);
    return NULL;
  }
  carrier = cctx_fields_carrier(&fields.seen);
  status = cctx_extract(&ctx, from, &carrier, chosen, NULL);
  fields_drop(&fields);
  return status == CCTX_OK ? cctx__py_wrap_new(home, ctx) : PyErr_NoMemory();
}

/* ---- Inject ---------------------------------------------------------------------- */

/* Changes wait until all are known: an error leaves the mapping as it was. */
static int note_change(void *arg, const char *name, const char *value, size_t len) {
  struct fields *fields = arg;
  PyObject *text = Py_None, *change, *key;
  if (value)
    text = PyUnicode_DecodeUTF8(value, (Py_ssize_t)len, "surrogateescape");
  else
    Py_INCREF(text);
  key = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "surrogateescape");
  change = text && key ? PyTuple_Pack(2, key, text) : NULL;
  int status = change ? PyList_Append(fields->changes, change) : -1;
  Py_XDECREF(change);
  Py_XDECREF(key);
  Py_XDECREF(text);
  return status < 0 ? CCTX_ENOMEM : CCTX_OK;
}

/* What is there under the name goes first: some mappings, as those of messages, add to it. */
static int change_one(PyObject *mapping, PyObject *name, PyObject *value) {
  if (!PyDict_CheckExact(mapping) || value == Py_None) {
    int has = PySequence_Contains(mapping, name);
    if (has < 0 || (has == 1 && PyObject_DelItem(mapping, name) < 0)) return -1;
  }
  return value == Py_None ? 0 : PyObject_SetItem(mapping, name, value);
}

static int apply(PyObject *mapping, PyObject *changes) {
  int status = 0;
  for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(changes); i++) {
    PyObject *change = PyList_GET_ITEM(changes, i);
    status = change_one(mapping, PyTuple_GET_ITEM(change, 0), PyTuple_GET_ITEM(change, 1));
  }
  return status;
}

/* A name of bytes would stay beside the one of str that is set. */
static int check_names(PyObject *items) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
    PyObject *item = PyList_GET_ITEM(items, i);
    if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) == 0 ||
        !PyBytes_Check(PyTuple_GET_ITEM(item, 0)))
      continue;
    PyErr_SetString(PyExc_TypeError,
                    "inject needs a mapping with names of str, and this has one of bytes");
    return -1;
  }
  return 0;
}

static int inject(struct home *home, cctx *ctx, PyObject *mapping,
                  const struct cctx_policy *policy) {
  struct fields fields;
  int status = fields_fill(&fields, mapping);
  if (status == 0) status = check_names(PyList_GET_ITEM(fields.keep, 0));
  if (status == 0) fields.changes = PyList_New(0);
  if (fields.changes) {
    struct cctx_carrier carrier = cctx_fields_carrier(&fields.seen);
    carrier.set = note_change;
    status = cctx_inject(ctx, &carrier, policy);
    if (status == CCTX_OK)
      status = apply(mapping, fields.changes);
    else if (!PyErr_Occurred())
      cctx__py_check(home, ctx);
  }
  fields_drop(&fields);
  return PyErr_Occurred() ? -1 : status;
}

PyObject *cctx__py_inject(PyObject *module, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"carrier", "context", "format", "policy", NULL};
  struct home *home = cctx__py_home_here();
  PyObject *mapping, *context = Py_None, *format = Py_None, *policy = Py_None;
  const struct cctx_policy *chosen;
  struct cctx_policy storage;
  cctx *ctx;
  int status;
  (void)module;
  if (home == NULL ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$OO:inject", names, &mapping, &context,
                                   &format, &policy) ||
      (chosen = choose(home, format, policy, &storage)) == NULL)
    return NULL;
  status = cctx__py_is_mapping(mapping);
  if (status < 0) return NULL;
  if (!status)
    return PyErr_Format(PyExc_TypeError, "inject writes into a mapping, not into %.100s",
                        Py_TYPE(mapping)->tp_name);
  if (context != Py_None && cctx__py_unwrap(home, context) == NULL) return NULL;
  if (context == Py_None) cctx__py_notice(home, "ask", NULL);
  ctx = context == Py_None ? cctx__py_current_ref()
                           : cctx_ref(cctx__py_unwrap(home, context));
  status = inject(home, ctx, mapping, chosen);
  cctx_unref(ctx);
  if (status < 0) return NULL;
  Py_INCREF(mapping);
  return mapping;
}
