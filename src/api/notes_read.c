/* Arguments of the notes: from CBOR, which a guest made, to fields within
 * bounds. Every refusal names the argument and what would be right. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/notes_int.h"
#include "core/utf8.h"

bool notes_read_id(cbor_in value, const char *name, api_text *id, api_where where) {
  return api_read_name(value, name, NOTES_ID_MAX, id, where);
}

bool notes_read_query(cbor_in value, api_text *query, api_where where) {
  return api_read_text(value, "text", NOTES_QUERY_MAX, query, where);
}

/* ---- the fields of a note ---- */

static bool read_tag(cbor_in value, size_t index, notes_fields *fields, api_where where) {
  char name[32];
  api_text tag;
  snprintf(name, sizeof name, "tags[%zu]", index);
  if (index >= NOTES_TAGS_MAX)
    return api_fail_bound(where, "there are more than %d tags", NOTES_TAGS_MAX);
  if (!api_read_name(value, name, NOTES_TAG_MAX, &tag, where))
    return false;
  char *end = fields->tag_lines + fields->tags.len;
  if (index > 0)
    *end++ = '\n';
  memcpy(end, tag.text, tag.len);
  fields->tags.len = (size_t)(end - fields->tag_lines) + tag.len;
  return true;
}

static bool read_tags(cbor_in value, notes_fields *fields, api_where where) {
  cbor_item head;
  const char *kind = api_kind_name(value);
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_ARRAY)
    return api_fail_kind(where, "tags must be an array of strings, got %s", kind);
  fields->tags = (api_text){fields->tag_lines, 0, true};
  for (size_t i = 0; head.indefinite || i < head.n; i++) {
    cbor_item item;
    if (cbor_peek(&value, &item) != CBOR_OK)
      return api_fail_bytes(where);
    if (head.indefinite && item.kind == CBOR_BREAK)
      return true;
    const uint8_t *bytes;
    size_t len;
    if (cbor_slice(&value, &bytes, &len) != CBOR_OK)
      return api_fail_bytes(where);
    cbor_in tag;
    cbor_in_init(&tag, bytes, len);
    if (!read_tag(tag, i, fields, where))
      return false;
  }
  return true;
}

static bool read_date(cbor_in value, const char *name, int64_t *ms, api_where where) {
  api_text date;
  if (!api_read_text(value, name, 100, &date, where))
    return false;
  if (!notes_date_parse(date.text, date.len, ms))
    return api_fail_kind(where, "%s must be a date like 2026-01-31T12:00:00.000Z, got '%s'", name,
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

static bool fail_key(const char *key, size_t len, unsigned keys, api_where where) {
  char known[80] = "";
  size_t used = 0;
  for (size_t i = 0; i < NOTE_KEYS && used < sizeof known; i++)
    if (note_keys[i].bit & keys)
      used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                               note_keys[i].name);
  return api_fail_kind(where, "unknown key '%s'; there are: %s", api_quoted(key, len).text, known);
}

static bool read_field(size_t key, cbor_in value, notes_fields *fields, api_where where) {
  switch (key) {
  case 0:
    return notes_read_id(value, "id", &fields->id, where);
  case 1:
    return api_read_text(value, "title", NOTES_TITLE_MAX, &fields->title, where);
  case 2:
    return api_read_text(value, "body", NOTES_BODY_MAX, &fields->body, where);
  case 3:
    return read_tags(value, fields, where);
  case 4:
    return read_date(value, "created", &fields->created, where);
  default:
    return read_date(value, "updated", &fields->updated, where);
  }
}

static bool read_pair(const api_pair *next, unsigned keys, unsigned *seen, notes_fields *fields,
                      api_where where) {
  size_t key = 0;
  while (key < NOTE_KEYS && (strlen(note_keys[key].name) != next->len ||
                             memcmp(note_keys[key].name, next->key, next->len) != 0))
    key++;
  if (key == NOTE_KEYS || !(note_keys[key].bit & keys))
    return fail_key(next->key, next->len, keys, where);
  if (*seen & 1u << key)
    return api_fail_kind(where, "key '%s' is given twice", note_keys[key].name);
  *seen |= 1u << key;
  return read_field(key, next->value, fields, where);
}

bool notes_read_fields(cbor_in value, unsigned keys, const char *what, notes_fields *fields,
                       api_where where) {
  fields->id = fields->title = fields->body = fields->tags = (api_text){"", 0, false};
  fields->created = fields->updated = NOTES_NO_DATE;
  cbor_item head;
  const char *kind = api_kind_name(value);
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_MAP)
    return api_fail_kind(where, "%s must be an object, got %s", what, kind);
  unsigned seen = 0;
  for (uint64_t i = 0; api_more_pairs(&value, &head, i); i++) {
    api_pair next;
    if (!api_next_pair(&value, &next, where))
      return false;
    if (!api_is_undefined(next.value) && !read_pair(&next, keys, &seen, fields, where))
      return false;
  }
  return true;
}

/* ---- options ---- */

typedef struct option_reading {
  notes_options *options;
  bool with_after;
  unsigned limit_max;
} option_reading;

static bool read_option(const api_pair *next, void *user, bool *known, api_where where) {
  const option_reading *reading = user;
  if (api_is_key(next, "limit"))
    return api_read_limit(next->value, reading->limit_max, &reading->options->limit, where);
  *known = reading->with_after && api_is_key(next, "after");
  return !*known || api_is_kind(next->value, CBOR_NULL) || /* as `next` is at the end */
         notes_read_id(next->value, "after", &reading->options->after, where);
}

bool notes_read_options(cbor_in value, bool with_after, unsigned limit_default, unsigned limit_max,
                        notes_options *options, api_where where) {
  option_reading reading = {options, with_after, limit_max};
  *options = (notes_options){limit_default, {"", 0, false}};
  return api_read_options(value, with_after ? "limit, after" : "limit", read_option, &reading,
                          where);
}
