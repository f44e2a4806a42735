/* Dates and typed arrays in JSON text. */
#include "core/json_int.h"

#include "core/cbor_int.h"

#include <math.h>
#include <stdio.h>

/* ---- dates ---- */

#define DATE_MS_MAX INT64_C(8640000000000000) /* ECMA-262 21.4.1.1 */
#define DAY_MS INT64_C(86400000)

static int64_t rounded(double value) {
  int64_t whole = (int64_t)value;
  double part = value - (double)whole;
  if (part >= 0.5)
    return whole + 1;
  return part <= -0.5 ? whole - 1 : whole;
}

/* Whole milliseconds of a time in seconds; false beyond what a Date holds.
 * seconds * 1000 may be off by one far from 1970: then the neighbour is meant
 * that gives these very seconds. */
static bool date_ms(double seconds, int64_t *ms) {
  double limit = (double)DATE_MS_MAX / 1000;
  if (!(seconds >= -limit && seconds <= limit))
    return false;
  *ms = rounded(seconds * 1000);
  if ((double)*ms / 1000 != seconds) {
    for (int64_t near = *ms - 1; near <= *ms + 1; near += 2) {
      if ((double)near / 1000 == seconds) {
        *ms = near;
        break;
      }
    }
  }
  return *ms >= -DATE_MS_MAX && *ms <= DATE_MS_MAX;
}

static int64_t floor_div(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient * b > a ? quotient - 1 : quotient;
}

/* Days from 1970-01-01 to the first of January of `year`. */
static int64_t year_start(int64_t year) {
  int64_t past = year - 1;
  return 365 * (year - 1970) + (floor_div(past, 4) - 1969 / 4) -
         (floor_div(past, 100) - 1969 / 100) + (floor_div(past, 400) - 1969 / 400);
}

static int64_t year_of_day(int64_t day) {
  int64_t year = 1970 + floor_div(day * 400, 146097);
  while (year_start(year) > day)
    year--;
  while (year_start(year + 1) <= day)
    year++;
  return year;
}

static void month_of_day(int64_t year, int64_t day_of_year, int *month, int *day) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year_start(year + 1) - year_start(year) == 366;
  int rest = (int)day_of_year;
  for (int i = 0; i < 12; i++) {
    int length = lengths[i] + (i == 1 && leap ? 1 : 0);
    *month = i + 1;
    *day = rest + 1;
    if (rest < length)
      return;
    rest -= length;
  }
}

double json_date_ms(double seconds) {
  int64_t ms;
  return date_ms(seconds, &ms) ? (double)ms : (double)NAN;
}

void json_put_date(cbor_out *out, double seconds) {
  int64_t ms;
  if (!date_ms(seconds, &ms)) {
    cbor_put_raw(out, "null", 4);
    return;
  }
  int64_t day_number = floor_div(ms, DAY_MS);
  int64_t year = year_of_day(day_number);
  int month = 0, day = 0, time = (int)(ms - day_number * DAY_MS);
  month_of_day(year, day_number - year_start(year), &month, &day);
  const char *sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  char text[64];
  int len = snprintf(text, sizeof text, "\"%s%0*d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", sign,
                     *sign ? 6 : 4, (int)(year < 0 ? -year : year), month, day, time / 3600000,
                     time / 60000 % 60, time / 1000 % 60, time % 1000);
  cbor_put_raw(out, text, (size_t)len);
}

/* ---- typed arrays ---- */

/* The bits of an RFC 8746 tag: 010fselw, w two bits wide. */
typedef struct element {
  size_t width; /* bytes; 0: an element that JavaScript does not have */
  bool is_float, is_signed, little;
} element;

static element element_of_tag(uint64_t tag) {
  element e = {.is_float = tag & 16, .is_signed = tag & 8, .little = tag & 4};
  e.width = (size_t)1 << (tag & 3);
  if (e.is_float)
    e.width = (tag & 3) == 3 ? 0 : e.width * 2;
  else if (e.width == 1 && e.is_signed && e.little)
    e.width = 0; /* tag 76 is reserved */
  return e;
}

static uint64_t load_element(const element *e, const uint8_t *at) {
  if (!e->little)
    return cbor_load_be(at, e->width);
  uint64_t value = 0;
  for (size_t i = e->width; i > 0; i--)
    value = value << 8 | at[i - 1];
  return value;
}

static void put_element(cbor_out *out, const element *e, const uint8_t *at) {
  uint64_t bits = load_element(e, at);
  if (e->is_float) {
    json_put_number(out, cbor_float_value(bits, e->width));
    return;
  }
  uint64_t ones = UINT64_MAX >> (64 - 8 * e->width);
  if (e->is_signed && bits > ones / 2)
    json_put_negint(out, ones - bits);
  else
    json_put_uint(out, bits);
}

bool json_is_octets(uint64_t tag) {
  element e = element_of_tag(tag);
  return e.width == 0 || (e.width == 1 && !e.is_signed);
}

cbor_status json_put_typed(cbor_out *out, uint64_t tag, const uint8_t *bytes, size_t len) {
  element e = element_of_tag(tag);
  if (json_is_octets(tag)) {
    json_put_base64(out, bytes, len);
    return CBOR_OK;
  }
  if (len % e.width != 0)
    return CBOR_E_MALFORMED;
  cbor_put_raw(out, "[", 1);
  for (size_t at = 0; at < len && out->status == CBOR_OK; at += e.width) {
    if (at)
      cbor_put_raw(out, ",", 1);
    put_element(out, &e, bytes + at);
  }
  cbor_put_raw(out, "]", 1);
  return CBOR_OK;
}
