/* JSON text as one value in CBOR. */
#ifndef VOW_CORE_JSON_READ_H
#define VOW_CORE_JSON_READ_H

#include "core/cbor.h"
#include "core/json_forms.h"

/* Appends the one JSON value (RFC 8259, strictly) that fills `text` to `out`, as
 * CBOR with indefinite arrays and maps. Numbers are JavaScript's: a safe integer
 * is an integer, anything else a double. A string with lone surrogate escapes gets
 * tag 273. With `forms`, the objects of core/json_forms.h become what they stand
 * for. Depth and nodes are held to `limits`, text to its bytes.
 *
 * CBOR_E_MALFORMED when it is no JSON or no UTF-8, CBOR_E_DEPTH, CBOR_E_NODES,
 * CBOR_E_SIZE, CBOR_E_NOMEM; `at` then is where in the text, in bytes. On failure
 * `out` has the length it had; its status tells only if it was the writing that
 * failed. */
cbor_status json_to_cbor(const void *text, size_t len, bool forms, const cbor_limits *limits,
                         cbor_out *out, size_t *at);

#endif
