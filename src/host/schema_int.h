/* Shared by schema*.c. */
#ifndef VOW_HOST_SCHEMA_INT_H
#define VOW_HOST_SCHEMA_INT_H

#include "host/schema.h"

typedef enum {
  TYPE_STRING,
  TYPE_NUMBER,
  TYPE_INTEGER,
  TYPE_BOOLEAN,
  TYPE_NULL,
  TYPE_ARRAY,
  TYPE_OBJECT,
  TYPE_BYTES,
  TYPE_BIGINT,
  TYPE_DATE,
  TYPES,
} schema_type;

typedef struct schema_fields {
  field_value type, enumeration, items, properties, required, additional, any_of;
} schema_fields;

/* The keywords of a schema; with a message, fails for unknown ones. */
bool schema_read(cbor_in schema, const char *where, schema_fields *fields, char *message,
                 size_t message_size);
/* The type of that name; TYPES when there is none. */
schema_type schema_type_named(field_text name);
/* Bit i: type i is one of `type`'s, which is a name or a list of them. */
uint32_t schema_types(const schema_fields *fields);
bool schema_is_required(const schema_fields *fields, field_text name);

#endif
