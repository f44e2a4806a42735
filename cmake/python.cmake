# Functions of Python as tasks: vow-python.so beside the compiled guest, the only file that
# is linked with libpython; the first such task opens it. VOW_PYTHON_OFF says why it is not made.
set(VOW_PYTHON_OFF "")
target_sources(vow_executors PRIVATE src/executors/python.c)
target_link_libraries(vow_executors PUBLIC ${CMAKE_DL_LIBS})
pkg_check_modules(PYTHON_EMBED IMPORTED_TARGET python3-embed>=3.9)
if(NOT PYTHON_EMBED_FOUND)
  set(VOW_PYTHON_OFF "pkg-config finds no python3-embed of version 3.9 or newer (Debian: libpython3-dev)")
elseif(NOT PYTHON_EMBED_LINK_LIBRARIES MATCHES "libpython[^;]*\\.so")
  set(VOW_PYTHON_OFF "Python ${PYTHON_EMBED_VERSION} has no shared library, which its extension modules need")
else()
  include(CheckCSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES PkgConfig::PYTHON_EMBED)
  check_c_source_compiles("#include <Python.h>
    #ifdef Py_GIL_DISABLED
    #error
    #endif
    int main(void) { return Py_IsInitialized(); }" VOW_PYTHON_USABLE)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(NOT VOW_PYTHON_USABLE)
    set(VOW_PYTHON_OFF "Python ${PYTHON_EMBED_VERSION} cannot be compiled with, or has no global lock")
  endif()
endif()

if(VOW_PYTHON_OFF)
  message(STATUS "Python is off: ${VOW_PYTHON_OFF}")
  target_compile_definitions(vow_executors PRIVATE "VOW_PYTHON_OFF=\"${VOW_PYTHON_OFF}\"")
  return()
endif()
pkg_get_variable(python_prefix python3-embed prefix)
string(REGEX MATCH "^[0-9]+\\.[0-9]+" python_version "${PYTHON_EMBED_VERSION}")
message(STATUS "Python is on: ${python_version} of ${python_prefix}")

set(python_support ${CMAKE_BINARY_DIR}/python_support.c)
add_custom_command(OUTPUT ${python_support}
  COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_SOURCE_DIR}/src/executors/python_support.py
          -DOUT=${python_support} -DNAME=python_support -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS src/executors/python_support.py cmake/embed.cmake VERBATIM)
set(python_exports ${CMAKE_SOURCE_DIR}/src/executors/python.map)
add_library(vow_python MODULE ${python_support}
  src/executors/python_start.c src/executors/python_run.c src/executors/python_stop.c
  src/executors/python_output.c src/executors/python_read.c src/executors/python_write.c
  src/executors/python_path.c)
target_compile_options(vow_python PRIVATE ${VOW_WARNINGS})
target_compile_definitions(vow_python PRIVATE VOW_PYTHON_PREFIX="${python_prefix}"
  VOW_PYTHON_VERSION="${python_version}")
target_link_libraries(vow_python PRIVATE vow_core PkgConfig::PYTHON_EMBED Threads::Threads)
# nodelete: threads of Python live as long as the process.
target_link_options(vow_python PRIVATE -Wl,--version-script=${python_exports} -Wl,-z,nodelete
  -Wl,--gc-sections)
set_target_properties(vow_python PROPERTIES PREFIX "" OUTPUT_NAME vow-python
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/guest LINK_DEPENDS ${python_exports}
  BUILD_RPATH "" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS vow_python LIBRARY DESTINATION lib/vow)
