/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse is caught in debug builds, by an assertion that names the function. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* what was given back is the sanitizer's to catch, in its own words */
#else
#define SANITIZED 0
#endif

/* Whether `misuse` dies by an assertion whose text has `words`. */
static bool dies(void (*misuse)(void), const char *words) {
  char said[1024];
  ssize_t len;
  int ends[2], status;
  pid_t child;
  if (pipe(ends) != 0) return false;
  child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    misuse();
    _exit(0);
  }
  close(ends[1]);
  len = read(ends[0], said, sizeof said - 1);
  said[len > 0 ? len : 0] = '\0';
  close(ends[0]);
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, words))
    printf("  expected to die with \"%s\", said: %s\n", words, said);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, words);
}

/* Kept from the compiler, which knows that these are wrong. */
static cctx *volatile none;
static cctx_key *volatile no_key;

static cctx *gone(void) {
  cctx *volatile ctx = cctx_with_cancel(cctx_background());
  cctx_unref(ctx);
  return ctx;
}

static void ref_nothing(void) { cctx_ref(none); }
static void derive_from_nothing(void) { none = cctx_with_cancel(none); }
static void deadline_from_nothing(void) { none = cctx_with_timeout(none, 1); }
static void detach_nothing(void) { none = cctx_detached(none, 0); }
static void ask_nothing(void) { cctx_err(none); }
static void cancel_nothing(void) { cctx_cancel(none, NULL); }
static void attach_nothing(void) {
  cctx_token token;
  if (cctx_attach(none, &token) != 0) return;
}
static void store_without_a_key(void) {
  none = cctx_with_value(cctx_background(), no_key, cctx_nil());
}
static void merge_nothing(void) { none = cctx_merge((cctx *[]){none}, 0); }
static void unref_twice(void) { cctx_unref(gone()); }
static void ref_too_late(void) { cctx_ref(gone()); }
static void ask_too_late(void) { cctx_err(gone()); }
static void derive_too_late(void) { none = cctx_with_cancel(gone()); }
static void cancel_too_late(void) { cctx_cancel(gone(), NULL); }

static const struct {
  void (*misuse)(void);
  const char *words;
  bool is_late;
} misuses[] = {
    {ref_nothing, "cctx_ref:", false},
    {derive_from_nothing, "cctx_with_cancel:", false},
    {deadline_from_nothing, "cctx_with_deadline:", false},
    {detach_nothing, "cctx_detached:", false},
    {ask_nothing, "cctx_err:", false},
    {cancel_nothing, "cctx_cancel:", false},
    {attach_nothing, "cctx_attach:", false},
    {store_without_a_key, "cctx_with_value:", false},
    {merge_nothing, "cctx_merge:", false},
    {unref_twice, "cctx_unref:", true},
    {ref_too_late, "cctx_ref:", true},
    {ask_too_late, "cctx_err:", true},
    {derive_too_late, "cctx_with_cancel:", true},
    {cancel_too_late, "cctx_cancel:", true},
};

static void check_misuses(bool is_late) {
  for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++)
    if (misuses[i].is_late == is_late) CHECK(dies(misuses[i].misuse, misuses[i].words));
}

#ifdef NDEBUG
#define CAUGHT false
#else
#define CAUGHT true
#endif

TEST(no_context_and_no_key_are_caught) {
  if (!CAUGHT) SKIP("assertions are off");
  check_misuses(false);
}

TEST(what_was_given_back_is_caught) {
  if (!CAUGHT || SANITIZED) SKIP("assertions are off, or a sanitizer catches it");
  check_misuses(true);
}
