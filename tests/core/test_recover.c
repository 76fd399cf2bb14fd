/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the backup store: what is recovered, from what, and who decides. */
#include "../check.h"

static cctx_key tenant = CCTX_KEY_INIT("tenant");
static cctx_key user = CCTX_KEY_INIT("user");

static cctx *with_pairs(cctx *parent, const struct cctx_metadata_pair *pairs, size_t n) {
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, parent, pairs, n, NULL), 0);
  return ctx;
}

/* What a server was sent: a pair of each scope. */
static const struct cctx_metadata_pair sent[] = {
    {CCTX_REQUEST, "trace", "t1", 2},
    {CCTX_REQUEST, "lane", "blue", 4},
    {CCTX_HOP, "hop", "h1", 2},
    {CCTX_UPSTREAM, "up", "u1", 2},
};

/* A handler that was entered for a request with those pairs, two values and a deadline. */
static struct {
  cctx *ctx;
  cctx_backup backup;
} server;

static void begin(void) {
  struct cctx_entry values[] = {{&tenant, cctx_text("acme")}, {&user, cctx_text("ada")}};
  cctx *pairs = with_pairs(cctx_background(), sent, 4), *limited;
  cctx_clock_set(0);
  limited = cctx_with_timeout(pairs, 1000);
  server.ctx = cctx_with_values(limited, values, 2);
  CHECK_EQ(cctx_backup_enter(&server.backup, server.ctx), 0);
  cctx_unref(limited);
  cctx_unref(pairs);
}

static void end(void) {
  cctx_backup_leave(&server.backup);
  cctx_unref(server.ctx);
}

static struct cctx_recovered did;

/* Recover `cur` from what is current. */
static cctx *recover(cctx *cur, const struct cctx_recovery *how) {
  cctx *out = NULL;
  CHECK_EQ(cctx_recover(&out, NULL, cur, how, &did), 0);
  CHECK(out != NULL);
  return out;
}

TEST(S69_request_metadata_that_a_context_lacks_are_recovered_and_its_own_win) {
  static const struct cctx_metadata_pair own = {CCTX_REQUEST, "lane", "green", 5};
  cctx *cur = with_pairs(cctx_background(), &own, 1), *out;
  cctx_variant value;
  begin();
  out = recover(cur, NULL);
  CHECK_EQ(did.reason, CCTX_REASON_RECOVERED);
  CHECK_EQ(did.pairs, 1);
  CHECK_STR(cctx_metadata(out, "trace", NULL), "t1");
  CHECK_STR(cctx_metadata(out, "lane", NULL), "green");
  CHECK(cctx_metadata(out, "hop", NULL) == NULL);
  CHECK(cctx_metadata(out, "up", NULL) == NULL);
  CHECK_EQ(cctx_value(out, &tenant, &value), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_deadline(out), CCTX_NEVER);
  CHECK(!cctx_can_be_done(out));
  cctx_unref(out);
  cctx_unref(cur);
  end();
}

TEST(what_lacks_nothing_is_given_back_itself) {
  cctx *out;
  begin();
  out = recover(server.backup.ctx, NULL);
  CHECK(out == server.backup.ctx);
  CHECK_EQ(did.reason, CCTX_REASON_COMPLETE);
  cctx_unref(out);
  end();
}

TEST(S70_without_a_session_nothing_is_recovered) {
  cctx *cur = cctx_with_cancel(cctx_background()), *out = recover(cur, NULL);
  CHECK(out == cur);
  CHECK_EQ(did.reason, CCTX_REASON_NO_SESSION);
  cctx_unref(out);
  CHECK_EQ(cctx_recover(&out, cctx_background(), cur, NULL, NULL), 0);
  CHECK(out == cur);
  cctx_unref(out);
  cctx_unref(cur);
}

/* ---- Handlers ---------------------------------------------------------------------- */

struct handler {
  cctx *prev, *cur, *answer, *current;
  int decision;
};

static int handle(void *arg, cctx *prev, cctx *cur, cctx **out) {
  struct handler *handler = arg;
  handler->prev = prev;
  handler->cur = cur;
  handler->current = cctx_current();
  if (handler->answer) *out = cctx_ref(handler->answer);
  return handler->decision;
}

TEST(S71_the_handler_decides_and_metadata_are_added_to_what_it_returns) {
  static const struct cctx_metadata_pair own = {CCTX_REQUEST, "lane", "red", 3};
  cctx *cur = cctx_with_cancel(cctx_background()), *answer, *out;
  struct handler handler = {.decision = 1};
  struct cctx_recovery how = {.handler = handle, .arg = &handler};
  begin();
  answer = handler.answer = with_pairs(cur, &own, 1);
  out = recover(cur, &how);
  CHECK(handler.prev == server.backup.ctx);
  CHECK(handler.cur == cur);
  CHECK(handler.current == server.backup.ctx);
  CHECK(did.handled);
  CHECK_EQ(did.pairs, 1);
  CHECK_STR(cctx_metadata(out, "lane", NULL), "red"); /* looked up after the handler */
  CHECK_STR(cctx_metadata(out, "trace", NULL), "t1");
  cctx_unref(out);
  cctx_unref(answer);
  cctx_unref(cur);
  end();
}

TEST(a_handler_that_declines_gets_the_callers_context_whatever_it_returned) {
  cctx *cur = cctx_with_cancel(cctx_background()), *out;
  struct handler handler = {.decision = 0};
  struct cctx_recovery how = {.handler = handle, .arg = &handler};
  begin();
  handler.answer = server.backup.ctx;
  out = recover(cur, &how);
  CHECK(out == cur);
  CHECK_EQ(did.reason, CCTX_REASON_DECLINED);
  CHECK_EQ(did.pairs, 0);
  cctx_unref(out);
  cctx_unref(cur);
  end();
}

/* In the reference the caller goes on with a context that is nil. */
TEST(a_handler_that_says_yes_to_nothing_means_the_callers_context) {
  struct handler handler = {.decision = 1};
  struct cctx_recovery how = {.handler = handle, .arg = &handler};
  cctx *out;
  begin();
  out = recover(cctx_background(), &how);
  CHECK(!did.handled);
  CHECK_STR(cctx_metadata(out, "trace", NULL), "t1");
  cctx_unref(out);
  end();
}

TEST(a_handler_that_fails_stops_the_recovery) {
  struct handler handler = {.decision = CCTX_EINVAL};
  struct cctx_recovery how = {.handler = handle, .arg = &handler};
  cctx *out = NULL;
  begin();
  handler.answer = server.backup.ctx; /* given back */
  CHECK_EQ(cctx_recover(&out, NULL, cctx_background(), &how, NULL), CCTX_EINVAL);
  CHECK(out == NULL);
  end();
}

/* ---- Policies ---------------------------------------------------------------------- */

TEST(S72_keys_and_scopes_say_what_is_recovered) {
  static const cctx_key *const keys[] = {&tenant, NULL};
  struct cctx_recovery how = {.keys = keys,
                              .keys_n = 2,
                              .scopes =
                                  CCTX_SCOPE_BIT(CCTX_HOP) | CCTX_SCOPE_BIT(CCTX_UPSTREAM)};
  struct cctx_metadata_pair pair = {CCTX_HOP, NULL, NULL, 0};
  cctx_variant value;
  cctx *out;
  begin();
  out = recover(cctx_background(), &how);
  CHECK_EQ(did.pairs, 2);
  CHECK_EQ(did.values, 1);
  CHECK_STR(cctx_metadata(out, "hop", NULL), "h1");
  CHECK_STR(cctx_metadata(out, "up", NULL), "u1");
  CHECK_EQ(cctx_metadata_at(out, 1, &pair), 0);
  CHECK_EQ(pair.scope, CCTX_UPSTREAM); /* each stays what it is */
  CHECK(cctx_metadata(out, "trace", NULL) == NULL);
  CHECK_EQ(cctx_value(out, &tenant, &value), 0);
  CHECK_STR(value.as.s.bytes, "acme");
  CHECK_EQ(cctx_value(out, &user, &value), CCTX_ENOTFOUND);
  cctx_unref(out);
  end();
}

TEST(metadata_are_left_where_so_asked) {
  struct cctx_recovery how = {.flags = CCTX_RECOVER_NO_METADATA};
  cctx *out;
  begin();
  out = recover(cctx_background(), &how);
  CHECK(out == cctx_background());
  CHECK_EQ(did.reason, CCTX_REASON_COMPLETE);
  end();
}

TEST(a_value_that_the_caller_has_wins_also_if_it_is_nil) {
  static const cctx_key *const keys[] = {&tenant};
  struct cctx_recovery how = {.keys = keys, .keys_n = 1};
  cctx *cur = cctx_with_value(cctx_background(), &tenant, cctx_nil()), *out;
  cctx_variant value;
  begin();
  out = recover(cur, &how);
  CHECK_EQ(did.values, 0);
  CHECK_EQ(cctx_value(out, &tenant, &value), 0);
  CHECK_EQ(value.type, CCTX_NIL);
  cctx_unref(out);
  cctx_unref(cur);
  end();
}

TEST(the_earlier_deadline_is_taken_where_asked_for) {
  struct cctx_recovery how = {.flags = CCTX_RECOVER_DEADLINE};
  cctx *earlier, *later, *out;
  struct cctx_cause cause;
  begin();
  earlier = cctx_with_timeout(cctx_background(), 500);
  later = cctx_with_timeout(cctx_background(), 5000);
  out = recover(earlier, &how);
  CHECK(!did.deadline);
  CHECK_EQ(cctx_deadline(out), 500);
  cctx_unref(out);
  out = recover(later, &how);
  CHECK(did.deadline);
  CHECK_EQ(cctx_deadline(out), 1000);
  cctx_clock_set(1000);
  CHECK_EQ(cctx_cause(out, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "the deadline of the session");
  cctx_unref(out);
  cctx_unref(later);
  cctx_unref(earlier);
  end();
}

TEST(cancellation_is_linked_where_asked_for) {
  struct cctx_recovery how = {.flags = CCTX_RECOVER_CANCELLATION};
  cctx *request = cctx_with_cancel(cctx_background()), *out;
  cctx_backup backup;
  CHECK_EQ(cctx_backup_enter(&backup, request), 0);
  out = recover(cctx_background(), &how);
  CHECK(did.cancellation);
  CHECK_EQ(cctx_err(out), 0);
  cctx_cancel(request, "the client left");
  CHECK_EQ(cctx_err(out), CCTX_ECANCELED);
  cctx_unref(out);
  out = recover(backup.ctx, &how); /* it is linked already */
  CHECK(out == backup.ctx);
  CHECK(!did.cancellation);
  cctx_unref(out);
  cctx_backup_leave(&backup);
  cctx_unref(request);
}

TEST(metadata_over_a_budget_are_left_out_and_counted) {
  static char big[CCTX_METADATA_BYTES_MAX - 8];
  struct cctx_metadata_pair own = {CCTX_REQUEST, "big", big, sizeof big};
  cctx *cur = with_pairs(cctx_background(), &own, 1), *out;
  begin();
  out =
      recover(cur, NULL); /* "trace" and its value have 7 bytes, and there is room for 5 */
  CHECK_EQ(did.left_out, 2);
  CHECK_EQ(did.pairs, 0);
  CHECK(out == cur);
  cctx_unref(out);
  cctx_unref(cur);
  end();
}

/* ---- Sessions that are not good any more -------------------------------------------- */

/* The reference recovers from a session whatever its state. */
TEST(S73_nothing_is_recovered_from_a_disabled_session_unless_asked_for) {
  struct cctx_recovery how = {.flags = CCTX_RECOVER_INVALID};
  cctx *out;
  begin();
  cctx_session_disable(server.backup.ctx);
  out = recover(cctx_background(), NULL);
  CHECK(out == cctx_background());
  CHECK_EQ(did.reason, CCTX_REASON_DISABLED);
  out = recover(cctx_background(), &how);
  CHECK_EQ(did.reason, CCTX_REASON_RECOVERED);
  CHECK_STR(cctx_metadata(out, "trace", NULL), "t1");
  cctx_unref(out);
  end();
}

TEST(nothing_is_recovered_from_a_session_that_has_ended_unless_asked_for) {
  struct cctx_recovery how = {.flags = CCTX_RECOVER_INVALID};
  cctx *kept, *out;
  begin();
  kept = cctx_ref(server.backup.ctx);
  cctx_session_end(kept);
  out = recover(cctx_background(), NULL); /* what is current was inherited */
  CHECK_EQ(did.reason, CCTX_REASON_ENDED);
  end();
  CHECK_EQ(cctx_recover(&out, kept, cctx_background(), NULL, &did), 0);
  CHECK_EQ(did.reason, CCTX_REASON_ENDED);
  CHECK_EQ(cctx_recover(&out, kept, cctx_background(), &how, &did), 0);
  CHECK_EQ(did.reason, CCTX_REASON_RECOVERED);
  cctx_unref(out);
  cctx_unref(kept);
}

TEST(nothing_is_recovered_from_a_session_of_the_mutable_kind) {
  cctx *session = cctx_with_variables(cctx_background(), CCTX_NEVER);
  cctx *prev = with_pairs(session, sent, 1), *out;
  CHECK_EQ(cctx_recover(&out, prev, cctx_background(), NULL, &did), 0);
  CHECK(out == cctx_background());
  CHECK_EQ(did.reason, CCTX_REASON_MUTABLE);
  cctx_unref(prev);
  cctx_unref(session);
}

TEST(where_backups_are_off_nothing_is_recovered) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS;
  cctx *out;
  options.enable = false;
  begin();
  CHECK_EQ(cctx_backup_configure(&options), 0);
  out = recover(cctx_background(), NULL);
  CHECK(out == cctx_background());
  CHECK_EQ(did.reason, CCTX_REASON_OFF);
  CHECK_EQ(cctx_backup_configure(NULL), 0);
  end();
}

TEST(the_words_of_reasons) {
  CHECK_STR(cctx_recover_reason_word(CCTX_REASON_RECOVERED), "recovered");
  CHECK_STR(cctx_recover_reason_word(CCTX_REASON_NO_SESSION), "no_session");
  CHECK_STR(cctx_recover_reason_word(CCTX_REASON_OFF), "off");
  CHECK(cctx_recover_reason_word(99) == NULL);
}

/* Script code does so: and what is current is borrowed until then. */
static int detach_and_agree(void *arg, cctx *prev, cctx *cur, cctx **out) {
  (void)prev, (void)cur, (void)out;
  cctx_detach(arg);
  return 1;
}

TEST(what_is_recovered_outlives_a_handler_that_detaches_the_current_context) {
  static const struct cctx_metadata_pair own = {CCTX_REQUEST, "own", "1", 1};
  cctx *ctx = with_pairs(cctx_background(), &own, 1), *out;
  cctx_token token;
  struct cctx_recovery how = {.handler = detach_and_agree, .arg = &token};
  begin();
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  cctx_unref(ctx); /* the scope alone has it */
  how.flags = CCTX_RECOVER_NO_METADATA;
  CHECK_EQ(cctx_recover(&out, server.backup.ctx, cctx_current(), &how, &did), 0);
  CHECK_STR(cctx_metadata(out, "own", NULL), "1");
  cctx_unref(out);
  end();
}

static bool recover_all(void) {
  static const cctx_key *const keys[] = {&tenant, &user};
  struct cctx_recovery how = {.keys = keys,
                              .keys_n = 2,
                              .flags = CCTX_RECOVER_CANCELLATION | CCTX_RECOVER_DEADLINE};
  cctx *out = NULL;
  int status = cctx_recover(&out, server.backup.ctx, cctx_background(), &how, &did);
  CHECK((out != NULL) == (status == 0));
  cctx_unref(out);
  return status == 0 && did.values == 2 && did.pairs == 2 && did.cancellation;
}

TEST(recovering_survives_lack_of_memory) {
  begin();
  FAIL_EACH_ALLOCATION(recover_all());
  end();
}
