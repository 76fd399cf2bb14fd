/* SPDX-License-Identifier: Apache-2.0 */
/* cctx.hpp, the backup store: sessions, managers, recoveries and responses. */
#include <cctx.hpp>

#include <type_traits>

#include "check.h"

using namespace std::chrono_literals;

template <class E, class F> static bool throws(F call) {
  try {
    call();
  } catch (const E &) {
    return true;
  }
  return false;
}

TEST(a_handler_is_entered_and_left_with_its_block) {
  const cctx::ref request = cctx::background().with_metadata("tenant", "acme");
  CHECK(!cctx::current_session());
  {
    const cctx::backup entered{request};
    CHECK(cctx::current_session() == entered.context());
    CHECK_EQ(entered.context().session_state(), CCTX_SESSION_VALID);
    CHECK(cctx::current().metadata("tenant") == "acme");
  }
  CHECK(!cctx::current_session());
  static_assert(!std::is_copy_constructible_v<cctx::backup> &&
                !std::is_move_constructible_v<cctx::backup>);
}

TEST(a_session_ends_or_is_disabled_once) {
  const cctx::ref session = cctx::background().with_session();
  CHECK(session.disable_session() && !session.disable_session());
  CHECK_EQ(session.session_state(), CCTX_SESSION_DISABLED);
  CHECK(session.end_session() && !session.end_session());
  CHECK(throws<std::logic_error>([] { cctx::background().end_session(); }));
  CHECK(throws<std::logic_error>([] { cctx::background().disable_session(); }));
  cctx_clock_set(0);
  const cctx::ref timed = cctx::background().with_session(2s);
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK_EQ(timed.session_state(), CCTX_SESSION_DISABLED);
}

TEST(a_binding_is_undone_where_its_token_goes) {
  cctx::manager manager;
  const cctx::ref session = cctx::background().with_session();
  {
    const auto outer = manager.bind(7, session);
    auto inner = manager.bind(7, session.with_session()), moved = std::move(inner);
    CHECK(!inner.unbind());
    CHECK(manager.find(7) != session);
    CHECK(moved.unbind() && !moved.unbind());
    CHECK(manager.find(7) == session);
    moved = manager.bind(8, session);
    moved = manager.bind(9, session);
    CHECK(!manager.find(8) && manager.find(9) == session);
    CHECK_EQ(manager.stats().bound, 2);
  }
  CHECK_EQ(manager.stats().bound, 0);
  CHECK_EQ(manager.stats().stale, 0);
  static_assert(!std::is_copy_constructible_v<cctx::manager::binding>);
}

TEST(a_binding_that_is_released_is_left_to_a_sweep) {
  cctx::manager manager;
  const cctx::ref session = cctx::background().with_session();
  CHECK(manager.bind(7, session).release() != 0);
  CHECK_EQ(manager.sweep(), 0);
  session.end_session();
  CHECK(!manager.find(7));
  CHECK_EQ(manager.sweep(), 1);
}

TEST(what_cannot_be_bound_or_made_is_an_exception) {
  cctx::manager manager;
  struct cctx_manager_options none = CCTX_MANAGER_OPTIONS;
  none.shards = 0;
  CHECK(throws<std::invalid_argument>([&] { cctx::manager wrong{none}; }));
  CHECK(throws<std::invalid_argument>(
      [&] { (void)manager.bind(7, cctx::background()).release(); }));
  CHECK(manager.get() != nullptr);
}

TEST(what_was_lost_is_recovered) {
  const cctx::backup entered{cctx::background().with_metadata("tenant", "acme")};
  struct cctx_recovered did;
  const cctx::ref out = cctx::recover(cctx::background(), {}, &did);
  CHECK(out.metadata("tenant") == "acme");
  CHECK_EQ(did.reason, CCTX_REASON_RECOVERED);
}

TEST(a_function_decides_what_is_recovered_to) {
  const cctx::backup entered{cctx::background().with_metadata("tenant", "acme")};
  const cctx::ref cur = cctx::background().with_metadata("own", "1");
  const cctx::ref yes = cctx::recover_if(cur, [&](const cctx::ref &prev, cctx::ref now) {
    CHECK(prev == entered.context());
    return std::optional(now.with_metadata("more", "2"));
  });
  CHECK(yes.metadata("tenant") == "acme" && yes.metadata("more") == "2");
  const cctx::ref no = cctx::recover_if(
      cur, [](const cctx::ref &, const cctx::ref &) { return std::optional<cctx::ref>(); });
  CHECK(no == cur);
}

TEST(what_a_deciding_function_throws_comes_out_of_the_recovery) {
  const cctx::backup entered{cctx::background()};
  CHECK(throws<int>([] {
    cctx::recover_if(cctx::background(),
                     [](cctx::ref, cctx::ref) -> std::optional<cctx::ref> { throw 7; });
  }));
  const struct cctx_recovery failing = {
      [](void *, cctx *, cctx *, cctx **) -> int { return CCTX_EINVAL; },
      nullptr,
      0,
      0,
      nullptr,
      0};
  CHECK(throws<std::runtime_error>([&] { cctx::recover(cctx::background(), failing); }));
}

TEST(a_response_goes_back_to_who_called) {
  struct cctx_request_options options = {};
  options.response = true;
  const cctx::request served{cctx::background(), options};
  const cctx::ref call = cctx::current().with_response(CCTX_APPEND);
  cctx::current().set_response("served-by", "a1");
  call.receive_response("hint", "x");
  call.receive_response("hint", "y");
  CHECK(served.context().response().metadata("served-by") == "a1");
  CHECK(call.response().metadata("hint") == "x, y");
  CHECK(throws<std::invalid_argument>([&] { call.receive_response("a b", "x"); }));
  CHECK(throws<std::logic_error>([] { cctx::background().set_response("a", "x"); }));
}

static bool use_all() {
  try {
    const cctx::backup entered{cctx::background().with_metadata("tenant", "acme")};
    cctx::manager manager;
    const auto bound = manager.bind(7, entered.context());
    const cctx::ref out =
        cctx::recover_if(cctx::background(), [](const cctx::ref &, const cctx::ref &now) {
          return std::optional(now.with_cancel());
        });
    return out.metadata("tenant") == "acme";
  } catch (const std::bad_alloc &) {
    return false;
  }
}

TEST(lack_of_memory_is_an_exception_that_leaves_nothing_behind) {
  FAIL_EACH_ALLOCATION(use_all());
}
