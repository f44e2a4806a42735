/* Operations that the host registered, and which of them a run may call. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "host/schema.h"
#include "host/session_int.h"

#define NAME_BYTES_MAX 64u
#define HOUR_MS 3600000u
#define DAY_MS 86400000u

typedef struct operation_fields {
  field_text name, description;
  field_value parameters, result, policy;
} operation_fields;

static const field_spec operation_specs[] = {
    {"name", FIELD_TEXT, true, offsetof(operation_fields, name), 0, 0},
    {"description", FIELD_TEXT, false, offsetof(operation_fields, description), 0, 0},
    {"parameters", FIELD_VALUE, false, offsetof(operation_fields, parameters), 0, 0},
    {"result", FIELD_VALUE, false, offsetof(operation_fields, result), 0, 0},
    {"policy", FIELD_VALUE, false, offsetof(operation_fields, policy), 0, 0},
};

typedef struct parameter_fields {
  field_text name, description;
  field_value schema;
  bool optional;
} parameter_fields;

static const field_spec parameter_specs[] = {
    {"name", FIELD_TEXT, true, offsetof(parameter_fields, name), 0, 0},
    {"description", FIELD_TEXT, false, offsetof(parameter_fields, description), 0, 0},
    {"schema", FIELD_VALUE, false, offsetof(parameter_fields, schema), 0, 0},
    {"optional", FIELD_BOOL, false, offsetof(parameter_fields, optional), 0, 0},
};

/* host_policy, by its names. */
typedef struct policy_fields {
  uint64_t timeout_ms, attempts, backoff_ms, backoff_max_ms, concurrent_max, queue_max, priority,
      cache_ms, cache_error_ms, cache_bytes;
  bool single_flight, idempotent;
} policy_fields;

#define POLICY(field, min, max)                                                                    \
  { #field, FIELD_NUMBER, false, offsetof(policy_fields, field), min, max }

static const field_spec policy_specs[] = {
    POLICY(timeout_ms, 1, DAY_MS),
    POLICY(attempts, 1, 100),
    POLICY(backoff_ms, 0, HOUR_MS),
    POLICY(backoff_max_ms, 0, HOUR_MS),
    POLICY(concurrent_max, 1, CALLS_MAX),
    POLICY(queue_max, 1, 1000000),
    POLICY(priority, 0, 255),
    POLICY(cache_ms, 0, DAY_MS),
    POLICY(cache_error_ms, 0, DAY_MS),
    POLICY(cache_bytes, 0, 1u << 30),
    {"single_flight", FIELD_BOOL, false, offsetof(policy_fields, single_flight), 0, 0},
    {"idempotent", FIELD_BOOL, false, offsetof(policy_fields, idempotent), 0, 0},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct registration {
  session *session;
  char where[NAME_BYTES_MAX + 32]; /* what messages begin with */
  char *message;
  size_t size;
} registration;

/* ---- names ---- */

static size_t identifier_len(const char *text, size_t len) {
  size_t i = 0;
  for (; i < len; i++) {
    char c = text[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    if (!letter && (i == 0 || c < '0' || c > '9'))
      break;
  }
  return i;
}

static bool is_reserved(const char *name, size_t len) {
  static const char *const reserved[] = {
      "arguments", "await",      "break",   "case",    "catch",      "class",     "const",
      "continue",  "debugger",   "default", "delete",  "do",         "else",      "enum",
      "eval",      "export",     "extends", "false",   "finally",    "for",       "function",
      "if",        "implements", "import",  "in",      "instanceof", "interface", "let",
      "new",       "null",       "package", "private", "protected",  "public",    "return",
      "static",    "super",      "switch",  "this",    "throw",      "true",      "try",
      "typeof",    "undefined",  "var",     "void",    "while",      "with",      "yield"};
  field_text text = {name, len};
  for (size_t i = 0; i < COUNT(reserved); i++)
    if (field_same(text, reserved[i]))
      return true;
  return false;
}

/* "search" or "weather.get". */
static bool is_name(field_text name) {
  size_t first = identifier_len(name.text, name.len);
  if (first == 0 || name.len > NAME_BYTES_MAX || is_reserved(name.text, first))
    return false;
  if (first == name.len)
    return true;
  size_t rest = name.len - first - 1;
  return name.text[first] == '.' && rest > 0 && identifier_len(name.text + first + 1, rest) == rest;
}

static bool is_space_of(const char *space, const char *name) {
  size_t len = strlen(space);
  return strncmp(space, name, len) == 0 && name[len] == '.';
}

/* One name, or one that is a function and would be an object as well. */
static bool collides(const char *a, const char *b) {
  return strcmp(a, b) == 0 || is_space_of(a, b) || is_space_of(b, a);
}

static const char *name_at(const session *session, size_t i) {
  return i < session->operations_count
             ? session->operations[i]->name
             : session->options.built_ins[i - session->operations_count].name;
}

static size_t names(const session *session) {
  return session->operations_count + session->options.built_ins_count;
}

static bool is_free_name(const registration *r, const char *name) {
  for (size_t i = 0; i < names(r->session); i++) {
    if (!collides(name, name_at(r->session, i)))
      continue;
    snprintf(r->message, r->size, "%s: there is an operation '%s' already", r->where,
             name_at(r->session, i));
    return false;
  }
  return true;
}

/* ---- one operation ---- */

static bool read_parameter(registration *r, operation *operation, cbor_in in) {
  static const uint8_t anything[] = {0xa0};
  parameter_fields fields = {0};
  uint32_t at = operation->parameters_count;
  if (!fields_read(parameter_specs, COUNT(parameter_specs), in, r->where, &fields, r->message,
                   r->size))
    return false;
  if (identifier_len(fields.name.text, fields.name.len) != fields.name.len ||
      fields.name.len == 0 || fields.name.len >= sizeof operation->parameters[0].name ||
      is_reserved(fields.name.text, fields.name.len)) {
    snprintf(r->message, r->size, "%s: '%s' is no name for a parameter", r->where,
             api_quoted(fields.name.text, fields.name.len).text);
    return false;
  }
  if (fields.schema.given && !schema_valid(fields.schema.in, r->where, r->message, r->size))
    return false;
  if (at > 0 && operation->parameters[at - 1].optional && !fields.optional) {
    snprintf(r->message, r->size, "%s: a parameter behind an optional one must be optional, too",
             r->where);
    return false;
  }
  if (!fields.schema.given)
    cbor_in_init(&fields.schema.in, anything, sizeof anything);
  snprintf(operation->parameters[at].name, sizeof operation->parameters[at].name, "%.*s",
           (int)fields.name.len, fields.name.text);
  operation->parameters[at].schema = fields.schema.in;
  operation->parameters[at].optional = fields.optional;
  operation->parameters_count++;
  return true;
}

static bool read_parameters(registration *r, operation *operation, cbor_in list) {
  each items;
  cbor_kind kind;
  cbor_in item;
  if (!each_begin(&items, list, &kind) || kind != CBOR_ARRAY) {
    snprintf(r->message, r->size, "%s: parameters must be a list", r->where);
    return false;
  }
  while (each_item(&items, &item)) {
    if (operation->parameters_count == PARAMETERS_MAX) {
      snprintf(r->message, r->size, "%s: more than %u parameters", r->where, PARAMETERS_MAX);
      return false;
    }
    if (!read_parameter(r, operation, item))
      return false;
  }
  return true;
}

static bool read_policy(registration *r, operation *operation, cbor_in in) {
  policy_fields fields = {0};
  if (!fields_read(policy_specs, COUNT(policy_specs), in, r->where, &fields, r->message, r->size))
    return false;
  operation->kind.policy = (host_policy){.timeout_ms = fields.timeout_ms,
                                         .attempts = (uint32_t)fields.attempts,
                                         .backoff_ms = fields.backoff_ms,
                                         .backoff_max_ms = fields.backoff_max_ms,
                                         .concurrent_max = (uint32_t)fields.concurrent_max,
                                         .queue_max = (uint32_t)fields.queue_max,
                                         .priority = (uint8_t)fields.priority,
                                         .cache_ms = fields.cache_ms,
                                         .cache_error_ms = fields.cache_error_ms,
                                         .cache_bytes = (size_t)fields.cache_bytes,
                                         .single_flight = fields.single_flight,
                                         .idempotent = fields.idempotent};
  return true;
}

static bool fill(registration *r, operation *operation, cbor_in in) {
  operation_fields fields = {0};
  if (!fields_read(operation_specs, COUNT(operation_specs), in, r->where, &fields, r->message,
                   r->size))
    return false;
  if (!is_name(fields.name)) {
    snprintf(r->message, r->size,
             "%s: '%s' is no name for an operation: it must be as search or weather.get, of at "
             "most %u letters, digits, _ and $",
             r->where, api_quoted(fields.name.text, fields.name.len).text, NAME_BYTES_MAX);
    return false;
  }
  operation->name = mem_text(r->session->options.allocator, fields.name.text, fields.name.len);
  if (!operation->name) {
    snprintf(r->message, r->size, "%s: out of memory", r->where);
    return false;
  }
  snprintf(r->where, sizeof r->where, "register: %s", operation->name);
  operation->description = fields.description;
  operation->result = fields.result;
  return is_free_name(r, operation->name) &&
         (!fields.parameters.given || read_parameters(r, operation, fields.parameters.in)) &&
         (!fields.result.given || schema_valid(fields.result.in, r->where, r->message, r->size)) &&
         (!fields.policy.given || read_policy(r, operation, fields.policy.in));
}

/* What runs share of it: queue, places, answers that are kept. */
static bool open_kind(registration *r, operation *operation) {
  operation->kind.name = operation->name;
  operation->kind.arguments = operation->parameters_count;
  operation->kind.start = calls_start;
  operation->kind.stop = calls_stop;
  operation->kind.user = operation;
  if (host_kinds_open(r->session->options.shard, &operation->kind, 1))
    return true;
  snprintf(r->message, r->size, "%s: out of memory", r->where);
  return false;
}

static void free_operation(operation *operation) {
  const vow_allocator *allocator = operation->session->options.allocator;
  host_kinds_close(&operation->kind, 1);
  mem_free(allocator, operation->name);
  mem_free(allocator, operation->bytes);
  mem_free(allocator, operation);
}

static operation *new_operation(session *session, cbor_in in) {
  const vow_allocator *allocator = session->options.allocator;
  cbor_in end = in;
  operation *operation = mem_new(allocator, 1, sizeof *operation);
  if (!operation || cbor_skip(&end) != CBOR_OK)
    return operation;
  size_t len = (size_t)(end.at - in.at);
  operation->session = session;
  operation->bytes = mem_resize(allocator, NULL, len, 1);
  if (!operation->bytes) {
    free_operation(operation);
    return NULL;
  }
  memcpy(operation->bytes, in.at, len);
  return operation;
}

/* ---- all of a request ---- */

static bool make_room(session *session) {
  if (session->operations)
    return true;
  session->operations =
      mem_new(session->options.allocator, OPERATIONS_MAX, sizeof *session->operations);
  return session->operations != NULL;
}

static bool add(registration *r, cbor_in in) {
  session *session = r->session;
  operation *operation = NULL;
  cbor_in own;
  if (session->operations_count == OPERATIONS_MAX) {
    snprintf(r->message, r->size, "register: more than %u operations", OPERATIONS_MAX);
    return false;
  }
  if (!make_room(session) || !(operation = new_operation(session, in))) {
    snprintf(r->message, r->size, "register: out of memory");
    return false;
  }
  cbor_in end = in;
  cbor_skip(&end);
  cbor_in_init(&own, operation->bytes, (size_t)(end.at - in.at));
  snprintf(r->where, sizeof r->where, "register: operation %zu", session->operations_count + 1);
  if (!fill(r, operation, own) || !open_kind(r, operation)) {
    free_operation(operation);
    return false;
  }
  session->operations[session->operations_count++] = operation;
  return true;
}

bool operations_register(session *session, cbor_in params, size_t *count, char *message,
                         size_t message_size) {
  static const field_spec list_specs[] = {{"operations", FIELD_VALUE, true, 0, 0, 0}};
  registration r = {.session = session, .message = message, .size = message_size};
  field_value list = {0};
  each items;
  cbor_kind kind;
  cbor_in item;
  size_t before = session->operations_count;
  if (!fields_read(list_specs, 1, params, "register", &list, message, message_size))
    return false;
  if (!each_begin(&items, list.in, &kind) || kind != CBOR_ARRAY) {
    snprintf(message, message_size, "register: operations must be a list");
    return false;
  }
  while (each_item(&items, &item)) {
    if (add(&r, item))
      continue;
    while (session->operations_count > before)
      free_operation(session->operations[--session->operations_count]);
    return false;
  }
  *count = session->operations_count - before;
  return true;
}

void operations_end(session *session) {
  for (size_t i = 0; i < session->operations_count; i++)
    host_kinds_close(&session->operations[i]->kind, 1);
}

void operations_free(session *session) {
  const vow_allocator *allocator = session->options.allocator;
  while (session->operations_count > 0)
    free_operation(session->operations[--session->operations_count]);
  mem_free(allocator, session->operations);
  while (session->grants) {
    grant *grant = session->grants;
    session->grants = grant->next;
    mem_free(allocator, grant->kinds);
    mem_free(allocator, grant);
  }
}

/* ---- what a run may call ---- */

static bool fail_entry(const session *session, field_text entry, char *message, size_t size) {
  int used = snprintf(message, size, "allow: there is no operation '%s'; there are: ",
                      api_quoted(entry.text, entry.len).text);
  for (size_t i = 0; i < names(session) && used >= 0 && (size_t)used < size; i++)
    used +=
        snprintf(message + used, size - (size_t)used, "%s%s", i ? ", " : "", name_at(session, i));
  return false;
}

static bool mark(const session *session, field_text entry, bool *allowed, char *message,
                 size_t size) {
  bool any = false;
  for (size_t i = 0; i < names(session); i++)
    if (api_glob_matches(entry.text, entry.len, name_at(session, i)))
      any = allowed[i] = true;
  return any || fail_entry(session, entry, message, size);
}

/* Without a list: all that was registered, and nothing that is built in. */
static bool mark_all(const session *session, field_value allow, bool *allowed, char *message,
                     size_t size) {
  each items;
  cbor_kind kind;
  cbor_in item, look = allow.in;
  cbor_item head;
  field_text entry;
  if (!allow.given || (cbor_peek(&look, &head) == CBOR_OK && head.kind == CBOR_NULL)) {
    memset(allowed, true, session->operations_count * sizeof *allowed);
    return true;
  }
  if (!each_begin(&items, allow.in, &kind) || kind != CBOR_ARRAY) {
    snprintf(message, size, "allow: must be a list of names and globs, such as [\"weather.*\"]");
    return false;
  }
  while (each_item(&items, &item)) {
    if (!field_is_text(item, &entry)) {
      snprintf(message, size, "allow: must be a list of strings");
      return false;
    }
    if (!mark(session, entry, allowed, message, size))
      return false;
  }
  return true;
}

static const grant *find_grant(const session *session, const bool *allowed, size_t len) {
  /* One that was made before others were registered does not allow them. */
  for (const grant *grant = session->grants; grant; grant = grant->next)
    if (grant->len == len && memcmp(grant->allowed, allowed, len * sizeof *allowed) == 0)
      return grant;
  return NULL;
}

static const grant *new_grant(session *session, const bool *allowed, size_t len) {
  const vow_allocator *allocator = session->options.allocator;
  if (session->grants_count == GRANTS_MAX)
    return NULL;
  grant *grant = mem_resize(allocator, NULL, 1, sizeof *grant + len * sizeof *allowed);
  host_kind *kinds = mem_new(allocator, len ? len : 1, sizeof *kinds);
  if (!grant || !kinds) {
    mem_free(allocator, grant);
    mem_free(allocator, kinds);
    return NULL;
  }
  *grant = (struct grant){.next = session->grants, .kinds = kinds, .len = len};
  if (len)
    memcpy(grant->allowed, allowed, len * sizeof *allowed);
  for (size_t i = 0; i < len; i++)
    if (allowed[i])
      kinds[grant->count++] = i < session->operations_count
                                  ? session->operations[i]->kind
                                  : session->options.built_ins[i - session->operations_count];
  session->grants = grant;
  session->grants_count++;
  return grant;
}

const grant *operations_grant(session *session, field_value allow, char *message,
                              size_t message_size) {
  size_t len = names(session);
  const grant *grant = NULL;
  bool *allowed = mem_new(session->options.allocator, len ? len : 1, sizeof *allowed);
  if (!allowed) {
    snprintf(message, message_size, "allow: out of memory");
    return NULL;
  }
  if (mark_all(session, allow, allowed, message, message_size)) {
    grant = find_grant(session, allowed, len);
    if (!grant)
      grant = new_grant(session, allowed, len);
    if (!grant)
      snprintf(message, message_size, "allow: out of memory, or more than %u different lists",
               GRANTS_MAX);
  }
  mem_free(session->options.allocator, allowed);
  return grant;
}
