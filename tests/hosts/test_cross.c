/* SPDX-License-Identifier: Apache-2.0 */
/* The current context of one request in C, Lua and Python, through calls of each other. */
#include "cross.h"

#include <pthread.h>

/* ---- One core ----------------------------------------------------------------------- */

TEST(a_process_with_all_three_has_one_core) {
  char line[4096], first[4096] = "", *path;
  FILE *maps = fopen("/proc/self/maps", "r");
  int others = 0;
  start();
  if (maps == NULL) SKIP("no /proc/self/maps");
  while (fgets(line, sizeof line, maps)) {
    path = strchr(line, '/');
    if (path == NULL || strstr(path, "libcctx") == NULL) continue;
    if (first[0] == '\0') memcpy(first, path, strlen(path) + 1);
    others += strcmp(first, path) != 0;
  }
  fclose(maps);
  CHECK(strstr(first, "/libcctx.so.0") != NULL);
  CHECK_EQ(others, 0);
  stop();
}

/* ---- The same context --------------------------------------------------------------- */

TEST(all_three_and_their_extensions_see_the_same_context) {
  cctx *ctx;
  start();
  ctx = tenant("acme");
  CHECK_STR(in_lua(ctx, "return tenant()"), "acme");
  CHECK_STR(in_lua(ctx, "return bridge.seen().tenant"), "acme");
  CHECK_STR(in_python(ctx, "tenant()"), "acme");
  CHECK_STR(in_python(ctx, "seen.seen()[0]"), "acme");
  CHECK_STR(c_tenant(), "none");
  cctx_unref(ctx);
  stop();
}

TEST(a_coroutine_keeps_the_context_of_its_creation) {
  cctx *a, *b;
  start();
  a = tenant("a");
  b = tenant("b");
  in_lua(a, "co = cctx.wrap(function() local n = 0\n"
            "  while true do n = n + 1\n"
            "    coroutine.yield(tenant() .. bridge.seen().tenant .. n) end end)");
  CHECK_STR(in_lua(a, "return co()"), "aa1");
  CHECK_STR(in_lua(b, "return co() .. tenant()"), "aa2b");
  CHECK_STR(in_lua(cctx_background(), "return co()"), "aa3");
  cctx_unref(a);
  cctx_unref(b);
  stop();
}

TEST(tasks_and_copies_keep_the_context_of_their_creation) {
  cctx *ctx;
  start();
  ctx = tenant("acme");
  add_python("async def both(name):\n"
             "  with cctx.use(cctx.current().with_metadata('tenant', name)):\n"
             "    task = asyncio.create_task(one())\n"
             "  return [tenant(), await task]\n"
             "async def one():\n"
             "  await asyncio.sleep(0)\n"
             "  return tenant() + seen.seen()[0]\n"
             "async def many():\n"
             "  return str(await asyncio.gather(both('a'), both('b'), one()))\n");
  CHECK_STR(in_python(ctx, "asyncio.run(many())"),
            "[['acme', 'aa'], ['acme', 'bb'], 'acmeacme']");
  cctx_unref(ctx);
  stop();
}

TEST(a_python_thread_has_what_was_wrapped_and_else_background) {
  cctx *ctx;
  start();
  ctx = tenant("acme");
  add_python("def threads():\n"
             "  found = []\n"
             "  def ask(): found.append((tenant(), seen.seen()[0]))\n"
             "  for f in ask, cctx.wrap(ask):\n"
             "    t = threading.Thread(target=f); t.start(); t.join()\n"
             "  return str(found)\n");
  CHECK_STR(in_python(ctx, "threads()"), "[(None, None), ('acme', 'acme')]");
  cctx_unref(ctx);
  stop();
}

/* ---- Calls through several languages ------------------------------------------------ */

TEST(a_lua_function_called_by_python_sees_what_python_made_current) {
  cctx *ctx;
  start();
  ctx = tenant("lua");
  add_python("def ask(f):\n"
             "  with cctx.use(cctx.current().with_metadata('tenant', 'python')):\n"
             "    inner = f()\n"
             "  return inner + ' ' + f()\n"
             "space.ask = ask\n");
  CHECK_STR(in_lua(ctx, "return bridge.python('space', 'ask', function()\n"
                        "  return tenant() .. '/' .. bridge.seen().tenant end)"),
            "python/python lua/lua");
  cctx_unref(ctx);
  stop();
}

TEST(lua_in_python_in_lua_each_sees_its_own_on_the_way_down_and_back) {
  cctx *ctx;
  start();
  ctx = tenant("1");
  add_python("def down(f):\n"
             "  before = tenant() + seen.seen()[0]\n"
             "  with cctx.use(cctx.current().with_metadata('tenant', tenant() + 'p')):\n"
             "    inner = f()\n"
             "  return f'{before}({inner}){tenant()}{seen.seen()[0]}'\n"
             "space.down = down\n");
  in_lua(ctx, "function level(n)\n"
              "  local before = tenant() .. bridge.seen().tenant\n"
              "  local inner = n == 0 and '' or\n"
              "    cctx.current():with_metadata('tenant', tenant() .. 'l'):run(\n"
              "      bridge.python, 'space', 'down', function() return level(n - 1) end)\n"
              "  return before .. '[' .. inner .. ']' .. tenant() .. bridge.seen().tenant\n"
              "end");
  CHECK_STR(in_lua(ctx, "return level(2)"),
            "11[1l1l(1lp1lp[1lpl1lpl(1lplp1lplp[]1lplp1lplp)1lpl1lpl]1lp1lp)1l1l]11");
  cctx_unref(ctx);
  stop();
}

TEST(a_lua_function_called_by_two_tasks_sees_the_task_that_calls) {
  cctx *ctx;
  start();
  ctx = tenant("outer");
  add_python("def tasks(f):\n"
             "  async def one(name):\n"
             "    with cctx.use(cctx.current().with_metadata('tenant', name)):\n"
             "      seen_here = ''\n"
             "      for _ in range(3):\n"
             "        await asyncio.sleep(0)\n"
             "        seen_here += f()\n"
             "      return seen_here\n"
             "  async def both():\n"
             "    return ' '.join(await asyncio.gather(one('a'), one('b')))\n"
             "  return asyncio.run(both())\n"
             "space.tasks = tasks\n");
  CHECK_STR(in_lua(ctx, "return bridge.python('space', 'tasks', function()\n"
                        "  coroutine.yield()\n"
                        "  return tenant() .. bridge.seen().tenant end)"),
            "aaaaaa bbbbbb");
  cctx_unref(ctx);
  stop();
}

TEST(errors_cross_both_ways_and_leave_nothing_behind) {
  cctx *ctx;
  start();
  ctx = tenant("acme");
  add_python("def caught(f):\n"
             "  try: f()\n"
             "  except RuntimeError as e: return str(e) + ' ' + tenant()\n"
             "def uncaught(f): f()\n"
             "def own(f): raise KeyError('mine')\n"
             "space.caught, space.uncaught, space.own = caught, uncaught, own\n");
  in_lua(ctx, "function fail() cctx.background():run(error, 'no', 0) end");
  CHECK_STR(in_lua(ctx, "return bridge.python('space', 'caught', fail)"), "Lua: no acme");
  CHECK_STR(in_lua(ctx, "local _, e = pcall(bridge.python, 'space', 'uncaught', fail)\n"
                        "return e .. ' ' .. tenant()"),
            "RuntimeError: Lua: no acme");
  CHECK_STR(in_lua(ctx, "return select(2, pcall(bridge.python, 'space', 'own', fail))"),
            "KeyError: 'mine'");
  CHECK_STR(in_lua(ctx, "return select(2, pcall(bridge.python, 'no_such', 'f', fail))"),
            "ModuleNotFoundError: No module named 'no_such'");
  CHECK_EQ(PyGILState_Check(), 0);
  cctx_unref(ctx);
  stop();
}

TEST(a_lent_lua_function_is_refused_elsewhere_and_later) {
  start();
  add_python("def keep(f):\n"
             "  global kept; kept = f\n"
             "  said = []\n"
             "  def other():\n"
             "    try: f()\n"
             "    except RuntimeError as e: said.append(str(e))\n"
             "  t = threading.Thread(target=other); t.start(); t.join()\n"
             "  return said[0]\n"
             "def later():\n"
             "  try: kept()\n"
             "  except RuntimeError as e: return str(e)\n"
             "space.keep = keep\n");
  CHECK_STR(in_lua(cctx_background(), "return bridge.python('space', 'keep', print)"),
            "a Lua function may be called on the thread that lent it only");
  CHECK_STR(in_python(cctx_background(), "later()"),
            "the call that lent this Lua function has ended");
  stop();
}

/* ---- C under Python, and hosts ------------------------------------------------------ */

TEST(what_c_attaches_while_it_holds_the_lock_python_sees) {
  PyGILState_STATE gil;
  cctx *ctx;
  cctx_token token;
  start();
  ctx = tenant("acme");
  gil = PyGILState_Ensure();
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  PyObject *name = PyRun_String("tenant()", Py_eval_input, space, space);
  CHECK_STR(name ? PyUnicode_AsUTF8(name) : NULL, "acme");
  Py_XDECREF(name);
  CHECK_STR(c_tenant(), "acme");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_STR(c_tenant(), "none");
  PyGILState_Release(gil);
  cctx_unref(ctx);
  stop();
}

static void *ask_from_a_thread(void *arg) {
  cctx *ctx = arg, *other = tenant("other");
  PyGILState_STATE gil;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_STR(c_tenant(), "acme");
  CHECK_STR(in_python(ctx, "tenant() + seen.seen()[0]"), "acmeacme");
  CHECK_STR(in_python(other, "tenant() + seen.seen()[0]"), "otherother");
  CHECK_STR(c_tenant(), "acme");
  gil = PyGILState_Ensure(); /* two calls in one stay, one thread state */
  CHECK_STR(eval_attached(other, "tenant()"), "other");
  CHECK_STR(c_tenant(), "acme");
  CHECK_STR(eval_attached(cctx_background(), "tenant()"), "None");
  CHECK_STR(c_tenant(), "acme");
  PyGILState_Release(gil);
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_STR(c_tenant(), "none");
  cctx_unref(other);
  return NULL;
}

TEST(a_call_from_a_thread_that_python_never_saw_restores_the_context) {
  cctx *ctx;
  pthread_t thread;
  start();
  ctx = tenant("acme");
  CHECK_EQ(pthread_create(&thread, NULL, ask_from_a_thread, ctx), 0);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
  stop();
}

static void *outlive_the_thread_state(void *arg) {
  PyGILState_STATE gil = PyGILState_Ensure();
  PyThreadState *state = PyEval_SaveThread();
  cctx_token token;
  CHECK_EQ(cctx_attach(arg, &token), 0);
  CHECK_STR(c_tenant(), "acme");
  PyEval_RestoreThread(state);
  PyGILState_Release(gil);
  CHECK_STR(c_tenant(), "none");
  gil = PyGILState_Ensure();
  CHECK_STR(c_tenant(), "none");
  PyGILState_Release(gil);
  CHECK_EQ(cctx_detach(&token), 0);
  return NULL;
}

TEST(a_scope_whose_thread_state_is_gone_does_not_answer) {
  cctx *ctx;
  pthread_t thread;
  start();
  ctx = tenant("acme");
  CHECK_EQ(pthread_create(&thread, NULL, outlive_the_thread_state, ctx), 0);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
  stop();
}

TEST(nothing_that_a_request_leaves_behind_is_there_for_the_next) {
  cctx *one, *two;
  start();
  one = tenant("one");
  two = tenant("two");
  add_python("plain = contextvars.ContextVar('plain', default='unset')\n"
             "def leave():\n"
             "  global left\n"
             "  was = plain.get(); plain.set(tenant())\n"
             "  left = cctx.use(cctx.current().with_metadata('tenant', 'left'))\n"
             "  left.__enter__()\n"
             "  return was + ' ' + tenant()\n"
             "def late(): left.__exit__(None, None, None); return tenant()\n");
  CHECK_STR(in_python(one, "leave()"), "unset left");
  CHECK_STR(in_python(two, "plain.get() + ' ' + tenant()"), "unset two");
  CHECK_STR(in_python(cctx_background(), "plain.get() + ' ' + str(tenant())"),
            "unset None");
  CHECK_STR(in_python(two, "late()"), "two");
  CHECK_EQ(cctx_stale_detaches(), ++stale_before); /* it ended with the call around it */
  cctx_unref(one);
  cctx_unref(two);
  stop();
}

TEST(a_use_that_is_entered_and_dropped_gives_its_context_back) {
  cctx *ctx;
  start();
  ctx = tenant("acme");
  in_python(ctx, "cctx.use(cctx.current().with_cancel()).__enter__()");
  cctx_unref(ctx);
  stop();
}

TEST(every_scope_of_one_place_is_in_force_again_after_a_call) {
  cctx *outer, *inner;
  cctx_token outer_token, inner_token;
  start();
  outer = tenant("outer");
  inner = tenant("inner");
  CHECK_EQ(cctx_attach(outer, &outer_token), 0);
  CHECK_EQ(cctx_attach(inner, &inner_token), 0);
  CHECK_STR(in_python(inner, "tenant()"), "inner");
  CHECK_STR(c_tenant(), "inner");
  CHECK_EQ(cctx_detach(&inner_token), 0);
  CHECK_STR(c_tenant(), "outer");
  CHECK_EQ(cctx_detach(&outer_token), 0);
  cctx_unref(outer);
  cctx_unref(inner);
  stop();
}

TEST(a_call_takes_the_plain_variables_of_the_root_it_is_given) {
  PyGILState_STATE gil;
  PyObject *root, *ask, *name;
  cctx *ctx;
  start();
  ctx = tenant("acme");
  add_python("plain = contextvars.ContextVar('plain', default='unset')\n"
             "root = contextvars.Context(); root.run(plain.set, 'loaded')\n"
             "def ask(): was = plain.get(); plain.set('changed'); return was + tenant()\n");
  gil = PyGILState_Ensure();
  root = PyDict_GetItemString(space, "root");
  ask = PyDict_GetItemString(space, "ask");
  for (int i = 0; i < 2; i++) {
    name = cctx_py_call(ctx, root, ask, NULL, NULL);
    CHECK_STR(name ? PyUnicode_AsUTF8(name) : NULL, "loadedacme");
    Py_XDECREF(name);
  }
  PyGILState_Release(gil);
  cctx_unref(ctx);
  stop();
}
