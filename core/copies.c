/* SPDX-License-Identifier: Apache-2.0 */
/* The copies of the core in this process: one that is live, or what one sets the other does
 * not see.
 *
 * The loader keeps one libcctx.so.0, whoever brings it. A copy under another name, or an
 * archive inside a program or plugin, is another core. So each carries an ELF note that
 * leads to its table, and is found by way of the program headers of all that is loaded,
 * whether or not it was stripped, and whatever it exports.
 *
 * A copy is harmless if its functions are never called, because the loader has bound each of
 * their names to another copy: then the two tables hold the same addresses. A table has a
 * function of each file that keeps something. Of an archive a program has only the files
 * that it uses; what it lacks would be called in the other copy, and is NULL in its table.
 */
#define _GNU_SOURCE 1
#include "copies.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cctx.h>
#include <cctx/interpreter.h>

/* clang-format off */
#define FUNCTIONS(XX)                                                                      \
  XX(cctx_background) XX(cctx_backup_options)   XX(cctx_backup_enter_at)                   \
  XX(cctx_backup_mistakes) XX(cctx_cancel_at) XX(cctx_current) XX(cctx_err)                \
  XX(cctx_interpreter_hook) XX(cctx_key_named) XX(cctx_loop_new) XX(cctx_manager_new)      \
  XX(cctx_merge) XX(cctx_now) XX(cctx_on_capture) XX(cctx_on_done) XX(cctx_recover)        \
  XX(cctx_request_begin_at) XX(cctx_response_set) XX(cctx_set_allocator)                   \
  XX(cctx_set_log) XX(cctx_stack_swap) XX(cctx_strict) XX(cctx_string) XX(cctx_unref)      \
  XX(cctx_value) XX(cctx_wait) XX(cctx_with_cancel) XX(cctx_with_metadata)                 \
  XX(cctx_with_session_at) XX(cctx_with_signal) XX(cctx_with_variables_at)
/* clang-format on */

/* Weak: to be named here brings no file into a program. */
#define XX(name) extern __typeof__(name) name __attribute__((weak));
FUNCTIONS(XX)
#undef XX

/* Other versions read it: it only grows. */
struct cctx__core {
  size_t size;         /* of the table in its own version */
  const char *version; /* as cctx_version() */
  struct {
#define XX(name) void (*name)(void);
    FUNCTIONS(XX)
#undef XX
  } functions;
};

__attribute__((used)) const struct cctx__core cctx__core = {
    sizeof cctx__core,
    CCTX_VERSION_STRING,
#define XX(name) (void (*)(void)) name,
    {FUNCTIONS(XX)},
#undef XX
};

#define NOTE_NAME "cctx"
enum { NOTE_TYPE = 1 };

/* Its name, and how far from itself the table is. */
__asm__(".pushsection .note.cctx, \"a\", %note\n"
        "  .balign 4\n"
        "  .long 5, 4, 1\n"
        "  .asciz \"" NOTE_NAME "\"\n"
        "  .balign 4\n"
        "1:.long cctx__core - 1b\n"
        ".popsection");

/* ---- Reading notes ------------------------------------------------------------------- */

static size_t round_up(size_t size, size_t align) {
  return (size + align - 1) / align * align;
}

/* The table that one of these notes leads to, or NULL. */
static const struct cctx__core *read_notes(const char *at, size_t len, size_t align) {
  uint32_t head[3]; /* the lengths of name and content, the type */
  while (len >= sizeof head) {
    size_t content, next;
    memcpy(head, at, sizeof head);
    if (head[0] > len || head[1] > len) return NULL;
    content = round_up(sizeof head + head[0], align);
    next = round_up(content + head[1], align);
    if (content + head[1] > len) return NULL;
    if (head[0] == sizeof NOTE_NAME && head[1] == sizeof(int32_t) && head[2] == NOTE_TYPE &&
        memcmp(at + sizeof head, NOTE_NAME, sizeof NOTE_NAME) == 0) {
      int32_t way;
      memcpy(&way, at + content, sizeof way);
      return (const void *)(at + content + way);
    }
    if (next >= len) return NULL;
    at += next;
    len -= next;
  }
  return NULL;
}

static bool is_mapped(const struct dl_phdr_info *object, const ElfW(Phdr) * part) {
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *load = &object->dlpi_phdr[i];
    if (load->p_type == PT_LOAD && part->p_vaddr >= load->p_vaddr &&
        part->p_vaddr + part->p_filesz <= load->p_vaddr + load->p_filesz)
      return true;
  }
  return false;
}

/* ---- Finding copies ------------------------------------------------------------------ */

/* What is said of it is copied: it may be gone once the loader may go on. */
struct copy {
  const struct cctx__core *core;
  char version[32];
  char file[PATH_MAX];
};

struct search {
  struct copy own, other; /* `other`: the first that is live besides, if any */
};

static bool is_same(const struct cctx__core *core) {
  return core->size == cctx__core.size &&
         memcmp(&core->functions, &cctx__core.functions, sizeof core->functions) == 0;
}

/* The program itself has no name. */
static void fill(struct copy *copy, const struct cctx__core *core, const char *name) {
  copy->core = core;
  snprintf(copy->version, sizeof copy->version, "%s", core->version);
  if (*name == '\0') name = "/proc/self/exe";
  if (realpath(name, copy->file) == NULL)
    snprintf(copy->file, sizeof copy->file, "%s", name);
}

static int visit(struct dl_phdr_info *object, size_t size, void *arg) {
  struct search *search = arg;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    const struct cctx__core *core;
    if (part->p_type != PT_NOTE || !is_mapped(object, part)) continue;
    core = read_notes((const char *)(object->dlpi_addr + part->p_vaddr), part->p_filesz,
                      part->p_align == 8 ? 8 : 4);
    if (core == &cctx__core)
      fill(&search->own, core, object->dlpi_name);
    else if (core && !search->other.core && !is_same(core))
      fill(&search->other, core, object->dlpi_name);
  }
  return 0;
}

/* ---- The check ----------------------------------------------------------------------- */

/* What of a version counts: a patch changes no interface. -1: not a version. */
static long interface_of(const char *version) {
  char *end;
  unsigned long major = strtoul(version, &end, 10), minor;
  if (end == version || *end != '.' || major > 9999) return -1;
  minor = strtoul(version = end + 1, &end, 10);
  if (end == version || (*end != '.' && *end != '\0') || minor > 9999) return -1;
  return (long)(major * 10000 + minor);
}

int cctx_core_check(const char *needed, char *why, size_t size) {
  struct search search;
  long wanted = interface_of(needed);
  if (size > 0) *why = '\0';
  if (wanted < 0) return CCTX_EINVAL;
  search.own.core = search.other.core = NULL;
  fill(&search.own, &cctx__core, "a library without its note");
  dl_iterate_phdr(visit, &search);
  if (interface_of(CCTX_VERSION_STRING) < wanted) {
    snprintf(why, size,
             "%s, the core of cctx that this process has loaded, is version %s, and %s or "
             "later is needed: upgrade it, or have the newer one loaded first",
             search.own.file, CCTX_VERSION_STRING, needed);
    return CCTX_ENOTFOUND;
  }
  if (search.other.core == NULL) return CCTX_OK;
  snprintf(
      why, size,
      "this process has two cores of cctx, %s (%s) and %s (%s), and what is set in one "
      "is not seen in the other: let both use one libcctx.so.0, under this name",
      search.own.file, CCTX_VERSION_STRING, search.other.file, search.other.version);
  return CCTX_EBUSY;
}
