/* SPDX-License-Identifier: Apache-2.0 */
/* The log: keeping what the core says until Python fetches it.
 *
 * The core speaks on any thread, with or without the interpreter's lock, which is never taken
 * here. So the lines wait in plain memory, newest first. It never speaks while it is asked for
 * the current context, so where the thread is attached a frame may be looked at.
 */
#include "home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
  struct line *next;
  char text[];
};

static _Atomic(struct line *) lines;

/* Where the core knows an address alone, the script that runs here says its place. */
static int describe(char *out, size_t size, const char *message) {
  const char *address = strstr(message, ", made by code at ");
  const char *file = NULL;
  int line = 0;
  if (address && cctx__py_is_attached()) cctx__py_place(&file, &line);
  if (file == NULL) return snprintf(out, size, "%s", message);
  return snprintf(out, size, "%.*s, made at %s:%d", (int)(address - message), message, file,
                  line);
}

static void keep(void *arg, const char *message) {
  enum { SIZE = 1024 };
  struct line *line = malloc(sizeof *line + SIZE), *head = atomic_load(&lines);
  (void)arg;
  if (line == NULL) return;
  describe(line->text, SIZE, message);
  do line->next = head;
  while (!atomic_compare_exchange_weak(&lines, &head, line));
}

PyObject *cctx__py_log_keep(PyObject *module, PyObject *on) {
  int keeps = PyObject_IsTrue(on);
  (void)module;
  if (keeps < 0) return NULL;
  cctx_set_log(keeps ? keep : NULL, NULL);
  Py_RETURN_NONE;
}

PyObject *cctx__py_log_fetch(PyObject *module, PyObject *unused) {
  PyObject *list = PyList_New(0);
  struct line *line = atomic_exchange(&lines, NULL), *next;
  (void)module, (void)unused;
  for (; line; line = next) {
    PyObject *text = list ? PyUnicode_DecodeUTF8(line->text, (Py_ssize_t)strlen(line->text),
                                                 "surrogateescape")
                          : NULL;
    if (text == NULL || PyList_Insert(list, 0, text) < 0) Py_CLEAR(list);
    Py_XDECREF(text);
    next = line->next;
    free(line);
  }
  return list;
}
