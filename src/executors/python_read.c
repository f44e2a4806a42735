/* CBOR as Python objects; docs/values.md has the table. */
#include <math.h>
#include <string.h>

#include "executors/python_int.h"

#include <datetime.h>

#define ROOT "argument"
#define DAY_SECONDS 86400

/* A key or an element of a set must be hashable: arrays are tuples there. */
typedef enum { AS_VALUE, AS_KEY } use;

static PyObject *read_item(cbor_in *in, use use, const python_step *at);

/* The bytes were checked as a whole, so that reading cannot fail. */
static cbor_item next(cbor_in *in) {
  cbor_item item;
  if (cbor_next(in, &item) != CBOR_OK)
    Py_FatalError("checked CBOR cannot be read");
  return item;
}

static bool at_break(cbor_in *in) {
  cbor_item item;
  if (cbor_peek(in, &item) != CBOR_OK || item.kind != CBOR_BREAK)
    return false;
  next(in);
  return true;
}

/* ---- text, bytes ---- */

/* Chunks up to the break, as one bytes object. */
static PyObject *read_chunks(cbor_in *in) {
  size_t len = 0;
  cbor_in ahead = *in;
  for (cbor_item item = next(&ahead); item.kind != CBOR_BREAK; item = next(&ahead))
    len += item.len;
  PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
  if (!bytes)
    return NULL;
  char *to = PyBytes_AS_STRING(bytes);
  for (cbor_item item = next(in); item.kind != CBOR_BREAK; item = next(in)) {
    memcpy(to, item.bytes, item.len);
    to += item.len;
  }
  return bytes;
}

static PyObject *read_bytes(cbor_in *in, const cbor_item *item) {
  return item->indefinite
             ? read_chunks(in)
             : PyBytes_FromStringAndSize((const char *)item->bytes, (Py_ssize_t)item->len);
}

static PyObject *read_text(cbor_in *in, const cbor_item *item) {
  if (!item->indefinite)
    return PyUnicode_DecodeUTF8((const char *)item->bytes, (Py_ssize_t)item->len, NULL);
  PyObject *bytes = read_chunks(in);
  PyObject *text =
      bytes ? PyUnicode_DecodeUTF8(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), NULL) : NULL;
  Py_XDECREF(bytes);
  return text;
}

/* ---- containers ---- */

static PyObject *read_list(cbor_in *in, const cbor_item *item, use use, const python_step *at) {
  PyObject *list = PyList_New(0);
  python_step step = {.up = at};
  while (list && (item->indefinite ? !at_break(in) : (uint64_t)step.index < item->n)) {
    PyObject *value = read_item(in, use, &step);
    if (!value || PyList_Append(list, value) < 0)
      Py_CLEAR(list);
    Py_XDECREF(value);
    step.index++;
  }
  if (use == AS_VALUE || !list)
    return list;
  PyObject *tuple = PyList_AsTuple(list);
  Py_DECREF(list);
  return tuple;
}

static bool read_pair(cbor_in *in, PyObject *dict, const python_step *at) {
  const python_step key_step = {.up = at, .index = -1};
  PyObject *key = read_item(in, AS_KEY, &key_step);
  const python_step step = {.up = at, .key = key};
  PyObject *value = key ? read_item(in, AS_VALUE, &step) : NULL;
  bool put = value && PyDict_SetItem(dict, key, value) == 0;
  Py_XDECREF(key);
  Py_XDECREF(value);
  return put;
}

static PyObject *read_map(cbor_in *in, const cbor_item *item, use use, const python_step *at) {
  if (use == AS_KEY) {
    python_refuse(PyExc_TypeError, ROOT, at, "is a map, and Python has none that can be here");
    return NULL;
  }
  PyObject *dict = PyDict_New();
  for (uint64_t i = 0; dict && (item->indefinite ? !at_break(in) : i < item->n); i++)
    if (!read_pair(in, dict, at))
      Py_CLEAR(dict);
  return dict;
}

/* ---- tags ---- */

static PyObject *wrong(const char *what, const python_step *at) {
  if (!PyErr_Occurred())
    python_refuse(PyExc_ValueError, ROOT, at, "is no %s", what);
  return NULL;
}

static PyObject *tagged_bytes(cbor_in *in, const char *what, const python_step *at) {
  cbor_item item = next(in);
  return item.kind == CBOR_BYTES ? read_bytes(in, &item) : wrong(what, at);
}

static PyObject *read_bignum(cbor_in *in, bool negative, const python_step *at) {
  PyObject *bytes = tagged_bytes(in, "big integer", at);
  PyObject *value = bytes ? PyObject_CallFunction(python.from_bytes, "Os", bytes, "big") : NULL;
  Py_XDECREF(bytes);
  if (!negative || !value)
    return value;
  PyObject *inverted = PyNumber_Invert(value);
  Py_DECREF(value);
  return inverted;
}

static PyObject *read_wtf8(cbor_in *in, const python_step *at) {
  PyObject *bytes = tagged_bytes(in, "text", at);
  PyObject *text = bytes ? PyUnicode_DecodeUTF8(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes),
                                                "surrogatepass")
                         : NULL;
  Py_XDECREF(bytes);
  return text;
}

/* An aware one, of UTC; None when it is no time. */
static PyObject *read_date(cbor_in *in, const python_step *at) {
  cbor_item item = next(in);
  double seconds = item.kind == CBOR_UINT     ? (double)item.n
                   : item.kind == CBOR_NEGINT ? -1.0 - (double)item.n
                                              : item.d;
  if (item.kind != CBOR_UINT && item.kind != CBOR_NEGINT && item.kind != CBOR_FLOAT)
    return wrong("date", at);
  if (isnan(seconds))
    Py_RETURN_NONE;
  double days = floor(seconds / DAY_SECONDS);
  if (!(fabs(days) < 4e6)) {
    python_refuse(PyExc_ValueError, ROOT, at, "is a date beyond those of Python");
    return NULL;
  }
  if (!PyDateTimeAPI)
    PyDateTime_IMPORT;
  if (!PyDateTimeAPI)
    return NULL;
  double rest = round((seconds - days * DAY_SECONDS) * 1e6);
  PyObject *since = PyDelta_FromDSU((int)days, (int)floor(rest / 1e6), (int)fmod(rest, 1e6));
  PyObject *date = since ? PyNumber_Add(python.epoch, since) : NULL;
  Py_XDECREF(since);
  if (!date && PyErr_ExceptionMatches(PyExc_OverflowError)) {
    PyErr_Clear();
    python_refuse(PyExc_ValueError, ROOT, at, "is a date beyond those of Python");
  }
  return date;
}

static PyObject *read_set(cbor_in *in, use use, const python_step *at) {
  cbor_item item = next(in);
  if (item.kind != CBOR_ARRAY)
    return wrong("set", at);
  PyObject *elements = read_list(in, &item, AS_KEY, at);
  if (!elements)
    return NULL;
  PyObject *set = use == AS_KEY ? PyFrozenSet_New(elements) : PySet_New(elements);
  Py_DECREF(elements);
  return set;
}

/* [name, {"message": text, ...}] */
static PyObject *read_error(cbor_in *in, const python_step *at) {
  PyObject *parts = read_item(in, AS_VALUE, at);
  if (!parts)
    return NULL;
  PyObject *name =
      PyList_Check(parts) && PyList_GET_SIZE(parts) == 2 ? PyList_GET_ITEM(parts, 0) : NULL;
  PyObject *members = name ? PyList_GET_ITEM(parts, 1) : NULL, *error = NULL;
  if (name && PyUnicode_Check(name) && PyDict_Check(members)) {
    PyObject *message = PyDict_GetItemString(members, "message");
    error = message ? PyObject_CallFunctionObjArgs(python.error, name, message, NULL)
                    : PyObject_CallFunction(python.error, "Os", name, "");
  } else {
    wrong("error", at);
  }
  Py_DECREF(parts);
  return error;
}

/* The bits of an RFC 8746 tag are 010fselw; a format of the struct module, "" for none. */
static const char *format_of(uint64_t tag, size_t *width) {
  static const char formats[3][4][2] = {
      {"B", "H", "I", "Q"}, {"b", "h", "i", "q"}, {"", "f", "d", ""}};
  size_t size = tag & 3, row = tag & 16 ? 2 : tag & 8 ? 1 : 0;
  *width = (size_t)1 << (row == 2 ? size + 1 : size);
  return formats[row][size];
}

static void swap_elements(char *bytes, size_t len, size_t width) {
  for (char *element = bytes; element < bytes + len; element += width)
    for (size_t i = 0; i < width / 2; i++) {
      char byte = element[i];
      element[i] = element[width - 1 - i];
      element[width - 1 - i] = byte;
    }
}

/* Octets are bytes, others a memoryview of numbers. */
static PyObject *read_typed(cbor_in *in, uint64_t tag, const python_step *at) {
  size_t width;
  const char *format = format_of(tag, &width);
  PyObject *bytes = tagged_bytes(in, "typed array", at);
  if (!bytes || *format == 'B')
    return bytes;
  size_t len = (size_t)PyBytes_GET_SIZE(bytes);
  PyObject *view = NULL, *cast = NULL;
  bool little = tag & 4;
  if (!*format || (tag & 31) == 12 || len % width != 0)
    wrong("typed array that Python knows", at);
  else if (little != (PY_LITTLE_ENDIAN != 0))
    swap_elements(PyBytes_AS_STRING(bytes), len, width);
  if (!PyErr_Occurred())
    view = PyMemoryView_FromObject(bytes);
  if (view)
    cast = PyObject_CallMethod(view, "cast", "s", format);
  Py_XDECREF(view);
  Py_DECREF(bytes);
  return cast;
}

static PyObject *read_tagged(cbor_in *in, uint64_t tag, use use, const python_step *at) {
  if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
    return read_typed(in, tag, at);
  switch (tag) {
  case CBOR_TAG_EPOCH:
    return read_date(in, at);
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return read_bignum(in, tag == CBOR_TAG_NEGATIVE_BIGNUM, at);
  case CBOR_TAG_OBJECT:
    return read_error(in, at);
  case CBOR_TAG_SET:
    return read_set(in, use, at);
  case CBOR_TAG_WTF8:
    return read_wtf8(in, at);
  default: /* CBOR_TAG_MAP too: a dict has keys of any kind */
    return read_item(in, use, at);
  }
}

static PyObject *read_negative(uint64_t n) {
  PyObject *value = PyLong_FromUnsignedLongLong(n);
  PyObject *inverted = value ? PyNumber_Invert(value) : NULL;
  Py_XDECREF(value);
  return inverted;
}

static PyObject *read_item(cbor_in *in, use use, const python_step *at) {
  cbor_item item = next(in);
  switch (item.kind) {
  case CBOR_UINT:
    return PyLong_FromUnsignedLongLong(item.n);
  case CBOR_NEGINT:
    return read_negative(item.n);
  case CBOR_FLOAT:
    return PyFloat_FromDouble(item.d);
  case CBOR_BOOL:
    return PyBool_FromLong(item.n != 0);
  case CBOR_TEXT:
    return read_text(in, &item);
  case CBOR_BYTES:
    return read_bytes(in, &item);
  case CBOR_ARRAY:
    return read_list(in, &item, use, at);
  case CBOR_MAP:
    return read_map(in, &item, use, at);
  case CBOR_TAG:
    return read_tagged(in, item.n, use, at);
  default: /* null, undefined, other simple values; a break is not here */
    Py_RETURN_NONE;
  }
}

PyObject *python_read(const void *cbor, size_t len) {
  static const cbor_limits limits = {PYTHON_DEPTH_MAX, PYTHON_NODES_MAX, PYTHON_BYTES_MAX};
  cbor_status status = cbor_check(cbor, len, &limits);
  if (status == CBOR_E_NOMEM)
    return PyErr_NoMemory();
  if (status != CBOR_OK) {
    PyErr_Format(PyExc_ValueError, ROOT " is no value: %s", cbor_status_text(status));
    return NULL;
  }
  cbor_in in;
  cbor_in_init(&in, cbor, len);
  return read_item(&in, AS_VALUE, NULL);
}
