#include "executors/python_int.h"

#include <stdarg.h>

#define STEPS_MAX 32 /* that are told; of a longer path the first ones */

static PyObject *step_text(const python_step *at) {
  if (!at->key)
    return at->index < 0 ? PyUnicode_FromString(" (a key)")
                         : PyUnicode_FromFormat("[%zd]", at->index);
  if (PyUnicode_Check(at->key) && PyUnicode_IsIdentifier(at->key) == 1)
    return PyUnicode_FromFormat(".%.100U", at->key);
  return PyUnicode_FromFormat("[%.100R]", at->key);
}

static PyObject *path_text(const char *root, const python_step *at) {
  const python_step *steps[STEPS_MAX];
  size_t depth = 0, count;
  for (const python_step *step = at; step; step = step->up)
    depth++;
  count = depth < STEPS_MAX ? depth : STEPS_MAX;
  for (const python_step *step = at; step; step = step->up)
    if (--depth < count)
      steps[depth] = step;
  PyObject *text = PyUnicode_FromString(root);
  for (size_t i = 0; text && i < count; i++) {
    PyObject *part = step_text(steps[i]);
    PyObject *longer = part ? PyUnicode_Concat(text, part) : NULL;
    Py_XDECREF(part);
    Py_SETREF(text, longer);
  }
  return text;
}

void python_refuse(PyObject *type, const char *root, const python_step *at, const char *format,
                   ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject *path = path_text(root, at);
  PyObject *what = path ? PyUnicode_FromFormatV(format, arguments) : NULL;
  va_end(arguments);
  if (what)
    PyErr_Format(type, "%U %U", path, what);
  Py_XDECREF(path);
  Py_XDECREF(what);
}
