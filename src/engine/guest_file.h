/* Where the files of the compiled guest are. */
#ifndef VOW_ENGINE_GUEST_FILE_H
#define VOW_ENGINE_GUEST_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define GUEST_FILE_PLACES "guest/, vow/ or ../lib/vow/ beside the program or the library"

/* Writes the path of the file `name` that can be read: in `folder`, or, with NULL,
 * near the file that this code was loaded from and near the program. Never near
 * the current folder: the files hold machine code. Any thread. */
bool guest_file_find(const char *folder, const char *name, char *path, size_t size);

#endif
