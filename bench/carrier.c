/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers: what a context costs on its way out of a process, and into the next. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

enum { TRACEPARENT, TIMEOUT, BAGGAGE };
static struct cctx_field fields[] = {
    {"traceparent", 11, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55},
    {"grpc-timeout", 12, "3600S", 5},
    {"baggage", 7, NULL, 0},
};
static const struct cctx_fields arrived = {fields, 3};

static struct cctx_policy w3c, metainfo;
static cctx *sent;
static char baggage[CCTX_BAGGAGE_BYTES_MAX];

/* A trace, a deadline, and x pairs with names of 8 bytes. */
static void open_carrier(long x) {
  size_t len = 0;
  struct cctx_carrier carrier = cctx_fields_carrier(&arrived);
  w3c = cctx_policy_for(CCTX_FORMAT_HTTP);
  metainfo = cctx_policy_for(CCTX_FORMAT_METAINFO);
  metainfo.write = CCTX_FIELD_METAINFO;
  for (long i = 0; i < x; i++)
    len += (size_t)snprintf(baggage + len, sizeof baggage - len, "%sname%04ld=value",
                            i ? "," : "", i % 10000);
  fields[BAGGAGE].value = baggage;
  fields[BAGGAGE].len = len;
  if (cctx_extract(&sent, cctx_background(), &carrier, &w3c, NULL) != 0) abort();
}

static void close_carrier(void) { cctx_unref(sent); }

/* What is set is counted, and not kept. */
static int count(void *arg, const char *name, const char *value, size_t len) {
  (void)name;
  if (value) *(size_t *)arg += len;
  return 0;
}

static void inject(long n, const struct cctx_policy *policy) {
  while (n-- > 0) {
    size_t bytes = 0;
    struct cctx_carrier carrier = {.set = count, .arg = &bytes};
    if (cctx_inject(sent, &carrier, policy) != 0 || bytes == 0) abort();
  }
}

static void run_encode(long n) { inject(n, &metainfo); }
static void run_inject(long n) { inject(n, &w3c); }

static void run_extract(long n) {
  while (n-- > 0) {
    struct cctx_carrier carrier = cctx_fields_carrier(&arrived);
    cctx *ctx;
    if (cctx_extract(&ctx, cctx_background(), &carrier, &w3c, NULL) != 0) abort();
    cctx_unref(ctx);
  }
}

#define OF_CARRIER .open = open_carrier, .close = close_carrier

const struct bench_op bench_carrier[] = {
    {.name = "encode", .run = run_encode, OF_CARRIER},
    {.name = "inject", .run = run_inject, OF_CARRIER},
    {.name = "extract", .run = run_extract, OF_CARRIER},
    {.name = NULL},
};
