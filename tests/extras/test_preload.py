# SPDX-License-Identifier: Apache-2.0
"""The preload library: threads of programs that know nothing of it."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CCTX_BUILD") or ROOT / "build").resolve()
PRELOAD = BUILD / "libcctx_preload.so"

PROGRAM = """
import _thread, threading, cctx

def start(fn):  # a thread that Python's own machinery knows nothing of
    done = threading.Event()
    _thread.start_new_thread(lambda: (fn(), done.set()), ())
    return done

seen = []
look = lambda: seen.append((cctx.value("who"), cctx.session_state()))
late = threading.Event()

def look_late():
    late.wait()
    look()

with cctx.backup(cctx.background().with_value("who", "one")):
    now, later = start(look), start(look_late)
    now.wait()
with cctx.backup(cctx.background().with_value("who", "two")):
    late.set()
    later.wait()
print(seen)
"""


@pytest.fixture(autouse=True)
def needs_a_plain_build():
    sanitize = BUILD / "sanitize.txt"
    if sanitize.exists() and sanitize.read_text().strip():
        pytest.skip("a sanitizer must be the first library that is preloaded")


def run(*command, **env):
    env = {"LD_PRELOAD": str(PRELOAD), "PYTHONPATH": str(BUILD / "python"), **env}
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_does_nothing_where_there_is_no_core():
    program = "import threading as t; x = t.Thread(target=print, args=('ran',)); x.start()"
    assert run(sys.executable, "-c", program, CCTX_SESSION_CONFIG_KEY="true") == "ran"
    assert run("/bin/echo", "ran") == "ran"


def c_program(tmp_path):
    source = tmp_path / "program.c"
    source.write_text(
        """
#include <cctx.h>
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t turn;
static cctx_key who = CCTX_KEY_INIT("who");

static void look(void) {
  cctx_variant value = cctx_text("nobody");
  cctx_value(cctx_current(), &who, &value);
  printf("%s %d\\n", value.as.s.bytes, cctx_current_status());
}

static void *work(void *unused) {
  look();
  pthread_barrier_wait(&turn);
  pthread_barrier_wait(&turn);
  look();
  return unused;
}

static cctx *request_of(const char *name) {
  return cctx_with_value(cctx_background(), &who, cctx_text(name));
}

int main(void) {
  cctx *one = request_of("one"), *two = request_of("two");
  struct cctx_manager_options options = {.shards = 1, .gc_interval = 1, .thread = true};
  struct cctx_backup_mistakes mistakes;
  cctx_manager *manager;
  cctx_backup backup;
  pthread_t thread;
  pthread_barrier_init(&turn, NULL, 2);
  if (cctx_backup_enter(&backup, one) != 0) return 1;
  if (cctx_manager_new(&manager, &options) != 0) return 1; /* a thread of the core */
  pthread_create(&thread, NULL, work, NULL);
  pthread_barrier_wait(&turn);
  cctx_backup_leave(&backup);
  if (cctx_backup_enter(&backup, two) != 0) return 1;
  pthread_barrier_wait(&turn);
  pthread_join(thread, NULL);
  cctx_backup_leave(&backup);
  cctx_unref(one);
  cctx_unref(two);
  printf("%zu alive\\n", cctx_alive());
  cctx_manager_close(manager);
  cctx_backup_mistakes(&mistakes);
  return (int)mistakes.left;
}
"""
    )
    program = tmp_path / "program"
    command = ["cc", "-std=c11", "-D_DEFAULT_SOURCE", f"-I{ROOT}/core/include", source]
    command += [f"-L{BUILD}", "-lcctx", f"-Wl,-rpath,{BUILD}", "-pthread", "-o", program]
    subprocess.run(command, check=True)
    return program


def test_a_thread_inherits_where_backups_are_async_until_its_request_ends(tmp_path):
    program = c_program(tmp_path)
    said = run(program, CCTX_SESSION_CONFIG_KEY="true").splitlines()
    assert said == ["one 1", "nobody 3", "0 alive"]


def test_a_thread_inherits_nothing_where_they_are_not(tmp_path):
    program = c_program(tmp_path)
    for async_ in ("", "false"):
        said = run(program, CCTX_SESSION_CONFIG_KEY=async_).splitlines()
        assert said == ["nobody 0", "nobody 0", "0 alive"]


def test_a_thread_of_python_inherits_too_and_finds_a_core_that_came_late():
    said = run(sys.executable, "-c", PROGRAM, CCTX_SESSION_CONFIG_KEY="true")
    assert said == "[('one', 'valid'), (None, 'ended')]"
