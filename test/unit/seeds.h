/* Tests that run seeded schedules: a failure tells its seed, and --seed N --seeds COUNT
 * replay from there. */
#ifndef VOW_TEST_SEEDS_H
#define VOW_TEST_SEEDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned first_seed = 1, seed_count; /* set by seeds_begin() */
static unsigned current_seed;               /* 0: none is going on */

/* xorshift64* */
static inline unsigned seeds_pick(uint64_t *random, unsigned below) {
  *random ^= *random >> 12;
  *random ^= *random << 25;
  *random ^= *random >> 27;
  return (unsigned)((*random * UINT64_C(2685821657736338717) >> 33) % below);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void tell_seed(void) {
  if (current_seed)
    fprintf(stderr, "seed %u: replay with --seed %u --seeds 1\n", current_seed, current_seed);
}

static int tell_seed_after(void **state) {
  (void)state;
  tell_seed();
  current_seed = 0;
  return 0;
}

static unsigned number_after(int argc, char **argv, const char *name, unsigned other) {
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], name) == 0)
      return (unsigned)strtoul(argv[i + 1], NULL, 10);
  return other;
}

/* Takes the options; `count` schedules without one. */
static void seeds_begin(int argc, char **argv, unsigned count) {
  first_seed = number_after(argc, argv, "--seed", first_seed);
  seed_count = number_after(argc, argv, "--seeds", count);
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback(tell_seed);
}

#endif
