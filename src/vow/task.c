/* The end of a task, told to a program: on the thread of a runtime, or where it settles. */
#include "task/task.h"

#include "vow/vow_int.h"

/* It is in the gate's list from vow_task_on_done() until the callback is called. It ends when
 * that is done and the task has settled: if the runtime's end calls before, with the latter. */
typedef struct lib_done {
  task_done done;       /* must stay first */
  loop_message message; /* on its way to the loop */
  vow_task *task;       /* held */
  lib_gate *gate;       /* held; NULL: no runtime */
  /* Under the gate's lock: */
  bool called;
  bool told; /* it has settled, and nothing is on its way to the loop: that is closed */
  struct lib_done *next, *previous;
  vow_task_done_callback *callback;
  void *user;
} lib_done;

static void free_done(lib_done *done) {
  vow_task *task = done->task;
  lib_gate_drop(done->gate);
  mem_free(task_allocator(task), done);
  vow_task_release(task);
}

/* ---- under the gate's lock ---- */

static void link_done(lib_gate *gate, lib_done *done) {
  done->next = gate->dones;
  if (done->next)
    done->next->previous = done;
  gate->dones = done;
  atomic_fetch_add(&gate->done_count, 1);
  loop_expect(gate->loop, 1);
}

static void unlink_done(lib_gate *gate, lib_done *done) {
  *(done->previous ? &done->previous->next : &gate->dones) = done->next;
  if (done->next)
    done->next->previous = done->previous;
  atomic_fetch_sub(&gate->done_count, 1);
  done->called = true;
}

/* ---- telling ---- */

/* On the runtime's thread. */
static void deliver(loop_message *message) {
  lib_done *done = (lib_done *)((char *)message - offsetof(lib_done, message));
  lib_gate *gate = done->gate;
  pthread_mutex_lock(&gate->lock);
  bool mine = !done->called;
  if (mine) {
    unlink_done(gate, done);
    loop_expect(gate->loop, -1);
  }
  pthread_mutex_unlock(&gate->lock);
  if (mine)
    done->callback(done->task, done->user);
  free_done(done);
}

/* It has settled: on any thread. */
static void tell(task_done *told, vow_task *task) {
  lib_done *done = (lib_done *)told;
  lib_gate *gate = done->gate;
  if (!gate) {
    done->callback(task, done->user);
    free_done(done);
    return;
  }
  pthread_mutex_lock(&gate->lock);
  bool called = done->called;
  if (!called && gate->loop)
    loop_post(gate->loop, &done->message);
  else if (!called)
    done->told = true; /* lib_tasks_close() comes to it */
  pthread_mutex_unlock(&gate->lock);
  if (called)
    free_done(done);
}

void lib_tasks_close(vow_runtime *runtime) {
  lib_gate *gate = runtime->gate;
  lib_gate_hold(gate);
  for (;;) {
    pthread_mutex_lock(&gate->lock);
    lib_done *done = gate->dones;
    bool told = done && done->told;
    vow_task *task = done ? vow_task_retain(done->task) : NULL;
    vow_task_done_callback *callback = done ? done->callback : NULL;
    void *user = done ? done->user : NULL;
    if (done)
      unlink_done(gate, done);
    pthread_mutex_unlock(&gate->lock);
    if (!done)
      break;
    callback(task, user); /* who settles it now may have freed `done` */
    if (told)
      free_done(done);
    vow_task_release(task);
  }
  lib_gate_drop(gate);
}

/* ---- asking ---- */

static lib_done *make_done(vow_task *task, vow_task_done_callback *callback, void *user) {
  lib_done *done = mem_new(task_allocator(task), 1, sizeof *done);
  if (!done)
    return NULL;
  done->done.tell = tell;
  done->message.deliver = deliver;
  done->task = vow_task_retain(task);
  done->callback = callback;
  done->user = user;
  return done;
}

/* False: the runtime is closed. */
static bool join(lib_done *done, lib_gate *gate) {
  if (lib_gate_is_lost(gate))
    return false;
  pthread_mutex_lock(&gate->lock);
  bool open = gate->loop;
  if (open) {
    lib_gate_hold(gate);
    done->gate = gate;
    link_done(gate, done);
  }
  pthread_mutex_unlock(&gate->lock);
  return open;
}

vow_status vow_task_on_done(vow_task *task, vow_runtime *runtime, vow_task_done_callback *callback,
                            void *user) {
  if (!callback)
    return VOW_E_INVALID;
  vow_status status = task_claim(task);
  if (status != VOW_OK)
    return status;
  lib_done *done = make_done(task, callback, user);
  status = done ? VOW_OK : VOW_E_NOMEM;
  if (done && runtime && !join(done, runtime->gate)) {
    free_done(done);
    status = VOW_E_STATE;
  }
  if (status == VOW_OK)
    task_tell(task, &done->done);
  else
    task_unclaim(task);
  return status;
}
