#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "api/notes_int.h"

#define DATE_MIN_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define DATE_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static struct timespec wall_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

int64_t notes_now_ms(void) {
  struct timespec now = wall_clock();
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* RFC 9562, section 5.7: 48 bits of milliseconds; then, by method 3 of section
 * 6.2, the fraction of the millisecond in 12 bits, which keeps ids made in one
 * millisecond in order too; the other 62 bits are random. */
bool notes_new_id(char id[NOTES_NEW_ID_LEN + 1]) {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return false;
  struct timespec now = wall_clock();
  uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
  unsigned fraction = (unsigned)((uint64_t)(now.tv_nsec % 1000000) * 4096 / 1000000);
  for (int i = 0; i < 6; i++)
    bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
  bytes[6] = (unsigned char)(0x70 | fraction >> 8);
  bytes[7] = (unsigned char)fraction;
  bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
  static const char digits[] = "0123456789abcdef";
  char *to = id;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    *to++ = digits[bytes[i] >> 4];
    *to++ = digits[bytes[i] & 15];
  }
  *to = 0;
  return true;
}

void notes_date_text(int64_t ms, char text[NOTES_DATE_LEN + 1]) {
  if (ms < DATE_MIN_MS)
    ms = DATE_MIN_MS;
  if (ms > DATE_MAX_MS)
    ms = DATE_MAX_MS;
  int64_t rest = ms % 1000;
  if (rest < 0)
    rest += 1000;
  time_t seconds = (time_t)((ms - rest) / 1000);
  struct tm date;
  memset(&date, 0, sizeof date);
  gmtime_r(&seconds, &date);
  char wide[96]; /* the compiler cannot know that the fields are in range */
  snprintf(wide, sizeof wide, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", date.tm_year + 1900,
           date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, (int)rest);
  wide[NOTES_DATE_LEN] = 0;
  memcpy(text, wide, NOTES_DATE_LEN + 1);
}

/* The number in `len` digits; -1 when one is none. */
static int digits_at(const char *text, size_t len) {
  int value = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool notes_date_parse(const char *text, size_t len, int64_t *ms) {
  if (len != NOTES_DATE_LEN)
    return false;
  int year = digits_at(text, 4), rest = digits_at(text + 20, 3);
  if (year < 0 || rest < 0)
    return false;
  struct tm date = {.tm_year = year - 1900,
                    .tm_mon = digits_at(text + 5, 2) - 1,
                    .tm_mday = digits_at(text + 8, 2),
                    .tm_hour = digits_at(text + 11, 2),
                    .tm_min = digits_at(text + 14, 2),
                    .tm_sec = digits_at(text + 17, 2)};
  int64_t seconds = (int64_t)timegm(&date);
  /* timegm() carries what is out of range over into the next field, so such a
   * date, like wrong separators, does not come back as the same text. */
  char again[NOTES_DATE_LEN + 1];
  *ms = seconds * 1000 + rest;
  notes_date_text(*ms, again);
  return memcmp(again, text, NOTES_DATE_LEN) == 0;
}
