/* Objects with known members, as CBOR that core/json_read.h made. */
#ifndef VOW_HOST_FIELDS_H
#define VOW_HOST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"

/* ---- walking containers, definite or not, of checked bytes ---- */

typedef struct each {
  cbor_in in; /* at the next item, or key */
  uint64_t left;
  bool open;
} each;

/* Into an array or a map (behind a tag, too). False when it is neither. */
bool each_begin(each *each, cbor_in container, cbor_kind *kind);
/* Whether another item, or pair, follows at `in`; it is the caller's to read. */
bool each_more(each *each);
/* The next pair's key (NULL: it is no plain text) and value; false at the end. */
bool each_pair(each *each, const char **key, size_t *key_len, cbor_in *value);
/* The next item of an array. */
bool each_item(each *each, cbor_in *item);

/* ---- members into a struct ---- */

typedef struct field_text {
  const char *text; /* NULL: not given; not terminated */
  size_t len;
} field_text;

typedef struct field_value {
  bool given;
  cbor_in in;
} field_value;

typedef enum {
  FIELD_TEXT,   /* field_text */
  FIELD_BOOL,   /* bool */
  FIELD_NUMBER, /* uint64_t, whole, within min and max */
  FIELD_VALUE,  /* field_value */
} field_kind;

typedef struct field_spec {
  const char *name;
  field_kind kind;
  bool needed;
  size_t offset;
  uint64_t min, max;
} field_spec;

/* Reads the members of `object` into `target`, which holds what counts for those
 * that are not given, or null. False with one line that begins with `where`: it is
 * no object, a member is unknown, missing or not what it must be. */
bool fields_read(const field_spec *specs, size_t count, cbor_in object, const char *where,
                 void *target, char *message, size_t message_size);

/* Whether `value` is text; fills `text`. */
bool field_is_text(cbor_in value, field_text *text);
bool field_is_null(cbor_in value);
bool field_same(field_text text, const char *word);

#endif
