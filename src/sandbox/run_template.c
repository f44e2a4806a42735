#include <string.h>

#include "sandbox/run_int.h"

/* ---- loading ---- */

/* What a guest says while it loads means that it could not. */
static bool on_message(void *user, const uint8_t *bytes, size_t len) {
  (void)bytes, (void)len;
  bool *failed = user;
  *failed = true;
  return false;
}

static bool load(const run_template *template, engine_instance *instance) {
  cbor_out out;
  cbor_out_init(&out, shard_allocator(template->shard), RUN_START_BYTES_MAX);
  uint8_t seeds[12];
  shard_seeds(template->shard, seeds);
  run_put_start(seeds, &template->options, false, &out);
  const wire_header header = {WIRE_LOAD, (uint32_t)out.len, 0};
  size_t size = sizeof header + WIRE_ALIGN(header.len);
  uint8_t *inbox = out.status == CBOR_OK ? engine_inbox(instance, size) : NULL;
  if (inbox) {
    memcpy(inbox, &header, sizeof header);
    memcpy(inbox + sizeof header, out.data, out.len);
  }
  cbor_out_free(&out);
  if (!inbox)
    return false;
  uint64_t budget = run_ns(template->options.limits.cpu_ms), now = run_now();
  uint64_t stop_at = budget < UINT64_MAX - now ? now + budget : UINT64_MAX;
  engine_turn_result result = engine_turn(instance, size, stop_at);
  while (result == ENGINE_YIELDED && run_now() < stop_at)
    result = engine_resume(instance);
  return result == ENGINE_DONE;
}

static engine_template *make(const run_template *template) {
  bool failed = false;
  engine_template *made = NULL;
  engine_instance *instance =
      engine_instance_open(shard_engine(template->shard), NULL,
                           template->options.limits.memory_bytes, on_message, &failed);
  if (!instance)
    return NULL;
  bool loaded = load(template, instance) && !failed;
  if (loaded)
    made = engine_template_make(instance);
  engine_instance_close(instance, loaded);
  return made;
}

/* ---- kinds ---- */

run_kinds *run_kinds_open(const vow_allocator *allocator, const run_options *options) {
  size_t count = options->kinds_count, most = (SIZE_MAX - sizeof(run_kinds)) / sizeof(host_kind);
  if (count > most)
    return NULL;
  run_kinds *kinds = mem_resize(allocator, NULL, 1, sizeof *kinds + count * sizeof kinds->list[0]);
  if (!kinds)
    return NULL;
  kinds->holders = 1;
  if (count)
    memcpy(kinds->list, options->kinds, count * sizeof kinds->list[0]);
  return kinds;
}

run_kinds *run_kinds_hold(run_kinds *kinds) {
  kinds->holders++;
  return kinds;
}

void run_kinds_release(const vow_allocator *allocator, run_kinds *kinds) {
  if (kinds && --kinds->holders == 0)
    mem_free(allocator, kinds);
}

/* ---- templates ---- */

run_template *run_template_open(shard *shard, const run_options *options) {
  const vow_allocator *allocator = shard_allocator(shard);
  run_template *template = mem_new(allocator, 1, sizeof *template);
  if (!template)
    return NULL;
  template->shard = shard;
  template->options = *options;
  template->options.context = NULL;
  template->options.template = NULL;
  template->options.name = mem_text(allocator, options->name, strlen(options->name));
  template->options.source = mem_text(allocator, options->source, options->source_len);
  template->kinds = run_kinds_open(allocator, options);
  if (!template->options.name || !template->options.source || !template->kinds) {
    run_template_close(template);
    return NULL;
  }
  template->options.kinds = template->kinds->list;
  if (engine_kind_of_engine(shard_engine(shard)) == ENGINE_WASM)
    template->loaded = make(template);
  return template;
}

void run_template_close(run_template *template) {
  if (!template)
    return;
  const vow_allocator *allocator = shard_allocator(template->shard);
  engine_template_close(template->loaded);
  run_kinds_release(allocator, template->kinds);
  mem_free(allocator, (void *)(uintptr_t) template->options.name);
  mem_free(allocator, (void *)(uintptr_t) template->options.source);
  mem_free(allocator, template);
}

engine_template *run_template_loaded(const run_options *options) {
  const run_template *template = options->template;
  if (!template || !template->loaded ||
      engine_template_memory(template->loaded) > options->limits.memory_bytes)
    return NULL;
  return template->loaded;
}

void run_template_apply(const run_template *template, run_options *options) {
  options->name = template->options.name;
  options->source = template->options.source;
  options->source_len = template->options.source_len;
  options->module = template->options.module;
  options->kinds = template->options.kinds;
  options->kinds_count = template->options.kinds_count;
}
