#include "core/json_maps.h"

#define NO_FACT SIZE_MAX

typedef struct level {
  uint64_t left; /* definite: items to come; open map: 1 when a value is due */
  size_t fact;   /* index, if this is a Map */
  bool open, map;
} level;

typedef struct scan {
  json_maps *maps;
  cbor_in in;
  size_t depth;
  bool tagged, map_tag; /* a tag, or the Map's tag, stands right in front */
  level levels[CBOR_DEPTH_MAX];
} scan;

void json_maps_init(json_maps *maps, const vow_allocator *allocator) {
  *maps = (json_maps){.allocator = allocator};
}

void json_maps_free(json_maps *maps) {
  mem_free(maps->allocator, maps->facts);
}

bool json_is_string(const cbor_item *item) {
  return item->kind == CBOR_TEXT || (item->kind == CBOR_TAG && item->n == CBOR_TAG_WTF8);
}

static bool add_fact(json_maps *maps, const uint8_t *at) {
  if (maps->count == maps->cap) {
    size_t cap = maps->cap ? maps->cap * 2 : 8;
    json_map_fact *facts = mem_resize(maps->allocator, maps->facts, cap, sizeof *facts);
    if (!facts)
      return false;
    maps->facts = facts;
    maps->cap = cap;
  }
  maps->facts[maps->count++] = (json_map_fact){.at = at, .object = true};
  return true;
}

static void end_item(scan *s) {
  while (s->depth > 0) {
    level *top = s->levels + s->depth - 1;
    if (top->open) {
      top->left ^= 1;
      return;
    }
    if (--top->left > 0)
      return;
    s->depth--;
  }
}

/* The first head of a key decides whether the key is a string. */
static void see_key(scan *s, const cbor_item *item) {
  if (s->depth == 0 || s->tagged)
    return;
  const level *top = s->levels + s->depth - 1;
  bool key = top->map && (top->open ? top->left == 0 : top->left % 2 == 0);
  if (key && top->fact != NO_FACT && !json_is_string(item))
    s->maps->facts[top->fact].object = false;
}

static bool begin_container(scan *s, const cbor_item *item, const uint8_t *at) {
  level *top = s->levels + s->depth++;
  *top = (level){.open = item->indefinite, .map = item->kind == CBOR_MAP, .fact = NO_FACT};
  if (!item->indefinite)
    top->left = top->map ? item->n * 2 : item->n;
  if (top->map && s->map_tag) {
    top->fact = s->maps->count;
    if (!add_fact(s->maps, at))
      return false;
  }
  if (!top->open && top->left == 0) {
    s->depth--;
    end_item(s);
  }
  return true;
}

static void skip_chunks(scan *s) {
  cbor_item chunk;
  while (cbor_next(&s->in, &chunk) == CBOR_OK && chunk.kind != CBOR_BREAK)
    continue;
}

static cbor_status step(scan *s) {
  cbor_item item;
  const uint8_t *at = s->in.at;
  cbor_status status = cbor_next(&s->in, &item);
  if (status != CBOR_OK)
    return status;
  if (item.kind == CBOR_BREAK) {
    s->depth--;
    end_item(s);
    return CBOR_OK;
  }
  see_key(s, &item);
  if (item.kind == CBOR_TAG) {
    s->tagged = true;
    s->map_tag = item.n == CBOR_TAG_MAP;
    return CBOR_OK;
  }
  if (item.kind == CBOR_ARRAY || item.kind == CBOR_MAP) {
    if (!begin_container(s, &item, at))
      status = CBOR_E_NOMEM;
  } else {
    if (item.indefinite)
      skip_chunks(s);
    end_item(s);
  }
  s->tagged = s->map_tag = false;
  return status;
}

static cbor_status look_through(json_maps *maps, const cbor_in *in) {
  scan s;
  s.maps = maps;
  s.in = *in;
  s.depth = 0;
  s.tagged = s.map_tag = true;
  cbor_status status;
  do
    status = step(&s);
  while (status == CBOR_OK && s.depth > 0);
  return status;
}

cbor_status json_maps_ask(json_maps *maps, const cbor_in *in, bool *object) {
  while (maps->next < maps->count && maps->facts[maps->next].at < in->at)
    maps->next++;
  if (maps->next == maps->count) {
    maps->next = maps->count = 0;
    cbor_status status = look_through(maps, in);
    if (status != CBOR_OK)
      return status;
  }
  *object = maps->facts[maps->next++].object;
  return CBOR_OK;
}
