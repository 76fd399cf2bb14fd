/* SPDX-License-Identifier: Apache-2.0 */
/* The options of backups: the grammar of the environment, and what wins over what. */
#include "../check.h"

static char said[1024];

static void note(void *arg, const char *line) {
  (void)arg;
  strncat(said, line, sizeof said - strlen(said) - 1);
  strncat(said, "\n", sizeof said - strlen(said) - 1);
}

static struct cctx_backup_options parsed;

static int parse(const char *text) {
  int malformed;
  parsed = (struct cctx_backup_options)CCTX_BACKUP_OPTIONS;
  said[0] = '\0';
  cctx_set_log(note, NULL);
  malformed = cctx_backup_parse(text, strlen(text), &parsed);
  cctx_set_log(NULL, NULL);
  return malformed;
}

TEST(each_field_of_the_configuration_is_read) {
  CHECK_EQ(parse("true,7,1h"), 0);
  CHECK(parsed.async);
  CHECK_EQ(parsed.manager.shards, 7);
  CHECK_EQ(parsed.manager.gc_interval, 3600 * CCTX_SECOND);
  CHECK_STR(said, "");
}

TEST(an_empty_field_keeps_what_is_there) {
  CHECK_EQ(parse(""), 0);
  CHECK_EQ(parse(",,"), 0);
  CHECK(!parsed.async);
  CHECK_EQ(parsed.manager.shards, 100);
  CHECK_EQ(parsed.manager.gc_interval, 600 * CCTX_SECOND);
  CHECK_EQ(parse("TRUE,,2s"), 0);
  CHECK(parsed.async);
  CHECK_EQ(parsed.manager.gc_interval, 2 * CCTX_SECOND);
}

/* The reference can say neither. */
TEST(async_and_sweeping_can_be_switched_off) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS;
  options.async = true;
  CHECK_EQ(cctx_backup_parse("false,,0", 8, &options), 0);
  CHECK(!options.async);
  CHECK_EQ(options.manager.gc_interval, 0);
}

/* In the reference it panics, and the process with it. */
TEST(a_field_out_of_bounds_is_named_and_its_default_stays) {
  CHECK_EQ(parse(",0"), 1);
  CHECK_EQ(parsed.manager.shards, 100);
  CHECK(strstr(said, "shards is \"0\"") != NULL);
  CHECK_EQ(parse(",-1,1m"), 1);
  CHECK_EQ(parsed.manager.shards, 100);
  CHECK_EQ(parsed.manager.gc_interval, 60 * CCTX_SECOND); /* the good field counts */
}

TEST(what_is_malformed_is_named) {
  static const char *const bad[][2] = {
      {" true", "async"},
      {"1", "async"},
      {"yes", "async"},
      {",abc", "shards"},
      {", 7", "shards"},
      {",65537", "shards"},
      {",99999999999999999999", "shards"},
      {",+5", "shards"},
      {",,10", "gc"},
      {",,-5m", "gc"},
      {",,abc", "gc"},
      {",,1h ", "gc"},
      {",,9999999h", "gc"},
      {",,.", "gc"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_EQ(parse(bad[i][0]), 1);
    if (!CHECK(strstr(said, bad[i][1]) != NULL)) printf("  %s: %s\n", bad[i][0], said);
    CHECK_EQ(parsed.manager.shards, 100);
    CHECK_EQ(parsed.manager.gc_interval, 600 * CCTX_SECOND);
  }
  CHECK_EQ(parse("x,y,z,w"), 4);
}

TEST(a_log_line_holds_nothing_that_a_terminal_obeys) {
  CHECK_EQ(parse("\033[2J"), 1);
  CHECK(strchr(said, '\033') == NULL);
  CHECK(strstr(said, "?[2J") != NULL);
}

TEST(durations_are_read_as_go_reads_them) {
  static const struct {
    const char *text;
    int64_t ns;
  } good[] = {
      {"0", 0},
      {"+0", 0},
      {"5s", 5000000000},
      {"1478s", 1478000000000},
      {"1.5s", 1500000000},
      {"1500ms", 1500000000},
      {"10us", 10000},
      {"10\xC2\xB5s", 10000},
      {"10\xCE\xBCs", 10000},
      {"14ns", 14},
      {".5s", 500000000},
      {"1.s", 1000000000},
      {"1h2m3.5s", 3723500000000},
      {"0.3333333333333333333h", 1200000000000},
      {"9007199254.740993ms", 9007199254740993},
      {"9223372036854775807ns", INT64_MAX},
      {"9223372036s854ms775us807ns", INT64_MAX},
      {"0.100000000000000000000h", 360000000000},
  };
  static const char *const bad[] = {"-",
                                    ".",
                                    "-.",
                                    "+",
                                    "s",
                                    ".s",
                                    "3",
                                    "1s2",
                                    "1x",
                                    "1hms",
                                    "1s 2",
                                    "0 ",
                                    "1..s",
                                    "--1s",
                                    "9223372036854775808ns",
                                    "1e3s",
                                    "0s.",
                                    "3000000h",
                                    "9223372036854775.808us"};
  char field[64];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    snprintf(field, sizeof field, ",,%s", good[i].text);
    if (!CHECK_EQ(parse(field), 0) || !CHECK_EQ(parsed.manager.gc_interval, good[i].ns))
      printf("  %s\n", good[i].text);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(field, sizeof field, ",,%s", bad[i]);
    if (!CHECK_EQ(parse(field), 1)) printf("  %s\n", bad[i]);
  }
}

/* ---- What is in use ---------------------------------------------------------------- */

static void forget(void) {
  unsetenv("CCTX_SESSION_CONFIG_KEY");
  unsetenv("CLOUDWEGO_SESSION_CONFIG_KEY");
  CHECK_EQ(cctx_backup_configure(NULL), 0);
}

TEST(the_environment_wins_over_options_and_ours_over_the_others) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS, found;
  options.manager.shards = 1;
  options.manager.gc_interval = 1;
  setenv("CLOUDWEGO_SESSION_CONFIG_KEY", "true,2,2s", 1);
  setenv("CCTX_SESSION_CONFIG_KEY", "false,,3s", 1);
  CHECK_EQ(cctx_backup_configure(&options), 0);
  cctx_backup_options(&found);
  CHECK(!found.async);
  CHECK_EQ(found.manager.shards, 2);
  CHECK_EQ(found.manager.gc_interval, 3 * CCTX_SECOND);
  forget();
}

TEST(a_malformed_variable_is_named_and_kills_nothing) {
  struct cctx_backup_options found;
  said[0] = '\0';
  cctx_set_log(note, NULL);
  setenv("CLOUDWEGO_SESSION_CONFIG_KEY", ",0", 1);
  CHECK_EQ(cctx_backup_configure(NULL), 0);
  cctx_set_log(NULL, NULL);
  cctx_backup_options(&found);
  CHECK_EQ(found.manager.shards, 100);
  CHECK(strncmp(said, "CLOUDWEGO_SESSION_CONFIG_KEY: ", 30) == 0);
  forget();
}

TEST(options_out_of_their_bounds_are_refused_and_change_nothing) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS, found;
  options.manager.shards = 5;
  CHECK_EQ(cctx_backup_configure(&options), 0);
  options.manager.shards = 0;
  CHECK_EQ(cctx_backup_configure(&options), CCTX_EINVAL);
  options.manager.shards = CCTX_SHARDS_MAX + 1;
  CHECK_EQ(cctx_backup_configure(&options), CCTX_EINVAL);
  options.manager.shards = 1;
  options.manager.gc_interval = -1;
  CHECK_EQ(cctx_backup_configure(&options), CCTX_EINVAL);
  cctx_backup_options(&found);
  CHECK_EQ(found.manager.shards, 5);
  forget();
}
