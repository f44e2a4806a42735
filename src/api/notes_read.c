/* Arguments of the notes: from CBOR, which a guest made, to fields within
 * bounds. Every refusal names the argument and what would be right. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/notes_int.h"
#include "core/utf8.h"

#define CODE_KIND "INVALID_ARGUMENT"
#define CODE_BOUND "OUT_OF_RANGE"

/* "notes.get: " or nothing. */
static const char *separator(notes_where where) {
  return where.operation[0] ? ": " : "";
}

#define fail_kind(where, format, ...)                                                              \
  api_error_set((where).error, "TypeError", CODE_KIND, false, "%s%s" format, (where).operation,    \
                separator(where), __VA_ARGS__)
#define fail_bound(where, format, ...)                                                             \
  api_error_set((where).error, "RangeError", CODE_BOUND, false, "%s%s" format, (where).operation,  \
                separator(where), __VA_ARGS__)

static bool fail_bytes(notes_where where) {
  return fail_kind(where, "%s", "the arguments are not well-formed");
}

/* ---- what a value is ---- */

static const char *tagged_name(uint64_t tag) {
  if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
    return "a typed array";
  switch (tag) {
  case CBOR_TAG_EPOCH:
    return "Date";
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return "bigint";
  case CBOR_TAG_OBJECT:
    return "Error";
  case CBOR_TAG_SET:
    return "Set";
  case CBOR_TAG_MAP:
    return "Map";
  case CBOR_TAG_WTF8:
    return "a string with lone surrogates";
  default:
    return "a tagged value";
  }
}

static const char *kind_name(cbor_in value) {
  cbor_item item;
  if (cbor_next(&value, &item) != CBOR_OK)
    return "nothing";
  switch (item.kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
  case CBOR_FLOAT:
    return "number";
  case CBOR_TEXT:
    return item.indefinite ? "a string in chunks" : "string";
  case CBOR_BYTES:
    return "bytes";
  case CBOR_ARRAY:
    return "array";
  case CBOR_MAP:
    return "object";
  case CBOR_BOOL:
    return "boolean";
  case CBOR_NULL:
    return "null";
  case CBOR_UNDEFINED:
    return "undefined";
  case CBOR_TAG:
    return tagged_name(item.n);
  default:
    return "an unknown value";
  }
}

static bool is_kind(cbor_in value, cbor_kind kind) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK && item.kind == kind;
}

static bool is_undefined(cbor_in value) {
  return is_kind(value, CBOR_UNDEFINED);
}

static bool has_control(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
      return true;
  return false;
}

/* ---- the list of arguments ---- */

bool notes_args_begin(const api_call *call, notes_args *args, notes_where where) {
  cbor_item head;
  args->in = call->args;
  if (cbor_next(&args->in, &head) != CBOR_OK || head.kind != CBOR_ARRAY)
    return fail_bytes(where);
  args->open = head.indefinite;
  args->left = head.n;
  return true;
}

cbor_in notes_args_next(notes_args *args) {
  static const uint8_t undefined[] = {0xf7};
  cbor_in value = {undefined, undefined + 1};
  cbor_item item;
  const uint8_t *bytes;
  size_t len;
  if (!args->open && args->left == 0)
    return value;
  if (args->open && (cbor_peek(&args->in, &item) != CBOR_OK || item.kind == CBOR_BREAK))
    return value;
  if (cbor_slice(&args->in, &bytes, &len) == CBOR_OK)
    cbor_in_init(&value, bytes, len);
  args->left--;
  return value;
}

/* ---- texts ---- */

static bool read_text(cbor_in value, const char *name, size_t max, notes_text *text,
                      notes_where where) {
  const char *utf8;
  cbor_in in = value;
  if (cbor_get_text(&in, &utf8, &text->len) != CBOR_OK)
    return fail_kind(where, "%s must be a string, got %s", name, kind_name(value));
  text->text = utf8;
  text->given = true;
  if (text->len > max)
    return fail_bound(where, "%s is %zu bytes long; at most %zu are allowed", name, text->len, max);
  if (!utf8_valid((const uint8_t *)utf8, text->len))
    return fail_kind(where, "%s must be well-formed Unicode, without lone surrogates", name);
  return true;
}

/* A text that names something: not empty, on one line. */
static bool read_name(cbor_in value, const char *name, size_t max, notes_text *text,
                      notes_where where) {
  if (!read_text(value, name, max, text, where))
    return false;
  if (text->len == 0)
    return fail_bound(where, "%s must not be empty", name);
  if (has_control(text->text, text->len))
    return fail_kind(where, "%s must not contain control characters", name);
  return true;
}

bool notes_read_id(cbor_in value, const char *name, notes_text *id, notes_where where) {
  return read_name(value, name, NOTES_ID_MAX, id, where);
}

bool notes_read_query(cbor_in value, notes_text *query, notes_where where) {
  return read_text(value, "text", NOTES_QUERY_MAX, query, where);
}

/* ---- the fields of a note ---- */

static bool read_tag(cbor_in value, size_t index, notes_fields *fields, notes_where where) {
  char name[32];
  notes_text tag;
  snprintf(name, sizeof name, "tags[%zu]", index);
  if (index >= NOTES_TAGS_MAX)
    return fail_bound(where, "there are more than %d tags", NOTES_TAGS_MAX);
  if (!read_name(value, name, NOTES_TAG_MAX, &tag, where))
    return false;
  char *end = fields->tag_lines + fields->tags.len;
  if (index > 0)
    *end++ = '\n';
  memcpy(end, tag.text, tag.len);
  fields->tags.len = (size_t)(end - fields->tag_lines) + tag.len;
  return true;
}

static bool read_tags(cbor_in value, notes_fields *fields, notes_where where) {
  cbor_item head;
  const char *kind = kind_name(value);
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_ARRAY)
    return fail_kind(where, "tags must be an array of strings, got %s", kind);
  fields->tags = (notes_text){fields->tag_lines, 0, true};
  for (size_t i = 0; head.indefinite || i < head.n; i++) {
    cbor_item item;
    if (cbor_peek(&value, &item) != CBOR_OK)
      return fail_bytes(where);
    if (head.indefinite && item.kind == CBOR_BREAK)
      return true;
    const uint8_t *bytes;
    size_t len;
    if (cbor_slice(&value, &bytes, &len) != CBOR_OK)
      return fail_bytes(where);
    cbor_in tag;
    cbor_in_init(&tag, bytes, len);
    if (!read_tag(tag, i, fields, where))
      return false;
  }
  return true;
}

static bool read_date(cbor_in value, const char *name, int64_t *ms, notes_where where) {
  notes_text date;
  if (!read_text(value, name, 100, &date, where))
    return false;
  if (!notes_date_parse(date.text, date.len, ms))
    return fail_kind(where, "%s must be a date like 2026-01-31T12:00:00.000Z, got '%s'", name,
                     api_quoted(date.text, date.len).text);
  return true;
}

typedef struct notes_key {
  const char *name;
  unsigned bit;
} notes_key;

static const notes_key note_keys[] = {
    {"id", NOTES_KEY_ID},     {"title", NOTES_KEY_TITLE},   {"body", NOTES_KEY_BODY},
    {"tags", NOTES_KEY_TAGS}, {"created", NOTES_KEY_DATES}, {"updated", NOTES_KEY_DATES},
};

enum { NOTE_KEYS = sizeof note_keys / sizeof *note_keys };

static bool fail_key(const char *key, size_t len, unsigned keys, notes_where where) {
  char known[80] = "";
  size_t used = 0;
  for (size_t i = 0; i < NOTE_KEYS && used < sizeof known; i++)
    if (note_keys[i].bit & keys)
      used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                               note_keys[i].name);
  return fail_kind(where, "unknown key '%s'; there are: %s", api_quoted(key, len).text, known);
}

static bool read_field(size_t key, cbor_in value, notes_fields *fields, notes_where where) {
  switch (key) {
  case 0:
    return notes_read_id(value, "id", &fields->id, where);
  case 1:
    return read_text(value, "title", NOTES_TITLE_MAX, &fields->title, where);
  case 2:
    return read_text(value, "body", NOTES_BODY_MAX, &fields->body, where);
  case 3:
    return read_tags(value, fields, where);
  case 4:
    return read_date(value, "created", &fields->created, where);
  default:
    return read_date(value, "updated", &fields->updated, where);
  }
}

/* One key and its value, advancing `in`. */
typedef struct pair {
  const char *key;
  size_t len;
  cbor_in value;
} pair;

static bool next_pair(cbor_in *in, pair *next, notes_where where) {
  const uint8_t *bytes;
  size_t len;
  cbor_in key = *in, again = *in;
  if (cbor_slice(in, &bytes, &len) != CBOR_OK)
    return fail_bytes(where);
  if (cbor_get_text(&key, &next->key, &next->len) != CBOR_OK)
    return fail_kind(where, "a key must be a string, got %s", kind_name(again));
  if (cbor_slice(in, &bytes, &len) != CBOR_OK)
    return fail_bytes(where);
  cbor_in_init(&next->value, bytes, len);
  return true;
}

/* True while a pair is left of the map that `head` began. */
static bool more_pairs(cbor_in *in, const cbor_item *head, uint64_t done) {
  cbor_item item;
  if (!head->indefinite)
    return done < head->n;
  return cbor_peek(in, &item) == CBOR_OK && item.kind != CBOR_BREAK;
}

static bool read_pair(const pair *next, unsigned keys, unsigned *seen, notes_fields *fields,
                      notes_where where) {
  size_t key = 0;
  while (key < NOTE_KEYS && (strlen(note_keys[key].name) != next->len ||
                             memcmp(note_keys[key].name, next->key, next->len) != 0))
    key++;
  if (key == NOTE_KEYS || !(note_keys[key].bit & keys))
    return fail_key(next->key, next->len, keys, where);
  if (*seen & 1u << key)
    return fail_kind(where, "key '%s' is given twice", note_keys[key].name);
  *seen |= 1u << key;
  return read_field(key, next->value, fields, where);
}

bool notes_read_fields(cbor_in value, unsigned keys, const char *what, notes_fields *fields,
                       notes_where where) {
  fields->id = fields->title = fields->body = fields->tags = (notes_text){"", 0, false};
  fields->created = fields->updated = NOTES_NO_DATE;
  cbor_item head;
  const char *kind = kind_name(value);
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_MAP)
    return fail_kind(where, "%s must be an object, got %s", what, kind);
  unsigned seen = 0;
  for (uint64_t i = 0; more_pairs(&value, &head, i); i++) {
    pair next;
    if (!next_pair(&value, &next, where))
      return false;
    if (!is_undefined(next.value) && !read_pair(&next, keys, &seen, fields, where))
      return false;
  }
  return true;
}

/* ---- options ---- */

static bool read_limit(cbor_in value, unsigned max, unsigned *limit, notes_where where) {
  double number;
  cbor_in in = value;
  if (cbor_get_number(&in, &number) != CBOR_OK)
    return fail_kind(where, "limit must be a number, got %s", kind_name(value));
  if (!(number >= 1 && number <= max) || number != floor(number))
    return fail_bound(where, "limit must be a whole number from 1 to %u, got %.15g", max, number);
  *limit = (unsigned)number;
  return true;
}

static bool is_key(const pair *next, const char *name) {
  return strlen(name) == next->len && memcmp(name, next->key, next->len) == 0;
}

bool notes_read_options(cbor_in value, bool with_after, unsigned limit_default, unsigned limit_max,
                        notes_options *options, notes_where where) {
  *options = (notes_options){limit_default, {"", 0, false}};
  if (is_undefined(value))
    return true;
  cbor_item head;
  const char *kind = kind_name(value);
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_MAP)
    return fail_kind(where, "the options must be an object, got %s", kind);
  for (uint64_t i = 0; more_pairs(&value, &head, i); i++) {
    pair next;
    bool fine = true;
    if (!next_pair(&value, &next, where))
      return false;
    if (is_undefined(next.value))
      continue;
    if (is_key(&next, "limit"))
      fine = read_limit(next.value, limit_max, &options->limit, where);
    else if (with_after && is_key(&next, "after")) /* null: as `next` is at the end */
      fine = is_kind(next.value, CBOR_NULL) ||
             notes_read_id(next.value, "after", &options->after, where);
    else if (!is_key(&next, "timeout") && !is_key(&next, "priority") && !is_key(&next, "signal"))
      /* Those three are the operation's and may stand in the same object. */
      fine = fail_kind(where, "unknown option '%s'; there are: limit%s",
                       api_quoted(next.key, next.len).text, with_after ? ", after" : "");
    if (!fine)
      return false;
  }
  return true;
}
