/* Which Maps print as JSON objects: those whose every key is a string.
 *
 * A Map must be seen to its end before its first byte is printed. Looking
 * ahead at each of many nested Maps would be quadratic, so the outermost one
 * is looked through once with all that are in it. */
#ifndef VOW_CORE_JSON_MAPS_H
#define VOW_CORE_JSON_MAPS_H

#include "core/cbor.h"

typedef struct json_map_fact {
  const uint8_t *at; /* the head of the map, behind its tag */
  bool object;
} json_map_fact;

typedef struct json_maps {
  const vow_allocator *allocator;
  json_map_fact *facts; /* in the order of the bytes */
  size_t count, cap, next;
} json_maps;

void json_maps_init(json_maps *maps, const vow_allocator *allocator);
void json_maps_free(json_maps *maps);

/* Tells whether the Map whose map item comes next in `in` prints as an object.
 * The bytes are checked; Maps are asked about in the order of the bytes, but
 * some may be left out. */
cbor_status json_maps_ask(json_maps *maps, const cbor_in *in, bool *object);

/* True for an item that begins a string: text, or a string with surrogates. */
bool json_is_string(const cbor_item *item);

#endif
