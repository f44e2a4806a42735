/* The walk from CBOR to JSON: one item at a time, the open containers on a
 * stack. Everything was checked before, so reading cannot fail; what can is
 * the meaning (a tag around the wrong content), memory, and the output. */
#include "core/json_int.h"

#include "core/json_forms.h"
#include "core/json_maps.h"

#include <string.h>

typedef enum { LIST, OBJECT, PAIRS } level_kind;

typedef struct level {
  uint64_t left; /* items or pairs to come, unless open */
  level_kind kind;
  bool open;       /* up to a break */
  bool begun;      /* something was printed: a comma is due */
  unsigned inside; /* PAIRS: 0 between pairs, 1 a key is printed, 2 a value is */
} level;

typedef struct walk {
  cbor_in in;
  cbor_out *out;
  cbor_out joined; /* the last string that came in chunks */
  json_maps maps;
  double bigint_work;
  size_t depth;
  bool forms; /* of core/json_forms.h */
  level levels[CBOR_DEPTH_MAX];
} walk;

static void put(walk *w, const char *text, size_t len) {
  cbor_put_raw(w->out, text, len);
}

/* ---- strings ---- */

/* Puts the chunks of an indefinite string together; `item` then is as a
 * definite one, its bytes good until the next call. */
static cbor_status join(walk *w, cbor_item *item) {
  if (!item->indefinite)
    return CBOR_OK;
  cbor_item chunk;
  w->joined.len = 0;
  while (cbor_next(&w->in, &chunk) == CBOR_OK && chunk.kind != CBOR_BREAK)
    cbor_put_raw(&w->joined, chunk.bytes, chunk.len);
  item->indefinite = false;
  item->bytes = w->joined.data;
  item->len = w->joined.len;
  return w->joined.status;
}

/* The byte string in a tag. */
static cbor_status take_bytes(walk *w, cbor_item *item) {
  cbor_status status = cbor_next(&w->in, item);
  if (status == CBOR_OK && item->kind != CBOR_BYTES)
    status = CBOR_E_MALFORMED;
  return status == CBOR_OK ? join(w, item) : status;
}

/* A string of either form; `wtf8` tells which. */
static cbor_status take_string(walk *w, cbor_item *item, bool *wtf8) {
  cbor_status status = cbor_next(&w->in, item);
  if (status != CBOR_OK)
    return status;
  if (!json_is_string(item))
    return CBOR_E_MALFORMED;
  *wtf8 = item->kind == CBOR_TAG;
  return *wtf8 ? take_bytes(w, item) : join(w, item);
}

static cbor_status put_string(walk *w, const cbor_item *item, bool wtf8) {
  if (wtf8)
    return json_put_wtf8(w->out, item->bytes, item->len);
  json_put_string(w->out, (const char *)item->bytes, item->len);
  return CBOR_OK;
}

static cbor_status copy_string(walk *w) {
  cbor_item item;
  bool wtf8;
  cbor_status status = take_string(w, &item, &wtf8);
  return status == CBOR_OK ? put_string(w, &item, wtf8) : status;
}

/* A key that looks like a form's gets one '$' more. */
static cbor_status put_key(walk *w, const cbor_item *item, bool wtf8) {
  if (!w->forms || wtf8 || json_form_key(item->bytes, item->len) == 0)
    return put_string(w, item, wtf8);
  put(w, "\"$", 2);
  put(w, (const char *)item->bytes, item->len); /* nothing to escape in such a key */
  put(w, "\"", 1);
  return CBOR_OK;
}

/* ---- tagged values ---- */

static void begin_form(walk *w, const char *text) {
  if (w->forms)
    put(w, text, strlen(text));
}

static void end_form(walk *w) {
  if (w->forms)
    put(w, "}", 1);
}

static cbor_status copy_bigint(walk *w, bool negative) {
  cbor_item item;
  cbor_status status = take_bytes(w, &item);
  if (status != CBOR_OK)
    return status;
  double len = (double)item.len, most = (double)JSON_BIGINT_BYTES_MAX;
  if (item.len > JSON_BIGINT_FREE)
    w->bigint_work += len * len;
  if (w->bigint_work > most * most)
    return CBOR_E_SIZE;
  begin_form(w, "{\"$bigint\":\"");
  json_put_bigint(w->out, item.bytes, item.len, negative);
  begin_form(w, "\"}");
  return CBOR_OK;
}

static cbor_status copy_typed(walk *w, uint64_t tag) {
  cbor_item item;
  cbor_status status = take_bytes(w, &item);
  if (status != CBOR_OK)
    return status;
  bool bytes = json_is_octets(tag);
  begin_form(w, bytes ? "{\"$bytes\":" : "");
  status = json_put_typed(w->out, tag, item.bytes, item.len);
  if (bytes)
    end_form(w);
  return status;
}

static cbor_status copy_date(walk *w) {
  double seconds;
  cbor_status status = cbor_get_number(&w->in, &seconds);
  if (status != CBOR_OK)
    return status;
  if (w->forms) {
    begin_form(w, "{\"$date\":");
    json_put_number(w->out, json_date_ms(seconds));
    end_form(w);
  } else {
    json_put_date(w->out, seconds);
  }
  return CBOR_OK;
}

/* [name, {message, ...}]: of the map only the message is printed. */
static cbor_status copy_error(walk *w) {
  cbor_item array, map;
  cbor_status status = cbor_next(&w->in, &array);
  if (status != CBOR_OK)
    return status;
  if (array.kind != CBOR_ARRAY || (!array.indefinite && array.n != 2))
    return CBOR_E_MALFORMED;
  put(w, "{\"name\":", 8);
  status = copy_string(w);
  if (status != CBOR_OK)
    return status;
  status = cbor_peek(&w->in, &map);
  if (status != CBOR_OK || map.kind != CBOR_MAP)
    return CBOR_E_MALFORMED;
  put(w, ",\"message\":", 11);
  cbor_in rest = w->in, message;
  if (cbor_find(&w->in, "message", &message)) {
    w->in = message;
    status = copy_string(w);
  } else {
    put(w, "\"\"", 2);
  }
  put(w, "}", 1);
  w->in = rest;
  if (status == CBOR_OK)
    status = cbor_skip(&w->in);
  if (status == CBOR_OK && array.indefinite) {
    status = cbor_next(&w->in, &map);
    if (map.kind != CBOR_BREAK)
      return CBOR_E_MALFORMED;
  }
  return status;
}

/* ---- containers ---- */

static void begin(walk *w, level_kind kind, const cbor_item *item) {
  w->levels[w->depth++] = (level){.left = item->n, .kind = kind, .open = item->indefinite};
  put(w, kind == OBJECT ? "{" : "[", 1);
}

/* The map of a Map, or the array of a Set. */
static cbor_status begin_collection(walk *w, cbor_kind kind) {
  cbor_item item;
  cbor_status status = cbor_peek(&w->in, &item);
  if (status != CBOR_OK || item.kind != kind)
    return CBOR_E_MALFORMED;
  bool object = false;
  if (kind == CBOR_MAP)
    status = json_maps_ask(&w->maps, &w->in, &object);
  if (status != CBOR_OK)
    return status;
  cbor_next(&w->in, &item);
  begin(w, kind == CBOR_ARRAY ? LIST : object ? OBJECT : PAIRS, &item);
  return CBOR_OK;
}

/* Whether the container on top has ended; takes its break. */
static bool at_end(walk *w, level *top) {
  if (!top->open) {
    if (top->left == 0)
      return true;
    top->left--;
    return false;
  }
  cbor_item item;
  if (cbor_peek(&w->in, &item) != CBOR_OK || item.kind != CBOR_BREAK)
    return false;
  cbor_next(&w->in, &item);
  return true;
}

/* ---- items ---- */

/* Prints the content of a tag, or begins to; `unknown` if JSON has no rule for
 * the tag, and its content stands for itself. */
static cbor_status copy_tagged(walk *w, uint64_t tag, bool *unknown) {
  *unknown = false;
  switch (tag) {
  case CBOR_TAG_EPOCH:
    return copy_date(w);
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return copy_bigint(w, tag == CBOR_TAG_NEGATIVE_BIGNUM);
  case CBOR_TAG_OBJECT:
    return copy_error(w);
  case CBOR_TAG_SET:
    return begin_collection(w, CBOR_ARRAY);
  case CBOR_TAG_MAP:
    return begin_collection(w, CBOR_MAP);
  case CBOR_TAG_WTF8: {
    cbor_item item;
    cbor_status status = take_bytes(w, &item);
    return status == CBOR_OK ? put_string(w, &item, true) : status;
  }
  default:
    if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
      return copy_typed(w, tag);
    *unknown = true;
    return CBOR_OK;
  }
}

static cbor_status copy_plain(walk *w, cbor_item *item) {
  cbor_status status = CBOR_OK;
  switch (item->kind) {
  case CBOR_UINT:
    json_put_uint(w->out, item->n);
    break;
  case CBOR_NEGINT:
    json_put_negint(w->out, item->n);
    break;
  case CBOR_FLOAT:
    json_put_number(w->out, item->d);
    break;
  case CBOR_BOOL:
    put(w, item->n ? "true" : "false", item->n ? 4 : 5);
    break;
  case CBOR_TEXT:
    status = join(w, item);
    return status == CBOR_OK ? put_string(w, item, false) : status;
  case CBOR_BYTES:
    status = join(w, item);
    if (status != CBOR_OK)
      return status;
    begin_form(w, "{\"$bytes\":");
    json_put_base64(w->out, item->bytes, item->len);
    end_form(w);
    break;
  case CBOR_ARRAY:
    begin(w, LIST, item);
    break;
  case CBOR_MAP:
    begin(w, OBJECT, item);
    break;
  default: /* null, undefined, unassigned simple values */
    put(w, "null", 4);
  }
  return status;
}

/* Prints the next item; of a container only the beginning. */
static cbor_status copy_item(walk *w) {
  for (;;) {
    cbor_item item;
    cbor_status status = cbor_next(&w->in, &item);
    if (status != CBOR_OK)
      return status;
    if (item.kind != CBOR_TAG)
      return copy_plain(w, &item);
    bool unknown;
    status = copy_tagged(w, item.n, &unknown);
    if (status != CBOR_OK || !unknown)
      return status;
  }
}

static void put_comma(walk *w, level *top) {
  if (top->begun)
    put(w, ",", 1);
  top->begun = true;
}

static cbor_status copy_member(walk *w, level *top) {
  cbor_item key, value;
  bool wtf8;
  cbor_status status = take_string(w, &key, &wtf8);
  if (status == CBOR_OK)
    status = cbor_peek(&w->in, &value);
  if (status != CBOR_OK)
    return status;
  if (value.kind == CBOR_UNDEFINED)
    return cbor_next(&w->in, &value);
  put_comma(w, top);
  status = put_key(w, &key, wtf8);
  put(w, ":", 1);
  return status == CBOR_OK ? copy_item(w) : status;
}

/* Goes on with the container on top. */
static cbor_status advance(walk *w) {
  level *top = w->levels + w->depth - 1;
  if (top->inside == 1) {
    put(w, ",", 1);
    top->inside = 2;
    return copy_item(w);
  }
  if (top->inside == 2)
    put(w, "]", 1);
  top->inside = 0;
  if (at_end(w, top)) {
    put(w, top->kind == OBJECT ? "}" : "]", 1);
    w->depth--;
    return CBOR_OK;
  }
  if (top->kind == OBJECT)
    return copy_member(w, top);
  put_comma(w, top);
  if (top->kind == PAIRS) {
    put(w, "[", 1);
    top->inside = 1;
  }
  return copy_item(w);
}

static cbor_status copy_all(walk *w) {
  cbor_status status = copy_item(w);
  while (status == CBOR_OK && w->depth > 0 && w->out->status == CBOR_OK)
    status = advance(w);
  return w->out->status != CBOR_OK ? w->out->status : status;
}

static cbor_status convert(const void *bytes, size_t len, bool forms, const cbor_limits *limits,
                           cbor_out *out) {
  if (out->status != CBOR_OK)
    return out->status;
  cbor_status status = cbor_check(bytes, len, limits);
  if (status != CBOR_OK)
    return status;
  size_t base = out->len;
  walk w;
  cbor_in_init(&w.in, bytes, len);
  w.out = out;
  cbor_out_init(&w.joined, out->allocator, len);
  json_maps_init(&w.maps, out->allocator);
  w.bigint_work = 0;
  w.depth = 0;
  w.forms = forms;
  status = copy_all(&w);
  cbor_out_free(&w.joined);
  json_maps_free(&w.maps);
  if (status != CBOR_OK)
    out->len = base;
  return status;
}

cbor_status json_from_cbor(const void *bytes, size_t len, const cbor_limits *limits,
                           cbor_out *out) {
  return convert(bytes, len, false, limits, out);
}

cbor_status json_forms_from_cbor(const void *bytes, size_t len, const cbor_limits *limits,
                                 cbor_out *out) {
  return convert(bytes, len, true, limits, out);
}
