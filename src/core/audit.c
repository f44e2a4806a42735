#include "core/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sha2.h>

#include "core/json.h"
#include "core/utf8.h"

/* The fields of the chain stand at the ends of a line. */
#define HEAD "{\"seq\":"
#define PREVIOUS ",\"previous\":\""
#define HASH ",\"hash\":\""
#define TAIL "\"}"
/* What is hashed ends with the quote behind `previous`. */
#define CHAIN_LEN                                                                                  \
  (sizeof PREVIOUS - 1 + AUDIT_HASH_LEN + 1 + sizeof HASH - 1 + AUDIT_HASH_LEN + sizeof TAIL - 1)

/* ---- hashes ---- */

static void put_hex(char *hex, const uint8_t *bytes, size_t len) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    hex[2 * i] = digits[bytes[i] >> 4];
    hex[2 * i + 1] = digits[bytes[i] & 15];
  }
  hex[2 * len] = 0;
}

void audit_id(char id[AUDIT_ID_LEN + 1], const uint8_t random[AUDIT_ID_LEN / 2]) {
  put_hex(id, random, AUDIT_ID_LEN / 2);
}

static void hash_of(const char *bytes, size_t len, char hex[AUDIT_HASH_LEN + 1]) {
  uint8_t sum[SHA256_DIGEST_LENGTH];
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, (const uint8_t *)bytes, len);
  SHA256Final(sum, &context);
  put_hex(hex, sum, sizeof sum);
}

bool audit_is_hash(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
      return false;
  return len == AUDIT_HASH_LEN;
}

/* ---- one line ---- */

static void put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

static size_t cut(const char *text) {
  size_t len = strnlen(text, AUDIT_TEXT_MAX + 1), at = 0;
  if (len <= AUDIT_TEXT_MAX)
    return len;
  for (;;) {
    size_t step = utf8_next((const uint8_t *)text + at, len - at, false).len;
    if (at + step > AUDIT_TEXT_MAX)
      return at;
    at += step;
  }
}

static void put_text(cbor_out *out, const char *key, const char *text) {
  if (!text)
    return;
  put(out, key);
  json_put_string(out, text, cut(text));
}

static void put_number(cbor_out *out, const char *key, uint64_t value) {
  char text[32];
  if (!value)
    return;
  snprintf(text, sizeof text, "%" PRIu64, value);
  put(out, key);
  put(out, text);
}

static void put_ms(cbor_out *out, const char *key, uint64_t ns) {
  char text[48];
  snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64, ns / 1000000, ns / 1000 % 1000);
  put(out, key);
  put(out, text);
}

static void put_time(cbor_out *out, uint64_t ms) {
  char text[64];
  struct tm tm;
  time_t seconds = (time_t)(ms / 1000);
  if (!gmtime_r(&seconds, &tm))
    return;
  size_t used = strftime(text, sizeof text, ",\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(text + used, sizeof text - used, ".%03uZ\"", (unsigned)(ms % 1000));
  put(out, text);
}

static void put_event(cbor_out *out, const audit_event *event) {
  put_time(out, event->time_ms);
  put_ms(out, ",\"at_ms\":", event->at_ns);
  put_text(out, ",\"run\":", event->run);
  put_text(out, ",\"parent\":", event->parent);
  put_text(out, ",\"tenant\":", event->tenant);
  put_text(out, ",\"event\":", event->event);
  put_number(out, ",\"operation\":", event->operation);
  put_text(out, ",\"name\":", event->name);
  put_text(out, ",\"detail\":", event->detail);
  put_number(out, ",\"attempt\":", event->attempt);
  put_text(out, ",\"state\":", event->state);
  put_text(out, ",\"error\":", event->error);
  if (event->aged)
    put_ms(out, ",\"age_ms\":", event->age_ns);
  put_text(out, ",\"outcome\":", event->outcome);
  put_text(out, ",\"kind\":", event->kind);
  put_number(out, ",\"count\":", event->count);
  if (event->security)
    put(out, ",\"security\":true");
}

static bool put_line(audit *audit, const audit_event *event) {
  uint8_t bytes[AUDIT_LINE_MAX];
  char hash[AUDIT_HASH_LEN + 1];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  put_number(&out, HEAD, audit->lines + 1);
  put_event(&out, event);
  put(&out, PREVIOUS);
  put(&out, audit->last);
  put(&out, "\"");
  hash_of((const char *)bytes, out.len, hash);
  put(&out, HASH);
  put(&out, hash);
  put(&out, TAIL "\n");
  if (out.status != CBOR_OK || !audit->sink(audit->user, (const char *)bytes, out.len))
    return false;
  audit->lines++;
  memcpy(audit->last, hash, sizeof hash);
  return true;
}

/* ---- the chain ---- */

void audit_init(audit *audit, audit_sink *sink, void *user) {
  *audit = (struct audit){.sink = sink, .user = user};
  memset(audit->last, '0', AUDIT_HASH_LEN);
}

bool audit_continue(audit *audit, const char *line, size_t len) {
  audit_line read;
  bool fits;
  if (len > 0 && line[len - 1] == '\n')
    len--;
  if (!audit_read_line(line, len, &read, &fits) || !fits)
    return false;
  audit->lines = read.seq;
  memcpy(audit->last, read.hash, sizeof read.hash);
  return true;
}

bool audit_put_dropped(audit *audit, const audit_event *event) {
  if (audit->untold == 0)
    return true;
  const audit_event dropped = {.event = "dropped",
                               .time_ms = event->time_ms,
                               .at_ns = event->at_ns,
                               .run = event->run,
                               .parent = event->parent,
                               .tenant = event->tenant,
                               .count = audit->untold,
                               .security = true};
  if (!put_line(audit, &dropped))
    return false;
  audit->untold = 0;
  return true;
}

bool audit_put(audit *audit, const audit_event *event) {
  if (audit_put_dropped(audit, event) && put_line(audit, event))
    return true;
  audit->dropped++;
  audit->untold++;
  return false;
}

/* ---- reading ---- */

static bool take(const char **at, const char *end, const char *text) {
  size_t len = strlen(text);
  if ((size_t)(end - *at) < len || memcmp(*at, text, len) != 0)
    return false;
  *at += len;
  return true;
}

static bool take_hash(const char **at, const char *end, char hash[AUDIT_HASH_LEN + 1]) {
  if ((size_t)(end - *at) < AUDIT_HASH_LEN || !audit_is_hash(*at, AUDIT_HASH_LEN))
    return false;
  memcpy(hash, *at, AUDIT_HASH_LEN);
  hash[AUDIT_HASH_LEN] = 0;
  *at += AUDIT_HASH_LEN;
  return true;
}

static bool take_number(const char **at, const char *end, uint64_t *number) {
  *number = 0;
  if (*at == end || **at < '1' || **at > '9')
    return false;
  for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
    unsigned digit = (unsigned)(**at - '0');
    if (*number > (UINT64_MAX - 1 - digit) / 10)
      return false;
    *number = *number * 10 + digit;
  }
  return *at < end && **at == ',';
}

bool audit_read_line(const char *line, size_t len, audit_line *read, bool *fits) {
  const char *at = line, *end = line + len;
  char hash[AUDIT_HASH_LEN + 1];
  if (len > AUDIT_LINE_MAX || !take(&at, end, HEAD) || !take_number(&at, end, &read->seq) ||
      (size_t)(end - at) < CHAIN_LEN)
    return false;
  at = end - CHAIN_LEN;
  if (!take(&at, end, PREVIOUS) || !take_hash(&at, end, read->previous) || !take(&at, end, "\""))
    return false;
  size_t hashed = (size_t)(at - line);
  if (!take(&at, end, HASH) || !take_hash(&at, end, read->hash) || !take(&at, end, TAIL))
    return false;
  hash_of(line, hashed, hash);
  *fits = memcmp(hash, read->hash, AUDIT_HASH_LEN) == 0;
  return true;
}
