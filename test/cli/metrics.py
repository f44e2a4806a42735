#!/usr/bin/env python3
"""What --metrics writes, read by the parser of the Prometheus client and checked
against the report. Usage: metrics.py PATH_TO_VOW"""
import json
import math
import os
import subprocess
import sys
import tempfile

from prometheus_client.parser import text_string_to_metric_families

SCRIPTS = {
    "value": 'await Promise.all([notes.list({}), notes.list({}), notes.get("none").catch(() => 0)]); 1',
    "error": 'await notes.get("none")',
    "limit": "await sleep(1e6)",
}


def need(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


def evaluate(vow, engine, source):
    wall = ["--wall-ms", "300"] if source == SCRIPTS["limit"] else []
    command = [vow, "eval", "--debug", "--engine", engine, "--allow", "notes.*", *wall,
               "--report", "report", "--metrics", "metrics", "-"]
    subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    with open("report", encoding="utf-8") as file, open("metrics", encoding="utf-8") as metrics:
        report = json.load(file)
        left = [leak["name"] for leak in report["leaks"]]
        need(not left or left == ["timer"] and source == SCRIPTS["limit"], f"outlived the run: {left}")
        return report, metrics.read()


def samples(text):
    """Every sample by name and labels; a series that comes twice fails."""
    need(text.endswith("\n"), "no newline at the end")
    found, typed = {}, {}
    for family in text_string_to_metric_families(text):
        need(family.documentation and family.type != "unknown", f"{family.name}: no HELP or TYPE")
        need(family.name not in typed, f"{family.name} comes twice")
        typed[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            need(key not in found, f"{key} comes twice")
            need(sample.name.endswith("_total") == (family.type == "counter"), f"{sample.name}: name")
            found[key] = sample.value
    return found, typed


def check_histograms(found, typed):
    for name in [name for name, kind in typed.items() if kind == "histogram"]:
        series = {}
        for (sample, labels), value in found.items():
            if sample == name + "_bucket":
                rest = tuple(pair for pair in labels if pair[0] != "le")
                series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        need(series or name == "vow_operation_duration_seconds", f"{name} has no series")
        for rest, buckets in series.items():
            buckets.sort()
            counts = [count for _, count in buckets]
            need(counts == sorted(counts), f"{name}{rest}: buckets are not cumulative")
            need(math.isinf(buckets[-1][0]), f"{name}{rest}: no +Inf")
            need(counts[-1] == found[(name + "_count", rest)], f"{name}{rest}: +Inf is not the count")
            need(found[(name + "_sum", rest)] >= 0, f"{name}{rest}: sum")


def total(found, name, **wanted):
    return sum(value for (sample, labels), value in found.items()
               if sample == name and wanted.items() <= dict(labels).items())


def check_counts(report, found):
    operations = report["operations"]
    for state in ("fulfilled", "rejected", "timed_out", "cancelled"):
        need(total(found, "vow_operations_total", state=state) == operations[state], state)
    need(total(found, "vow_operations_created_total") == operations["created"], "created")
    need(total(found, "vow_operation_duration_seconds_count") == operations["created"], "durations")
    need(total(found, "vow_operations_late_total") == operations["late"], "late")
    need(total(found, "vow_operation_retries_total") == operations["retries"], "retries")
    need(total(found, "vow_operation_cache_hits_total") == operations["cache_hits"], "cache hits")
    need(total(found, "vow_runs_total", outcome=report["outcome"]) == 1, "runs")
    wall = total(found, "vow_run_seconds_total")
    need(abs(wall - report["time"]["wall_ms"] / 1000) < 1e-3, f"wall {wall}")
    need(total(found, "vow_memory_peak_bytes") == report["memory"]["peak_bytes"], "peak")
    for name in ("vow_operations_live", "vow_operations_running", "vow_operations_queued",
                 "vow_timers_live", "vow_sandboxes_live", "vow_metrics_lost_total"):
        need(total(found, name) == 0, f"{name} is not 0 at exit")


def main():
    vow = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as box:
        os.chdir(box)
        for engine in ("wasm", "native"):
            for outcome, source in SCRIPTS.items():
                report, text = evaluate(vow, engine, source)
                need(report["outcome"] == outcome, f"{engine} {outcome}: {report}")
                found, typed = samples(text)
                check_histograms(found, typed)
                check_counts(report, found)
                need((total(found, "vow_template_bytes") > 0) == (engine == "wasm"), "template")
                need(total(found, "vow_pool_threads") >= 1, "threads")
        os.chdir("/")
    print("metrics: ok")


main()
