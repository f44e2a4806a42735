/* What calls print: gathered in lines, per call and stream, and given on without the GIL.
 * A thread of Python's own, which runs no call, prints to the process's descriptors. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "executors/python_int.h"

#define LINE_MAX_BYTES 8192

struct python_output {
  size_t len[2];
  char text[2][LINE_MAX_BYTES];
};

/* As much as can be written: what print() says is nobody's to fail for. */
static void write_all(int stream, const char *text, size_t len) {
  while (len > 0) {
    ssize_t n = write(stream, text, len);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {.fd = stream, .events = POLLOUT};
      poll(&wait, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      return;
    } else if (n > 0) {
      text += n;
      len -= (size_t)n;
    }
  }
}

static void deliver(const python_call *call, int stream, const char *text, size_t len) {
  if (len == 0)
    return;
  Py_BEGIN_ALLOW_THREADS if (call && call->request->on_output)
      call->request->on_output(stream, text, len, call->request->user);
  else write_all(stream, text, len);
  Py_END_ALLOW_THREADS
}

static void flush(python_call *call, int stream) {
  python_output *output = call ? call->output : NULL;
  if (!output)
    return;
  size_t len = output->len[stream - 1];
  output->len[stream - 1] = 0;
  deliver(call, stream, output->text[stream - 1], len);
}

static python_output *output_of(python_call *call) {
  if (!call->output)
    call->output = mem_new(call->request->allocator, 1, sizeof(python_output));
  return call->output;
}

/* Whole lines go on at once, with what was kept of the first; what is behind the last
 * newline is kept while there is room. */
static void print(python_call *call, int stream, const char *text, size_t len) {
  python_output *output = output_of(call);
  if (!output) {
    deliver(call, stream, text, len);
    return;
  }
  const char *last = memrchr(text, '\n', len);
  size_t whole = last ? (size_t)(last - text) + 1 : 0;
  size_t *kept = &output->len[stream - 1];
  if (whole > LINE_MAX_BYTES - *kept || len - whole > LINE_MAX_BYTES - (whole ? 0 : *kept)) {
    flush(call, stream);
    deliver(call, stream, text, len);
    return;
  }
  if (whole) {
    memcpy(output->text[stream - 1] + *kept, text, whole);
    *kept += whole;
    flush(call, stream);
  }
  memcpy(output->text[stream - 1] + *kept, text + whole, len - whole);
  *kept += len - whole;
}

PyObject *python_write_output(PyObject *self, PyObject *arguments) {
  (void)self;
  int stream;
  Py_buffer bytes;
  if (!PyArg_ParseTuple(arguments, "iy*", &stream, &bytes))
    return NULL;
  python_call *call = python_current();
  if (call)
    print(call, stream, bytes.buf, (size_t)bytes.len);
  else
    deliver(NULL, stream, bytes.buf, (size_t)bytes.len);
  PyBuffer_Release(&bytes);
  Py_RETURN_NONE;
}

PyObject *python_flush_output(PyObject *self, PyObject *stream) {
  (void)self;
  long number = PyLong_AsLong(stream);
  if (number == 1 || number == 2)
    flush(python_current(), (int)number);
  if (PyErr_Occurred())
    return NULL;
  Py_RETURN_NONE;
}

void python_output_end(python_call *call) {
  flush(call, 1);
  flush(call, 2);
  mem_free(call->request->allocator, call->output);
  call->output = NULL;
}
