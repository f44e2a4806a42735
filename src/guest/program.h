/* What guests of trusted code have beyond others: modules of files, and as a program
 * (`vow run`) the global `process`. Native engine only; in wasm none of it exists. */
#ifndef VOW_GUEST_PROGRAM_H
#define VOW_GUEST_PROGRAM_H

#include "guest/guest.h"

#ifndef __wasm__

/* ---- modules.c ---- */

/* `import` finds files from here on. After guest_init(). */
void modules_open(guest *g);
/* import.meta of a module that was compiled under the name of its file. False with an
 * exception. */
bool modules_set_meta(guest *g, JSModuleDef *definition);

/* Says of the pending exception, which has no trace where an export is missing, that it
 * came of linking `definition`. */
void modules_tell_linking(guest *g, JSModuleDef *definition);

/* ---- process.c ---- */

/* WIRE_PROCESS: what comes is a program. */
void process_open(guest *g, cbor_in *fields);
/* The global `require`, where there are no CommonJS modules: says what there is. */
JSValue process_require(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv);

#else

static inline void modules_tell_linking(guest *g, JSModuleDef *definition) {
  (void)g, (void)definition;
}

static inline bool modules_set_meta(guest *g, JSModuleDef *definition) {
  (void)g, (void)definition;
  return true;
}

static inline void process_open(guest *g, cbor_in *fields) {
  (void)g, (void)fields;
}

#endif

#endif
