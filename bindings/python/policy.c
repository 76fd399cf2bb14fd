/* SPDX-License-Identifier: Apache-2.0 */
/* The type cctx.Policy: what is taken from a carrier, and what is sent. */
#include "home.h"

typedef struct {
  PyObject_HEAD struct cctx_policy policy; /* never changed once it is made */
  struct cctx_carrier_counts counts;
  PyObject *texts; /* a list of the strings that it borrows */
  const char **allow, **send;
  struct cctx_rename *renames;
} policy_object;

/* ---- Words ---------------------------------------------------------------------- */

/* A str without NUL, which `texts` keeps; NULL with an exception. */
static const char *keep_text(PyObject *texts, PyObject *object, const char *what) {
  Py_ssize_t len;
  const char *text = cctx__py_text(object, what, &len);
  if (text == NULL) return NULL;
  if (strlen(text) == (size_t)len) return PyList_Append(texts, object) < 0 ? NULL : text;
  PyErr_Format(PyExc_ValueError, "%s must not contain a NUL character", what);
  return NULL;
}

/* An iterable of several, but not a str, whose items are its characters: a new list. */
static PyObject *to_list(PyObject *object, const char *what) {
  if (!PyUnicode_Check(object)) return PySequence_List(object);
  PyErr_Format(PyExc_TypeError, "%s must be a list of str, not a str", what);
  return NULL;
}

int cctx__py_to_format(PyObject *object, enum cctx_format *format) {
  Py_ssize_t len;
  const char *word, *text = cctx__py_text(object, "format", &len);
  if (text == NULL) return -1;
  for (int i = 0; (word = cctx_format_word(i)) != NULL; i++) {
    if (strcmp(word, text) != 0) continue;
    *format = (enum cctx_format)i;
    return 0;
  }
  PyErr_Format(PyExc_ValueError,
               "there is no format %R: it is 'http', 'stranger', 'grpc', 'cgi', "
               "'metainfo', 'metainfo-map', 'environment' or 'queue'",
               object);
  return -1;
}

static int to_field(PyObject *object, const char *what, unsigned *fields) {
  Py_ssize_t len;
  unsigned bit;
  const char *word, *text = cctx__py_text(object, what, &len);
  if (text == NULL) return -1;
  for (unsigned i = 0; (word = cctx_field_word(i, &bit)) != NULL; i++) {
    if (strcmp(word, text) != 0) continue;
    *fields |= bit;
    return 0;
  }
  PyErr_Format(PyExc_ValueError, "%s has no field %R; one is 'traceparent', or 'baggage'",
               what, object);
  return -1;
}

/* None: as the format has it. */
static int to_fields(PyObject *object, const char *what, unsigned *fields) {
  PyObject *list = object == Py_None ? NULL : to_list(object, what);
  int status = 0;
  if (object == Py_None) return 0;
  if (list == NULL) return -1;
  *fields = 0;
  for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(list); i++)
    status = to_field(PyList_GET_ITEM(list, i), what, fields);
  Py_DECREF(list);
  return status;
}

static int to_direction(PyObject *object, enum cctx_direction *direction) {
  static const char *const words[] = {"forward", "backward", "backward-transit",
                                      "backward-raw"};
  Py_ssize_t len;
  const char *text = object ? cctx__py_text(object, "direction", &len) : words[0];
  if (text == NULL) return -1;
  for (int i = 0; i < 4; i++)
    if (strcmp(text, words[i]) == 0) {
      *direction = (enum cctx_direction)i;
      return 0;
    }
  PyErr_Format(PyExc_ValueError,
               "direction must be 'forward', 'backward', 'backward-transit' or "
               "'backward-raw', not %R",
               object);
  return -1;
}

/* ---- Lists ---------------------------------------------------------------------- */

/* None: no list, so all names. */
static int to_names(policy_object *self, PyObject *object, const char *what,
                    const char ***out) {
  PyObject *list = object == Py_None ? NULL : to_list(object, what);
  Py_ssize_t n = list ? PyList_GET_SIZE(list) : 0, i = 0;
  if (object == Py_None) return 0;
  if (list == NULL) return -1;
  *out = PyMem_New(const char *, (size_t)n + 1);
  if (*out == NULL) PyErr_NoMemory();
  for (; *out && i < n; i++) {
    (*out)[i] = keep_text(self->texts, PyList_GET_ITEM(list, i), what);
    if ((*out)[i] == NULL) break;
  }
  if (*out) (*out)[i] = NULL;
  Py_DECREF(list);
  return *out && i == n ? 0 : -1;
}

static int to_renames(policy_object *self, PyObject *mapping) {
  PyObject *items, *key, *value;
  Py_ssize_t n = 0, at = 0;
  if (mapping == Py_None) return 0;
  if (!PyDict_Check(mapping)) {
    PyErr_Format(PyExc_TypeError, "rename must be a dict of str, not %.100s",
                 Py_TYPE(mapping)->tp_name);
    return -1;
  }
  items = PyDict_Copy(mapping);
  self->renames = PyMem_New(struct cctx_rename, (size_t)PyDict_GET_SIZE(mapping) + 1);
  if (self->renames == NULL) PyErr_NoMemory();
  while (items && self->renames && PyDict_Next(items, &at, &key, &value)) {
    struct cctx_rename *one = &self->renames[n];
    one->from = keep_text(self->texts, key, "rename");
    one->to = one->from ? keep_text(self->texts, value, "rename") : NULL;
    if (one->to == NULL) break;
    n++;
  }
  if (self->renames) self->renames[n] = (struct cctx_rename){NULL, NULL};
  Py_XDECREF(items);
  return PyErr_Occurred() ? -1 : 0;
}

/* (name, unit in seconds[, decimals]) */
static int to_timeout_field(policy_object *self, PyObject *object) {
  struct cctx_timeout_field *field = &self->policy.timeout;
  PyObject *name, *unit;
  unsigned decimals = 0;
  if (object == Py_None) return 0;
  if (!PyTuple_Check(object) ||
      !PyArg_ParseTuple(object, "OO|I", &name, &unit, &decimals)) {
    PyErr_SetString(PyExc_TypeError,
                    "timeout_field must be a tuple: name, unit in seconds, decimals");
    return -1;
  }
  field->name = keep_text(self->texts, name, "the name of timeout_field");
  if (field->name == NULL ||
      cctx__py_to_timeout(unit, "the unit of timeout_field", &field->unit) < 0)
    return -1;
  field->decimals = decimals;
  if (field->unit > 0 && field->unit <= 3600 * CCTX_SECOND && decimals <= 9) return 0;
  PyErr_SetString(PyExc_ValueError, "timeout_field has a unit from 1 ns to an hour, and at "
                                    "most 9 decimals");
  return -1;
}

/* ---- Numbers -------------------------------------------------------------------- */

/* Seconds; NULL: as the format has it; None: none. */
static int to_limit(PyObject *seconds, const char *what, int64_t *out) {
  int64_t limit;
  if (seconds == NULL) return 0;
  if (cctx__py_to_timeout(seconds, what, &limit) < 0) return -1;
  if (limit == CCTX_NEVER) limit = 0;
  if (limit > 0 || (limit == 0 && seconds == Py_None)) {
    *out = limit;
    return 0;
  }
  PyErr_Format(PyExc_ValueError, "%s must be more than 0 seconds, or None for none", what);
  return -1;
}

static int to_size(PyObject *number, const char *what, size_t *out) {
  if (number == Py_None) return 0;
  *out = PyLong_AsSize_t(number);
  if (PyErr_Occurred()) return -1;
  if (*out > 0) return 0;
  PyErr_Format(PyExc_ValueError, "%s must be more than 0, or None for none", what);
  return -1;
}

/* ---- The type ------------------------------------------------------------------- */

struct arguments {
  PyObject *format, *read, *write, *direction, *timeout_max, *timeout_min, *timeout_field,
      *allow, *send, *rename, *pairs_max, *bytes_max, *skew_max, *wall;
  int plus_is_blank;
};

static int fill(policy_object *self, const struct arguments *in) {
  struct cctx_policy *policy = &self->policy;
  enum cctx_format format = CCTX_FORMAT_HTTP;
  if (in->format && cctx__py_to_format(in->format, &format) < 0) return -1;
  *policy = cctx_policy_for(format);
  if (to_fields(in->read, "read", &policy->read) < 0 ||
      to_fields(in->write, "write", &policy->write) < 0 ||
      to_direction(in->direction, &policy->direction) < 0 ||
      to_limit(in->timeout_max, "timeout_max", &policy->timeout_max) < 0 ||
      to_limit(in->timeout_min, "timeout_min", &policy->timeout_min) < 0 ||
      to_limit(in->skew_max, "skew_max", &policy->skew_max) < 0 ||
      to_limit(in->wall, "wall", &policy->wall) < 0 ||
      to_size(in->pairs_max, "pairs_max", &policy->pairs_max) < 0 ||
      to_size(in->bytes_max, "bytes_max", &policy->bytes_max) < 0 ||
      to_timeout_field(self, in->timeout_field) < 0 ||
      to_names(self, in->allow, "allow", &self->allow) < 0 ||
      to_names(self, in->send, "send", &self->send) < 0 || to_renames(self, in->rename) < 0)
    return -1;
  policy->flags = in->plus_is_blank ? CCTX_PLUS_IS_BLANK : 0;
  policy->allow = self->allow;
  policy->send = self->send;
  policy->renames = self->renames;
  policy->counts = &self->counts;
  return 0;
}

static PyObject *policy_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"format",      "read",          "write",         "direction",
                          "timeout_max", "timeout_min",   "timeout_field", "allow",
                          "send",        "rename",        "pairs_max",     "bytes_max",
                          "skew_max",    "plus_is_blank", "wall",          NULL};
  PyObject *none = Py_None;
  struct arguments in = {.read = none,
                         .write = none,
                         .timeout_field = none,
                         .allow = none,
                         .send = none,
                         .rename = none,
                         .pairs_max = none,
                         .bytes_max = none,
                         .skew_max = NULL};
  policy_object *self;
  if (!PyArg_ParseTupleAndKeywords(
          args, kwargs, "|O$OOOOOOOOOOOOpO:Policy", names, &in.format, &in.read, &in.write,
          &in.direction, &in.timeout_max, &in.timeout_min, &in.timeout_field, &in.allow,
          &in.send, &in.rename, &in.pairs_max, &in.bytes_max, &in.skew_max,
          &in.plus_is_blank, &in.wall))
    return NULL;
  self = (policy_object *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  self->texts = PyList_New(0);
  if (self->texts && fill(self, &in) == 0) return (PyObject *)self;
  Py_DECREF(self);
  return NULL;
}

static void policy_dealloc(PyObject *object) {
  policy_object *self = (policy_object *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyMem_Free(self->allow);
  PyMem_Free(self->send);
  PyMem_Free(self->renames);
  Py_XDECREF(self->texts);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyObject *policy_counts(PyObject *object, void *unused) {
  PyObject *dict = PyDict_New();
  const char *name;
  uint64_t count;
  (void)unused;
  for (unsigned i = 0;
       dict &&
       (name = cctx_carrier_count(&((policy_object *)object)->counts, i, &count)) != NULL;
       i++) {
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    if (number == NULL || PyDict_SetItemString(dict, name, number) < 0) Py_CLEAR(dict);
    Py_XDECREF(number);
  }
  return dict;
}

const struct cctx_policy *cctx__py_to_policy(struct home *home, PyObject *object) {
  if (Py_TYPE(object) == home->policy_type) return &((policy_object *)object)->policy;
  PyErr_Format(PyExc_TypeError, "policy must be a cctx.Policy, not %.100s",
               Py_TYPE(object)->tp_name);
  return NULL;
}

static PyGetSetDef policy_members[] = {
    {"counts", policy_counts, NULL, PyDoc_STR("What was refused, cut, withheld, by name."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    policy_doc,
    "Policy(format='http', *, read=None, write=None, direction='forward', "
    "timeout_max=...,\n"
    "       timeout_min=..., timeout_field=None, allow=None, send=None, rename=None,\n"
    "       pairs_max=None, bytes_max=None, skew_max=..., plus_is_blank=False, wall=...)\n"
    "--\n\n"
    "What extract takes from a carrier, and what inject sends: what a format begins with,\n"
    "changed by the other arguments. Times are seconds. It never changes, but for its\n"
    "counts: make it once.");

static PyType_Slot policy_slots[] = {
    {Py_tp_new, policy_new},
    {Py_tp_dealloc, policy_dealloc},
    {Py_tp_getset, policy_members},
    {Py_tp_doc, (void *)policy_doc},
    {0, NULL},
};

PyType_Spec cctx__py_policy_spec = {
    .name = "cctx.Policy",
    .basicsize = sizeof(policy_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = policy_slots,
};
