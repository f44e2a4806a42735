#include "vow/status.h"
#include "vow/version.h"

const char *vow_version(void) {
  return VOW_VERSION;
}

const char *vow_status_name(vow_status status) {
  switch ((int)status) {
#define NAME(name, number, message)                                                                \
  case VOW_##name:                                                                                 \
    return #name;
    VOW_STATUS_MAP(NAME)
#undef NAME
  default:
    return "UNKNOWN";
  }
}

const char *vow_status_message(vow_status status) {
  switch ((int)status) {
#define MESSAGE(name, number, message)                                                             \
  case VOW_##name:                                                                                 \
    return message;
    VOW_STATUS_MAP(MESSAGE)
#undef MESSAGE
  default:
    return "no status of this version";
  }
}
