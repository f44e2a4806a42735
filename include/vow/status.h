/* What a call came to. */
#ifndef VOW_STATUS_H
#define VOW_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Every status: its name, its number, one line. Numbers are never used again. */
#define VOW_STATUS_MAP(X)                                                                          \
  X(OK, 0, "done")                                                                                 \
  X(LATE, 1, "settled before, or nobody waits for it any more: dropped and counted")               \
  X(E_INVALID, -1, "an argument is missing, out of its range or malformed")                        \
  X(E_NOMEM, -2, "memory is short")                                                                \
  X(E_STATE, -3, "not possible now: in this callback, or so late")                                 \
  X(E_THREAD, -4, "only possible on the thread that opened the runtime")                           \
  X(E_EXISTS, -5, "there is an operation, or an object with operations, of that name")             \
  X(E_UNKNOWN, -6, "there is no operation of that name")                                           \
  X(E_FULL, -7, "too much is waiting or live: try again later")                                    \
  X(E_CBOR, -8, "not one well-formed CBOR item within the limits")                                 \
  X(E_JSON, -9, "not one JSON value within the limits")                                            \
  X(E_OPEN, -10, "the engine, its guest or the database cannot be opened")                         \
  X(E_CANCELLED, -11, "the operation was cancelled before")                                        \
  X(E_LOST, -12, "closed, but not all of the audit could be written")                              \
  X(E_TIME, -13, "the time given is over")                                                         \
  X(E_DEADLOCK, -14, "what is waited for waits for the one that asks")

typedef enum vow_status {
#define VOW_STATUS_ENUM(name, number, message) VOW_##name = (number),
  VOW_STATUS_MAP(VOW_STATUS_ENUM)
#undef VOW_STATUS_ENUM
      VOW_STATUS_LAST_ = -15 /* not a status: ends the list for compilers that warn */
} vow_status;

/* "E_NOMEM", and the line beside it; for a number that is none of these,
 * "UNKNOWN". Any thread; constants. */
const char *vow_status_name(vow_status status);
const char *vow_status_message(vow_status status);

#ifdef __cplusplus
}
#endif
#endif
