/* Deterministic encoding in one pass over the input, without recursion.
 *
 * The items are written to `out` in their original order. Beside the bytes
 * there is a linked list of segments of them, cut where a map's pairs begin;
 * when a map ends, its pairs are sorted by relinking their segments. So no
 * byte moves more than once, however deep maps nest: at the end the segments
 * are copied in list order. A map whose keys came in order gives its segments
 * back, and a message without any disorder is finished as it was written.
 *
 * The head of an indefinite container needs its count, known at the end: it is
 * written there and linked in front of the content.
 *
 * Sorting is a merge sort: each comparison costs at most the length of the key
 * that it places, so hostile keys with long common beginnings stay
 * O(n log n) in the bytes. */
#include "core/cbor_int.h"

#include <string.h>

/* Offsets are 32 bits wide, and the output is less than twice the input. */
#define CANONICAL_BYTES_MAX ((size_t)0x7fffffff)

typedef struct segment {
  uint32_t at, len; /* bytes of the output, from `base` */
  uint32_t next;    /* index; unused in the last one */
} segment;

typedef struct pair {
  uint32_t first, last; /* segments */
  uint32_t key_len;     /* the key is that many bytes from the start of `first` */
  uint64_t key_start;   /* its first bytes, as a number: settles most comparisons */
} pair;

typedef struct level {
  uint64_t left; /* definite: items to come; else items so far */
  uint32_t head; /* indefinite: the segment kept for its head */
  bool open, map, value_due;
  /* Of a map: */
  uint32_t before;     /* segment that leads to the first pair */
  uint32_t pairs;      /* height of the stack of pairs when it began */
  uint32_t moves;      /* likewise, to see if the content is in order */
  uint32_t pair_first; /* segment at which the current pair begins */
  uint32_t pair_at;    /* likewise, as an offset */
  uint32_t key_len;
} level;

/* A vector: `data` grows, `count` elements are in use. */
typedef struct table {
  void *data;
  size_t count, cap;
} table;

typedef struct canon {
  cbor_in in;
  cbor_out *out;
  size_t base; /* length of `out` at the start */
  cbor_status status;
  table segments, pairs, spare, levels;
  uint32_t moves; /* times that the list left the order of the bytes */
} canon;

static bool make_room(canon *c, table *t, size_t count, size_t size) {
  if (count <= t->cap)
    return true;
  size_t cap = t->cap ? t->cap * 2 : 16;
  if (cap < count)
    cap = count;
  void *data = mem_resize(c->out->allocator, t->data, cap, size);
  if (!data) {
    c->status = CBOR_E_NOMEM;
    return false;
  }
  t->data = data;
  t->cap = cap;
  return true;
}

static segment *segment_at(const canon *c, uint32_t index) {
  return (segment *)c->segments.data + index;
}

static uint32_t written(const canon *c) {
  return (uint32_t)(c->out->len - c->base);
}

/* The segment being written, which is always the last one made. */
static uint32_t current(const canon *c) {
  return (uint32_t)(c->segments.count - 1);
}

static void close_segment(canon *c) {
  segment *s = segment_at(c, current(c));
  s->len = written(c) - s->at;
}

/* Begins a segment here and links it behind `previous`. */
static bool add_segment(canon *c, uint32_t previous) {
  if (!make_room(c, &c->segments, c->segments.count + 1, sizeof(segment)))
    return false;
  uint32_t index = (uint32_t)c->segments.count++;
  *segment_at(c, index) = (segment){.at = written(c)};
  segment_at(c, previous)->next = index;
  return true;
}

static bool cut(canon *c) {
  close_segment(c);
  return add_segment(c, current(c));
}

/* ---- order of keys ---- */

typedef struct rope {
  const uint8_t *at;
  size_t len; /* of this piece */
  uint32_t segment;
  size_t rest; /* of the key, behind this piece */
} rope;

static void rope_piece(const canon *c, rope *r) {
  const segment *s = segment_at(c, r->segment);
  r->at = c->out->data + c->base + s->at;
  r->len = s->len < r->rest ? s->len : r->rest;
  r->rest -= r->len;
}

/* Goes on by `len` bytes, and past pieces that are empty. */
static void rope_advance(const canon *c, rope *r, size_t len) {
  r->at += len;
  r->len -= len;
  while (r->len == 0 && r->rest != 0) {
    r->segment = segment_at(c, r->segment)->next;
    rope_piece(c, r);
  }
}

static rope rope_of_key(const canon *c, const pair *p) {
  rope r = {.segment = p->first, .rest = p->key_len};
  rope_piece(c, &r);
  rope_advance(c, &r, 0);
  return r;
}

static uint64_t key_start(const canon *c, const pair *p) {
  rope r = rope_of_key(c, p);
  uint64_t start = 0;
  for (size_t i = 0; i < sizeof start; i++) {
    start <<= 8;
    if (r.len) {
      start |= *r.at;
      rope_advance(c, &r, 1);
    }
  }
  return start;
}

/* Encoded items are never beginnings of one another, so two keys of which one
 * is used up are equal. */
static int compare_keys(const canon *c, const pair *a, const pair *b) {
  if (a->key_start != b->key_start)
    return a->key_start < b->key_start ? -1 : 1;
  rope left = rope_of_key(c, a), right = rope_of_key(c, b);
  for (;;) {
    size_t len = left.len < right.len ? left.len : right.len;
    if (len == 0)
      return 0;
    int order = memcmp(left.at, right.at, len);
    if (order != 0)
      return order;
    rope_advance(c, &left, len);
    rope_advance(c, &right, len);
  }
}

static bool strictly_ascending(canon *c, const pair *pairs, size_t count, bool *ascending) {
  *ascending = true;
  for (size_t i = 1; i < count; i++) {
    int order = compare_keys(c, pairs + i - 1, pairs + i);
    if (order == 0) {
      c->status = CBOR_E_MALFORMED;
      return false;
    }
    if (order > 0)
      *ascending = false;
  }
  return true;
}

/* Merges the sorted from[0, middle) and from[middle, end) into `to`. */
static void merge(const canon *c, const pair *from, size_t middle, size_t end, pair *to) {
  size_t left = 0, right = middle;
  for (size_t i = 0; i < end; i++) {
    bool take_left =
        right == end || (left < middle && compare_keys(c, from + left, from + right) <= 0);
    to[i] = take_left ? from[left++] : from[right++];
  }
}

static bool sort_pairs(canon *c, pair *pairs, size_t count) {
  if (!make_room(c, &c->spare, count, sizeof(pair)))
    return false;
  pair *from = pairs, *to = c->spare.data;
  for (size_t run = 1; run < count; run *= 2) {
    for (size_t at = 0; at < count; at += 2 * run) {
      size_t left = count - at;
      merge(c, from + at, run < left ? run : left, 2 * run < left ? 2 * run : left, to + at);
    }
    pair *swap = from;
    from = to;
    to = swap;
  }
  if (from != pairs)
    memcpy(pairs, from, count * sizeof *pairs);
  return true;
}

/* ---- maps ---- */

static bool begin_pair(canon *c, level *top) {
  if (!cut(c))
    return false;
  top->pair_first = current(c);
  top->pair_at = written(c);
  return true;
}

static bool end_pair(canon *c, const level *top) {
  if (!make_room(c, &c->pairs, c->pairs.count + 1, sizeof(pair)))
    return false;
  close_segment(c);
  pair *p = (pair *)c->pairs.data + c->pairs.count++;
  *p = (pair){.first = top->pair_first, .last = current(c), .key_len = top->key_len};
  p->key_start = key_start(c, p);
  return true;
}

static bool relink(canon *c, const level *top, const pair *pairs, size_t count) {
  uint32_t last = top->before;
  for (size_t i = 0; i < count; i++) {
    segment_at(c, last)->next = pairs[i].first;
    last = pairs[i].last;
  }
  c->moves++;
  return add_segment(c, last);
}

static bool end_map(canon *c, const level *top) {
  size_t count = c->pairs.count - top->pairs;
  pair *pairs = count ? (pair *)c->pairs.data + top->pairs : NULL;
  bool ascending = true;
  close_segment(c);
  c->pairs.count = top->pairs;
  if (!strictly_ascending(c, pairs, count, &ascending))
    return false;
  if (ascending) {
    if (c->moves == top->moves)
      c->segments.count = (size_t)top->before + 1;
    return true;
  }
  bool sorted = sort_pairs(c, pairs, count) && strictly_ascending(c, pairs, count, &ascending);
  return sorted && relink(c, top, pairs, count);
}

/* ---- items ---- */

static bool begin_container(canon *c, const cbor_item *item) {
  if (!make_room(c, &c->levels, c->levels.count + 1, sizeof(level)))
    return false;
  level *top = (level *)c->levels.data + c->levels.count++;
  *top = (level){.open = item->indefinite, .map = item->kind == CBOR_MAP, .moves = c->moves};
  if (item->indefinite) {
    if (!cut(c))
      return false;
    top->head = current(c);
    c->moves++;
    top->moves = c->moves;
    if (!cut(c))
      return false;
  } else {
    cbor_put_head(c->out, top->map ? CBOR_MAJOR_MAP : CBOR_MAJOR_ARRAY, item->n);
    top->left = top->map ? item->n * 2 : item->n;
  }
  top->before = current(c);
  top->pairs = (uint32_t)c->pairs.count;
  return true;
}

static bool end_container(canon *c) {
  level top = ((level *)c->levels.data)[--c->levels.count];
  if (top.map && !end_map(c, &top))
    return false;
  if (!top.open)
    return true;
  close_segment(c);
  uint32_t at = written(c);
  cbor_put_head(c->out, top.map ? CBOR_MAJOR_MAP : CBOR_MAJOR_ARRAY,
                top.map ? top.left / 2 : top.left);
  segment *head = segment_at(c, top.head);
  head->at = at;
  head->len = written(c) - at;
  return add_segment(c, current(c));
}

/* An item, with all it holds, has been written. If writing failed, this ends
 * here: keys that are short of bytes might look like duplicates. */
static bool end_item(canon *c) {
  if (c->out->status != CBOR_OK)
    return false;
  while (c->levels.count > 0) {
    level *top = (level *)c->levels.data + c->levels.count - 1;
    if (top->map && top->value_due && !end_pair(c, top))
      return false;
    if (top->map && !top->value_due)
      top->key_len = written(c) - top->pair_at;
    top->value_due = !top->value_due;
    if (top->open) {
      top->left++;
      return true;
    }
    if (--top->left > 0)
      return true;
    if (!end_container(c))
      return false;
  }
  return true;
}

static void put_string(canon *c, const cbor_item *item) {
  unsigned major = item->kind == CBOR_BYTES ? CBOR_MAJOR_BYTES : CBOR_MAJOR_TEXT;
  if (!item->indefinite) {
    cbor_put_head(c->out, major, item->len);
    cbor_put_raw(c->out, item->bytes, item->len);
    return;
  }
  cbor_in ahead = c->in;
  cbor_item chunk;
  size_t len = 0;
  while (cbor_next(&ahead, &chunk) == CBOR_OK && chunk.kind != CBOR_BREAK)
    len += chunk.len;
  cbor_put_head(c->out, major, len);
  while (cbor_next(&c->in, &chunk) == CBOR_OK && chunk.kind != CBOR_BREAK)
    cbor_put_raw(c->out, chunk.bytes, chunk.len);
}

static void put_scalar(canon *c, const cbor_item *item) {
  switch (item->kind) {
  case CBOR_UINT:
    cbor_put_head(c->out, CBOR_MAJOR_UINT, item->n);
    break;
  case CBOR_NEGINT:
    cbor_put_head(c->out, CBOR_MAJOR_NEGINT, item->n);
    break;
  case CBOR_BOOL:
    cbor_put_bool(c->out, item->n != 0);
    break;
  case CBOR_NULL:
    cbor_put_null(c->out);
    break;
  case CBOR_UNDEFINED:
    cbor_put_undefined(c->out);
    break;
  case CBOR_FLOAT:
    cbor_put_double(c->out, item->d);
    break;
  default: /* unassigned simple values: their form is shortest already */
    cbor_put_head(c->out, CBOR_MAJOR_SIMPLE, item->n);
  }
}

/* Takes one head of the checked input. */
static bool step(canon *c) {
  cbor_item item;
  c->status = cbor_next(&c->in, &item);
  if (c->status != CBOR_OK)
    return false;
  level *top = c->levels.count ? (level *)c->levels.data + c->levels.count - 1 : NULL;
  if (item.kind == CBOR_BREAK)
    return end_container(c) && end_item(c);
  /* A tag's content belongs to the same pair: only a tag's own level, which is
   * no map, is on top when the content comes. */
  if (top && top->map && !top->value_due && !begin_pair(c, top))
    return false;
  bool empty = !item.indefinite && item.n == 0;
  switch (item.kind) {
  case CBOR_BYTES:
  case CBOR_TEXT:
    put_string(c, &item);
    return end_item(c);
  case CBOR_ARRAY:
  case CBOR_MAP:
    return begin_container(c, &item) && (!empty || (end_container(c) && end_item(c)));
  case CBOR_TAG:
    cbor_put_tag(c->out, item.n);
    if (!make_room(c, &c->levels, c->levels.count + 1, sizeof(level)))
      return false;
    ((level *)c->levels.data)[c->levels.count++] = (level){.left = 1};
    return true;
  default:
    put_scalar(c, &item);
    return end_item(c);
  }
}

/* Copies the segments in the order of the list over the bytes as written. */
static bool settle(canon *c) {
  close_segment(c);
  if (c->moves == 0)
    return true;
  size_t len = written(c);
  uint8_t *copy = mem_resize(c->out->allocator, NULL, len, 1);
  if (!copy) {
    c->status = CBOR_E_NOMEM;
    return false;
  }
  uint8_t *bytes = c->out->data + c->base;
  memcpy(copy, bytes, len);
  size_t done = 0;
  for (uint32_t index = 0; done < len; index = segment_at(c, index)->next) {
    const segment *s = segment_at(c, index);
    memcpy(bytes + done, copy + s->at, s->len);
    done += s->len;
  }
  mem_free(c->out->allocator, copy);
  return true;
}

static void run(canon *c) {
  if (!make_room(c, &c->segments, 1, sizeof(segment)))
    return;
  c->segments.count = 1;
  *segment_at(c, 0) = (segment){0};
  bool going;
  do
    going = step(c);
  while (going && c->levels.count > 0);
  if (c->status == CBOR_OK)
    c->status = c->out->status;
  if (c->status == CBOR_OK)
    settle(c);
}

cbor_status cbor_canonical(const void *bytes, size_t len, const cbor_limits *limits,
                           cbor_out *out) {
  if (out->status != CBOR_OK)
    return out->status;
  if (len > CANONICAL_BYTES_MAX)
    return CBOR_E_SIZE;
  cbor_status status = cbor_check(bytes, len, limits);
  if (status != CBOR_OK)
    return status;
  canon c = {.out = out, .base = out->len};
  cbor_in_init(&c.in, bytes, len);
  run(&c);
  const vow_allocator *allocator = out->allocator;
  mem_free(allocator, c.segments.data);
  mem_free(allocator, c.pairs.data);
  mem_free(allocator, c.spare.data);
  mem_free(allocator, c.levels.data);
  if (c.status != CBOR_OK)
    out->len = c.base;
  return c.status;
}
