/* Natives under the web globals (src/guest/js): what JavaScript cannot do, or
 * cannot do without being seen by a hostile page of the same realm.
 *
 * They need no host and no engine internals. They are handed to the bundle on
 * its binding object and stay in its closure; guest code never gets them. */
#ifndef VOW_GUEST_WEB_H
#define VOW_GUEST_WEB_H

#include "quickjs.h"

/* Adds the natives to the binding object `vow` as own properties:
 *
 *  classOf(value)      the engine's class name ("Map", "Proxy", ...), undefined
 *                      for a primitive; no trap, no getter
 *  classId(value)      the engine's class number; 0 for a primitive
 *  proxyTarget(proxy)  its target, null when revoked
 *  ownDescriptor(object, key)
 *                      {value, writable, enumerable} or {get, set, enumerable},
 *                      without a prototype; undefined when there is none, and
 *                      for a proxy
 *  defineData(object, key, value, enumerable)
 *                      defines a writable, configurable property; TypeError if
 *                      that cannot be
 *  promiseState(value) [0 pending | 1 fulfilled | 2 rejected, value], undefined
 *                      when it is no promise
 *  quote(text, max)    a string literal as console.log shows it, of at most the
 *                      first `max` UTF-16 units
 *  quoteKey(text)      the text itself when it is an identifier, else quoted
 *  setImmutable(buffer) makes an ArrayBuffer read-only; false if it is none
 *  utf8Encode(text)    Uint8Array; lone surrogates become U+FFFD
 *  utf8EncodeInto(text, buffer, offset, length)
 *                      [units read, bytes written]
 *  decoderState(encoding, fatal, ignoreBOM)
 *                      ArrayBuffer for decode(); 0 utf-8, 1 utf-16le,
 *                      2 utf-16be, 3 windows-1252
 *  urlParse(url, base) [href, begin and end of each url_part of url_unit.h], with
 *                      `base` undefined or a URL; undefined when not valid
 *  urlChange(href, part, value)
 *                      the same after the setter of that part
 *  urlOrigin(href)     string
 *  queryParse(query)   array of names and values in turn; one "?" at the start is
 *                      not a part of it
 *  queryPair(name, value)
 *                      "name=value", encoded
 *  decode(state, buffer, offset, length, stream)
 *                      string; TypeError for bad bytes when fatal
 *
 * 0, or -1 with an exception pending. */
int web_add_natives(JSContext *ctx, JSValueConst vow);
/* A part of the above (web_url.c). */
int web_add_url_natives(JSContext *ctx, JSValueConst vow);

/* The natives that need a platform (guest.h):
 *
 *  randomBytes(length) Uint8Array of at most 65536 bytes of the host's randomness
 *  randomUuid()        string, version 4 */
int web_add_crypto_natives(JSContext *ctx, JSValueConst vow);

#endif
