/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: states, how they reach what was derived, variables, and the list of all. */
#include <cctx/interpreter.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../check.h"

static cctx_key colour = CCTX_KEY_INIT("colour");
static cctx_key size = CCTX_KEY_INIT("size");

static cctx *session_of(cctx *parent) {
  cctx *session = cctx_with_session(parent, CCTX_NEVER);
  CHECK(session != NULL);
  return session;
}

TEST(S61_a_session_is_valid_until_it_is_disabled_or_ends) {
  cctx *session = session_of(cctx_background());
  CHECK_EQ(cctx_session_state(cctx_background()), CCTX_SESSION_NONE);
  CHECK_EQ(cctx_session_state(session), CCTX_SESSION_VALID);
  CHECK_EQ(cctx_session_disable(session), 1);
  CHECK_EQ(cctx_session_disable(session), 0);
  CHECK_EQ(cctx_session_state(session), CCTX_SESSION_DISABLED);
  CHECK_EQ(cctx_session_end(session), 1);
  CHECK_EQ(cctx_session_end(session), 0);
  CHECK_EQ(cctx_session_state(session), CCTX_SESSION_ENDED);
  cctx_unref(session);
}

TEST(S62_disabling_reaches_all_that_was_derived) {
  cctx *session = session_of(cctx_background());
  cctx *one = cctx_with_value(session, &colour, cctx_text("red"));
  cctx *other = cctx_with_timeout(session, CCTX_SECOND);
  cctx *inner = session_of(one);
  CHECK_EQ(cctx_session_disable(other), 1);
  CHECK_EQ(cctx_session_state(session), CCTX_SESSION_DISABLED);
  CHECK_EQ(cctx_session_state(one), CCTX_SESSION_DISABLED);
  CHECK_EQ(cctx_session_state(inner), CCTX_SESSION_DISABLED);
  CHECK_EQ(cctx_err(one), 0); /* nothing is canceled */
  cctx_unref(inner);
  cctx_unref(other);
  cctx_unref(one);
  cctx_unref(session);
}

TEST(an_inner_session_is_disabled_alone) {
  cctx *outer = session_of(cctx_background()), *inner = session_of(outer);
  cctx_session_disable(inner);
  CHECK_EQ(cctx_session_state(outer), CCTX_SESSION_VALID);
  cctx_unref(inner);
  cctx_unref(outer);
}

/* The reference keeps a thread for each timeout, for as long as that was to last. */
TEST(a_timeout_disables_by_the_clock_and_starts_no_thread) {
  cctx *session, *child;
  cctx_clock_set(1000);
  session = cctx_with_session(cctx_background(), 500);
  child = cctx_with_value(session, &colour, cctx_text("red"));
  cctx_clock_set(1499);
  CHECK_EQ(cctx_session_state(child), CCTX_SESSION_VALID);
  cctx_clock_set(1500);
  CHECK_EQ(cctx_session_state(child), CCTX_SESSION_DISABLED);
  CHECK_EQ(cctx_session_disable(child), 0);
  CHECK_EQ(cctx_err(child), 0);
  cctx_unref(child);
  cctx_unref(session);
}

TEST(what_belongs_to_no_session_can_be_neither_disabled_nor_ended) {
  CHECK_EQ(cctx_session_disable(cctx_background()), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_session_end(cctx_background()), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_variable_set(cctx_background(), &colour, cctx_nil()), CCTX_ENOTFOUND);
  CHECK(cctx_variables(cctx_background()) == NULL);
}

TEST(a_request_is_a_session) {
  cctx_request request;
  cctx *kept;
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), NULL), 0);
  CHECK_EQ(cctx_session_state(request.ctx), CCTX_SESSION_VALID);
  kept = cctx_ref(request.ctx);
  cctx_request_end(&request);
  CHECK_EQ(cctx_session_state(kept), CCTX_SESSION_ENDED);
  cctx_unref(kept);
}

TEST(a_session_that_was_ended_by_hand_ends_once) {
  cctx_request request;
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), NULL), 0);
  CHECK_EQ(cctx_session_end(request.ctx), 1);
  CHECK_EQ(cctx_current_status(), CCTX_CURRENT_ENDED);
  CHECK_EQ(cctx_request_end(&request), 0);
}

TEST(the_words_of_states) {
  CHECK_STR(cctx_session_state_word(CCTX_SESSION_NONE), "none");
  CHECK_STR(cctx_session_state_word(CCTX_SESSION_VALID), "valid");
  CHECK_STR(cctx_session_state_word(CCTX_SESSION_DISABLED), "disabled");
  CHECK_STR(cctx_session_state_word(CCTX_SESSION_ENDED), "ended");
  CHECK(cctx_session_state_word(99) == NULL);
}

/* ---- Current -------------------------------------------------------------------- */

TEST(the_current_session_is_what_is_attached) {
  cctx *session = session_of(cctx_background()), *found;
  cctx_token token;
  int state = -1;
  CHECK(cctx_session_current(&state) == NULL);
  CHECK_EQ(state, CCTX_SESSION_NONE);
  CHECK_EQ(cctx_attach(session, &token), 0);
  found = cctx_session_current(&state);
  CHECK(found == session);
  CHECK_EQ(state, CCTX_SESSION_VALID);
  cctx_unref(found);
  cctx_detach(&token);
  found = cctx_session_current(NULL);
  CHECK(found == NULL);
  cctx_unref(session);
}

/* The reference has one place for each thread: the inner unbind erases the outer session. */
TEST(S63_unbinding_an_inner_session_restores_the_outer) {
  cctx *outer = session_of(cctx_background()), *inner = session_of(cctx_background());
  cctx_token first, second;
  uint64_t stale = cctx_stale_detaches();
  CHECK_EQ(cctx_attach(outer, &first), 0);
  CHECK_EQ(cctx_attach(inner, &second), 0);
  CHECK_EQ(cctx_detach(&second), 0);
  CHECK(cctx_current() == outer);
  CHECK_EQ(cctx_detach(&second), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), stale + 1);
  CHECK(cctx_current() == outer);
  cctx_detach(&first);
  cctx_unref(inner);
  cctx_unref(outer);
}

TEST(what_was_inherited_of_a_session_that_ended_is_current_no_more) {
  static const struct cctx_origin inherited = {.lifetime = CCTX_INHERITED};
  cctx *session = session_of(cctx_background());
  cctx_token token;
  int state;
  CHECK_EQ(cctx_attach_as(session, &inherited, &token), 0);
  cctx_session_end(session);
  CHECK(cctx_session_current(&state) == NULL);
  CHECK_EQ(state, CCTX_SESSION_ENDED);
  cctx_detach(&token);
  cctx_unref(session);
}

TEST(a_session_that_was_handed_over_is_found_ended) {
  cctx *session = session_of(cctx_background()), *found;
  cctx_token token;
  int state;
  CHECK_EQ(cctx_attach(session, &token), 0);
  cctx_session_end(session);
  found = cctx_session_current(&state);
  CHECK(found == session);
  CHECK_EQ(state, CCTX_SESSION_ENDED);
  cctx_unref(found);
  cctx_detach(&token);
  cctx_unref(session);
}

/* ---- Variables --------------------------------------------------------------------- */

static cctx *variables(void) {
  cctx *session = cctx_with_variables(cctx_background(), CCTX_NEVER);
  CHECK(session != NULL);
  return session;
}

static int64_t variable(const cctx *session, const cctx_key *key) {
  cctx *now = cctx_variables(session);
  cctx_variant value = cctx_int(-1);
  CHECK(now != NULL);
  cctx_value(now, key, &value);
  cctx_unref(now);
  return value.as.i;
}

TEST(S64_a_variable_is_seen_by_all_who_hold_the_session) {
  cctx *session = variables(), *child = cctx_with_cancel(session);
  CHECK_EQ(variable(child, &size), -1);
  CHECK_EQ(cctx_variable_set(session, &size, cctx_int(1)), 0);
  CHECK_EQ(variable(child, &size), 1);
  CHECK_EQ(cctx_variable_set(child, &size, cctx_int(2)), 0);
  CHECK_EQ(variable(session, &size), 2);
  cctx_unref(child);
  cctx_unref(session);
}

TEST(a_snapshot_of_variables_stays_what_it_is) {
  cctx *session = variables(), *snapshot;
  cctx_variant value;
  char text[] = "red";
  cctx_variable_set(session, &colour, cctx_text(text));
  text[0] = 'b'; /* it was copied */
  snapshot = cctx_variables(session);
  cctx_variable_set(session, &colour, cctx_text("blue"));
  CHECK_EQ(cctx_value(snapshot, &colour, &value), 0);
  CHECK_STR(value.as.s.bytes, "red");
  cctx_unref(snapshot);
  cctx_unref(session);
}

TEST(a_variable_is_no_value_of_the_context) {
  cctx *session = variables();
  cctx_variant value;
  cctx_variable_set(session, &size, cctx_int(1));
  CHECK_EQ(cctx_value(session, &size, &value), CCTX_ENOTFOUND);
  cctx_unref(session);
}

TEST(changing_a_variable_for_ever_takes_no_more_memory) {
  cctx *session = variables();
  size_t alive = cctx_alive();
  for (int i = 0; i < 1000; i++) {
    CHECK_EQ(cctx_variable_set(session, i % 2 ? &size : &colour, cctx_int(i)), 0);
    CHECK(cctx_alive() <= alive + 17);
  }
  CHECK_EQ(variable(session, &size), 999);
  CHECK_EQ(variable(session, &colour), 998);
  cctx_unref(session);
}

/* In the reference a key that cannot be hashed panics with the lock held, and whoever comes
 * after waits for ever. Here hooks run while nothing is locked, and may come back. */
static void keep(void *ptr) { (void)ptr; }
static cctx *in_hook;
static void come_back(void *ptr) {
  (void)ptr;
  CHECK_EQ(cctx_variable_set(in_hook, &size, cctx_int(7)), 0);
}

TEST(a_release_hook_may_set_a_variable_of_the_session_that_called_it) {
  cctx *session = in_hook = variables();
  CHECK_EQ(
      cctx_variable_set(session, &colour, cctx_pointer(&in_hook, keep, come_back, NULL)),
      0);
  for (int i = 0; i < 40; i++) cctx_variable_set(session, &colour, cctx_nil());
  CHECK_EQ(variable(session, &size), 7);
  cctx_unref(session);
}

static bool is_faster;
static void be_faster(void *session) {
  if (!is_faster) CHECK_EQ(cctx_variable_set(session, &size, cctx_int(7)), 0);
  is_faster = true;
}

/* As between two threads: the one comes in the midst of the other's. */
TEST(no_set_of_a_variable_is_lost_to_another) {
  cctx *session = variables();
  is_faster = false;
  CHECK_EQ(
      cctx_variable_set(session, &colour, cctx_pointer(session, be_faster, NULL, NULL)), 0);
  CHECK(is_faster);
  CHECK_EQ(variable(session, &size), 7);
  CHECK(variable(session, &colour) != -1);
  cctx_unref(session);
}

enum { ROUNDS = 2000 };
static void *count_up(void *session) {
  static cctx_key keys[2] = {CCTX_KEY_INIT("a"), CCTX_KEY_INIT("b")};
  static atomic_int next;
  cctx_key *mine = &keys[atomic_fetch_add(&next, 1) % 2];
  for (int i = 1; i <= ROUNDS; i++) {
    CHECK_EQ(cctx_variable_set(session, mine, cctx_int(i)), 0);
    if (!CHECK_EQ(variable(session, mine), i)) break;
  }
  return NULL;
}

TEST(a_token_of_a_manager_that_was_closed_takes_nothing_from_the_next) {
  cctx *outer = cctx_with_session(cctx_background(), CCTX_NEVER),
       *inner = cctx_with_session(cctx_background(), CCTX_NEVER);
  cctx *found;
  uint64_t late, token;
  CHECK_EQ(cctx_manager_bind(NULL, 7, outer, &late), 0);
  cctx_manager_close(NULL);
  for (int i = 0; i < 3; i++)
    CHECK_EQ(cctx_manager_bind(NULL, 7, i == 0 ? outer : inner, &token), 0);
  CHECK_EQ(cctx_manager_unbind(NULL, 7, late), CCTX_ESTALE);
  found = cctx_manager_get(NULL, 7, NULL);
  CHECK(found == inner);
  cctx_unref(found);
  cctx_manager_close(NULL);
  cctx_unref(inner);
  cctx_unref(outer);
}

static int given_back;
static void give_back(void *ptr) {
  (void)ptr;
  given_back++;
}

TEST(a_variable_that_can_be_given_back_but_not_kept_is_refused) {
  static cctx_key key = CCTX_KEY_INIT("one owner");
  cctx *session = cctx_with_variables(cctx_background(), CCTX_NEVER);
  cctx_variant value = cctx_pointer(&given_back, NULL, give_back, NULL);
  CHECK_EQ(cctx_variable_set(session, &key, value), CCTX_EINVAL);
  CHECK_EQ(given_back, 0);
  cctx_unref(session);
}

TEST(threads_may_set_variables_at_once) {
  cctx *session = variables();
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count_up, session);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  cctx_unref(session);
}

/* ---- The list ---------------------------------------------------------------------- */

struct listed {
  const cctx *ctx;
  struct cctx_session_info info;
  char file[64];
  int n, found;
};

static void note(void *arg, const struct cctx_session_info *info) {
  struct listed *listed = arg;
  listed->n++;
  if (info->ctx != listed->ctx) return;
  listed->found++;
  listed->info = *info;
  snprintf(listed->file, sizeof listed->file, "%s", info->file);
}

TEST(a_session_is_listed_with_its_place_and_age_until_nobody_holds_it) {
  struct listed listed = {.n = 0};
  cctx *session;
  cctx_clock_set(1000);
  session = session_of(cctx_background());
  listed.ctx = session;
  cctx_clock_set(1700);
  CHECK_EQ(cctx_sessions(0, note, &listed), 1);
  CHECK_EQ(listed.found, 1);
  CHECK_EQ(listed.info.since, 1000);
  CHECK_EQ(listed.info.state, CCTX_SESSION_VALID);
  CHECK(strstr(listed.file, "test_session.c") != NULL);
  CHECK(!listed.info.is_bound);
  CHECK_EQ(cctx_sessions(701, note, &listed), 0);
  CHECK_EQ(cctx_sessions(700, note, &listed), 1);
  cctx_unref(session);
  CHECK_EQ(cctx_sessions(0, note, &listed), 0);
}

static void make_one(void *arg, const struct cctx_session_info *info) {
  (void)info;
  *(cctx **)arg = session_of(cctx_background()); /* it may come back: nothing is locked */
}

TEST(who_is_shown_a_session_may_make_one) {
  cctx *session = session_of(cctx_background()), *made = NULL;
  CHECK_EQ(cctx_sessions(0, make_one, &made), 1);
  CHECK(made != NULL);
  cctx_unref(made);
  cctx_unref(session);
}

static bool make_set_and_list(void) {
  struct listed listed = {.n = 0};
  cctx *session = cctx_with_variables(cctx_background(), CCTX_NEVER);
  bool ok = session != NULL;
  for (int i = 0; ok && i < 20; i++) /* one of them puts all in one node */
    ok = cctx_variable_set(session, &size, cctx_int(i)) == 0;
  if (ok) ok = cctx_sessions(0, note, &listed) == 1;
  cctx_unref(session);
  return ok;
}

TEST(sessions_survive_lack_of_memory) { FAIL_EACH_ALLOCATION(make_set_and_list()); }
