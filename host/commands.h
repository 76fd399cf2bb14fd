/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands. Each gets its own name as argv[0], and returns the exit status. */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

int run_command(int argc, char **argv);
int serve_command(int argc, char **argv);

#endif
