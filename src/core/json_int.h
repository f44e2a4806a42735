/* Shared by the json*.c files: one function for each kind of value. They append
 * to `out`; where they return a status it is about the value, and a failure to
 * write stays in `out->status` as always. */
#ifndef VOW_CORE_JSON_INT_H
#define VOW_CORE_JSON_INT_H

#include "core/json.h"

/* Work on bigints is quadratic in their length. Those up to JSON_BIGINT_FREE
 * bytes are always printed; of the longer ones in one text, the squares of the
 * lengths may add up to JSON_BIGINT_BYTES_MAX squared (so a single one may be
 * that long): a fraction of a second. Beyond: CBOR_E_SIZE. */
#define JSON_BIGINT_FREE ((size_t)1024)
#define JSON_BIGINT_BYTES_MAX ((size_t)128 * 1024)

void json_put_uint(cbor_out *out, uint64_t value);
/* -1 - n */
void json_put_negint(cbor_out *out, uint64_t n);
/* Big-endian `bytes` as a decimal; if `negative`, the value is -1 minus them. */
void json_put_bigint(cbor_out *out, const uint8_t *bytes, size_t len, bool negative);
/* The ISO string of a time in seconds since 1970; null if it is no valid Date. */
void json_put_date(cbor_out *out, double seconds);
/* Whole milliseconds since 1970 of such a time; NaN if it is no valid Date. */
double json_date_ms(double seconds);
/* Whether the content of this tag of RFC 8746 prints as base64. */
bool json_is_octets(uint64_t tag);
void json_put_base64(cbor_out *out, const uint8_t *bytes, size_t len);
/* A string with lone surrogates. CBOR_E_MALFORMED if it is no WTF-8. */
cbor_status json_put_wtf8(cbor_out *out, const uint8_t *bytes, size_t len);
/* The content of an RFC 8746 tag (64..87): base64 for those of unsigned bytes,
 * and for the forms that JavaScript has no array of; else a list of numbers.
 * CBOR_E_MALFORMED if `len` is no multiple of the element. */
cbor_status json_put_typed(cbor_out *out, uint64_t tag, const uint8_t *bytes, size_t len);

#endif
