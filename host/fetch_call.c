/* SPDX-License-Identifier: Apache-2.0 */
/* A call as libcurl wants it. */
#define _GNU_SOURCE 1
#include "fetch_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- What may be asked for ---- */

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text) {
  static const char others[] = "!#$%&'*+-.^_`|~0123456789"
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return *text != '\0' && text[strspn(text, others)] == '\0';
}

/* No line break, above all: what follows it would be a header of its own. */
static bool is_field_value(const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if ((c < ' ' && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

/* These frame the message, which is libcurl's work. */
static bool is_framing(const char *name) {
  static const char *const names[] = {
      "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer",
      "expect",         "keep-alive"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcasecmp(name, names[i]) == 0) return true;
  return false;
}

static int check_headers(const struct headers *headers, char *why, size_t size) {
  for (size_t i = 0; i < headers->n; i++) {
    const struct header *header = &headers->at[i];
    const char *wrong = NULL;
    if (!is_token(header->name)) {
      snprintf(why, size, "a header of fetch has a name that is no name of HTTP");
      return CCTX_EINVAL;
    }
    if (is_framing(header->name)) wrong = "is made by fetch itself";
    if (!is_field_value(header->value)) wrong = "has a control character in its value";
    if (!wrong) continue;
    snprintf(why, size, "the header %.64s of fetch %s", header->name, wrong);
    return CCTX_EINVAL;
  }
  return 0;
}

/* The policy of a format that HTTP can carry: false for other words. */
static bool find_policy(const char *word, struct cctx_policy *out) {
  const char *known;
  for (int i = 0; (known = cctx_format_word(i)) != NULL; i++) {
    if (strcmp(known, word) != 0) continue;
    *out = cctx_policy_for((enum cctx_format)i);
    return out->names == CCTX_NAMES_HTTP && out->write != 0;
  }
  return false;
}

/* ---- The URL ---- */

/* Write "scheme://host:port/path" of `url`. */
static bool write_name(CURLU *url, char *name, size_t size) {
  char *text = NULL;
  bool ok = curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
  if (ok) snprintf(name, size, "%s", text);
  curl_free(text);
  return ok;
}

static bool has_http_scheme(CURLU *url) {
  char *scheme = NULL;
  bool ok = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
            (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
  curl_free(scheme);
  return ok;
}

static int check_url(const char *text, char *name, size_t name_size, char *why,
                     size_t size) {
  CURLU *url = curl_url();
  int status = url ? 0 : CCTX_ENOMEM;
  bool is_ascii = true;
  for (const char *c = text; *c != '\0'; c++)
    if (*c <= ' ' || *c > '~') is_ascii = false;
  if (url && (!is_ascii || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)) {
    snprintf(why, size,
             "the URL of fetch is none: http://HOST/PATH is one, in ASCII, with all else "
             "percent-encoded");
    status = CCTX_EINVAL;
  }
  if (status == 0 && !has_http_scheme(url)) {
    snprintf(why, size, "the URL of fetch is neither of http nor of https");
    status = CCTX_EINVAL;
  }
  if (status == 0 && !write_name(url, name, name_size)) status = CCTX_ENOMEM;
  curl_url_cleanup(url);
  return status;
}

int fetch_call_check(const struct fetch_call *call, char *name, size_t name_size, char *why,
                     size_t size) {
  struct cctx_policy policy;
  int status = check_url(call->url, name, name_size, why, size);
  if (status == 0) status = check_headers(&call->headers, why, size);
  if (status != 0) return status;
  if (call->method && !is_token(call->method)) {
    snprintf(why, size, "the method of fetch is no word of HTTP, such as GET");
    return CCTX_EINVAL;
  }
  if (call->format && !find_policy(call->format, &policy)) {
    snprintf(why, size, "the format of fetch is none that HTTP carries, such as http");
    return CCTX_EINVAL;
  }
  return 0;
}

/* ---- Headers ---- */

struct list {
  const struct headers *given;
  struct curl_slist *at;
};

/* false for lack of memory. */
static bool append_line(struct list *list, const char *line) {
  struct curl_slist *longer = curl_slist_append(list->at, line);
  if (longer) list->at = longer;
  return longer != NULL;
}

/* libcurl leaves out a header with nothing behind its colon. */
static bool append(struct list *list, const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + 3;
  char *line = malloc(size);
  if (!line) return false;
  bool is_empty = value[strspn(value, " \t")] == '\0';
  snprintf(line, size, is_empty ? "%s;" : "%s: %s", name, value);
  bool ok = append_line(list, line);
  free(line);
  return ok;
}

/* Of the carrier that the context is injected into. What was given wins; nothing is there
 * that could be removed. */
static int set_field(void *arg, const char *name, const char *value, size_t len) {
  struct list *list = arg;
  if (!value || strlen(value) != len || headers_have(list->given, name)) return 0;
  return append(list, name, value) ? 0 : CCTX_ENOMEM;
}

/* libcurl's own guesses: that a body is a form, and that the peer wants to be asked
 * first. */
static bool append_own(struct list *list, const struct fetch_call *call) {
  bool has_type = !call->body || headers_have(&call->headers, "content-type");
  return (has_type || append_line(list, "Content-Type:")) && append_line(list, "Expect:");
}

int fetch_call_headers(const struct fetch_call *call, cctx *ctx, struct curl_slist **out) {
  struct list list = {.given = &call->headers};
  struct cctx_carrier carrier = {.arg = &list, .set = set_field};
  struct cctx_policy policy;
  int status = append_own(&list, call) ? 0 : CCTX_ENOMEM;
  for (size_t i = 0; status == 0 && i < call->headers.n; i++)
    if (!append(&list, call->headers.at[i].name, call->headers.at[i].value))
      status = CCTX_ENOMEM;
  if (status == 0 && call->format && find_policy(call->format, &policy))
    status = cctx_inject(ctx, &carrier, &policy);
  if (status != 0) {
    curl_slist_free_all(list.at);
    return status;
  }
  *out = list.at;
  return 0;
}

/* ---- All else ---- */

static bool set_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) ==
         CURLE_OK;
#endif
}

/* The body of `call` is copied. */
static bool set_method(const struct fetch_call *call, CURL *easy) {
  const char *method = call->method ? call->method : call->body ? "POST" : "GET";
  bool sends = call->body != NULL || strcmp(method, "POST") == 0 ||
               strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
  bool ok = true;
  if (sends)
    ok = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->len) ==
             CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body ? call->body : "") ==
             CURLE_OK;
  if (strcmp(method, "HEAD") == 0) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  return ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

/* Whom to trust in the place of the system's: a file, as OpenSSL and curl take it. Read
 * once: a script may change the environment later. */
static const char *authorities;
static void find_authorities(void) { authorities = getenv("SSL_CERT_FILE"); }

static bool set_authorities(CURL *easy) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_authorities);
  if (!authorities || *authorities == '\0') return true;
  return curl_easy_setopt(easy, CURLOPT_CAINFO, authorities) == CURLE_OK;
}

bool fetch_call_apply(const struct fetch_call *call, CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* an abort waits for no resolver */
#endif
  return set_protocols(easy) && set_authorities(easy) && set_method(call, easy) &&
         curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_USERAGENT, "cctx/" CCTX_VERSION_STRING) ==
             CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK;
}
