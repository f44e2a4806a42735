# Faults of the environment, against the real command.
if(VOW_SANITIZE)
  set(kills 40)
else()
  set(kills 200)
endif()
add_test(NAME faults.kill COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/faults/kill_test.py
  $<TARGET_FILE:vow> --kills ${kills} --scale ${slow})
math(EXPR seconds "120 * ${slow}")
set_tests_properties(faults.kill PROPERTIES TIMEOUT ${seconds})
