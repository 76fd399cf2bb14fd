/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctx_fetch of Python scripts. */
#ifndef HOST_FETCH_PYTHON_H
#define HOST_FETCH_PYTHON_H

#include <stdbool.h>

/** Let `import cctx_fetch` find it; before Python is initialized. false for lack of
 * memory. */
bool fetch_python_offer(void);

#endif
