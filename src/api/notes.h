/* Notes: {id, title, body, tags, created, updated}, each inside a vault, a
 * namespace that a call cannot leave.
 *
 * - Ids are texts of 1 to NOTES_ID_MAX bytes without control characters; an id
 *   that notes.create makes up is a UUID of version 7, so that such notes list
 *   in the order they were made. Lists go by the bytes of the id.
 * - A page of a list, and a search, end early when they pass NOTES_PAGE_BYTES;
 *   `next` of the list says whether there is more.
 * - Search: the text is split at white space, and a note matches when its title,
 *   tags and body together have every piece. A piece matches at the start of a
 *   word ("wor" finds "world"); case and accents are ignored; words are runs of
 *   letters and digits, so "foo-bar" finds "foo" followed by "bar" and signs
 *   find nothing. No text has a special meaning. Order: words found in titles
 *   count most, then in tags, then in bodies; then the note changed last.
 * - notes.create needs a title or a body, the other is ""; notes.update needs at
 *   least one of title, body, tags. Keys whose value is undefined count as absent.
 *   Unknown keys are errors. `updated` never goes back, whatever the clock does.
 * - Errors: TypeError (a wrong kind of value, an unknown key), RangeError (too
 *   long, too many, out of range), NotFoundError, ConflictError, ApiError with
 *   SQLite's code. */
#ifndef VOW_API_NOTES_H
#define VOW_API_NOTES_H

#include "api/api.h"
#include "core/mem.h"

#define NOTES_VAULT_DEFAULT "default"
#define NOTES_VAULT_MAX 100
#define NOTES_ID_MAX 200
#define NOTES_TITLE_MAX 1000
#define NOTES_BODY_MAX (1 << 20)
#define NOTES_TAGS_MAX 64
#define NOTES_TAG_MAX 100
#define NOTES_LIST_DEFAULT 100
#define NOTES_LIST_MAX 1000
#define NOTES_SEARCH_DEFAULT 20
#define NOTES_SEARCH_MAX 1000
#define NOTES_QUERY_MAX 1000
#define NOTES_QUERY_WORDS_MAX 32
#define NOTES_PAGE_BYTES (4 << 20)

api_handler notes_create, notes_delete, notes_get, notes_list, notes_search, notes_update;
/* One statement for all. */
api_batch_handler notes_get_batch;

/* Whether `vault` is 1 to NOTES_VAULT_MAX bytes of UTF-8 without control
 * characters; else false with a message that starts with the name. */
bool notes_vault_check(const char *vault, char *message, size_t message_size);

/* ---- many notes in one transaction, for programs that fill a database ---- */

typedef struct notes_import notes_import;

/* Starts a write transaction: others wait until notes_import_end(). NULL with
 * `error` filled. `stop` may be NULL; the strings are borrowed. */
notes_import *notes_import_begin(db *store, const char *vault, const vow_allocator *allocator,
                                 const atomic_bool *stop, api_error *error);

typedef struct notes_put {
  char id[NOTES_ID_MAX + 1];
  bool created; /* false: it replaced a note */
} notes_put;

/* One note as a line of JSON {id?, title, body, tags}: makes or replaces it as
 * a whole. `created` and `updated`, as notes.list prints them, are kept for a new
 * note; a replaced one keeps its `created` and is updated now. False with
 * `error` filled; the import can only be ended then. */
bool notes_import_put(notes_import *import, const char *json, size_t len, notes_put *put,
                      api_error *error);
/* Deletes one note; NotFoundError when there is none. */
bool notes_import_delete(notes_import *import, const char *id, size_t len, api_error *error);
/* Commits when `keep`, else undoes everything, and frees the import. True only
 * if the changes are in the database. */
bool notes_import_end(notes_import *import, bool keep, api_error *error);

#endif
