/* SPDX-License-Identifier: Apache-2.0 */
/* The home of the binding in one interpreter, and what its files share. */
#ifndef CCTX__PY_HOME_H
#define CCTX__PY_HOME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>

#include <cctx.h>
#include <cctx/interpreter.h>
#include <cctx/python.h>

/* Something that must be given back with the interpreter's lock held, on its way there. It is
 * part of what it gives back, so sending it takes no memory. */
struct parcel {
  struct parcel *next;
  void (*unpack)(struct parcel *parcel);
};

/* All that the binding has in one interpreter. Plain memory that is never freed, because
 * parcels on their way back may still name it when the interpreter is gone. Everything but
 * the queue is touched with the interpreter's lock held. */
struct home {
  struct home *next; /* of an older interpreter, perhaps dead */
  PyInterpreterState *interpreter;
  atomic_bool open;  /* until the module is cleared */
  atomic_bool asked; /* the variable: until the interpreter's exit begins */
  PyObject *module;  /* borrowed: the module that clears this home */

  PyTypeObject *context_type;
  PyTypeObject *scope_type;
  PyTypeObject *use_type;
  PyObject *cause_type;        /* the named tuple cctx.Cause */
  PyObject *canceled;          /* the exception cctx.Canceled */
  PyObject *deadline_exceeded; /* the exception cctx.DeadlineExceeded */
  PyObject *variable;          /* the ContextVar that holds the innermost scope, or None */

  _Atomic(struct parcel *) queue; /* pushed to by any thread */
  bool draining;
  struct box *boxes; /* that hold an object */
};

/* A cast by way of void (*)(void), which no compiler takes for a mistake. */
#define CCTX__PY_METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* Flags of a type that only this binding makes instances of. */
#if PY_VERSION_HEX >= 0x030A0000
#define CCTX__PY_FINAL_TYPE                                                                \
  (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE)
#else
#define CCTX__PY_FINAL_TYPE Py_TPFLAGS_DEFAULT
#endif

/* home.c */
struct home *cctx__py_home(PyInterpreterState *interpreter); /* NULL: none open */
struct home *cctx__py_home_here(void);                       /* or NULL with an exception */
struct home *cctx__py_home_open(PyObject *module);           /* or NULL with an exception */
void cctx__py_home_close(struct home *home);                 /* at the interpreter's exit */
int cctx__py_home_traverse(struct home *home, visitproc visit, void *arg);
void cctx__py_home_clear(struct home *home);

/* variable.c: how the core asks this binding, and how functions that Python called ask the core:
 * up to 3.11 that is the only way to know the attached state beside a second interpreter. */
cctx *cctx__py_current_ref(void);
int cctx__py_attach(cctx *ctx, cctx_token *token);
void cctx__py_detach(cctx_token *token);
extern const struct cctx_interpreter cctx__py_interpreter;
extern PyType_Spec cctx__py_scope_spec;

/* context.c: the type cctx.Context. */
typedef struct {
  PyObject_HEAD cctx *ctx; /* owned */
  struct home *home;
} context_object;

extern PyType_Spec cctx__py_context_spec;
PyObject *cctx__py_wrap(struct home *home, cctx *ctx);
PyObject *cctx__py_wrap_new(struct home *home, cctx *ctx);  /* takes the reference over */
cctx *cctx__py_unwrap(struct home *home, PyObject *object); /* or NULL with TypeError */

/* The doc string of a callable: its signature, then what it does. */
#define CCTX__PY_DOC(name, signature, text) PyDoc_STR(name signature "\n--\n\n" text)

/* read.c: readers as methods of a Context and as flat functions, XX(name, text); a look-up
 * takes a name and a default, XX(name, what its first argument is called, text). */
#define CCTX__PY_READERS(XX)                                                               \
  XX(metadata_pairs, "All metadata, as a list of (name, value, scope).")                   \
  XX(deadline, "The deadline in seconds of time.monotonic(), or None.")                    \
  XX(remaining, "Seconds until the deadline, 0.0 once it has passed, or None.")            \
  XX(err, "None while work may go on, else 'canceled' or 'deadline_exceeded'.")            \
  XX(cause, "Why it is done: a Cause, or None while live.")                                \
  XX(check, "Raise Canceled or DeadlineExceeded if it is done.")                           \
  XX(can_be_done, "Whether it can ever be done.")
#define CCTX__PY_LOOKUPS(XX)                                                               \
  XX(value, "key", "The nearest value of the key of this name.")                           \
  XX(metadata, "name", "The metadata of this name, a str.")

#define XX(name, text) PyObject *cctx__py_context_##name(PyObject *self, PyObject *unused);
CCTX__PY_READERS(XX)
#undef XX
#define XX(name, first, text)                                                              \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *args, PyObject *kwargs);
CCTX__PY_LOOKUPS(XX)
#undef XX
extern PyMethodDef cctx__py_readers[];

/* store.c: the methods that derive a Context that knows more. */
PyObject *cctx__py_with_value(PyObject *self, PyObject *args);
PyObject *cctx__py_with_values(PyObject *self, PyObject *mapping);
PyObject *cctx__py_with_metadata(PyObject *self, PyObject *args, PyObject *kwargs);

/* use.c */
extern PyType_Spec cctx__py_use_spec;
PyObject *cctx__py_call_under(cctx *ctx, PyObject *callable, PyObject *args,
                              PyObject *kwargs);

/* value.c */
int cctx__py_to_value(struct home *home, PyObject *object, cctx_variant *out);
void cctx__py_value_done(cctx_variant *value); /* after it was stored, or not */
PyObject *cctx__py_from_value(struct home *home, const cctx_variant *value);
void cctx__py_empty_boxes(
    struct home *home); /* at exit: contexts may outlive the objects */

/* parcel.c */
void cctx__py_send(struct home *home, struct parcel *parcel); /* any thread, no lock */
void cctx__py_drain(struct home *home);

/* text.c: a str as UTF-8, borrowed from it; NULL with an exception that names `what`. */
const char *cctx__py_text(PyObject *object, const char *what, Py_ssize_t *len);
int cctx__py_message(PyObject *object, const char **message); /* None: NULL */

/* time.c */
int cctx__py_to_timeout(PyObject *seconds, const char *name, int64_t *timeout);
PyObject *cctx__py_from_time(int64_t time); /* None for CCTX_NEVER */

/* error.c */
int cctx__py_errors_init(struct home *home, PyObject *module);
PyObject *cctx__py_cause(struct home *home, const cctx *ctx); /* None while live */
int cctx__py_check(struct home *home, const cctx *ctx);       /* -1 with an exception */
void cctx__py_place(const char **file, int *line);            /* of the running script */

/* call.c */
extern const struct cctx_py_api cctx__py_api;

#endif
