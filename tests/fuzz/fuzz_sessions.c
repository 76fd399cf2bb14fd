/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of the configuration of sessions: what it leaves can always be used. */
#include <cctx/backup.h>

#include "target.h"

static void read_line(void *arg, const char *line) {
  (void)arg;
  for (; *line; line++) HOLDS(*line >= ' ' && *line <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct cctx_backup_options usual = CCTX_BACKUP_OPTIONS;
  struct cctx_backup_options options = usual, again;
  char *input = copy_input(data, size);
  int malformed;
  cctx_set_log(read_line, NULL);
  malformed = cctx_backup_parse(input, size, &options);
  HOLDS(malformed >= 0 && malformed <= 4);
  HOLDS(options.enable == usual.enable);
  HOLDS(options.manager.shards >= 1 && options.manager.shards <= CCTX_SHARDS_MAX);
  HOLDS(options.manager.gc_interval >= 0);
  again = options;
  HOLDS(cctx_backup_parse(input, size, &again) == malformed);
  HOLDS(again.manager.gc_interval == options.manager.gc_interval);
  free(input);
  return 0;
}
