#include "task/task_plan.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "task/task_int.h"
#include "task/task_retry.h"

struct task_plan {
  const vow_allocator *allocator;
  atomic_uint left; /* nodes whose argument is not freed */
  task_node nodes[];
};

/* ---- one spec ---- */

const char *task_spec_fault(const vow_task_spec *spec) {
  if (spec->form > VOW_TASK_RACE)
    return "form: there is no such one";
  if ((spec->takes | spec->gives) & ~TASK_TYPES_ALL)
    return "takes, gives: there is no such type";
  if (spec->form == VOW_TASK_CALL && !spec->callback)
    return "callback: a call needs one";
  if (!spec->value && spec->value_len > 0)
    return "value: it is NULL, and value_len is not 0";
  if (spec->form != VOW_TASK_CALL && spec->member_count > 0 && !spec->members)
    return "members: it is NULL, and member_count is not 0";
  if (spec->form == VOW_TASK_RACE && spec->member_count == 0)
    return "members: a race needs one";
  return task_retry_fault(&spec->retry);
}

/* ---- all of them ---- */

/* Where a spec is: "members[2].members[0]". */
typedef struct place {
  const struct place *outer; /* NULL: the group itself */
  size_t index;
} place;

static void put_place(const place *at, char *to, size_t size) {
  size_t used = 0;
  if (at->outer->outer) {
    put_place(at->outer, to, size);
    used = strlen(to);
  }
  snprintf(to + used, size - used, "%smembers[%zu]", used ? "." : "", at->index);
}

typedef struct measure {
  size_t nodes, bytes; /* of strings and values */
  char *fault;
  size_t fault_size;
} measure;

__attribute__((format(printf, 3, 4))) static bool refuse(measure *m, const place *at,
                                                         const char *format, ...) {
  char where[TASK_PLAN_DEPTH_MAX * 32], what[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (at->outer)
    put_place(at, where, sizeof where);
  snprintf(m->fault, m->fault_size, "%s%s%s", at->outer ? where : "", at->outer ? ": " : "", what);
  return false;
}

static const char *name_of(const vow_task_spec *spec) {
  return spec->name ? spec->name : "task";
}

static bool add(size_t *sum, size_t more) {
  return !__builtin_add_overflow(*sum, more, sum);
}

/* False: nobody has so much memory. */
static bool measure_texts(measure *m, const vow_task_spec *spec) {
  const char *errors = spec->retry.errors;
  return add(&m->bytes, task_text_len(name_of(spec), TASK_WORD_MAX) + 1) &&
         (!errors || add(&m->bytes, strlen(errors) + 1)) && add(&m->bytes, spec->value_len);
}

static bool measure_group(measure *m, const vow_task_spec *spec, const place *at, unsigned depth);

static bool measure_member(measure *m, const vow_task_spec *given, const place *at,
                           unsigned depth) {
  vow_task_spec spec;
  if (!given)
    return refuse(m, at, "the spec is NULL");
  if (!sized_copy(&spec, sizeof spec, given))
    return refuse(m, at, "size: it is not set, or the spec is of a newer version");
  const char *fault = task_spec_fault(&spec);
  if (fault)
    return refuse(m, at, "%s", fault);
  if (!measure_texts(m, &spec))
    return refuse(m, at, "value_len: there is no such memory");
  return spec.form == VOW_TASK_CALL || measure_group(m, &spec, at, depth);
}

static bool measure_group(measure *m, const vow_task_spec *spec, const place *at, unsigned depth) {
  if (depth == TASK_PLAN_DEPTH_MAX)
    return refuse(m, at, "members: groups are nested deeper than %u", TASK_PLAN_DEPTH_MAX);
  if (spec->member_count > TASK_PLAN_NODES_MAX - m->nodes)
    return refuse(m, at, "members: there are more than %u in all", TASK_PLAN_NODES_MAX - 1);
  m->nodes += spec->member_count;
  for (size_t i = 0; i < spec->member_count; i++)
    if (!measure_member(m, spec->members[i], &(place){at, i}, depth + 1))
      return false;
  return true;
}

/* ---- the copy ---- */

/* Where the next node, the next byte goes. */
typedef struct cursor {
  task_plan *plan;
  task_node *node;
  char *byte;
} cursor;

static const char *copy_text(cursor *to, const char *text, size_t max) {
  char *copy = to->byte;
  to->byte = task_text_copy(copy, text, max);
  return copy;
}

static const void *copy_bytes(cursor *to, const void *bytes, size_t len) {
  char *copy = to->byte;
  if (!bytes)
    return NULL;
  if (len > 0)
    memcpy(copy, bytes, len);
  to->byte += len;
  return copy;
}

static const char *copy_string(cursor *to, const char *text) {
  return text ? copy_bytes(to, text, strlen(text) + 1) : NULL;
}

static void copy_spec(cursor *to, task_node *node, const vow_task_spec *spec, bool kept) {
  *node = (task_node){
      .spec = *spec, .plan = to->plan, .calls = spec->form == VOW_TASK_CALL, .nodes = 1};
  node->uses = 1;
  node->kept = kept;
  node->spec.name = copy_text(to, name_of(spec), TASK_WORD_MAX);
  node->spec.retry.errors = copy_string(to, spec->retry.errors);
  node->spec.value = copy_bytes(to, spec->value, spec->value_len);
  node->spec.members = NULL;
}

static void copy_members(cursor *to, task_node *node, const vow_task_spec *const *members) {
  bool kept = node->kept || node->spec.retry.attempts > 1;
  size_t count = node->spec.member_count;
  node->member_count = (uint32_t)count;
  node->members = to->node;
  to->node += count;
  for (size_t i = 0; i < count; i++) {
    vow_task_spec spec = {.form = VOW_TASK_CALL};
    task_node *member = &node->members[i];
    sized_copy(&spec, sizeof spec, members[i]);
    copy_spec(to, member, &spec, kept);
    if (spec.form != VOW_TASK_CALL)
      copy_members(to, member, spec.members);
    node->calls += member->calls;
    node->nodes += member->nodes;
  }
}

vow_status task_plan_make(const vow_allocator *allocator, const vow_task_spec *spec,
                          task_node **root, char *fault, size_t size) {
  measure m = {.nodes = 1, .fault = fault, .fault_size = size};
  const place here = {.outer = NULL};
  if (!measure_texts(&m, spec)) {
    refuse(&m, &here, "value_len: there is no such memory");
    return VOW_E_INVALID;
  }
  if (!measure_group(&m, spec, &here, 0))
    return VOW_E_INVALID;
  size_t bytes = sizeof(task_plan) + m.nodes * sizeof(task_node);
  if (!add(&bytes, m.bytes))
    return VOW_E_NOMEM;
  task_plan *plan = mem_resize(allocator, NULL, bytes, 1);
  if (!plan)
    return VOW_E_NOMEM;
  plan->allocator = allocator;
  atomic_init(&plan->left, (unsigned)m.nodes);
  cursor to = {.plan = plan, .node = plan->nodes + 1, .byte = (char *)(plan->nodes + m.nodes)};
  copy_spec(&to, plan->nodes, spec, false);
  copy_members(&to, plan->nodes, spec->members);
  *root = plan->nodes;
  return VOW_OK;
}

void task_plan_free(task_node *root) {
  mem_free(root->plan->allocator, root->plan);
}

/* ---- uses ---- */

void task_node_use(task_node *node) {
  node->uses++;
}

void task_node_drop(task_node *node, task_node **unused) {
  if (--node->uses > 0)
    return;
  node->next = *unused;
  *unused = node;
  for (uint32_t i = 0; i < node->member_count; i++)
    if (node->members[i].kept)
      task_node_drop(&node->members[i], unused);
}

void task_nodes_free(task_node *unused) {
  while (unused) {
    task_node *node = unused;
    task_plan *plan = node->plan;
    unused = node->next;
    if (node->spec.argument_free)
      node->spec.argument_free(node->spec.argument);
    if (atomic_fetch_sub(&plan->left, 1) == 1)
      mem_free(plan->allocator, plan);
  }
}
