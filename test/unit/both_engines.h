/* One entry of a list of tests for each engine. */
#ifndef VOW_TEST_BOTH_ENGINES_H
#define VOW_TEST_BOTH_ENGINES_H

#include "engine/engine.h"

static const engine_kind fixture_engines[] = {ENGINE_WASM, ENGINE_NATIVE};
#define ON_WASM(test)                                                                              \
  { #test " (wasm)", test, NULL, NULL, (void *)(uintptr_t)&fixture_engines[0] }
#define ON_NATIVE(test)                                                                            \
  { #test " (native)", test, NULL, NULL, (void *)(uintptr_t)&fixture_engines[1] }
#define ON_BOTH(test) ON_WASM(test), ON_NATIVE(test)

#endif
