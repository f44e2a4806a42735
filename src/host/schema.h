/* Descriptions of values: a small part of JSON Schema, enough to check arguments
 * and to print TypeScript types.
 *
 *   {}                                       anything
 *   {"type": "string"}                       also number, integer, boolean, null, array,
 *                                            object, and bytes, bigint, date; or a list of them
 *   {"enum": ["a", 1, null]}                 one of these strings, numbers, booleans, null
 *   {"type": "array", "items": SCHEMA}
 *   {"type": "object", "properties": {NAME: SCHEMA}, "required": [NAME],
 *    "additionalProperties": false | SCHEMA}
 *   {"anyOf": [SCHEMA, ...]}
 *
 * title, description, default, examples and format tell people something and check
 * nothing. Any other keyword is refused, so that nothing is thought to be checked
 * that is not. */
#ifndef VOW_HOST_SCHEMA_H
#define VOW_HOST_SCHEMA_H

#include "host/fields.h"

#define SCHEMA_DEPTH_MAX 16

/* Whether the object is a schema; else one line that begins with `where`. */
bool schema_valid(cbor_in schema, const char *where, char *message, size_t message_size);

/* Whether a value of a guest (its CBOR, checked) is as the valid `schema` says;
 * else one line that begins with `name` and the path in it. */
bool schema_check(cbor_in schema, cbor_in value, const char *name, char *message,
                  size_t message_size);

/* Appends the TypeScript type of a valid schema. */
void schema_put_type(cbor_in schema, cbor_out *out);

#endif
