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
  uint64_t number;   /* its id, never reused */
  atomic_bool open;  /* until the module is cleared */
  atomic_bool asked; /* the variable: until the interpreter's exit begins */
  PyObject *module;  /* borrowed: the module that clears this home */

  PyTypeObject *context_type;
  PyTypeObject *scope_type;
  PyTypeObject *use_type;
  PyTypeObject *policy_type;
  PyObject *cause_type;        /* the named tuple cctx.Cause */
  PyObject *canceled;          /* the exception cctx.Canceled */
  PyObject *deadline_exceeded; /* the exception cctx.DeadlineExceeded */
  PyObject *variable;          /* the ContextVar that holds the innermost scope, or None */

  _Atomic(struct parcel *) queue; /* pushed to by any thread */
  bool draining;
  struct box *boxes; /* that hold an object */

  struct context_object **contexts; /* one for each node that has one, by its address */
  size_t buckets, contexts_n;
  PyObject *notice;       /* of strict mode: a callable, or NULL; see cctx/_strict.py */
  PyObject *bound;        /* the bindings of ContextVars, a tuple, or NULL; see bound.c */
  PyObject *gc;           /* the module; see write.c */
  PyObject *background;   /* the Context of the background, at hand at any time */
  uint32_t variable_hash; /* for the peek */
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
int cctx__py_status(void); /* one of enum cctx_current_status */
cctx *cctx__py_current_origin(struct cctx_origin *origin); /* a reference */
int cctx__py_attach(cctx *ctx, enum cctx_lifetime lifetime, cctx_token *token,
                    PyObject **scope); /* *scope: what the token keeps, or NULL */
cctx *cctx__py_current(void);          /* borrowed: nothing may run meanwhile */
void cctx__py_released(
    bool may_look); /* whether threads without the lock may be looked at */
void cctx__py_detach(cctx_token *token);
int cctx__py_request_begin(cctx_request *request, cctx *parent,
                           const struct cctx_request_options *options, const char *file,
                           int line);
bool cctx__py_is_attached(void); /* whether Python runs on this thread; false if in doubt */
void cctx__py_tidy(struct home *home); /* what was left is kept by the variable no longer */
void cctx__py_request_drop(cctx_request *request); /* in a finalizer */
void cctx__py_request_end(cctx_request *request, const char *file, int line);
extern const struct cctx_interpreter cctx__py_interpreter;
extern PyType_Spec cctx__py_scope_spec;

/* wrapper.c: the life of a cctx.Context. A box and its object, to both of which it holds a
 * reference. */
struct stored {
  struct box *box;
  PyObject *object;
};

typedef struct context_object {
  PyObject_VAR_HEAD cctx *ctx; /* owned */
  struct home *home;
  struct context_object *next; /* in the home's table */
  struct context_object *from; /* that it was derived from; NULL: a root, or not known */
  PyObject *others;            /* a tuple of those that were merged into it, or NULL */
  size_t linked;               /* how often it is `from`, or among the others, of another */
  struct stored stored[];      /* at its node */
} context_object;

PyObject *cctx__py_wrap(struct home *home, cctx *ctx);
PyObject *cctx__py_find(const struct home *home, const cctx *ctx); /* NULL: has none */
cctx *cctx__py_unwrap(struct home *home, PyObject *object); /* or NULL with TypeError */

/* These take the reference over; NULL, for lack of memory, becomes a MemoryError. A child must hold
 * just one reference to its parent's node; `boxes` are `n` that it stores. */
PyObject *cctx__py_wrap_new(struct home *home, cctx *ctx);
PyObject *cctx__py_wrap_child(PyObject *parent, cctx *ctx, struct box *const *boxes,
                              Py_ssize_t n);
PyObject *cctx__py_wrap_merged(PyObject *parent, cctx *ctx, PyObject *others);
PyObject *cctx__py_wrap_detached(struct home *home, cctx *ctx);
int cctx__py_context_traverse(PyObject *object, visitproc visit, void *arg);
void cctx__py_context_dealloc(PyObject *object);

/* collect.c: what may be shown to the collector. */
void cctx__py_collect_prove(void);             /* at import; never raises */
bool cctx__py_collect_works(void);             /* else show it nothing */
bool cctx__py_collect_links(void);             /* children hold one reference each */
bool cctx__py_collect_counts(visitproc visit); /* it counts references: hide what is held */

/* peek.c: the variable, read without the lock: borrowed, or NULL; false if it cannot be. */
void cctx__py_peek_prove(struct home *home); /* at import; never raises */
bool cctx__py_peek_works(void);
void cctx__py_peek_switch(bool on);
bool cctx__py_peek(const struct home *home, PyObject *context, PyObject **value);

/* context.c: the type cctx.Context. */
extern PyType_Spec cctx__py_context_spec;

/* The doc string of a callable: its signature, then what it does. */
#define CCTX__PY_DOC(name, signature, text) PyDoc_STR(name signature "\n--\n\n" text)

/* Methods of a Context, and flat functions about the current one: readers, XX(name, text), and
 * calls that take arguments, XX(name, its parameters, text). */
#define CCTX__PY_READERS(XX)                                                               \
  XX(deadline, "The deadline in seconds of time.monotonic(), or None.")                    \
  XX(remaining, "Seconds until the deadline, 0.0 once it has passed, or None.")            \
  XX(err, "None while work may go on, else 'canceled' or 'deadline_exceeded'.")            \
  XX(cause, "Why it is done: a Cause, or None while live.")                                \
  XX(check, "Raise Canceled or DeadlineExceeded if it is done.")                           \
  XX(can_be_done, "Whether it can ever be done.")                                          \
  XX(response, "What the response holds now, as the metadata of a Context.")
#define CCTX__PY_CALLS(XX)                                                                 \
  XX(value, "key, default=None", "The nearest value of the key of this name.")             \
  XX(metadata, "name, default=None, scope=None",                                           \
     "The metadata of this name, a str; if a scope is given, only of that one.")           \
  XX(metadata_scope, "name", "The scope in which this name is, or None.")                  \
  XX(metadata_pairs, "scope=None",                                                         \
     "All metadata, or those of a scope, as a list of (name, value, scope).")              \
  XX(response_set, "name, value=None",                                                     \
     "Set a pair, or those of a mapping, in the response of the request. False where\n"    \
     "it takes none, or has ended.")                                                       \
  XX(response_receive, "name, value=None",                                                 \
     "Put what the other side answered into the response of the call. False where it\n"    \
     "takes none, or has ended.")

#define XX(name, text)                                                                     \
  PyObject *cctx__py_read_##name(struct home *home, cctx *ctx);                            \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *unused);
CCTX__PY_READERS(XX)
#undef XX
#define XX(name, parameters, text)                                                         \
  PyObject *cctx__py_read_##name(struct home *home, cctx *ctx, bool is_current,            \
                                 PyObject *args, PyObject *kwargs);                        \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *args, PyObject *kwargs);
CCTX__PY_CALLS(XX)
#undef XX
extern PyMethodDef cctx__py_readers[];

/* read.c: the name of something that may be stored, in `*name`: 1. 0 for a str that cannot name
 * anything, which is then absent; -1 with an exception for what is no str. */
int cctx__py_to_name(PyObject *object, const char *what, const char **name);

/* mapping.c: whether an object has items(); -1 with an exception. */
int cctx__py_is_mapping(PyObject *object);
/* The items of a mapping, as a list of pairs, a new reference; `what` names it in errors. */
PyObject *cctx__py_items(PyObject *mapping, const char *what);

/* store.c: values. */
PyObject *cctx__py_with_value(PyObject *self, PyObject *args);
PyObject *cctx__py_with_values(PyObject *self, PyObject *mapping);

/* metadata.c: pairs that borrow from `items`. */
struct py_pairs {
  PyObject *items;
  struct cctx_metadata_pair *at;
  size_t n;
};

/* From a name and its value, or, where that is NULL, from a mapping or items. -1 with an exception,
 * and nothing to give back. */
int cctx__py_pairs_init(struct py_pairs *pairs, PyObject *name, PyObject *value,
                        PyObject *scope);
void cctx__py_pairs_done(struct py_pairs *pairs);
/* Raise what the core says of pair `bad`. */
PyObject *cctx__py_pairs_refused(const struct py_pairs *pairs, int status, size_t bad);
PyObject *cctx__py_with_metadata(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_without_metadata(PyObject *self, PyObject *names);

/* response.c */
PyObject *cctx__py_with_response(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_response_end(PyObject *self, PyObject *unused);

/* use.c */
extern PyType_Spec cctx__py_use_spec, cctx__py_block_spec;
PyObject *cctx__py_call_under(cctx *ctx, enum cctx_lifetime lifetime, PyObject *callable,
                              PyObject *args, PyObject *kwargs);
PyObject *cctx__py_run_handed_over(PyObject *module, PyObject *args);
PyObject *cctx__py_run_inherited(PyObject *module, PyObject *args);

/* value.c */
int cctx__py_to_value(struct home *home, PyObject *object, cctx_variant *out);
void cctx__py_value_done(cctx_variant *value); /* after it was stored, or not */
struct box *cctx__py_box_of(const struct home *home,
                            const cctx_variant *value); /* or NULL */
PyObject *cctx__py_box_list(struct box *box);           /* its object, a new reference */
void cctx__py_box_unlist(struct box *box, const PyObject *context);
bool cctx__py_box_is_shown_by(struct box *box, const PyObject *context);
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

/* observe.c, wait.c: being told that a context is done. */
extern PyType_Spec cctx__py_loop_spec, cctx__py_observer_spec;
PyObject *cctx__py_context_wait(PyObject *self, PyObject *args, PyObject *kwargs);

/* request.c */
extern PyType_Spec cctx__py_request_spec;

/* policy.c: what the caller's object keeps; NULL or -1 with an exception. */
extern PyType_Spec cctx__py_policy_spec;
const struct cctx_policy *cctx__py_to_policy(struct home *home, PyObject *object);
int cctx__py_to_format(PyObject *object, enum cctx_format *format);

/* carrier.c */
PyObject *cctx__py_extract(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_inject(PyObject *module, PyObject *args, PyObject *kwargs);

/* session.c: methods of a Context, XX(name, flags, signature, text), and functions. */
#define CCTX__PY_SESSION_METHODS(XX)                                                       \
  XX(with_session, METH_VARARGS | METH_KEYWORDS, "($self, /, timeout=None)",               \
     "A child that is a session of its own, disabled after timeout seconds.")              \
  XX(session_state, METH_NOARGS, "($self, /)",                                             \
     "The state of its session: 'none', 'valid', 'disabled' or 'ended'.")                  \
  XX(disable_session, METH_NOARGS, "($self, /)",                                           \
     "Disable its session, and all derived from that. True if this call was the first.")   \
  XX(end_session, METH_NOARGS, "($self, /)",                                               \
     "End its session. True if this call was the first.")                                  \
  XX(with_variables, METH_VARARGS | METH_KEYWORDS, "($self, /, timeout=None)",             \
     "A session with variables that all who hold it share.")                               \
  XX(set_variable, METH_VARARGS, "($self, key, value, /)",                                 \
     "Set a variable of its session.")                                                     \
  XX(variables, METH_NOARGS, "($self, /)",                                                 \
     "The variables of its session as they are now, as values of a Context.")
PyObject *cctx__py_with_session(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_session_state(PyObject *self, PyObject *unused);
PyObject *cctx__py_disable_session(PyObject *self, PyObject *unused);
PyObject *cctx__py_end_session(PyObject *self, PyObject *unused);
PyObject *cctx__py_with_variables(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_set_variable(PyObject *self, PyObject *args);
PyObject *cctx__py_variables(PyObject *self, PyObject *unused);
extern PyMethodDef cctx__py_session_functions[];

/* recover.c, manager.c, backup.c */
extern PyMethodDef cctx__py_recover_functions[];
extern PyType_Spec cctx__py_manager_spec, cctx__py_backup_spec;

/* key.c */
cctx_key *cctx__py_to_key(PyObject *name); /* or NULL with an exception */
PyObject *cctx__py_key_named(PyObject *module, PyObject *args);
PyObject *cctx__py_key_names(PyObject *module, PyObject *context);

/* log.c */
PyObject *cctx__py_log_keep(PyObject *module, PyObject *on);
PyObject *cctx__py_log_fetch(PyObject *module, PyObject *unused);

/* package.c: methods that are written in Python. */
PyObject *cctx__py_context_done(PyObject *self, PyObject *unused);
PyObject *cctx__py_context_on_done(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *cctx__py_context_values(PyObject *self, void *unused);
PyObject *cctx__py_context_metadata_map(PyObject *self, void *unused);
PyObject *cctx__py_scope_aenter(PyObject *self, PyObject *unused);
PyObject *cctx__py_scope_aexit(PyObject *self, PyObject *args);
/* In strict mode: tell it that somebody asks, or that a scope is entered or left. */
void cctx__py_notice(struct home *home, const char *event, PyObject *scope);
PyObject *cctx__py_set_notice(PyObject *module, PyObject *notice);

/* bound.c: ContextVars that mirror values. */
bool cctx__py_mirror(struct home *home, const cctx *from, const cctx *to,
                     PyObject **mirror); /* NULL as `from`: all begins anew; or no memory */
void cctx__py_unmirror(const struct home *home,
                       PyObject **mirror); /* puts back, and empties the slot */
PyObject *cctx__py_bound_value(struct home *home, const cctx *ctx, const char *name);
PyObject *cctx__py_set_bound(PyObject *module, PyObject *bound);
bool cctx__py_is_from_variable(const struct home *home, const cctx *ctx); /* variable.c */

/* allow.c */
void cctx__py_let_go(cctx_py_released *released);
void cctx__py_take_back(cctx_py_released *released);

/* write.c: as PyContextVar_Set, _Reset, and PyContext_CopyCurrent; 0, or -1 with an exception. */
PyObject *cctx__py_set(const struct home *home, PyObject *variable, PyObject *value);
int cctx__py_reset(const struct home *home, PyObject *variable, PyObject *token);
PyObject *cctx__py_copy_current(const struct home *home);
int cctx__py_write(const struct home *home, PyObject *value);

/* call.c */
extern const struct cctx_py_api cctx__py_api;

#endif
