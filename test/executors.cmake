# Tests of executors.
set(units ${CMAKE_CURRENT_LIST_DIR}/unit)
vow_test(test_javascript THREADS SOURCES ${units}/test_javascript.c LIBRARIES vow_executors)
if(NOT VOW_PYTHON_OFF)
  vow_test(test_executor_python THREADS SOURCES ${units}/test_executor_python.c
    LIBRARIES vow_executors)
  add_dependencies(test_executor_python vow_python)
endif()
