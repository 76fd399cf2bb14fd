/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: the host's allocator, and every constructor where there is none left. */
#include <pthread.h>

#include <cctx.h>
#include <cctx/interpreter.h>

#include "check.h"

static cctx_key red = CCTX_KEY_INIT("red"), blue = CCTX_KEY_INIT("blue");

static int retained, released;
static void retain(void *ptr) { retained += *(int *)ptr; }
static void release(void *ptr) { released += *(int *)ptr; }

/* End a round that check_arm began; `hit` is false again, for whoever reads it next. */
static void all_memory_again(void) {
  check_arm(0, false);
  cctx_set_allocator(NULL);
}

/* A parent with everything, which must be as it was after each failure. */
static cctx *parent;

static void make_parent(void) {
  struct cctx_metadata_pair pairs[] = {{CCTX_HOP, "a", "1", 1},
                                       {CCTX_REQUEST, "b", "2", 1}};
  cctx *timer = cctx_with_deadline(cctx_background(), 2000);
  cctx *value = cctx_with_value(timer, &red, cctx_text("red"));
  parent = NULL;
  cctx_clock_set(1000);
  CHECK_EQ(cctx_with_metadata(&parent, value, pairs, 2, NULL), 0);
  cctx_unref(value);
  cctx_unref(timer);
}

static void check_parent(void) {
  cctx_variant out = cctx_nil();
  CHECK_EQ(cctx_err(parent), 0);
  CHECK_EQ(cctx_deadline(parent), 2000);
  CHECK_EQ(cctx_value(parent, &red, &out), 0);
  CHECK_EQ(out.as.s.len, 3);
  CHECK_EQ(cctx_value(parent, &blue, &out), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_metadata_count(parent), 2);
  CHECK_STR(cctx_metadata(parent, "a", NULL), "1");
}

/* Whether `ctx` was made, which must be so if and only if no allocation failed. */
static bool give_back(cctx *ctx) {
  bool made = ctx != NULL;
  CHECK_EQ(made, !check_memory.hit);
  cctx_unref(ctx);
  check_parent();
  return made;
}

TEST(deriving_fails_whole_or_not_at_all) {
  make_parent();
  FAIL_EACH_ALLOCATION(give_back(cctx_with_cancel(parent)));
  FAIL_EACH_ALLOCATION(give_back(cctx_with_timeout(parent, 5)));
  FAIL_EACH_ALLOCATION(give_back(cctx_with_deadline_cause(parent, 5, "message")));
  cctx_unref(parent);
}

static bool derive_value(cctx_variant value) {
  bool made;
  retained = released = 0;
  made = give_back(cctx_with_value(parent, &blue, value));
  CHECK_EQ(retained, released);
  CHECK_EQ(retained, made && value.type == CCTX_POINTER);
  return made;
}

static bool derive_values(void) {
  int one = 1;
  struct cctx_entry entries[] = {{&red, cctx_text("another red")},
                                 {&blue, cctx_pointer(&one, retain, release, NULL)}};
  bool made;
  retained = released = 0;
  made = give_back(cctx_with_values(parent, entries, 2));
  CHECK_EQ(retained, made);
  CHECK_EQ(released, made);
  return made;
}

TEST(storing_values_fails_whole_or_not_at_all) {
  int one = 1;
  make_parent();
  FAIL_EACH_ALLOCATION(derive_value(cctx_int(1)));
  FAIL_EACH_ALLOCATION(derive_value(cctx_text("a text")));
  FAIL_EACH_ALLOCATION(derive_value(cctx_pointer(&one, retain, release, NULL)));
  FAIL_EACH_ALLOCATION(derive_values());
  FAIL_EACH_ALLOCATION(give_back(cctx_with_values(parent, NULL, 0)));
  cctx_unref(parent);
}

static bool derive_metadata(void) {
  struct cctx_metadata_pair pairs[] = {{CCTX_HOP, "b", "3", 1}, {CCTX_HOP, "c", "4", 1}};
  cctx *out = cctx_todo();
  int status = cctx_with_metadata(&out, parent, pairs, 2, NULL);
  CHECK_EQ(status, check_memory.hit ? CCTX_ENOMEM : CCTX_OK);
  if (status != CCTX_OK) CHECK(out == cctx_todo());
  return give_back(status == CCTX_OK ? out : NULL);
}

TEST(setting_metadata_fails_whole_or_not_at_all) {
  make_parent();
  FAIL_EACH_ALLOCATION(derive_metadata());
  cctx_unref(parent);
}

static bool derive_detached(unsigned flags) {
  bool made;
  retained = released = 0;
  made = give_back(cctx_detached(parent, flags));
  CHECK_EQ(retained, released);
  return made;
}

TEST(detaching_fails_whole_or_not_at_all) {
  int one = 1;
  make_parent();
  cctx *plain = parent;
  FAIL_EACH_ALLOCATION(derive_detached(0));
  FAIL_EACH_ALLOCATION(derive_detached(CCTX_KEEP_DEADLINE));
  parent = cctx_with_value(plain, &red, cctx_pointer(&one, retain, release, NULL));
  for (int round = 0; round < 3; round++) {
    retained = released = 0;
    check_arm(round, true); /* first, second, or no allocation fails */
    cctx *ctx = cctx_detached(parent, 0);
    CHECK_EQ(ctx != NULL, !check_memory.hit);
    CHECK_EQ(retained, ctx != NULL);
    cctx_unref(ctx);
    CHECK_EQ(released, retained);
    CHECK_EQ(check_memory.live, 0);
    all_memory_again();
  }
  cctx_unref(parent);
  cctx_unref(plain);
}

static const char *get_field(void *arg, const char *name, size_t *len) {
  static const char *const fields[][2] = {
      {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
      {"tracestate", "a=1"},
      {"baggage", "tenant=acme,user=42"},
      {"grpc-timeout", "10S"}};
  (void)arg;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (strcmp(fields[i][0], name) == 0) {
      *len = strlen(fields[i][1]);
      return fields[i][1];
    }
  return NULL;
}

static bool extract(void) {
  struct cctx_carrier carrier = {.get = get_field};
  cctx *out = cctx_todo();
  int status = cctx_extract(&out, parent, &carrier, NULL, NULL);
  CHECK_EQ(status, check_memory.hit ? CCTX_ENOMEM : CCTX_OK);
  if (status != CCTX_OK) CHECK(out == cctx_todo());
  return give_back(status == CCTX_OK ? out : NULL);
}

TEST(extracting_fails_whole_or_not_at_all) {
  make_parent();
  FAIL_EACH_ALLOCATION(extract());
  cctx_unref(parent);
}

TEST(canceling_and_reading_take_no_memory) {
  struct cctx_cause cause;
  cctx_variant out;
  cctx_token token;
  make_parent();
  cctx *ctx = cctx_with_cancel(parent);
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  check_arm(1, true);
  check_parent();
  CHECK(cctx_current() == ctx);
  CHECK_EQ(cctx_cancel(ctx, "no memory for this"), 1);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_STR(cause.message, "no memory for this");
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(cctx_remaining(ctx), 1000);
  CHECK_EQ(check_memory.calls, 0);
  CHECK(!check_memory.hit);
  all_memory_again();
  CHECK_EQ(cctx_detach(&token), 0);
  cctx_unref(ctx);
  cctx_unref(parent);
}

/* ---- Scopes and keys, whose memory is kept --------------------------------------- */

static void *attach_and_leave(void *arg) {
  cctx_token token;
  int status = cctx_attach(parent, &token);
  *(bool *)arg = status == CCTX_OK;
  CHECK_EQ(status, check_memory.hit ? CCTX_ENOMEM : CCTX_OK);
  CHECK(cctx_current() == (status == CCTX_OK ? parent : cctx_background()));
  CHECK_EQ(cctx_detach(&token), status == CCTX_OK ? CCTX_OK : CCTX_ESTALE);
  CHECK(cctx_current() == cctx_background());
  return NULL;
}

/* A new thread needs a stack of its own, and gives it back at its end. */
static bool attach_on_new_thread(void) {
  bool attached = false;
  pthread_t thread;
  if (!CHECK_EQ(pthread_create(&thread, NULL, attach_and_leave, &attached), 0))
    return false;
  CHECK_EQ(pthread_join(thread, NULL), 0);
  check_parent();
  return attached;
}

TEST(the_first_attach_of_a_thread_fails_whole_or_not_at_all) {
  uint64_t stale = cctx_stale_detaches();
  make_parent();
  FAIL_EACH_ALLOCATION(attach_on_new_thread());
  CHECK_EQ(cctx_stale_detaches(), stale);
  cctx_unref(parent);
}

static cctx *seen_by_hook;
static int seen_status;
static void note_current(void *unused) {
  (void)unused;
  seen_by_hook = cctx_current();
  seen_status = cctx_current_status();
}

TEST(a_release_hook_works_for_nobody_also_without_memory) {
  enum { MANY = 4096 };
  static cctx_token tokens[MANY];
  cctx *hooked;
  int n = 0;
  make_parent();
  hooked =
      cctx_with_value(cctx_background(), &red, cctx_pointer(&n, NULL, note_current, NULL));
  CHECK_EQ(cctx_attach(parent, &tokens[n++]), 0);
  check_arm(1, true);
  while (cctx_attach(parent, &tokens[n]) == CCTX_OK && n < MANY - 1) n++;
  CHECK(check_memory.hit);
  cctx_unref(hooked);
  CHECK(seen_by_hook == cctx_background());
  CHECK_EQ(seen_status, CCTX_CURRENT_UNKNOWN);
  CHECK(cctx_current() == parent);
  all_memory_again();
  CHECK_EQ(cctx_detach(&tokens[0]), 0);
  cctx_unref(parent);
}

static bool begin_and_end(void) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", "acme", 4};
  struct cctx_request_options options = {.timeout = 5, .metadata = &pair, .metadata_n = 1};
  cctx_request request;
  int status = cctx_request_begin(&request, parent, &options);
  CHECK_EQ(status, check_memory.hit ? CCTX_ENOMEM : CCTX_OK);
  CHECK((cctx_current() == cctx_background()) == (status != CCTX_OK));
  CHECK_EQ(cctx_request_end(&request), status == CCTX_OK ? CCTX_OK : CCTX_ESTALE);
  CHECK(cctx_current() == cctx_background());
  check_parent();
  return status == CCTX_OK;
}

TEST(beginning_a_request_fails_whole_or_not_at_all) {
  make_parent();
  FAIL_EACH_ALLOCATION(begin_and_end());
  cctx_unref(parent);
}

TEST(an_attach_without_memory_changes_nothing) {
  enum { MANY = 4096 };
  static cctx_token tokens[MANY];
  uint64_t stale = cctx_stale_detaches();
  int n = 0, status;
  make_parent();
  CHECK_EQ(cctx_attach(parent, &tokens[n++]), 0);
  check_arm(1, true);
  while ((status = cctx_attach(parent, &tokens[n])) == CCTX_OK && n < MANY - 1) n++;
  CHECK_EQ(status, CCTX_ENOMEM);
  CHECK(check_memory.hit);
  CHECK(cctx_current() == parent);
  CHECK_EQ(cctx_detach(&tokens[n]), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), stale);
  CHECK(cctx_current() == parent);
  cctx_token boundary;
  CHECK_EQ(cctx_boundary_enter(&boundary), CCTX_ENOMEM);
  CHECK(cctx_current() == parent);
  CHECK_EQ(cctx_boundary_leave(&boundary), CCTX_ESTALE);
  CHECK_EQ(check_memory.live, 0);
  all_memory_again();
  while (n-- > 0) CHECK_EQ(cctx_detach(&tokens[n]), 0);
  CHECK(cctx_current() == cctx_background());
  check_parent();
  cctx_unref(parent);
}

TEST(a_key_without_memory_is_not_named) {
  check_arm(1, true);
  CHECK(cctx_key_named("never seen before") == NULL);
  CHECK(check_memory.hit);
  CHECK(cctx_key_find("never seen before") == NULL);
  all_memory_again();
  cctx_key *key = cctx_key_named("never seen before");
  CHECK(key != NULL);
  check_arm(1, true);
  CHECK(cctx_key_named("never seen before") == key);
  CHECK_EQ(check_memory.calls, 0);
}

/* ---- The allocator ---------------------------------------------------------------- */

struct account {
  int taken, given;
};

static void *take(size_t size, void *arg) {
  ((struct account *)arg)->taken++;
  return malloc(size);
}

static void give(void *memory, void *arg) {
  ((struct account *)arg)->given++;
  free(memory);
}

TEST(all_memory_comes_from_the_hosts_allocator_and_goes_back) {
  struct account account = {0, 0};
  struct cctx_allocator allocator = {take, give, &account};
  cctx_set_allocator(&allocator);
  memset(&allocator, 0, sizeof allocator); /* it was copied */
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx *value = cctx_with_value(ctx, &red, cctx_text("red"));
  cctx *detached = cctx_detached(value, 0);
  CHECK(account.taken >= 3);
  cctx_unref(detached);
  cctx_unref(value);
  cctx_unref(ctx);
  CHECK_EQ(account.given, account.taken);
  cctx_set_allocator(NULL);
  cctx_unref(cctx_with_cancel(cctx_background()));
  CHECK_EQ(account.given, account.taken);
}

/* One derivation, one piece of memory. */
TEST(deriving_takes_one_allocation) {
  struct cctx_metadata_pair pair = {CCTX_HOP, "a", "1", 1};
  cctx *meta = NULL;
  check_arm(0, false);
  cctx *ctx = cctx_with_timeout_cause(cctx_background(), 5, "message");
  CHECK_EQ(check_memory.calls, 1);
  cctx *value = cctx_with_value(ctx, &red, cctx_text("red"));
  CHECK_EQ(check_memory.calls, 2);
  CHECK_EQ(cctx_with_metadata(&meta, value, &pair, 1, NULL), 0);
  CHECK_EQ(check_memory.calls, 3);
  cctx_unref(meta);
  cctx_unref(value);
  cctx_unref(ctx);
  CHECK_EQ(check_memory.live, 0);
}
