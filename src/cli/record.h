/* What `vow eval` writes about a run besides its value: an audit file with one
 * line of JSON for each event, and metrics as Prometheus text. */
#ifndef VOW_CLI_RECORD_H
#define VOW_CLI_RECORD_H

#include <stdbool.h>
#include <stdio.h>

#include "sandbox/run.h"

/* One line for an event of an operation: {"at_ms","event","operation","name"} and
 * what belongs to it; time-outs carry "security":true. */
void record_event(FILE *out, const run_event *event);
/* The last line: {"at_ms","event":"end","outcome","kind"}. */
void record_end(FILE *out, const run_report *report);

/* Prometheus text format 0.0.4: counters, gauges and seconds by its conventions. */
void record_metrics(FILE *out, const run_report *report, const engine_counts *engine);

#endif
