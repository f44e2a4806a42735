# Tests of the C library: include/vow, src/vow.

# The examples, as a program would be built that uses the shared library.
set(example_tools_arguments ${CMAKE_SOURCE_DIR}/examples/tools.js audit.jsonl)
foreach(name hello embed foreign_loop tools leaks task race_providers)
  add_executable(example_${name} ${CMAKE_SOURCE_DIR}/examples/${name}.c)
  target_compile_options(example_${name} PRIVATE ${VOW_WARNINGS} -pedantic)
  target_link_libraries(example_${name} PRIVATE vow_shared Threads::Threads)
endforeach()
add_executable(example_prices ${CMAKE_SOURCE_DIR}/examples/prices.cpp)
target_compile_options(example_prices PRIVATE ${VOW_CXX_WARNINGS})
target_link_libraries(example_prices PRIVATE vow_shared Threads::Threads)
target_compile_options(example_leaks PRIVATE -g)
add_test(NAME example.leaks COMMAND ${CMAKE_CURRENT_LIST_DIR}/leaks_test.sh
  $<TARGET_FILE:example_leaks> ${CMAKE_SOURCE_DIR}/examples/leaks.c)
set_tests_properties(example.leaks PROPERTIES TIMEOUT 180)
foreach(name hello embed foreign_loop tools task race_providers prices)
  add_test(NAME example.${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/example_test.sh
    $<TARGET_FILE:example_${name}> ${CMAKE_CURRENT_LIST_DIR}/examples/${name}.txt
    ${example_${name}_arguments})
  set_tests_properties(example.${name} PROPERTIES TIMEOUT 180)
endforeach()

# Every public header alone, by both languages, and what the libraries export.
add_test(NAME vow_headers COMMAND ${CMAKE_CURRENT_LIST_DIR}/headers_test.sh ${CMAKE_SOURCE_DIR}
  ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
set_tests_properties(vow_headers PROPERTIES TIMEOUT 180)
add_test(NAME vow_exports COMMAND ${CMAKE_CURRENT_LIST_DIR}/exports_test.sh ${CMAKE_SOURCE_DIR}
  $<TARGET_FILE:vow_shared> ${CMAKE_BINARY_DIR}/libvow.a)
set_tests_properties(vow_exports PROPERTIES TIMEOUT 60)

foreach(name test_vow test_vow_ops test_vow_leaks test_vow_policies test_vow_threads test_vow_nested
    test_vow_record test_vow_fork test_vow_chaos test_vow_task)
  vow_test(${name} THREADS SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit/${name}.c LIBRARIES vow_embed)
endforeach()
foreach(name test_task_cpp test_task_cpp_ends)
  vow_test(${name} THREADS SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit/${name}.cpp LIBRARIES vow_shared)
endforeach()
foreach(name test_fetch_lookup test_fetch_owner)
  vow_test(${name} THREADS SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit/${name}.c LIBRARIES vow_embed)
endforeach()
# libcurl is to find this program's getaddrinfo().
set_target_properties(test_fetch_lookup PROPERTIES ENABLE_EXPORTS ON)
vow_test(test_vow_unload THREADS SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit/test_vow_unload.c
  LIBRARIES Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(test_vow_unload PROPERTIES ENABLE_EXPORTS ON)
target_include_directories(test_vow_unload PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(test_vow_unload PRIVATE VOW_LIBRARY="$<TARGET_FILE:vow_shared>")
add_dependencies(test_vow_unload vow_shared)
