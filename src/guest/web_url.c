/* Natives under URL and URLSearchParams (src/guest/js/url.js). */
#include <stdlib.h>
#include <string.h>

#include "guest/url_unit.h"
#include "guest/web.h"
#include "guest/web_text.h"

/* ---- texts ---- */

typedef struct utf8_text {
  char *bytes; /* js_malloc'ed */
  size_t len;
} utf8_text;

/* A string as UTF-8, lone surrogates replaced. -1 with an exception. */
static int take_text(JSContext *ctx, JSValueConst value, utf8_text *text) {
  const char *bytes = JS_ToCStringLen(ctx, &text->len, value);
  if (!bytes)
    return -1;
  text->bytes = js_malloc(ctx, text->len + 1);
  if (text->bytes) {
    memcpy(text->bytes, bytes, text->len);
    web_text_replace_surrogates((uint8_t *)text->bytes, text->len);
  }
  JS_FreeCString(ctx, bytes);
  return text->bytes ? 0 : -1;
}

/* Bytes as a string: what is not UTF-8 becomes U+FFFD, a mark at the start stays. */
static JSValue decoded(JSContext *ctx, const char *bytes, size_t len) {
  web_decoder state = {.encoding = WEB_UTF8, .keep_bom = true};
  size_t start, out_len;
  if (web_text_is_plain(&state, (const uint8_t *)bytes, len, &start))
    return JS_NewStringLen(ctx, bytes + start, len - start);
  uint8_t *out = len <= SIZE_MAX / 3 - 1 ? js_malloc(ctx, len * 3 + 3) : NULL;
  if (!out)
    return JS_ThrowOutOfMemory(ctx);
  web_text_decode(&state, (const uint8_t *)bytes, len, false, out, &out_len);
  JSValue text = JS_NewStringLen(ctx, (const char *)out, out_len);
  js_free(ctx, out);
  return text;
}

/* ---- URLs ---- */

/* [href, begin and end of each part]; frees what `record` holds. */
static JSValue record_array(JSContext *ctx, url_record *record) {
  JSValue items[1 + 2 * URL_PARTS];
  items[0] = JS_NewStringLen(ctx, record->text, record->len);
  free(record->text);
  if (JS_IsException(items[0]))
    return JS_EXCEPTION;
  for (size_t i = 0; i < URL_PARTS; i++) {
    items[1 + 2 * i] = JS_NewUint32(ctx, record->begin[i]);
    items[2 + 2 * i] = JS_NewUint32(ctx, record->end[i]);
  }
  return JS_NewArrayFrom(ctx, 1 + 2 * URL_PARTS, items);
}

static JSValue parse(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  bool with_base = !JS_IsUndefined(argv[1]);
  utf8_text input, base = {NULL, 0};
  if (take_text(ctx, argv[0], &input))
    return JS_EXCEPTION;
  if (with_base && take_text(ctx, argv[1], &base)) {
    js_free(ctx, input.bytes);
    return JS_EXCEPTION;
  }
  url_record record;
  bool valid = url_parse(input.bytes, input.len, base.bytes, base.len, &record);
  js_free(ctx, input.bytes);
  js_free(ctx, base.bytes);
  return valid ? record_array(ctx, &record) : JS_UNDEFINED;
}

static JSValue change(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  int32_t part;
  utf8_text href, value;
  if (JS_ToInt32(ctx, &part, argv[1]) || take_text(ctx, argv[0], &href))
    return JS_EXCEPTION;
  if (take_text(ctx, argv[2], &value)) {
    js_free(ctx, href.bytes);
    return JS_EXCEPTION;
  }
  url_record record;
  bool valid = url_change(href.bytes, href.len, (url_part)part, value.bytes, value.len, &record);
  js_free(ctx, href.bytes);
  js_free(ctx, value.bytes);
  return valid ? record_array(ctx, &record) : JS_ThrowTypeError(ctx, "Invalid URL");
}

static JSValue origin(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  utf8_text href;
  size_t len;
  if (take_text(ctx, argv[0], &href))
    return JS_EXCEPTION;
  char *bytes = url_origin(href.bytes, href.len, &len);
  js_free(ctx, href.bytes);
  JSValue text = bytes ? JS_NewStringLen(ctx, bytes, len) : JS_ThrowTypeError(ctx, "Invalid URL");
  free(bytes);
  return text;
}

/* ---- queries ---- */

typedef struct pair_list {
  JSContext *ctx;
  JSValue array; /* names and values in turn */
  uint32_t len;
  bool failed;
} pair_list;

static bool add_text(pair_list *list, const char *bytes, size_t len) {
  JSValue text = decoded(list->ctx, bytes, len);
  return !JS_IsException(text) && JS_DefinePropertyValueUint32(list->ctx, list->array, list->len++,
                                                               text, JS_PROP_C_W_E) >= 0;
}

static bool add_pair(void *user, const char *name, size_t name_len, const char *value,
                     size_t value_len) {
  pair_list *list = user;
  list->failed = !add_text(list, name, name_len) || !add_text(list, value, value_len);
  return !list->failed;
}

static JSValue query_parse(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  utf8_text query;
  pair_list list = {.ctx = ctx, .array = JS_NewArray(ctx)};
  if (JS_IsException(list.array) || take_text(ctx, argv[0], &query)) {
    JS_FreeValue(ctx, list.array);
    return JS_EXCEPTION;
  }
  url_query_parse(query.bytes, query.len, add_pair, &list);
  js_free(ctx, query.bytes);
  if (!list.failed)
    return list.array;
  JS_FreeValue(ctx, list.array);
  return JS_EXCEPTION;
}

static JSValue query_pair(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  utf8_text name, value;
  size_t len;
  if (take_text(ctx, argv[0], &name))
    return JS_EXCEPTION;
  if (take_text(ctx, argv[1], &value)) {
    js_free(ctx, name.bytes);
    return JS_EXCEPTION;
  }
  char *bytes = url_query_pair(name.bytes, name.len, value.bytes, value.len, &len);
  js_free(ctx, name.bytes);
  js_free(ctx, value.bytes);
  JSValue text = JS_NewStringLen(ctx, bytes, len);
  free(bytes);
  return text;
}

static const JSCFunctionListEntry natives[] = {
    JS_CFUNC_DEF("urlParse", 2, parse),       JS_CFUNC_DEF("urlChange", 3, change),
    JS_CFUNC_DEF("urlOrigin", 1, origin),     JS_CFUNC_DEF("queryParse", 1, query_parse),
    JS_CFUNC_DEF("queryPair", 2, query_pair),
};

int web_add_url_natives(JSContext *ctx, JSValueConst vow) {
  return JS_SetPropertyFunctionList(ctx, vow, natives, (int)(sizeof natives / sizeof *natives));
}
