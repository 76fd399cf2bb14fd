/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes as words, from the one list in the public header. */
#include <cctx/base.h>

const char *cctx_version(void) { return CCTX_VERSION_STRING; }

const char *cctx_status_word(int status) {
  switch (status) {
#define XX(code, value, word, message)                                                     \
  case value: return word;
    CCTX_STATUS_MAP(XX)
#undef XX
  default: return "unknown";
  }
}

const char *cctx_status_message(int status) {
  switch (status) {
#define XX(code, value, word, message)                                                     \
  case value: return message;
    CCTX_STATUS_MAP(XX)
#undef XX
  default: return "unknown status";
  }
}
