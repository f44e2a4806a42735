/* The version of Vow: semantic (semver.org). Until 1.0 a new minor version may
 * change the interface; the shared library's soname is libvow.so.MAJOR. */
#ifndef VOW_VERSION_H
#define VOW_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define VOW_VERSION_MAJOR 0
#define VOW_VERSION_MINOR 1
#define VOW_VERSION_PATCH 0
#define VOW_VERSION "0.1.0"

/* The version of the library that is linked, as VOW_VERSION is of the headers.
 * Any thread; a constant. */
const char *vow_version(void);

#ifdef __cplusplus
}
#endif
#endif
