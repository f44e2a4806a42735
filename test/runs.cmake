# Tests of loop, pool, engine and sandbox.
set(runs ${CMAKE_CURRENT_LIST_DIR}/unit)

foreach(name test_loop test_pool test_pool_order test_pool_stuck test_audit_file)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_loop)
endforeach()
foreach(name test_task test_task_pool test_task_waits)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_task)
endforeach()
vow_test(test_task_faults THREADS SOURCES ${runs}/test_task_faults.c LIBRARIES vow_embed)
foreach(name test_task_value test_task_retry test_task_audit test_task_group test_task_again)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_task)
endforeach()
vow_test(test_task_record THREADS SOURCES ${runs}/test_task_record.c LIBRARIES vow_task
  ARGUMENTS $<TARGET_FILE:vow>)
vow_test(test_task_chaos THREADS SOURCES ${runs}/test_task_chaos.c LIBRARIES vow_embed
  ARGUMENTS --seeds 10000)
vow_test(test_pool_chaos THREADS SOURCES ${runs}/test_pool_chaos.c LIBRARIES vow_loop
  ARGUMENTS --seeds 10000)
# They fail threads.
foreach(name test_pool_stuck test_pool_chaos test_task_faults)
  target_link_options(${name} PRIVATE LINKER:--wrap=uv_thread_create_ex)
endforeach()
foreach(name test_engine test_engine_recycle test_deferred_guest test_deferred_values
    test_deferred_tasks)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_engine)
endforeach()
target_link_options(test_deferred_tasks PRIVATE -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
foreach(name test_run_calls test_run_program test_run_limits test_run_isolation test_run_dispose
    test_run_leaks test_run_template test_run_policies test_run_fairness test_run_faults test_run_threads)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_sandbox)
endforeach()
vow_test(test_deferred_parts SOURCES ${runs}/test_deferred_parts.c LIBRARIES vow_deferred)
foreach(name test_deferred test_deferred_ends test_deferred_faults)
  vow_test(${name} THREADS SOURCES ${runs}/${name}.c LIBRARIES vow_deferred)
endforeach()
target_link_options(test_deferred_faults PRIVATE LINKER:--wrap=uv_thread_create_ex)
if(VOW_SANITIZE)
  set(deferred_seeds 1000)
else()
  set(deferred_seeds 10000)
endif()
vow_test(test_deferred_chaos THREADS SOURCES ${runs}/test_deferred_chaos.c LIBRARIES vow_deferred
  ARGUMENTS --seeds ${deferred_seeds} SECONDS 600)
vow_test(test_run_many THREADS SOURCES ${runs}/test_run_many.c LIBRARIES vow_sandbox SECONDS 120)
vow_test(test_run_chaos THREADS SOURCES ${runs}/test_run_chaos.c LIBRARIES vow_sandbox
  ARGUMENTS --seeds 1000 SECONDS 120)

# Natively a guest is made from nothing for each run.
if(VOW_SANITIZE)
  set(soak_runs 10000)
  set(soak_runs_native 1000)
else()
  set(soak_runs 100000)
  set(soak_runs_native 20000)
endif()
vow_test(test_soak THREADS SOURCES ${runs}/test_soak.c LIBRARIES vow_sandbox ARGUMENTS ${soak_runs} SECONDS 240)
add_test(NAME test_soak_native COMMAND test_soak ${soak_runs_native} native)
set_tests_properties(test_soak_native PROPERTIES TIMEOUT 600 LABELS threads)
vow_test(test_record_faults THREADS SOURCES ${runs}/test_record_faults.c LIBRARIES vow_sandbox)
target_link_options(test_record_faults PRIVATE -Wl,--wrap=write)
