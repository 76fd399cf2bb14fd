/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the command line: how they are read, and how a bad one is told. */
#define _GNU_SOURCE 1
#include "options.h"

#include <cctx.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int complain(const char *command, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  fprintf(stderr, "cctx %s: %s\n", command, text);
  return STATUS_BAD_INPUT;
}

int complain_option(const char *command, int answer, char **argv) {
  const char *word = argv[optind - 1];
  if (answer == ':')
    return complain(command, "the option \"%s\" needs a value behind it.", word);
  if (optopt != 0 && word[0] == '-' && word[1] != '-')
    return complain(command, "unknown option \"-%c\"; \"cctx --help\" lists them.", optopt);
  return complain(command, "unknown option \"%s\"; \"cctx --help\" lists them.", word);
}

struct unit {
  const char *word;
  int64_t length;
};

/* Nanoseconds in the unit that `word` names, or 0. No word is seconds. */
static int64_t unit_length(const char *word) {
  static const struct unit units[] = {{"us", 1000},
                                      {"ms", CCTX_MILLISECOND},
                                      {"s", CCTX_SECOND},
                                      {"", CCTX_SECOND},
                                      {"m", 60 * CCTX_SECOND},
                                      {"h", 3600 * CCTX_SECOND},
                                      {"d", 86400 * CCTX_SECOND}};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (strcmp(word, units[i].word) == 0) return units[i].length;
  return 0;
}

bool read_duration(const char *text, int64_t *out) {
  const char digits[] = "0123456789";
  size_t whole = strspn(text, digits);
  bool has_point = text[whole] == '.';
  size_t part = has_point ? strspn(text + whole + 1, digits) : 0;
  const char *word = text + whole + (has_point ? 1 + part : 0);
  int64_t unit = unit_length(word), sum = 0;
  if (unit == 0 || whole == 0 || (has_point && part == 0)) return false;
  for (size_t i = 0; i < whole; i++) {
    if (sum > (CCTX_NEVER / unit - 9) / 10) return false;
    sum = sum * 10 + (text[i] - '0');
  }
  sum *= unit;
  for (size_t i = 0; i < part && unit > 0; i++) {
    unit /= 10;
    int64_t more = unit * (text[whole + 1 + i] - '0');
    if (sum > CCTX_NEVER - more) return false;
    sum += more;
  }
  if (sum == 0) return false;
  *out = sum;
  return true;
}

int complain_duration(const char *command, const char *option, const char *text) {
  return complain(command,
                  "\"%s\" of %s is no duration greater than 0: write 200ms, 1.5s, 2m, "
                  "1h or a number of seconds.",
                  text, option);
}

bool split_pair(char *text, char **name, char **value) {
  char *mark = strchr(text, '=');
  if (!mark || mark == text) return false;
  *mark = '\0';
  *name = text;
  *value = mark + 1;
  return true;
}

enum language language_of(const char *file) {
  const char *dot = strrchr(file, '.');
  if (dot && strcmp(dot, ".lua") == 0) return LANGUAGE_LUA;
  if (dot && strcmp(dot, ".py") == 0) return LANGUAGE_PYTHON;
  return LANGUAGE_NONE;
}

const char *language_word(enum language language) {
  static const char *const words[] = {"", "lua", "python"};
  return words[language];
}

bool is_readable(const char *file) {
  struct stat info;
  return stat(file, &info) == 0 && !S_ISDIR(info.st_mode) && access(file, R_OK) == 0;
}
