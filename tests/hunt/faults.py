# SPDX-License-Identifier: Apache-2.0
"""The planted faults: edits of the sources, each of which the hunts must find.

Usage: faults.py NAME FOLDER: put a copy of core/ and bindings/ with that edit into FOLDER.
CMake does so with -DCCTX_FAULT=NAME. A hunt that cannot find a fault is not worth its
time: where one is missed, the hunt is to be made better.
"""

import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


COLLECTS_ANYWHERE = "a Python that collects wherever it takes memory: 3.10, 3.11"


class Fault:
    def __init__(self, name, sentence, hunt, file, old, new, needs=None):
        self.name = name
        self.sentence = sentence
        self.hunt = hunt  # which of them is to find it
        self.file = file
        self.old = old.strip("\n")
        self.new = new.strip("\n")
        self.needs = needs  # without which its hunt cannot: a package, or a Python

    def edit(self, text):
        times = text.count(self.old)
        if times != 1:
            raise SystemExit(
                f"faults.py: {self.name}: its text occurs {times} times in {self.file}, "
                "not once: bring the fault up to date"
            )
        return text.replace(self.old, self.new)

    def plant(self, folder):
        """Copy the sources, and edit the copy where it differs."""
        for part in ("core", "bindings"):
            shutil.copytree(ROOT / part, folder / part, dirs_exist_ok=True)
        path = folder / self.file
        path.write_text(self.edit(path.read_text()))


FAULTS = [
    # ---- The core: a place, a stamp, a mark, a generation ----
    Fault(
        "no_place",
        "A scope answers wherever its thread's interpreter stands.",
        "python",
        "core/interpreter.c",
        "         place->version == now->version;",
        "         place->version <= now->version;",
    ),
    Fault(
        "no_stamp",
        "Where the variable is set it answers, though a scope is newer.",
        "python",
        "core/current.c",
        "  if (has_variable && sight->stamp >= e->stamp) return from_variable(sight);",
        "  if (has_variable) return from_variable(sight);",
    ),
    Fault(
        "else_the_variable",
        "Where it cannot be known, the variable answers and not background.",
        "python",
        "core/current.c",
        """
  if (cctx__same_place(&e->place, &sight->place)) return from_scope(e);
  return background(CCTX_CURRENT_UNKNOWN);
""",
        """
  if (cctx__same_place(&e->place, &sight->place)) return from_scope(e);
  return from_variable(sight);
""",
    ),
    Fault(
        "thread_slot",
        "An attach goes to the thread, not to the interpreter's variable.",
        "python",
        "core/current.c",
        "  if (hook && sight.writable)",
        "  if (hook && !hook)",
    ),
    Fault(
        "no_mark",
        "A call through the boundary falls through to what C has attached below.",
        "python",
        "core/current.c",
        "  bool has_unknown = sight->state != CCTX_SIGHT_NONE && !sight->known;",
        """
  bool has_unknown = sight->state != CCTX_SIGHT_NONE && !sight->known;
  while (e && e->kind == SCOPE_ASK) e = e->below;
""",
    ),
    Fault(
        "mark_by_depth",
        "The end of a call takes the mark away with all that is above it.",
        "python",
        "core/current.c",
        "  cctx__scope_unlink(stack, ask);",
        "  cctx__scope_pop(stack, ask);",
        needs="greenlet",
    ),
    Fault(
        "ended_request",
        "What was inherited answers after its request has ended, as on a pool's thread.",
        "python",
        "core/current.c",
        "  if (!found.handed_over && cctx__mark_has_ended(found.ctx->mark))",
        "  if (false && cctx__mark_has_ended(found.ctx->mark))",
    ),
    Fault(
        "no_handing_over",
        "What was handed over ends with its request, as if it were inherited.",
        "python",
        "core/current.c",
        "  if (lifetime != CCTX_LIFETIME_AUTO) return lifetime == CCTX_HANDED_OVER;",
        "  if (lifetime != CCTX_LIFETIME_AUTO) return false;",
    ),
    Fault(
        "no_generation",
        "A token that was used once ends the scope that has its memory now.",
        "lua",
        "core/scope.c",
        "  if (!end_here(scope, token->generation)) return false;",
        "  if (scope->kind == SCOPE_FREE || !end_here(scope, scope->live)) return false;",
    ),
    Fault(
        "left_on_the_stack",
        "A scope that another thread left still answers on its own.",
        "lua",
        "core/scope.c",
        "    if (atomic_load(&at->left)) result = at->below;",
        "    if (atomic_load(&at->left)) result = at;",
    ),
    # ---- The backup store: sessions, bindings, what is recovered ----
    Fault(
        "get_what_is_over",
        "A manager gives what has ended or was disabled.",
        "store",
        "core/backup/manager.c",
        "  if (found == CCTX_SESSION_VALID) return ctx;",
        "  if (ctx) return ctx;",
    ),
    Fault(
        "get_a_neighbour",
        "Ids that share a bucket are taken for one.",
        "store",
        "core/backup/shard.c",
        "  while (at && at->id != id) at = at->next;",
        "  (void)id;",
    ),
    Fault(
        "stale_serial",
        "A token that was used takes the binding that is there now.",
        "store",
        "core/backup/shard.c",
        "  while (at && (at->id != id || (serial != 0 && at->serial != serial))) at = at->next;",
        "  while (at && (at->id != id || at->serial < serial)) at = at->next;",
    ),
    Fault(
        "inner_bindings_stay",
        "Unbinding an outer binding leaves those that were made on top of it.",
        "store",
        "core/backup/shard.c",
        "      if ((*link)->id == id && (*link)->serial >= serial)",
        "      if ((*link)->id == id && (serial == 0 || (*link)->serial == serial))",
    ),
    Fault(
        "unbinds_a_neighbour",
        "Unbinding takes the newer bindings of the other ids too.",
        "store",
        "core/backup/shard.c",
        "      if ((*link)->id == id && (*link)->serial >= serial)",
        "      if ((*link)->serial >= serial && serial != 0)",
    ),
    Fault(
        "sweep_keeps_disabled",
        "A sweep leaves what was disabled.",
        "store",
        "core/backup/shard.c",
        "  return cctx__session_state_at(binding->ctx->mark, now) == CCTX_SESSION_VALID;",
        "  return cctx__session_state_at(binding->ctx->mark, now) != CCTX_SESSION_ENDED;",
    ),
    Fault(
        "no_age",
        "A sweep leaves what is older than a binding may get.",
        "store",
        "core/backup/shard.c",
        "  if (max_age > 0 && now - binding->since >= max_age) return false;",
        "  if (max_age > 0 && now - binding->since > max_age) return false;",
    ),
    Fault(
        "inside_what_ended",
        "A session inside one that has ended is valid.",
        "store",
        "core/backup/session.c",
        "    if (atomic_load(&mark->ended)) return CCTX_SESSION_ENDED;",
        "    if (atomic_load(&mark->ended) && state == CCTX_SESSION_VALID)\n"
        "      return mark->outer ? state : CCTX_SESSION_ENDED;",
    ),
    Fault(
        "limit_of_the_inner",
        "The time of the session around it is no matter.",
        "store",
        "core/backup/session.c",
        "    if (is_disabled(mark, now)) state = CCTX_SESSION_DISABLED;",
        "    if (is_disabled(mark, now) && mark->outer == NULL) state = CCTX_SESSION_DISABLED;",
    ),
    Fault(
        "shares_the_callers_session",
        "A handler that is entered inside another has that one's session.",
        "store",
        "core/backup/backup.c",
        "  session = is_enabled ? cctx_with_session_at(ctx, CCTX_NEVER, file, line) : "
        "cctx_ref(ctx);",
        "  session = is_enabled && !ctx->mark ? cctx_with_session_at(ctx, CCTX_NEVER, file, "
        "line)\n                                     : cctx_ref(ctx);",
    ),
    Fault(
        "leaving_ends_nothing",
        "A session goes on after its handler was left.",
        "store",
        "core/backup/backup.c",
        "  if (backup->is_session) cctx_session_end_at(ctx, file, line);\n  status = cctx_detach",
        "  status = cctx_detach",
    ),
    Fault(
        "recovers_the_disabled",
        "What was disabled is recovered from unasked.",
        "store",
        "core/backup/recover.c",
        "  return state == CCTX_SESSION_DISABLED ? CCTX_REASON_DISABLED : "
        "CCTX_REASON_RECOVERED;",
        "  return CCTX_REASON_RECOVERED;",
    ),
    Fault(
        "the_session_wins",
        "What the session has takes the place of what the caller has.",
        "store",
        "core/backup/recover.c",
        "        cctx_metadata(recovery->ctx, pair.name, NULL) == NULL)",
        "        pair.name != NULL)",
    ),
    Fault(
        "recovers_a_hop",
        "What the session has for one hop is recovered with the rest.",
        "store",
        "core/backup/recover.c",
        "    if (!is_wanted(recovery, table->at[i].scope)) return false;",
        "    if (false && !is_wanted(recovery, table->at[i].scope)) return false;",
    ),
    Fault(
        "left_for_ever",
        "The next scope in the memory of one that was left elsewhere counts as left too.",
        "store",
        "core/scope.c",
        "  atomic_store_explicit(&scope->left, false, memory_order_relaxed);",
        "  (void)0;",
    ),
    # ---- Python: the variable ----
    Fault(
        "restore_by_value",
        "Leaving writes the value of before, in whatever Context it happens.",
        "python",
        "bindings/python/variable.c",
        """
  if (is_reachable(home, scope))
    restore(home, scope);
  else
""",
        """
  if (cctx__py_write(home, scope->outer ? scope->outer : Py_None) < 0)
""",
    ),
    Fault(
        "left_in_the_variable",
        "A scope that was left from another Context still answers in its own.",
        "python",
        "bindings/python/variable.c",
        "  while (scope && atomic_load(&scope->left)) scope =",
        "  while (scope && !scope) scope =",
    ),
    Fault(
        "another_context",
        "A token that is used in a copy of its Context changes the copy.",
        "python",
        "bindings/python/variable.c",
        "  if (scope->inside != PyThreadState_Get()->context) return false;",
        "",
    ),
    Fault(
        "stale_snapshot",
        "A thread that let the interpreter go is told what it saw when it last had it.",
        "python",
        "bindings/python/variable.c",
        """
  if (state != NULL) {
    look_attached(state, out);
  } else if (released != NULL) {
""",
        """
  static _Thread_local struct cctx_sight last;
  if (state != NULL) {
    look_attached(state, out);
    last = *out;
  } else if (released != NULL && last.ctx != NULL) {
    *out = last;
    out->state = CCTX_SIGHT_RELEASED;
    out->writable = false;
  } else if (released != NULL) {
""",
    ),
    Fault(
        "another_threads_context",
        "A thread that let the interpreter go peeks into the main thread's Context.",
        "python",
        "bindings/python/variable.c",
        "  out->known = home == NULL || cctx__py_peek(home, state->context, &found);",
        """
  while (PyThreadState_Next(state)) state = PyThreadState_Next(state);
  out->known = home == NULL || cctx__py_peek(home, state->context, &found);
""",
    ),
    Fault(
        "collects_in_a_write",
        "A finalizer that leaves its scope in the midst of a write has it put back.",
        "python",
        "bindings/python/write.c",
        "return (void)home, PyGC_Disable();",
        "return (void)home, 0;",
        needs=COLLECTS_ANYWHERE,
    ),
    # ---- Lua: the slot, and the brackets around a resume ----
    Fault(
        "no_inheriting",
        "A coroutine does not take its creator's context along.",
        "lua",
        "bindings/lua/coroutine.c",
        """
  lcctx_inherit(L, co);
  lua_pushvalue(L, 1);
""",
        "  lua_pushvalue(L, 1);",
    ),
    Fault(
        "inherits_at_resume",
        "A coroutine works for whoever resumes it, not for who made it.",
        "lua",
        "bindings/lua/coroutine.c",
        """
  resumer = lcctx_hold_of(from);
  hold = lcctx_slot_hold(slot);
""",
        """
  resumer = lcctx_hold_of(from);
  hold = resumer;
""",
    ),
    Fault(
        "no_restore_after_error",
        "After a coroutine that died, its context stays the thread's.",
        "lua",
        "bindings/lua/coroutine.c",
        """
  leave(&bracket, slot, status > LUA_YIELD && lua_status(co) <= LUA_YIELD);
""",
        """
  if (status <= LUA_YIELD) leave(&bracket, slot, false);
""",
    ),
    Fault(
        "slot_by_address",
        "A coroutine's context is found by its address, which another may have next.",
        "lua",
        "bindings/lua/slot.c",
        '#include "lcctx.h"',
        """
#include "lcctx.h"
#undef lua_pushthread
#define lua_pushthread(L) lua_pushlightuserdata((L), (L))
""",
    ),
    Fault(
        "bracket_count",
        "A copy of a scope that Python made counts as a resume that is under way.",
        "mixed",
        "bindings/lua/slot.c",
        "  return is_inside_bracket(L, slot);\n",
        "  return tag == L || is_inside_bracket(L, slot);\n",
        needs="greenlet",
    ),
    Fault(
        "run_forgets_the_yield",
        "A run that ends after a yield leaves its context to the rest of the coroutine.",
        "lua",
        "bindings/lua/scope.c",
        "  if (!same && slot->resumed) return reattach(L, slot);",
        "",
    ),
]

BY_NAME = {fault.name: fault for fault in FAULTS}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in BY_NAME:
        names = "\n".join(f"  {fault.name}: {fault.sentence}" for fault in FAULTS)
        raise SystemExit(f"usage: faults.py NAME FOLDER, where NAME is one of\n{names}")
    BY_NAME[sys.argv[1]].plant(pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
