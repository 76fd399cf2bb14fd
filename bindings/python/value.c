/* SPDX-License-Identifier: Apache-2.0 */
/* Values between Python and the core.
 *
 * What the core knows (None, bool, int of 64 bits, float, str) is copied. Any other object
 * goes in a box that the core counts without the interpreter's lock, and is seen by the
 * interpreter that put it there alone.
 */
#include "home.h"

#include <string.h>

struct box {
  struct parcel parcel;
  struct box *next, **link; /* in home->boxes, while it has its object */
  atomic_size_t refs;
  PyObject *object; /* owned */
  struct home *home;
  size_t listed; /* by how many Contexts, each of which holds it, and whose node does */
  const PyObject
      *shows; /* of these the one that shows `object` to the collector, or NULL */
};

static void enlist(struct home *home, struct box *box) {
  box->next = home->boxes;
  box->link = &home->boxes;
  if (box->next) box->next->link = &box->next;
  home->boxes = box;
}

/* Take the object out of its box; the reference is the caller's. */
static PyObject *empty_box(struct box *box) {
  PyObject *object = box->object;
  if (object == NULL) return NULL;
  *box->link = box->next;
  if (box->next) box->next->link = box->link;
  box->object = NULL;
  return object;
}

static void unpack_box(struct parcel *parcel) {
  struct box *box = (struct box *)(void *)parcel;
  PyObject *object = empty_box(box);
  PyMem_RawFree(box);
  Py_XDECREF(object);
}

void cctx__py_empty_boxes(struct home *home) {
  while (home->boxes) Py_DECREF(empty_box(home->boxes));
}

static void retain_box(void *ptr) { atomic_fetch_add(&((struct box *)ptr)->refs, 1); }

static void release_box(void *ptr) {
  struct box *box = ptr;
  if (atomic_fetch_sub(&box->refs, 1) == 1) cctx__py_send(box->home, &box->parcel);
}

/* ---- Boxes and the collector ------------------------------------------------------- */

struct box *cctx__py_box_of(const struct home *home, const cctx_variant *value) {
  bool is_own = value->type == CCTX_POINTER && value->as.p.release == release_box &&
                value->as.p.owner == home;
  return is_own ? value->as.p.ptr : NULL;
}

PyObject *cctx__py_box_list(struct box *box) {
  retain_box(box);
  box->listed++;
  Py_XINCREF(box->object);
  return box->object;
}

void cctx__py_box_unlist(struct box *box, const PyObject *context) {
  box->listed--;
  if (box->shows == context) box->shows = NULL;
  release_box(box);
}

/* If only Contexts that list it and their nodes hold the box, its one reference to the object is
 * shown once, by the first of them that the collector counts at. */
bool cctx__py_box_is_shown_by(struct box *box, const PyObject *context) {
  if (box->object == NULL || atomic_load(&box->refs) != 2 * box->listed) return false;
  if (box->shows == NULL) box->shows = context;
  return box->shows == context;
}

/* ---- Reading and writing ------------------------------------------------------------- */

static int to_box(struct home *home, PyObject *object, cctx_variant *out) {
  struct box *box = PyMem_RawCalloc(1, sizeof *box);
  if (box == NULL) {
    PyErr_NoMemory();
    return -1;
  }
  box->parcel.unpack = unpack_box;
  atomic_init(&box->refs, 1);
  Py_INCREF(object);
  box->object = object;
  box->home = home;
  enlist(home, box);
  *out = cctx_pointer(box, retain_box, release_box, home);
  return 0;
}

/* A str with lone surrogates has no UTF-8 form: it stays a Python object. */
static int to_string(struct home *home, PyObject *text, cctx_variant *out) {
  Py_ssize_t len;
  const char *bytes = PyUnicode_AsUTF8AndSize(text, &len);
  if (bytes == NULL) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
    PyErr_Clear();
    return to_box(home, text, out);
  }
  *out = cctx_bytes(bytes, (size_t)len);
  return 0;
}

int cctx__py_to_value(struct home *home, PyObject *object, cctx_variant *out) {
  int overflow;
  if (object == Py_None) {
    *out = cctx_nil();
  } else if (PyBool_Check(object)) {
    *out = cctx_bool(object == Py_True);
  } else if (PyLong_CheckExact(object)) {
    int64_t i = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) return to_box(home, object, out);
    *out = cctx_int(i);
  } else if (PyFloat_CheckExact(object)) {
    *out = cctx_double(PyFloat_AS_DOUBLE(object));
  } else if (PyUnicode_CheckExact(object)) {
    return to_string(home, object, out);
  } else {
    return to_box(home, object, out);
  }
  return 0;
}

void cctx__py_value_done(cctx_variant *value) {
  if (value->type == CCTX_POINTER && value->as.p.release == release_box)
    release_box(value->as.p.ptr);
  *value = cctx_nil();
}

static PyObject *from_pointer(struct home *home, const cctx_variant *value) {
  if (value->as.p.owner == home && value->as.p.release == release_box) {
    PyObject *object = ((struct box *)value->as.p.ptr)->object;
    if (object == NULL) object = Py_None; /* at exit it was taken out already */
    Py_INCREF(object);
    return object;
  }
  if (value->as.p.ptr == NULL) Py_RETURN_NONE;
  return PyCapsule_New(value->as.p.ptr, "cctx.pointer", NULL);
}

PyObject *cctx__py_from_value(struct home *home, const cctx_variant *value) {
  switch (value->type) {
  case CCTX_BOOL: return PyBool_FromLong(value->as.b);
  case CCTX_INT: return PyLong_FromLongLong(value->as.i);
  case CCTX_DOUBLE: return PyFloat_FromDouble(value->as.d);
  case CCTX_STRING:
    return PyUnicode_DecodeUTF8(value->as.s.bytes, (Py_ssize_t)value->as.s.len,
                                "surrogateescape");
  case CCTX_POINTER: return from_pointer(home, value);
  case CCTX_NIL: break;
  }
  Py_RETURN_NONE;
}
