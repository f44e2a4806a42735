// The one translation unit that sees Ada, compiled together with it: C++ stays in
// here, built without exceptions.
#include "guest/url_ranges.h"

#include "ada.cpp"

#include "guest/url_unit.h"

namespace {

using url = ada::url_aggregator;

std::string_view view(const char *text, size_t len) { return std::string_view(text, len); }

char *copy(std::string_view text) {
  char *bytes = static_cast<char *>(malloc(text.size() + 1));
  if (!bytes)
    abort();
  memcpy(bytes, text.data(), text.size());
  bytes[text.size()] = 0;
  return bytes;
}

void put_part(url_record *record, url_part part, std::string_view href, std::string_view text) {
  size_t at = text.empty() ? 0 : static_cast<size_t>(text.data() - href.data());
  record->begin[part] = static_cast<uint32_t>(at);
  record->end[part] = static_cast<uint32_t>(at + text.size());
}

// The getters give views into the text of the URL, or empty ones.
void fill(const url &parsed, url_record *record) {
  std::string_view href = parsed.get_href();
  record->text = copy(href);
  record->len = href.size();
  put_part(record, URL_PROTOCOL, href, parsed.get_protocol());
  put_part(record, URL_USERNAME, href, parsed.get_username());
  put_part(record, URL_PASSWORD, href, parsed.get_password());
  put_part(record, URL_HOST, href, parsed.get_host());
  put_part(record, URL_HOSTNAME, href, parsed.get_hostname());
  put_part(record, URL_PORT, href, parsed.get_port());
  put_part(record, URL_PATHNAME, href, parsed.get_pathname());
  put_part(record, URL_SEARCH, href, parsed.get_search());
  put_part(record, URL_HASH, href, parsed.get_hash());
}

void set(url &parsed, url_part part, std::string_view value) {
  switch (part) {
  case URL_PROTOCOL:
    parsed.set_protocol(value);
    break;
  case URL_USERNAME:
    parsed.set_username(value);
    break;
  case URL_PASSWORD:
    parsed.set_password(value);
    break;
  case URL_HOST:
    parsed.set_host(value);
    break;
  case URL_HOSTNAME:
    parsed.set_hostname(value);
    break;
  case URL_PORT:
    parsed.set_port(value);
    break;
  case URL_PATHNAME:
    parsed.set_pathname(value);
    break;
  case URL_SEARCH:
    parsed.set_search(value);
    break;
  case URL_HASH:
    parsed.set_hash(value);
    break;
  case URL_PARTS:
    break;
  }
}

} // namespace

bool url_parse(const char *input, size_t len, const char *base, size_t base_len,
               url_record *record) {
  ada::result<url> base_url = ada::result<url>(url());
  if (base) {
    base_url = ada::parse<url>(view(base, base_len));
    if (!base_url)
      return false;
  }
  ada::result<url> parsed = ada::parse<url>(view(input, len), base ? &*base_url : nullptr);
  if (parsed)
    fill(*parsed, record);
  return parsed.has_value();
}

bool url_change(const char *text, size_t len, url_part part, const char *value, size_t value_len,
                url_record *record) {
  ada::result<url> parsed = ada::parse<url>(view(text, len));
  if (!parsed)
    return false;
  set(*parsed, part, view(value, value_len));
  fill(*parsed, record);
  return true;
}

char *url_origin(const char *text, size_t len, size_t *origin_len) {
  ada::result<url> parsed = ada::parse<url>(view(text, len));
  if (!parsed)
    return nullptr;
  std::string origin = parsed->get_origin();
  *origin_len = origin.size();
  return copy(origin);
}

void url_query_parse(const char *query, size_t len, url_pair_sink *each, void *user) {
  ada::url_search_params pairs(view(query, len));
  for (const auto &[name, value] : pairs)
    if (!each(user, name.data(), name.size(), value.data(), value.size()))
      return;
}

char *url_query_pair(const char *name, size_t name_len, const char *value, size_t value_len,
                     size_t *len) {
  ada::url_search_params pairs;
  pairs.append(view(name, name_len), view(value, value_len));
  std::string text = pairs.to_string();
  *len = text.size();
  return copy(text);
}

#ifndef __wasm__
// What compiled C++ asks of its library. The build renames those references of this
// object to these (url_symbols.txt; each name may stand for one), so that a program
// needs no C++ library, and one that has it keeps its own. Nothing else calls them.
#define HIDDEN __attribute__((visibility("hidden")))
#define NEW(name)                                                                                  \
  HIDDEN void *name(size_t size);                                                                  \
  void *name(size_t size) {                                                                        \
    void *block = malloc(size ? size : 1);                                                         \
    if (!block)                                                                                    \
      abort();                                                                                     \
    return block;                                                                                  \
  }
#define NEW_OR_NULL(name)                                                                          \
  HIDDEN void *name(size_t size, const void *nothrow);                                             \
  void *name(size_t size, const void *) { return malloc(size ? size : 1); }
#define DELETE(name)                                                                               \
  HIDDEN void name(void *block);                                                                   \
  void name(void *block) { free(block); }
#define BROKEN(name)                                                                               \
  HIDDEN void name();                                                                              \
  void name() { abort(); }

extern "C" {
NEW(url_new)
NEW(url_new_array)
NEW_OR_NULL(url_new_or_null)
NEW_OR_NULL(url_new_array_or_null)
DELETE(url_delete)
DELETE(url_delete_array)
DELETE(url_delete_sized)
DELETE(url_delete_array_sized)
BROKEN(url_bad_alloc)
BROKEN(url_bad_length_of_array)
BROKEN(url_logic_error)
BROKEN(url_length_error)
BROKEN(url_out_of_range)
BROKEN(url_out_of_range_format)
BROKEN(url_pure_virtual)
HIDDEN extern const char url_nothrow;
const char url_nothrow = 0;
}
#endif
