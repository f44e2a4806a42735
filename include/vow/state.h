/* States of operations and tasks. */
#ifndef VOW_STATE_H
#define VOW_STATE_H

typedef enum vow_state {
  VOW_PENDING,
  VOW_RUNNING,
  VOW_FULFILLED,
  VOW_REJECTED,
  VOW_TIMED_OUT,
  VOW_OP_CANCELLED
} vow_state;

#endif
