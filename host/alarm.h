/* SPDX-License-Identifier: Apache-2.0 */
/* The alarm: signals to this thread from a deadline on, and the end of the process when
 * nothing has come of them. */
#ifndef HOST_ALARM_H
#define HOST_ALARM_H

#include <stdint.h>

/* Between two signals, and from the deadline to the end of the process. */
#define ALARM_PERIOD (100 * CCTX_MILLISECOND)
#define ALARM_GRACE (CCTX_SECOND)

/* The signal. Its handler is installed by who knows how to stop the script. */
int alarm_signal(void);

/* From `deadline` on send alarm_signal() to the calling thread every ALARM_PERIOD; and
 * ALARM_GRACE after it, if this process still lives, write `last_words` (static memory) to
 * stderr and end it with STATUS_DEADLINE. 0, or an errno. */
int alarm_start(int64_t deadline, const char *last_words);

/* Send no more signals: the script has ended. The grace goes on. */
void alarm_stop(void);

#endif
