/* What a group of tasks was asked to be: a copy of its spec with those of all that it
 * encloses, from which its members are made, for each attempt anew.
 *
 * Whoever may still call a callback of the plan has a use of that node: the task made from
 * it, until it has ended, and the node above, while that can make another one. With the last
 * use of a node its argument is freed, and with the last node the plan. */
#ifndef VOW_TASK_TASK_PLAN_H
#define VOW_TASK_TASK_PLAN_H

#include "core/mem.h"
#include "vow/task.h"

/* How deep groups may be nested in groups, and members in all of them. */
#define TASK_PLAN_DEPTH_MAX 16u
#define TASK_PLAN_NODES_MAX 65536u

typedef struct task_plan task_plan;

typedef struct task_node {
  /* Strings and value are the plan's; `members` is not used. */
  vow_task_spec spec;
  task_plan *plan;
  struct task_node *members; /* one after the other */
  uint32_t member_count;
  uint32_t calls, nodes; /* of it and all that it encloses: callbacks, tasks */
  /* By the lock of the pool: */
  uint32_t uses;          /* from 1: that of the task made first, or of the node above */
  bool kept;              /* the node above can make another task from it */
  struct task_node *next; /* in a list of those without uses */
} task_node;

/* What is wrong with a spec of this version, apart from its members, in one line; NULL:
 * nothing. */
const char *task_spec_fault(const vow_task_spec *spec);

/* `spec` is of this version, without a fault, and a group. VOW_E_INVALID, with one line in
 * `fault`; VOW_E_NOMEM. */
vow_status task_plan_make(const vow_allocator *allocator, const vow_task_spec *spec,
                          task_node **root, char *fault, size_t size);
/* Before any task was made from it: arguments stay the caller's. */
void task_plan_free(task_node *root);

/* One more task is made from a node that has been made into one before, or is about to. */
void task_node_use(task_node *node);
/* One use less; nodes without any are put on the list `*unused`. */
void task_node_drop(task_node *node, task_node **unused);
/* Frees the arguments of all on the list, and what is no more needed. Calls the program. */
void task_nodes_free(task_node *unused);

#endif
