/* A worker's guest: functions of other guests, run one task at a time. Natively only.
 *
 * A task has its end when its promise (or what it returned) is settled and no job is
 * left. Then nothing of it stays behind: its timers are stopped, its calls dropped, its
 * rejections forgotten. A rejection that nobody handled by then makes the task fail
 * with it, and so does an exception in one of its timers: whoever awaits the task is the
 * one who can be told, as a node worker tells its owner with 'error'. What the function
 * left on globals stays, which is what `affinity` is for. */
#ifndef VOW_GUEST_TASK_H
#define VOW_GUEST_TASK_H

#ifndef __wasm__

#include "guest/guest.h"

/* WIRE_CODE, WIRE_CODE_DROP, WIRE_TASK. */
void task_code(guest *g, cbor_in *fields);
void task_code_drop(guest *g, cbor_in *hash);
void task_start(guest *g, uint64_t id, cbor_in *fields);
/* No job is left: says how the task ended, if it has. */
void task_after_jobs(guest *g);
/* An exception that no script caught, pending in the context: true when it was that of
 * the running task, which has it now. */
bool task_uncaught(guest *g);
/* Deferred.progress(value). */
JSValue task_progress(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv);
/* What the guest sends holds several objects like this one: the next ones are made
 * quicker. */
void task_makes(guest *g, JSValueConst object);
void task_free(guest *g);

#endif
#endif
