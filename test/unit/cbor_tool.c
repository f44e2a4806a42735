/* Filter for test/cbor_peer.py: for each line of hexadecimal CBOR on stdin one
 * line on stdout: the deterministic form in hexadecimal (argument "canonical")
 * or the JSON text ("json"); if the bytes are refused, "!" and the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"
#include "core/json.h"
#include "hex.h"

static const cbor_limits limits = {.depth = CBOR_DEPTH_MAX, .nodes = SIZE_MAX, .bytes = SIZE_MAX};

typedef cbor_status (*converter)(const void *bytes, size_t len, const cbor_limits *limits,
                                 cbor_out *out);

static bool answer(const char *line, bool json) {
  size_t len;
  uint8_t *bytes = hex_bytes(line, &len);
  if (!bytes)
    return false;
  cbor_out out;
  cbor_out_init(&out, NULL, SIZE_MAX);
  converter convert = json ? json_from_cbor : cbor_canonical;
  cbor_status status = convert(bytes, len, &limits, &out);
  char *hex = hex_text(out.data, out.len);
  if (status != CBOR_OK)
    printf("!%s\n", cbor_status_text(status));
  else if (json)
    printf("%.*s\n", (int)out.len, (const char *)out.data);
  else
    printf("%s\n", hex ? hex : "!out of memory");
  free(hex);
  free(bytes);
  cbor_out_free(&out);
  return true;
}

int main(int argc, char **argv) {
  bool json = argc == 2 && strcmp(argv[1], "json") == 0;
  if (!json && (argc != 2 || strcmp(argv[1], "canonical") != 0)) {
    fputs("usage: cbor_tool canonical|json <hex-lines\n", stderr);
    return 2;
  }
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  bool good = true;
  while (good && (len = getline(&line, &cap, stdin)) > 0) {
    if (line[len - 1] == '\n')
      line[len - 1] = 0;
    good = answer(line, json);
  }
  free(line);
  if (!good)
    fputs("cbor_tool: a line is not hexadecimal\n", stderr);
  return good ? 0 : 2;
}
