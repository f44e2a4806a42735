# Tests of executors.
set(units ${CMAKE_CURRENT_LIST_DIR}/unit)
vow_test(test_javascript THREADS SOURCES ${units}/test_javascript.c LIBRARIES vow_executors)
