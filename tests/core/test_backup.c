/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of the backup store: entering and leaving, who finds what, captures, mistakes. */
#include <cctx/interpreter.h>
#include <pthread.h>

#include "../check.h"

static cctx_key who = CCTX_KEY_INIT("who");

static cctx *request_of(const char *name) {
  cctx *ctx = cctx_with_value(cctx_background(), &who, cctx_text(name));
  CHECK(ctx != NULL);
  return ctx;
}

static const char *who_is(const cctx *ctx) {
  cctx_variant value;
  return cctx_value(ctx, &who, &value) == CCTX_OK ? value.as.s.bytes : NULL;
}

static cctx_backup enter(cctx *ctx) {
  cctx_backup backup;
  CHECK_EQ(cctx_backup_enter(&backup, ctx), 0);
  return backup;
}

TEST(S66_a_handler_that_was_entered_finds_its_session_until_it_is_left) {
  cctx *ctx = request_of("one"), *found;
  cctx_backup backup = enter(ctx);
  int state;
  CHECK_STR(who_is(cctx_current()), "one");
  found = cctx_session_current(&state);
  CHECK(found == backup.ctx);
  CHECK_EQ(state, CCTX_SESSION_VALID);
  cctx_unref(found);
  found = cctx_ref(backup.ctx);
  CHECK_EQ(cctx_backup_leave(&backup), 0);
  CHECK_EQ(cctx_session_state(found), CCTX_SESSION_ENDED);
  CHECK_EQ(cctx_err(found), 0); /* nothing is canceled */
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_backup_leave(&backup), CCTX_ESTALE);
  cctx_unref(found);
  cctx_unref(ctx);
}

TEST(what_starts_inside_a_handler_inherits) {
  cctx_backup backup = enter(cctx_background());
  struct cctx_origin origin;
  cctx_current_origin(&origin);
  CHECK_EQ(origin.lifetime, CCTX_INHERITED);
  cctx_backup_leave(&backup);
}

/* In the reference an inner server's handler, called inline, erases the outer one's session. */
TEST(an_inner_handler_leaves_the_outer_one_its_session) {
  cctx *one = request_of("one"), *two = request_of("two");
  cctx_backup outer = enter(one), inner = enter(two);
  CHECK_STR(who_is(cctx_current()), "two");
  CHECK_EQ(cctx_backup_leave(&inner), 0);
  CHECK_STR(who_is(cctx_current()), "one");
  CHECK_EQ(cctx_session_state(outer.ctx), CCTX_SESSION_VALID);
  CHECK_EQ(cctx_backup_leave(&outer), 0);
  cctx_unref(two);
  cctx_unref(one);
}

TEST(a_handler_left_from_inside_ends_what_it_entered) {
  cctx *one = request_of("one"), *two = request_of("two");
  cctx_backup outer = enter(one), inner = enter(two);
  CHECK_EQ(cctx_backup_leave(&outer), 0);
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_backup_leave(&inner), CCTX_ESTALE);
  cctx_unref(two);
  cctx_unref(one);
}

/* ---- Late children ---------------------------------------------------------------- */

static const struct cctx_origin inherited = {.lifetime = CCTX_INHERITED};

struct child {
  pthread_barrier_t turn;
  cctx *ctx;
  const struct cctx_origin *origin;
  int state, status;
  char who[8];
};

static void *be_late(void *arg) {
  struct child *child = arg;
  cctx_token token;
  cctx *found;
  CHECK_EQ(cctx_attach_as(child->ctx, child->origin, &token), 0);
  pthread_barrier_wait(&child->turn);
  pthread_barrier_wait(&child->turn); /* the server is at its next request by now */
  child->status = cctx_current_status();
  found = cctx_session_current(&child->state);
  snprintf(child->who, sizeof child->who, "%s",
           who_is(cctx_current()) ? who_is(cctx_current()) : "");
  cctx_unref(found);
  cctx_detach(&token);
  return NULL;
}

/* A child of the request "one" that asks when the same thread serves "two". */
static struct child ask_late(const struct cctx_origin *origin) {
  static struct child child;
  cctx *one = request_of("one"), *two = request_of("two");
  cctx_backup backup = enter(one);
  pthread_t thread;
  child = (struct child){.ctx = cctx_ref(backup.ctx), .origin = origin};
  pthread_barrier_init(&child.turn, NULL, 2);
  pthread_create(&thread, NULL, be_late, &child);
  pthread_barrier_wait(&child.turn);
  cctx_backup_leave(&backup);
  backup = enter(two);
  pthread_barrier_wait(&child.turn);
  pthread_join(thread, NULL);
  cctx_backup_leave(&backup);
  pthread_barrier_destroy(&child.turn);
  cctx_unref(child.ctx);
  cctx_unref(two);
  cctx_unref(one);
  return child;
}

/* In the reference it reads the session of the next request, "two". */
TEST(S67_a_late_child_finds_that_its_session_has_ended_and_never_the_next) {
  struct child child = ask_late(&inherited);
  CHECK_STR(child.who, "");
  CHECK_EQ(child.state, CCTX_SESSION_ENDED);
  CHECK_EQ(child.status, CCTX_CURRENT_ENDED);
}

TEST(what_was_handed_to_a_late_child_keeps_its_values) {
  static const struct cctx_origin handed_over = {.lifetime = CCTX_HANDED_OVER};
  struct child child = ask_late(&handed_over);
  CHECK_STR(child.who, "one");
  CHECK_EQ(child.state, CCTX_SESSION_ENDED);
}

static void *leave_elsewhere(void *backup) {
  CHECK_EQ(cctx_backup_leave((cctx_backup *)backup), 0);
  return NULL;
}

TEST(a_handler_may_be_left_on_another_thread) {
  cctx *one = request_of("one");
  cctx_backup backup = enter(one);
  pthread_t thread;
  pthread_create(&thread, NULL, leave_elsewhere, &backup);
  pthread_join(thread, NULL);
  CHECK(cctx_current() == cctx_background());
  backup = enter(one); /* this thread passes by, and gives the old scope back */
  cctx_backup_leave(&backup);
  cctx_unref(one);
}

/* ---- Switched off ------------------------------------------------------------------- */

TEST(where_backups_are_off_nothing_is_a_session_and_all_else_is_the_same) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS;
  cctx *one = request_of("one"), *outer = cctx_with_session(one, CCTX_NEVER);
  cctx_backup backup;
  options.enable = false;
  CHECK_EQ(cctx_backup_configure(&options), 0);
  backup = enter(one);
  CHECK(cctx_current() == one);
  CHECK_EQ(cctx_backup_leave(&backup), 0);
  backup = enter(outer); /* a session of somebody else */
  CHECK_EQ(cctx_backup_leave(&backup), 0);
  CHECK_EQ(cctx_session_state(outer), CCTX_SESSION_VALID);
  CHECK_EQ(cctx_backup_configure(NULL), 0);
  cctx_unref(outer);
  cctx_unref(one);
}

/* ---- Captures ----------------------------------------------------------------------- */

struct object {
  int refs, frozen;
};
static struct object pooled = {1, 0}, clone;
static void hold_object(void *object) { ((struct object *)object)->refs++; }
static void drop_object(void *object) { ((struct object *)object)->refs--; }

static bool make_clone(void *arg, const cctx_variant *value, cctx_variant *captured) {
  CHECK(arg == &clone);
  CHECK(value->as.p.ptr == &pooled);
  clone.refs = 1; /* which is given away */
  *captured = cctx_pointer(&clone, hold_object, drop_object, NULL);
  return true;
}

static bool freeze(void *arg, const cctx_variant *value, cctx_variant *captured) {
  (void)arg, (void)captured;
  ((struct object *)value->as.p.ptr)->frozen++;
  return false;
}

static bool drop(void *arg, const cctx_variant *value, cctx_variant *captured) {
  (void)arg, (void)value, (void)captured; /* it is nil */
  return true;
}

static void *pointer_in(const cctx *ctx, const cctx_key *key) {
  cctx_variant value = cctx_int(1);
  CHECK_EQ(cctx_value(ctx, key, &value), 0);
  return value.type == CCTX_POINTER ? value.as.p.ptr : NULL;
}

TEST(a_value_is_captured_as_its_key_says) {
  static cctx_key cloned = CCTX_KEY_INIT("cloned"), frozen = CCTX_KEY_INIT("frozen"),
                  dropped = CCTX_KEY_INIT("dropped");
  cctx_variant object = cctx_pointer(&pooled, hold_object, drop_object, NULL);
  struct cctx_entry entries[] = {{&cloned, object}, {&frozen, object}, {&dropped, object}};
  cctx *ctx = cctx_with_values(cctx_background(), entries, 3), *captured;
  CHECK_EQ(cctx_on_capture(&cloned, make_clone, &clone), 0);
  CHECK_EQ(cctx_on_capture(&frozen, freeze, NULL), 0);
  CHECK_EQ(cctx_on_capture(&dropped, drop, NULL), 0);
  captured = cctx_capture(ctx);
  CHECK(pointer_in(captured, &cloned) == &clone);
  CHECK(pointer_in(captured, &frozen) == &pooled);
  CHECK(pointer_in(captured, &dropped) == NULL);
  CHECK_EQ(pooled.frozen, 1);
  CHECK_EQ(clone.refs, 1); /* the context's */
  cctx_unref(captured);
  CHECK_EQ(clone.refs, 0);
  for (int i = 0; i < 3; i++) CHECK_EQ(cctx_on_capture(entries[i].key, NULL, NULL), 0);
  captured = cctx_capture(ctx);
  CHECK(captured == ctx);
  cctx_unref(captured);
  cctx_unref(ctx);
}

TEST(a_capture_of_what_no_key_concerns_is_a_reference) {
  cctx *captured = cctx_capture(cctx_background());
  CHECK(captured == cctx_background());
}

TEST(there_is_room_for_so_many_captures) {
  static cctx_key keys[CCTX_CAPTURES_MAX + 1];
  int status = 0;
  for (int i = 0; i <= CCTX_CAPTURES_MAX && status == 0; i++)
    status = cctx_on_capture(&keys[i], freeze, NULL);
  CHECK_EQ(status, CCTX_EBUSY);
  for (int i = 0; i < CCTX_CAPTURES_MAX; i++)
    if (cctx_on_capture(&keys[i], NULL, NULL) != 0) break;
}

/* ---- Mistakes ------------------------------------------------------------------------ */

static struct cctx_backup_mistakes mistakes(void) {
  struct cctx_backup_mistakes found;
  cctx_backup_mistakes(&found);
  return found;
}

static char said[512];
static void note(void *arg, const char *line) {
  (void)arg;
  snprintf(said, sizeof said, "%s", line);
}

TEST(S68_a_call_with_a_context_that_was_lost_is_found_out) {
  cctx *one = request_of("one"), *lost = cctx_with_cancel(cctx_background());
  cctx *derived, *detached, *given;
  uint64_t before = mistakes().lost;
  cctx_backup backup;
  CHECK_EQ(cctx_check_egress(lost), 0); /* nothing is bound */
  backup = enter(one);
  derived = cctx_with_cancel(backup.ctx);
  given = cctx_with_cancel(one); /* of what the handler was given */
  detached = cctx_detached(backup.ctx, 0);
  CHECK_EQ(cctx_check_egress(derived), 0);
  CHECK_EQ(cctx_check_egress(given), 0);
  CHECK_EQ(cctx_check_egress(detached), 0);
  CHECK_EQ(mistakes().lost, before);
  CHECK_EQ(cctx_check_egress(lost), CCTX_ESTALE);
  CHECK_EQ(cctx_check_egress(cctx_background()), CCTX_ESTALE);
  CHECK_EQ(mistakes().lost, before + 2);
  cctx_set_log(note, NULL);
  cctx_strict(1);
  CHECK_EQ(cctx_check_egress(cctx_todo()), CCTX_ESTALE);
  cctx_strict(0);
  cctx_set_log(NULL, NULL);
  CHECK(strstr(said, "test_backup.c") != NULL);
  cctx_backup_leave(&backup);
  cctx_unref(detached);
  cctx_unref(given);
  cctx_unref(derived);
  cctx_unref(lost);
  cctx_unref(one);
}

TEST(under_a_session_of_background_only_what_bears_its_mark_is_not_lost) {
  cctx_backup backup = enter(cctx_background());
  CHECK_EQ(cctx_check_egress(backup.ctx), 0);
  CHECK_EQ(cctx_check_egress(cctx_background()), CCTX_ESTALE);
  cctx_backup_leave(&backup);
}

static void *enter_and_end(void *ctx) {
  cctx_backup backup = enter(ctx);
  cctx_session_end(backup.ctx);
  cctx_unref(backup.ctx); /* the thread ends with its scope in force */
  return NULL;
}

TEST(a_thread_that_ends_with_something_attached_is_counted) {
  cctx *one = request_of("one");
  uint64_t before = mistakes().left;
  pthread_t thread;
  cctx_set_log(note, NULL);
  cctx_strict(1);
  pthread_create(&thread, NULL, enter_and_end, one);
  pthread_join(thread, NULL);
  cctx_strict(0);
  cctx_set_log(NULL, NULL);
  CHECK_EQ(mistakes().left, before + 1);
  CHECK(strstr(said, "a thread ended") != NULL);
  cctx_unref(one);
}

TEST(tokens_that_do_not_match_are_counted) {
  cctx *one = request_of("one");
  uint64_t before = mistakes().stale;
  cctx_backup backup = enter(one), again = backup;
  cctx_backup_leave(&backup);
  CHECK_EQ(cctx_detach(&again.token), CCTX_ESTALE);
  CHECK_EQ(cctx_manager_unbind(NULL, 1, 1), CCTX_ESTALE);
  CHECK_EQ(mistakes().stale, before + 2);
  cctx_unref(one);
}

static bool enter_and_leave(void) {
  cctx_backup backup;
  bool ok = cctx_backup_enter(&backup, cctx_background()) == 0;
  return (cctx_backup_leave(&backup) == 0) == ok && ok;
}

TEST(entering_survives_lack_of_memory) { FAIL_EACH_ALLOCATION(enter_and_leave()); }
