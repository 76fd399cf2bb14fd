/* SPDX-License-Identifier: Apache-2.0 */
/* Identity of keys. */
#ifndef CCTX__KEY_H
#define CCTX__KEY_H

#include <cctx/value.h>

/* The id of `key`, given at first use. Never 0, never another key's. */
uint32_t cctx__key_id(cctx_key *key);

#endif
