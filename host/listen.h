/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

/* Listen at "host:port" or "[host]:port", both numeric: 0 and a socket in `*fd`, or a
 * complaint. Nobody accepts from it yet. */
int listen_open(const char *option, const char *address, int *fd);

/* Say on stdout where that is. */
void listen_tell(const char *what, int fd);

#endif
