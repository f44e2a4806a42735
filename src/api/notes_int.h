/* What the files of the notes share: notes.c (the operations), notes_read.c
 * (arguments), notes_import.c (many at once). */
#ifndef VOW_API_NOTES_INT_H
#define VOW_API_NOTES_INT_H

#include <stdint.h>

#include "api/args.h"
#include "api/db.h"
#include "api/notes.h"

/* ---- arguments (notes_read.c) ---- */

enum {
  NOTES_KEY_ID = 1,
  NOTES_KEY_TITLE = 2,
  NOTES_KEY_BODY = 4,
  NOTES_KEY_TAGS = 8,
  NOTES_KEY_DATES = 16,
};

#define NOTES_NO_DATE INT64_MIN

typedef struct notes_fields {
  api_text id, title, body;
  api_text tags; /* one per line, in tag_lines */
  char tag_lines[NOTES_TAGS_MAX * (NOTES_TAG_MAX + 1)];
  int64_t created, updated; /* milliseconds since 1970, or NOTES_NO_DATE */
} notes_fields;

typedef struct notes_options {
  unsigned limit;
  api_text after;
} notes_options;

bool notes_read_id(cbor_in value, const char *name, api_text *id, api_where where);
bool notes_read_query(cbor_in value, api_text *query, api_where where);
/* `what` names the object in messages: "the note". */
bool notes_read_fields(cbor_in value, unsigned keys, const char *what, notes_fields *fields,
                       api_where where);
bool notes_read_options(cbor_in value, bool with_after, unsigned limit_default, unsigned limit_max,
                        notes_options *options, api_where where);

/* ---- ids and dates (notes_id.c) ---- */

#define NOTES_NEW_ID_LEN 36
#define NOTES_DATE_LEN 24

/* Writes a UUID of version 7 and a zero. False when the system gives no random. */
bool notes_new_id(char id[NOTES_NEW_ID_LEN + 1]);
int64_t notes_now_ms(void);
/* "2026-01-31T12:00:00.000Z"; dates outside the years 0 to 9999 are clamped. */
void notes_date_text(int64_t ms, char text[NOTES_DATE_LEN + 1]);
/* Reads exactly that form. */
bool notes_date_parse(const char *text, size_t len, int64_t *ms);

/* ---- statements (notes.c) ---- */

/* Columns in the order of a note's keys. */
#define NOTE_COLUMNS "id, title, body, tags, created, updated"

/* One row of NOTE_COLUMNS as a note. False when it cannot be read, or the result
 * cannot be kept. */
bool notes_put_row(cbor_out *out, sqlite3_stmt *row, api_error *error);

/* Each writes the note to `out` (NULL: nowhere) and sets `*found` to false,
 * writing nothing, when there is none, or for an insert when the id is in use.
 * `fields->id` must be given. */
bool notes_insert(db_conn *conn, const char *vault, const notes_fields *fields, cbor_out *out,
                  bool *found, api_error *error);
bool notes_change(db_conn *conn, const char *vault, api_text id, const notes_fields *fields,
                  cbor_out *out, bool *found, api_error *error);
bool notes_remove(db_conn *conn, const char *vault, api_text id, bool *found, api_error *error);
bool notes_fail_missing(api_error *error, const char *operation, const char *vault, api_text id);
/* Gives `fields` an id when it has none, kept in `made`. */
bool notes_ensure_id(notes_fields *fields, char made[NOTES_NEW_ID_LEN + 1], api_error *error);

#endif
