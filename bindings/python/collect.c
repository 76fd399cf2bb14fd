/* SPDX-License-Identifier: Apache-2.0 */
/* Garbage collection: what a Context may show to Python's collector.
 *
 * An object that is stored in a context is kept by the core, through a box, not by a
 * reference that the collector sees. For it to find cycles through contexts, the Context
 * shows the object on the core's behalf. That is right only as long as nobody but what
 * the collector sees can reach the object through the core.
 *
 * The collector works in passes: first it looks at each object once, and counts the
 * references it is shown; what has more references than that is held from elsewhere. Then
 * it looks again, and follows those that are. So a Context hides what it holds from the
 * count, and only from the count, while it is not exclusive: while its node has other
 * references than its own, and those of the nodes of Contexts that were derived from it in
 * Python, which hold it, and show or hide it in their turn.
 *
 * What is hidden has a reference that the collector cannot explain, so it lives, with all
 * that it reaches; and what a Context that is held by C was derived from lives for the
 * same reason. No Context looks further than at its own node, whatever the depth of the
 * tree.
 *
 * Counts change while the collector works: C threads take and give references without the
 * interpreter's lock. That does no harm. Each Context decides once in a pass. What is
 * shown in the second look is at most too much, which keeps more. To be mistaken, the
 * count would have to miss a reference that moves from one node to another while it looks
 * at the one and then the other; the collector counts all anew after it ran the
 * finalizers, before it clears anything, and the reference would have to move back in
 * time for that, with nobody who could move it.
 *
 * The collector's function that counts is static. It is learned at import, from the first
 * look that the collector takes at a probe, and proven by the same: hiding from it keeps a
 * cycle, and showing does not. If that fails nothing is ever shown, and cycles are not
 * found.
 */
#include "home.h"

typedef struct probe {
  PyObject_HEAD struct probe *other;
  visitproc first; /* that the collector called this one with */
  bool hides;
  int *freed;
} probe;

static _Atomic(visitproc) counting;
static atomic_bool links_hold;

/* ---- Probes ----------------------------------------------------------------------- */

static int probe_traverse(PyObject *self, visitproc visit, void *arg) {
  probe *at = (probe *)self;
  if (at->first == NULL) at->first = visit;
  Py_VISIT(Py_TYPE(self));
  if (!at->hides || visit != at->first) Py_VISIT(at->other);
  return 0;
}

static int probe_clear(PyObject *self) {
  Py_CLEAR(((probe *)self)->other);
  return 0;
}

static void probe_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  ++*((probe *)self)->freed;
  probe_clear(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

static PyType_Slot probe_slots[] = {
    {Py_tp_dealloc, probe_dealloc},
    {Py_tp_traverse, probe_traverse},
    {Py_tp_clear, probe_clear},
    {0, NULL},
};

static PyType_Spec probe_spec = {
    .name = "cctx._cctx.Probe",
    .basicsize = sizeof(probe),
    .flags = CCTX__PY_FINAL_TYPE | Py_TPFLAGS_HAVE_GC,
    .slots = probe_slots,
};

static probe *new_probe(PyTypeObject *type, bool hides, int *freed) {
  probe *self = PyObject_GC_New(probe, type);
  if (self == NULL) return NULL;
  self->other = NULL;
  self->first = NULL;
  self->hides = hides;
  self->freed = freed;
  PyObject_GC_Track(self);
  return self;
}

/* A cycle of two that nobody else holds; borrowed from itself. */
static probe *new_cycle(PyTypeObject *type, bool hides, int *freed) {
  probe *first = new_probe(type, hides, freed);
  probe *second = first ? new_probe(type, false, freed) : NULL;
  if (second) second->other = first;
  if (second) first->other = second;
  if (second == NULL) Py_XDECREF(first);
  return second ? first : NULL;
}

/* Break a cycle that is still there. */
static void drop_cycle(probe *first) {
  Py_INCREF(first);
  probe_clear((PyObject *)first);
  Py_DECREF(first);
}

static void collect_young(void) {
  PyObject *gc = PyImport_ImportModule("gc");
  PyObject *done = gc ? PyObject_CallMethod(gc, "collect", "i", 0) : NULL;
  Py_XDECREF(done);
  Py_XDECREF(gc);
}

/* Two cycles, of which one hides what it holds from the collector's first look at it. */
static void learn_counting(PyTypeObject *type) {
  int hidden_freed = 0, shown_freed = 0;
  probe *hidden = new_cycle(type, true, &hidden_freed);
  probe *shown = hidden ? new_cycle(type, false, &shown_freed) : NULL;
  if (shown) collect_young();
  if (shown && hidden_freed == 0 && shown_freed == 2)
    atomic_store(&counting, hidden->first);
  if (shown && shown_freed == 0) drop_cycle(shown);
  if (hidden && hidden_freed == 0) drop_cycle(hidden);
}

/* ---- Links ------------------------------------------------------------------------ */

/* Whether `child`, which is given back here, is one reference to `parent` from its making
 * to its end, canceled or not. */
static bool is_one_reference(cctx *parent, cctx *child) {
  bool ok;
  if (child == NULL) return false;
  ok = cctx_references(child) == 1 && cctx_references(parent) == 2;
  cctx_cancel(child, "");
  ok = ok && cctx_references(parent) == 2;
  cctx_unref(child);
  return ok && cctx_references(parent) == 1;
}

static cctx *with_metadata(cctx *parent) {
  struct cctx_metadata_pair pair = {CCTX_HOP, "cctx", "", 0};
  cctx *ctx = NULL;
  if (cctx_with_metadata(&ctx, parent, &pair, 1, NULL) != CCTX_OK) return NULL;
  return ctx;
}

/* Every kind of child that links to its parent, and the second parent of a merged one. */
static void prove_links(void) {
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *second = parent ? cctx_with_cancel(cctx_background()) : NULL;
  cctx *merged[] = {parent, second}, *swapped[] = {second, parent};
  bool ok = second != NULL && is_one_reference(parent, cctx_with_values(parent, NULL, 0)) &&
            is_one_reference(parent, with_metadata(parent)) &&
            is_one_reference(parent, cctx_with_cancel(parent)) &&
            is_one_reference(parent, cctx_with_timeout(parent, CCTX_SECOND)) &&
            is_one_reference(parent, cctx_with_grace(parent, CCTX_SECOND)) &&
            is_one_reference(parent, cctx_merge(merged, 2)) &&
            is_one_reference(parent, cctx_merge(swapped, 2));
  cctx_unref(second);
  cctx_unref(parent);
  if (ok) atomic_store(&links_hold, true);
}

void cctx__py_collect_prove(void) {
#if !defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030E0000
  PyObject *type = PyType_FromSpec(&probe_spec);
#if PY_VERSION_HEX < 0x030A0000
  if (type) ((PyTypeObject *)type)->tp_new = NULL;
#endif
  if (type && atomic_load(&counting) == NULL) learn_counting((PyTypeObject *)type);
  Py_XDECREF(type);
  PyErr_Clear();
#endif
  prove_links();
}

bool cctx__py_collect_works(void) { return atomic_load(&counting) != NULL; }
bool cctx__py_collect_links(void) { return atomic_load(&links_hold); }
bool cctx__py_collect_counts(visitproc visit) { return visit == atomic_load(&counting); }
