/* One JavaScript instance: an event loop, and a guest that has executed one source. One
 * thread at a time, but for instance_stop(). */
#ifndef VOW_EXECUTORS_INSTANCE_H
#define VOW_EXECUTORS_INSTANCE_H

#include "executors/javascript.h"

/* Which source it is: two requests with equal keys may share an instance. */
typedef struct instance_key {
  bool isolated;
  const char *file; /* absolute; NULL: `source` */
  const char *source;
} instance_key;

/* Makes no guest yet. `key` is copied. NULL, with the failure in `result`. */
instance *instance_open(const javascript_options *options, const instance_key *key,
                        javascript_result *result);
void instance_close(instance *instance);
bool instance_is_of(const instance *instance, const instance_key *key);

/* Blocks until the call has ended, and fills `result`. */
void instance_call(instance *instance, const javascript_request *request,
                   javascript_result *result);
/* Any thread, from before instance_call() to its end, once: that call ends soon. */
void instance_stop(instance *instance);
/* After a call that nobody stops any more; `stopped`: somebody has. Whether the instance may
 * serve another one. */
bool instance_end_call(instance *instance, bool stopped);

/* For the owner's list. */
instance **instance_next(instance *instance);

/* Fills the failure of `result`, texts cut. `detail` may be NULL. */
void javascript_fail(javascript_result *result, const char *type, const char *detail,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
