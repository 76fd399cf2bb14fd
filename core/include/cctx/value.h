/* SPDX-License-Identifier: Apache-2.0 */
/* Values: what code of one process knows about its request. */
#ifndef CCTX_VALUE_H
#define CCTX_VALUE_H

#include <cctx/context.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Keys ----------------------------------------------------------------
 *
 * A private key is a static variable; who cannot name the variable can neither read
 * nor shadow the value:
 *
 *     static cctx_key session = CCTX_KEY_INIT("session");
 *
 * A named key is the same key in C, Lua and Python: cctx_key_named("tenant").
 */
typedef struct cctx_key {
  const char *name; /**< for people; two private keys may have the same one */
  uint32_t id;      /**< 0 until first use; then never another key's */
  uint32_t flags;   /**< CCTX_KEY_SECRET or 0 */
} cctx_key;

/** A flag of a key: its values are secret, and never appear in a dump, log or string. Set it
 *  before the key is used, in its initializer or in what cctx_key_named returned. */
#define CCTX_KEY_SECRET 1u

#define CCTX_KEY_INIT(name)                                                                \
  { (name), 0, 0 }
#define CCTX_SECRET_KEY_INIT(name)                                                         \
  { (name), 0, CCTX_KEY_SECRET }

/** Room of the table of named keys, and of one name without its NUL. */
#define CCTX_KEY_NAMES_MAX 1024
#define CCTX_KEY_NAME_MAX 255

/** The key that every caller of this name gets. Immortal. NULL for lack of memory, for
 *  a name that is empty or too long, or when CCTX_KEY_NAMES_MAX names are in use: names
 *  come from programs, never from what a stranger sent. */
CCTX_API cctx_key *cctx_key_named(const char *name);

/** The key of this name if anybody has asked cctx_key_named for it, else NULL. Reading
 *  never adds a name. */
CCTX_API cctx_key *cctx_key_find(const char *name);

/* ---- Variants ------------------------------------------------------------ */

enum cctx_type { CCTX_NIL, CCTX_BOOL, CCTX_INT, CCTX_DOUBLE, CCTX_STRING, CCTX_POINTER };

/** One value. A string has a length, may hold any bytes, and is copied when it is
 *  stored. A pointer is opaque to everybody but its owner: `retain` (may be NULL) is
 *  called for each context that stores it, `release` (may be NULL) when that context
 *  dies, on whichever thread that happens, with no lock held and background current. With
 *  `release` alone it must not get into a second one, as by cctx_detached. `owner` says whose
 *  it is; the library only hands it back. */
typedef struct cctx_variant {
  enum cctx_type type;
  union {
    bool b;
    int64_t i;
    double d;
    struct {
      const char *bytes;
      size_t len;
    } s;
    struct {
      void *ptr;
      void (*retain)(void *ptr);
      void (*release)(void *ptr);
      const void *owner;
    } p;
  } as;
} cctx_variant;

/** Make a variant. The bytes of a string are borrowed until it is stored. */
static inline cctx_variant cctx_variant_of(enum cctx_type type) {
  cctx_variant value;
  memset(&value, 0, sizeof value);
  value.type = type;
  return value;
}
static inline cctx_variant cctx_nil(void) { return cctx_variant_of(CCTX_NIL); }
static inline cctx_variant cctx_bool(bool b) {
  cctx_variant value = cctx_variant_of(CCTX_BOOL);
  value.as.b = b;
  return value;
}
static inline cctx_variant cctx_int(int64_t i) {
  cctx_variant value = cctx_variant_of(CCTX_INT);
  value.as.i = i;
  return value;
}
static inline cctx_variant cctx_double(double d) {
  cctx_variant value = cctx_variant_of(CCTX_DOUBLE);
  value.as.d = d;
  return value;
}
static inline cctx_variant cctx_bytes(const char *bytes, size_t len) {
  cctx_variant value = cctx_variant_of(CCTX_STRING);
  value.as.s.bytes = bytes;
  value.as.s.len = len;
  return value;
}
static inline cctx_variant cctx_text(const char *text) {
  return cctx_bytes(text, strlen(text));
}
static inline cctx_variant cctx_pointer(void *ptr, void (*retain)(void *),
                                        void (*release)(void *), const void *owner) {
  cctx_variant value = cctx_variant_of(CCTX_POINTER);
  value.as.p.ptr = ptr;
  value.as.p.retain = retain;
  value.as.p.release = release;
  value.as.p.owner = owner;
  return value;
}

/* ---- Storing and reading -------------------------------------------------- */

struct cctx_entry {
  cctx_key *key;
  cctx_variant value;
};

/** A child in which `key` has `value`: it hides the parent's value of that key. A
 *  stored nil is a value, not an absence. NULL for lack of memory. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_value(cctx *parent, cctx_key *key,
                                             cctx_variant value);

/** The same for `n` entries in one node; of two with the same key the later wins. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_values(cctx *parent,
                                              const struct cctx_entry *entries, size_t n);

/** Read the nearest value of `key` into `out`: 0, or CCTX_ENOTFOUND with `out` as it was,
 *  also for a NULL key (what cctx_key_find says of an unknown name). A string or
 *  pointer is borrowed: it lives as long as a reference to `ctx` is held. */
CCTX_API int cctx_value(const cctx *ctx, const cctx_key *key, cctx_variant *out);

/** Value `i` of all that are visible from `ctx`, nearest first, each key once: 0, or CCTX_ENOTFOUND
 *  past the end. For tools: it looks through all of them at each call. Borrowed like
 *  cctx_value; the keys must still be there. */
CCTX_API int cctx_value_at(const cctx *ctx, size_t i, cctx_key **key, cctx_variant *out);

#ifdef __cplusplus
}
#endif
#endif
