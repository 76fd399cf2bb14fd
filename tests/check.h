/* SPDX-License-Identifier: Apache-2.0 */
/* The harness of the C tests: a program of this header needs no main of its own.
 *
 *     TEST(a_child_of_a_done_context_is_done) {
 *       CHECK_EQ(cctx_err(child), CCTX_ECANCELED);
 *     }
 *
 * `program --list` prints the names, `program NAME...` runs those, `program` runs all. It
 * ends with 0 passed, 77 skipped, 1 failed. After each test the clock runs again, malloc is
 * the allocator, and no context may be left alive. C11 and C++17.
 */
#ifndef CHECK_H
#define CHECK_H

#include <cctx.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
  const char *name;
  void (*run)(void);
  struct check_test *next;
};

static struct check_test *check_first, **check_last = &check_first;
static int check_failures;        /* of the test that runs */
static const char *check_skipped; /* why, if it was */

#define TEST(name)                                                                         \
  static void test_##name(void);                                                           \
  __attribute__((constructor)) static void register_##name(void) {                         \
    static struct check_test test = {#name, test_##name, NULL};                            \
    *check_last = &test;                                                                   \
    check_last = &test.next;                                                               \
  }                                                                                        \
  static void test_##name(void)

/** End the test here: what it needs is not on this machine. */
#define SKIP(why)                                                                          \
  do {                                                                                     \
    check_skipped = (why);                                                                 \
    return;                                                                                \
  } while (0)

/* A failed check prints both values and goes on, so that what was made is given back. */
#define CHECK(cond) check_that(!!(cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ(a, b)                                                                     \
  check_equal((long long)(a), (long long)(b), #a, #b, __FILE__, __LINE__)
#define CHECK_STR(a, b) check_strings((a), (b), #a, #b, __FILE__, __LINE__)

__attribute__((unused)) static bool check_that(bool ok, const char *what, const char *file,
                                               int line) {
  if (!ok) {
    check_failures++;
    printf("%s:%d: false: %s\n", file, line, what);
  }
  return ok;
}

__attribute__((unused)) static bool check_equal(long long a, long long b, const char *left,
                                                const char *right, const char *file,
                                                int line) {
  if (a != b) {
    check_failures++;
    printf("%s:%d: %s is %lld, %s is %lld\n", file, line, left, a, right, b);
  }
  return a == b;
}

__attribute__((unused)) static bool check_strings(const char *a, const char *b,
                                                  const char *left, const char *right,
                                                  const char *file, int line) {
  bool same = a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
  if (!same) {
    check_failures++;
    printf("%s:%d: %s is \"%s\", %s is \"%s\"\n", file, line, left, a ? a : "(null)", right,
           b ? b : "(null)");
  }
  return same;
}

/* ---- Failing memory ------------------------------------------------------------
 *
 *     FAIL_EACH_ALLOCATION(derive_and_give_back());
 *
 * evaluates the expression again and again, with the first allocation failing, then the
 * second, ..., until it meets no failure: once with that one failing, once with all from
 * there on. It must then be true; before, it may be true or false, but must leave nothing
 * behind. Only the thread that runs the test may allocate meanwhile.
 */
static struct {
  long long calls; /* of this round */
  long long fail;  /* the number of the call to fail; 0: none */
  bool onwards;    /* and all after it */
  bool hit;
  long long live; /* blocks that were not given back */
} check_memory;

static void *check_alloc(size_t size, void *arg) {
  long long call = ++check_memory.calls;
  void *memory;
  (void)arg;
  if (check_memory.fail > 0 &&
      (call == check_memory.fail || (check_memory.onwards && call > check_memory.fail))) {
    check_memory.hit = true;
    return NULL;
  }
  memory = malloc(size);
  if (memory != NULL) check_memory.live++;
  return memory;
}

static void check_free(void *memory, void *arg) {
  (void)arg;
  if (memory != NULL) check_memory.live--;
  free(memory);
}

/* Begin a round that fails call `fail`, in the way of `onwards`. */
__attribute__((unused)) static void check_arm(long long fail, bool onwards) {
  struct cctx_allocator allocator = {check_alloc, check_free, NULL};
  check_memory.calls = 0;
  check_memory.fail = fail;
  check_memory.onwards = onwards;
  check_memory.hit = false;
  check_memory.live = 0;
  cctx_set_allocator(&allocator);
}

#define CHECK_ROUNDS_MAX 10000

/* The expression runs once unfailed first, so that what is made once and kept (a key's
 * name, a thread's record) is not taken for a leak. */
#define FAIL_EACH_ALLOCATION(expression)                                                   \
  do {                                                                                     \
    int check_way;                                                                         \
    CHECK(expression);                                                                     \
    for (check_way = 0; check_way < 2; check_way++) {                                      \
      long long check_n = 0;                                                               \
      bool check_ok, check_hit;                                                            \
      do {                                                                                 \
        size_t check_alive = cctx_alive();                                                 \
        check_arm(++check_n, check_way == 1);                                              \
        check_ok = (expression);                                                           \
        check_hit = check_memory.hit;                                                      \
        cctx_set_allocator(NULL);                                                          \
        if (!CHECK_EQ(check_memory.live, 0) || !CHECK_EQ(cctx_alive(), check_alive))       \
          printf("  after allocation %lld failed%s\n", check_n,                            \
                 check_way == 1 ? ", and all after it" : "");                              \
      } while (check_hit && check_n < CHECK_ROUNDS_MAX);                                   \
      CHECK(check_ok);                                                                     \
      CHECK(!check_hit);                                                                   \
    }                                                                                      \
  } while (0)

/* ---- Running --------------------------------------------------------------------- */

/* Returns 0, 77 or 1, as the program. */
static int check_run(const struct check_test *test) {
  size_t alive_before = cctx_alive(); /* 0, but after a test that leaked */
  check_failures = 0;
  check_skipped = NULL;
  test->run();
  cctx_clock_set(CCTX_CLOCK_REAL);
  cctx_set_allocator(NULL);
  CHECK_EQ(cctx_alive(), alive_before);
  if (check_failures > 0)
    printf("FAIL %s\n", test->name);
  else if (check_skipped != NULL)
    printf("SKIP %s: %s\n", test->name, check_skipped);
  else
    printf("PASS %s\n", test->name);
  fflush(stdout);
  return check_failures > 0 ? 1 : check_skipped != NULL ? 77 : 0;
}

int main(int argc, char **argv) {
  const struct check_test *test;
  int i, ran = 0, skipped = 0, failed = 0;
  bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
  setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not swallow what was said */
  for (test = check_first; test != NULL; test = test->next) {
    bool wanted = argc < 2;
    int result;
    for (i = 1; i < argc; i++) wanted = wanted || strcmp(argv[i], test->name) == 0;
    if (list) puts(test->name);
    if (list || !wanted) continue;
    result = check_run(test);
    ran++;
    skipped += result == 77;
    failed += result == 1;
  }
  if (!list && ran == 0) fprintf(stderr, "no such test; --list names them\n");
  if (list) return 0;
  return ran == 0 || failed > 0 ? 1 : skipped == ran ? 77 : 0;
}

#endif
