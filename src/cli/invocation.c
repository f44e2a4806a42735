#include "cli/invocation.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tell.h"
#include "sandbox/source.h"

static bool refuse(const invocation *invocation, const char *why) {
  tell_usage(invocation->command, "%s", why);
  return false;
}

/* ---- set-up, before any code runs ---- */

static backend_settings backend_of(const invocation *invocation) {
  const invocation_settings *settings = invocation->settings;
  return (backend_settings){settings->allow, settings->db, settings->vault, invocation->trusted};
}

bool invocation_check(invocation *invocation) {
  char message[512];
  const backend_settings settings = backend_of(invocation);
  return backend_check(&invocation->backend, &settings, message, sizeof message) ||
         refuse(invocation, message);
}

bool invocation_read(invocation *invocation) {
  char why[256];
  invocation->source = source_read(invocation->file, &invocation->source_len, why, sizeof why);
  if (!invocation->source)
    tell_usage(invocation->command, "%s: %s", invocation->file, why);
  return invocation->source != NULL;
}

bool invocation_open_outputs(invocation *invocation) {
  const invocation_settings *settings = invocation->settings;
  const record_files files = {settings->report, settings->audit, settings->metrics,
                              invocation->file, settings->db};
  char message[PATH_MAX * 2 + 256];
  return record_open_files(&invocation->record, &files, message, sizeof message) ||
         refuse(invocation, message);
}

static void on_leak(void *user, const run_leak *leak) {
  tell_leak(((const invocation *)user)->command, leak);
}

bool invocation_open_shard(invocation *invocation, engine_kind engine) {
  char message[512];
  const shard_options options = {.engine = engine,
                                 .on_leak = invocation->settings->debug ? on_leak : NULL,
                                 .user = invocation};
  invocation->shard = shard_open(&options, message, sizeof message);
  return invocation->shard || refuse(invocation, message);
}

bool invocation_open_backend(invocation *invocation) {
  char message[512];
  const backend_settings settings = backend_of(invocation);
  return backend_open(&invocation->backend, &settings, invocation->shard,
                      invocation->record.audit.path, message, sizeof message) ||
         refuse(invocation, message);
}

/* ---- the run ---- */

static void on_event(void *user, const run_event *event) {
  invocation *invocation = user;
  recorder_event(&invocation->record.recorder, &invocation->audit, event);
}

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  ((invocation *)user)->report = report;
}

void invocation_fill(invocation *invocation, run_options *options) {
  /* The invocation outlives every handler. */
  static const run_late late = {.tell = on_event};
  const record *record = &invocation->record;
  options->source = invocation->source;
  options->source_len = invocation->source_len;
  options->on_event = record->audit.path || record->metrics.path ? on_event : NULL;
  options->late = record->audit.path ? &late : NULL;
  options->debug = invocation->settings->debug;
  options->on_done = on_done;
  options->user = invocation;
}

bool invocation_begin(invocation *invocation) {
  record *record = &invocation->record;
  if (!record_open(record, invocation->shard, invocation->backend.workers, &invocation->at_start))
    return refuse(invocation, "out of memory");
  recorder_run(&record->recorder, &invocation->audit, invocation->settings->vault, NULL);
  return true;
}

bool invocation_end(invocation *invocation) {
  const run_report *report = invocation->report;
  record *record = &invocation->record;
  char message[PATH_MAX + 256];
  for (size_t i = 0; i < report->leaks_count; i++)
    tell_leak(invocation->command, &report->leaks[i]);
  recorder_ended(&record->recorder, &invocation->audit, report);
  if (record->audit.path)
    shard_drain(invocation->shard); /* its end holds what came too late */
  bool written = record_end(record, report, message, sizeof message);
  if (written && (fflush(stdout) != 0 || ferror(stdout))) {
    snprintf(message, sizeof message, "standard output cannot be written: %s", strerror(errno));
    written = false;
  }
  if (!written)
    fprintf(stderr, "vow %s: %s\n", invocation->command, message);
  return written;
}

void invocation_dispose(invocation *invocation) {
  run *run = invocation->run;
  invocation->run = NULL; /* a signal finds none from here on */
  if (run)
    run_dispose(run);
}

void invocation_unbind(invocation *invocation) {
  backend_unbind(&invocation->backend);
}

void invocation_close(invocation *invocation) {
  backend_close(&invocation->backend);
  record_close(&invocation->record);
  free(invocation->source);
}
