/* SPDX-License-Identifier: Apache-2.0 */
/* `cctx run`: one script under a context, stopped at its deadline.
 *
 * Whatever ends the script after the deadline, the exit status is 124: the script's own
 * exit(), too, comes through `leave`.
 */
#define _GNU_SOURCE 1
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarm.h"
#include "commands.h"
#include "options.h"

/* What the options ask for, in the order in which it is derived. */
struct wishes {
  struct cctx_metadata_pair *pairs;
  size_t pairs_n;
  struct cctx_entry *entries;
  size_t entries_n;
  int64_t timeout; /* 0: none */
};

/* The context of the run, for `leave`, which gets no argument. */
static cctx *running;

bool run_arm(const struct run *run) {
  int64_t deadline = cctx_deadline(run->ctx);
  if (deadline == CCTX_NEVER) return true;
  int failed = alarm_start(
      deadline, "cctx run: the script did not end at its deadline and was killed.\n");
  if (failed)
    complain("run", "this system gave no timer for the deadline: %s.", strerror(failed));
  return failed == 0;
}

void run_tell_deadline(const struct run *run) {
  struct cctx_cause cause;
  cctx_cause(run->ctx, &cause);
  complain("run", "%s was stopped at its deadline (%s).", run->argv[0],
           cause.message[0] ? cause.message : cctx_status_message(CCTX_EDEADLINE));
}

/* The last of the functions that exit() runs, being the first that was registered. */
static void leave(void) {
  if (cctx_err(running) != CCTX_EDEADLINE) return;
  fflush(NULL);
  _exit(STATUS_DEADLINE);
}

/* ---- Options ---- */

static int add_pair(struct wishes *wishes, char *text) {
  struct cctx_metadata_pair pair = {.scope = CCTX_REQUEST};
  char *name, *value;
  cctx *trial = NULL;
  if (!split_pair(text, &name, &value))
    return complain("run", "\"%s\" of --meta is not of the form name=value.", text);
  pair.name = name;
  pair.value = value;
  pair.len = strlen(value);
  int rc = cctx_with_metadata(&trial, cctx_background(), &pair, 1, NULL);
  if (rc != 0)
    return complain("run", "the metadata \"%s\" of --meta cannot be set: %s.", name,
                    cctx_status_message(rc));
  cctx_unref(trial);
  wishes->pairs[wishes->pairs_n++] = pair;
  return 0;
}

static int add_entry(struct wishes *wishes, char *text) {
  char *name, *value;
  if (!split_pair(text, &name, &value))
    return complain("run", "\"%s\" of --set is not of the form name=value.", text);
  cctx_key *key = cctx_key_named(name);
  if (!key)
    return complain("run", "the name of a value has at most %d bytes, that of --set %zu.",
                    CCTX_KEY_NAME_MAX, strlen(name));
  wishes->entries[wishes->entries_n++] = (struct cctx_entry){key, cctx_text(value)};
  return 0;
}

static int read_options(int argc, char **argv, struct wishes *wishes) {
  static const struct option options[] = {{"timeout", required_argument, NULL, 't'},
                                          {"set", required_argument, NULL, 's'},
                                          {"meta", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
  int answer, status = 0;
  opterr = 0;
  while (status == 0 && (answer = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
    switch (answer) {
    case 't':
      if (!read_duration(optarg, &wishes->timeout))
        status = complain_duration("run", "--timeout", optarg);
      break;
    case 's': status = add_entry(wishes, optarg); break;
    case 'm': status = add_pair(wishes, optarg); break;
    default: status = complain_option("run", answer, argv);
    }
  }
  return status;
}

static int check_file(const char *file) {
  if (!file) return complain("run", "the file to run is missing.");
  if (language_of(file) == LANGUAGE_NONE)
    return complain("run", "\"%s\" ends neither in .lua nor in .py.", file);
  if (!is_readable(file))
    return complain("run", "\"%s\" cannot be read: %s.", file, strerror(errno));
  return 0;
}

/* ---- The context ---- */

/* Replace `*ctx` by `child`, which may be NULL for lack of memory. */
static bool step(cctx **ctx, cctx *child) {
  cctx_unref(*ctx);
  *ctx = child;
  return child != NULL;
}

/* The context that the environment and the options ask for: 0, or a complaint. */
static int make_context(const struct wishes *wishes, cctx **out) {
  struct cctx_carrier environment = cctx_environment();
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_ENVIRONMENT);
  cctx *ctx = NULL, *child = NULL;
  bool ok = cctx_extract(&ctx, cctx_background(), &environment, &policy, NULL) == 0;
  if (ok && wishes->pairs_n > 0) {
    int rc = cctx_with_metadata(&child, ctx, wishes->pairs, wishes->pairs_n, NULL);
    if (rc == CCTX_ETOOBIG) {
      cctx_unref(ctx);
      return complain("run",
                      "BAGGAGE and --meta bring more metadata than one context "
                      "holds: %d pairs, %d bytes.",
                      CCTX_METADATA_PAIRS_MAX, CCTX_METADATA_BYTES_MAX);
    }
    ok = step(&ctx, rc == 0 ? child : NULL);
  }
  if (ok && wishes->entries_n > 0)
    ok = step(&ctx, cctx_with_values(ctx, wishes->entries, wishes->entries_n));
  if (ok && wishes->timeout > 0)
    ok = step(&ctx, cctx_with_deadline_at(ctx, cctx_deadline_after(wishes->timeout),
                                          "--timeout", "cctx run", 0));
  *out = ctx;
  return ok ? 0 : complain("run", "out of memory.");
}

/* ---- The command ---- */

static int run_script(const struct run *run) {
  running = run->ctx;
  if (cctx_err(run->ctx) == CCTX_EDEADLINE) {
    run_tell_deadline(run);
    return STATUS_DEADLINE;
  }
  if (atexit(leave) != 0) return complain("run", "out of memory.");
  int status = language_of(run->argv[0]) == LANGUAGE_LUA ? run_lua(run) : run_python(run);
  return cctx_err(run->ctx) == CCTX_EDEADLINE ? STATUS_DEADLINE : status;
}

int run_command(int argc, char **argv) {
  struct wishes wishes = {.pairs = calloc((size_t)argc, sizeof *wishes.pairs),
                          .entries = calloc((size_t)argc, sizeof *wishes.entries)};
  struct run run = {0};
  int status = wishes.pairs && wishes.entries ? 0 : complain("run", "out of memory.");
  if (status == 0) status = read_options(argc, argv, &wishes);
  if (status == 0) status = check_file(argv[optind]);
  if (status == 0) status = make_context(&wishes, &run.ctx);
  if (status == 0) {
    run.argv = argv + optind;
    run.argc = argc - optind;
    status = run_script(&run);
  }
  free(wishes.pairs);
  free(wishes.entries);
  exit(status); /* not return: `leave` reads the context, so it is kept until then */
}
