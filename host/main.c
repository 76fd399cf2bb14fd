/* SPDX-License-Identifier: Apache-2.0 */
/* The program `cctx`: a script or a server of scripts under a context. */
#include <cctx.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static const char help[] =
    "Usage: cctx run [OPTION]... FILE.lua|FILE.py [ARGUMENT]...\n"
    "       cctx serve [OPTION]... --route PATH=FILE...\n"
    "\n"
    "run: run a script under a context, and under what TRACEPARENT, BAGGAGE and\n"
    "CCTX_DEADLINE say.\n"
    "  --timeout DURATION      stop it after this time, with exit status 124\n"
    "  --set NAME=VALUE        a value that stays in this process\n"
    "  --meta NAME=VALUE       metadata that goes with the request\n"
    "\n"
    "serve: answer HTTP requests by scripts, each under the context of its request.\n"
    "  --listen ADDRESS:PORT   default 127.0.0.1:8080; port 0 takes a free one\n"
    "  --route PATH=FILE       FILE.lua or FILE.py answers PATH; may be repeated\n"
    "  --debug ADDRESS:PORT    show what is worked on, and counters, there; for you alone\n"
    "  --debug-values          show values there too, but for secret ones\n"
    "  --log-format FORMAT     text or json, default text\n"
    "  --workers N             threads for each language, default 2\n"
    "  --connections N         how many at once, default 1000\n"
    "  --queue N               how many may wait for a worker, default 10000\n"
    "  --body-memory MIB       for the bodies of all requests, default 256\n"
    "  --idle-timeout DURATION until a request has arrived whole, default 60s\n"
    "  --timeout-max DURATION  the longest a request may take, default 30s\n"
    "  --grace DURATION        at SIGTERM, what runs may finish for so long, default 5s\n"
    "  --trust FIELD,...       what clients may say beside their trace and deadline, such\n"
    "                          as baggage\n"
    "  --backup SPEC           \"off\", or ASYNC,SHARDS,GC such as true,100,10m\n"
    "  --no-guard              let Lua handlers run on that never yield\n"
    "  --lua-path DIR          look for Lua modules here too\n"
    "  --python-path DIR       look for Python modules here too, and start Python\n"
    "\n"
    "A DURATION is 500us, 200ms, 1.5s, 2m, 1h, or a number of seconds.\n"
    "\n"
    "  --help, --version       say this, or the version\n";

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "run") == 0) return run_command(argc - 1, argv + 1);
  if (strcmp(command, "serve") == 0) return serve_command(argc - 1, argv + 1);
  if (strcmp(command, "--help") == 0) return fputs(help, stdout) < 0;
  if (strcmp(command, "--version") == 0) return printf("cctx %s\n", cctx_version()) < 0;
  if (argc > 1)
    fprintf(stderr, "cctx: unknown command \"%s\"; \"cctx --help\" lists them.\n", command);
  else
    fprintf(stderr, "cctx: a command is missing; \"cctx --help\" lists them.\n");
  return STATUS_BAD_INPUT;
}
