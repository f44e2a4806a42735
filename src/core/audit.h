/* An audit trail: lines of JSON, one event each, chained by SHA-256.
 *
 *   {"seq":2,"time":"2026-01-31T12:00:00.000Z","at_ms":0.412,"run":"...",
 *    "tenant":"...","event":"created","operation":1,"name":"notes.get",
 *    "previous":"<64 hex>","hash":"<64 hex>"}
 *
 * `hash` is the SHA-256 of the line's bytes before `,"hash":`, which hold the
 * hash of the line before it in `previous` (64 zeros in the first line) and its
 * place in `seq`, from 1. So a line that was altered, removed or moved is found by
 * whoever reads the file, and a cut end by whoever knows the last hash.
 *
 * No I/O and no clock here: lines go to a sink, times come with the events. One
 * thread at a time. */
#ifndef VOW_CORE_AUDIT_H
#define VOW_CORE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_HASH_LEN 64u   /* hex digits */
#define AUDIT_LINE_MAX 8192u /* bytes, with the newline */
/* Bytes of one text; what is longer is cut at a character. Nine texts of bytes that
 * take six each in JSON fit into a line, beside ids of runs. */
#define AUDIT_TEXT_MAX 128u

/* Takes one whole line, with its newline. False when it has no room: then the
 * event is dropped and counted. Must not call the audit. */
typedef bool audit_sink(void *user, const char *line, size_t len);

typedef struct audit {
  audit_sink *sink;
  void *user;
  uint64_t lines; /* in the chain: the `seq` of the last one */
  char last[AUDIT_HASH_LEN + 1];
  uint64_t dropped; /* events that the sink had no room for */
  uint64_t untold;  /* of these, not yet told by a line `dropped` */
} audit;

/* Texts are UTF-8; NULL and 0 leave a field out, but `at_ns`. */
typedef struct audit_event {
  const char *event; /* "created" */
  uint64_t time_ms;  /* wall clock, milliseconds since 1970 */
  uint64_t at_ns;    /* monotonic, since the run was opened */
  const char *run, *parent, *tenant;
  uint64_t operation;        /* its number in the run, from 1 */
  const char *name, *detail; /* "fetch"; "api.example.com" */
  uint32_t attempt;
  const char *state, *error; /* "rejected"; "NotFoundError" */
  bool aged;                 /* `age_ns` is given */
  uint64_t age_ns;           /* since the operation was created */
  const char *outcome, *kind;
  uint64_t count;
  bool security;
} audit_event;

#define AUDIT_ID_LEN 32u
/* The id of a run, from so much of chance. */
void audit_id(char id[AUDIT_ID_LEN + 1], const uint8_t random[AUDIT_ID_LEN / 2]);

/* Begins a chain. */
void audit_init(audit *audit, audit_sink *sink, void *user);
/* Goes on with the chain that ends in `line` (with or without its newline); false
 * when that is no line of a chain, or its hash does not fit. */
bool audit_continue(audit *audit, const char *line, size_t len);
/* One line for `event`, and before it one `dropped` for those that were lost. False
 * when the event was dropped. */
bool audit_put(audit *audit, const audit_event *event);
/* Tells of dropped events that no line has told of, at the time of `event`, whose
 * run and tenant are given; false when there is still no room. */
bool audit_put_dropped(audit *audit, const audit_event *event);

/* ---- checking ---- */

typedef enum {
  AUDIT_WHOLE,
  AUDIT_ALTERED,   /* a line is not what was written */
  AUDIT_REMOVED,   /* lines are missing before this one */
  AUDIT_REORDERED, /* this line stands in another place than it was written in */
  AUDIT_CUT,       /* the end is missing */
} audit_finding;

const char *audit_finding_text(audit_finding finding);

/* Checks a file piece by piece, in bounded memory. The first finding counts. */
typedef struct audit_check {
  audit_finding finding;
  uint64_t line;  /* of the finding, from 1; AUDIT_CUT: the last one there is */
  char why[160];  /* one line, with a finding */
  uint64_t lines; /* read so far and found whole */
  char last[AUDIT_HASH_LEN + 1];
  uint64_t after; /* lines after the wanted one, when it was seen */
  /* private */
  const char *wanted;
  bool seen;
  uint64_t missing, missing_found; /* `seq` looked for behind a gap; how many lines lack */
  uint64_t read;
  size_t used;
  char text[AUDIT_LINE_MAX];
} audit_check;

/* `last`: a hash that must be there, 64 lower-case hex digits, or NULL; borrowed. */
void audit_check_begin(audit_check *check, const char *last);
void audit_check_feed(audit_check *check, const char *bytes, size_t len);
/* The end of the file. */
audit_finding audit_check_end(audit_check *check);

/* Whether `text` is a hash as lines hold them. */
bool audit_is_hash(const char *text, size_t len);

/* ---- what a line says; for the files of the audit ---- */

typedef struct audit_line {
  uint64_t seq;
  char previous[AUDIT_HASH_LEN + 1], hash[AUDIT_HASH_LEN + 1];
} audit_line;

/* Reads the chain's fields of a line without its newline; false when they are not
 * there. `*fits`: whether its hash is that of its text. */
bool audit_read_line(const char *line, size_t len, audit_line *read, bool *fits);

#endif
