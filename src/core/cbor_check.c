/* One walk for checking and skipping: over heads only, with the containers
 * that are open kept on a bounded stack. It is on the path of every message,
 * so it allocates nothing and does not build cbor_items. */
#include "core/cbor_int.h"

#include "core/utf8.h"

enum { CLOSED, OPEN_ARRAY, OPEN_MAP };

typedef struct level {
  size_t left;  /* definite: items to come; open map: 1 when a value is due */
  uint8_t open; /* CLOSED: definite */
} level;

typedef struct walk {
  const uint8_t *at, *end;
  size_t nodes_left;
  bool utf8; /* also check that text is UTF-8 */
  level *top, *last;
  level levels[CBOR_DEPTH_MAX + 1]; /* the first stands for the one item asked for */
} walk;

static inline cbor_status enter(walk *w, size_t items, uint8_t open) {
  if (w->top == w->last)
    return CBOR_E_DEPTH;
  w->top++;
  w->top->left = items;
  w->top->open = open;
  return CBOR_OK;
}

/* An item is complete: so are the containers of which it was the last. */
static inline void complete(walk *w) {
  level *top = w->top;
  while (top->open == CLOSED && --top->left == 0 && top != w->levels)
    top--;
  if (top->open != CLOSED)
    top->left ^= 1;
  w->top = top;
}

static cbor_status walk_break(walk *w) {
  level *top = w->top;
  if (top->open == CLOSED || (top->open == OPEN_MAP && top->left != 0))
    return CBOR_E_MALFORMED;
  w->top--;
  complete(w);
  return CBOR_OK;
}

static inline cbor_status walk_payload(walk *w, unsigned major, uint64_t len) {
  if (len > (size_t)(w->end - w->at))
    return CBOR_E_TRUNCATED;
  if (w->utf8 && major == CBOR_MAJOR_TEXT && !utf8_valid(w->at, (size_t)len))
    return CBOR_E_MALFORMED;
  w->at += len;
  return CBOR_OK;
}

/* The chunks of an indefinite string: definite strings of the same kind. */
static cbor_status walk_chunks(walk *w, unsigned major) {
  for (;;) {
    if (w->at == w->end)
      return CBOR_E_TRUNCATED;
    unsigned first = *w->at++;
    if (first == CBOR_BYTE_BREAK)
      return CBOR_OK;
    uint64_t len;
    if (first >> 5 != major || (first & 0x1f) == CBOR_INFO_OPEN)
      return CBOR_E_MALFORMED;
    if (w->nodes_left-- == 0)
      return CBOR_E_NODES;
    cbor_status status = cbor_argument(&w->at, w->end, first & 0x1f, &len);
    if (status == CBOR_OK)
      status = walk_payload(w, major, len);
    if (status != CBOR_OK)
      return status;
  }
}

static inline cbor_status walk_container(walk *w, unsigned major, uint64_t count) {
  size_t left = (size_t)(w->end - w->at), each = major == CBOR_MAJOR_MAP ? 2 : 1;
  if (count > left / each)
    return CBOR_E_TRUNCATED;
  size_t items = (size_t)count * each;
  if (items > w->nodes_left)
    return CBOR_E_NODES;
  cbor_status status = enter(w, items, CLOSED);
  if (status == CBOR_OK && items == 0) {
    w->top--;
    complete(w);
  }
  return status;
}

static cbor_status walk_open(walk *w, unsigned major) {
  cbor_status status;
  switch (major) {
  case CBOR_MAJOR_BYTES:
  case CBOR_MAJOR_TEXT:
    status = walk_chunks(w, major);
    if (status == CBOR_OK)
      complete(w);
    return status;
  case CBOR_MAJOR_ARRAY:
    return enter(w, 0, OPEN_ARRAY);
  case CBOR_MAJOR_MAP:
    return enter(w, 0, OPEN_MAP);
  default:
    return CBOR_E_MALFORMED;
  }
}

static inline cbor_status walk_item(walk *w) {
  if (w->at == w->end)
    return CBOR_E_TRUNCATED;
  unsigned first = *w->at++, major = first >> 5, info = first & 0x1f;
  if (first == CBOR_BYTE_BREAK)
    return walk_break(w);
  if (w->nodes_left-- == 0)
    return CBOR_E_NODES;
  if (info == CBOR_INFO_OPEN)
    return walk_open(w, major);
  uint64_t n;
  cbor_status status = cbor_argument(&w->at, w->end, info, &n);
  if (status != CBOR_OK)
    return status;
  switch (major) {
  case CBOR_MAJOR_BYTES:
  case CBOR_MAJOR_TEXT:
    status = walk_payload(w, major, n);
    break;
  case CBOR_MAJOR_ARRAY:
  case CBOR_MAJOR_MAP:
    return walk_container(w, major, n);
  case CBOR_MAJOR_TAG:
    return enter(w, 1, CLOSED);
  case CBOR_MAJOR_SIMPLE:
    if (info == CBOR_INFO_1 && n < 32)
      return CBOR_E_MALFORMED;
    break;
  default:
    break;
  }
  complete(w);
  return status;
}

/* Most of a message is short leaves: those with the argument in the first byte.
 * They are taken here with everything in registers, as long as the container
 * on top goes on behind them; all else, and all errors, are walk_item's. */
static inline void walk_leaves(walk *w) {
  const uint8_t *at = w->at, *end = w->end;
  size_t nodes = w->nodes_left, left = w->top->left;
  const size_t last = w->top->open == CLOSED ? 1 : SIZE_MAX;
  while (at != end && nodes != 0 && left != last) {
    unsigned major = *at >> 5, info = *at & 0x1f;
    if (info >= CBOR_INFO_1)
      break;
    if (major == CBOR_MAJOR_TEXT || major == CBOR_MAJOR_BYTES) {
      if (info >= (size_t)(end - at))
        break;
      if (w->utf8 && major == CBOR_MAJOR_TEXT && !utf8_valid(at + 1, info))
        break;
      at += info;
    } else if (major != CBOR_MAJOR_UINT && major != CBOR_MAJOR_NEGINT &&
               major != CBOR_MAJOR_SIMPLE) {
      break;
    }
    at++;
    nodes--;
    left = last == 1 ? left - 1 : left ^ 1;
  }
  w->at = at;
  w->nodes_left = nodes;
  w->top->left = left;
}

/* Walks one item from `in` and advances it if all is well. */
static cbor_status walk_whole(cbor_in *in, size_t depth, size_t nodes, bool utf8) {
  walk w;
  w.at = in->at;
  w.end = in->end;
  w.nodes_left = nodes;
  w.utf8 = utf8;
  w.top = w.levels;
  w.last = w.levels + (depth < CBOR_DEPTH_MAX ? depth : CBOR_DEPTH_MAX);
  w.levels[0] = (level){.left = 1, .open = CLOSED};
  while (w.levels[0].left != 0) {
    walk_leaves(&w);
    cbor_status status = walk_item(&w);
    if (status != CBOR_OK)
      return status;
  }
  in->at = w.at;
  return CBOR_OK;
}

cbor_status cbor_check(const void *bytes, size_t len, const cbor_limits *limits) {
  if (len > limits->bytes)
    return CBOR_E_SIZE;
  cbor_in in;
  cbor_in_init(&in, bytes, len);
  cbor_status status = walk_whole(&in, limits->depth, limits->nodes, true);
  if (status == CBOR_OK && !cbor_in_end(&in))
    return CBOR_E_MALFORMED;
  return status;
}

cbor_status cbor_skip(cbor_in *in) {
  return walk_whole(in, CBOR_DEPTH_MAX, SIZE_MAX, false);
}

cbor_status cbor_slice(cbor_in *in, const uint8_t **bytes, size_t *len) {
  const uint8_t *begin = in->at;
  cbor_status status = cbor_skip(in);
  if (status == CBOR_OK) {
    *bytes = begin;
    *len = (size_t)(in->at - begin);
  }
  return status;
}
