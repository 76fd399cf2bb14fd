/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the command line: how they are read, and how a bad one is told. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of the program itself; 124 is that of timeout(1). */
enum { STATUS_FAILED = 1, STATUS_BAD_INPUT = 2, STATUS_DEADLINE = 124 };

/* Write "cctx COMMAND: SENTENCE" to stderr. Returns STATUS_BAD_INPUT. */
__attribute__((format(printf, 2, 3))) int complain(const char *command, const char *format,
                                                   ...);

/* The complaint for what getopt_long answered with '?' or ':'. */
int complain_option(const char *command, int answer, char **argv);

/* Read "200ms", "1.5s", "2m", "1h", "500us", or a bare number of seconds, into
 * nanoseconds greater than 0: false if it is none of them. */
bool read_duration(const char *text, int64_t *out);

/* The complaint for a duration that was not read. */
int complain_duration(const char *command, const char *option, const char *text);

/* Cut "name=value" in two, in place: false if there is no '=' or no name. */
bool split_pair(char *text, char **name, char **value);

enum language { LANGUAGE_NONE, LANGUAGE_LUA, LANGUAGE_PYTHON };

/* The language of a file, by its extension. */
enum language language_of(const char *file);

/* "lua", "python". */
const char *language_word(enum language language);

/* Whether `file` can be opened for reading, and is no directory. */
bool is_readable(const char *file);

#endif
