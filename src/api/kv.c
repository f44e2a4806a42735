#include "api/kv.h"

#include <string.h>

#include "api/args.h"
#include "api/db.h"
#include "core/utf8.h"
#include "guest/wire.h"

/* Keys are blobs: they compare as bytes, zeros included. */
static const char sql_get[] = "SELECT value FROM kv WHERE vault = ?1 AND key = ?2";

static const char sql_set[] = "INSERT INTO kv(vault, key, value) VALUES(?1, ?2, ?3) "
                              "ON CONFLICT(vault, key) DO UPDATE SET value = excluded.value";

static const char sql_delete[] = "DELETE FROM kv WHERE vault = ?1 AND key = ?2 RETURNING seq";

static const char sql_list[] =
    "SELECT key FROM kv WHERE vault = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4";

/* ---- arguments ---- */

static bool read_key(cbor_in value, api_text *key, api_where where) {
  if (!api_read_text(value, "key", KV_KEY_MAX, key, where))
    return false;
  return key->len > 0 || api_fail_bound(where, "%s must not be empty", "key");
}

typedef struct kv_range {
  api_text prefix, after;
  unsigned limit;
} kv_range;

static bool read_option(const api_pair *next, void *options, bool *known, api_where where) {
  kv_range *range = options;
  if (api_is_key(next, "limit"))
    return api_read_limit(next->value, KV_LIST_MAX, &range->limit, where);
  if (api_is_key(next, "prefix"))
    return api_read_text(next->value, "prefix", KV_KEY_MAX, &range->prefix, where);
  *known = api_is_key(next, "after");
  return !*known || api_is_kind(next->value, CBOR_NULL) || /* as `next` is at the end */
         api_read_text(next->value, "after", KV_KEY_MAX, &range->after, where);
}

static bool read_range(cbor_in value, kv_range *range, api_where where) {
  *range = (kv_range){.prefix = {"", 0, false}, .after = {"", 0, false}, .limit = KV_LIST_DEFAULT};
  return api_read_options(value, "prefix, limit, after", read_option, range, where);
}

/* ---- statements ---- */

static void bind(sqlite3_stmt *statement, const char *vault, const void *key, size_t len) {
  db_bind_text(statement, 1, vault, strlen(vault));
  sqlite3_bind_blob64(statement, 2, key, len, SQLITE_STATIC);
}

static bool written(api_call *call) {
  if (call->result->status == CBOR_OK)
    return true;
  return api_fail(call, "ApiError", "NO_MEMORY", false, "the result cannot be kept: %s",
                  cbor_status_text(call->result->status));
}

/* Another program may have written what no value looks like. */
static bool put_value(api_call *call, sqlite3_stmt *row) {
  const cbor_limits limits = {WIRE_DEPTH_MAX, WIRE_NODES_MAX, KV_VALUE_MAX};
  const void *bytes = sqlite3_column_blob(row, 0);
  size_t len = (size_t)sqlite3_column_bytes(row, 0);
  if (!bytes || cbor_check(bytes, len, &limits) != CBOR_OK)
    return api_fail(call, "ApiError", "SQLITE_CORRUPT", false,
                    "the database holds a value that cannot be read");
  cbor_put_raw(call->result, bytes, len);
  return written(call);
}

static bool get_in(api_call *call, db_conn *conn, const api_text *key) {
  sqlite3_stmt *get = db_statement(conn, sql_get, call->error);
  if (!get)
    return false;
  bind(get, call->vault, key->text, key->len);
  db_result result = db_step(conn, get, call->error);
  if (result == DB_ROW)
    return put_value(call, get);
  cbor_put_undefined(call->result);
  return result == DB_DONE && written(call);
}

static bool set_in(api_call *call, db_conn *conn, const api_text *key, const cbor_in *value) {
  sqlite3_stmt *set = db_statement(conn, sql_set, call->error);
  if (!set || !db_begin(conn, call->error))
    return false;
  bind(set, call->vault, key->text, key->len);
  sqlite3_bind_blob64(set, 3, value->at, (sqlite3_uint64)(value->end - value->at), SQLITE_STATIC);
  bool done = db_step(conn, set, call->error) == DB_DONE;
  sqlite3_reset(set);
  cbor_put_undefined(call->result);
  return db_end(conn, done && written(call), call->error);
}

static bool delete_in(api_call *call, db_conn *conn, const api_text *key) {
  sqlite3_stmt *statement = db_statement(conn, sql_delete, call->error);
  if (!statement || !db_begin(conn, call->error))
    return false;
  bind(statement, call->vault, key->text, key->len);
  db_result result = db_step(conn, statement, call->error);
  cbor_put_bool(call->result, result == DB_ROW);
  while (result == DB_ROW)
    result = db_step(conn, statement, call->error);
  sqlite3_reset(statement);
  return db_end(conn, result == DB_DONE && written(call), call->error);
}

/* ---- the list ---- */

typedef struct kv_bounds {
  uint8_t from[KV_KEY_MAX + 1], to[KV_KEY_MAX + 1]; /* the first key, and the first one beyond */
  size_t from_len, to_len;
} kv_bounds;

/* `after` and a zero is the first key behind `after`. Adding one to the last byte
 * of the prefix cannot overflow: no byte of UTF-8 is 0xff. */
static void set_bounds(const kv_range *range, kv_bounds *bounds) {
  const api_text *prefix = &range->prefix, *after = &range->after;
  size_t common = prefix->len < after->len ? prefix->len : after->len;
  int order = memcmp(after->text, prefix->text, common);
  bool behind = after->given && (order > 0 || (order == 0 && after->len >= prefix->len));
  const api_text *from = behind ? after : prefix;
  memcpy(bounds->from, from->text, from->len);
  bounds->from[from->len] = 0;
  bounds->from_len = from->len + behind;
  memcpy(bounds->to, prefix->text, prefix->len);
  bounds->to_len = prefix->len ? prefix->len : 1;
  bounds->to[bounds->to_len - 1] =
      prefix->len ? (uint8_t)(bounds->to[bounds->to_len - 1] + 1) : (uint8_t)0xff;
}

/* Writes keys up to `limit`; `last` gets the last one if another one follows. */
static bool put_keys(api_call *call, db_conn *conn, sqlite3_stmt *rows, unsigned limit,
                     uint8_t last[KV_KEY_MAX], size_t *last_len) {
  db_result step = DB_DONE;
  *last_len = 0;
  cbor_put_array_open(call->result);
  for (unsigned count = 0; (step = db_step(conn, rows, call->error)) == DB_ROW; count++) {
    const void *key = sqlite3_column_blob(rows, 0);
    size_t len = (size_t)sqlite3_column_bytes(rows, 0);
    if (count == limit)
      break;
    if (!key || len > KV_KEY_MAX || !utf8_valid(key, len))
      return api_fail(call, "ApiError", "SQLITE_CORRUPT", false,
                      "the database holds a key that cannot be read");
    cbor_put_text(call->result, key, len);
    memcpy(last, key, len);
    *last_len = len;
  }
  cbor_put_break(call->result);
  if (step != DB_ROW)
    *last_len = 0;
  return step != DB_FAILED;
}

static bool list_in(api_call *call, db_conn *conn, const kv_range *range) {
  uint8_t last[KV_KEY_MAX];
  size_t last_len;
  kv_bounds bounds;
  sqlite3_stmt *rows = db_statement(conn, sql_list, call->error);
  if (!rows)
    return false;
  set_bounds(range, &bounds);
  bind(rows, call->vault, bounds.from, bounds.from_len);
  sqlite3_bind_blob64(rows, 3, bounds.to, bounds.to_len, SQLITE_STATIC);
  sqlite3_bind_int64(rows, 4, (int64_t)range->limit + 1); /* one more tells whether to go on */
  cbor_put_map(call->result, 2);
  cbor_put_cstring(call->result, "keys");
  bool done = put_keys(call, conn, rows, range->limit, last, &last_len);
  sqlite3_reset(rows); /* the bounds end with this function */
  sqlite3_clear_bindings(rows);
  cbor_put_cstring(call->result, "next");
  if (last_len)
    cbor_put_text(call->result, (const char *)last, last_len);
  else
    cbor_put_null(call->result);
  return done && written(call);
}

/* ---- operations ---- */

bool kv_get(api_call *call) {
  api_where where = {"kv.get", call->error};
  api_args args;
  api_text key;
  if (!api_args_begin(call, &args, where) || !read_key(api_args_next(&args), &key, where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_READ, call->stop, call->error);
  if (!conn)
    return false;
  bool done = get_in(call, conn, &key);
  db_checkin(call->db, conn);
  return done;
}

bool kv_set(api_call *call) {
  api_where where = {"kv.set", call->error};
  api_args args;
  api_text key;
  if (!api_args_begin(call, &args, where) || !read_key(api_args_next(&args), &key, where))
    return false;
  if (args.left == 0 && !args.open)
    return api_fail_kind(where, "%s", "there is no value; kv.delete removes a key");
  cbor_in value = api_args_next(&args);
  size_t len = (size_t)(value.end - value.at);
  if (len > KV_VALUE_MAX)
    return api_fail_bound(where, "the value is %zu bytes long; at most %d are allowed", len,
                          KV_VALUE_MAX);
  db_conn *conn = db_checkout(call->db, DB_WRITE, call->stop, call->error);
  if (!conn)
    return false;
  bool done = set_in(call, conn, &key, &value);
  db_checkin(call->db, conn);
  return done;
}

bool kv_delete(api_call *call) {
  api_where where = {"kv.delete", call->error};
  api_args args;
  api_text key;
  if (!api_args_begin(call, &args, where) || !read_key(api_args_next(&args), &key, where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_WRITE, call->stop, call->error);
  if (!conn)
    return false;
  bool done = delete_in(call, conn, &key);
  db_checkin(call->db, conn);
  return done;
}

bool kv_list(api_call *call) {
  api_where where = {"kv.list", call->error};
  api_args args;
  kv_range range;
  if (!api_args_begin(call, &args, where) || !read_range(api_args_next(&args), &range, where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_READ, call->stop, call->error);
  if (!conn)
    return false;
  bool done = list_in(call, conn, &range);
  db_checkin(call->db, conn);
  return done;
}
