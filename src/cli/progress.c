#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_MS 1000u
#define STEP_MS 250u
#define SHOWN_AFTER_NS UINT64_C(1000000000)
#define LISTED_MAX 8u
#define NAME_ROOM 256u
#define COLUMNS_MAX 200u
#define COLUMNS_DEFAULT 80u

/* ---- the line ---- */

typedef struct line {
  char *text;
  size_t len, columns;
} line;

/* Printable ASCII of `text`; false, and nothing, when it does not fit beside `room`. */
static bool add(line *line, const char *text, size_t room) {
  size_t at = line->len;
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if ((*c & 0xc0) == 0x80)
      continue; /* the rest of a character */
    if (at + room >= line->columns)
      return false;
    line->text[at++] = *c >= 0x20 && *c < 0x7f ? (char)*c : '?';
  }
  line->len = at;
  return true;
}

/* As much of it as there is place for. */
static void add_cut(line *line, const char *text) {
  for (; *text; text++) {
    const char one[2] = {*text, 0};
    if (!add(line, one, 0))
      break;
  }
}

static void add_more(line *line, size_t more) {
  char text[32];
  snprintf(text, sizeof text, " (+%zu more)", more);
  add(line, text, 0);
}

void progress_line(char *text, size_t columns, uint64_t waited_ns, const char *const *names,
                   size_t listed, size_t count) {
  char head[48];
  line line = {text, 0, columns};
  const size_t more_room = sizeof " (+10000 more)" - 1;
  size_t named = 0;
  snprintf(head, sizeof head, "waiting %.1f s for ", (double)waited_ns / 1e9);
  add_cut(&line, head);
  for (; named < listed; named++) {
    size_t before = line.len, room = named + 1 < count ? more_room : 0;
    if ((named > 0 && !add(&line, ", ", 0)) || !add(&line, names[named], room)) {
      line.len = before;
      break;
    }
  }
  if (named == 0 && listed > 0)
    add_cut(&line, names[named++]);
  if (named < count)
    add_more(&line, count - named);
  text[line.len] = 0;
}

/* ---- on the terminal ---- */

static size_t columns_of_terminal(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return COLUMNS_DEFAULT;
  return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

/* The last column stays free: some terminals begin a new line behind it. */
static void show(progress *progress, const op_info *list, size_t listed, size_t count) {
  char names[LISTED_MAX][NAME_ROOM], text[COLUMNS_MAX + 1];
  const char *shown[LISTED_MAX];
  for (size_t i = 0; i < listed; i++) {
    const char *detail = run_pending_detail(progress->run, &list[i]);
    snprintf(names[i], sizeof names[i], "%s%s%s", list[i].name, detail ? " " : "",
             detail ? detail : "");
    shown[i] = names[i];
  }
  progress_line(text, columns_of_terminal() - 1, list[0].age_ns, shown, listed, count);
  fprintf(stderr, "\r\033[K%s", text);
  fflush(stderr);
  progress->shown = true;
}

static void on_step(uv_timer_t *timer) {
  progress *progress = timer->data;
  op_info list[LISTED_MAX];
  size_t count = run_pending(progress->run, list, LISTED_MAX);
  if (count > 0 && list[0].age_ns >= SHOWN_AFTER_NS)
    show(progress, list, count < LISTED_MAX ? count : LISTED_MAX, count);
  else
    progress_erase(progress);
}

static bool can_erase(void) {
  const char *terminal = getenv("TERM");
  return isatty(STDERR_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

void progress_begin(progress *progress, loop *loop, run *run) {
  if (!can_erase())
    return;
  progress->run = run;
  progress->opened = true;
  uv_timer_init(loop_uv(loop), &progress->timer);
  uv_unref((uv_handle_t *)&progress->timer);
  progress->timer.data = progress;
  uv_timer_start(&progress->timer, on_step, FIRST_MS, STEP_MS);
}

void progress_erase(progress *progress) {
  if (!progress->shown)
    return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  progress->shown = false;
}

void progress_end(progress *progress) {
  if (!progress->opened)
    return;
  progress_erase(progress);
  progress->opened = false;
  uv_close((uv_handle_t *)&progress->timer, NULL);
}
