/* SPDX-License-Identifier: Apache-2.0 */
/* The log, for those who have something to say. */
#ifndef CCTX__LOG_H
#define CCTX__LOG_H

void cctx__log(const char *message);

#endif
