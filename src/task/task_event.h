/* What happens to a task, for the records of its pool: audit (task_audit.h), metrics
 * (task_metrics.h). */
#ifndef VOW_TASK_TASK_EVENT_H
#define VOW_TASK_TASK_EVENT_H

#include <stdint.h>

#include "core/op.h"

typedef enum {
  TASK_EVENT_CREATED,
  TASK_EVENT_STARTED, /* an attempt begins */
  TASK_EVENT_RETRIED, /* it failed, another one will begin */
  TASK_EVENT_SETTLED,
  TASK_EVENT_LATE,    /* its callback has returned after that, what it said is dropped */
  TASK_EVENT_RETIRED, /* its thread is given up */
} task_event_kind;

typedef struct task_event {
  task_event_kind kind;
  uint64_t number;   /* of the task in its pool, from 1 */
  uint64_t parent;   /* of the task it is part of; 0: none */
  uint64_t now_ns;   /* loop_now() */
  uint64_t age_ns;   /* since it was created; SETTLED, LATE */
  const char *name;  /* UTF-8, at most TASK_WORD_MAX bytes; copied where it is kept */
  const char *form;  /* "parallel", "race"; NULL: a call. A constant */
  const char *error; /* type of its error; RETRIED, SETTLED, LATE; as the name, or NULL */
  op_state state;    /* SETTLED, and as what LATE would have settled it */
  uint32_t attempt;  /* STARTED: this one; RETRIED: the one that failed */
} task_event;

#endif
