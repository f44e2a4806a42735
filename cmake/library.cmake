# The C library: libvow.so, and libvow.a as one object in which every symbol but
# vow_* is local, so that a program may have a libuv, SQLite or QuickJS of its own.
include(CMakePackageConfigHelpers)
vow_library(vow_embed
  src/vow/allow.c src/vow/answer.c src/vow/gate.c src/vow/leaks.c src/vow/loop.c src/vow/op.c src/vow/request.c
  src/vow/batch.c src/vow/record.c src/vow/run.c src/vow/runtime.c src/vow/script.c src/vow/task.c)
target_link_libraries(vow_embed PUBLIC vow_api vow_task vow_executors)

set(exports ${CMAKE_SOURCE_DIR}/src/vow/vow.map)
add_library(vow_shared SHARED $<TARGET_OBJECTS:vow_embed> $<TARGET_OBJECTS:vow_task>
  $<TARGET_OBJECTS:vow_executors>)
set_target_properties(vow_shared PROPERTIES OUTPUT_NAME vow LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${exports}
  INSTALL_RPATH "$ORIGIN/vow")
# nodelete: a thread may be in a name lookup, which nothing ends, when all is closed.
target_link_options(vow_shared PRIVATE -Wl,--version-script=${exports} -Wl,--gc-sections
  -Wl,-z,nodelete)
target_link_libraries(vow_shared PRIVATE vow_api)

# What libvow.a is made of: ours, and what is not the system's.
set(parts vow_api vow_sandbox vow_engine vow_guest vow_quickjs vow_loop vow_core)
set(part_files)
foreach(part ${parts})
  list(APPEND part_files $<TARGET_FILE:${part}>)
endforeach()
set(VOW_REQUIRES) # packages that a program linked with libvow.a needs
if(UV_FOUND)
  list(APPEND VOW_REQUIRES libuv)
else()
  list(APPEND parts uv_a)
  list(APPEND part_files $<TARGET_FILE:uv_a>)
endif()
if(SQLITE_FOUND)
  list(APPEND VOW_REQUIRES sqlite3)
else()
  list(APPEND parts vow_sqlite3)
  list(APPEND part_files $<TARGET_FILE:vow_sqlite3>)
endif()
if(MD_ARCHIVE)
  list(APPEND part_files ${MD_ARCHIVE})
else()
  list(APPEND VOW_REQUIRES libmd)
endif()
set(static_library ${CMAKE_BINARY_DIR}/libvow.a)
add_custom_command(OUTPUT ${static_library}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o libvow.o
          -Wl,--whole-archive $<TARGET_FILE:vow_embed> $<TARGET_FILE:vow_task>
          $<TARGET_FILE:vow_executors> -Wl,--no-whole-archive
          -Wl,--start-group ${part_files} -Wl,--end-group
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol "vow_*" libvow.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
  COMMAND ${CMAKE_AR} rcs ${static_library} libvow.o
  DEPENDS vow_embed vow_task vow_executors ${parts} WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
add_custom_target(vow_static ALL DEPENDS ${static_library})

# ---- installation; every path in it is relative to the files themselves ----
install(TARGETS vow_shared LIBRARY DESTINATION lib)
install(FILES ${static_library} DESTINATION lib)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/vow DESTINATION include FILES_MATCHING PATTERN "*.h"
  PATTERN "*.hpp")
list(JOIN VOW_REQUIRES " " VOW_REQUIRES_TEXT)
foreach(name vow vow-static)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION lib/pkgconfig)
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/cmake/vowConfig.cmake.in ${CMAKE_BINARY_DIR}/vowConfig.cmake @ONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/vowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/vowConfig.cmake ${CMAKE_BINARY_DIR}/vowConfigVersion.cmake
  DESTINATION lib/cmake/vow)
