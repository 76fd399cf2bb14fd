/* SPDX-License-Identifier: Apache-2.0 */
/* A request: what came, the context it is worked on under, and what is answered.
 *
 * The I/O thread makes it, gives it to a worker with its context begun, and has it back when
 * the worker has called request_finish. When the worker is late, the I/O thread has it back
 * before: it then reads only what came, and the last of the two to let go frees it.
 */
#ifndef HOST_REQUEST_H
#define HOST_REQUEST_H

#include <cctx.h>

#include <stdatomic.h>

#include "cause.h"
#include "due.h"
#include "headers.h"

#define DEADLINE_EXCEEDED "context deadline exceeded\n" /* a body */

/* The longest body that is taken; anything longer is answered with 413. */
enum { BODY_MAX = 1 << 20 };

struct answer {
  unsigned status; /* 0: none yet */
  bool is_lost;    /* no memory: it stays 500 with nothing in it */
  char *body;
  size_t len;
  struct headers headers;
};

struct request {
  uint64_t number;        /* counts from 1, for the log */
  int64_t arrived;        /* time of cctx_now() */
  char trace[33];         /* the trace id, or "-" */
  char *method;           /* NULL until the headers are read */
  char *path;             /* decoded */
  char *query;            /* as it was sent, "" if there was none */
  bool is_cut;            /* a NUL in the path ends it for C: no route may match */
  struct headers headers; /* names in lower case, each once */
  char *body;
  size_t len;
  bool too_large;
  bool is_crowded; /* the bodies of others take all memory that there is for them */
  size_t route;    /* index of the route that answers it */
  cctx *ctx;       /* of `mark`, from request_begin to request_finish */
  cctx_request mark;
  struct answer answer;
  void (*resume)(struct request *request); /* gives it back to the I/O thread */
  void *connection;                        /* of the I/O thread */
  int watched;                             /* its descriptor, of watch.c; -1: none */
  bool is_gone;    /* its client has left; of watch.c until watch_end */
  unsigned status; /* of the I/O thread: what was answered, 0: nothing yet */
  bool is_short;   /* no memory for one of its headers */
  bool begun;
  enum cause cause;   /* what ended it before its time; of the I/O thread if it is late */
  atomic_uint owners; /* the I/O thread, and a worker */
  bool late; /* of late.c until late_end: the I/O thread answers in the worker's place */
  struct due due;                         /* of late.c */
  struct queue *queue;                    /* whose workers serve it */
  struct request *next, **link;           /* in it; link: NULL while it is not */
  struct request *live_next, **live_link; /* between begin and finish */
};

/* ---- The I/O thread's side ---- */

/* A request for `uri`, or NULL for lack of memory. */
struct request *request_new(const char *uri);
void request_free(struct request *request); /* unless a worker still has it */

/* Each of these: false for lack of memory. */
bool request_set_line(struct request *request, const char *method, const char *path);
bool request_add_header(struct request *request, const char *name, const char *value);
bool request_add_body(struct request *request, const char *bytes, size_t len);

/* Work may begin under a context that derives from `ctx`, which is taken. It is current
 * nowhere yet: a worker restores it for each call. 0; or, and then no worker may have it,
 * CCTX_ENOMEM, or CCTX_ECANCELED when the server is shutting down. */
int request_begin(struct request *request, cctx *ctx);

/* ---- The worker's side ---- */

/* What is answered; the last one holds. A copy of `body` is taken. Where there is no memory
 * for all of the answer, it is 500 with nothing in it, whatever comes after. */
void request_answer(struct request *request, unsigned status, const char *body, size_t len);
void request_answer_text(struct request *request, unsigned status, const char *text);

/* A header of the answer; those that frame the message are left to the I/O thread. */
void request_answer_header(struct request *request, const char *name, const char *value);

/* The answer for work that its context has stopped: 504 for CCTX_EDEADLINE, else 503. */
void request_answer_stopped(struct request *request, int status);

/* The end of the work: answer what was set in the response, cancel what is left of it, which
 * is background for whoever only inherited it, and give the request back. */
void request_finish(struct request *request);

/* The same without late_end, for late.c: that has given it back. */
void request_let_go(struct request *request);

/* ---- All of them ---- */

/* What a request looks like to those who only watch; longer texts are cut. */
struct request_view {
  uint64_t number;
  int64_t arrived;
  size_t route;
  char trace[33], method[17], path[257];
  cctx *ctx; /* owned by who has the view */
};

/* Look at the `max` oldest of those that are begun and not finished, the oldest last: how many
 * there were room for, and in `*all` how many there are. Short: workers wait meanwhile. */
size_t request_watch(struct request_view *views, size_t max, size_t *all);

/* How many are begun and not finished. */
size_t request_live(void);

/* Before the first of them, whose bodies may take `room` bytes together; false for lack of
 * memory. */
bool request_open(size_t room);

/* What the contexts of all derive from. */
cctx *request_root(void);
void request_close(void);

/* Cancel the contexts of all that are begun, and let none begin any more. */
void request_stop_all(const char *message);

/* Wait until everything that was begun has been answered: false if `deadline` passes. */
bool request_wait_idle(int64_t deadline);

#endif
