/* Threads that call, their calls, and how these are interrupted.
 *
 * A thread has one state in the interpreter from its first call to its end, so that what code
 * keeps for each thread stays. It cannot wait for the GIL when it ends, so the interrupter
 * takes the state apart.
 *
 * Who stops a call may not wait for the interpreter, so it only marks the call and wakes the
 * interrupter, the thread that started the interpreter. That one takes the GIL, then `lock`,
 * always in this order; nothing is called with `lock` held that might give the GIL away. A
 * call is taken off the list by its own thread with the GIL held, so that what the
 * interrupter sees there is alive, and an exception it throws into a thread is for the call
 * that it means. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "executors/python_int.h"

#define SECOND_NS UINT64_C(1000000000)
/* Cleaning up after the first interruption takes a while; what was caught is thrown again. */
#define AGAIN_NS (SECOND_NS / 4)
#define AGAIN_DOUBLINGS 3u
#define NEVER UINT64_MAX

typedef struct thread_state {
  PyThreadState *python;
  struct thread_state *next; /* of those whose threads have ended */
} thread_state;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rest but `current` */
static pthread_cond_t work; /* for the interrupter; of the monotonic clock */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* `generation` has grown */
static python_call *calls;                                /* doubly linked */
static uint64_t next_at = NEVER;                          /* no call is to be interrupted before */
static uint64_t generation;                               /* of what python_wait() waits for */
static unsigned waiters;                                  /* in python_wait() */
static uint64_t last_number;                              /* of a call */
static thread_state *ended;
static pthread_key_t thread_key; /* -> thread_state */
static _Thread_local python_call *current;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

python_call *python_current(void) {
  return current;
}

bool python_is_stopping(const python_call *call) {
  return atomic_load(&call->stopping);
}

/* ---- threads ---- */

/* On a thread that ends. */
static void end_thread(void *argument) {
  thread_state *state = argument;
  pthread_mutex_lock(&lock);
  state->next = ended;
  ended = state;
  pthread_cond_signal(&work);
  pthread_mutex_unlock(&lock);
}

/* With the GIL. */
static void free_ended(void) {
  pthread_mutex_lock(&lock);
  thread_state *states = ended;
  ended = NULL;
  pthread_mutex_unlock(&lock);
  while (states) {
    thread_state *state = states;
    states = state->next;
    PyThreadState_Clear(state->python);
    PyThreadState_Delete(state->python);
    PyMem_RawFree(state);
  }
}

bool python_attach(void) {
  if (pthread_getspecific(thread_key))
    return true;
  thread_state *state = PyMem_RawCalloc(1, sizeof *state);
  if (state && pthread_setspecific(thread_key, state) == 0) {
    state->python = PyThreadState_New(PyInterpreterState_Main());
    if (state->python)
      return true;
    pthread_setspecific(thread_key, NULL);
  }
  PyMem_RawFree(state);
  return false;
}

/* ---- calls ---- */

/* Under the lock. */
static void interrupt_at(python_call *call, uint64_t time) {
  call->interrupt_at = time;
  if (time >= next_at)
    return;
  next_at = time;
  pthread_cond_signal(&work);
}

static void grow_generation(void) {
  generation++;
  pthread_cond_broadcast(&changed);
}

void python_stop(python_call *call) {
  pthread_mutex_lock(&lock);
  if (call->listed && call->interrupt_at == NEVER) {
    interrupt_at(call, now_ns());
    grow_generation();
  }
  pthread_mutex_unlock(&lock);
}

void python_enter(python_call *call) {
  call->thread = PyThread_get_thread_ident();
  call->interrupt_at = NEVER;
  call->interruptions = 0;
  call->cancel = NULL;
  call->outer = current;
  current = call;
  pthread_mutex_lock(&lock);
  call->number = ++last_number;
  call->previous = NULL;
  call->next = calls;
  if (calls)
    calls->previous = call;
  calls = call;
  call->listed = true;
  if (python_is_stopping(call))
    interrupt_at(call, now_ns());
  pthread_mutex_unlock(&lock);
}

void python_leave(python_call *call) {
  pthread_mutex_lock(&lock);
  if (call->previous)
    call->previous->next = call->next;
  else
    calls = call->next;
  if (call->next)
    call->next->previous = call->previous;
  call->listed = false;
  PyObject *cancel = call->cancel;
  call->cancel = NULL;
  if (waiters)
    grow_generation();
  pthread_mutex_unlock(&lock);
  PyThreadState_SetAsyncExc(call->thread, NULL);
  current = call->outer;
  Py_XDECREF(cancel);
}

/* ---- the interrupter ---- */

/* Under the lock. NULL: none is due, and `next_at` is when one will be. */
static python_call *due_call(uint64_t now) {
  uint64_t earliest = NEVER;
  for (python_call *call = calls; call; call = call->next) {
    if (call->interrupt_at <= now)
      return call;
    if (call->interrupt_at < earliest)
      earliest = call->interrupt_at;
  }
  next_at = earliest;
  return NULL;
}

/* Under the lock. A coroutine is cancelled first, and has time to clean up; what is not over
 * then, because it computes or has caught that, is interrupted as other code is. Returns what
 * is to be called without the lock: it wakes the loop of a coroutine. */
static PyObject *interrupt(python_call *call, uint64_t now) {
  uint32_t doublings =
      call->interruptions < AGAIN_DOUBLINGS ? call->interruptions : AGAIN_DOUBLINGS;
  bool first = call->interruptions++ == 0;
  call->interrupt_at = now + (AGAIN_NS << doublings);
  if (!call->cancel || !first)
    PyThreadState_SetAsyncExc(call->thread, python.stopped);
  return call->cancel ? python_ref(call->cancel) : NULL;
}

/* With the GIL. */
static void interrupt_due(void) {
  bool more = true;
  while (more) {
    PyObject *cancel = NULL;
    uint64_t now = now_ns();
    pthread_mutex_lock(&lock);
    python_call *call = due_call(now);
    more = call != NULL;
    if (call)
      cancel = interrupt(call, now);
    pthread_mutex_unlock(&lock);
    PyObject *done = cancel ? PyObject_CallNoArgs(cancel) : NULL;
    if (cancel && !done)
      PyErr_Clear(); /* memory is short, or a loop of the program is no good: its thread is given up
                      */
    Py_XDECREF(done);
    Py_XDECREF(cancel);
  }
}

static void wait_for_work(void) {
  pthread_mutex_lock(&lock);
  while (!ended && next_at > now_ns()) {
    if (next_at == NEVER) {
      pthread_cond_wait(&work, &lock);
    } else {
      struct timespec until = {.tv_sec = (time_t)(next_at / SECOND_NS),
                               .tv_nsec = (long)(next_at % SECOND_NS)};
      pthread_cond_timedwait(&work, &lock, &until);
    }
  }
  pthread_mutex_unlock(&lock);
}

bool python_prepare_interrupts(void) {
  static bool prepared;
  pthread_condattr_t monotonic;
  if (prepared)
    return true;
  if (pthread_key_create(&thread_key, end_thread) != 0)
    return false;
  bool made = pthread_condattr_init(&monotonic) == 0;
  if (made) {
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    made = pthread_cond_init(&work, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
  }
  if (!made)
    pthread_key_delete(thread_key);
  prepared = made;
  return made;
}

void python_interrupt_loop(PyThreadState *state) {
  for (;;) {
    wait_for_work();
    PyEval_RestoreThread(state);
    interrupt_due();
    free_ended();
    state = PyEval_SaveThread();
  }
}

/* ---- for python_support.py ---- */

/* 0: none. */
PyObject *python_call_number(PyObject *self, PyObject *unused) {
  (void)self;
  (void)unused;
  return PyLong_FromUnsignedLongLong(current ? current->number : 0);
}

/* Is it a call that has not ended, and of another thread? */
PyObject *python_runs_elsewhere(PyObject *self, PyObject *number) {
  (void)self;
  unsigned long long wanted = PyLong_AsUnsignedLongLong(number);
  if (PyErr_Occurred())
    return NULL;
  unsigned long here = PyThread_get_thread_ident();
  pthread_mutex_lock(&lock);
  const python_call *call = calls;
  while (call && call->number != wanted)
    call = call->next;
  bool found = call && call->thread != here;
  pthread_mutex_unlock(&lock);
  return PyBool_FromLong(found);
}

/* What cancels what this thread awaits, None: nothing. */
PyObject *python_set_cancel(PyObject *self, PyObject *cancel) {
  (void)self;
  PyObject *before = NULL;
  if (current) {
    pthread_mutex_lock(&lock);
    before = current->cancel;
    current->cancel = cancel == Py_None ? NULL : python_ref(cancel);
    pthread_mutex_unlock(&lock);
  }
  Py_XDECREF(before);
  Py_RETURN_NONE;
}

PyObject *python_generation(PyObject *self, PyObject *unused) {
  (void)self;
  (void)unused;
  pthread_mutex_lock(&lock);
  uint64_t now = generation;
  pthread_mutex_unlock(&lock);
  return PyLong_FromUnsignedLongLong(now);
}

PyObject *python_changed(PyObject *self, PyObject *unused) {
  (void)self;
  (void)unused;
  pthread_mutex_lock(&lock);
  grow_generation();
  pthread_mutex_unlock(&lock);
  Py_RETURN_NONE;
}

/* Until the generation is not this one any more, or the call is to stop. */
PyObject *python_wait(PyObject *self, PyObject *seen) {
  (void)self;
  unsigned long long old = PyLong_AsUnsignedLongLong(seen);
  if (PyErr_Occurred())
    return NULL;
  python_call *call = current;
  Py_BEGIN_ALLOW_THREADS pthread_mutex_lock(&lock);
  waiters++;
  while (generation == old && !(call && python_is_stopping(call)))
    pthread_cond_wait(&changed, &lock);
  waiters--;
  pthread_mutex_unlock(&lock);
  Py_END_ALLOW_THREADS if (call && python_is_stopping(call)) {
    PyErr_SetNone(python.stopped);
    return NULL;
  }
  Py_RETURN_NONE;
}
