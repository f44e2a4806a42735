/* TypeScript declarations of what a run may call: for people, and for prompts. */
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "host/schema.h"
#include "host/session_int.h"

#define TYPES_BYTES_MAX ((size_t)4 << 20)
#define CALL_OPTIONS                                                                               \
  "interface CallOptions { timeout?: number; signal?: AbortSignal | null; priority?: "             \
  "\"normal\" | \"low\" }\n"
#define NOTE                                                                                       \
  "interface Note { id: string; title: string; body: string; tags: string[]; created: string; "    \
  "updated: string }\n"

static const operation *registered(const host_kind *kind) {
  return kind->start == calls_start ? kind->user : NULL;
}

static const api_kind *built_in(const host_kind *kind) {
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  size_t i = 0;
  while (i < count && strcmp(kinds[i].name, kind->name) != 0)
    i++;
  return i < count ? &kinds[i] : NULL;
}

/* One line, in which no comment ends. */
static void put_comment(cbor_out *out, const char *indent, const char *text, size_t len) {
  if (len == 0)
    return;
  rpc_put(out, indent);
  rpc_put(out, "/** ");
  for (size_t i = 0; i < len; i++) {
    bool control = (unsigned char)text[i] < 0x20, ends = text[i] == '/' && i && text[i - 1] == '*';
    cbor_put_raw(out, control ? " " : ends ? " /" : text + i, ends ? 2 : 1);
  }
  rpc_put(out, " */\n");
}

static void put_parameters(const operation *operation, cbor_out *out) {
  for (uint32_t i = 0; i < operation->parameters_count; i++) {
    rpc_put(out, operation->parameters[i].name);
    rpc_put(out, operation->parameters[i].optional ? "?: " : ": ");
    schema_put_type(operation->parameters[i].schema, out);
    rpc_put(out, ", ");
  }
}

static void put_signature(const host_kind *kind, cbor_out *out) {
  const operation *operation = registered(kind);
  const api_kind *api = operation ? NULL : built_in(kind);
  bool own_options = api && !api->handler;
  rpc_put(out, "(");
  if (operation) {
    put_parameters(operation, out);
  } else if (api && *api->parameters) {
    rpc_put(out, api->parameters);
    rpc_put(out, own_options ? "" : ", ");
  }
  if (!own_options)
    rpc_put(out, kind->options_last ? "callOptions?: CallOptions" : "options?: CallOptions");
  rpc_put(out, "): Promise<");
  if (operation && operation->result.given)
    schema_put_type(operation->result.in, out);
  else
    rpc_put(out, api ? api->result : "unknown");
  rpc_put(out, ">;\n");
}

static void put_function(const host_kind *kind, const char *indent, const char *before,
                         const char *name, cbor_out *out) {
  const operation *operation = registered(kind);
  const api_kind *api = operation ? NULL : built_in(kind);
  if (operation && operation->description.text)
    put_comment(out, indent, operation->description.text, operation->description.len);
  else if (api)
    put_comment(out, indent, api->doc, strlen(api->doc));
  rpc_put(out, indent);
  rpc_put(out, before);
  rpc_put(out, name);
  put_signature(kind, out);
}

static size_t space_len(const char *name) {
  const char *dot = strchr(name, '.');
  return dot ? (size_t)(dot - name) : 0;
}

static bool same_space(const char *a, const char *b) {
  size_t len = space_len(a);
  return len == space_len(b) && memcmp(a, b, len) == 0;
}

/* All of the space of kind `first`, unless an earlier one has brought it. */
static void put_space(const grant *grant, size_t first, cbor_out *out) {
  const char *name = grant->kinds[first].name;
  for (size_t i = 0; i < first; i++)
    if (same_space(grant->kinds[i].name, name))
      return;
  rpc_put(out, "declare const ");
  cbor_put_raw(out, name, space_len(name));
  rpc_put(out, ": {\n");
  for (size_t i = first; i < grant->count; i++)
    if (same_space(grant->kinds[i].name, name))
      put_function(&grant->kinds[i], "  ", "", grant->kinds[i].name + space_len(name) + 1, out);
  rpc_put(out, "};\n");
}

static void put_all(const grant *grant, cbor_out *out) {
  bool notes = false;
  for (size_t i = 0; i < grant->count; i++)
    notes |= strncmp(grant->kinds[i].name, "notes.", 6) == 0;
  if (grant->count > 0)
    rpc_put(out, CALL_OPTIONS);
  if (notes)
    rpc_put(out, NOTE);
  for (size_t i = 0; i < grant->count; i++) {
    if (space_len(grant->kinds[i].name) > 0)
      put_space(grant, i, out);
    else
      put_function(&grant->kinds[i], "", "declare function ", grant->kinds[i].name, out);
  }
}

void operations_put_types(session *session, const grant *grant, cbor_out *out) {
  cbor_out text;
  cbor_out_init(&text, session->options.allocator, TYPES_BYTES_MAX);
  put_all(grant, &text);
  if (text.status != CBOR_OK)
    session->failed = true;
  rpc_put(out, "{\"types\":");
  json_put_string(out, (const char *)text.data, text.len);
  rpc_put(out, "}");
  cbor_out_free(&text);
}
