/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `cctx serve`. */
#define _GNU_SOURCE 1
#include "serve_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* More than a process has descriptors for, mostly. */
enum { CONNECTIONS_MAX = 1000000, BODY_MEMORY_MAX = 1 << 20 };

static int add_route(struct server *server, char *text) {
  char *path, *file;
  if (text[0] != '/' || !split_pair(text, &path, &file))
    return complain("serve", "\"%s\" of --route is not of the form /path=file.", text);
  enum language language = language_of(file);
  if (language == LANGUAGE_NONE)
    return complain("serve", "\"%s\" of --route %s ends neither in .lua nor in .py.", file,
                    path);
  if (!is_readable(file))
    return complain("serve", "\"%s\" of --route %s cannot be read: %s.", file, path,
                    strerror(errno));
  for (size_t i = 0; i < server->routes_n; i++)
    if (strcmp(server->routes[i].path, path) == 0)
      return complain("serve", "--route %s is given twice.", path);
  server->routes[server->routes_n++] = (struct route){path, file, language};
  return 0;
}

static int read_number(const char *option, const char *text, int max, unsigned *out) {
  char *end;
  long n = strtol(text, &end, 10);
  if (end == text || *end != '\0' || n < 1 || n > max)
    return complain("serve", "\"%s\" of %s is no number from 1 to %d.", text, option, max);
  *out = (unsigned)n;
  return 0;
}

static int read_timeout(const char *option, const char *text, int64_t *out) {
  return read_duration(text, out) ? 0 : complain_duration("serve", option, text);
}

static bool add_field(unsigned *fields, const char *word, size_t len) {
  unsigned bit;
  const char *known;
  for (unsigned i = 0; (known = cctx_field_word(i, &bit)) != NULL; i++) {
    if (strlen(known) != len || memcmp(known, word, len) != 0) continue;
    *fields |= bit;
    return true;
  }
  return false;
}

/* What clients may say beside what strangers may. */
static int read_trust(struct server *server, const char *text) {
  for (const char *word = text;; word++) {
    size_t len = strcspn(word, ",");
    if (!add_field(&server->policy.read, word, len))
      return complain("serve", "\"%.*s\" of --trust is no field, such as \"baggage\".",
                      (int)len, word);
    word += len;
    if (*word == '\0') return 0;
  }
}

static int read_log_format(const char *text) {
  if (strcmp(text, "json") != 0 && strcmp(text, "text") != 0)
    return complain("serve", "\"%s\" of --log-format is neither \"text\" nor \"json\".",
                    text);
  log_set_json(strcmp(text, "json") == 0);
  return 0;
}

/* What the library keeps of requests, for code that has lost its context. */
static int read_backup(struct cctx_backup_options *backup, const char *text) {
  backup->enable = strcmp(text, "off") != 0;
  if (!backup->enable || cctx_backup_parse(text, strlen(text), backup) == 0) return 0;
  return complain("serve",
                  "\"%s\" of --backup is neither \"off\" nor ASYNC,SHARDS,GC, such as "
                  "\"true,100,10m\".",
                  text);
}

/* A duration, or 0, which is none. */
static int read_grace(struct server *server, const char *text) {
  server->grace = 0;
  if (strcmp(text, "0") == 0 || read_duration(text, &server->grace)) return 0;
  return complain_duration("serve", "--grace", text);
}

static int read_option(struct serve_options *options, int answer, char **argv) {
  struct server *server = &options->server;
  switch (answer) {
  case 'l': options->listen = optarg; return 0;
  case 'd': options->debug = optarg; return 0;
  case 'V': server->debug_values = true; return 0;
  case 'b': return read_backup(&server->backup, optarg);
  case 'j': return read_log_format(optarg);
  case 'r': return add_route(server, optarg);
  case 'w': return read_number("--workers", optarg, CREW_MAX, &server->workers);
  case 'c':
    return read_number("--connections", optarg, CONNECTIONS_MAX, &server->connections_max);
  case 'q': return read_number("--queue", optarg, CONNECTIONS_MAX, &server->queue_max);
  case 'm':
    return read_number("--body-memory", optarg, BODY_MEMORY_MAX, &server->body_memory);
  case 'i': return read_timeout("--idle-timeout", optarg, &server->idle_timeout);
  case 'G': server->guard = false; return 0;
  case 'T': return read_trust(server, optarg);
  case 'L': server->lua_paths.at[server->lua_paths.n++] = optarg; return 0;
  case 'P': server->python_paths.at[server->python_paths.n++] = optarg; return 0;
  case 'g': return read_grace(server, optarg);
  case 't': return read_timeout("--timeout-max", optarg, &server->timeout_max);
  default: return complain_option("serve", answer, argv);
  }
}

static int read_all(struct serve_options *options, int argc, char **argv) {
  static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
                                        {"debug", required_argument, NULL, 'd'},
                                        {"debug-values", no_argument, NULL, 'V'},
                                        {"backup", required_argument, NULL, 'b'},
                                        {"log-format", required_argument, NULL, 'j'},
                                        {"route", required_argument, NULL, 'r'},
                                        {"workers", required_argument, NULL, 'w'},
                                        {"connections", required_argument, NULL, 'c'},
                                        {"queue", required_argument, NULL, 'q'},
                                        {"body-memory", required_argument, NULL, 'm'},
                                        {"idle-timeout", required_argument, NULL, 'i'},
                                        {"timeout-max", required_argument, NULL, 't'},
                                        {"grace", required_argument, NULL, 'g'},
                                        {"trust", required_argument, NULL, 'T'},
                                        {"no-guard", no_argument, NULL, 'G'},
                                        {"lua-path", required_argument, NULL, 'L'},
                                        {"python-path", required_argument, NULL, 'P'},
                                        {NULL, 0, NULL, 0}};
  int answer, status = 0;
  opterr = 0;
  while (status == 0 && (answer = getopt_long(argc, argv, "+:", known, NULL)) != -1)
    status = read_option(options, answer, argv);
  if (status == 0 && argv[optind])
    status = complain("serve", "unexpected argument \"%s\": files are given by --route.",
                      argv[optind]);
  if (status == 0 && options->server.routes_n == 0)
    status = complain("serve", "a --route /path=file is missing.");
  if (status == 0 && options->server.debug_values && !options->debug)
    status = complain("serve", "--debug-values says what --debug ADDRESS:PORT shows, which "
                               "is missing.");
  options->server.policy.timeout_max = options->server.timeout_max;
  return status;
}

int serve_options_read(struct serve_options *options, int argc, char **argv) {
  struct server *server = &options->server;
  size_t n = (size_t)argc; /* no list is longer than the command line */
  *options = (struct serve_options){.listen = "127.0.0.1:8080",
                                    .server = {.workers = 2,
                                               .guard = true,
                                               .backup = CCTX_BACKUP_OPTIONS,
                                               .connections_max = 1000,
                                               .queue_max = 10000,
                                               .body_memory = 256,
                                               .idle_timeout = 60 * CCTX_SECOND,
                                               .timeout_max = 30 * CCTX_SECOND,
                                               .grace = 5 * CCTX_SECOND}};
  server->policy = cctx_policy_for(CCTX_FORMAT_STRANGER);
  server->routes = calloc(n, sizeof *server->routes);
  server->lua_paths.at = calloc(n, sizeof *server->lua_paths.at);
  server->python_paths.at = calloc(n, sizeof *server->python_paths.at);
  if (!server->routes || !server->lua_paths.at || !server->python_paths.at)
    return complain("serve", "out of memory.");
  return read_all(options, argc, argv);
}

void serve_options_free(struct serve_options *options) {
  free(options->server.routes);
  free(options->server.lua_paths.at);
  free(options->server.python_paths.at);
}
