/* JSON-RPC 2.0 messages: telling what one is, and writing answers. */
#ifndef VOW_HOST_RPC_H
#define VOW_HOST_RPC_H

#include "host/fields.h"

/* Codes of errors; from -32000 down they are ours. */
enum {
  RPC_PARSE_ERROR = -32700,
  RPC_INVALID_REQUEST = -32600,
  RPC_METHOD_NOT_FOUND = -32601,
  RPC_INVALID_PARAMS = -32602,
  RPC_INTERNAL_ERROR = -32603,
  RPC_TOO_LARGE = -32001,    /* the message passes the limit */
  RPC_BUSY = -32002,         /* as many runs wait as may: try again later */
  RPC_NO_RESOURCES = -32003, /* the machine is short of memory or address space */
};

/* An id as JSON text: of a string or a whole number. */
#define RPC_ID_MAX 200
typedef struct rpc_id {
  size_t len; /* 0: none */
  char text[RPC_ID_MAX];
} rpc_id;

bool rpc_id_read(cbor_in value, rpc_id *id);
bool rpc_id_same(const rpc_id *a, const rpc_id *b);

typedef enum {
  RPC_REQUEST,
  RPC_NOTIFICATION,
  RPC_RESULT,  /* an answer to a request of ours */
  RPC_FAILURE, /* likewise, an error */
  RPC_WRONG,   /* none of these */
} rpc_kind;

typedef struct rpc_message {
  rpc_kind kind;
  rpc_id id;          /* len 0: none, or not readable */
  field_text method;  /* of requests and notifications */
  field_value params; /* an object or an array, if given */
  cbor_in outcome;    /* of answers: the result, or the error */
  const char *wrong;  /* RPC_WRONG: why */
} rpc_message;

/* Tells what the item at `in` is; what is filled points into its bytes. */
void rpc_read(cbor_in in, rpc_message *message);

/* A message to be written, up to and without the value of its last member:
 * {"jsonrpc":"2.0","id":ID,"result": */
void rpc_put_result_head(cbor_out *out, const rpc_id *id);
/* A whole answer: an error. An id with len 0 is null. */
void rpc_put_error(cbor_out *out, const rpc_id *id, int code, const char *message);
/* {"jsonrpc":"2.0","method":METHOD,"params": */
void rpc_put_notification_head(cbor_out *out, const char *method);

/* ---- plain JSON text ---- */

void rpc_put(cbor_out *out, const char *text);
void rpc_put_count(cbor_out *out, uint64_t value);
void rpc_put_string(cbor_out *out, const char *text);

#endif
