/* SPDX-License-Identifier: Apache-2.0 */
/* The table of this copy of the core. */
#ifndef CCTX__COPIES_H
#define CCTX__COPIES_H

struct cctx__core;
extern const struct cctx__core cctx__core;

#endif
