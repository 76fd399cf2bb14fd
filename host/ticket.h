/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: requests in the hands of Python code, by the built-in module _cctx_host. */
#ifndef HOST_TICKET_H
#define HOST_TICKET_H

#include <cctx/python.h>

#include "server.h"

/** Offer the module. Before Python is initialised; false for lack of memory. */
bool ticket_offer_module(struct server *server);

/** The table of cctx, before the first request is taken. */
void ticket_set_api(const struct cctx_py_api *api);

#endif
