/* Between the files of the shared module. Functions are called with the GIL held, but where
 * it is said; PyObject * that are returned are new references, NULL with an exception set. */
#ifndef VOW_EXECUTORS_PYTHON_INT_H
#define VOW_EXECUTORS_PYTHON_INT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cbor.h"
#include "executors/python.h"
#include "guest/wire.h"

/* Py_NewRef() of 3.10. */
static inline PyObject *python_ref(PyObject *object) {
  Py_INCREF(object);
  return object;
}

/* ---- python_start.c ---- */

/* What the C code needs of python_support.py, and types. Set once, before the first call. */
typedef struct python_names {
  PyObject *find;     /* (file, module, source, name) -> function */
  PyObject *evaluate; /* (source, context) -> value */
  PyObject *check;    /* (source) -> None */
  PyObject *complete; /* (awaitable) -> value */
  PyObject *describe; /* (exception) -> (type, message, traceback or None) */
  PyObject *stopped;  /* the exception that interrupts a call */
  PyObject *error;    /* Error(name, message): an error of another language, as a value */
  PyObject *from_bytes, *to_bytes, *bit_length; /* of int */
  PyObject *epoch;                              /* 1970, aware */
} python_names;
extern python_names python;

/* As python_module.start; without the GIL. */
bool python_start(char *why, size_t why_size, bool *again);

/* ---- python_stop.c: calls that run, and their interruption ---- */

/* Before the rest; without the GIL. False: the system gave nothing. */
bool python_prepare_interrupts(void);
/* Of the interpreter's own thread, which becomes the interrupter: never returns. Called
 * without the GIL, which it takes when there is something to interrupt. */
void python_interrupt_loop(PyThreadState *state);

/* By each thread that calls, before PyGILState_Ensure(); false: memory is short. */
bool python_attach(void);
void python_stop(python_call *call);  /* any thread, without the GIL, under any lock */
void python_enter(python_call *call); /* from here it can be interrupted, by its own thread */
/* To here: no exception comes out of the blue any more. */
void python_leave(python_call *call);
bool python_is_stopping(const python_call *call);

/* The call that this thread runs; NULL: none. */
python_call *python_current(void);

/* Functions of the module for python_support.py. */
PyObject *python_call_number(PyObject *self, PyObject *unused);
PyObject *python_runs_elsewhere(PyObject *self, PyObject *number);
PyObject *python_set_cancel(PyObject *self, PyObject *cancel);
PyObject *python_generation(PyObject *self, PyObject *unused);
PyObject *python_changed(PyObject *self, PyObject *unused);
PyObject *python_wait(PyObject *self, PyObject *generation);

/* ---- python_run.c ---- */

void python_run(python_call *call, const python_request *request, python_result *result);

/* ---- python_output.c ---- */

typedef struct python_output python_output;

/* What a call prints, in lines; of its thread, made with the first print. */
PyObject *python_write_output(PyObject *self, PyObject *arguments);
PyObject *python_flush_output(PyObject *self, PyObject *stream);
void python_output_end(python_call *call); /* delivers the rest */

/* ---- python_read.c and python_write.c ---- */

#define PYTHON_DEPTH_MAX WIRE_DEPTH_MAX
#define PYTHON_NODES_MAX WIRE_NODES_MAX
#define PYTHON_BYTES_MAX WIRE_MESSAGE_MAX

PyObject *python_read(const void *cbor, size_t len);
/* False with an exception set. */
bool python_write(PyObject *value, cbor_out *out);

/* ---- python_path.c: where in a value something is wrong ---- */

typedef struct python_step {
  const struct python_step *up;
  PyObject *key;       /* borrowed; NULL: an index */
  Py_ssize_t index;    /* -1: the step is to a key itself */
  PyObject *container; /* borrowed, to find cycles; NULL when reading */
} python_step;

/* Sets the exception: the path, a blank, and the format's text (as PyUnicode_FromFormat()). */
void python_refuse(PyObject *type, const char *root, const python_step *at, const char *format,
                   ...);

#endif
