/* What the shared module gives to python.c. */
#ifndef VOW_EXECUTORS_PYTHON_MODULE_H
#define VOW_EXECUTORS_PYTHON_MODULE_H

#include "executors/python.h"

#define PYTHON_MODULE_FILE "vow-python.so"
#define PYTHON_MODULE_SYMBOL "vow_python_module"

typedef struct python_module {
  const char *version; /* VOW_VERSION: both files are of one build */
  size_t call_size, request_size, result_size;
  /* Starts the interpreter, once. False, with one line in `why`: it does not start, and can
   * be tried again only when that is said. */
  bool (*start)(char *why, size_t why_size, bool *again);
  void (*run)(python_call *call, const python_request *request, python_result *result);
  void (*stop)(python_call *call);
} python_module;

#endif
