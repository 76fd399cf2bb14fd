/* SPDX-License-Identifier: Apache-2.0 */
/* Random sequences, compared with the model after each step. To see a failure again:
 * CCTX_SEED=the seed that was printed. */
#include "model_run.h"

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEQUENCES = 100 };
#else
enum { SEQUENCES = 700 };
#endif
enum { STEPS = 200 };

TEST(random_sequences_do_what_the_model_does) {
  const char *wanted = getenv("CCTX_SEED");
  uint64_t first = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)cctx_now() / 1000;
  if (!wanted) printf("seeds from %llu\n", (unsigned long long)first);
  for (uint64_t i = 0; i < (wanted ? 1 : SEQUENCES); i++) run_seed(first + i, STEPS);
}

/* The same ones each time, so that a build is not lucky. */
TEST(known_sequences_do_what_the_model_does) {
  if (getenv("CCTX_SEED")) SKIP("one seed was asked for");
  for (uint64_t seed = 1; seed <= SEQUENCES / 2; seed++) run_seed(seed, STEPS);
}

/* What random sequences seldom do: an order that depends on an observation that ended. */
static char names_called[8];
static void note(cctx *ctx, void *name) {
  (void)ctx;
  strcat(names_called, name);
}

enum { CANCEL, WITHDRAW, EXPIRE, WAYS };

/* `a` is observed first, through its child, then not at all, then again: after `b`. */
static void lose_place(int way) {
  cctx_loop *loop = cctx_loop_new();
  cctx *root = cctx_with_cancel(cctx_background());
  cctx *a = cctx_with_cancel(root), *b = cctx_with_cancel(root);
  cctx *kid = cctx_with_timeout(a, CCTX_SECOND);
  cctx_observer observer;
  names_called[0] = '\0';
  CHECK_EQ(cctx_on_done(kid, loop, note, "", &observer), 0);
  CHECK_EQ(cctx_on_done(b, loop, note, "b", NULL), 0);
  if (way == CANCEL) CHECK_EQ(cctx_cancel(kid, NULL), 1);
  if (way == WITHDRAW) CHECK_EQ(cctx_off_done(&observer), 1);
  if (way == EXPIRE) cctx_clock_set(cctx_deadline(kid));
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), way != WITHDRAW);
  CHECK_EQ(cctx_on_done(a, loop, note, "a", NULL), 0);
  CHECK_EQ(cctx_cancel(root, NULL), 1);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 2);
  CHECK_STR(names_called, "ba");
  cctx_unref(kid);
  cctx_unref(b);
  cctx_unref(a);
  cctx_unref(root);
  cctx_loop_free(loop);
}

TEST(a_node_that_nobody_observes_any_more_loses_its_place_among_its_siblings) {
  for (int way = 0; way < WAYS; way++) {
    cctx_clock_set(CCTX_SECOND);
    lose_place(way);
  }
}
