/* Values under keys, inside a vault: what a script keeps between runs.
 *
 * - A key is a text of 1 to KV_KEY_MAX bytes without lone surrogates; any
 *   character may be in it. Lists go by the bytes of its UTF-8.
 * - A value is whatever crosses the boundary (docs/values.md), kept as the CBOR
 *   it came in, at most KV_VALUE_MAX bytes of it: Map, Set, Date, bigint and bytes
 *   come back as what they were. undefined is a value too; kv.list tells it from
 *   a key that is not there.
 * - kv.list: `prefix` and `after` are plain texts; no character of them has a
 *   special meaning.
 * - Errors: TypeError (a wrong kind of value, an unknown option), RangeError (too
 *   long, too large, out of range), ApiError with SQLite's code. */
#ifndef VOW_API_KV_H
#define VOW_API_KV_H

#include "api/api.h"

#define KV_KEY_MAX 512
#define KV_VALUE_MAX (1 << 20)
#define KV_LIST_DEFAULT 100
#define KV_LIST_MAX 1000

api_handler kv_delete, kv_get, kv_list, kv_set;

#endif
