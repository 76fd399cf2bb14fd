/* SPDX-License-Identifier: Apache-2.0 */
/* Random schedules in which every resume is managed: then C sees what Lua sees, always, and
 * that is what a model expects which knows of each coroutine its own contexts alone. */
#include "lua_host.h"

static const char schedule[] =
    "local seed, foreign = ...\n"
    "math.randomseed(seed)\n"
    "local random, serial, pool = math.random, 0, {}\n"
    "local original = coroutine.resume\n"
    "if foreign then\n"
    "  coroutine.resume = function(...)\n"
    "    assert(in_lua() == resumer_sees)\n"
    "    return original(...)\n"
    "  end\n"
    "end\n"
    "local undo = cctx.install()\n"
    "local function named(name) return cctx.background():with_value('who', name) end\n"
    "local me\n"
    "local function look() assert(both() == me[#me], both() .. ', not ' .. me[#me]) end\n"
    "local function inside(name, f, ...)\n"
    "  local mine, height = me, #me\n"
    "  mine[height + 1] = name\n"
    "  pcall(f, ...)\n"
    "  for i = #mine, height + 1, -1 do mine[i] = nil end\n"
    "end\n"
    "local spawn\n"
    "local function resume_one()\n"
    "  if #pool == 0 then return end\n"
    "  local it, resumer = table.remove(pool, random(#pool)), me\n"
    "  if not it.has then it[1] = resumer[#resumer] end\n"
    "  me, resumer_sees = it, me[#me]\n"
    "  local how = random(2) == 1 and cctx.resume or coroutine.resume\n"
    "  local ok, err = how(it.co)\n"
    "  me = resumer\n"
    "  assert(ok, err)\n"
    "  if coroutine.status(it.co) == 'dead' then return end\n"
    "  if random(15) > 1 then pool[#pool + 1] = it return end\n"
    "  assert((random(2) == 1 and cctx.close or coroutine.close)(it.co))\n"
    "end\n"
    "local function act(depth)\n"
    "  for _ = 1, random(5) do\n"
    "    look()\n"
    "    local what = random(8)\n"
    "    serial = serial + 1\n"
    "    local name = 's' .. serial\n"
    "    local function deeper()\n"
    "      act(depth + 1)\n"
    "      if random(3) == 1 then error 'as is to be' end\n"
    "    end\n"
    "    if what == 1 then spawn()\n"
    "    elseif what <= 3 and depth < 6 then resume_one()\n"
    "    elseif what == 4 and depth < 5 then\n"
    "      local ctx = named(name)\n"
    "      inside(name, ctx.run, ctx, deeper)\n"
    "    elseif what == 5 and depth < 5 then\n"
    "      inside(name, function() local _ <close> = named(name):attach() deeper() end)\n"
    "    elseif what == 6 and depth < 5 then\n"
    "      inside(name, cctx.request, {parent = named(name)}, function()\n"
    "        local left = named(name):attach()\n"
    "        deeper()\n"
    "        if random(2) == 1 then left:close() end\n"
    "      end)\n"
    "    elseif me.co and coroutine.isyieldable() then coroutine.yield() end\n"
    "    look()\n"
    "  end\n"
    "end\n"
    "function spawn()\n"
    "  local it = {me[#me], has = me[#me] ~= 'nobody'}\n"
    "  local make = random(2) == 1 and cctx.create or coroutine.create\n"
    "  it.co = make(function() act(0) end)\n"
    "  pool[#pool + 1] = it\n"
    "end\n"
    "local ok, err = pcall(function()\n"
    "  for i = 1, 30 do\n"
    "    me = {in_lua()}\n"
    "    act(0)\n"
    "    me = {in_lua()}\n"
    "    look()\n"
    "  end\n"
    "end)\n"
    "undo()\n"
    "coroutine.resume = original\n"
    "if not ok then error('seed ' .. seed .. ': ' .. err, 0) end\n";

static void agree(bool foreign) {
  uint64_t stale = cctx_stale_detaches();
  for (int seed = 1; seed <= 20; seed++) {
    lua_State *L = open_state();
    cctx *host = request("host");
    ended_well(L, luaL_loadstring(L, schedule));
    lua_pushinteger(L, seed);
    lua_pushboolean(L, foreign);
    ended_well(L, lua->pcall(L, seed % 2 ? host : cctx_background(), 2, 0, 0));
    CHECK_STR(who(), "nobody");
    lua_close(L);
    cctx_unref(host);
  }
  CHECK_EQ(cctx_stale_detaches(), stale);
}

TEST(c_and_lua_agree_whatever_coroutines_do) { agree(false); }
TEST(c_and_lua_agree_where_resume_is_somebodys_own) { agree(true); }
