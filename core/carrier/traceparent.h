/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of a trace as hexadecimal digits. */
#ifndef CCTX__TRACEPARENT_H
#define CCTX__TRACEPARENT_H

#include <cctx/carrier_codec.h>

#include "text.h"

/* Read 2 * n lower-case digits into n bytes. */
bool cctx__hex_read(const char *text, uint8_t *out, size_t n);

/* Write them; returns where they end. No NUL is added. */
char *cctx__hex_write(char *out, const uint8_t *bytes, size_t n);

bool cctx__is_zero(const uint8_t *bytes, size_t n);

#endif
