# The guest, twice from the same sources: natively (vow_guest) and as
# WebAssembly, compiled ahead and initialised once (TEMPLATE_HEADER names the files).
set(guest_sources
  value value_decode call describe script outbox guest web web_text web_url web_crypto)
# Deferred: the guests of vow run and of its workers.
set(guest_native_sources deferred deferred_names deferred_progress task shared)
set(guest_core mem utf8 cbor_write cbor_read cbor_check)
set(guest_engine quickjs/libregexp.c quickjs/libunicode.c quickjs/dtoa.c)

# The bundle of web globals as a C file.
file(STRINGS ${CMAKE_SOURCE_DIR}/src/guest/js/bundle.txt bundle_names)
list(TRANSFORM bundle_names PREPEND ${CMAKE_SOURCE_DIR}/src/guest/js/)
set(bundle ${CMAKE_BINARY_DIR}/bundle.c)
add_custom_command(OUTPUT ${bundle}
  COMMAND ${CMAKE_COMMAND} -DLIST=${CMAKE_SOURCE_DIR}/src/guest/js/bundle.txt -DNAME=bundle -DOUT=${bundle}
          -P ${CMAKE_SOURCE_DIR}/cmake/bundle.cmake
  DEPENDS ${bundle_names} ${CMAKE_SOURCE_DIR}/src/guest/js/bundle.txt ${CMAKE_SOURCE_DIR}/cmake/bundle.cmake
  VERBATIM)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/guest/js/bundle.txt)
set(deferred_js ${CMAKE_SOURCE_DIR}/src/guest/js/deferred.js)
set(deferred_bundle ${CMAKE_BINARY_DIR}/deferred_bundle.c)
add_custom_command(OUTPUT ${deferred_bundle}
  COMMAND ${CMAKE_COMMAND} -DLIST=${deferred_js} -DNAME=tasks -DOUT=${deferred_bundle}
          -P ${CMAKE_SOURCE_DIR}/cmake/bundle.cmake
  DEPENDS ${deferred_js} ${CMAKE_SOURCE_DIR}/cmake/bundle.cmake VERBATIM)

# ---- natively ----
list(TRANSFORM guest_engine PREPEND ${VOW_DEPS_DIR}/ OUTPUT_VARIABLE engine_files)
add_library(vow_quickjs STATIC ${CMAKE_SOURCE_DIR}/src/guest/engine_unit.c ${engine_files})
target_compile_options(vow_quickjs PRIVATE ${DEPS_QUIET} -std=gnu11 -funsigned-char
  $<$<CONFIG:Release>:-O3 -fomit-frame-pointer>)
if(VOW_FUZZ)
  # No fuzz target runs it, and with clang's sanitizers it compiles for minutes.
  target_compile_options(vow_quickjs PRIVATE -fno-sanitize=all)
endif()
target_include_directories(vow_quickjs PRIVATE ${CMAKE_SOURCE_DIR}/src SYSTEM PUBLIC ${QUICKJS_DIR})
target_link_libraries(vow_quickjs PUBLIC m Threads::Threads)

# Its bytecode, by the engine that will read it.
add_executable(bundle_tool ${CMAKE_SOURCE_DIR}/src/guest/bundle_tool.c ${bundle} ${deferred_bundle})
target_compile_options(bundle_tool PRIVATE ${VOW_WARNINGS})
target_include_directories(bundle_tool PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(bundle_tool PRIVATE vow_quickjs)
foreach(name bundle tasks)
  set(${name}_code ${CMAKE_BINARY_DIR}/${name}_code.c)
  add_custom_command(OUTPUT ${${name}_code} COMMAND bundle_tool ${name} ${${name}_code}
    DEPENDS bundle_tool VERBATIM)
endforeach()

list(TRANSFORM guest_sources PREPEND ${CMAKE_SOURCE_DIR}/src/guest/ OUTPUT_VARIABLE guest_files)
list(TRANSFORM guest_files APPEND .c)
list(TRANSFORM guest_native_sources PREPEND ${CMAKE_SOURCE_DIR}/src/guest/ OUTPUT_VARIABLE guest_native_files)
list(TRANSFORM guest_native_files APPEND .c)
add_library(vow_guest STATIC ${guest_files} ${guest_native_files} ${CMAKE_SOURCE_DIR}/src/guest/modules.c
  ${CMAKE_SOURCE_DIR}/src/guest/process.c ${bundle_code} ${tasks_code})
target_compile_options(vow_guest PRIVATE ${VOW_WARNINGS})
target_include_directories(vow_guest PUBLIC ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(vow_guest PUBLIC vow_quickjs vow_core)

# The URL parser, C++ behind a C interface. No C++ library is linked: what the
# object asks of one is renamed to functions of its own.
add_library(url_unit OBJECT ${CMAKE_SOURCE_DIR}/src/guest/url_unit.cpp)
set(url_flags -std=c++20 -O2 -fno-exceptions -fno-rtti -w -DNDEBUG -DADA_INCLUDE_URL_PATTERN=0)
target_compile_options(url_unit PRIVATE ${url_flags} ${DEPS_QUIET} -fvisibility=hidden
  $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique> -D_GLIBCXX_IOSTREAM)
target_include_directories(url_unit PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_include_directories(url_unit SYSTEM PRIVATE ${ADA_DIR}/deps)
set(url_object ${CMAKE_BINARY_DIR}/url_unit.o)
set(url_symbols ${CMAKE_SOURCE_DIR}/src/guest/url_symbols.txt)
add_custom_command(OUTPUT ${url_object}
  COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${url_symbols} $<TARGET_OBJECTS:url_unit> ${url_object}
  DEPENDS url_unit $<TARGET_OBJECTS:url_unit> ${url_symbols} VERBATIM)
target_sources(vow_guest PRIVATE ${url_object})

# ---- as WebAssembly ----
include(cmake/template_files.cmake)
set(TEMPLATE_HEADER ${CMAKE_BINARY_DIR}/guest/template_name.h)
template_check(${CMAKE_BINARY_DIR}/guest)
if(VOW_TEMPLATE_DIR)
  template_present(${VOW_TEMPLATE_DIR} present)
  if(NOT present)
    message(FATAL_ERROR "${VOW_TEMPLATE_DIR} holds no compiled guest; build the release preset first")
  endif()
  # A copy: the other build may make another one while this one is being used.
  add_custom_command(OUTPUT ${TEMPLATE_HEADER}
    COMMAND sh -c "mkdir -p guest && rm -f guest/guest-* && cp '${VOW_TEMPLATE_DIR}'/guest-* '${VOW_TEMPLATE_DIR}/template_name.h' guest/"
    DEPENDS ${VOW_TEMPLATE_DIR}/template_name.h WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
  return()
endif()

find_program(WASM_CLANG NAMES clang clang-19 clang-16 clang-14 REQUIRED)
set(wasm_flags --target=wasm32-wasi -O2 -flto -msign-ext -mnontrapping-fptoint -std=gnu11 -D_GNU_SOURCE -DNDEBUG -funsigned-char
  -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_SOURCE_DIR}/include -isystem ${QUICKJS_DIR})
set(wasm_objects)

function(wasm_object source)
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_BINARY_DIR}/guest/${name}.wasm.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${WASM_CLANG} ${wasm_flags} ${ARGN} -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
  set(wasm_objects ${wasm_objects} ${object} PARENT_SCOPE)
endfunction()

foreach(source ${engine_files} ${CMAKE_SOURCE_DIR}/src/guest/engine_unit.c)
  wasm_object(${source} -w)
endforeach()
foreach(source ${guest_files} ${bundle_code} ${CMAKE_SOURCE_DIR}/src/guest/platform_wasm.c
               ${CMAKE_SOURCE_DIR}/src/guest/heap_wasm.c)
  wasm_object(${source} -Wall -Wextra -Werror)
endforeach()
wasm_object(${CMAKE_SOURCE_DIR}/src/guest/bytes_wasm.c -Wall -Wextra -Werror -fno-lto -fno-builtin)
# The C++ headers that go with this clang.
execute_process(COMMAND ${WASM_CLANG} -print-resource-dir OUTPUT_VARIABLE resource_dir
  OUTPUT_STRIP_TRAILING_WHITESPACE)
file(REAL_PATH ${resource_dir}/../../../include/wasm32-wasi/c++/v1 wasm_cxx)
if(NOT EXISTS ${wasm_cxx}/string)
  message(FATAL_ERROR "${wasm_cxx} is missing: the C++ library for wasm32 of the clang in use (Debian: libc++-N-dev-wasm32, libc++abi-N-dev-wasm32)")
endif()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/guest/url_unit.wasm.o
  COMMAND ${WASM_CLANG} --target=wasm32-wasi -mnontrapping-fptoint -msign-ext ${url_flags} -nostdinc++
          -isystem ${wasm_cxx} -D_GNU_SOURCE -I${CMAKE_SOURCE_DIR}/src -isystem ${ADA_DIR}/deps
          -MD -MF ${CMAKE_BINARY_DIR}/guest/url_unit.wasm.o.d
          -c ${CMAKE_SOURCE_DIR}/src/guest/url_unit.cpp -o ${CMAKE_BINARY_DIR}/guest/url_unit.wasm.o
  DEPENDS ${CMAKE_SOURCE_DIR}/src/guest/url_unit.cpp DEPFILE ${CMAKE_BINARY_DIR}/guest/url_unit.wasm.o.d VERBATIM)
list(APPEND wasm_objects ${CMAKE_BINARY_DIR}/guest/url_unit.wasm.o)
foreach(name ${guest_core})
  wasm_object(${CMAKE_SOURCE_DIR}/src/core/${name}.c -Wall -Wextra -Werror)
endforeach()

# The C stack lies lowest, so that running over it traps instead of writing
# into data; its size leaves room for JavaScript stacks of up to 512 KiB.
set(guest_wasm ${CMAKE_BINARY_DIR}/guest/guest.wasm)
add_custom_command(OUTPUT ${guest_wasm}
  COMMAND ${WASM_CLANG} --target=wasm32-wasi -O2 -mexec-model=reactor ${wasm_objects} -lc++ -lc++abi -lm
          -lwasi-emulated-process-clocks -Wl,-z,stack-size=1048576 -Wl,--stack-first
          -Wl,--no-check-features -Wl,--strip-debug -Wl,--export=__stack_pointer -o ${guest_wasm}
  DEPENDS ${wasm_objects} VERBATIM)

add_executable(template_tool src/engine/template_tool.c src/engine/wasmhost_config.c
               src/engine/linear_image.c)
target_compile_options(template_tool PRIVATE -Wall -Wextra -Werror)
target_include_directories(template_tool PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(template_tool PRIVATE vow_wasmtime Threads::Threads)
add_custom_command(OUTPUT ${TEMPLATE_HEADER}
  COMMAND template_tool ${guest_wasm} ${CMAKE_BINARY_DIR}/guest
  DEPENDS ${guest_wasm} template_tool VERBATIM)
install(DIRECTORY ${CMAKE_BINARY_DIR}/guest/ DESTINATION lib/vow
  FILES_MATCHING PATTERN "guest-*.cwasm" PATTERN "guest-*.image")
