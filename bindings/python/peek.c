/* SPDX-License-Identifier: Apache-2.0 */
/* The peek: reading a variable of a thread that has released its interpreter.
 *
 * The Context in which a thread runs is changed by that thread alone, and the mapping
 * inside it is immutable. So while the thread is away from its interpreter it may read
 * there without the lock, as long as it takes no reference and writes nothing, caches
 * included. That needs the layout of structs that CPython keeps to itself, which is
 * mirrored here.
 *
 * The mirror is believed only after it was proven in this very process: at each import,
 * Contexts of zero to some two hundred variables are read both ways. Before a pointer is
 * followed for the first time, the collector's traversal of what it was found in must
 * name it, so that a layout that has changed is found out, not walked into. Later reads
 * compare the type of everything they meet with the types met then. At the first
 * difference the peek is off for the process.
 */
#include "home.h"

#include <stddef.h>
#include <string.h>

enum { PROVEN = 1, DISPROVEN = 2, SWITCHED_OFF = 4 };
static atomic_uint verdict;

bool cctx__py_peek_works(void) { return atomic_load(&verdict) == PROVEN; }

/* For tests of what holds where the mirror does not. */
void cctx__py_peek_switch(bool on) {
  if (on)
    atomic_fetch_and(&verdict, ~(unsigned)SWITCHED_OFF);
  else
    atomic_fetch_or(&verdict, SWITCHED_OFF);
}

#if defined(Py_GIL_DISABLED) || PY_VERSION_HEX >= 0x030E0000

void cctx__py_peek_prove(struct home *home) { (void)home; }

bool cctx__py_peek(const struct home *home, PyObject *context, PyObject **value) {
  (void)home, (void)context;
  *value = NULL;
  return false;
}

#else

/* ---- The layout, alike from 3.9 to 3.13 ------------------------------------------- */

struct context {
  PyObject_HEAD PyObject *outer;
  PyObject *variables;
  PyObject *weak_references;
  int entered;
};

/* The variables: a hash array mapped trie. Its keys are the ContextVars. */
struct trie {
  PyObject_HEAD PyObject *root;
  PyObject *weak_references;
  Py_ssize_t count;
};

/* For each bit that is set, a pair: a key with its value, or NULL with a node below. */
struct bitmap_node {
  PyObject_VAR_HEAD uint32_t bits;
  PyObject *pairs[1];
};

struct array_node {
  PyObject_HEAD PyObject *nodes[32];
  Py_ssize_t count;
};

/* A level takes BITS of the hash; the seventh has the last of them. Below the levels are
 * nodes for keys whose hashes are the same; no key of ours has met one yet, and the peek
 * says nothing there. */
enum { BITS = 5, MASK = 31, LEVELS = 7 };

/* Of a trie, a bitmap node and an array node; known since the first proof. */
static _Atomic(PyTypeObject *) trie_type, bitmap_type, array_type;

/* As the trie folds it. */
static uint32_t fold_hash(Py_hash_t hash) {
  uint64_t wide = (uint64_t)(int64_t)hash;
  uint32_t folded = (uint32_t)wide;
  if (sizeof hash > sizeof folded) folded ^= (uint32_t)(wide >> 32);
  return folded == UINT32_MAX ? UINT32_MAX - 1 : folded;
}

/* ---- Reading ---------------------------------------------------------------------- */

/* The place of a hash's pair in a bitmap node; -1: there is none. */
static Py_ssize_t pair_of(const struct bitmap_node *node, uint32_t digit) {
  uint32_t bit = (uint32_t)1 << digit;
  Py_ssize_t i;
  if (!(node->bits & bit)) return -1;
  i = 2 * (Py_ssize_t)__builtin_popcount(node->bits & (bit - 1));
  return i + 1 < Py_SIZE((const PyVarObject *)(const void *)node) ? i : -1;
}

/* False: it met what it does not know. `*value` is NULL for an absent key. */
static bool find(PyObject *at, uint32_t hash, const PyObject *key, PyObject **value) {
  *value = NULL;
  for (int level = 0; at && level < LEVELS; level++) {
    uint32_t digit = (hash >> (level * BITS)) & MASK;
    if (Py_TYPE(at) == bitmap_type) {
      const struct bitmap_node *node = (struct bitmap_node *)(void *)at;
      Py_ssize_t i = pair_of(node, digit);
      if (i < 0) return true;
      if (node->pairs[i] == key) *value = node->pairs[i + 1];
      if (node->pairs[i] != NULL) return true;
      at = node->pairs[i + 1];
    } else if (Py_TYPE(at) == array_type) {
      at = ((struct array_node *)(void *)at)->nodes[digit];
    } else {
      return false;
    }
  }
  return at == NULL;
}

static bool read_context(PyObject *context, uint32_t hash, const PyObject *key,
                         PyObject **value) {
  PyObject *trie;
  *value = NULL;
  if (context == NULL) return true; /* the thread has set no variable yet */
  if (!PyContext_CheckExact(context)) return false;
  trie = ((struct context *)(void *)context)->variables;
  if (trie == NULL || Py_TYPE(trie) != trie_type) return false;
  return find(((struct trie *)(void *)trie)->root, hash, key, value);
}

bool cctx__py_peek(const struct home *home, PyObject *context, PyObject **value) {
  *value = NULL;
  return cctx__py_peek_works() &&
         read_context(context, home->variable_hash, home->variable, value);
}

/* ---- The proof -------------------------------------------------------------------- */

/* Up to the second number of variables the mirror is walked at each, and after it until an
 * array node has been met: there is one when more than half of the digits of a level are in
 * use, which depends on the addresses of the variables. */
enum { VARIABLES = 200, EACH = 32 };

static int is_it(PyObject *object, void *it) { return object == it; }

/* Whether `holder` really holds a reference to what may not even be an object. */
static bool holds(PyObject *holder, PyObject *object) {
  return object && Py_TYPE(holder)->tp_traverse &&
         Py_TYPE(holder)->tp_traverse(holder, is_it, object) != 0;
}

/* Whether `object` is of the type so named, of this size. `*type`: as met before, if it
 * was. */
static bool is_of(PyObject *object, const char *name, size_t size, size_t item_size,
                  _Atomic(PyTypeObject *) *type) {
  PyTypeObject *met = Py_TYPE(object), *before = NULL;
  if (strcmp(met->tp_name, name) != 0 || met->tp_basicsize != (Py_ssize_t)size ||
      met->tp_itemsize != (Py_ssize_t)item_size)
    return false;
  return atomic_compare_exchange_strong(type, &before, met) || before == met;
}

static bool learn_node(PyObject *node, int level);

static bool learn_bitmap(PyObject *node, int level) {
  const struct bitmap_node *bitmap = (struct bitmap_node *)(void *)node;
  Py_ssize_t n = Py_SIZE(node);
  if (n != 2 * (Py_ssize_t)__builtin_popcount(bitmap->bits)) return false;
  for (Py_ssize_t i = 0; i < n; i += 2) {
    PyObject *key = bitmap->pairs[i], *value = bitmap->pairs[i + 1];
    if (!holds(node, value) || (key != NULL && !holds(node, key))) return false;
    if (key == NULL && !learn_node(value, level + 1)) return false;
  }
  return true;
}

static bool learn_array(PyObject *node, int level) {
  const struct array_node *array = (struct array_node *)(void *)node;
  Py_ssize_t count = 0;
  for (size_t i = 0; i < sizeof array->nodes / sizeof *array->nodes; i++) {
    if (array->nodes[i] == NULL) continue;
    if (!holds(node, array->nodes[i]) || !learn_node(array->nodes[i], level + 1))
      return false;
    count++;
  }
  return count == array->count;
}

static bool learn_node(PyObject *node, int level) {
  if (level >= LEVELS) return false;
  if (is_of(node, "hamt_bitmap_node", offsetof(struct bitmap_node, pairs),
            sizeof(PyObject *), &bitmap_type))
    return learn_bitmap(node, level);
  if (is_of(node, "hamt_array_node", sizeof(struct array_node), 0, &array_type))
    return learn_array(node, level);
  return false;
}

/* Walk all of the mirror, and trust no pointer. */
static bool learn(PyObject *context) {
  PyObject *trie, *root;
  if (Py_TYPE(context)->tp_basicsize != (Py_ssize_t)sizeof(struct context)) return false;
  trie = ((struct context *)(void *)context)->variables;
  if (!holds(context, trie) || !is_of(trie, "hamt", sizeof(struct trie), 0, &trie_type))
    return false;
  root = ((struct trie *)(void *)trie)->root;
  return holds(trie, root) && learn_node(root, 0);
}

/* Whether both ways of reading `variable` agree; errors count as a difference. */
static bool agrees(PyObject *context, PyObject *variable) {
  PyObject *value = NULL, *peeked;
  Py_hash_t hash = PyObject_Hash(variable);
  if (hash == -1 || PyContextVar_Get(variable, NULL, &value) < 0) return false;
  Py_XDECREF(value); /* the Context keeps it */
  return read_context(context, fold_hash(hash), variable, &peeked) && peeked == value;
}

static bool set(PyObject *variable, PyObject *value) {
  PyObject *token = PyContextVar_Set(variable, value);
  Py_XDECREF(token);
  return token != NULL;
}

/* Set one more variable, and for a moment the binding's own: is all as it should be? */
static bool prove_size(struct home *home, PyObject *context, PyObject **variables, int n) {
  PyObject *token;
  bool ok;
  variables[n] = PyContextVar_New("cctx.proof", NULL);
  if (variables[n] == NULL || !agrees(context, variables[n]) ||
      !set(variables[n], variables[n]))
    return false;
  token = PyContextVar_Set(home->variable, Py_None);
  ok = token && ((n > EACH && n % 50 != 0 && array_type) || learn(context)) &&
       agrees(context, home->variable) && PyContextVar_Reset(home->variable, token) == 0 &&
       agrees(context, home->variable);
  Py_XDECREF(token);
  for (int i = n % 16; ok && i <= n; i += 16) ok = agrees(context, variables[i]);
  return ok;
}

static bool prove_inside(struct home *home, PyObject *context) {
  PyObject *variables[VARIABLES] = {NULL};
  bool ok = learn(context) && agrees(context, home->variable);
  for (int n = 0; ok && n < VARIABLES; n++) ok = prove_size(home, context, variables, n);
  for (int n = 0; ok && n < VARIABLES; n++) ok = agrees(context, variables[n]);
  for (int n = 0; n < VARIABLES; n++) Py_XDECREF(variables[n]);
  return ok;
}

void cctx__py_peek_prove(struct home *home) {
  PyObject *context = PyContext_New();
  Py_hash_t hash = PyObject_Hash(home->variable);
  bool ok = false;
  home->variable_hash = fold_hash(hash);
  if (context && hash != -1 && PyContext_Enter(context) == 0) {
    ok = prove_inside(home, context);
    if (PyContext_Exit(context) < 0) ok = false;
  }
  Py_XDECREF(context);
  if (ok)
    atomic_fetch_or(&verdict, PROVEN);
  else if (!PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_MemoryError))
    atomic_fetch_or(&verdict, DISPROVEN);
  PyErr_Clear();
}

#endif
