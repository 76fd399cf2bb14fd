/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the server, in the text format of Prometheus, version 0.0.4.
 *
 * Each is an atomic of its own, relaxed: a page may catch one of two that belong together
 * before the other, and the next page has both.
 */
#define _GNU_SOURCE 1
#include "metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 5, BUCKETS = 11 };

/* Upper bounds of the buckets, in milliseconds; above the last is +Inf. */
static const int64_t bounds[BUCKETS] = {5,   10,   25,   50,   100,  250,
                                        500, 1000, 2500, 5000, 10000};

struct route_counts {
  _Atomic uint64_t classes[CLASSES];     /* 1xx to 5xx */
  _Atomic uint64_t buckets[BUCKETS + 1]; /* each without those below it */
  _Atomic uint64_t ns;                   /* the sum of all durations */
};

static const struct server *server_of_process;
static struct route_counts *counts; /* one a route, and one for what no route answers */
static _Atomic uint64_t causes[CAUSE_COUNT];
static struct cctx_carrier_counts refused;

bool metrics_open(struct server *server) {
  counts = calloc(server->routes_n + 1, sizeof *counts);
  server_of_process = server;
  server->policy.counts = &refused;
  return counts != NULL;
}

static void add(_Atomic uint64_t *count, uint64_t n) {
  atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static uint64_t read(_Atomic uint64_t *count) {
  return atomic_load_explicit(count, memory_order_relaxed);
}

void metrics_count(const struct request *request) {
  int64_t took = cctx_now() - request->arrived;
  size_t i = 0;
  size_t none = server_of_process->routes_n;
  struct route_counts *to = &counts[request->begun ? request->route : none];
  while (i < BUCKETS && took > bounds[i] * CCTX_MILLISECOND) i++;
  add(&to->buckets[i], 1);
  add(&to->ns, (uint64_t)took);
  if (request->status >= 100 && request->status < 100 * (CLASSES + 1))
    add(&to->classes[request->status / 100 - 1], 1);
  add(&causes[request->cause], 1);
}

/* ---- The page ---- */

static void head(struct buffer *out, const char *name, const char *type, const char *help) {
  buffer_print(out, "# HELP cctx_%s %s\n# TYPE cctx_%s %s\n", name, help, name, type);
}

/* The labels of a route, without braces. What no route answers has an empty one. */
static void put_route(struct buffer *out, size_t route) {
  const struct server *server = server_of_process;
  bool is_route = route < server->routes_n;
  buffer_print(out, "route=\"");
  for (const char *c = is_route ? server->routes[route].path : ""; *c != '\0'; c++)
    if (*c == '\n')
      buffer_write(out, "\\n", 2);
    else
      buffer_print(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  buffer_print(out, "\",language=\"%s\"",
               is_route ? language_word(server->routes[route].language) : "");
}

static void write_requests(struct buffer *out) {
  head(out, "requests_total", "counter", "Requests that were answered.");
  for (size_t i = 0; i <= server_of_process->routes_n; i++)
    for (size_t class = 0; class < CLASSES; class ++) {
      buffer_print(out, "cctx_requests_total{");
      put_route(out, i);
      buffer_print(out, ",status=\"%zuxx\"} %" PRIu64 "\n", class + 1,
                   read(&counts[i].classes[class]));
    }
}

static void write_bucket(struct buffer *out, size_t route, const char *bound, uint64_t n) {
  buffer_print(out, "cctx_request_duration_seconds_bucket{");
  put_route(out, route);
  buffer_print(out, ",le=\"%s\"} %" PRIu64 "\n", bound, n);
}

static void write_histogram(struct buffer *out, size_t route) {
  struct route_counts *from = &counts[route];
  uint64_t sum = 0, ns = read(&from->ns);
  for (size_t i = 0; i < BUCKETS; i++) {
    char bound[32];
    snprintf(bound, sizeof bound, "%d.%03d", (int)(bounds[i] / 1000),
             (int)(bounds[i] % 1000));
    sum += read(&from->buckets[i]);
    write_bucket(out, route, bound, sum);
  }
  sum += read(&from->buckets[BUCKETS]);
  write_bucket(out, route, "+Inf", sum);
  buffer_print(out, "cctx_request_duration_seconds_sum{");
  put_route(out, route);
  buffer_print(out, "} %" PRIu64 ".%09" PRIu64 "\n", ns / CCTX_SECOND, ns % CCTX_SECOND);
  buffer_print(out, "cctx_request_duration_seconds_count{");
  put_route(out, route);
  buffer_print(out, "} %" PRIu64 "\n", sum);
}

static void write_durations(struct buffer *out) {
  head(out, "request_duration_seconds", "histogram", "From the arrival to the answer.");
  for (size_t i = 0; i <= server_of_process->routes_n; i++) write_histogram(out, i);
}

static void write_causes(struct buffer *out) {
  head(out, "requests_canceled_total", "counter",
       "Requests that were canceled, by the kind of cause.");
  for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
    if (cause != CAUSE_DEADLINE)
      buffer_print(out, "cctx_requests_canceled_total{cause=\"%s\"} %" PRIu64 "\n",
                   cause_word((enum cause)cause), read(&causes[cause]));
  head(out, "requests_deadline_exceeded_total", "counter",
       "Requests whose deadline passed.");
  buffer_print(out, "cctx_requests_deadline_exceeded_total %" PRIu64 "\n",
               read(&causes[CAUSE_DEADLINE]));
}

static void write_refused(struct buffer *out) {
  const char *kind;
  uint64_t n;
  head(out, "carrier_fields_total", "counter",
       "What clients sent that was not taken as it was, by what became of it.");
  for (unsigned i = 0; (kind = cctx_carrier_count(&refused, i, &n)) != NULL; i++)
    buffer_print(out, "cctx_carrier_fields_total{kind=\"%s\"} %" PRIu64 "\n", kind, n);
}

static void write_gauge(struct buffer *out, const char *name, const char *help, size_t n) {
  head(out, name, "gauge", help);
  buffer_print(out, "cctx_%s %zu\n", name, n);
}

void metrics_write(struct buffer *out) {
  write_requests(out);
  write_durations(out);
  write_causes(out);
  write_refused(out);
  write_gauge(out, "requests_in_flight", "Requests that are worked on.", request_live());
  write_gauge(out, "contexts_alive", "Contexts that somebody holds.", cctx_alive());
  write_gauge(out, "connections", "Connections of clients.", http_connections());
  head(out, "connections_timed_out_total", "counter",
       "Connections whose client was too slow to send or to read.");
  buffer_print(out, "cctx_connections_timed_out_total %" PRIu64 "\n", http_timeouts());
}
