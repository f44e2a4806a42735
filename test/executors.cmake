# Tests of executors.
set(units ${CMAKE_CURRENT_LIST_DIR}/unit)
foreach(name test_javascript test_executor_javascript)
  vow_test(${name} THREADS SOURCES ${units}/${name}.c LIBRARIES vow_executors)
endforeach()

# Without Python: a build without it, and a program that nothing is beside.
vow_test(test_no_python THREADS SOURCES ${units}/test_no_python.c ../src/executors/python.c
  LIBRARIES vow_executors ARGUMENTS "Python is not in this build: nobody asked for it")
target_compile_definitions(test_no_python PRIVATE "VOW_PYTHON_OFF=\"nobody asked for it\"")
if(NOT VOW_PYTHON_OFF)
  vow_test(test_no_python_module THREADS SOURCES ${units}/test_no_python.c LIBRARIES vow_executors
    ARGUMENTS "Python cannot be used: vow-python.so cannot be found")
  set_target_properties(test_no_python_module PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/alone)
endif()

# A shared object whose symbols are tasks.
add_library(test_tasks MODULE ${CMAKE_CURRENT_LIST_DIR}/executors/tasks.c)
target_compile_options(test_tasks PRIVATE ${VOW_WARNINGS})
set_target_properties(test_tasks PROPERTIES PREFIX "")
# The same through the C API: the object finds what it needs of Vow in the test.
vow_test(test_executor_shared_object THREADS SOURCES ${units}/test_executor_shared_object.c
  LIBRARIES vow_executors ARGUMENTS $<TARGET_FILE:test_tasks>)
add_dependencies(test_executor_shared_object test_tasks)
set_target_properties(test_executor_shared_object PROPERTIES ENABLE_EXPORTS ON)

# `vow task`; each class of the test is a test.
set(no_python)
if(VOW_PYTHON_OFF)
  set(no_python --no-python)
endif()
foreach(part Values Failures Groups Usage Told Late Signals Python)
  add_test(NAME task.${part} COMMAND Python3::Interpreter
    ${CMAKE_CURRENT_LIST_DIR}/cli/task_test.py --scale ${slow} ${no_python} $<TARGET_FILE:vow>
    $<TARGET_FILE:test_tasks> ${part})
  math(EXPR seconds "300 * ${slow}")
  set_tests_properties(task.${part} PROPERTIES TIMEOUT ${seconds} LABELS threads)
endforeach()
set(python_tests task.Late task.Signals task.Python)
if(NOT VOW_PYTHON_OFF)
  foreach(name test_executor_python test_python_ends test_python_values)
    vow_test(${name} THREADS SOURCES ${units}/${name}.c LIBRARIES vow_executors)
    add_dependencies(${name} vow_python)
    list(APPEND python_tests ${name})
  endforeach()
endif()
set(python_leaks
  "LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_LIST_DIR}/python.lsan:print_suppressions=0")
set_tests_properties(${python_tests} PROPERTIES ENVIRONMENT "${python_leaks}")
