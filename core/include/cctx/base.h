/* SPDX-License-Identifier: Apache-2.0 */
/* The ground under every chapter: version, export macro, status codes. */
#ifndef CCTX_BASE_H
#define CCTX_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Version ------------------------------------------------------------
 * The numbers live here and nowhere else; the build files read them.
 */
#define CCTX_VERSION_MAJOR 0
#define CCTX_VERSION_MINOR 1
#define CCTX_VERSION_PATCH 0
#define CCTX_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define CCTX_API __attribute__((visibility("default")))
#define CCTX_MUST_USE __attribute__((warn_unused_result))
#else
#define CCTX_API
#define CCTX_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the library that is loaded, as "major.minor.patch"; a static
 *  string. Compare with CCTX_VERSION_STRING, the version compiled against. */
CCTX_API const char *cctx_version(void);

/** Whether this process has one core, and one new enough for code compiled against the
 *  version `needed`, such as CCTX_VERSION_STRING (its patch does not matter). A host asks
 *  when it has loaded its plugins and extensions; the Lua module and the Python package ask when
 *  they are loaded. Writes to `why` one sentence that names the files, "" if all is well,
 *  cut to `size` bytes with a final NUL. A copy that is loaded but has all its functions
 *  bound to another is no second core. CCTX_EBUSY: there are two; CCTX_ENOTFOUND: this
 *  one is older; CCTX_EINVAL: `needed` is no version. Any thread. */
CCTX_API int cctx_core_check(const char *needed, char *why, size_t size);

/* ---- Status codes -------------------------------------------------------
 * A function that can fail for more reasons than lack of memory returns 0 or
 * one of these. The word is the one that C, Lua and Python all use.
 *
 *   XX(CODE, value, "word", "message")
 */
#define CCTX_STATUS_MAP(XX)                                                                \
  XX(OK, 0, "ok", "no error")                                                              \
  XX(ENOMEM, -1, "no_memory", "out of memory")                                             \
  XX(EINVAL, -2, "invalid", "an argument has no meaning here")                             \
  XX(ECANCELED, -3, "canceled", "context canceled")                                        \
  XX(EDEADLINE, -4, "deadline_exceeded", "context deadline exceeded")                      \
  XX(ENOTFOUND, -5, "not_found", "nothing is stored under this name")                      \
  XX(ETOOBIG, -6, "too_big", "over a budget: too many pairs or too many bytes")            \
  XX(ESTALE, -7, "stale", "the token was used before, or its scope has ended")             \
  XX(EBUSY, -8, "busy", "another owner is registered already")

enum cctx_status {
#define XX(code, value, word, message) CCTX_##code = (value),
  CCTX_STATUS_MAP(XX)
#undef XX
};

/** The word for `status`, such as "canceled"; "unknown" for any other number. A
 *  static string. */
CCTX_API const char *cctx_status_word(int status);

/** One line in English for `status`. A static string. */
CCTX_API const char *cctx_status_message(int status);

#ifdef __cplusplus
}
#endif
#endif
