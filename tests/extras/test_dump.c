/* SPDX-License-Identifier: Apache-2.0 */
/* Dumps of contexts: what they show, what they never show, and that they hold together. */
#include <cctx/dump.h>
#include <cctx/request.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static cctx_key token_key = CCTX_SECRET_KEY_INIT("token");

/* What the last dump wrote, with a NUL. */
static struct {
  char text[1 << 20];
  size_t len;
} written;

static void keep(void *arg, const char *bytes, size_t len) {
  (void)arg;
  if (!CHECK(len < sizeof written.text - written.len)) return;
  memcpy(written.text + written.len, bytes, len);
  written.len += len;
  written.text[written.len] = '\0';
}

static const char *text_of(const cctx *ctx, unsigned flags) {
  written.len = 0;
  cctx_dump_text(ctx, flags, keep, NULL);
  return written.text;
}

static const char *json_of(const cctx *ctx, unsigned flags) {
  written.len = 0;
  cctx_dump_json(ctx, flags, keep, NULL);
  return written.text;
}

static const char *string_of(const char *bytes, size_t len) {
  written.len = 0;
  cctx_dump_json_string(bytes, len, keep, NULL);
  return written.text;
}

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* A context with something of each kind, at 1 s of the clock. Yours. */
static cctx *make_context(void) {
  struct cctx_entry entries[] = {{&token_key, cctx_text("hush")},
                                 {cctx_key_named("retries"), cctx_int(3)}};
  struct cctx_metadata_pair pairs[] = {{CCTX_REQUEST, "tenant", "acme", 4},
                                       {CCTX_HOP, "user", "ada", 3}};
  struct cctx_metadata_pair change[] = {{CCTX_REQUEST, "tenant", NULL, 0},
                                        {CCTX_REQUEST, "shard", "7", 1}};
  cctx *deadline, *values, *first, *second;
  cctx_clock_set(CCTX_SECOND);
  deadline = cctx_with_timeout(cctx_background(), 1250 * CCTX_MILLISECOND);
  values = cctx_with_values(deadline, entries, 2);
  CHECK_EQ(cctx_with_metadata(&first, values, pairs, 2, NULL), 0);
  CHECK_EQ(cctx_with_metadata(&second, first, change, 2, NULL), 0);
  cctx_unref(first);
  cctx_unref(values);
  cctx_unref(deadline);
  return second;
}

TEST(a_text_shows_the_path_from_its_root_with_names_alone) {
  cctx *ctx = make_context();
  CHECK_STR(text_of(ctx, 0), "live, 1.250 s left\n"
                             "background\n"
                             "  deadline, 1.250 s left\n"
                             "    value(retries, token=secret)\n"
                             "      metadata(tenant, hop user)\n"
                             "        metadata(shard, without tenant)\n");
  cctx_unref(ctx);
}

TEST(values_are_shown_when_asked_for_and_secret_ones_never) {
  cctx *ctx = make_context();
  CHECK_STR(text_of(ctx, CCTX_DUMP_VALUES),
            "live, 1.250 s left\n"
            "background\n"
            "  deadline, 1.250 s left\n"
            "    value(retries=3, token=secret)\n"
            "      metadata(tenant='acme', hop user='ada')\n"
            "        metadata(shard='7', without tenant)\n");
  CHECK(!has(json_of(ctx, CCTX_DUMP_VALUES), "hush"));
  cctx_unref(ctx);
}

TEST(json_has_each_node_with_what_it_sets) {
  cctx *ctx = make_context();
  CHECK_STR(json_of(ctx, CCTX_DUMP_VALUES),
            "{\"status\":\"live\",\"remaining\":1.250,\"cause\":null,\"more\":0,\"path\":["
            "{\"kind\":\"background\",\"status\":\"live\",\"more\":0},"
            "{\"kind\":\"deadline\",\"status\":\"live\",\"remaining\":1.250,\"more\":0},"
            "{\"kind\":\"value\",\"status\":\"live\",\"values\":["
            "{\"name\":\"retries\",\"value\":3},{\"name\":\"token\",\"secret\":true}],"
            "\"more\":0},"
            "{\"kind\":\"metadata\",\"status\":\"live\",\"metadata\":["
            "{\"name\":\"tenant\",\"scope\":\"request\",\"value\":\"acme\"},"
            "{\"name\":\"user\",\"scope\":\"hop\",\"value\":\"ada\"}],\"more\":0},"
            "{\"kind\":\"metadata\",\"status\":\"live\",\"metadata\":["
            "{\"name\":\"shard\",\"scope\":\"request\",\"value\":\"7\"},"
            "{\"name\":\"tenant\",\"removed\":true}],\"more\":0}]}");
  CHECK(!has(json_of(ctx, 0), "acme"));
  cctx_unref(ctx);
}

TEST(a_dump_says_what_is_canceled_and_why) {
  cctx *outer = cctx_with_cancel(cctx_background()), *inner = cctx_with_cancel(outer);
  cctx_cancel_at(inner, "gone\n\"away\"", "a.c", 7);
  CHECK_STR(text_of(inner, 0), "canceled: gone\\x0a\\x22away\\x22 (a.c:7)\n"
                               "background\n"
                               "  cancel\n"
                               "    cancel, canceled\n");
  CHECK(has(json_of(inner, 0), "{\"status\":\"canceled\",\"remaining\":null,\"cause\":"
                               "{\"message\":\"gone\\u000a\\u0022away\\u0022\","
                               "\"file\":\"a.c\",\"line\":7}"));
  cctx_unref(inner);
  cctx_unref(outer);
}

TEST(every_type_of_value_has_a_form) {
  struct cctx_entry entries[] = {
      {cctx_key_named("dump-nil"), cctx_nil()},
      {cctx_key_named("dump-bool"), cctx_bool(true)},
      {cctx_key_named("dump-tenth"), cctx_double(0.1)},
      {cctx_key_named("dump-nan"), cctx_double(NAN)},
      {cctx_key_named("dump-inf"), cctx_double(-INFINITY)},
      {cctx_key_named("dump-text"), cctx_bytes("a\0<", 3)},
      {cctx_key_named("dump-pointer"), cctx_pointer(&token_key, NULL, NULL, NULL)},
  };
  cctx *ctx = cctx_with_values(cctx_background(), entries, 7);
  CHECK(has(json_of(ctx, CCTX_DUMP_VALUES),
            "\"values\":[{\"name\":\"dump-pointer\",\"type\":\"pointer\"},"
            "{\"name\":\"dump-text\",\"value\":\"a\\u0000\\u003c\"},"
            "{\"name\":\"dump-inf\",\"value\":\"-inf\"},"
            "{\"name\":\"dump-nan\",\"value\":\"nan\"},"
            "{\"name\":\"dump-tenth\",\"value\":0.1},"
            "{\"name\":\"dump-bool\",\"value\":true},"
            "{\"name\":\"dump-nil\",\"value\":null}]"));
  CHECK(has(text_of(ctx, CCTX_DUMP_VALUES), "dump-text='a\\x00<', "));
  CHECK(has(text_of(ctx, CCTX_DUMP_VALUES), "dump-bool=true, dump-nil=nil)"));
  cctx_unref(ctx);
}

TEST(a_json_string_is_utf_8_whatever_the_bytes_are) {
  static const struct {
    const char *bytes, *expected;
  } cases[] = {
      {"", "\"\""},
      {"</script>&\x7f", "\"\\u003c/script\\u003e\\u0026\\u007f\""},
      {"h\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80",
       "\"h\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80\""},
      {"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\""},
      {"\xc3", "\"\\ufffd\""},                       /* ends too early */
      {"\xc3(", "\"\\ufffd(\""},                     /* no continuation */
      {"\x80", "\"\\ufffd\""},                       /* nothing to continue */
      {"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* longer than it has to be */
      {"\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\""}, /* the same */
      {"\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
      {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half of a pair of UTF-16 */
      {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* past the last */
      {"\xff", "\"\\ufffd\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CHECK_STR(string_of(cases[i].bytes, strlen(cases[i].bytes)), cases[i].expected);
}

TEST(a_long_text_is_cut_and_not_within_a_character) {
  char text[2 * CCTX_DUMP_BYTES];
  memset(text, 'a', sizeof text);
  memcpy(text + CCTX_DUMP_BYTES - 2, "\xe2\x82\xac", 3);
  cctx *ctx = cctx_with_value(cctx_background(), cctx_key_named("dump-long"),
                              cctx_bytes(text, sizeof text));
  CHECK(has(json_of(ctx, CCTX_DUMP_VALUES), "aa\xe2\x80\xa6\"}"));
  CHECK(!has(written.text, "\xe2\x82"));
  CHECK(has(text_of(ctx, CCTX_DUMP_VALUES), "aa...')"));
  cctx_unref(ctx);
}

TEST(what_does_not_fit_is_counted) {
  enum { DEPTH = CCTX_DUMP_NODES + 36, ITEMS = CCTX_DUMP_ITEMS + 6 };
  struct cctx_metadata_pair pairs[ITEMS];
  char names[ITEMS][16];
  cctx *ctx = cctx_ref(cctx_background()), *child;
  for (size_t i = 0; i < DEPTH; i++, ctx = child) {
    child = cctx_with_cancel(ctx);
    cctx_unref(ctx);
  }
  for (size_t i = 0; i < ITEMS; i++) {
    snprintf(names[i], sizeof names[i], "name-%zu", i);
    pairs[i] = (struct cctx_metadata_pair){CCTX_REQUEST, names[i], "", 0};
  }
  CHECK_EQ(cctx_with_metadata(&child, ctx, pairs, ITEMS, NULL), 0);
  cctx_unref(ctx);
  CHECK(has(json_of(child, 0), "\"more\":38,\"path\":[{\"kind\":\"cancel\""));
  CHECK(has(written.text, "name-63"));
  CHECK(!has(written.text, "name-64"));
  CHECK(has(written.text, "],\"more\":6}]}"));
  CHECK(has(text_of(child, 0), "live\n... 38 more\n  cancel\n    cancel\n"));
  CHECK(has(written.text, "name-63, 6 more)\n"));
  cctx_unref(child);
}

TEST(a_graph_has_each_shared_node_once_and_no_name_ends_a_label) {
  cctx_key evil = CCTX_KEY_INIT("a\"]\n\\N");
  cctx *shared = cctx_with_value(cctx_background(), &evil, cctx_int(1));
  cctx *left = cctx_with_cancel(shared), *right = cctx_with_cancel(shared);
  char expected[512];
  written.len = 0;
  cctx_dump_dot((const cctx *[]){left, right}, 2, 0, keep, NULL);
  CHECK(has(written.text, "strict digraph cctx {\n  node [shape=box]\n"));
  snprintf(expected, sizeof expected,
           " [label=\"value(a\\\\x22]\\\\x0a\\\\x5cN)\"]\n  \"n%llx\" -> \"n%llx\"\n",
           (unsigned long long)(uintptr_t)cctx_background(),
           (unsigned long long)(uintptr_t)shared);
  CHECK(has(written.text, expected));
  for (int i = 0; i < 2; i++) {
    snprintf(expected, sizeof expected, "  \"n%llx\" -> \"n%llx\"\n",
             (unsigned long long)(uintptr_t)shared,
             (unsigned long long)(uintptr_t)(i ? right : left));
    CHECK(has(written.text, expected));
  }
  CHECK_STR(written.text + written.len - 2, "}\n");
  cctx_unref(right);
  cctx_unref(left);
  cctx_unref(shared);
}

/* ---- Threads ---- */

static _Atomic(cctx *) watched; /* canceled once; the dumper takes it, and leaves NULL */

static void *dump_what_comes(void *arg) {
  size_t *dumps = arg;
  while (*dumps < 300) {
    cctx *ctx = atomic_exchange(&watched, NULL);
    if (ctx == NULL) continue;
    json_of(ctx, CCTX_DUMP_VALUES);
    CHECK(has(written.text, "{\"kind\":\"request\""));
    CHECK_STR(written.text + written.len - 2, "]}");
    cctx_unref(ctx);
    ++*dumps;
  }
  return NULL;
}

TEST(a_context_may_be_dumped_while_its_request_ends) {
  pthread_t thread;
  size_t dumps = 0;
  CHECK_EQ(pthread_create(&thread, NULL, dump_what_comes, &dumps), 0);
  for (size_t i = 0; i < 300; i++) {
    cctx_request request;
    cctx *ctx = make_context();
    CHECK_EQ(cctx_request_begin(&request, ctx, NULL), 0);
    cctx_unref(ctx);
    atomic_store(&watched, cctx_ref(request.ctx));
    if (i % 2) cctx_cancel(request.ctx, "the client left");
    CHECK_EQ(cctx_request_end(&request), 0);
    while (atomic_load(&watched)) continue;
  }
  pthread_join(thread, NULL);
  CHECK_EQ(dumps, 300);
}
