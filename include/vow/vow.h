/* Vow: untrusted, asynchronous JavaScript from C. Every call that a script makes is
 * an operation with its own deadline, its own cancel and exactly one settlement.
 *
 *   vow/runtime.h    a runtime: one thread's operations and runs
 *   vow/operation.h  what scripts may call, and how a program answers
 *   vow/run.h        evaluating a script; scripts that are run many times
 *   vow/task.h       callbacks on threads, with a time limit and a cancel; needs no runtime
 *   vow/loop.h       the event loop, or how to be part of another one
 *   vow/status.h     what a call came to
 *
 * docs/embedding.md is the introduction. */
#ifndef VOW_VOW_H
#define VOW_VOW_H

#include "vow/allocator.h"
#include "vow/loop.h"
#include "vow/operation.h"
#include "vow/run.h"
#include "vow/runtime.h"
#include "vow/status.h"
#include "vow/task.h"
#include "vow/version.h"

#endif
