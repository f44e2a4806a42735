/* The operation table under any sequence of calls, with kinds and all their
 * policies: the steps of the simulation (test/unit/sim_op_steps.h), chosen and
 * decided by the input, each followed by its comparison with the model and by the
 * table's own check. Allocations fail when the input says so. */
#include "unit/sim_op_steps.h"

#define STEPS_MAX 600u

/* What the input leaves open is decided by this. */
static uint64_t seed_of(const uint8_t *data, size_t size) {
  uint64_t seed = size;
  for (size_t i = 0; i < size; i++)
    seed = (seed ^ data[i]) * 0x100000001b3u;
  return seed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static sim s;
  sim_clear(&s, seed_of(data, size));
  s.at = data;
  s.end = data + size;
  begin(&s);
  step_open(&s);
  for (s.step = 1; s.step <= STEPS_MAX && s.at < s.end; s.step++)
    one_step(&s, below(&s, STEPS_LEN));
  finish(&s);
  return 0;
}
