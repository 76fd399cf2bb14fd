/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes as words, from the one list in the public header. */
#include <cctx/base.h>

const char *cctx_version(void) { return CCTX_VERSION_STRING; }

#define XX(code, value, word, message)                                                     \
  if (status == (value)) return CHOOSE(word, message);

const char *cctx_status_word(int status) {
#define CHOOSE(word, message) word
  CCTX_STATUS_MAP(XX)
#undef CHOOSE
  return "unknown";
}

const char *cctx_status_message(int status) {
#define CHOOSE(word, message) message
  CCTX_STATUS_MAP(XX)
#undef CHOOSE
  return "unknown status";
}
