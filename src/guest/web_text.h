/* Text in bytes, by the WHATWG Encoding standard, and string literals for
 * people. Plain C: no engine, no allocation. */
#ifndef VOW_GUEST_WEB_TEXT_H
#define VOW_GUEST_WEB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEB_UTF8, WEB_UTF16LE, WEB_UTF16BE, WEB_WINDOWS1252 };

/* State of one TextDecoder between chunks. Bytes only: it lies in an
 * ArrayBuffer, so a copied heap copies it. */
typedef struct web_decoder {
  uint8_t encoding;
  uint8_t fatal;
  uint8_t keep_bom;
  uint8_t started;       /* something was decoded: a BOM is text from here on */
  uint8_t pending_count; /* bytes of an unfinished character */
  uint8_t pending[3];
} web_decoder;

const char *web_text_encoding(const web_decoder *state);

/* True when `bytes` can become a string as they are: valid, complete UTF-8.
 * `start` is where the text begins (after a BOM that is to be dropped). */
bool web_text_is_plain(const web_decoder *state, const uint8_t *bytes, size_t len, size_t *start);

/* Decodes `bytes` (pending ones already put in front) to valid UTF-8 in `out`,
 * which has room for 3 * len + 3 bytes. With `stream`, an unfinished character
 * at the end stays in the state; else the state is as new afterwards. False:
 * bad bytes and the decoder is fatal; the state is as new. */
bool web_text_decode(web_decoder *state, const uint8_t *bytes, size_t len, bool stream,
                     uint8_t *out, size_t *out_len);

/* Turns each surrogate of WTF-8 text (three bytes) into U+FFFD, in place. */
void web_text_replace_surrogates(uint8_t *bytes, size_t len);

/* Copies whole characters of WTF-8 text while they fit; surrogates become
 * U+FFFD. `read` counts UTF-16 units. */
void web_text_copy(const uint8_t *text, size_t len, uint8_t *out, size_t room, size_t *read,
                   size_t *written);

/* Bytes a UTF-16 unit may grow to when quoted, as in \ud800. */
#define WEB_QUOTE_GROWTH 6

/* Writes a string literal of at most len * WEB_QUOTE_GROWTH + 2 bytes of UTF-8,
 * not terminated; returns its length. Prefers ', then ", then `. */
size_t web_text_quote(const uint16_t *units, size_t len, char *out);

/* An ASCII identifier, so it needs no quotes as a property name. */
bool web_text_is_identifier(const uint16_t *units, size_t len);

#endif
