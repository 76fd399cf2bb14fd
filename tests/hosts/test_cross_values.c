/* SPDX-License-Identifier: Apache-2.0 */
/* Values, causes and cancellation: what one language says, the others read. */
#include "cross.h"

TEST(a_value_of_each_type_is_the_same_in_every_language) {
  static const struct {
    const char *lua, *python;
  } same[] = {{"nil", "None"},
              {"true", "True"},
              {"42", "42"},
              {"math.mininteger", "-2**63"},
              {"0.5", "0.5"},
              {"1/0", "float('inf')"},
              {"''", "''"},
              {"'a\\0b'", "'a\\0b'"},
              {"'\xc3\xa9'", "'\\u00e9'"}};
  char code[256];
  cctx *from_lua, *from_python, *base;
  start();
  base = tenant("acme");
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    PyGILState_STATE gil;
    PyObject *object;
    cctx_variant a = cctx_nil(), b = cctx_nil();
    snprintf(code, sizeof code, "made = cctx.current():with_value('cross', %s)",
             same[i].lua);
    in_lua(base, code);
    lua_getglobal(L, "made");
    from_lua = cctx_lua_to(L, -1);
    snprintf(code, sizeof code, "cctx.value('cross', 'absent') == %s", same[i].python);
    CHECK_STR(in_python(from_lua, code), "True");
    snprintf(code, sizeof code,
             "globals().update(made=cctx.current().with_value('cross', %s))",
             same[i].python);
    in_python(base, code);
    gil = PyGILState_Ensure();
    object = PyDict_GetItemString(space, "made");
    from_python = cctx_ref(cctx_py_unwrap(object));
    PyGILState_Release(gil);
    snprintf(code, sizeof code,
             "local v, found = cctx.value 'cross'\n"
             "return tostring(found and v == %s) .. (math.type(v) or '')",
             same[i].lua);
    CHECK(strncmp(in_lua(from_python, code), "true", 4) == 0);
    CHECK_EQ(cctx_value(from_lua, cctx_key_find("cross"), &a), 0);
    CHECK_EQ(cctx_value(from_python, cctx_key_find("cross"), &b), 0);
    CHECK_EQ(a.type, b.type);
    cctx_unref(from_python);
    lua_settop(L, 0);
  }
  cctx_unref(base);
  stop();
}

TEST(what_c_stores_is_read_by_both_and_its_pointer_is_opaque) {
  static int thing;
  cctx *text, *pointer;
  start();
  text = cctx_with_value(cctx_background(), cctx_key_named("cross"), cctx_text("c"));
  pointer = cctx_with_value(text, cctx_key_named("cross"),
                            cctx_pointer(&thing, NULL, NULL, NULL));
  CHECK_STR(in_lua(text, "return (cctx.value 'cross')"), "c");
  CHECK_STR(in_python(text, "cctx.value('cross')"), "c");
  CHECK_STR(in_lua(pointer, "return type((cctx.value 'cross'))"), "userdata");
  CHECK_STR(in_python(pointer, "type(cctx.value('cross')).__name__"), "PyCapsule");
  cctx_unref(pointer);
  cctx_unref(text);
  stop();
}

TEST(an_object_of_python_is_itself_in_python_and_opaque_elsewhere) {
  cctx *ctx;
  start();
  add_python("thing = {'a': 1}\n"
             "def opaque(f): return f() + ' ' + str(cctx.value('cross') is thing)\n"
             "space.opaque = opaque\n"
             "def put(f):\n"
             "  with cctx.use(cctx.current().with_value('cross', thing)):\n"
             "    return opaque(f)\n"
             "space.put = put\n");
  ctx = tenant("acme");
  CHECK_STR(in_lua(ctx, "return bridge.python('space', 'put', function()\n"
                        "  return type((cctx.value 'cross')) end)"),
            "userdata True");
  cctx_unref(ctx);
  stop();
}

TEST(the_cause_names_the_line_of_the_script_that_canceled) {
  cctx *ctx;
  struct cctx_cause cause;
  start();
  ctx = cctx_with_cancel(cctx_background());
  in_lua(ctx, "\n\ncctx.current():cancel('lua is done')");
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_STR(cause.message, "lua is done");
  CHECK_EQ(cause.line, 3);
  CHECK_STR(in_python(ctx, "cctx.cause().message + str(cctx.cause().line)"),
            "lua is done3");
  cctx_unref(ctx);
  ctx = cctx_with_cancel(cctx_background());
  add_python("\n\ndef stop(): return cctx.current().cancel('python is done')\n");
  CHECK_STR(in_python(ctx, "stop()"), "True");
  CHECK_STR(in_lua(ctx, "local c = cctx.cause() return c.message .. c.file .. c.line"),
            "python is done<string>3");
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_EQ(cause.line, 3);
  cctx_unref(ctx);
  stop();
}

TEST(a_cancel_in_any_language_is_seen_by_the_others_at_once) {
  cctx *ctx;
  start();
  ctx = cctx_with_cancel(cctx_background());
  add_python("def cancel(f):\n"
             "  before = cctx.err()\n"
             "  f()\n"
             "  return f'{before} {cctx.err()} {cctx.cause().message}'\n"
             "space.cancel = cancel\n");
  CHECK_STR(in_lua(ctx, "return bridge.python('space', 'cancel', function()\n"
                        "  cctx.current():cancel('by lua') end) .. ' ' .. cctx.err()"),
            "None canceled by lua canceled");
  CHECK_EQ(cctx_err(ctx), CCTX_ECANCELED);
  cctx_unref(ctx);
  stop();
}

TEST(a_deadline_passes_for_all_at_once) {
  cctx *ctx;
  start();
  cctx_clock_set(1000 * CCTX_SECOND);
  ctx = cctx_with_timeout(cctx_background(), 2 * CCTX_SECOND);
  CHECK_STR(in_lua(ctx, "return cctx.remaining()"), "2.0");
  CHECK_STR(in_python(ctx, "cctx.remaining()"), "2.0");
  cctx_clock_set(1002 * CCTX_SECOND);
  CHECK_STR(in_lua(ctx, "return cctx.err()"), "deadline_exceeded");
  CHECK_STR(in_python(ctx, "cctx.err()"), "deadline_exceeded");
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  cctx_unref(ctx);
  stop();
}

/* Python copies its Context inside a managed resume, and the scope goes with it; in a task
 * that runs in the copy somebody else resumes the coroutine, which works for another by now. */
static PyObject *copied;
static int copy_context(lua_State *co) {
  copied = PyContext_CopyCurrent();
  return lua_gettop(co);
}

TEST(a_copied_context_does_not_make_a_raw_resume_a_managed_one) {
  PyGILState_STATE gil;
  lua_State *co;
  cctx *one, *two;
  int n;
  start();
  one = tenant("one");
  two = tenant("two");
  gil = PyGILState_Ensure();
  lua_pushcfunction(L, copy_context);
  lua_setglobal(L, "copy_context");
  co = lua_newthread(L);
  cctx_lua_bind(L, co, one);
  CHECK_EQ(luaL_loadstring(co, "copy_context(); coroutine.yield(tenant())\n"
                               "return tenant(), cctx.current():run(tenant)"),
           LUA_OK);
  CHECK_EQ(cctx_lua_resume(co, L, 0, &n), LUA_YIELD);
  CHECK_STR(lua_tostring(co, -1), "one");
  lua_pop(co, n);
  cctx_lua_bind(L, co, two);
  CHECK_EQ(PyContext_Enter(copied), 0);
  CHECK_EQ(lua_resume(co, L, 0, &n), LUA_OK);
  CHECK_STR(lua_tostring(co, -1), "two");
  CHECK_STR(lua_tostring(co, -2), "two");
  CHECK_EQ(PyContext_Exit(copied), 0);
  Py_CLEAR(copied);
  PyGILState_Release(gil);
  lua_settop(L, 0);
  cctx_unref(one);
  cctx_unref(two);
  stop();
}
