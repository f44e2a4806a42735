# Faults of the environment, against the real command.
if(VOW_SANITIZE)
  set(kills 40)
else()
  set(kills 200)
endif()
add_test(NAME faults.kill COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/faults/kill_test.py
  $<TARGET_FILE:vow> --kills ${kills})
math(EXPR seconds "300 * ${slow}")
set_tests_properties(faults.kill PROPERTIES TIMEOUT ${seconds})

# Classes of tests, each a test here.
function(vow_fault_test file)
  foreach(part ${ARGN})
    string(TOLOWER ${part} name)
    add_test(NAME faults.${name} COMMAND Python3::Interpreter
      ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/faults/${file} $<TARGET_FILE:vow> ${slow} ${part})
    math(EXPR seconds "300 * ${slow}")
    set_tests_properties(faults.${name} PROPERTIES TIMEOUT ${seconds} SKIP_RETURN_CODE 77)
  endforeach()
endfunction()
vow_fault_test(lock_test.py Locked Writers)
set_tests_properties(faults.locked faults.writers PROPERTIES LABELS threads)
vow_fault_test(disk_test.py Full ReadOnly)

add_library(fault_shim SHARED faults/shim.c)
target_compile_definitions(fault_shim PRIVATE _GNU_SOURCE)
target_compile_options(fault_shim PRIVATE ${VOW_WARNINGS})
target_link_libraries(fault_shim PRIVATE ${CMAKE_DL_LIBS})
vow_fault_test(process_test.py Descriptors Threads Clock)
set_tests_properties(faults.descriptors faults.threads faults.clock PROPERTIES
  ENVIRONMENT FAULT_SHIM=$<TARGET_FILE:fault_shim>)
