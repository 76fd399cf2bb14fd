/* SPDX-License-Identifier: Apache-2.0 */
/* A context in words, its values one by one, and the log. */
#include "check.h"

static cctx_key token_key = CCTX_SECRET_KEY_INIT("token");

static void check_string(const cctx *ctx, const char *expected) {
  char text[256];
  CHECK_EQ(cctx_string(ctx, text, sizeof text), strlen(expected));
  CHECK_STR(text, expected);
}

TEST(a_string_says_what_it_is_and_how_it_came_to_be_without_values) {
  cctx *cancel, *deadline, *value, *merged, *detached;
  struct cctx_entry entries[] = {{&token_key, cctx_text("hush")},
                                 {cctx_key_named("tenant"), cctx_text("acme")}};
  cctx_clock_set(CCTX_SECOND);
  cancel = cctx_with_cancel(cctx_background());
  deadline = cctx_with_timeout(cancel, CCTX_SECOND / 4);
  value = cctx_with_values(deadline, entries, 2);
  check_string(cctx_background(), "live: background");
  check_string(cctx_todo(), "live: todo");
  check_string(value,
               "live, 0.250 s left: value(token, tenant) < deadline < cancel < background");
  merged = cctx_merge((cctx *[]){value, cancel}, 2);
  cctx_cancel(cancel, NULL);
  check_string(deadline, "canceled: deadline < cancel < background");
  check_string(merged,
               "canceled: merge < value(token, tenant) < deadline < cancel < background");
  detached = cctx_detached(value, 0);
  check_string(detached, "live: detached");
  cctx_unref(detached);
  cctx_unref(merged);
  cctx_unref(value);
  cctx_unref(deadline);
  cctx_unref(cancel);
}

TEST(a_string_names_sessions_and_metadata) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", "acme", 4};
  cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER), *pairs;
  CHECK_EQ(cctx_with_metadata(&pairs, session, &pair, 1, NULL), 0);
  check_string(pairs, "live: metadata < session < background");
  cctx_unref(pairs);
  cctx_unref(session);
}

TEST(a_string_is_cut_to_its_room_and_tells_its_length) {
  char text[5] = "????";
  CHECK_EQ(cctx_string(cctx_background(), text, sizeof text), strlen("live: background"));
  CHECK_STR(text, "live");
  CHECK_EQ(cctx_string(cctx_background(), NULL, 0), strlen("live: background"));
}

TEST(values_come_one_by_one_nearest_first_each_key_once) {
  cctx_key *a = cctx_key_named("string-a"), *b = cctx_key_named("string-b"), *key;
  cctx *outer = cctx_with_value(cctx_background(), a, cctx_int(1));
  cctx *middle = cctx_with_value(outer, &token_key, cctx_int(2));
  struct cctx_entry entries[] = {{b, cctx_int(3)}, {a, cctx_int(4)}, {b, cctx_int(5)}};
  cctx *inner = cctx_with_values(middle, entries, 3);
  cctx_variant value;
  CHECK_EQ(cctx_value_at(inner, 0, &key, &value), 0);
  CHECK(key == b && value.as.i == 5);
  CHECK_EQ(cctx_value_at(inner, 1, &key, &value), 0);
  CHECK(key == a && value.as.i == 4);
  CHECK_EQ(cctx_value_at(inner, 2, &key, &value), 0);
  CHECK(key == &token_key && value.as.i == 2 && (key->flags & CCTX_KEY_SECRET));
  CHECK_EQ(cctx_value_at(inner, 3, &key, &value), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_value_at(cctx_background(), 0, &key, &value), CCTX_ENOTFOUND);
  cctx_unref(inner);
  cctx_unref(middle);
  cctx_unref(outer);
}

static void check_node(const cctx *ctx, const char *kind, const cctx *parent,
                       size_t values_n, bool metadata) {
  struct cctx_node node;
  cctx_node(ctx, &node);
  CHECK_STR(node.kind, kind);
  CHECK(node.parent == parent);
  CHECK_EQ(node.values_n, values_n);
  CHECK_EQ(node.metadata, metadata);
}

TEST(a_node_says_its_kind_its_parent_and_what_it_sets) {
  cctx_key *a = cctx_key_named("string-a"), *b = cctx_key_named("string-b");
  struct cctx_entry entries[] = {{b, cctx_int(3)}, {a, cctx_int(4)}, {b, cctx_int(5)}};
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", "acme", 4};
  cctx *values = cctx_with_values(cctx_background(), entries, 3), *pairs, *detached;
  cctx_request request, inner;
  CHECK_EQ(cctx_with_metadata(&pairs, values, &pair, 1, NULL), 0);
  CHECK_EQ(cctx_request_begin(&request, pairs, NULL), 0);
  CHECK_EQ(cctx_request_begin(&inner, request.ctx, NULL), 0);
  detached = cctx_detached(request.ctx, 0);
  check_node(cctx_background(), "background", NULL, 0, false);
  check_node(values, "value", cctx_background(), 2, false);
  check_node(pairs, "metadata", values, 0, true);
  check_node(request.ctx, "request", pairs, 0, false);
  check_node(inner.ctx, "request", request.ctx, 0, false);
  check_node(detached, "detached", NULL, 2, true);
  cctx_unref(detached);
  CHECK_EQ(cctx_request_end(&inner), 0);
  CHECK_EQ(cctx_request_end(&request), 0);
  cctx_unref(pairs);
  cctx_unref(values);
}

/* ---- The log ------------------------------------------------------------------------- */

static int lines;
static void count_line(void *arg, const char *message) {
  cctx_token token;
  CHECK(arg == &lines && strstr(message, "detach") != NULL);
  lines++;
  CHECK_EQ(cctx_attach(cctx_todo(), &token), 0); /* the log may use the library */
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(cctx_detach(&token), CCTX_ESTALE); /* and is not called for what it causes */
}

TEST(the_log_is_told_of_a_detach_too_many_and_is_silent_by_default) {
  cctx_token token, again;
  CHECK_EQ(cctx_attach(cctx_todo(), &token), 0);
  again = token;
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(cctx_detach(&again), CCTX_ESTALE);
  CHECK_EQ(lines, 0);
  cctx_set_log(count_line, &lines);
  CHECK_EQ(cctx_detach(&again), CCTX_ESTALE);
  CHECK_EQ(lines, 1);
  cctx_set_log(NULL, NULL);
  CHECK_EQ(cctx_detach(&again), CCTX_ESTALE);
  CHECK_EQ(lines, 1);
}
