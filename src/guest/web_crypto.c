/* Natives under `crypto`: the host's randomness, asked for at every call. The
 * guest keeps no generator, so that a copied heap shares no secret with the one
 * it was copied from. */
#include "guest/guest.h"
#include "guest/web.h"

#define RANDOM_BYTES_MAX 65536u

static JSValue fail_random(JSContext *ctx) {
  return JS_ThrowDOMException(ctx, "OperationError", "the system gives no random bytes");
}

static JSValue random_bytes(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  uint32_t len;
  if (JS_ToUint32(ctx, &len, argv[0]))
    return JS_EXCEPTION;
  if (len > RANDOM_BYTES_MAX)
    return JS_ThrowRangeError(ctx, "at most %u random bytes at once", RANDOM_BYTES_MAX);
  uint8_t *bytes = js_malloc(ctx, len ? len : 1);
  if (!bytes)
    return JS_EXCEPTION;
  JSValue array = platform_random(guest_of(ctx), bytes, len) ? JS_NewUint8ArrayCopy(ctx, bytes, len)
                                                             : fail_random(ctx);
  js_free(ctx, bytes);
  return array;
}

/* Version 4 of RFC 9562. */
static JSValue random_uuid(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value, (void)argc, (void)argv;
  static const char digits[] = "0123456789abcdef";
  uint8_t bytes[16];
  char text[36];
  if (!platform_random(guest_of(ctx), bytes, sizeof bytes))
    return fail_random(ctx);
  bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
  bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
  size_t len = 0;
  for (size_t i = 0; i < sizeof bytes; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      text[len++] = '-';
    text[len++] = digits[bytes[i] >> 4];
    text[len++] = digits[bytes[i] & 15];
  }
  return JS_NewStringLen(ctx, text, len);
}

static const JSCFunctionListEntry natives[] = {
    JS_CFUNC_DEF("randomBytes", 1, random_bytes),
    JS_CFUNC_DEF("randomUuid", 0, random_uuid),
};

int web_add_crypto_natives(JSContext *ctx, JSValueConst vow) {
  return JS_SetPropertyFunctionList(ctx, vow, natives, (int)(sizeof natives / sizeof *natives));
}
