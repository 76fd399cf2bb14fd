/* SPDX-License-Identifier: Apache-2.0 */
/* The options of backups in this process. */
#ifndef CCTX__CONFIG_H
#define CCTX__CONFIG_H

#include <cctx/backup.h>

/* Whether a manager can be made with these. */
bool cctx__config_is_good(const struct cctx_manager_options *options);

/* Put `options` and over them what the environment says in use. */
void cctx__config_set(const struct cctx_backup_options *options);

/* Whether enter makes sessions. */
bool cctx__config_enabled(void);

#endif
