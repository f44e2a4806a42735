/* The one interpreter, on a thread of its own: that is the main thread of Python for as long
 * as the process lives, whatever becomes of the threads that call, and the interrupter. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "executors/python_int.h"

#include <datetime.h>

#include "executors/python_module.h"
#include "vow/version.h"

#define PROGRAM VOW_PYTHON_PREFIX "/bin/python" VOW_PYTHON_VERSION

extern const char python_support[]; /* python_support.py */

python_names python;

typedef struct starting {
  pthread_mutex_t lock;
  pthread_cond_t done;
  bool over, ok;
  char *why;
  size_t why_size;
} starting;

/* ---- the interpreter ---- */

/* Without it starting ends in pages of words on stderr. */
static bool has_library(void) {
  return access(VOW_PYTHON_PREFIX "/lib/python" VOW_PYTHON_VERSION "/os.py", R_OK) == 0 ||
         access(VOW_PYTHON_PREFIX "/lib64/python" VOW_PYTHON_VERSION "/os.py", R_OK) == 0;
}

/* Extension modules look for Python's symbols among those of all. */
static bool show_symbols(void) {
  Dl_info info;
  return dladdr((void *)(uintptr_t)&Py_InitializeFromConfig, &info) && info.dli_fname &&
         dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

static PyStatus set_paths(PyConfig *config) {
  PyStatus status = PyConfig_SetBytesString(config, &config->home, VOW_PYTHON_PREFIX);
  if (!PyStatus_Exception(status))
    status = PyConfig_SetBytesString(config, &config->program_name, PROGRAM);
  if (!PyStatus_Exception(status) && access(PROGRAM, X_OK) == 0)
    status = PyConfig_SetBytesString(config, &config->executable, PROGRAM);
  return status;
}

/* Isolated: no environment variable, no signal handler, no locale of the process, and no
 * folder of the user's means anything. Text is UTF-8. */
static PyStatus initialize(void) {
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  PyStatus status = Py_PreInitialize(&before);
  if (PyStatus_Exception(status))
    return status;
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.install_signal_handlers = 0;
  status = set_paths(&config);
  if (!PyStatus_Exception(status))
    status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return status;
}

/* ---- python_support.py and what C needs of it ---- */

static PyMethodDef functions[] = {
    {"call_number", python_call_number, METH_NOARGS, NULL},
    {"runs_elsewhere", python_runs_elsewhere, METH_O, NULL},
    {"set_cancel", python_set_cancel, METH_O, NULL},
    {"generation", python_generation, METH_NOARGS, NULL},
    {"changed", python_changed, METH_NOARGS, NULL},
    {"wait", python_wait, METH_O, NULL},
    {"write_output", python_write_output, METH_VARARGS, NULL},
    {"flush_output", python_flush_output, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_vow", NULL, -1, functions, NULL, NULL, NULL, NULL};

static PyObject *run_support(void) {
  PyObject *module = PyModule_Create(&definition);
  PyObject *names = module ? PyModule_GetDict(module) : NULL;
  PyObject *code = names ? Py_CompileString(python_support, "<vow>", Py_file_input) : NULL;
  PyObject *done = NULL;
  if (code && PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
    done = PyEval_EvalCode(code, names, names);
  Py_XDECREF(code);
  if (!done)
    Py_CLEAR(module);
  Py_XDECREF(done);
  return module;
}

static bool find_names(PyObject *support) {
  PyObject *integer = (PyObject *)&PyLong_Type;
  const struct {
    PyObject *from, **into;
    const char *name;
  } wanted[] = {
      {support, &python.find, "find"},
      {support, &python.evaluate, "evaluate"},
      {support, &python.check, "check"},
      {support, &python.complete, "complete"},
      {support, &python.describe, "describe"},
      {support, &python.stopped, "Stopped"},
      {support, &python.error, "Error"},
      {support, &python.epoch, "EPOCH"},
      {integer, &python.from_bytes, "from_bytes"},
      {integer, &python.to_bytes, "to_bytes"},
      {integer, &python.bit_length, "bit_length"},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    *wanted[i].into = PyObject_GetAttrString(wanted[i].from, wanted[i].name);
    if (!*wanted[i].into)
      return false;
  }
  return true;
}

static bool start_interpreter(char *why, size_t size) {
  if (!has_library()) {
    snprintf(why, size,
             "the library of Python " VOW_PYTHON_VERSION " is not in " VOW_PYTHON_PREFIX);
    return false;
  }
  if (!show_symbols()) {
    snprintf(why, size, "libpython" VOW_PYTHON_VERSION " cannot be shown to its extension modules");
    return false;
  }
  PyStatus status = initialize();
  if (PyStatus_Exception(status)) {
    snprintf(why, size, "the interpreter does not start: %s",
             status.err_msg ? status.err_msg : "it does not say why");
    return false;
  }
  PyObject *support = run_support();
  if (support && find_names(support))
    return true;
  PyErr_Print();
  snprintf(why, size, "the interpreter's library is not complete; see stderr");
  return false;
}

/* ---- its thread ---- */

static void *interpreter_thread(void *argument) {
  starting *start = argument;
  bool ok = start_interpreter(start->why, start->why_size);
  PyThreadState *state = ok ? PyEval_SaveThread() : NULL;
  pthread_mutex_lock(&start->lock);
  start->ok = ok;
  start->over = true;
  pthread_cond_signal(&start->done);
  pthread_mutex_unlock(&start->lock); /* `start` may be gone from here */
  if (ok)
    python_interrupt_loop(state);
  return NULL;
}

/* It handles no signal of the process. */
static bool start_thread(starting *start) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, interpreter_thread, start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    snprintf(start->why, start->why_size, "no thread for the interpreter: %s", strerror(error));
    return false;
  }
  pthread_detach(thread);
  return true;
}

bool python_start(char *why, size_t why_size, bool *again) {
  starting start = {.lock = PTHREAD_MUTEX_INITIALIZER,
                    .done = PTHREAD_COND_INITIALIZER,
                    .why = why,
                    .why_size = why_size};
  *again = true;
  if (!python_prepare_interrupts()) {
    snprintf(why, why_size, "the system has no more of what threads need");
    return false;
  }
  if (!start_thread(&start))
    return false;
  *again = false;
  pthread_mutex_lock(&start.lock);
  while (!start.over)
    pthread_cond_wait(&start.done, &start.lock);
  pthread_mutex_unlock(&start.lock);
  pthread_mutex_destroy(&start.lock);
  pthread_cond_destroy(&start.done);
  return start.ok;
}

extern const python_module vow_python_module;
const python_module vow_python_module = {
    VOW_VERSION, sizeof(python_call), sizeof(python_request), sizeof(python_result), python_start,
    python_run,  python_stop,
};
