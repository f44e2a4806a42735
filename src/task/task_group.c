/* Groups: parallel and race. A group is an operation without a place and without a thread;
 * its members are operations nested in it. What it comes to is decided under the lock, when a
 * member settles: so no depth of groups can stop the pool.
 *
 * A group holds its members, and its result is made of theirs: the value of the one that has
 * won, the texts of the one that has failed. */
#include "task/task_int.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/cbor.h"

/* The most bytes of a list of values. */
#define LIST_BYTES_MAX ((size_t)1 << 30)

static bool is_settled(const vow_task *task) {
  return vow_task_state(task) >= VOW_FULFILLED;
}

/* ---- members ---- */

bool task_group_make(vow_task *group) {
  const vow_allocator *allocator = group->pool->allocator;
  task_node *node = group->node;
  size_t size = sizeof(task_members) + node->member_count * sizeof(vow_task *);
  task_members *members = mem_new(allocator, 1, size);
  if (!members)
    return false;
  for (; members->count < node->member_count; members->count++) {
    task_node *of = &node->members[members->count];
    vow_task *member = task_make(group->pool, &of->spec, of, true);
    if (!member)
      break;
    member->index = members->count;
    members->tasks[members->count] = member;
  }
  if (members->count == node->member_count) {
    members->failed = members->winner = members->count;
    group->members = members;
    return true;
  }
  for (uint32_t i = 0; i < members->count; i++)
    task_unmake(members->tasks[i]);
  mem_free(allocator, members);
  return false;
}

void task_members_free(task_members *members, const vow_allocator *allocator) {
  while (members) {
    task_members *before = members->before;
    for (uint32_t i = 0; i < members->count; i++)
      vow_task_release(members->tasks[i]);
    mem_free(allocator, members);
    members = before;
  }
}

vow_status task_group_room(vow_task_pool *pool, const task_node *node) {
  if (pool->lent > 0)
    task_inbox_revoke(pool);
  op_kind_counts used = op_kind_look(pool->kind);
  uint64_t places = (uint64_t)pool->concurrent_max + pool->parked, room = 0;
  if (used.queued < pool->queue_max)
    room = pool->queue_max - used.queued;
  if (used.queued == 0 && used.places < places)
    room += places - used.places;
  if (node->calls > room)
    return VOW_E_FULL;
  op_status status = op_table_reserve(pool->table, node->nodes);
  if (status == OP_OK)
    return VOW_OK;
  return status == OP_E_NOMEM ? VOW_E_NOMEM : VOW_E_FULL;
}

void task_group_submit(vow_task *group, uint64_t now) {
  const task_members *members = group->members;
  for (uint32_t i = 0; i < members->count; i++) {
    vow_task *member = members->tasks[i];
    op_status status = task_submit(member, group, now);
    assert(status == OP_OK); /* task_group_room() */
    (void)status;
    if (member->node->kept)
      task_node_use(member->node);
    member->group = group;
    if (member->members)
      task_group_submit(member, now);
  }
}

void task_group_leave(vow_task *group) {
  const task_members *members = group->members;
  for (uint32_t i = 0; i < members->count; i++)
    members->tasks[i]->group = NULL;
}

/* Nobody waits for them any more. */
static void cancel_others(vow_task *group, uint64_t now) {
  const task_members *members = group->members;
  task_group_leave(group);
  for (uint32_t i = 0; i < members->count; i++)
    if (!is_settled(members->tasks[i]))
      op_cancel(group->pool->table, members->tasks[i]->id, now);
}

/* ---- the end ---- */

/* The operation is settled by result. */
static void finish(vow_task *group, vow_state state, uint64_t now, task_after *after) {
  task_settle(group, state, now, after);
  if (group->place == TASK_GROUP) {
    group->place = TASK_AWAY;
    op_handler_done(group->pool->table, group->id, now);
  }
  task_end(group, after);
}

static void reject(vow_task *group, uint64_t now, task_after *after) {
  if (op_reject(group->pool->table, group->id, now) == OP_OK)
    finish(group, VOW_REJECTED, now, after);
}

static void set_error(vow_task *group, const char *type, const char *message, const char *detail) {
  group->result.error_type = type;
  group->result.error_message = message;
  group->result.error_detail = detail;
}

/* ---- success ---- */

static void put_value(cbor_out *out, const vow_task *member) {
  const vow_task_result *result = &member->result;
  if (!result->value)
    cbor_put_undefined(out);
  else if (member->is_cbor)
    cbor_put_raw(out, result->value, result->value_len);
  else
    cbor_put_bytes(out, result->value, result->value_len);
}

/* False: memory is short. */
static bool make_list(vow_task *group) {
  const task_members *members = group->members;
  cbor_out out;
  cbor_out_init(&out, group->pool->allocator, LIST_BYTES_MAX);
  cbor_put_array(&out, members->count);
  for (uint32_t i = 0; i < members->count; i++)
    put_value(&out, members->tasks[i]);
  group->said = cbor_out_take(&out, &group->result.value_len);
  if (!group->said) {
    cbor_out_free(&out);
    return false;
  }
  group->result.value = group->said;
  group->is_cbor = true;
  return true;
}

static void take_value(vow_task *group, const vow_task *winner) {
  group->result.value = winner->result.value;
  group->result.value_len = winner->result.value_len;
  group->is_cbor = winner->is_cbor;
}

static void succeed(vow_task *group, uint64_t now, task_after *after) {
  const task_members *members = group->members;
  if (group->form == VOW_TASK_RACE) {
    take_value(group, members->tasks[members->winner]);
  } else if (!make_list(group)) {
    set_error(group, "ResourceError", "memory is short", NULL);
    reject(group, now, after);
    return;
  }
  if (op_fulfil(group->pool->table, group->id, now) == OP_OK)
    finish(group, VOW_FULFILLED, now, after);
}

/* ---- failure ---- */

/* Of a race all of whose members have failed, as far as it fits. */
static const char *name_each(vow_task *group) {
  const task_members *members = group->members;
  char text[TASK_MESSAGE_MAX + 1];
  char *at = text + snprintf(text, sizeof text, "all %u members failed", members->count);
  for (uint32_t i = 0; i < members->count; i++) {
    const vow_task *member = members->tasks[i];
    const char *const parts[] = {
        i == 0 ? ": " : "; ",      member->name, ": ",
        member->result.error_type, ": ",         member->result.error_message};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
      at = task_text_copy(at, parts[k], (size_t)(text + TASK_MESSAGE_MAX - at)) - 1;
  }
  group->said = (uint8_t *)mem_text(group->pool->allocator, text, (size_t)(at - text));
  return group->said ? (char *)group->said : "all members failed";
}

/* The member whose failure is the group's own; NULL: all of several have failed. */
static const vow_task *failed_member(const vow_task *group) {
  const task_members *members = group->members;
  if (group->form == VOW_TASK_RACE)
    return members->count == 1 ? members->tasks[0] : NULL;
  return members->tasks[members->failed];
}

static void fail_for_good(vow_task *group, uint64_t now, task_after *after) {
  const vow_task *member = failed_member(group);
  if (member)
    set_error(group, member->result.error_type, member->result.error_message,
              member->result.error_detail);
  else
    set_error(group, "AggregateError", name_each(group), NULL);
  reject(group, now, after);
}

static void fail(vow_task *group, uint64_t now, task_after *after) {
  const vow_task *member = failed_member(group);
  if (task_again(group, member ? member->result.error_type : "AggregateError", now))
    task_group_leave(group);
  else
    fail_for_good(group, now, after);
}

/* ---- what happens ---- */

static void hear_race(vow_task *member, uint64_t now, task_after *after) {
  vow_task *group = member->group;
  task_members *members = group->members;
  if (member->result.state == VOW_FULFILLED) {
    members->winner = member->index;
    cancel_others(group, now);
    succeed(group, now, after);
  } else if (members->settled == members->count) {
    fail(group, now, after);
  }
}

static void hear_parallel(vow_task *member, uint64_t now, task_after *after) {
  vow_task *group = member->group;
  task_members *members = group->members;
  bool failed = member->result.state != VOW_FULFILLED;
  if (failed && member->index < members->failed)
    members->failed = member->index;
  if (failed && group->node->spec.fail_fast) {
    cancel_others(group, now);
    fail(group, now, after);
  } else if (members->settled == members->count) {
    if (members->failed < members->count)
      fail(group, now, after);
    else
      succeed(group, now, after);
  }
}

/* The table may have settled it already, by an event that is still to be taken. */
static bool is_open(const vow_task *group, uint64_t now) {
  op_info info;
  return op_find(group->pool->table, group->id, &info, now) == OP_OK && info.state <= OP_RUNNING;
}

void task_group_hear(vow_task *member, uint64_t now, task_after *after) {
  if (!is_open(member->group, now))
    return;
  member->group->members->settled++;
  if (member->group->form == VOW_TASK_RACE)
    hear_race(member, now, after);
  else
    hear_parallel(member, now, after);
}

/* Another attempt, with members of its own. False: there is no room for it now. */
static bool begin_anew(vow_task *group, uint64_t now, task_after *after) {
  task_members *old = group->members;
  if (task_group_room(group->pool, group->node) != VOW_OK || !task_group_make(group))
    return false;
  if (old->lent) {
    group->members->before = old;
  } else {
    group->members->before = old->before;
    old->before = after->dropped;
    after->dropped = old;
  }
  task_group_submit(group, now);
  return true;
}

void task_group_begin(vow_task *group, uint64_t now, task_after *after) {
  group->place = TASK_GROUP;
  if (group->result.attempts > 0 && !begin_anew(group, now, after)) {
    fail_for_good(group, now, after);
    return;
  }
  uint32_t attempt = ++group->result.attempts;
  atomic_store_explicit(&group->state, VOW_RUNNING, memory_order_relaxed);
  if (task_is_recorded(group))
    task_record(group, (task_event){.kind = TASK_EVENT_STARTED, .now_ns = now, .attempt = attempt});
  if (group->members->count == 0)
    succeed(group, now, after);
}

/* ---- looking ---- */

vow_task *vow_task_member(vow_task *task, size_t index) {
  vow_task *member = NULL;
  if (task->form == VOW_TASK_CALL || task_pool_lost(task->pool))
    return NULL;
  task_after after = {.ended = NULL};
  task_lock(task->pool, &after);
  if (index < task->members->count) {
    task->members->lent = true;
    member = task->members->tasks[index];
  }
  task_unlock(task->pool, &after);
  return member;
}

size_t vow_task_winner(const vow_task *task) {
  bool won = task->form == VOW_TASK_RACE && vow_task_state(task) == VOW_FULFILLED;
  return won ? task->members->winner : SIZE_MAX;
}
