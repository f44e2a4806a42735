/* CBOR (RFC 8949): the bytes in which values cross every boundary.
 *
 * Plain C without dependencies, compiled into the process and into the guest
 * (cbor_*.c, utf8.c, mem.c). Writing goes to a growing or a fixed buffer and its errors
 * are sticky: write everything, then look at `status` once. Reading is a pull
 * of one data item head at a time from bytes that may be hostile: every length
 * is checked against what is there, and nothing recurses. */
#ifndef VOW_CORE_CBOR_H
#define VOW_CORE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

typedef enum {
  CBOR_OK = 0,
  CBOR_E_NOMEM,     /* the allocator gave nothing */
  CBOR_E_SIZE,      /* the writer's `max`, or a walk's limit on bytes, is passed */
  CBOR_E_TRUNCATED, /* the bytes end inside an item */
  CBOR_E_MALFORMED, /* not well-formed by RFC 8949 appendix F, text that is not UTF-8, bytes
                     * behind the item; or not the kind of item that is asked for */
  CBOR_E_DEPTH,     /* nested deeper than the limit */
  CBOR_E_NODES,     /* more items than the limit */
} cbor_status;

const char *cbor_status_text(cbor_status status);

/* Tags that Vow writes and understands; docs/values.md says what each holds. */
enum {
  CBOR_TAG_EPOCH = 1,          /* Date: seconds since 1970, integer or float; NaN = invalid */
  CBOR_TAG_BIGNUM = 2,         /* bigint >= 0, big-endian bytes */
  CBOR_TAG_NEGATIVE_BIGNUM = 3, /* bigint < 0: -1 - n */
  CBOR_TAG_OBJECT = 27,        /* Error: [name, {message, ...}] */
  CBOR_TAG_TYPED_FIRST = 64,   /* RFC 8746 typed arrays: 64..87 */
  CBOR_TAG_TYPED_LAST = 87,
  CBOR_TAG_SET = 258,          /* Set: array */
  CBOR_TAG_MAP = 259,          /* Map: map with keys of any kind */
  CBOR_TAG_WTF8 = 273,         /* string with lone surrogates: WTF-8 bytes */
};

/* ---- writing ---- */

typedef struct cbor_out {
  uint8_t *data;
  size_t len, cap;
  size_t max; /* never grow beyond this many bytes */
  const vow_allocator *allocator;
  bool fixed; /* `data` is the caller's and never grows */
  cbor_status status;
} cbor_out;

/* Growing buffer of at most `max` bytes; nothing is allocated yet. */
void cbor_out_init(cbor_out *out, const vow_allocator *allocator, size_t max);
/* Writes into the caller's `data`; more than `cap` bytes is CBOR_E_SIZE. */
void cbor_out_fixed(cbor_out *out, uint8_t *data, size_t cap);
void cbor_out_free(cbor_out *out);
/* Hands the buffer to the caller (free with mem_free and the same allocator)
 * and empties `out`; NULL if `status` is not CBOR_OK. */
uint8_t *cbor_out_take(cbor_out *out, size_t *len);

void cbor_put_uint(cbor_out *out, uint64_t value);
void cbor_put_int(cbor_out *out, int64_t value);
void cbor_put_double(cbor_out *out, double value); /* shortest of half, single, double that is exact; NaN as f97e00 */
void cbor_put_bool(cbor_out *out, bool value);
void cbor_put_null(cbor_out *out);
void cbor_put_undefined(cbor_out *out);
void cbor_put_bytes(cbor_out *out, const void *bytes, size_t len);
void cbor_put_text(cbor_out *out, const char *utf8, size_t len);
void cbor_put_cstring(cbor_out *out, const char *utf8); /* zero-terminated text */
void cbor_put_array(cbor_out *out, uint64_t count);
void cbor_put_map(cbor_out *out, uint64_t pairs);
void cbor_put_array_open(cbor_out *out); /* indefinite; end with cbor_put_break */
void cbor_put_map_open(cbor_out *out);
void cbor_put_break(cbor_out *out);
void cbor_put_tag(cbor_out *out, uint64_t tag);
void cbor_put_raw(cbor_out *out, const void *encoded, size_t len); /* items already encoded */

/* ---- reading ---- */

typedef enum {
  CBOR_UINT,   /* n */
  CBOR_NEGINT, /* the value is -1 - n */
  CBOR_BYTES,  /* bytes, len; indefinite: chunks (CBOR_BYTES) follow up to CBOR_BREAK */
  CBOR_TEXT,   /* likewise */
  CBOR_ARRAY,  /* n items follow; indefinite: up to CBOR_BREAK */
  CBOR_MAP,    /* n pairs follow; indefinite: up to CBOR_BREAK */
  CBOR_TAG,    /* n; the tagged item follows */
  CBOR_BOOL,   /* n is 0 or 1 */
  CBOR_NULL,
  CBOR_UNDEFINED,
  CBOR_SIMPLE, /* n: any other simple value */
  CBOR_FLOAT,  /* d */
  CBOR_BREAK,
} cbor_kind;

typedef struct cbor_item {
  cbor_kind kind;
  bool indefinite;
  uint64_t n;
  double d;
  const uint8_t *bytes; /* into the input, not terminated */
  size_t len;
} cbor_item;

typedef struct cbor_in {
  const uint8_t *at, *end;
} cbor_in;

void cbor_in_init(cbor_in *in, const void *bytes, size_t len);
/* True when every byte has been read. */
bool cbor_in_end(const cbor_in *in);
/* Reads one head (with the payload of a definite string). CBOR_E_TRUNCATED at
 * the end, and for a container that declares more items than there are bytes
 * left. On failure `in` is not advanced, here and in all that follows. A break outside an indefinite item is the caller's to refuse. */
cbor_status cbor_next(cbor_in *in, cbor_item *item);
/* Like cbor_next, without advancing. */
cbor_status cbor_peek(const cbor_in *in, cbor_item *item);
/* Skips one whole item with all it holds; CBOR_E_DEPTH beyond CBOR_DEPTH_MAX. */
cbor_status cbor_skip(cbor_in *in);
/* Skips one whole item and gives its bytes. */
cbor_status cbor_slice(cbor_in *in, const uint8_t **bytes, size_t *len);

/* Typed readers for fixed shapes: CBOR_E_MALFORMED when the next item is of
 * another kind. Text and bytes must be definite. */
cbor_status cbor_get_uint(cbor_in *in, uint64_t *value);
cbor_status cbor_get_bool(cbor_in *in, bool *value);
cbor_status cbor_get_number(cbor_in *in, double *value); /* integer or float */
cbor_status cbor_get_text(cbor_in *in, const char **utf8, size_t *len);
cbor_status cbor_get_bytes(cbor_in *in, const uint8_t **bytes, size_t *len);
cbor_status cbor_get_array(cbor_in *in, uint64_t *count); /* definite */
cbor_status cbor_get_map(cbor_in *in, uint64_t *pairs);   /* definite */
/* If the next item is a map and holds the text key `key`, sets `value` to a
 * reader over that key's value and returns true. `in` is not advanced. */
bool cbor_find(const cbor_in *in, const char *key, cbor_in *value);

typedef struct cbor_limits {
  size_t depth; /* nesting of arrays, maps and tags; at most CBOR_DEPTH_MAX */
  size_t nodes; /* items, heads counted one by one: tags and chunks too, breaks not */
  size_t bytes;
} cbor_limits;

#define CBOR_DEPTH_MAX 512

/* Exactly one well-formed item fills `bytes`: heads, lengths, breaks, UTF-8
 * (RFC 3629; no surrogates), and the limits. After CBOR_OK, reading it cannot
 * fail and cannot nest deeper than `limits->depth`. */
cbor_status cbor_check(const void *bytes, size_t len, const cbor_limits *limits);

/* Rewrites one item deterministically (RFC 8949 section 4.2.1: shortest heads
 * and floats, definite lengths, map keys in bytewise order; duplicate keys are
 * CBOR_E_MALFORMED) and appends it to `out`: at most twice the input. Kinds are
 * kept: an integral float stays a float, a small bignum a bignum. For cache
 * keys, hashes and comparison. More than 2 GiB are CBOR_E_SIZE. Working memory
 * comes from `out->allocator`. On failure `out` has the length it had; its
 * status tells only if it was the writing that failed. */
cbor_status cbor_canonical(const void *bytes, size_t len, const cbor_limits *limits, cbor_out *out);

#endif
