#include "engine/guest_file.h"

#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In a build; in an installation, from lib/ and from bin/. */
static const char *const places[] = {"guest", "vow", "../lib/vow"};

static bool readable(char *path, size_t size, const char *folder, const char *place,
                     const char *name) {
  int len = snprintf(path, size, "%s/%s/%s", folder, place, name);
  return len > 0 && (size_t)len < size && access(path, R_OK) == 0;
}

static bool find_near(char *file, const char *name, char *path, size_t size) {
  char *slash = strrchr(file, '/');
  if (!slash)
    return false;
  *slash = 0;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (readable(path, size, file, places[i], name))
      return true;
  return false;
}

static bool program_file(char *file, size_t size) {
  ssize_t len = readlink("/proc/self/exe", file, size - 1);
  if (len <= 0)
    return false;
  file[len] = 0;
  return true;
}

/* The first object that the loader tells of is the program itself: is this code in
 * it? */
static int look_at_first(struct dl_phdr_info *info, size_t size, void *user) {
  (void)size;
  bool *in_program = user;
  uintptr_t here = (uintptr_t)&guest_file_find;
  for (size_t i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type == PT_LOAD && here >= start &&
        here - start < info->dlpi_phdr[i].p_memsz)
      *in_program = true;
  }
  return 1;
}

/* The shared library that holds this code, as the kernel knows it: the loader may
 * have been given a relative name, and the current folder may be another now. */
static bool library_file(char *file, size_t size) {
  char line[PATH_MAX + 128];
  bool found = false;
  FILE *maps = fopen("/proc/self/maps", "re");
  while (maps && !found && fgets(line, sizeof line, maps)) {
    unsigned long start, end;
    char *path = strchr(line, '/');
    if (!path || sscanf(line, "%lx-%lx", &start, &end) != 2 ||
        (uintptr_t)&guest_file_find < start || (uintptr_t)&guest_file_find >= end)
      continue;
    path[strcspn(path, "\n")] = 0;
    int len = snprintf(file, size, "%s", path);
    found = len > 0 && (size_t)len < size;
  }
  if (maps)
    fclose(maps);
  return found;
}

bool guest_file_find(const char *folder, const char *name, char *path, size_t size) {
  char file[PATH_MAX];
  bool in_program = false;
  if (folder)
    return readable(path, size, folder, ".", name);
  dl_iterate_phdr(look_at_first, &in_program);
  if (!in_program && library_file(file, sizeof file) && find_near(file, name, path, size))
    return true;
  return program_file(file, sizeof file) && find_near(file, name, path, size);
}
