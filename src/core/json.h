/* One value as JSON text, from its CBOR bytes. */
#ifndef VOW_CORE_JSON_H
#define VOW_CORE_JSON_H

#include "core/cbor.h"

/* Appends the JSON of the one item in `bytes` to `out` (used as a plain byte
 * buffer), on one line. The rules are JSON.stringify's (ECMA-262 25.5.2) for
 * what it knows: undefined inside an object is left out, in an array it is
 * null; NaN and infinities are null; -0 is 0; numbers are printed as
 * Number::toString does; lone surrogates are \udXXX escapes. Beyond it: a
 * top-level undefined is null, a bigint an exact integer literal, a Date its
 * ISO string (invalid: null), bytes and typed arrays' Uint8 forms base64
 * (RFC 4648 section 4, padded), other typed arrays lists of numbers, a Map an
 * object when every key is a string and else a list of pairs, a Set a list, an
 * Error {"name":...,"message":...}; any other tag prints as what it holds. The
 * bytes may be hostile: they are walked within `limits`; CBOR_E_MALFORMED also
 * for a plain object's key that is no string and for a tag around the wrong
 * content, CBOR_E_SIZE also for bigints of more digits than can be printed in
 * reasonable time (JSON_BIGINT_BYTES_MAX in json_int.h). On failure `out` has
 * the length it had; its status tells only if it was the writing that failed. */
cbor_status json_from_cbor(const void *bytes, size_t len, const cbor_limits *limits, cbor_out *out);

/* Likewise, with the forms of core/json_forms.h for bytes, bigints and Dates. */
cbor_status json_forms_from_cbor(const void *bytes, size_t len, const cbor_limits *limits,
                                 cbor_out *out);

/* Appends `utf8` as a JSON string with quotes; bytes that are not UTF-8 become
 * U+FFFD. */
void json_put_string(cbor_out *out, const char *utf8, size_t len);

/* Appends a finite double as Number::toString prints it; else null. */
void json_put_number(cbor_out *out, double value);

#endif
