/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes: their numbers, words and messages; the version. */
#include <cctx.h>

#include "check.h"

TEST(every_status_has_its_number_and_word) {
  static const struct {
    int status, number;
    const char *word;
  } all[] = {
      {CCTX_OK, 0, "ok"},
      {CCTX_ENOMEM, -1, "no_memory"},
      {CCTX_EINVAL, -2, "invalid"},
      {CCTX_ECANCELED, -3, "canceled"},
      {CCTX_EDEADLINE, -4, "deadline_exceeded"},
      {CCTX_ENOTFOUND, -5, "not_found"},
      {CCTX_ETOOBIG, -6, "too_big"},
      {CCTX_ESTALE, -7, "stale"},
      {CCTX_EBUSY, -8, "busy"},
  };
  size_t known = 0;
#define XX(code, value, word, message) known++;
  CCTX_STATUS_MAP(XX)
#undef XX
  CHECK_EQ(sizeof all / sizeof *all, known);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    CHECK_EQ(all[i].status, all[i].number);
    CHECK_STR(cctx_status_word(all[i].status), all[i].word);
  }
}

TEST(every_message_is_one_line_of_its_own) {
  const char *seen[16];
  size_t n = 0;
#define XX(code, value, word, message) seen[n++] = cctx_status_message(CCTX_##code);
  CCTX_STATUS_MAP(XX)
#undef XX
  for (size_t i = 0; i < n; i++) {
    CHECK(*seen[i] != '\0');
    CHECK(strchr(seen[i], '\n') == NULL);
    for (size_t j = 0; j < i; j++) CHECK(strcmp(seen[i], seen[j]) != 0);
  }
  CHECK_STR(cctx_status_message(CCTX_ECANCELED), "context canceled");
  CHECK_STR(cctx_status_message(CCTX_EDEADLINE), "context deadline exceeded");
}

TEST(any_other_number_is_unknown) {
  static const int others[] = {1, -9, 77, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    CHECK_STR(cctx_status_word(others[i]), "unknown");
    CHECK(cctx_status_message(others[i]) != NULL);
    CHECK(*cctx_status_message(others[i]) != '\0');
  }
}

TEST(the_version_is_the_one_compiled_against) {
  char numbers[32];
  CHECK_STR(cctx_version(), CCTX_VERSION_STRING);
  snprintf(numbers, sizeof numbers, "%d.%d.%d", CCTX_VERSION_MAJOR, CCTX_VERSION_MINOR,
           CCTX_VERSION_PATCH);
  CHECK_STR(cctx_version(), numbers);
}
