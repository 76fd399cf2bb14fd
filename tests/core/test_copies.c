/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the core in one process: which of them count, and what is said of them. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1 /* none of them takes RTLD_DEEPBIND */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

static char why[2 * PATH_MAX + 512];

static const char *own_file(void) {
  static char path[PATH_MAX];
  Dl_info info;
  void *function = dlsym(RTLD_DEFAULT, "cctx_version"); /* NULL: inside this program */
  if (function && dladdr(function, &info) && realpath(info.dli_fname, path)) return path;
  return "test_copies";
}

/* Load a copy of this program's library, under another name: its file, in `path`. */
static bool load_copy(char *path, int flags) {
  char bytes[4096];
  size_t n;
  int fd = mkstemp(path);
  FILE *in = fopen(own_file(), "rb"), *out = fdopen(fd, "wb");
  while (in && out && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
    CHECK_EQ(fwrite(bytes, 1, n, out), n);
  if (in) fclose(in);
  if (out) fclose(out);
  void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
  if (loaded == NULL) printf("%s\n", dlerror());
  return loaded != NULL;
}

TEST(one_core_of_this_version_is_what_should_be) {
  CHECK_EQ(cctx_core_check(CCTX_VERSION_STRING, why, sizeof why), 0);
  CHECK_STR(why, "");
}

TEST(a_core_serves_what_needs_an_older_one_or_another_patch) {
  char patch[32];
  snprintf(patch, sizeof patch, "%d.%d.999", CCTX_VERSION_MAJOR, CCTX_VERSION_MINOR);
  CHECK_EQ(cctx_core_check("0.0", why, sizeof why), 0);
  CHECK_EQ(cctx_core_check("0.0.9", why, sizeof why), 0);
  CHECK_EQ(cctx_core_check(patch, why, sizeof why), 0);
}

TEST(a_core_that_is_too_old_is_named_with_its_version_and_the_one_needed) {
  char next[32];
  snprintf(next, sizeof next, "%d.%d.0", CCTX_VERSION_MAJOR, CCTX_VERSION_MINOR + 1);
  CHECK_EQ(cctx_core_check(next, why, sizeof why), CCTX_ENOTFOUND);
  CHECK(strstr(why, own_file()) != NULL);
  CHECK(strstr(why, "is version " CCTX_VERSION_STRING) != NULL);
  CHECK(strstr(why, next) != NULL);
  CHECK_EQ(cctx_core_check("9999.0.0", why, sizeof why), CCTX_ENOTFOUND);
}

TEST(what_is_no_version_is_refused) {
  static const char *const wrong[] = {"", "1", "1.", ".1", "one.two", "1.2x", "1.99999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK_EQ(cctx_core_check(wrong[i], why, sizeof why), CCTX_EINVAL);
    CHECK_STR(why, "");
  }
}

TEST(the_sentence_is_cut_to_its_room) {
  char room[8] = "???????";
  CHECK_EQ(cctx_core_check("9.0", room, 4), CCTX_ENOTFOUND);
  CHECK_EQ(strlen(room), 3);
  CHECK_EQ(room[4], '?');
  CHECK_EQ(cctx_core_check("9.0", NULL, 0), CCTX_ENOTFOUND);
}

/* These two stay loaded: they come last. */

TEST(a_copy_whose_names_are_bound_to_the_first_core_is_none) {
  char path[] = "/tmp/cctx-copy-XXXXXX";
  if (strstr(own_file(), ".so") == NULL) SKIP("this program has its core inside");
  CHECK(load_copy(path, 0));
  CHECK_EQ(cctx_core_check(CCTX_VERSION_STRING, why, sizeof why), 0);
  CHECK_STR(why, "");
  unlink(path);
}

TEST(a_live_copy_is_an_error_that_names_both_files) {
  char path[] = "/tmp/cctx-copy-XXXXXX";
#if defined(RTLD_DEEPBIND) && !defined(UNDER_SANITIZER)
  if (strstr(own_file(), ".so") == NULL) SKIP("this program has its core inside");
  CHECK(load_copy(path, RTLD_DEEPBIND));
  CHECK_EQ(cctx_core_check(CCTX_VERSION_STRING, why, sizeof why), CCTX_EBUSY);
  CHECK(strstr(why, own_file()) != NULL);
  CHECK(strstr(why, path) != NULL);
  unlink(path);
#else
  (void)path;
  SKIP("no copy can be bound to itself here");
#endif
}
