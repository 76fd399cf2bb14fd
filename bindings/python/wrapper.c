/* SPDX-License-Identifier: Apache-2.0 */
/* Wrappers: the life of the objects of type cctx.Context.
 *
 * An interpreter has at most one Context for a node of the core. Its table of them holds
 * no references; the node cannot be freed, and its address not be another's, while its
 * Context holds it. A Context keeps the one that it was derived from, and a reference of
 * its own to each object that is stored at its node, to show them to the collector: see
 * collect.c.
 *
 * It has no tp_clear: an object that was stored before the Context existed, and leads
 * back to it, was changed since, so it is one that the collector can clear. So a Context
 * is whole as long as anything can reach it.
 */
#include "home.h"

#include <stddef.h>

/* ---- The table -------------------------------------------------------------------- */

static context_object **bucket_of(const struct home *home, const cctx *ctx) {
  uint64_t hash = (uint64_t)(uintptr_t)ctx * UINT64_C(0x9E3779B97F4A7C15);
  return &home->contexts[(hash >> 32) & (home->buckets - 1)];
}

static void put(struct home *home, context_object *self) {
  context_object **bucket = bucket_of(home, self->ctx);
  self->next = *bucket;
  *bucket = self;
}

/* Twice the room. False for lack of memory, which matters for an empty table alone. */
static bool grow(struct home *home) {
  struct home old = *home;
  size_t buckets = home->buckets ? 2 * home->buckets : 64;
  context_object **room = PyMem_RawCalloc(buckets, sizeof(context_object *));
  if (room == NULL) return home->buckets > 0;
  home->contexts = room;
  home->buckets = buckets;
  for (size_t i = 0; i < old.buckets; i++)
    for (context_object *at = old.contexts[i], *next; at; at = next) {
      next = at->next;
      put(home, at);
    }
  PyMem_RawFree(old.contexts);
  return true;
}

static void take_out(context_object *self) {
  context_object **link = bucket_of(self->home, self->ctx);
  while (*link != self) link = &(*link)->next;
  *link = self->next;
  self->home->contexts_n--;
}

PyObject *cctx__py_find(const struct home *home, const cctx *ctx) {
  context_object *at = home->buckets ? *bucket_of(home, ctx) : NULL;
  while (at && at->ctx != ctx) at = at->next;
  Py_XINCREF(at);
  return (PyObject *)at;
}

/* ---- Making ----------------------------------------------------------------------- */

/* With room for `n` stored objects, and nothing in it. It is not in the table. */
static context_object *allocate(struct home *home, Py_ssize_t n) {
  context_object *self;
  if (home->contexts_n >= home->buckets && !grow(home)) {
    PyErr_NoMemory();
    return NULL;
  }
  self = PyObject_GC_NewVar(context_object, home->context_type, n);
  if (self == NULL) return NULL;
  self->ctx = NULL;
  self->home = home;
  self->from = NULL;
  self->others = NULL;
  self->linked = 0;
  for (Py_ssize_t i = 0; i < n; i++) self->stored[i] = (struct stored){NULL, NULL};
  return self;
}

/* The Context of `ctx`, whose reference it takes over, and whether it is new. The
 * collector may run when memory is taken, and run what makes the Context of the same
 * node. */
static context_object *make(struct home *home, cctx *ctx, Py_ssize_t n, bool *is_new) {
  PyObject *found = NULL;
  context_object *self = NULL;
  *is_new = false;
  if (ctx == NULL) PyErr_NoMemory();
  if (ctx && home->context_type == NULL)
    PyErr_SetString(PyExc_RuntimeError, "cctx: this interpreter is shutting down");
  if (ctx == NULL || home->context_type == NULL) {
    cctx_unref(ctx);
    return NULL;
  }
  cctx__py_drain(home);
  found = cctx__py_find(home, ctx);
  if (found == NULL) self = allocate(home, n);
  if (self) found = cctx__py_find(home, ctx);
  if (found || self == NULL) {
    cctx_unref(ctx);
    Py_XDECREF(self);
    return (context_object *)found;
  }
  self->ctx = ctx;
  put(home, self);
  home->contexts_n++;
  *is_new = true;
  return self;
}

PyObject *cctx__py_wrap_new(struct home *home, cctx *ctx) {
  bool is_new;
  return (PyObject *)make(home, ctx, 0, &is_new);
}

PyObject *cctx__py_wrap(struct home *home, cctx *ctx) {
  PyObject *found = cctx__py_find(home, ctx);
  return found ? found : cctx__py_wrap_new(home, cctx_ref(ctx));
}

cctx *cctx__py_unwrap(struct home *home, PyObject *object) {
  if (Py_TYPE(object) == home->context_type) return ((context_object *)object)->ctx;
  if (strcmp(Py_TYPE(object)->tp_name, "cctx.Context") == 0)
    PyErr_SetString(
        PyExc_TypeError,
        "context must be a cctx.Context of this interpreter: this is another's");
  else
    PyErr_Format(PyExc_TypeError, "context must be a cctx.Context, not %.100s",
                 Py_TYPE(object)->tp_name);
  return NULL;
}

/* ---- Deriving --------------------------------------------------------------------- */

/* What holds nothing that is tracked is in no cycle. */
static void track_if_needed(context_object *self) {
  bool needed = Py_SIZE(self) > 0 || self->others != NULL;
  if (self->from && PyObject_GC_IsTracked((PyObject *)self->from)) needed = true;
  if (needed && !PyObject_GC_IsTracked((PyObject *)self)) PyObject_GC_Track(self);
}

/* The roots are counted by nobody. */
static bool is_root(const context_object *self) {
  return self->ctx == cctx_background() || self->ctx == cctx_todo();
}

static void link_to(context_object *self, context_object *from) {
  if (!cctx__py_collect_links() || is_root(from)) return;
  Py_INCREF(from);
  self->from = from;
  from->linked++;
}

static void list_boxes(context_object *self, struct box *const *boxes) {
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    self->stored[i].box = boxes[i];
    self->stored[i].object = cctx__py_box_list(boxes[i]);
  }
}

PyObject *cctx__py_wrap_child(PyObject *parent, cctx *ctx, struct box *const *boxes,
                              Py_ssize_t n) {
  context_object *from = (context_object *)parent, *self;
  bool is_new;
  self = make(from->home, ctx, n, &is_new);
  if (self == NULL || !is_new) return (PyObject *)self;
  link_to(self, from);
  list_boxes(self, boxes);
  track_if_needed(self);
  return (PyObject *)self;
}

PyObject *cctx__py_wrap_merged(PyObject *parent, cctx *ctx, PyObject *others) {
  context_object *from = (context_object *)parent, *self;
  bool is_new;
  self = make(from->home, ctx, 0, &is_new);
  if (self == NULL || !is_new || !cctx__py_collect_links()) return (PyObject *)self;
  link_to(self, from);
  Py_INCREF(others);
  self->others = others;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(others); i++)
    ((context_object *)PyTuple_GET_ITEM(others, i))->linked++;
  track_if_needed(self);
  return (PyObject *)self;
}

/* All that it sees is its own: as many as can be told at no great cost. */
PyObject *cctx__py_wrap_detached(struct home *home, cctx *ctx) {
  enum { MOST = 32 };
  struct box *boxes[MOST], *box;
  Py_ssize_t n = 0;
  context_object *self;
  cctx_variant value;
  cctx_key *key;
  bool is_new;
  for (size_t i = 0; ctx && i < MOST && cctx_value_at(ctx, i, &key, &value) == CCTX_OK; i++)
    if ((box = cctx__py_box_of(home, &value)) != NULL) boxes[n++] = box;
  self = make(home, ctx, n, &is_new);
  if (self && is_new) list_boxes(self, boxes);
  if (self && is_new) track_if_needed(self);
  return (PyObject *)self;
}

/* ---- The collector, and the end --------------------------------------------------- */

static bool is_exclusive(const context_object *self) {
  return cctx_references(self->ctx) == 1 + self->linked;
}

int cctx__py_context_traverse(PyObject *object, visitproc visit, void *arg) {
  context_object *self = (context_object *)object;
  bool counts = cctx__py_collect_counts(visit);
  Py_VISIT(Py_TYPE(object));
  if (!cctx__py_collect_works() || (counts && !is_exclusive(self))) return 0;
  Py_VISIT(self->from);
  Py_VISIT(self->others);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    const struct stored *stored = &self->stored[i];
    Py_VISIT(stored->object);
    if (counts && cctx__py_box_is_shown_by(stored->box, object)) Py_VISIT(stored->object);
  }
  return 0;
}

static void unlink_others(PyObject *others) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(others); i++)
    ((context_object *)PyTuple_GET_ITEM(others, i))->linked--;
  Py_DECREF(others);
}

/* What is stored has another reference, from its box, which the queue drops later: so
 * however long a chain of Contexts held by objects in Contexts is, nothing recurses. */
static void drop_stored(context_object *self) {
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    if (self->stored[i].box == NULL) continue;
    Py_XDECREF(self->stored[i].object);
    cctx__py_box_unlist(self->stored[i].box, (PyObject *)self);
  }
}

/* Its links go before its node does, so that nobody counts one that is not there. */
static void free_context(context_object *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (self->ctx) take_out(self);
  if (self->from) self->from->linked--;
  if (self->others) unlink_others(self->others);
  drop_stored(self);
  cctx_unref(self->ctx);
  type->tp_free(self);
  Py_DECREF(type);
}

/* Lines of descent can be long: free them in a loop. */
void cctx__py_context_dealloc(PyObject *object) {
  context_object *self = (context_object *)object, *from;
  struct home *home = self->home;
  for (;;) {
    from = self->from;
    free_context(self);
    if (from == NULL || Py_REFCNT(from) > 1) break;
    self = from;
  }
  Py_XDECREF(from);
  cctx__py_drain(home);
}
