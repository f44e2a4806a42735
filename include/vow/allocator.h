/* The allocator that a program may give to Vow. */
#ifndef VOW_ALLOCATOR_H
#define VOW_ALLOCATOR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_allocator {
  /* As realloc(3), but size 0 always frees and returns NULL. Called from the
   * thread of the runtime, from its worker threads, and from every thread that
   * uses an operation: it must be safe for that. It must not call Vow. NULL from
   * it is an error that the caller of Vow is told of, never the end of the
   * process. */
  void *(*reallocate)(void *user, void *block, size_t size);
  void *user;
} vow_allocator;

#ifdef __cplusplus
}
#endif
#endif
