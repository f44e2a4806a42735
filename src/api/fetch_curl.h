/* libcurl, opened when the first fetch needs it: loading it with all it depends
 * on takes longer than most runs. */
#ifndef VOW_API_FETCH_CURL_H
#define VOW_API_FETCH_CURL_H

#include <stdbool.h>

#include <curl/curl.h>

/* Older ones lack what keeps an abort from waiting for a name lookup. */
#define FETCH_CURL_MIN 0x075800 /* 7.88.0 */

#define FETCH_CURL_FUNCTIONS(X)                                                                    \
  X(global_init)                                                                                   \
  X(version_info)                                                                                  \
  X(free)                                                                                          \
  X(easy_init)                                                                                     \
  X(easy_setopt)                                                                                   \
  X(easy_getinfo)                                                                                  \
  X(easy_reset)                                                                                    \
  X(easy_cleanup)                                                                                  \
  X(multi_init)                                                                                    \
  X(multi_setopt)                                                                                  \
  X(multi_add_handle)                                                                              \
  X(multi_remove_handle)                                                                           \
  X(multi_socket_action)                                                                           \
  X(multi_info_read)                                                                               \
  X(multi_assign)                                                                                  \
  X(multi_cleanup)                                                                                 \
  X(slist_append)                                                                                  \
  X(slist_free_all)                                                                                \
  X(url)                                                                                           \
  X(url_set)                                                                                       \
  X(url_get)                                                                                       \
  X(url_cleanup)

#define FETCH_CURL_FIELD(name) __typeof__(curl_##name) *name;
/* Its functions, by their names without `curl_`. */
typedef struct fetch_curl {
  FETCH_CURL_FUNCTIONS(FETCH_CURL_FIELD)
  /* OpenSSL's SSL_CTX_set_keylog_callback(); NULL where libcurl is built with another
   * TLS library. */
  void (*set_keylog)(void *context, void (*callback)(const void *session, const char *line));
} fetch_curl;

/* Any thread. NULL when there is no library that is fit, with the reason in `why`,
 * one line, valid for ever; `passing`: it may be there on a later call. The library
 * is never closed: what it has initialised may not be undone while others use it. */
const fetch_curl *fetch_curl_get(const char **why, bool *passing);

#endif
