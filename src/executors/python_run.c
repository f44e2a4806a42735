/* One call, from its bytes to its result or error. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "executors/python_int.h"

/* ---- what went wrong ---- */

static PyObject *take_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
  return PyErr_GetRaisedException();
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (value && traceback)
    PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
#endif
}

/* At most `size` - 1 bytes, of whole characters. */
static void copy_text(char *to, size_t size, const char *text, size_t len) {
  size_t n = len < size ? len : size - 1;
  while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
    n--;
  memcpy(to, text, n);
  to[n] = 0;
}

static void copy_bytes(char *to, size_t size, PyObject *bytes) {
  if (PyBytes_Check(bytes))
    copy_text(to, size, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

static void fail(python_result *result, const char *type, const char *message) {
  copy_text(result->type, sizeof result->type, type, strlen(type));
  copy_text(result->message, sizeof result->message, message, strlen(message));
}

/* By the words of python_support.py: they may run code of the exception, so that can fail. */
static bool describe(PyObject *exception, python_result *result) {
  PyObject *words = PyObject_CallOneArg(python.describe, exception);
  if (!words || !PyTuple_Check(words) || PyTuple_GET_SIZE(words) != 3) {
    Py_XDECREF(words);
    PyErr_Clear();
    return false;
  }
  copy_bytes(result->type, sizeof result->type, PyTuple_GET_ITEM(words, 0));
  copy_bytes(result->message, sizeof result->message, PyTuple_GET_ITEM(words, 1));
  PyObject *detail = PyTuple_GET_ITEM(words, 2);
  if (PyBytes_Check(detail))
    result->detail =
        mem_text(result->allocator, PyBytes_AS_STRING(detail), (size_t)PyBytes_GET_SIZE(detail));
  Py_DECREF(words);
  return true;
}

/* What ends a stopped call is the stop: the exception itself, or asyncio's. */
static bool is_stop(const python_call *call, PyObject *exception) {
  return PyErr_GivenExceptionMatches(exception, python.stopped) ||
         (python_is_stopping(call) && !PyErr_GivenExceptionMatches(exception, PyExc_Exception));
}

static void tell_exception(const python_call *call, python_result *result) {
  PyObject *exception = take_exception();
  if (!exception)
    fail(result, "SystemError", "Python failed and said nothing");
  else if (is_stop(call, exception) || (!describe(exception, result) && python_is_stopping(call)))
    fail(result, "AbortError", "the call was stopped");
  else if (!result->type[0])
    fail(result,
         strrchr(Py_TYPE(exception)->tp_name, '.') ? strrchr(Py_TYPE(exception)->tp_name, '.') + 1
                                                   : Py_TYPE(exception)->tp_name,
         "the exception cannot be told");
  Py_XDECREF(exception);
  PyErr_Clear();
}

/* ---- the call ---- */

static PyObject *text_or_none(const char *text, bool path) {
  if (!text)
    return python_ref(Py_None);
  return path ? PyUnicode_DecodeFSDefault(text)
              : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), NULL);
}

static PyObject *find_function(const vow_function *function) {
  PyObject *file = text_or_none(function->file, true);
  PyObject *module = file ? text_or_none(function->module, false) : NULL;
  PyObject *source = module ? text_or_none(function->source, false) : NULL;
  PyObject *name = source ? text_or_none(function->name, false) : NULL;
  PyObject *found =
      name ? PyObject_CallFunctionObjArgs(python.find, file, module, source, name, NULL) : NULL;
  Py_XDECREF(file);
  Py_XDECREF(module);
  Py_XDECREF(source);
  Py_XDECREF(name);
  return found;
}

static PyObject *read_argument(const python_request *request) {
  return request->value_len ? python_read(request->value, request->value_len) : python_ref(Py_None);
}

static PyObject *evaluate(const python_request *request) {
  PyObject *source = text_or_none(request->function->source, false);
  PyObject *argument = source && !request->load ? read_argument(request) : NULL;
  PyObject *value = NULL;
  if (argument)
    value = PyObject_CallFunctionObjArgs(python.evaluate, source, argument, NULL);
  else if (source && request->load)
    value = PyObject_CallOneArg(python.check, source);
  Py_XDECREF(source);
  Py_XDECREF(argument);
  return value;
}

static PyObject *call_function(const python_request *request) {
  PyObject *function = find_function(request->function), *value = NULL;
  if (function && request->load) {
    value = python_ref(Py_None);
  } else if (function) {
    PyObject *argument = read_argument(request);
    value = argument ? PyObject_CallOneArg(function, argument) : NULL;
    Py_XDECREF(argument);
  }
  Py_XDECREF(function);
  return value;
}

static bool is_awaitable(PyObject *value) {
  PyAsyncMethods *methods = Py_TYPE(value)->tp_as_async;
  return methods && methods->am_await;
}

static PyObject *value_of(const python_request *request) {
  const vow_function *function = request->function;
  PyObject *value =
      function->source && !function->name ? evaluate(request) : call_function(request);
  if (!value || !is_awaitable(value))
    return value;
  PyObject *awaited = PyObject_CallOneArg(python.complete, value);
  Py_DECREF(value);
  return awaited;
}

static bool take_value(PyObject *value, python_result *result) {
  cbor_out out;
  cbor_out_init(&out, result->allocator, PYTHON_BYTES_MAX);
  if (python_write(value, &out))
    result->value = cbor_out_take(&out, &result->value_len);
  cbor_out_free(&out);
  return result->value != NULL;
}

static void run_entered(python_call *call, const python_request *request, python_result *result) {
  if (python_is_stopping(call)) {
    fail(result, "AbortError", "the call was stopped");
    return;
  }
  PyObject *value = value_of(request);
  result->fulfilled = value && (request->load || take_value(value, result));
  if (!result->fulfilled)
    tell_exception(call, result);
  Py_XDECREF(value);
}

void python_run(python_call *call, const python_request *request, python_result *result) {
  if (!python_attach()) {
    fail(result, "MemoryError", "no memory for a thread of Python");
    return;
  }
  PyGILState_STATE gil = PyGILState_Ensure();
  call->request = request;
  python_enter(call);
  run_entered(call, request, result);
  python_output_end(call);
  python_leave(call);
  PyGILState_Release(gil);
}
