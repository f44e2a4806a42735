/* Tasks in a shared object, as `vow task so:...` calls them; linked with nothing. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vow/status.h"
#include "vow/task.h"

int data_of_this = 1;
vow_task_callback same, nothing, fail, wait_for_stop, ignore_stop, say_and_ignore, raw, twice,
    third;

/* What it was given. */
void same(vow_task_context *context, void *argument) {
  size_t len;
  const void *value = vow_task_value(context, &len);
  if (argument)
    vow_task_fail(context, "TypeError", "it has an argument", NULL);
  else
    vow_task_succeed(context, value, len);
}

void nothing(vow_task_context *context, void *argument) {
  (void)context, (void)argument;
}

void fail(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_fail(context, "CError", vow_status_message(VOW_E_FULL), "line 1\nline 2");
}

/* Says on standard error that it has begun, and that it was told. */
void wait_for_stop(vow_task_context *context, void *argument) {
  (void)argument;
  fputs("begun\n", stderr);
  while (vow_task_sleep(context, 60000))
    ;
  fputs("told to stop\n", stderr);
}

void ignore_stop(vow_task_context *context, void *argument) {
  const struct timespec second = {1, 0};
  (void)context, (void)argument;
  for (int i = 0; i < 60; i++)
    nanosleep(&second, NULL);
}

void say_and_ignore(vow_task_context *context, void *argument) {
  fputs("ignores\n", stderr);
  ignore_stop(context, argument);
}

/* No CBOR. */
void raw(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_succeed(context, "\xff\xff", 2);
}

void twice(vow_task_context *context, void *argument) {
  static const uint8_t first[] = {0x01}, second[] = {0x02};
  (void)argument;
  vow_task_succeed(context, first, 1);
  if (vow_task_succeed(context, second, 1) != VOW_LATE)
    fputs("the second value was taken\n", stderr);
}

/* Its number, if it is the third try or a later one. */
void third(vow_task_context *context, void *argument) {
  const uint8_t tries = (uint8_t)vow_task_attempt(context);
  char message[] = "try 0";
  (void)argument;
  message[4] = (char)(message[4] + tries);
  if (tries < 3)
    vow_task_fail(context, "CError", message, NULL);
  else
    vow_task_succeed(context, &tries, 1);
}
