/* SPDX-License-Identifier: Apache-2.0 */
/* A Python with Lua inside: runs the Python hunt with orders for Lua.
 *
 * Usage: as python3. Its module `hunted` is built in, and knows Lua besides: a section may
 * enter a Lua state, whose coroutines carry out the orders from there on, until they yield,
 * are resumed by a later section, or call Python.
 */
struct script;
struct order;
static void carry_out_in_lua(struct script *script, struct order *order);
#define HUNTED_LUA(script, order) carry_out_in_lua((script), (order))
#define HUNTED_BUILT_IN
#include "py_hunted.c"

#include <cctx/lua.h>
#include <lualib.h>

enum { STATES = 8 };
enum act { ENTER, ENTER_RAW, LEAVE, YIELD, RUN, CREATE, RESUME, SAY };

/* A state is one greenlet's: what enters it is left in turn. */
static struct lua {
  lua_State *main, *running;
  struct script *script; /* that is carried out in it */
} luas[STATES];

static const char body[] =
    "local hunt, cctx = ...\n"
    "local coroutines, body = {}, nil\n"
    "local make = {cctx.create, coroutine.create}\n"
    "local resume = {cctx.resume, coroutine.resume}\n"
    "function body()\n"
    "  while true do\n"
    "    local what, at, how, ctx = hunt.step()\n"
    "    if not what then return\n"
    "    elseif what == 'say' then hunt.say(cctx.metadata 'hunt')\n"
    "    elseif what == 'yield' then coroutine.yield()\n"
    "    elseif what == 'run' then ctx:run(body)\n"
    "    elseif what == 'create' then coroutines[at] = make[how](body)\n"
    "    elseif what == 'resume' then assert(resume[how](coroutines[at]))\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return body\n";

static const char *const acts[] = {NULL,  NULL,     NULL,     "yield",
                                   "run", "create", "resume", "say"};
static char body_key, lua_key;

static struct lua *lua_of(lua_State *L) {
  struct lua *lua;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lua_key);
  lua = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return lua;
}

/* Carry out orders up to the next that Lua has to carry out, and tell it. */
static int step(lua_State *L) {
  struct lua *lua = lua_of(L);
  struct script *script = lua->script;
  lua->running = L;
  while (!script->failed && script->at < script->n) {
    struct order *order = &script->orders[script->at++];
    if (order->code != LUA || order->slot <= ENTER_RAW) {
      carry_out_one(script, order);
      lua->running = L;
      lua->script = script;
      continue;
    }
    if (order->slot == LEAVE) return 0;
    lua_pushstring(L, acts[order->slot]);
    lua_pushinteger(L, order->id & 255);
    lua_pushinteger(L, order->id >> 8 & 255);
    if (order->slot != RUN) return 3;
    cctx_lua_push(L, order->ctx);
    return 4;
  }
  return 0;
}

static int say(lua_State *L) {
  answer(lua_of(L)->script, lua_isnoneornil(L, 1) ? 0 : atol(lua_tostring(L, 1)));
  return 0;
}

static const luaL_Reg functions[] = {{"step", step}, {"say", say}, {NULL, NULL}};

static int open_lua(lua_State *L) {
  luaL_openlibs(L);
  cctx_lua_open(L);
  lua_pushlightuserdata(L, lua_touserdata(L, 1));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lua_key);
  if (luaL_loadstring(L, body) != LUA_OK) return lua_error(L);
  luaL_newlib(L, functions);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cctx");
  lua_call(L, 1, 1);
  lua_call(L, 2, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &body_key);
  return 0;
}

static void complain(lua_State *L) {
  fprintf(stderr, "hunt_mixed: %s\n", lua_tostring(L, -1));
  exit(2);
}

static struct lua *open_state(long number) {
  struct lua *lua = &luas[number % STATES];
  if (lua->main != NULL) return lua;
  lua->main = lua->running = luaL_newstate();
  lua_pushcfunction(lua->main, open_lua);
  lua_pushlightuserdata(lua->main, lua);
  if (lua_pcall(lua->main, 1, 0, 0) != LUA_OK) complain(lua->main);
  return lua;
}

/* Enter a state, from outside or from C that it has called. */
static void carry_out_in_lua(struct script *script, struct order *order) {
  struct lua *lua = open_state(order->id >> 16), before = *lua;
  lua_State *L = lua->running;
  int status;
  lua->script = script;
  luaL_checkstack(L, 10, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &body_key);
  status =
      order->slot == ENTER ? cctx_lua_pcall(L, order->ctx, 0, 0, 0) : lua_pcall(L, 0, 0, 0);
  if (status != LUA_OK) complain(L);
  lua->running = before.running;
  lua->script = before.script;
}

static PyObject *close_luas(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  for (struct lua *lua = luas; lua < luas + STATES; lua++) {
    if (lua->main != NULL) lua_close(lua->main);
    *lua = (struct lua){NULL, NULL, NULL};
  }
  Py_RETURN_NONE;
}

static PyMethodDef lua_methods[] = {
    {"close_luas", close_luas, METH_NOARGS, "Close every Lua state."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "hunted",
    .m_size = -1,
    .m_methods = methods,
};

static PyObject *init_hunted(void) {
  PyObject *module = cctx_py_import() ? PyModule_Create(&definition) : NULL;
  if (module && PyModule_AddFunctions(module, lua_methods) < 0) Py_CLEAR(module);
  return module;
}

int main(int argc, char **argv) {
  PyImport_AppendInittab("hunted", init_hunted);
  return Py_BytesMain(argc, argv);
}
