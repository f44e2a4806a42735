/* What a runtime writes down of its runs: an audit file, metrics. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/audit_open.h"
#include "vow/vow_int.h"

static bool same_file(const struct stat *facts, const char *path) {
  struct stat other;
  return stat(path, &other) == 0 && other.st_dev == facts->st_dev && other.st_ino == facts->st_ino;
}

/* SQLite's files beside the database are part of it. */
static bool is_database(int fd, const char *database) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
  struct stat facts;
  if (!database || fstat(fd, &facts) != 0)
    return false;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
    if (len > 0 && (size_t)len < sizeof path && same_file(&facts, path))
      return true;
  }
  return false;
}

void lib_record_take_back(vow_runtime *runtime) {
  if (runtime->audit_made)
    audit_open_undo(runtime->audit_fd, runtime->audit_made);
  runtime->audit_made = NULL;
}

static vow_status open_audit(vow_runtime *runtime, const char *path, const char *database) {
  char why[256];
  bool made;
  runtime->audit_fd = audit_open(path, &made);
  runtime->audit_made = made ? path : NULL;
  if (runtime->audit_fd < 0)
    return lib_fail(runtime, VOW_E_OPEN, "audit %s: cannot be written: %s", path,
                    audit_open_error(errno));
  if (is_database(runtime->audit_fd, database))
    return lib_fail(runtime, VOW_E_INVALID, "audit %s: it is a file of the database", path);
  if (!recorder_prepare(&runtime->recorder, runtime->audit_fd, path, why, sizeof why))
    return lib_fail(runtime, VOW_E_OPEN, "audit %s: %s", path, why);
  return VOW_OK;
}

vow_status lib_record_open(vow_runtime *runtime, const char *audit, const char *database,
                           bool metrics) {
  vow_status status = audit ? open_audit(runtime, audit, database) : VOW_OK;
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
