/* What a runtime writes down of its runs: an audit file, metrics. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vow/vow_int.h"

static vow_status open_audit(vow_runtime *runtime, const char *path) {
  char why[256];
  int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  runtime->audit_fd = open(path, flags, 0666);
  if (runtime->audit_fd < 0)
    return lib_fail(runtime, VOW_E_OPEN, "audit %s: cannot be written: %s", path,
                    errno == ENXIO ? "nobody reads from it" : strerror(errno));
  if (!recorder_prepare(&runtime->recorder, runtime->audit_fd, path, why, sizeof why))
    return lib_fail(runtime, VOW_E_OPEN, "audit %s: %s", path, why);
  return VOW_OK;
}

vow_status lib_record_open(vow_runtime *runtime, const char *audit, bool metrics) {
  vow_status status = audit ? open_audit(runtime, audit) : VOW_OK;
  const recorder_parts parts = {.allocator = runtime->allocator,
                                .shard = runtime->shard,
                                .pool = runtime->workers,
                                .audit_fd = runtime->audit_fd,
                                .metrics = metrics};
  if (status != VOW_OK)
    return status;
  return recorder_begin(&runtime->recorder, &parts) ? VOW_OK : VOW_E_NOMEM;
}

bool lib_record_end(vow_runtime *runtime) {
  run_report_audit audit = {0};
  int error;
  return !recorder_end(&runtime->recorder, &audit, &error) || audit.dropped == 0;
}

void lib_record_close(vow_runtime *runtime) {
  recorder_close(&runtime->recorder);
  if (runtime->audit_fd >= 0)
    close(runtime->audit_fd);
  mem_free(runtime->allocator, runtime->metrics);
}

vow_status vow_runtime_metrics(vow_runtime *runtime, const char **text) {
  size_t len;
  *text = NULL;
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (!runtime->recorder.counts)
    return VOW_E_STATE;
  char *made = recorder_metrics(&runtime->recorder, &len);
  if (!made)
    return VOW_E_NOMEM;
  mem_free(runtime->allocator, runtime->metrics);
  *text = runtime->metrics = made;
  return VOW_OK;
}
