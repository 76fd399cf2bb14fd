/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. */
#define _GNU_SOURCE 1
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"

/* Split `text` at its last colon, in place. */
static bool split_address(char *text, char **host, char **port) {
  char *colon = strrchr(text, ':');
  if (!colon || colon == text || colon[1] == '\0') return false;
  *colon = '\0';
  *port = colon + 1;
  *host = text;
  if (text[0] == '[' && colon[-1] == ']') {
    colon[-1] = '\0';
    *host = text + 1;
  }
  return true;
}

/* -1 with errno. */
static int open_socket(const struct addrinfo *info) {
  int on = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
    return fd;
  int failed = errno;
  close(fd);
  errno = failed;
  return -1;
}

int listen_open(const char *option, const char *address, int *fd) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *info = NULL;
  char copy[128], *host, *port;
  snprintf(copy, sizeof copy, "%s", address);
  if (strlen(address) >= sizeof copy || !split_address(copy, &host, &port) ||
      getaddrinfo(host, port, &hints, &info) != 0)
    return complain("serve", "\"%s\" of %s is no address such as 127.0.0.1:8080.", address,
                    option);
  *fd = open_socket(info);
  freeaddrinfo(info);
  if (*fd >= 0) return 0;
  return complain("serve", "cannot listen at %s: %s.", address, strerror(errno));
}

void listen_tell(const char *what, int fd) {
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  char host[64] = "?", port[16] = "?";
  if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
    getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  bool is_v6 = strchr(host, ':') != NULL;
  printf("%s on %s%s%s:%s\n", what, is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
  fflush(stdout);
}
