/* What JSON lacks, as objects with one key:
 *
 *   {"$bytes": "base64"}   bytes, padded base64 (RFC 4648 section 4)
 *   {"$bigint": "-123"}    bigint, decimal digits
 *   {"$date": 1234.5}      Date, milliseconds since 1970; null: an invalid one
 *
 * Where forms are in use, an object's own key that looks like one of these, with
 * any number of '$' in front, is written with one '$' more and read with one less:
 * so every value crosses as itself. An object that only resembles a form (more
 * keys, other content) is a plain object. */
#ifndef VOW_CORE_JSON_FORMS_H
#define VOW_CORE_JSON_FORMS_H

#include "core/cbor.h"

/* Digits of a bigint that is read; their conversion takes quadratic time. */
#define JSON_FORM_DIGITS_MAX 2000u

/* How many '$' stand in front of a form's word when that is all of the key; else 0. */
size_t json_form_key(const uint8_t *key, size_t len);

/* Each appends the value of one form to `out`. False when the content is not as it
 * must be: then nothing was appended. `content` is the JSON text of the value
 * between ':' and '}', without blanks. */
bool json_form_read(const uint8_t *key, size_t key_len, const uint8_t *content, size_t len,
                    cbor_out *out);

#endif
