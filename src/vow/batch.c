/* Handlers that take several calls at once. */
#include "vow/vow_int.h"

typedef struct batch {
  pool_work work;
  lib_kind *kind;
  size_t count;
  vow_op *ops[];
} batch;

static void handle(batch *batch) {
  batch->kind->batch(batch->ops, batch->count, batch->kind->user);
  for (size_t i = 0; i < batch->count; i++)
    vow_op_release(batch->ops[i]);
}

static void run_batch(pool_work *work, void *state) {
  (void)state;
  handle((batch *)work);
}

/* The last of what the worker may use: its operations may be gone. */
static void batch_done(pool_work *work) {
  batch *done = (batch *)work;
  mem_free(done->kind->runtime->allocator, done);
}

static void start_on_worker(batch *batch) {
  vow_runtime *runtime = batch->kind->runtime;
  batch->work.run = run_batch;
  batch->work.done = batch_done;
  if (pool_submit(runtime->workers, shard_loop(runtime->shard), &batch->work) == POOL_OK)
    return;
  for (size_t i = 0; i < batch->count; i++) {
    lib_op_no_thread(batch->ops[i]);
    vow_op_release(batch->ops[i]);
  }
  mem_free(runtime->allocator, batch);
}

static void start_batch(host_call **calls, size_t count, void *user) {
  lib_kind *kind = user;
  vow_runtime *runtime = kind->runtime;
  batch *batch = mem_resize(runtime->allocator, NULL, 1, sizeof *batch + count * sizeof(vow_op *));
  if (batch)
    *batch = (struct batch){.kind = kind};
  for (size_t i = 0; i < count; i++) {
    vow_op *op = batch ? lib_op_open(kind, calls[i]) : NULL;
    if (op)
      batch->ops[batch->count++] = op;
    else
      lib_call_no_memory(calls[i]);
  }
  if (batch && batch->count > 0 && kind->blocking) {
    start_on_worker(batch);
    return;
  }
  runtime->depth++;
  if (batch && batch->count > 0)
    handle(batch);
  runtime->depth--;
  mem_free(runtime->allocator, batch);
}

/* One that is started alone is a batch of one. */
static void start_one(host_call *call, void *user) {
  start_batch(&call, 1, user);
}

void lib_kind_init_batch(lib_kind *kind) {
  kind->host.start = start_one;
  kind->host.start_batch = start_batch;
}
