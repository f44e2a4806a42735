#include "task/task_retry.h"

#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

static uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* The next type in a comma list, without the blanks around it; NULL: it was the last. */
static const char *next_type(const char **at, size_t *len) {
  const char *type = *at;
  if (!type)
    return NULL;
  const char *end = strchrnul(type, ',');
  *at = *end ? end + 1 : NULL;
  type += strspn(type, " ");
  *len = type < end ? (size_t)(end - type) : 0;
  while (*len > 0 && type[*len - 1] == ' ')
    --*len;
  return type;
}

const char *task_retry_fault(const vow_task_retry *retry) {
  size_t len;
  const char *at = retry->errors;
  if (retry->jitter_percent > 100)
    return "retry.jitter_percent is more than 100";
  while (next_type(&at, &len))
    if (len == 0)
      return "retry.errors names no type between its commas";
  return NULL;
}

static bool is_named(const char *errors, const char *error) {
  size_t error_len = strlen(error), len;
  for (const char *type; (type = next_type(&errors, &len));)
    if (len == error_len && memcmp(type, error, len) == 0)
      return true;
  return false;
}

bool task_retry_wanted(const vow_task_retry *retry, uint32_t attempts, const char *error) {
  return attempts < retry->attempts && (!retry->errors || is_named(retry->errors, error));
}

/* The multiplying stops where it changes nothing any more. */
static uint64_t delay_ms(const vow_task_retry *retry, uint32_t attempts) {
  uint64_t most = retry->delay_max_ms ? retry->delay_max_ms : UINT64_MAX;
  uint64_t ms = retry->delay_ms;
  for (uint32_t i = 1; i < attempts && retry->backoff > 1 && ms > 0 && ms < most; i++)
    ms = times(ms, retry->backoff);
  return ms < most ? ms : most;
}

uint64_t task_retry_delay_ns(const vow_task_retry *retry, uint32_t attempts, uint64_t random) {
  uint64_t ns = times(delay_ms(retry, attempts), NS_PER_MS);
  uint32_t percent = retry->jitter_percent < 100 ? retry->jitter_percent : 100;
  uint64_t left = ns / 100 * percent + ns % 100 * percent / 100;
  return ns - left + (left == UINT64_MAX ? random : random % (left + 1));
}
