# Tests of loop, pool, engine and sandbox.
set(runs ${CMAKE_CURRENT_LIST_DIR}/unit)

foreach(name test_loop test_pool)
  vow_test(${name} SOURCES ${runs}/${name}.c LIBRARIES vow_loop)
endforeach()
foreach(name test_engine test_engine_recycle)
  vow_test(${name} SOURCES ${runs}/${name}.c LIBRARIES vow_engine)
endforeach()
foreach(name test_run_calls test_run_limits test_run_isolation test_run_dispose
    test_run_faults)
  vow_test(${name} SOURCES ${runs}/${name}.c LIBRARIES vow_sandbox)
endforeach()
vow_test(test_run_chaos SOURCES ${runs}/test_run_chaos.c LIBRARIES vow_sandbox
  ARGUMENTS --seeds 1000 SECONDS 120)
