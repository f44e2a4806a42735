/* Python objects as CBOR; docs/values.md has the table. The walk may run code of the caller
 * (a time zone's, say), which may change what is walked: it holds what it looks at, and a
 * container that has another size than its head says is refused. */
#include <string.h>

#include "executors/python_int.h"

#include <datetime.h>

#define ROOT "result"
#define SAFE_INTEGER_MAX INT64_C(9007199254740991) /* beyond it JavaScript has bigints */

typedef struct writer {
  cbor_out *out;
  unsigned depth;
} writer;

static bool write_item(writer *w, PyObject *value, const python_step *at);

static bool changed(const python_step *at) {
  python_refuse(PyExc_RuntimeError, ROOT, at, "changed while it was read");
  return false;
}

/* ---- scalars ---- */

/* By the functions of int itself: a subclass may have others. */
static bool write_big(writer *w, PyObject *value, bool negative, const python_step *at) {
  PyObject *magnitude = negative ? PyLong_Type.tp_as_number->nb_invert(value) : python_ref(value);
  PyObject *bits =
      magnitude ? PyObject_CallFunctionObjArgs(python.bit_length, magnitude, NULL) : NULL;
  size_t len = bits ? (PyLong_AsSize_t(bits) + 7) / 8 : 0;
  Py_XDECREF(bits);
  PyObject *bytes = NULL;
  if (len > PYTHON_BYTES_MAX)
    python_refuse(PyExc_ValueError, ROOT, at, "is an integer of too many bytes");
  else if (bits)
    bytes = PyObject_CallFunction(python.to_bytes, "Ons", magnitude, (Py_ssize_t)len, "big");
  Py_XDECREF(magnitude);
  if (!bytes)
    return false;
  cbor_put_tag(w->out, negative ? CBOR_TAG_NEGATIVE_BIGNUM : CBOR_TAG_BIGNUM);
  cbor_put_bytes(w->out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
  Py_DECREF(bytes);
  return true;
}

static bool write_int(writer *w, PyObject *value, const python_step *at) {
  int overflow;
  long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (!overflow && n == -1 && PyErr_Occurred())
    return false;
  if (overflow || n > SAFE_INTEGER_MAX || n < -SAFE_INTEGER_MAX)
    return write_big(w, value, overflow < 0 || (!overflow && n < 0), at);
  cbor_put_int(w->out, n);
  return true;
}

static bool write_text(writer *w, PyObject *value) {
  Py_ssize_t len;
  const char *text = PyUnicode_AsUTF8AndSize(value, &len);
  if (text) {
    cbor_put_text(w->out, text, (size_t)len);
    return true;
  }
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
    return false;
  PyErr_Clear(); /* it has lone surrogates */
  PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
  if (!bytes)
    return false;
  cbor_put_tag(w->out, CBOR_TAG_WTF8);
  cbor_put_bytes(w->out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
  Py_DECREF(bytes);
  return true;
}

static uint64_t tag_of_format(const char *format, Py_ssize_t width) {
  static const char floats[] = "fd", ints[] = "bhilqBHILQ";
  unsigned size = width == 8 ? 3 : width == 4 ? 2 : width == 2 ? 1 : 0;
  uint64_t little = PY_LITTLE_ENDIAN && width > 1 ? 4 : 0;
  if (!format || strlen(format) != 1)
    return 0;
  if (strchr(floats, *format))
    return CBOR_TAG_TYPED_FIRST | 16 | little | (size - 1);
  if (strchr(ints, *format) && *format >= 'a')
    return CBOR_TAG_TYPED_FIRST | 8 | little | size;
  return strchr(ints, *format) ? CBOR_TAG_TYPED_FIRST | little | size : 0;
}

/* Octets are a byte string, other numbers a typed array. */
static bool write_buffer(writer *w, PyObject *value, const python_step *at) {
  Py_buffer view;
  if (PyObject_GetBuffer(value, &view, PyBUF_CONTIG_RO | PyBUF_FORMAT) < 0) {
    if (!PyErr_ExceptionMatches(PyExc_BufferError))
      return false;
    PyErr_Clear();
    python_refuse(PyExc_TypeError, ROOT, at, "is a buffer that is not contiguous");
    return false;
  }
  bool octets = !view.format || strcmp(view.format, "B") == 0 || strcmp(view.format, "c") == 0;
  uint64_t tag = octets ? 0 : tag_of_format(view.format, view.itemsize);
  bool fits = view.ndim <= 1 && (octets || tag != 0);
  if (!fits)
    python_refuse(PyExc_TypeError, ROOT, at, "is a buffer of elements '%.20s' in %d dimensions",
                  view.format ? view.format : "B", view.ndim);
  if (tag)
    cbor_put_tag(w->out, tag);
  if (fits)
    cbor_put_bytes(w->out, view.buf, (size_t)view.len);
  PyBuffer_Release(&view);
  return fits;
}

/* Seconds since 1970; one without a time zone is of the local time, as Python has it. */
static bool write_date(writer *w, PyObject *value, const python_step *at) {
  PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
  PyObject *aware = !zone             ? NULL
                    : zone == Py_None ? PyObject_CallMethod(value, "astimezone", NULL)
                                      : python_ref(value);
  PyObject *since = aware ? PyNumber_Subtract(aware, python.epoch) : NULL;
  Py_XDECREF(zone);
  Py_XDECREF(aware);
  if (!since || !PyDelta_Check(since)) {
    if (since || PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Clear();
      python_refuse(PyExc_TypeError, ROOT, at, "is a datetime without an offset from UTC");
    }
    Py_XDECREF(since);
    return false;
  }
  int64_t seconds =
      (int64_t)PyDateTime_DELTA_GET_DAYS(since) * 86400 + PyDateTime_DELTA_GET_SECONDS(since);
  int micros = PyDateTime_DELTA_GET_MICROSECONDS(since);
  Py_DECREF(since);
  cbor_put_tag(w->out, CBOR_TAG_EPOCH);
  if (micros == 0)
    cbor_put_int(w->out, seconds);
  else
    cbor_put_double(w->out, (double)seconds + micros / 1e6);
  return true;
}

/* ---- containers ---- */

static bool enter(writer *w, PyObject *container, const python_step *at) {
  for (const python_step *step = at; step; step = step->up)
    if (step->container == container) {
      python_refuse(PyExc_ValueError, ROOT, at, "is a cycle");
      return false;
    }
  if (w->depth >= PYTHON_DEPTH_MAX) {
    python_refuse(PyExc_ValueError, ROOT, at, "is nested deeper than %d", (int)PYTHON_DEPTH_MAX);
    return false;
  }
  w->depth++;
  return true;
}

/* A list, or a tuple, which cannot change. */
static bool write_sequence(writer *w, PyObject *value, const python_step *at) {
  python_step step = {.up = at, .container = value};
  Py_ssize_t count = PySequence_Fast_GET_SIZE(value);
  cbor_put_array(w->out, (uint64_t)count);
  for (; step.index < count; step.index++) {
    if (PySequence_Fast_GET_SIZE(value) != count)
      return changed(at);
    PyObject *item = python_ref(PySequence_Fast_GET_ITEM(value, step.index));
    bool written = write_item(w, item, &step);
    Py_DECREF(item);
    if (!written)
      return false;
  }
  return PySequence_Fast_GET_SIZE(value) == count || changed(at);
}

static bool write_pair(writer *w, PyObject *container, PyObject *key, PyObject *value,
                       const python_step *at) {
  const python_step key_step = {.up = at, .index = -1, .container = container};
  const python_step step = {.up = at, .key = key, .container = container};
  return write_item(w, key, &key_step) && write_item(w, value, &step);
}

static void put_map_head(writer *w, Py_ssize_t count, bool text_keys) {
  if (!text_keys)
    cbor_put_tag(w->out, CBOR_TAG_MAP);
  cbor_put_map(w->out, (uint64_t)count);
}

static bool write_dict(writer *w, PyObject *dict, const python_step *at) {
  PyObject *key, *value;
  Py_ssize_t place = 0, count = PyDict_Size(dict), seen = 0;
  bool text_keys = true, written = true;
  while (text_keys && PyDict_Next(dict, &place, &key, &value))
    text_keys = PyUnicode_Check(key);
  put_map_head(w, count, text_keys);
  for (place = 0; written && PyDict_Next(dict, &place, &key, &value); seen++) {
    if (seen == count || (text_keys && !PyUnicode_Check(key)))
      return changed(at);
    Py_INCREF(key);
    Py_INCREF(value);
    written = write_pair(w, dict, key, value, at);
    Py_DECREF(key);
    Py_DECREF(value);
  }
  return written && (seen == count || changed(at));
}

/* A subclass of dict may have an order of its own: as its items() are. */
static bool write_mapping(writer *w, PyObject *mapping, const python_step *at) {
  PyObject *items = PyMapping_Items(mapping);
  Py_ssize_t count = items ? PyList_GET_SIZE(items) : 0;
  bool text_keys = true, written = items != NULL;
  for (Py_ssize_t i = 0; written && i < count; i++) {
    PyObject *pair = PyList_GET_ITEM(items, i);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)
      written = changed(at);
    else
      text_keys = text_keys && PyUnicode_Check(PyTuple_GET_ITEM(pair, 0));
  }
  put_map_head(w, count, text_keys);
  for (Py_ssize_t i = 0; written && i < count; i++) {
    PyObject *pair = PyList_GET_ITEM(items, i);
    written = write_pair(w, mapping, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), at);
  }
  Py_XDECREF(items);
  return written;
}

static bool write_set(writer *w, PyObject *set, const python_step *at) {
  python_step step = {.up = at, .index = -1, .container = set};
  PyObject *iterator = PyObject_GetIter(set), *item;
  Py_ssize_t count = PySet_Size(set);
  bool written = iterator != NULL;
  cbor_put_tag(w->out, CBOR_TAG_SET);
  cbor_put_array(w->out, (uint64_t)count);
  while (written && (item = PyIter_Next(iterator))) {
    written = write_item(w, item, &step);
    count--;
    Py_DECREF(item);
  }
  Py_XDECREF(iterator);
  if (!written || PyErr_Occurred())
    return false;
  return count == 0 || changed(at);
}

/* [name, {"message": text}] */
static bool write_error(writer *w, PyObject *error, const python_step *at) {
  const char *type = Py_TYPE(error)->tp_name, *dot = strrchr(type, '.');
  PyObject *name = PyObject_TypeCheck(error, (PyTypeObject *)python.error)
                       ? PyObject_GetAttrString(error, "name")
                       : PyUnicode_FromString(dot ? dot + 1 : type);
  PyObject *message = name ? PyObject_Str(error) : NULL;
  cbor_put_tag(w->out, CBOR_TAG_OBJECT);
  cbor_put_array(w->out, 2);
  bool written = message && PyUnicode_Check(name) && write_text(w, name);
  cbor_put_map(w->out, 1);
  cbor_put_cstring(w->out, "message");
  written = written && write_text(w, message);
  if (!written && !PyErr_Occurred())
    python_refuse(PyExc_TypeError, ROOT, at, "is an Error whose name is no text");
  Py_XDECREF(name);
  Py_XDECREF(message);
  return written;
}

static bool write_container(writer *w, PyObject *value, const python_step *at) {
  bool (*write)(writer *, PyObject *, const python_step *) =
      PyDict_CheckExact(value)                      ? write_dict
      : PyDict_Check(value)                         ? write_mapping
      : PyList_Check(value) || PyTuple_Check(value) ? write_sequence
                                                    : write_set;
  if (!enter(w, value, at))
    return false;
  bool written = write(w, value, at);
  w->depth--;
  return written;
}

static bool write_other(writer *w, PyObject *value, const python_step *at) {
  if (!PyDateTimeAPI)
    PyDateTime_IMPORT;
  if (!PyDateTimeAPI)
    return false;
  if (PyDateTime_Check(value))
    return write_date(w, value, at);
  if (PyExceptionInstance_Check(value))
    return write_error(w, value, at);
  if (PyObject_CheckBuffer(value))
    return write_buffer(w, value, at);
  python_refuse(PyExc_TypeError, ROOT, at, "is a %.100s, which is no value outside of Python",
                Py_TYPE(value)->tp_name);
  return false;
}

/* Each value takes a byte or more, so bytes bound their number too. */
static bool bounded(writer *w, const python_step *at) {
  if (w->out->status == CBOR_E_NOMEM)
    PyErr_NoMemory();
  else if (w->out->status != CBOR_OK)
    python_refuse(PyExc_ValueError, ROOT, at, "is beyond %zu bytes in all", w->out->max);
  else
    return true;
  return false;
}

static bool write_item(writer *w, PyObject *value, const python_step *at) {
  if (!bounded(w, at))
    return false;
  if (value == Py_None)
    cbor_put_null(w->out);
  else if (PyBool_Check(value))
    cbor_put_bool(w->out, value == Py_True);
  else if (PyLong_Check(value))
    return write_int(w, value, at);
  else if (PyFloat_Check(value))
    cbor_put_double(w->out, PyFloat_AS_DOUBLE(value));
  else if (PyUnicode_Check(value))
    return write_text(w, value);
  else if (PyBytes_Check(value))
    cbor_put_bytes(w->out, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
  else if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value) ||
           PyAnySet_Check(value))
    return write_container(w, value, at);
  else
    return write_other(w, value, at);
  return true;
}

bool python_write(PyObject *value, cbor_out *out) {
  writer w = {.out = out};
  return write_item(&w, value, NULL) && bounded(&w, NULL);
}
