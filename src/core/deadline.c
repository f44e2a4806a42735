#include "core/deadline.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define PAGE_SHIFT 10u
#define PAGE_LEN (1u << PAGE_SHIFT)
#define ARITY 4u
#define PAGES_MIN 16u

static deadline_place *place_at(const deadline_heap *heap, uint32_t i) {
  return &heap->pages[i >> PAGE_SHIFT][i & (PAGE_LEN - 1)];
}

static bool before(const deadline_place *a, const deadline_place *b) {
  return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void put(deadline_heap *heap, uint32_t i, deadline_place what) {
  *place_at(heap, i) = what;
  what.entry->place = i;
}

void deadline_heap_init(deadline_heap *heap, const vow_allocator *allocator) {
  *heap = (deadline_heap){.allocator = allocator};
}

void deadline_heap_free(deadline_heap *heap) {
  for (uint32_t i = 0; i < heap->page_count; i++)
    mem_free(heap->allocator, heap->pages[i]);
  mem_free(heap->allocator, heap->pages);
  *heap = (deadline_heap){.allocator = heap->allocator};
}

static bool add_page(deadline_heap *heap) {
  if (heap->page_count == heap->pages_max) {
    uint32_t longer = heap->pages_max ? heap->pages_max * 2 : PAGES_MIN;
    deadline_place **pages =
        mem_resize(heap->allocator, heap->pages, longer, sizeof(deadline_place *));
    if (!pages)
      return false;
    heap->pages = pages;
    heap->pages_max = longer;
  }
  deadline_place *page = mem_resize(heap->allocator, NULL, PAGE_LEN, sizeof *page);
  if (!page)
    return false;
  heap->pages[heap->page_count++] = page;
  return true;
}

bool deadline_reserve(deadline_heap *heap, uint32_t count) {
  while ((uint64_t)heap->page_count * PAGE_LEN < count)
    if (!add_page(heap))
      return false;
  return true;
}

/* Moves the hole at `i` up until `what` fits, and puts it there. */
static void sift_up(deadline_heap *heap, uint32_t i, deadline_place what) {
  while (i > 0) {
    uint32_t parent = (i - 1) / ARITY;
    deadline_place *above = place_at(heap, parent);
    if (!before(&what, above))
      break;
    put(heap, i, *above);
    i = parent;
  }
  put(heap, i, what);
}

static uint32_t least_child(const deadline_heap *heap, uint32_t first) {
  uint32_t least = first, siblings = heap->count - first;
  if (siblings > ARITY)
    siblings = ARITY;
  for (uint32_t i = 1; i < siblings; i++)
    if (before(place_at(heap, first + i), place_at(heap, least)))
      least = first + i;
  return least;
}

/* The places number at most 2^32 - 1, so the first child is computed wide. */
static void sift_down(deadline_heap *heap, uint32_t i, deadline_place what) {
  for (;;) {
    uint64_t first = (uint64_t)i * ARITY + 1;
    if (first >= heap->count)
      break;
    uint32_t child = least_child(heap, (uint32_t)first);
    deadline_place *below = place_at(heap, child);
    if (!before(below, &what))
      break;
    put(heap, i, *below);
    i = child;
  }
  put(heap, i, what);
}

/* ---- lines ---- */

static bool is_before(const deadline *a, const deadline *b) {
  return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

/* The line to whose end the entry goes: one whose last is before it, and of these the one
 * whose last is latest; else one that is empty; NULL: none. */
static deadline_line *line_for(deadline_heap *heap, const deadline *entry) {
  deadline_line *best = NULL;
  for (uint32_t i = 0; i < DEADLINE_LINES; i++) {
    deadline_line *line = &heap->lines[i];
    if (line->last && !is_before(line->last, entry))
      continue;
    if (!best || !best->last || (line->last && is_before(best->last, line->last)))
      best = line;
  }
  return best;
}

static void join_line(deadline_heap *heap, deadline_line *line, deadline *entry) {
  entry->place = DEADLINE_OUT - DEADLINE_LINES + (uint32_t)(line - heap->lines);
  entry->previous = line->last;
  entry->next = NULL;
  *(line->last ? &line->last->next : &line->first) = entry;
  line->last = entry;
}

static void leave_line(deadline_line *line, deadline *entry) {
  *(entry->previous ? &entry->previous->next : &line->first) = entry->next;
  *(entry->next ? &entry->next->previous : &line->last) = entry->previous;
}

/* ---- all together ---- */

void deadline_add(deadline_heap *heap, deadline *entry) {
  assert(entry->place == DEADLINE_OUT);
  heap->all++;
  deadline_line *line = line_for(heap, entry);
  if (line) {
    join_line(heap, line, entry);
    return;
  }
  assert((uint64_t)heap->page_count * PAGE_LEN > heap->count);
  deadline_place what = {.at = entry->at, .seq = entry->seq, .entry = entry};
  sift_up(heap, heap->count++, what);
}

static void leave_heap(deadline_heap *heap, uint32_t i) {
  uint32_t last = --heap->count;
  if (i == last)
    return;
  deadline_place moved = *place_at(heap, last);
  if (i > 0 && before(&moved, place_at(heap, (i - 1) / ARITY)))
    sift_up(heap, i, moved);
  else
    sift_down(heap, i, moved);
}

void deadline_remove(deadline_heap *heap, deadline *entry) {
  uint32_t i = entry->place;
  if (i == DEADLINE_OUT)
    return;
  heap->all--;
  entry->place = DEADLINE_OUT;
  if (i >= DEADLINE_OUT - DEADLINE_LINES) {
    leave_line(&heap->lines[i - (DEADLINE_OUT - DEADLINE_LINES)], entry);
    return;
  }
  assert(i < heap->count && place_at(heap, i)->entry == entry);
  leave_heap(heap, i);
}

deadline *deadline_first(const deadline_heap *heap) {
  deadline *first = heap->count ? heap->pages[0][0].entry : NULL;
  for (uint32_t i = 0; i < DEADLINE_LINES; i++) {
    deadline *head = heap->lines[i].first;
    if (head && (!first || is_before(head, first)))
      first = head;
  }
  return first;
}

/* ---- checking ---- */

static bool line_check(const deadline_heap *heap, uint32_t number) {
  const deadline_line *line = &heap->lines[number];
  const deadline *previous = NULL;
  for (const deadline *entry = line->first; entry; previous = entry, entry = entry->next)
    if (entry->place != DEADLINE_OUT - DEADLINE_LINES + number || entry->previous != previous ||
        (previous && !is_before(previous, entry))) {
      fprintf(stderr, "deadline: line %" PRIu32 " is out of order\n", number);
      return false;
    }
  if (line->last != previous) {
    fprintf(stderr, "deadline: line %" PRIu32 " has another end\n", number);
    return false;
  }
  return true;
}

bool deadline_check(const deadline_heap *heap) {
  for (uint32_t i = 0; i < DEADLINE_LINES; i++)
    if (!line_check(heap, i))
      return false;
  for (uint32_t i = 0; i < heap->count; i++) {
    const deadline_place *here = place_at(heap, i);
    const deadline *entry = here->entry;
    if (entry->place != i || entry->at != here->at || entry->seq != here->seq) {
      fprintf(stderr, "deadline: place %" PRIu32 " disagrees with its entry\n", i);
      return false;
    }
    if (i > 0 && !before(place_at(heap, (i - 1) / ARITY), here)) {
      fprintf(stderr, "deadline: place %" PRIu32 " is out of order\n", i);
      return false;
    }
  }
  return true;
}
