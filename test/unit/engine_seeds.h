/* Seeded schedules on both engines. Included behind the fixture, whose engines it takes. */
#ifndef VOW_TEST_ENGINE_SEEDS_H
#define VOW_TEST_ENGINE_SEEDS_H

#include "unit/seeds.h"

static int seeds_main(int argc, char **argv, unsigned count, CMUnitTestFunction schedules) {
  const struct CMUnitTest tests[] = {
      {"schedules (wasm)", schedules, NULL, tell_seed_after,
       (void *)(uintptr_t)&fixture_engines[0]},
      {"schedules (native)", schedules, NULL, tell_seed_after,
       (void *)(uintptr_t)&fixture_engines[1]},
  };
  seeds_begin(argc, argv, count);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
