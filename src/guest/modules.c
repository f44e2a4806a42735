/* ES modules of files: which file a specifier means, and its source. The rules are
 * those that people know from node; packages are not looked up. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/program.h"

#define MESSAGE_SIZE (3u * PATH_MAX)
#define SHOWN_MAX 200   /* bytes of a specifier in a message */
#define TRACE_MAX 4096u /* bytes; no more importers are told then */
#define DEFERRED "vow:deferred"

/* What is imported imports more, on one stack: what needs room there and is done before
 * or after that keeps to a frame of its own. */
#define OWN_FRAME __attribute__((noinline))

/* What is being imported, and from where. */
typedef struct import_site {
  guest *g;
  const char *importer, *specifier;
} import_site;

/* ---- errors ---- */

static const char *skip_back(const char *from, const char *source) {
  while (from > source && strchr(" \t\r\n", from[-1]))
    from--;
  return from;
}

static bool follows(const char *at, const char *source, const char *word) {
  size_t len = strlen(word);
  return (size_t)(at - source) >= len && memcmp(at - len, word, len) == 0;
}

/* Whether an import begins before the quote at `at`. */
static bool is_import(const char *at, const char *source) {
  at = skip_back(at, source);
  if (at > source && at[-1] == '(')
    return follows(skip_back(at - 1, source), source, "import");
  return follows(at, source, "from") || follows(at, source, "import");
}

/* The line of the importing file that names the specifier; 0: not found. The engine
 * keeps no positions of imports, so this is the first place that looks like one. */
static unsigned line_of(const import_site *at) {
  char message[MESSAGE_SIZE];
  size_t len, wanted = strlen(at->specifier);
  unsigned line = 1;
  if (at->importer[0] != '/')
    return 0; /* standard input, or code of eval */
  char *source = platform_read_module(at->g, at->importer, &len, message, sizeof message);
  char *found = source;
  while (found && (found = strstr(found, at->specifier))) {
    if (found > source && (found[-1] == '"' || found[-1] == '\'') && found[wanted] == found[-1] &&
        is_import(found - 1, source))
      break;
    found += wanted ? wanted : 1;
  }
  for (char *c = source; found && c < found; c++)
    line += *c == '\n';
  free(source);
  return found ? line : 0;
}

static void site_text(const import_site *at, char *text, size_t size) {
  unsigned line = line_of(at);
  if (line)
    snprintf(text, size, "%s:%u", at->importer, line);
  else
    snprintf(text, size, "%s", at->importer);
}

/* Throws an Error with `code`; returns NULL. */
OWN_FRAME __attribute__((format(printf, 3, 4))) static char *
refuse(const import_site *at, const char *code, const char *format, ...) {
  char message[MESSAGE_SIZE], site[PATH_MAX + 32], stack[PATH_MAX + 64];
  va_list arguments;
  va_start(arguments, format);
  int used = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  site_text(at, site, sizeof site);
  snprintf(stack, sizeof stack, "    at %s\n", site);
  if (used >= 0 && (size_t)used < sizeof message)
    snprintf(message + used, sizeof message - (size_t)used, ", imported by %s", site);
  JSContext *ctx = at->g->ctx;
  JSValue error = JS_NewError(ctx);
  if (JS_IsException(error))
    return NULL;
  const int flags = JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE;
  at->g->import_failed = true;
  if (JS_DefinePropertyValueStr(ctx, error, "message", JS_NewString(ctx, message), flags) < 0 ||
      JS_DefinePropertyValueStr(ctx, error, "stack", JS_NewString(ctx, stack), flags) < 0 ||
      JS_DefinePropertyValueStr(ctx, error, "code", JS_NewString(ctx, code),
                                flags | JS_PROP_ENUMERABLE) < 0)
    JS_FreeValue(ctx, error);
  else
    JS_Throw(ctx, error);
  return NULL;
}

/* ---- from specifier to file ---- */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A specifier is a URL: percent signs escape bytes of the name. False for an escaped
 * slash or zero, which no file name holds. */
static bool unescape(char *path) {
  char *to = path;
  for (const char *from = path; *from; from++) {
    int high = *from == '%' ? hex_digit(from[1]) : -1;
    int low = high >= 0 ? hex_digit(from[2]) : -1;
    if (low < 0) {
      *to++ = *from;
      continue;
    }
    char byte = (char)(high * 16 + low);
    if (byte == 0 || byte == '/')
      return false;
    *to++ = byte;
    from += 2;
  }
  *to = 0;
  return true;
}

/* The folder that relative specifiers of `base` start from: where its file is, else
 * (standard input, code of eval) where the process is. */
static bool folder_of(const char *base, char *folder, size_t size) {
  if (base[0] != '/')
    return getcwd(folder, size) != NULL;
  size_t len = (size_t)(strrchr(base, '/') - base);
  if (len >= size)
    return false;
  memcpy(folder, base, len);
  folder[len] = 0;
  return true;
}

static bool is_relative(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strncmp(name, "./", 2) == 0 ||
         strncmp(name, "../", 3) == 0;
}

static char *refuse_other(const import_site *at) {
  const char *why = "packages are not looked up";
  if (strncmp(at->specifier, "vow:", 4) == 0)
    why = "there is no such module of vow";
  else if (strncmp(at->specifier, "node:", 5) == 0)
    why = "modules of node are not here";
  else if (strncmp(at->specifier, "http:", 5) == 0 || strncmp(at->specifier, "https:", 6) == 0 ||
           strncmp(at->specifier, "data:", 5) == 0)
    why = "modules come from local files";
  return refuse(at, "ERR_MODULE_NOT_FOUND",
                "Cannot import '%.*s': %s; what works: './file.js', '../file.mjs', "
                "'/folder/file.js', a file: URL, '" DEFERRED "'",
                SHOWN_MAX, at->specifier, why);
}

/* Takes out "." and ".." of an absolute path, by its text. */
static void straighten(char *path) {
  char *to = path;
  for (const char *from = path; *from;) {
    const char *end = strchrnul(from + 1, '/');
    size_t len = (size_t)(end - from); /* with its slash in front */
    if (len == 3 && from[1] == '.' && from[2] == '.') {
      while (to > path && *--to != '/')
        ;
    } else if (len > 1 && !(len == 2 && from[1] == '.')) {
      memmove(to, from, len);
      to += len;
    }
    from = end;
  }
  if (to == path)
    *to++ = '/';
  *to = 0;
}

/* The part of a file: URL behind its host, which is this machine; NULL: another. */
static const char *url_path(const char *url) {
  url += strlen("file:");
  if (url[0] != '/' || url[1] != '/')
    return url[0] == '/' ? url : NULL;
  url += 2;
  if (strncmp(url, "localhost/", 10) == 0)
    url += strlen("localhost");
  return url[0] == '/' ? url : NULL;
}

/* The file, not yet looked for; NULL with an exception. */
static char *file_of(const import_site *at, char path[PATH_MAX]) {
  const char *name = at->specifier;
  char folder[PATH_MAX] = "";
  bool url = strncmp(name, "file:", 5) == 0;
  if (url && !(name = url_path(name)))
    return refuse(at, "ERR_INVALID_MODULE_SPECIFIER",
                  "Cannot import '%.*s': a file: URL is 'file:///folder/file.js'", SHOWN_MAX,
                  at->specifier);
  if (!url && !is_relative(name) && name[0] != '/')
    return refuse_other(at);
  if (strpbrk(name, "?#"))
    return refuse(at, "ERR_INVALID_MODULE_SPECIFIER",
                  "Cannot import '%.*s': files have no query and no fragment ('?' in a name "
                  "is %%3F, '#' is %%23)",
                  SHOWN_MAX, at->specifier);
  if (name[0] != '/' && !folder_of(at->importer, folder, sizeof folder))
    return refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot import '%.*s': its folder has no path",
                  SHOWN_MAX, at->specifier);
  int len = snprintf(path, PATH_MAX, "%s%s%s", folder, folder[0] ? "/" : "", name);
  if (len < 0 || len >= PATH_MAX)
    return refuse(at, "ERR_INVALID_MODULE_SPECIFIER", "Cannot import '%.*s...': too long a path",
                  SHOWN_MAX, at->specifier);
  if (!unescape(path))
    return refuse(at, "ERR_INVALID_MODULE_SPECIFIER",
                  "Cannot import '%.*s': no file name holds an escaped '/' or zero", SHOWN_MAX,
                  at->specifier);
  straighten(path);
  return path;
}

static char *refuse_missing(const import_site *at, const char *path, int error) {
  static const char *const endings[] = {".js", ".mjs", "/index.js"};
  if (error != ENOENT)
    return refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot find module '%s': %s", path, strerror(error));
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    char other[PATH_MAX + 16];
    snprintf(other, sizeof other, "%s%s", path, endings[i]);
    if (access(other, R_OK) == 0)
      return refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot find module '%s' (did you mean '%.*s%s'?)",
                    path, SHOWN_MAX, at->specifier, endings[i]);
  }
  return refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot find module '%s'", path);
}

/* The engine's: the name a module is known by, so that it is loaded once. */
OWN_FRAME static char *resolve(JSContext *ctx, const char *base, const char *name, void *opaque) {
  guest *g = opaque;
  char path[PATH_MAX], real[PATH_MAX];
  const import_site at = {g, base, name};
  js_free(ctx, g->importer);
  js_free(ctx, g->specifier);
  g->importer = js_strdup(ctx, base);
  g->specifier = js_strdup(ctx, name);
  if (!g->importer || !g->specifier)
    return NULL;
  if (strcmp(name, DEFERRED) == 0)
    return js_strdup(ctx, name);
  if (!file_of(&at, path))
    return NULL;
  return realpath(path, real) ? js_strdup(ctx, real) : refuse_missing(&at, path, errno);
}

/* ---- loading ---- */

/* A module with one export, by the name under which `init` sets it. Takes `value`. */
static JSModuleDef *module_of(JSContext *ctx, const char *name, const char *exported,
                              JSModuleInitFunc *init, JSValue value) {
  JSModuleDef *definition = JS_IsException(value) ? NULL : JS_NewCModule(ctx, name, init);
  if (!definition) {
    JS_FreeValue(ctx, value);
    return NULL;
  }
  JS_SetModulePrivateValue(ctx, definition, value);
  return JS_AddModuleExport(ctx, definition, exported) < 0 ? NULL : definition;
}

static int init_default(JSContext *ctx, JSModuleDef *definition) {
  return JS_SetModuleExport(ctx, definition, "default", JS_GetModulePrivateValue(ctx, definition));
}

static JSModuleDef *load_json(guest *g, const char *name, const char *source, size_t len) {
  return module_of(g->ctx, name, "default", init_default, JS_ParseJSON(g->ctx, source, len, name));
}

static JSValue global_deferred(JSContext *ctx) {
  JSValue global = JS_GetGlobalObject(ctx);
  JSAtom name = JS_NewAtom(ctx, "Deferred");
  JSValue value = engine_own_data(ctx, global, name);
  JS_FreeAtom(ctx, name);
  JS_FreeValue(ctx, global);
  return value;
}

static int init_deferred(JSContext *ctx, JSModuleDef *definition) {
  return JS_SetModuleExport(ctx, definition, "Deferred", JS_GetModulePrivateValue(ctx, definition));
}

static JSModuleDef *load_deferred(const import_site *at) {
  JSContext *ctx = at->g->ctx;
  JSValue deferred = global_deferred(ctx);
  if (!JS_IsUndefined(deferred))
    return module_of(ctx, DEFERRED, "Deferred", init_deferred, deferred);
  refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot import '" DEFERRED "': nothing runs tasks here");
  return NULL;
}

/* Adds a line to the trace of the pending exception, if it is an error. */
__attribute__((format(printf, 2, 3))) static void add_to_trace(JSContext *ctx, const char *format,
                                                               ...) {
  char line[PATH_MAX + 64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  JSValue error = JS_GetException(ctx);
  if (JS_IsError(error)) {
    JSValue before = JS_GetPropertyStr(ctx, error, "stack");
    const char *text = JS_IsString(before) ? JS_ToCString(ctx, before) : NULL;
    size_t size = (text ? strlen(text) : 0) + sizeof line;
    char *stack = size < TRACE_MAX + sizeof line ? js_malloc(ctx, size) : NULL;
    if (stack) {
      snprintf(stack, size, "%s%s", text ? text : "", line);
      JS_DefinePropertyValueStr(ctx, error, "stack", JS_NewString(ctx, stack),
                                JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    }
    js_free(ctx, stack);
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, before);
  }
  JS_Throw(ctx, error);
}

/* An error of what was imported says also who imported it. */
OWN_FRAME static void add_importer(const import_site *at) {
  char site[PATH_MAX + 32];
  at->g->import_failed = true;
  site_text(at, site, sizeof site);
  add_to_trace(at->g->ctx, "    imported by %s\n", site);
}

void modules_tell_linking(guest *g, JSModuleDef *definition) {
  if (!g->trusted)
    return;
  JSAtom name = JS_GetModuleName(g->ctx, definition);
  const char *path = JS_AtomToCString(g->ctx, name);
  add_to_trace(g->ctx, "    linking %s\n", path ? path : "?");
  JS_FreeCString(g->ctx, path);
  JS_FreeAtom(g->ctx, name);
}

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), tail = strlen(end);
  return len >= tail && strcmp(text + len - tail, end) == 0;
}

static JSModuleDef *compile(guest *g, const char *name, const char *source, size_t len, bool json) {
  JSContext *ctx = g->ctx;
  if (json)
    return load_json(g, name, source, len);
  JSValue code = JS_Eval(ctx, source, len, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(code))
    return NULL;
  /* The context's list of modules holds it. */
  JSModuleDef *definition = JS_VALUE_GET_PTR(code);
  bool ok = modules_set_meta(g, definition);
  JS_FreeValue(ctx, code);
  return ok ? definition : NULL;
}

/* 1 for `with {type: "json"}`, 0 for none, -1 with an exception. */
static int wants_json(const import_site *at, JSValueConst attributes) {
  JSContext *ctx = at->g->ctx;
  if (JS_IsUndefined(attributes))
    return 0;
  JSValue type = JS_GetPropertyStr(ctx, attributes, "type");
  const char *text = JS_IsString(type) ? JS_ToCString(ctx, type) : NULL;
  int json = JS_IsUndefined(type) ? 0 : text && strcmp(text, "json") == 0 ? 1 : -1;
  if (JS_IsException(type))
    return -1;
  if (json < 0)
    refuse(at, "ERR_IMPORT_ATTRIBUTE_UNSUPPORTED",
           "Cannot import '%s': the only attribute there is is with {type: 'json'}", at->specifier);
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, type);
  return json;
}

OWN_FRAME static char *read_source(const import_site *at, const char *name, size_t *len) {
  char message[MESSAGE_SIZE];
  char *source = platform_read_module(at->g, name, len, message, sizeof message);
  if (!source)
    refuse(at, "ERR_MODULE_NOT_FOUND", "Cannot import '%s': %s", name, message);
  return source;
}

static JSModuleDef *load_file(const import_site *at, const char *name, JSValueConst attributes) {
  size_t len;
  int json = wants_json(at, attributes);
  if (json >= 0 && !json && ends_with(name, ".json"))
    refuse(at, "ERR_IMPORT_ATTRIBUTE_MISSING",
           "Cannot import '%s' as a module: JSON needs with {type: 'json'}", name);
  else if (ends_with(name, ".cjs") || ends_with(name, ".node"))
    refuse(at, "ERR_UNKNOWN_FILE_EXTENSION", "Cannot import '%s': only ES modules are imported",
           name);
  if (JS_HasException(at->g->ctx))
    return NULL;
  char *source = read_source(at, name, &len);
  if (!source)
    return NULL;
  JSModuleDef *definition = compile(at->g, name, source, len, json);
  free(source);
  if (!definition)
    add_importer(at);
  return definition;
}

/* The engine's: called right after resolve(), of whose result `name` is. What is
 * imported may import more, so that the site is taken out of the guest. */
static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque, JSValueConst attributes) {
  guest *g = opaque;
  char *importer = g->importer, *specifier = g->specifier;
  const import_site at = {g, importer, specifier};
  g->importer = g->specifier = NULL;
  JSModuleDef *definition =
      strcmp(name, DEFERRED) == 0 ? load_deferred(&at) : load_file(&at, name, attributes);
  js_free(ctx, importer);
  js_free(ctx, specifier);
  return definition;
}

/* ---- import.meta ---- */

static char *file_url(JSContext *ctx, const char *path) {
  static const char kept[] = "-._~!$&'()*+,;=:@/";
  size_t size = strlen("file://") + 3 * strlen(path) + 1;
  char *url = js_malloc(ctx, size);
  if (!url)
    return NULL;
  char *to = url + snprintf(url, size, "file://");
  for (; *path; path++) {
    unsigned char byte = (unsigned char)*path;
    bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                 (byte >= 'a' && byte <= 'z') || strchr(kept, byte);
    if (plain)
      *to++ = (char)byte;
    else
      to += snprintf(to, 4, "%%%02X", byte);
  }
  *to = 0;
  return url;
}

static bool put_text(JSContext *ctx, JSValueConst object, const char *name, const char *text,
                     size_t len) {
  return JS_DefinePropertyValueStr(ctx, object, name, JS_NewStringLen(ctx, text, len),
                                   JS_PROP_C_W_E) >= 0;
}

bool modules_set_meta(guest *g, JSModuleDef *definition) {
  JSContext *ctx = g->ctx;
  JSAtom atom = JS_GetModuleName(ctx, definition);
  const char *path = JS_AtomToCString(ctx, atom);
  JS_FreeAtom(ctx, atom);
  if (!path)
    return false;
  if (!g->trusted || path[0] != '/') {
    JS_FreeCString(ctx, path);
    return true;
  }
  JSValue meta = JS_GetImportMeta(ctx, definition);
  char *url = JS_IsException(meta) ? NULL : file_url(ctx, path);
  size_t folder = (size_t)(strrchr(path, '/') - path);
  bool ok = url && put_text(ctx, meta, "dirname", path, folder ? folder : 1) &&
            put_text(ctx, meta, "filename", path, strlen(path)) &&
            put_text(ctx, meta, "url", url, strlen(url));
  js_free(ctx, url);
  JS_FreeValue(ctx, meta);
  JS_FreeCString(ctx, path);
  return ok;
}

void modules_open(guest *g) {
  JS_SetModuleLoaderFunc2(g->rt, resolve, load, NULL, g);
}
