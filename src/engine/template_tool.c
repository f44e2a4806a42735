/* Build-time program: compiles the guest, initialises it once, and writes the
 * code, the heap, and a header that names them by a hash of both.
 *   template_tool guest.wasm FOLDER */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wasm.h>
#include <wasmtime.h>

#include "engine/wasmhost.h"

static void die(const char *what) {
  fprintf(stderr, "template_tool: %s\n", what);
  exit(1);
}

static void check(const char *what, wasmtime_error_t *error, wasm_trap_t *trap) {
  char message[512];
  if (!error && !trap)
    return;
  wasmhost_message(error, trap, message, sizeof message);
  fprintf(stderr, "template_tool: %s: %s\n", what, message);
  exit(1);
}

static uint8_t *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0)
    die("cannot read the guest");
  long size = ftell(file);
  uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
  rewind(file);
  if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
    die("cannot read the guest");
  fclose(file);
  *len = (size_t)size;
  return bytes;
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t len) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
    die("cannot write");
}

/* FNV-1a: tells builds apart, nothing more. */
static uint64_t hash(uint64_t seed, const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    seed = (seed ^ bytes[i]) * UINT64_C(0x100000001b3);
  return seed;
}

static void remove_old(const char *folder) {
  char path[PATH_MAX];
  DIR *dir = opendir(folder);
  struct dirent *entry;
  if (!dir)
    die("cannot read the folder");
  while ((entry = readdir(dir))) {
    const char *dot = strrchr(entry->d_name, '.');
    if (strncmp(entry->d_name, "guest-", 6) != 0 || !dot ||
        (strcmp(dot, ".cwasm") != 0 && strcmp(dot, ".image") != 0))
      continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    remove(path);
  }
  closedir(dir);
}

/* ---- the module's sections ---- */

typedef struct bytes {
  uint8_t *data;
  size_t len;
} bytes;

enum {
  MODULE_HEAD = 8,
  SECTION_CUSTOM = 0,
  SECTION_GLOBAL = 6,
  SECTION_EXPORT = 7,
  SECTION_DATA = 11,
  SECTION_DATA_COUNT = 12
};

typedef struct section {
  uint8_t id;
  size_t start, body, end;
} section;

static uint8_t read_byte(bytes in, size_t *at) {
  if (*at >= in.len)
    die("the guest is not a WebAssembly module");
  return in.data[(*at)++];
}

static uint32_t read_leb(bytes in, size_t *at) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    uint8_t byte = read_byte(in, at);
    value |= (uint32_t)(byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  die("the guest is not a WebAssembly module");
  return 0;
}

static void skip_bytes(bytes in, size_t *at, size_t count) {
  if (count > in.len - *at)
    die("the guest is cut short");
  *at += count;
}

/* Goes on from `found->end`, or from the first section if that is 0. */
static bool next_section(bytes in, section *found) {
  size_t at = found->end ? found->end : MODULE_HEAD;
  if (at >= in.len)
    return false;
  found->start = at;
  found->id = read_byte(in, &at);
  uint32_t size = read_leb(in, &at);
  found->body = at;
  skip_bytes(in, &at, size);
  found->end = at;
  return true;
}

static bool find_section(bytes in, uint8_t id, section *found) {
  *found = (section){0};
  while (next_section(in, found))
    if (found->id == id)
      return true;
  return false;
}

/* The image holds what the data section would write. */
static size_t strip_data(bytes in, uint8_t *out) {
  size_t used = MODULE_HEAD;
  section part = {0};
  memcpy(out, in.data, MODULE_HEAD);
  while (next_section(in, &part)) {
    if (part.id == SECTION_DATA || part.id == SECTION_DATA_COUNT || part.id == SECTION_CUSTOM)
      continue;
    memcpy(out + used, in.data + part.start, part.end - part.start);
    used += part.end - part.start;
  }
  return used;
}

/* ---- the guest's only global ---- */

#define STACK_POINTER "__stack_pointer"

enum { EXPORT_GLOBAL = 3, NO_GLOBAL = -1 };
enum {
  OP_END = 0x0b,
  OP_GLOBAL_GET = 0x23,
  OP_I32_CONST = 0x41,
  OP_I64_CONST,
  OP_F32_CONST,
  OP_F64_CONST
};

/* The index of the global that is exported by this name, or NO_GLOBAL. */
static int64_t exported_global(bytes in, const char *name) {
  section exports;
  if (!find_section(in, SECTION_EXPORT, &exports))
    return NO_GLOBAL;
  size_t at = exports.body;
  for (uint32_t left = read_leb(in, &at); left > 0; left--) {
    size_t len = read_leb(in, &at), text = at;
    skip_bytes(in, &at, len);
    uint8_t kind = read_byte(in, &at);
    uint32_t index = read_leb(in, &at);
    if (kind == EXPORT_GLOBAL && len == strlen(name) && memcmp(in.data + text, name, len) == 0)
      return index;
  }
  return NO_GLOBAL;
}

/* Over the instructions that make a global's first value. */
static void skip_first_value(bytes in, size_t *at) {
  for (uint8_t op = read_byte(in, at); op != OP_END; op = read_byte(in, at)) {
    if (op == OP_F32_CONST)
      skip_bytes(in, at, 4);
    else if (op == OP_F64_CONST)
      skip_bytes(in, at, 8);
    else if (op == OP_I32_CONST || op == OP_I64_CONST || op == OP_GLOBAL_GET)
      while (read_byte(in, at) & 0x80)
        ;
    else
      die("the guest has a global whose first value is not a plain number");
  }
}

/* After a run the engine puts back memory and the stack pointer; whatever else
 * can change would carry something from one run to the next. All imports are
 * functions, so indices count from the first global here. */
static void check_globals(bytes in) {
  section globals;
  if (in.len < MODULE_HEAD)
    die("the guest is not a WebAssembly module");
  int64_t stack_pointer = exported_global(in, STACK_POINTER);
  if (stack_pointer == NO_GLOBAL || !find_section(in, SECTION_GLOBAL, &globals))
    die("the guest does not export " STACK_POINTER);
  size_t at = globals.body;
  uint32_t count = read_leb(in, &at);
  for (uint32_t i = 0; i < count; i++) {
    (void)read_byte(in, &at); /* its type */
    bool changeable = read_byte(in, &at) != 0;
    if (changeable && i != stack_pointer)
      die("the guest has a mutable global besides " STACK_POINTER
          ": the engine would not put it back after a run");
    skip_first_value(in, &at);
  }
}

/* ---- initialising ---- */

static bool no_flush(void *data) {
  (void)data;
  return true;
}

static bool no_send(void *data, uint32_t header, uint32_t bytes) {
  (void)data, (void)header, (void)bytes;
  return true;
}

/* Time does not pass while a template is made, so equal builds are equal. */
static uint64_t no_clock(void *data, bool monotonic) {
  (void)data, (void)monotonic;
  return 0;
}

static void call(wasmtime_context_t *context, wasmtime_instance_t *instance, const char *name,
                 wasmtime_val_t *result, size_t results) {
  wasmtime_extern_t item;
  wasm_trap_t *trap = NULL;
  if (!wasmtime_instance_export_get(context, instance, name, strlen(name), &item))
    die("the guest lacks an export");
  wasmtime_error_t *error =
      wasmtime_func_call(context, &item.of.func, NULL, 0, result, results, &trap);
  check(name, error, trap);
}

/* What is random must not be in a template. */
static bool no_random(void *data, uint32_t bytes, uint32_t len) {
  (void)data, (void)bytes, (void)len;
  return false;
}

static bytes copy(const void *data, size_t len) {
  bytes result = {malloc(len), len};
  if (!result.data)
    die("out of memory");
  memcpy(result.data, data, len);
  return result;
}

static bytes make_image(wasm_engine_t *engine, bytes wasm, uint32_t *shared_at) {
  static const wasmhost_imports imports = {no_flush, no_send, no_clock, no_random};
  wasmtime_module_t *module;
  wasmtime_instance_t instance;
  wasm_trap_t *trap = NULL;
  check("compile", wasmtime_module_new(engine, wasm.data, wasm.len, &module), NULL);
  wasmtime_linker_t *linker = wasmtime_linker_new(engine);
  check("imports", wasmhost_define_imports(linker, &imports), NULL);
  wasmtime_store_t *store = wasmtime_store_new(engine, NULL, NULL);
  wasmtime_context_t *context = wasmtime_store_context(store);
  wasmtime_context_set_epoch_deadline(context, 1);
  wasmtime_error_t *error = wasmtime_linker_instantiate(linker, context, module, &instance, &trap);
  check("instantiate", error, trap);
  call(context, &instance, "_initialize", NULL, 0);
  wasmtime_val_t shared = {.kind = WASMTIME_I32};
  call(context, &instance, "init", &shared, 1);
  if (shared.of.i32 == 0)
    die("the guest could not be initialised");
  wasmtime_extern_t memory;
  if (!wasmtime_instance_export_get(context, &instance, "memory", 6, &memory))
    die("the guest exports no memory");
  bytes image = copy(wasmtime_memory_data(context, &memory.of.memory),
                     wasmtime_memory_data_size(context, &memory.of.memory));
  *shared_at = (uint32_t)shared.of.i32;
  wasmtime_store_delete(store);
  wasmtime_linker_delete(linker);
  wasmtime_module_delete(module);
  return image;
}

static bytes make_code(wasm_engine_t *engine, bytes wasm) {
  bytes stripped = copy(wasm.data, wasm.len);
  wasmtime_module_t *module;
  wasm_byte_vec_t serialized;
  stripped.len = strip_data(wasm, stripped.data);
  check("compile", wasmtime_module_new(engine, stripped.data, stripped.len, &module), NULL);
  check("serialize", wasmtime_module_serialize(module, &serialized), NULL);
  bytes code = copy(serialized.data, serialized.size);
  wasm_byte_vec_delete(&serialized);
  wasmtime_module_delete(module);
  free(stripped.data);
  return code;
}

static void put_extents(bytes image, char *text, size_t size) {
  linear_extent extents[LINEAR_EXTENTS_MAX];
  size_t used = 0, count = linear_image_extents(image.data, image.len, extents);
  for (size_t i = 0; i < count; i++) {
    int n = snprintf(text + used, size - used, "{%zuu, %zuu}, ", extents[i].start, extents[i].end);
    if (n < 0 || (size_t)n >= size - used)
      die("the heap is in too many pieces");
    used += (size_t)n;
  }
}

static void write_template(const char *folder, bytes code, bytes image, uint32_t shared) {
  char name[64], header[2048];
  uint64_t sum =
      hash(hash(UINT64_C(0xcbf29ce484222325), code.data, code.len), image.data, image.len);
  remove_old(folder);
  snprintf(name, sizeof name, "guest-%016" PRIx64 ".cwasm", sum);
  write_file(folder, name, code.data, code.len);
  snprintf(name, sizeof name, "guest-%016" PRIx64 ".image", sum);
  write_file(folder, name, image.data, image.len);
  char extents[1024];
  put_extents(image, extents, sizeof extents);
  int len = snprintf(header, sizeof header,
                     "#define TEMPLATE_NAME \"guest-%016" PRIx64 "\"\n"
                     "#define TEMPLATE_SIZE %zuu\n"
                     "#define TEMPLATE_EXTENTS {%s}\n"
                     "#define TEMPLATE_SHARED %uu /* address of wire_shared */\n",
                     sum, image.len, extents, shared);
  write_file(folder, "template_name.h", header, (size_t)len);
}

int main(int argc, char **argv) {
  if (argc != 3)
    die("usage: template_tool guest.wasm FOLDER");
  bytes wasm;
  wasm.data = read_file(argv[1], &wasm.len);
  check_globals(wasm);
  wasm_config_t *config = wasmhost_config();
  wasm_engine_t *engine = config ? wasm_engine_new_with_config(config) : NULL;
  if (!engine)
    die("cannot set up the WebAssembly engine");
  uint32_t shared = 0;
  bytes image = make_image(engine, wasm, &shared), code = make_code(engine, wasm);
  write_template(argv[2], code, image, shared);
  wasm_engine_delete(engine);
  free(image.data);
  free(code.data);
  free(wasm.data);
  return 0;
}
