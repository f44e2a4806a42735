/* A tool of the build: the bundle of web globals as the engine's bytecode, which is
 * the same for both engines. Compiling it takes several times as long as all else a
 * fresh guest needs.
 *
 *   bundle_tool OUT.c
 *
 * The source is left out: functions of the platform show none, and the heap is
 * smaller. */
#include <stdio.h>
#include <stdlib.h>

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

static bool print_bytes(FILE *out, const uint8_t *bytes, size_t len) {
  fprintf(out, "#include \"guest/bundle.h\"\n\nconst unsigned char bundle_code[] = {");
  for (size_t i = 0; i < len; i++)
    fprintf(out, "%s%u,", i % 16 ? "" : "\n", bytes[i]);
  fprintf(out, "\n};\nconst size_t bundle_code_len = %zu;\n", len);
  return fflush(out) == 0 && !ferror(out);
}

static int write_code(JSContext *ctx, FILE *out) {
  size_t len;
  JSValue code = JS_Eval(ctx, (const char *)bundle_source, bundle_source_len, ENGINE_BUNDLE_NAME,
                         JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(code))
    return show_exception(ctx);
  uint8_t *bytes =
      JS_WriteObject(ctx, &len, code, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  JS_FreeValue(ctx, code);
  if (!bytes)
    return show_exception(ctx);
  bool written = print_bytes(out, bytes, len);
  js_free(ctx, bytes);
  return written ? 0 : fail("the file cannot be written");
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fail("needs the name of a file to write");
  FILE *out = fopen(argv[1], "w");
  if (!out)
    return fail("the file cannot be opened");
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
  int status = ctx ? write_code(ctx, out) : fail("out of memory");
  if (ctx)
    JS_FreeContext(ctx);
  if (rt)
    JS_FreeRuntime(rt);
  return fclose(out) == 0 ? status : fail("the file cannot be written");
}
