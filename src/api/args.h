/* Arguments of operations: readers over the CBOR of a call, which a guest made.
 * Each returns false with `where.error` filled by one line that names the
 * operation, the argument and what would be right. Any thread; nothing is kept. */
#ifndef VOW_API_ARGS_H
#define VOW_API_ARGS_H

#include "api/api.h"

/* Where an argument is read, for messages. */
typedef struct api_where {
  const char *operation; /* "notes.get"; "" for what is no call, such as a line of an import */
  api_error *error;
} api_where;

/* `format` must be a literal; at least one argument follows. */
#define api_fail_kind(where, format, ...)                                                          \
  api_error_set((where).error, "TypeError", "INVALID_ARGUMENT", false, "%s%s" format,              \
                (where).operation, (where).operation[0] ? ": " : "", __VA_ARGS__)
#define api_fail_bound(where, format, ...)                                                         \
  api_error_set((where).error, "RangeError", "OUT_OF_RANGE", false, "%s%s" format,                 \
                (where).operation, (where).operation[0] ? ": " : "", __VA_ARGS__)
bool api_fail_bytes(api_where where);

/* ---- the list of arguments ---- */

/* The arguments of a call, one by one; absent and undefined ones read as a
 * CBOR undefined. */
typedef struct api_args {
  cbor_in in;
  uint64_t left;
  bool open; /* indefinite: up to the break */
} api_args;

bool api_args_begin(const api_call *call, api_args *args, api_where where);
cbor_in api_args_next(api_args *args);

/* ---- values ---- */

/* "string", "Date", "a typed array": for messages. */
const char *api_kind_name(cbor_in value);
bool api_is_kind(cbor_in value, cbor_kind kind);
bool api_is_undefined(cbor_in value);

typedef struct api_text {
  const char *text; /* into the arguments; not terminated */
  size_t len;
  bool given;
} api_text;

/* At most `max` bytes of UTF-8; lone surrogates are refused. */
bool api_read_text(cbor_in value, const char *name, size_t max, api_text *text, api_where where);
/* A text that names something: not empty, without control characters. */
bool api_read_name(cbor_in value, const char *name, size_t max, api_text *text, api_where where);
/* A whole number from 1 to `max`. */
bool api_read_limit(cbor_in value, unsigned max, unsigned *limit, api_where where);

/* ---- objects ---- */

typedef struct api_pair {
  const char *key;
  size_t len;
  cbor_in value;
} api_pair;

/* True while a pair is left of the map that `head` began. */
bool api_more_pairs(cbor_in *in, const cbor_item *head, uint64_t done);
/* One key and its value, advancing `in`. */
bool api_next_pair(cbor_in *in, api_pair *next, api_where where);
bool api_is_key(const api_pair *next, const char *name);

/* One option of a call: `known` is false when the operation has no such one. */
typedef bool api_option_reader(const api_pair *next, void *options, bool *known, api_where where);
/* The options object of a call, absent or with the pairs that `read` takes; those
 * of every operation (timeout, signal, priority) may stand in it. `names` lists
 * the others for messages. */
bool api_read_options(cbor_in value, const char *names, api_option_reader *read, void *options,
                      api_where where);

#endif
