/* SPDX-License-Identifier: Apache-2.0 */
/* The baggage: which members become metadata, how values are decoded, what is refused. */
#include <cctx.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static const char *get_baggage(void *arg, const char *name, size_t *len) {
  if (strcmp(name, "baggage") != 0) return NULL;
  *len = strlen(arg);
  return arg;
}

/* A context with what `text` brings; the caller gives it back. */
static cctx *read_into(cctx *parent, char *text, struct cctx_extracted *report) {
  struct cctx_carrier carrier = {.get = get_baggage, .arg = text};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_extract(&ctx, parent, &carrier, NULL, report), 0);
  return ctx;
}

/* Read `text`, which has one member "k", and compare. NULL: it must have been refused. */
static void check_value(const char *text, const char *value) {
  struct cctx_extracted report;
  char copy[256];
  snprintf(copy, sizeof copy, "%s", text);
  cctx *ctx = read_into(cctx_background(), copy, &report);
  const char *got = cctx_metadata(ctx, "k", NULL);
  if (value) {
    CHECK(got != NULL);
    CHECK_STR(got, value);
    CHECK_EQ(report.pairs, 1);
    CHECK_EQ(report.refused, 0);
  } else {
    CHECK(got == NULL);
    CHECK_EQ(report.pairs, 0);
    CHECK_EQ(report.refused, 1);
  }
  cctx_unref(ctx);
}

TEST(a_member_is_metadata_of_the_request) {
  struct cctx_extracted report;
  struct cctx_metadata_pair pair;
  char text[] = "tenant=acme,user=42";
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 2);
  CHECK_EQ(report.refused, 0);
  CHECK_EQ(cctx_metadata_count(ctx), 2);
  CHECK_EQ(cctx_metadata_at(ctx, 0, &pair), 0);
  CHECK_EQ(pair.scope, CCTX_REQUEST);
  CHECK_STR(pair.name, "tenant");
  CHECK_STR(pair.value, "acme");
  CHECK_STR(cctx_metadata(ctx, "user", NULL), "42");
  cctx_unref(ctx);
}

TEST(blanks_and_properties_are_left_out) {
  check_value("k=v", "v");
  check_value(" \tk \t= v\t ", "v");
  check_value("k = v ; p=1; q", "v");
  check_value("k=v;;,", "v");
  check_value("k=;p=1", "");
}

TEST(a_value_keeps_what_is_allowed_in_it) {
  check_value("k=", "");
  check_value("k=a=b==", "a=b==");
  check_value("k=a+b", "a+b");
  check_value("k=!#$&'()*+-./:<=>?@[]^_`{|}~", "!#$&'()*+-./:<=>?@[]^_`{|}~");
}

TEST(a_value_is_percent_decoded_once) {
  check_value("k=al%20ice%2C%3b", "al ice,;");
  check_value("k=%2525", "%25");
  check_value("k=caf%C3%A9", "caf\xc3\xa9");
  check_value("k=%e2%82%aC%F0%9F%98%80", "\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(a_decoded_value_may_hold_a_nul) {
  struct cctx_extracted report;
  size_t len = 0;
  char text[] = "k=a%00b";
  cctx *ctx = read_into(cctx_background(), text, &report);
  const char *value = cctx_metadata(ctx, "k", &len);
  CHECK_EQ(len, 3);
  CHECK(memcmp(value, "a\0b", 4) == 0);
  cctx_unref(ctx);
}

#define FFFD "\xef\xbf\xbd"

TEST(what_is_not_utf8_is_replaced) {
  check_value("k=%ff", FFFD);
  check_value("k=a%80b", "a" FFFD "b");
  check_value("k=%C3", FFFD);
  check_value("k=%C3x", FFFD "x");
  check_value("k=%c0%af", FFFD FFFD);
  check_value("k=%e2%82x", FFFD "x");
  check_value("k=%e0%80%80", FFFD FFFD FFFD);
  check_value("k=%ed%a0%80", FFFD FFFD FFFD);
  check_value("k=%f0%80%80%80", FFFD FFFD FFFD FFFD);
  check_value("k=%f4%90%80%80", FFFD FFFD FFFD FFFD);
  check_value("k=%f0%9f%98%C3%A9", FFFD "\xc3\xa9");
}

TEST(a_malformed_member_is_refused) {
  check_value("k", NULL);
  check_value("=v", NULL);
  check_value("k k=v", NULL);
  check_value("k(=v", NULL);
  check_value("k\xc3\xa9=v", NULL);
  check_value("k=a b", NULL);
  check_value("k=\"a\"", NULL);
  check_value("k=a\\b", NULL);
  check_value("k=caf\xc3\xa9", NULL);
  check_value("k=%", NULL);
  check_value("k=%4", NULL);
  check_value("k=%ZZ", NULL);
  check_value("k=%4%41", NULL);
  check_value(";p=1", NULL);
}

static const char *get_cut(void *arg, const char *name, size_t *len) {
  if (strcmp(name, "baggage") != 0) return NULL;
  *len = 4;
  return arg;
}

TEST(nothing_behind_the_field_is_read) {
  char text[] = "k=%41";
  struct cctx_carrier carrier = {.get = get_cut, .arg = text};
  struct cctx_extracted report;
  cctx *ctx = NULL;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, NULL, &report), 0);
  CHECK_EQ(report.refused, 1);
  CHECK_EQ(report.pairs, 0);
  cctx_unref(ctx);
}

TEST(a_malformed_member_leaves_its_neighbours) {
  struct cctx_extracted report;
  char text[] = "a=1,b b=2,c=3,d=%,e=5";
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 3);
  CHECK_EQ(report.refused, 2);
  CHECK_STR(cctx_metadata(ctx, "a", NULL), "1");
  CHECK_STR(cctx_metadata(ctx, "c", NULL), "3");
  CHECK_STR(cctx_metadata(ctx, "e", NULL), "5");
  CHECK(cctx_metadata(ctx, "d", NULL) == NULL);
  cctx_unref(ctx);
}

TEST(empty_members_are_nothing) {
  struct cctx_extracted report;
  char text[] = ",, a=1 ,\t,b=2,";
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 2);
  CHECK_EQ(report.refused, 0);
  cctx_unref(ctx);
  text[0] = '\0';
  ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 0);
  CHECK_EQ(report.refused, 0);
  CHECK_EQ(cctx_metadata_count(ctx), 0);
  cctx_unref(ctx);
}

TEST(the_last_of_two_members_wins) {
  struct cctx_extracted report;
  char text[] = "k=1,other=x,k=2;p,K=3,k=%";
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 3);
  CHECK_EQ(report.refused, 1);
  CHECK_STR(cctx_metadata(ctx, "k", NULL), "2");
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "3");
  cctx_unref(ctx);
}

/* "k0=1,k1=1,...": `n` members. */
static void write_members(char *out, size_t size, unsigned n) {
  size_t used = 0;
  for (unsigned i = 0; i < n; i++)
    used += (size_t)snprintf(out + used, size - used, "%sk%u=1", i ? "," : "", i);
  CHECK(used < size);
}

TEST(members_over_the_bound_are_refused) {
  static char text[CCTX_BAGGAGE_BYTES_MAX];
  struct cctx_extracted report;
  write_members(text, sizeof text, CCTX_BAGGAGE_MEMBERS_MAX + 5);
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, CCTX_BAGGAGE_MEMBERS_MAX);
  CHECK_EQ(report.refused, 5);
  CHECK_STR(cctx_metadata(ctx, "k179", NULL), "1");
  CHECK(cctx_metadata(ctx, "k180", NULL) == NULL);
  cctx_unref(ctx);
}

TEST(a_field_of_the_greatest_length_is_read_whole) {
  static char text[CCTX_BAGGAGE_BYTES_MAX + 2];
  struct cctx_extracted report;
  size_t len = 0;
  memset(text, 'v', CCTX_BAGGAGE_BYTES_MAX);
  memcpy(text, "a=1,k=", 6);
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 2);
  CHECK(cctx_metadata(ctx, "k", &len) != NULL);
  CHECK_EQ(len, CCTX_BAGGAGE_BYTES_MAX - 6);
  cctx_unref(ctx);

  text[CCTX_BAGGAGE_BYTES_MAX] = 'v';
  ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 0);
  CHECK_EQ(report.refused, 1);
  CHECK_EQ(cctx_metadata_count(ctx), 0);
  cctx_unref(ctx);
}

TEST(a_name_that_metadata_cannot_have_is_refused) {
  static char text[600];
  struct cctx_extracted report;
  memset(text, 'n', 300);
  memcpy(text + 256, "=1,k=v", 7);
  cctx *ctx = read_into(cctx_background(), text, &report);
  CHECK_EQ(report.pairs, 1);
  CHECK_EQ(report.refused, 1);
  CHECK_STR(cctx_metadata(ctx, "k", NULL), "v");
  cctx_unref(ctx);
}

TEST(members_without_room_in_the_metadata_are_refused) {
  static char text[CCTX_BAGGAGE_BYTES_MAX], first[CCTX_BAGGAGE_BYTES_MAX];
  struct cctx_extracted report;
  write_members(first, sizeof first, CCTX_BAGGAGE_MEMBERS_MAX);
  cctx *parent = read_into(cctx_background(), first, &report);
  CHECK_EQ(report.pairs, CCTX_BAGGAGE_MEMBERS_MAX);
  size_t used = 0; /* other names, and one the parent has, which needs no room */
  for (unsigned i = 0; i < 100; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "other%u=2,", i);
  snprintf(text + used, sizeof text - used, "k7=2");
  cctx *ctx = read_into(parent, text, &report);
  CHECK_EQ(cctx_metadata_count(ctx), CCTX_METADATA_PAIRS_MAX);
  CHECK_EQ(report.pairs, CCTX_METADATA_PAIRS_MAX - CCTX_BAGGAGE_MEMBERS_MAX + 1);
  CHECK_EQ(report.pairs + report.refused, 101);
  CHECK_STR(cctx_metadata(ctx, "other0", NULL), "2");
  CHECK_STR(cctx_metadata(ctx, "k7", NULL), "2");
  CHECK_STR(cctx_metadata(ctx, "k8", NULL), "1");
  cctx_unref(ctx);
  cctx_unref(parent);
}
