/* Operations by name, in the order they came: those that are built in, and those that
 * a program registers. What they are is the program's and borrowed; nothing is taken
 * away but by api_registry_cut(). Loop thread. */
#ifndef VOW_API_REGISTRY_H
#define VOW_API_REGISTRY_H

#include "core/mem.h"
#include "sandbox/host.h"

typedef struct api_registry {
  const vow_allocator *allocator;
  const host_kind **kinds;
  size_t count, room;
} api_registry;

/* Whether `name` may be a name of an operation: one or two identifiers with a dot
 * between, the first of which no script has another meaning for. */
bool api_name_valid(const char *name, size_t len);
/* Whether it is one identifier, and no word of the language: a parameter. */
bool api_identifier_valid(const char *name, size_t len);
/* The operation that has this name, or is an object where `name` would be a function
 * or the other way round; NULL: none. */
const host_kind *api_registry_taken(const api_registry *registry, const char *name);
/* `kind` stays where it is. False when memory is short. */
bool api_registry_add(api_registry *registry, const host_kind *kind);
bool api_registry_add_all(api_registry *registry, const host_kind *kinds, size_t count);
/* Forgets those behind the first `count`. */
void api_registry_cut(api_registry *registry, size_t count);
void api_registry_free(api_registry *registry);

/* Marks in `marks`, one flag for each of the first `known`, what an entry of a list
 * names; false when that is nothing. */
bool api_registry_mark(const api_registry *registry, size_t known, const char *entry, size_t len,
                       bool *marks);
/* A copy of those that are marked, to be freed with mem_free(). NULL when memory is
 * short. */
host_kind *api_registry_marked(const api_registry *registry, size_t known, const bool *marks,
                               size_t *count);

#endif
