/* A tool of the build: the JavaScript of guest/js as the engine's bytecode, which is the
 * same for both engines. Compiling the web globals takes several times as long as all
 * else a fresh guest needs, and no compiler meets a guest that is short of memory.
 *
 *   bundle_tool bundle|tasks OUT.c
 *
 * The source is left out: functions of the platform show none, and the heap is
 * smaller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/bundle.h"
#include "guest/engine_unit.h"

static int fail(const char *what) {
  fprintf(stderr, "bundle_tool: %s\n", what);
  return 1;
}

static int show_exception(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  const char *text = JS_ToCString(ctx, error);
  fprintf(stderr, "bundle_tool: %s\n", text ? text : "the bundle does not compile");
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, error);
  return 1;
}

static bool print_bytes(FILE *out, const char *name, const uint8_t *bytes, size_t len) {
  fprintf(out, "#include \"guest/bundle.h\"\n\nconst unsigned char %s_code[] = {", name);
  for (size_t i = 0; i < len; i++)
    fprintf(out, "%s%u,", i % 16 ? "" : "\n", bytes[i]);
  fprintf(out, "\n};\nconst size_t %s_code_len = %zu;\n", name, len);
  return fflush(out) == 0 && !ferror(out);
}

static int write_code(JSContext *ctx, const char *name, FILE *out) {
  bool tasks = strcmp(name, "tasks") == 0;
  size_t len = tasks ? tasks_source_len : bundle_source_len;
  JSValue code = JS_Eval(ctx, (const char *)(tasks ? tasks_source : bundle_source), len,
                         ENGINE_BUNDLE_NAME, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(code))
    return show_exception(ctx);
  uint8_t *bytes =
      JS_WriteObject(ctx, &len, code, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  JS_FreeValue(ctx, code);
  if (!bytes)
    return show_exception(ctx);
  bool written = print_bytes(out, name, bytes, len);
  js_free(ctx, bytes);
  return written ? 0 : fail("the file cannot be written");
}

int main(int argc, char **argv) {
  if (argc != 3)
    return fail("needs the name of a bundle and of a file to write");
  FILE *out = fopen(argv[2], "w");
  if (!out)
    return fail("the file cannot be opened");
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
  int status = ctx ? write_code(ctx, argv[1], out) : fail("out of memory");
  if (ctx)
    JS_FreeContext(ctx);
  if (rt)
    JS_FreeRuntime(rt);
  return fclose(out) == 0 ? status : fail("the file cannot be written");
}
