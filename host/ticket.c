/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: requests in the hands of Python code, by the built-in module _cctx_host.
 *
 * A ticket is a capsule that owns a request until it is answered. One that is lost
 * answers for itself: no request is left without an end.
 */
#define PY_SSIZE_T_CLEAN
#include "ticket.h"

#include <cctx/interpreter.h>
#include <string.h>

#include "log.h"

static const char ticket_name[] = "cctx.ticket", used_name[] = "cctx.ticket.used";

static struct server *the_server; /* one in a process */
static const struct cctx_py_api *cctx_py;

/* The request of a ticket that is not used, or NULL with an exception. */
static struct request *peek_ticket(PyObject *ticket) {
  return PyCapsule_GetPointer(ticket, ticket_name);
}

/* Give the request back: the ticket is used. */
static PyObject *use_ticket(PyObject *ticket, struct request *request) {
  PyCapsule_SetName(ticket, used_name);
  request_finish(request);
  Py_RETURN_NONE;
}

static void lose_ticket(PyObject *ticket) {
  if (!PyCapsule_IsValid(ticket, ticket_name)) return;
  struct request *request = PyCapsule_GetPointer(ticket, ticket_name);
  log_error(request, "the worker lost this request");
  request_answer_text(request, 500, "internal server error\n");
  request_finish(request);
}

/* ---- What a request brings ---- */

/* As WSGI does: any byte is a character. */
static PyObject *make_latin(const char *text) {
  return PyUnicode_DecodeLatin1(text, (Py_ssize_t)strlen(text), NULL);
}

static PyObject *make_headers(const struct headers *headers) {
  PyObject *dict = PyDict_New();
  for (size_t i = 0; dict && i < headers->n; i++) {
    PyObject *name = make_latin(headers->at[i].name);
    PyObject *value = make_latin(headers->at[i].value);
    if (!name || !value || PyDict_SetItem(dict, name, value) < 0) Py_CLEAR(dict);
    Py_XDECREF(name);
    Py_XDECREF(value);
  }
  return dict;
}

static PyObject *make_text(const char *text) {
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

/* (method, path, query, headers, body) */
static PyObject *make_parts(const struct request *request) {
  return Py_BuildValue("(NNNNy#)", make_text(request->method), make_text(request->path),
                       make_text(request->query), make_headers(&request->headers),
                       request->body ? request->body : "", (Py_ssize_t)request->len);
}

/* The next request whose context is not done; those that are, are answered. */
static struct request *take_live(void) {
  struct request *request;
  int status;
  while ((request = queue_take(&the_server->python, 0, NULL)) != NULL) {
    if ((status = cctx_err(request->ctx)) == 0) break;
    request_answer_stopped(request, status);
    request_finish(request);
  }
  return request;
}

static PyObject *take(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  struct request *request = take_live();
  if (!request) Py_RETURN_NONE;
  PyObject *ticket = PyCapsule_New(request, ticket_name, lose_ticket);
  if (!ticket) {
    request_answer_text(request, 500, "out of memory\n");
    request_finish(request);
    return NULL;
  }
  return Py_BuildValue("(NNnN)", ticket, cctx_py->wrap(request->ctx),
                       (Py_ssize_t)request->route, make_parts(request));
}

/* ---- Its handler ---- */

/* begin(ticket, function, *arguments): call it under the request, which it inherits. The
 * tasks that it makes go on with the request, and see its end. */
static PyObject *begin(PyObject *module, PyObject *args) {
  struct cctx_origin origin = {.lifetime = CCTX_INHERITED, .file = __FILE__};
  PyObject *ticket, *function, *rest, *result;
  cctx_token token;
  (void)module;
  if (PyTuple_GET_SIZE(args) < 2)
    return PyErr_Format(PyExc_TypeError, "begin takes a ticket and a function");
  ticket = PyTuple_GET_ITEM(args, 0);
  function = PyTuple_GET_ITEM(args, 1);
  struct request *request = peek_ticket(ticket);
  if (!request || !(rest = PyTuple_GetSlice(args, 2, PyTuple_GET_SIZE(args)))) return NULL;
  if (cctx_attach_as(request->ctx, &origin, &token) != 0) {
    Py_DECREF(rest);
    return PyErr_NoMemory();
  }
  result = PyObject_Call(function, rest, NULL);
  cctx_detach(&token);
  Py_DECREF(rest);
  return result;
}

/* ---- What is answered ---- */

static PyObject *answer(PyObject *module, PyObject *args) {
  PyObject *ticket, *headers;
  const char *body, *name, *value;
  Py_ssize_t len;
  unsigned status;
  (void)module;
  if (!PyArg_ParseTuple(args, "OIy#O!", &ticket, &status, &body, &len, &PyList_Type,
                        &headers))
    return NULL;
  struct request *request = peek_ticket(ticket);
  if (!request) return NULL;
  request_answer_text(request, 200, "");
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
    if (!PyArg_ParseTuple(PyList_GET_ITEM(headers, i), "ss", &name, &value)) return NULL;
    request_answer_header(request, name, value);
  }
  request_answer(request, status, body, (size_t)len);
  return use_ticket(ticket, request);
}

static PyObject *stop(PyObject *module, PyObject *args) {
  PyObject *ticket;
  int is_deadline;
  (void)module;
  if (!PyArg_ParseTuple(args, "Op", &ticket, &is_deadline)) return NULL;
  struct request *request = peek_ticket(ticket);
  if (!request) return NULL;
  request_answer_stopped(request, is_deadline ? CCTX_EDEADLINE : CCTX_ECANCELED);
  return use_ticket(ticket, request);
}

static PyObject *fail(PyObject *module, PyObject *args) {
  PyObject *ticket, *text;
  (void)module;
  if (!PyArg_ParseTuple(args, "OU", &ticket, &text)) return NULL;
  struct request *request = peek_ticket(ticket);
  if (!request) return NULL;
  PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
  if (!bytes) return NULL;
  log_error(request, PyBytes_AS_STRING(bytes));
  Py_DECREF(bytes);
  request_answer_text(request, 500, "internal server error\n");
  return use_ticket(ticket, request);
}

/* ---- The module ---- */

static PyObject *closed(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyBool_FromLong(queue_is_closed(&the_server->python));
}

static PyObject *fd(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyLong_FromLong(the_server->python.fd);
}

static PyMethodDef methods[] = {
    {"take", take, METH_NOARGS, "The next (ticket, context, route, parts), or None."},
    {"begin", begin, METH_VARARGS, "begin(ticket, function, *arguments): call it for it."},
    {"answer", answer, METH_VARARGS, "answer(ticket, status, body, headers)"},
    {"stop", stop, METH_VARARGS, "stop(ticket, is_deadline): its context is done."},
    {"fail", fail, METH_VARARGS, "fail(ticket, text): 500, and the text in the log."},
    {"closed", closed, METH_NOARGS, "Whether nothing more will come."},
    {"fd", fd, METH_NOARGS, "Readable while take() or closed() has something to say."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_cctx_host",
                                        .m_size = -1, .m_methods = methods};

static PyObject *make_module(void) { return PyModule_Create(&definition); }

bool ticket_offer_module(struct server *server) {
  the_server = server;
  return PyImport_AppendInittab("_cctx_host", make_module) == 0;
}

void ticket_set_api(const struct cctx_py_api *api) { cctx_py = api; }
