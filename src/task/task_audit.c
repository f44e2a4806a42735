#include "task/task_audit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/spin.h"
#include "task/audit_lines.h"
#include "task/audit_open.h"
#include "task/task_value.h"

/* Of each of two buffers: one is filled, the other made into lines. */
#define BUFFER_BYTES_MAX (TASK_AUDIT_BYTES_MAX / 2)
#define BUFFER_ROOM 8192u /* to begin with; a larger one goes when it is empty */
#define BUFFER_ROOM_KEPT 65536u
/* Lines are written when there are so many bytes of them. */
#define WRITE_BYTES 65536u

/* An event in a buffer; its name and its error follow, each with a zero. */
typedef struct note {
  task_event event; /* the pointers to these two are not valid */
  uint8_t name_len, error_len;
} note;

_Static_assert(TASK_WORD_MAX <= UINT8_MAX, "lengths fit");

typedef struct notes {
  uint8_t *bytes;
  size_t len, room;
} notes;

struct task_audit {
  const vow_allocator *allocator;
  int fd;
  uint64_t opened_ms, opened_ns; /* wall clock, loop_now() */
  char run[AUDIT_ID_LEN + 1];
  uv_thread_t thread;
  /* By the lock. */
  uv_mutex_t lock;
  uv_cond_t wake; /* `asleep` and there is something to do */
  notes filling;
  uint64_t lost; /* events without room, since the thread looked */
  bool asleep, ending;
  /* The thread's. */
  notes taken;
  struct audit chain;
  audit_lines lines;
  uint64_t lines_before; /* in the file when it was opened */
};

/* ---- taking note: any thread ---- */

static bool make_room(task_audit *audit, size_t len) {
  notes *into = &audit->filling;
  if (len > BUFFER_BYTES_MAX - into->len)
    return false;
  if (len <= into->room - into->len)
    return true;
  size_t room = into->room ? into->room * 2 : BUFFER_ROOM;
  uint8_t *grown = mem_resize(audit->allocator, into->bytes, room, 1);
  if (!grown)
    return false;
  into->bytes = grown;
  into->room = room;
  return true;
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t len) {
  if (len > 0)
    memcpy(at, text, len);
  at[len] = 0;
  return at + len + 1;
}

static void put_note(task_audit *audit, const note *note) {
  const task_event *event = &note->event;
  size_t len = sizeof *note + note->name_len + 1u + note->error_len + 1u;
  if (!make_room(audit, len)) {
    audit->lost++;
    return;
  }
  uint8_t *at = audit->filling.bytes + audit->filling.len;
  memcpy(at, note, sizeof *note);
  at = put_text(at + sizeof *note, event->name, note->name_len);
  put_text(at, event->error, note->error_len);
  audit->filling.len += len;
}

void task_audit_event(task_audit *audit, const task_event *event) {
  if (!audit)
    return;
  note note = {.event = *event,
               .name_len = (uint8_t)strnlen(event->name, TASK_WORD_MAX),
               .error_len = (uint8_t)(event->error ? strnlen(event->error, TASK_WORD_MAX) : 0)};
  uv_mutex_lock(&audit->lock);
  put_note(audit, &note);
  bool wake = audit->asleep;
  audit->asleep = false;
  if (wake)
    uv_cond_signal(&audit->wake);
  uv_mutex_unlock(&audit->lock);
}

/* ---- lines: its thread, and who opens it ---- */

static audit_event line_at(const task_audit *audit, uint64_t now_ns) {
  uint64_t at_ns = now_ns > audit->opened_ns ? now_ns - audit->opened_ns : 0;
  return (audit_event){
      .run = audit->run, .time_ms = audit->opened_ms + at_ns / 1000000, .at_ns = at_ns};
}

static const char *event_text(const task_event *event) {
  static const char *const names[] = {
      [TASK_EVENT_CREATED] = "created", [TASK_EVENT_STARTED] = "started",
      [TASK_EVENT_RETRIED] = "retried", [TASK_EVENT_SETTLED] = "settled",
      [TASK_EVENT_LATE] = "late",       [TASK_EVENT_RETIRED] = "retired"};
  if (event->kind == TASK_EVENT_SETTLED && event->state == OP_TIMED_OUT)
    return "timed_out";
  if (event->kind == TASK_EVENT_SETTLED && event->state == OP_CANCELLED)
    return "cancelled";
  return names[event->kind];
}

static bool is_security(const task_event *event) {
  bool settled = event->kind == TASK_EVENT_SETTLED;
  return event->kind == TASK_EVENT_RETIRED ||
         (settled && (event->state == OP_TIMED_OUT || event->state == OP_REJECTED));
}

static void put_line(task_audit *audit, const task_event *event) {
  bool ends = event->kind == TASK_EVENT_SETTLED || event->kind == TASK_EVENT_LATE;
  char parent[AUDIT_ID_LEN + 24];
  audit_event line = line_at(audit, event->now_ns);
  if (event->parent) {
    snprintf(parent, sizeof parent, "%s/%llu", audit->run, (unsigned long long)event->parent);
    line.parent = parent;
  }
  line.event = event_text(event);
  line.operation = event->number;
  line.name = event->name;
  line.detail = event->form;
  line.attempt = event->attempt;
  line.error = event->error;
  line.state = ends ? op_state_text(event->state) : NULL;
  line.aged = ends;
  line.age_ns = event->age_ns;
  line.security = is_security(event);
  audit_put(&audit->chain, &line);
}

static void put_pool_line(task_audit *audit, const char *event) {
  audit_event line = line_at(audit, loop_now());
  line.event = event;
  audit_put(&audit->chain, &line);
}

static bool sink(void *user, const char *line, size_t len) {
  return audit_lines_put(user, line, len);
}

static void write_lines(task_audit *audit, int patience_ms) {
  do {
    if (!audit_lines_begin(&audit->lines))
      return;
    audit_lines_write(&audit->lines, patience_ms);
    audit_lines_wrote(&audit->lines);
    patience_ms = 0;
  } while (audit->lines.error == 0);
}

/* ---- its thread ---- */

static void put_taken(task_audit *audit) {
  const uint8_t *at = audit->taken.bytes;
  for (const uint8_t *end = at + audit->taken.len; at < end;) {
    note note;
    memcpy(&note, at, sizeof note);
    note.event.name = (const char *)(at + sizeof note);
    const char *error = note.event.name + note.name_len + 1;
    note.event.error = note.event.error ? error : NULL;
    at = (const uint8_t *)error + note.error_len + 1;
    put_line(audit, &note.event);
    if (audit->lines.filling.len >= WRITE_BYTES)
      write_lines(audit, 0);
  }
  audit->taken.len = 0;
  if (audit->taken.room > BUFFER_ROOM_KEPT) {
    mem_free(audit->allocator, audit->taken.bytes);
    audit->taken = (notes){.bytes = NULL};
  }
}

/* Waits for events. False: there will be none any more. */
static bool take(task_audit *audit, uint64_t *lost) {
  uv_mutex_lock(&audit->lock);
  while (audit->filling.len == 0 && audit->lost == 0 && !audit->ending) {
    audit->asleep = true;
    uv_cond_wait(&audit->wake, &audit->lock);
    audit->asleep = false;
  }
  notes empty = audit->taken;
  audit->taken = audit->filling;
  audit->filling = empty;
  *lost = audit->lost;
  audit->lost = 0;
  bool more = audit->taken.len > 0 || *lost > 0;
  uv_mutex_unlock(&audit->lock);
  return more;
}

static void thread_main(void *user) {
  task_audit *audit = user;
  uint64_t lost;
  while (take(audit, &lost)) {
    put_taken(audit);
    audit->chain.dropped += lost; /* they came after those that found room */
    audit->chain.untold += lost;
    write_lines(audit, 0);
  }
  put_pool_line(audit, "ended");
  write_lines(audit, AUDIT_PATIENCE_MS);
  audit_lines_end(&audit->lines);
}

/* It is nobody's who handles signals; writing to a pipe that nobody reads is an error. */
static bool start(task_audit *audit) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = uv_thread_create(&audit->thread, thread_main, audit) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

/* ---- opening and closing ---- */

static void free_audit(task_audit *audit) {
  mem_free(audit->allocator, audit->filling.bytes);
  mem_free(audit->allocator, audit->taken.bytes);
  audit_lines_close(&audit->lines);
  if (audit->fd >= 0)
    close(audit->fd);
  mem_free(audit->allocator, audit);
}

static vow_status open_file(task_audit *audit, const char *path, bool *made, char *message,
                            size_t size) {
  char why[256];
  audit->fd = audit_open(path, made);
  if (audit->fd < 0) {
    snprintf(message, size, "audit %s: cannot be written: %s", path, audit_open_error(errno));
    return VOW_E_OPEN;
  }
  if (audit_resume(&audit->chain, audit->fd, path, why, sizeof why))
    return VOW_OK;
  snprintf(message, size, "audit %s: %s", path, why);
  return VOW_E_OPEN;
}

static void begin_chain(task_audit *audit) {
  uint8_t random[AUDIT_ID_LEN / 2];
  struct timespec now;
  while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    ;
  audit_id(audit->run, random);
  clock_gettime(CLOCK_REALTIME, &now);
  audit->opened_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
  audit->opened_ns = loop_now();
  audit->lines_before = audit->chain.lines;
  audit->chain.sink = sink;
  audit->chain.user = &audit->lines;
  audit_lines_open(&audit->lines, audit->allocator, audit->fd);
}

static vow_status begin(task_audit *audit) {
  begin_chain(audit);
  put_pool_line(audit, "opened");
  if (spin_mutex_init(&audit->lock) != 0)
    return VOW_E_NOMEM;
  if (uv_cond_init(&audit->wake) == 0) {
    if (start(audit))
      return VOW_OK;
    uv_cond_destroy(&audit->wake);
  }
  uv_mutex_destroy(&audit->lock);
  return VOW_E_NOMEM;
}

vow_status task_audit_open(const vow_allocator *allocator, const char *path, task_audit **opened,
                           char *message, size_t message_size) {
  if (!*path) {
    snprintf(message, message_size, "audit: it names no file");
    return VOW_E_INVALID;
  }
  task_audit *audit = mem_new(allocator, 1, sizeof *audit);
  if (!audit)
    return VOW_E_NOMEM;
  audit->allocator = allocator;
  bool made;
  vow_status status = open_file(audit, path, &made, message, message_size);
  if (status == VOW_OK)
    status = begin(audit);
  if (status == VOW_OK) {
    *opened = audit;
    return VOW_OK;
  }
  if (made)
    audit_open_undo(audit->fd, path);
  free_audit(audit);
  return status;
}

bool task_audit_close(task_audit *audit) {
  if (!audit)
    return true;
  uv_mutex_lock(&audit->lock);
  audit->ending = true;
  uv_cond_signal(&audit->wake);
  uv_mutex_unlock(&audit->lock);
  uv_thread_join(&audit->thread);
  uint64_t put = audit->chain.lines - audit->lines_before;
  bool whole = audit->chain.dropped == 0 && audit->lines.state.lines == put;
  uv_cond_destroy(&audit->wake);
  uv_mutex_destroy(&audit->lock);
  free_audit(audit);
  return whole;
}
