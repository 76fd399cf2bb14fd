/* SPDX-License-Identifier: Apache-2.0 */
/* Values between C and Lua: what comes out is what went in, in every Lua. */
#include "lua_host.h"

/* Where numbers are doubles, another number would be somebody else's. */
TEST(an_integer_that_lua_cannot_hold_is_a_string_of_its_digits) {
  static const struct {
    int64_t value;
    const char *text;
    bool fits;
  } cases[] = {
      {0, "0", true},
      {-1, "-1", true},
      {1LL << 53, "9007199254740992", true},
      {-(1LL << 53), "-9007199254740992", true},
      {(1LL << 53) + 1, "9007199254740993", false},
      {-(1LL << 53) - 1, "-9007199254740993", false},
      {1234567890123456789, "1234567890123456789", false},
      {INT64_MAX, "9223372036854775807", false},
      {INT64_MIN, "-9223372036854775808", false},
  };
  lua_State *L = open_state();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool is_number = cases[i].fits || LUA_VERSION_NUM >= 503;
    cctx_variant stored = cctx_int(cases[i].value), back;
    lua_settop(L, 0);
    lua->push_value(L, &stored);
    CHECK_EQ(lua_type(L, -1), is_number ? LUA_TNUMBER : LUA_TSTRING);
    CHECK_EQ(lua->to_value(L, -1, &back), CCTX_OK);
    CHECK_EQ(back.type, is_number ? CCTX_INT : CCTX_STRING);
    if (is_number) CHECK_EQ(back.as.i, cases[i].value);
    if (!is_number) CHECK_STR(back.as.s.bytes, cases[i].text);
  }
  lua_close(L);
}

static int type_of(lua_State *L, const char *expression, cctx_variant *out) {
  lua_settop(L, 0);
  lua_pushfstring(L, "return %s", expression);
  ended_well(L, luaL_loadstring(L, lua_tostring(L, -1)));
  ended_well(L, lua_pcall(L, 0, 1, 0));
  CHECK_EQ(lua->to_value(L, -1, out), CCTX_OK);
  return (int)out->type;
}

TEST(a_whole_number_is_an_integer_where_lua_has_but_one_kind) {
  lua_State *L = open_state();
  cctx_variant value;
  int whole = LUA_VERSION_NUM >= 503 ? CCTX_DOUBLE : CCTX_INT;
  CHECK_EQ(type_of(L, "3", &value), CCTX_INT);
  CHECK_EQ(value.as.i, 3);
  CHECK_EQ(type_of(L, "3.0", &value), whole);
  CHECK_EQ(type_of(L, "-2^53", &value), whole);
  CHECK_EQ(type_of(L, "2^53 * 2", &value), CCTX_DOUBLE);
  CHECK_EQ(type_of(L, "0.5", &value), CCTX_DOUBLE);
  CHECK_EQ(type_of(L, "1 / 0", &value), CCTX_DOUBLE);
  CHECK_EQ(type_of(L, "0 / 0", &value), CCTX_DOUBLE);
  CHECK_EQ(type_of(L, "-1 / math.huge", &value), CCTX_DOUBLE); /* -0.0 */
  lua_close(L);
}
