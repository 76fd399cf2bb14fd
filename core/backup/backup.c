/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side: a handler is entered, and left. */
#include <cctx/backup.h>

#include <assert.h>

#include <cctx/interpreter.h>

#include "config.h"
#include "context.h"

int cctx_backup_configure(const struct cctx_backup_options *options) {
  static const struct cctx_backup_options usual = CCTX_BACKUP_OPTIONS;
  if (options == NULL) options = &usual;
  if (!cctx__config_is_good(&options->manager)) return CCTX_EINVAL;
  cctx__config_set(options);
  cctx_manager_close(NULL);
  return CCTX_OK;
}

int cctx_backup_enter_at(cctx_backup *backup, cctx *ctx, const char *file, int line) {
  struct cctx_origin origin = {.lifetime = CCTX_INHERITED, .file = file, .line = line};
  bool is_enabled;
  cctx *session;
  int status;
  assert(cctx__is_live(ctx) && "cctx_backup_enter: no context, or one given back");
  *backup = (cctx_backup){.ctx = NULL};
  is_enabled = cctx__config_enabled();
  session = is_enabled ? cctx_with_session_at(ctx, CCTX_NEVER, file, line) : cctx_ref(ctx);
  if (session == NULL) return CCTX_ENOMEM;
  status = cctx_attach_as(session, &origin, &backup->token);
  if (status != CCTX_OK) {
    if (is_enabled) cctx_session_end_at(session, file, line);
    cctx_unref(session);
    return status;
  }
  backup->ctx = session;
  backup->is_session = is_enabled;
  return CCTX_OK;
}

int cctx_backup_leave_at(cctx_backup *backup, const char *file, int line) {
  cctx *ctx = backup->ctx;
  int status;
  if (ctx == NULL) return CCTX_ESTALE; /* it was not entered, or is left */
  if (backup->is_session) cctx_session_end_at(ctx, file, line);
  status = cctx_detach_at(&backup->token, file, line);
  *backup = (cctx_backup){.ctx = NULL};
  cctx_unref(ctx);
  return status;
}
