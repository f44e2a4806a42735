# Third-party parts: the system's where they are new enough, else pinned
# packages from the registries, checked against deps/SHA256SUMS and kept in
# VOW_DEPS_DIR, so that only the first configuration needs a network.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# Their warnings are not ours, and neither is their undefined behaviour.
set(DEPS_QUIET -w -fno-sanitize=undefined)

function(deps_fetch name)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/deps/fetch.sh ${VOW_DEPS_DIR} ${name}
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "the dependency '${name}' could not be brought in; the reason is above")
  endif()
endfunction()

# Wasmtime: the library of the wheel, the headers of the crate; or a prefix.
set(WASMTIME_DIR "" CACHE PATH "A prefix with Wasmtime 50's C API (include/, lib/libwasmtime.so) to use instead")
if(WASMTIME_DIR)
  set(wasmtime "${WASMTIME_DIR}")
else()
  deps_fetch(wasmtime)
  set(wasmtime "${VOW_DEPS_DIR}/wasmtime")
endif()
set(WASMTIME_LIBRARY "${wasmtime}/lib/libwasmtime.so")
# It has no SONAME: named by its file, so that the loader looks for that name.
add_library(vow_wasmtime INTERFACE)
target_include_directories(vow_wasmtime SYSTEM INTERFACE "${wasmtime}/include")
target_link_libraries(vow_wasmtime INTERFACE -L${wasmtime}/lib -l:libwasmtime.so m)
set(CMAKE_BUILD_RPATH "${wasmtime}/lib")

deps_fetch(quickjs)
set(QUICKJS_DIR "${VOW_DEPS_DIR}/quickjs")

# Ada, the URL parser: one C++ file, and the cases of Web Platform Tests.
deps_fetch(ada)
set(ADA_DIR "${VOW_DEPS_DIR}/ada")

add_library(vow_uv INTERFACE)
pkg_check_modules(UV IMPORTED_TARGET libuv>=1.49)
if(UV_FOUND)
  target_link_libraries(vow_uv INTERFACE PkgConfig::UV)
else()
  deps_fetch(libuv)
  set(LIBUV_BUILD_SHARED OFF CACHE BOOL "" FORCE)
  set(BUILD_TESTING OFF CACHE BOOL "" FORCE)
  add_subdirectory(${VOW_DEPS_DIR}/libuv ${CMAKE_BINARY_DIR}/libuv EXCLUDE_FROM_ALL SYSTEM)
  target_compile_options(uv_a PRIVATE ${DEPS_QUIET})
  target_link_libraries(vow_uv INTERFACE uv_a)
endif()

# SHA-256, from the archive where there is one: nothing more is loaded at start.
pkg_check_modules(MD REQUIRED IMPORTED_TARGET libmd)
find_library(MD_ARCHIVE libmd.a HINTS ${MD_STATIC_LIBRARY_DIRS} ${MD_LIBRARY_DIRS})
add_library(vow_md INTERFACE)
if(MD_ARCHIVE)
  target_include_directories(vow_md SYSTEM INTERFACE ${MD_INCLUDE_DIRS})
  target_link_libraries(vow_md INTERFACE ${MD_ARCHIVE})
else()
  target_link_libraries(vow_md INTERFACE PkgConfig::MD)
endif()

add_library(vow_sqlite INTERFACE)
pkg_check_modules(SQLITE IMPORTED_TARGET sqlite3>=3.50.2)
if(SQLITE_FOUND)
  target_link_libraries(vow_sqlite INTERFACE PkgConfig::SQLITE)
else()
  deps_fetch(sqlite)
  add_library(vow_sqlite3 STATIC ${VOW_DEPS_DIR}/sqlite/sqlite3.c)
  target_compile_options(vow_sqlite3 PRIVATE ${DEPS_QUIET})
  target_compile_definitions(vow_sqlite3 PRIVATE
    SQLITE_THREADSAFE=2 SQLITE_DQS=0 SQLITE_OMIT_LOAD_EXTENSION SQLITE_DEFAULT_MEMSTATUS=0
    SQLITE_OMIT_DEPRECATED SQLITE_OMIT_SHARED_CACHE SQLITE_LIKE_DOESNT_MATCH_BLOBS
    SQLITE_DEFAULT_WAL_SYNCHRONOUS=1 SQLITE_ENABLE_FTS5 SQLITE_TEMP_STORE=2 SQLITE_TRUSTED_SCHEMA=0
    SQLITE_DEFAULT_FOREIGN_KEYS=1 SQLITE_USE_URI=0 SQLITE_STRICT_SUBTYPE=1)
  target_include_directories(vow_sqlite3 SYSTEM PUBLIC ${VOW_DEPS_DIR}/sqlite)
  target_link_libraries(vow_sqlite3 PUBLIC m Threads::Threads)
  target_link_libraries(vow_sqlite INTERFACE vow_sqlite3)
endif()

# libcurl is loaded when a script first fetches: only its headers are needed here.
pkg_check_modules(CURL REQUIRED libcurl>=7.88)
add_library(vow_curl INTERFACE)
target_include_directories(vow_curl SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
target_link_libraries(vow_curl INTERFACE ${CMAKE_DL_LIBS} Threads::Threads)
