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
      cache_ms, cache_error_ms, cache_bytes, batch_max, batch_window_ms;
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
    POLICY(batch_max, 2, OP_BATCH_MAX),
    POLICY(batch_window_ms, 0, HOUR_MS),
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

static bool is_free_name(const registration *r, const char *name) {
  const host_kind *taken = api_registry_taken(&r->session->registry, name);
  if (taken)
    snprintf(r->message, r->size, "%s: there is an operation '%s' already", r->where, taken->name);
  return !taken;
}

/* ---- one operation ---- */

static bool read_parameter(registration *r, operation *operation, cbor_in in) {
  static const uint8_t anything[] = {0xa0};
  parameter_fields fields = {0};
  uint32_t at = operation->parameters_count;
  if (!fields_read(parameter_specs, COUNT(parameter_specs), in, r->where, &fields, r->message,
                   r->size))
    return false;
  if (fields.name.len >= sizeof operation->parameters[0].name ||
      !api_identifier_valid(fields.name.text, fields.name.len)) {
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
  if (fields.batch_window_ms && !fields.batch_max) {
    snprintf(r->message, r->size, "%s: batch_window_ms goes with batch_max", r->where);
    return false;
  }
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
                                         .batch_max = (uint32_t)fields.batch_max,
                                         .batch_window_ms = fields.batch_window_ms,
                                         .idempotent = fields.idempotent};
  const char *fault = host_policy_fault(&operation->kind.policy);
  if (fault)
    snprintf(r->message, r->size, "%s: %s", r->where, fault);
  return !fault;
}

static bool fill(registration *r, operation *operation, cbor_in in) {
  operation_fields fields = {0};
  if (!fields_read(operation_specs, COUNT(operation_specs), in, r->where, &fields, r->message,
                   r->size))
    return false;
  if (fields.name.len > NAME_BYTES_MAX || !api_name_valid(fields.name.text, fields.name.len)) {
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
  if (operation->kind.policy.batch_max)
    operation->kind.start_batch = calls_start_batch;
  operation->kind.user = operation;
  if (host_kinds_open(r->session->options.shard, &operation->kind, 1) &&
      api_registry_add(&r->session->registry, &operation->kind))
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

static bool add(registration *r, cbor_in in) {
  session *session = r->session;
  operation *operation = NULL;
  cbor_in own;
  if (session->operations_count == OPERATIONS_MAX) {
    snprintf(r->message, r->size, "register: more than %u operations", OPERATIONS_MAX);
    return false;
  }
  if (!(operation = new_operation(session, in))) {
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
  operation->next = session->operations;
  session->operations = operation;
  session->operations_count++;
  return true;
}

/* Of those that were just registered: no run knows them. */
static void forget_down_to(session *session, size_t count) {
  while (session->operations_count > count) {
    operation *operation = session->operations;
    session->operations = operation->next;
    session->operations_count--;
    free_operation(operation);
  }
  api_registry_cut(&session->registry, session->options.built_ins_count + count);
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
    forget_down_to(session, before);
    return false;
  }
  *count = session->operations_count - before;
  return true;
}

void operations_end(session *session) {
  for (operation *operation = session->operations; operation; operation = operation->next)
    host_kinds_close(&operation->kind, 1);
}

void operations_free(session *session) {
  forget_down_to(session, 0);
  api_registry_free(&session->registry);
}

/* ---- what a run may call ---- */

static bool fail_entry(const api_registry *all, field_text entry, char *message, size_t size) {
  int used = snprintf(message, size, "allow: there is no operation '%s'; there are: ",
                      api_quoted(entry.text, entry.len).text);
  for (size_t i = 0; i < all->count && used >= 0 && (size_t)used < size; i++)
    used +=
        snprintf(message + used, size - (size_t)used, "%s%s", i ? ", " : "", all->kinds[i]->name);
  return false;
}

/* Without a list: all that was registered, and nothing that is built in. */
static bool mark_all(const session *session, size_t known, field_value allow, bool *marks,
                     char *message, size_t size) {
  size_t built_ins = session->options.built_ins_count;
  each items;
  cbor_kind kind;
  cbor_in item, look = allow.in;
  cbor_item head;
  field_text entry;
  if (!allow.given || (cbor_peek(&look, &head) == CBOR_OK && head.kind == CBOR_NULL)) {
    memset(marks + built_ins, true, (known - built_ins) * sizeof *marks);
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
    if (!api_registry_mark(&session->registry, known, entry.text, entry.len, marks))
      return fail_entry(&session->registry, entry, message, size);
  }
  return true;
}

bool operations_grant(session *session, size_t known, field_value allow, grant *grant,
                      char *message, size_t message_size) {
  const vow_allocator *allocator = session->options.allocator;
  bool *marks = mem_new(allocator, known ? known : 1, sizeof *marks);
  bool marked = marks && mark_all(session, known, allow, marks, message, message_size);
  grant->kinds =
      marked ? api_registry_marked(&session->registry, known, marks, &grant->count) : NULL;
  mem_free(allocator, marks);
  if (!grant->kinds && (marked || !marks))
    snprintf(message, message_size, "allow: out of memory");
  return grant->kinds != NULL;
}

void operations_grant_end(session *session, grant *grant) {
  mem_free(session->options.allocator, grant->kinds);
  grant->kinds = NULL;
}
