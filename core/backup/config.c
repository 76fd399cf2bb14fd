/* SPDX-License-Identifier: Apache-2.0 */
/* Options: what the program says, under what the environment says. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "log.h"
#include "text.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next */
static struct cctx_backup_options in_use;
static atomic_bool is_set, enabled; /* the second is good once the first is true */

static void lock_it(void) { pthread_mutex_lock(&lock); }
static void unlock_it(void) { pthread_mutex_unlock(&lock); }

__attribute__((constructor)) static void guard_forks(void) {
  pthread_atfork(lock_it, unlock_it, unlock_it);
}

/* ---- The grammar -------------------------------------------------------------- */

/* Case is no matter, as it is none to those who read the same variable in Go. */
static bool is_word(struct cctx__text text, const char *word) {
  if (text.len != strlen(word)) return false;
  for (size_t i = 0; i < text.len; i++)
    if ((text.at[i] | 0x20) != word[i]) return false;
  return true;
}

static bool read_async(struct cctx__text text, struct cctx_backup_options *out) {
  if (!is_word(text, "true") && !is_word(text, "false")) return false;
  out->async = is_word(text, "true");
  return true;
}

static bool read_shards(struct cctx__text text, struct cctx_backup_options *out) {
  int number = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!cctx__is_digit(text.at[i])) return false;
    number = number * 10 + (text.at[i] - '0');
    if (number > CCTX_SHARDS_MAX) return false;
  }
  if (number == 0) return false;
  out->manager.shards = number;
  return true;
}

static bool read_gc(struct cctx__text text, struct cctx_backup_options *out) {
  int64_t interval;
  if (cctx__duration_parse(text.at, text.len, &interval) != CCTX_OK || interval < 0)
    return false;
  out->manager.gc_interval = interval;
  return true;
}

static const struct field {
  const char *name;
  bool (*read)(struct cctx__text text, struct cctx_backup_options *out);
  const char *due;
} fields[] = {
    {"async", read_async, "true or false"},
    {"shards", read_shards, "a number from 1 to 65536"},
    {"gc", read_gc, "a duration such as 10m, 1.5s or 0"},
};
#define FIELDS (sizeof fields / sizeof *fields)

#define SHOWN_MAX 40

/* What stands there may be anything: it is cut, and what is no ASCII is not shown. */
static void report(const char *source, size_t i, struct cctx__text text) {
  char shown[SHOWN_MAX + 1], line[256];
  size_t n = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
  for (size_t k = 0; k < n; k++)
    shown[k] = text.at[k] >= ' ' && text.at[k] <= '~' ? text.at[k] : '?';
  shown[n] = '\0';
  if (i < FIELDS)
    snprintf(line, sizeof line,
             "%s: the field %s is \"%s\", but must be %s: left as it was", source,
             fields[i].name, shown, fields[i].due);
  else
    snprintf(line, sizeof line, "%s: \"%s\" is one field too many: async, shards, gc",
             source, shown);
  cctx__log(line);
}

static int parse(const char *source, const char *text, size_t len,
                 struct cctx_backup_options *out) {
  const char *end = text + len;
  int malformed = 0;
  for (size_t i = 0;; i++) {
    const char *comma = memchr(text, ',', (size_t)(end - text));
    struct cctx__text field = {text, (size_t)((comma ? comma : end) - text)};
    if (field.len > 0 && (i >= FIELDS || !fields[i].read(field, out))) {
      malformed++;
      report(source, i, field);
    }
    if (comma == NULL || i == FIELDS) return malformed; /* of many too many, one line */
    text = comma + 1;
  }
}

int cctx_backup_parse(const char *text, size_t len, struct cctx_backup_options *options) {
  return parse("the configuration of sessions", text, len, options);
}

/* ---- What is in use ------------------------------------------------------------- */

bool cctx__config_is_good(const struct cctx_manager_options *options) {
  return options->shards >= 1 && options->shards <= CCTX_SHARDS_MAX &&
         options->gc_interval >= 0 && options->max_age >= 0;
}

static void read_environment(struct cctx_backup_options *options) {
  static const char *const names[] = {"CLOUDWEGO_SESSION_CONFIG_KEY",
                                      "CCTX_SESSION_CONFIG_KEY"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *text = getenv(names[i]);
    if (text) parse(names[i], text, strlen(text), options);
  }
}

static void put(const struct cctx_backup_options *options, bool only_if_unset) {
  lock_it();
  if (!only_if_unset || !atomic_load(&is_set)) {
    in_use = *options;
    atomic_store(&enabled, options->enable);
    atomic_store(&is_set, true);
  }
  unlock_it();
}

void cctx__config_set(const struct cctx_backup_options *options) {
  struct cctx_backup_options result = *options;
  read_environment(&result);
  put(&result, false);
}

/* Two threads that are first at once both read the environment, and find the same. */
static void need(void) {
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS;
  if (atomic_load(&is_set)) return;
  read_environment(&options);
  put(&options, true);
}

bool cctx__config_enabled(void) {
  need();
  return atomic_load(&enabled);
}

void cctx_backup_options(struct cctx_backup_options *out) {
  need();
  lock_it();
  *out = in_use;
  unlock_it();
}
