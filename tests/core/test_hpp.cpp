/* SPDX-License-Identifier: Apache-2.0 */
/* cctx.hpp: owners give back, types hold, exceptions say why and stop at frames of C. */
#include <cctx.hpp>
#include <cctx/interpreter.h>

#include <csignal>
#include <thread>
#include <type_traits>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/* Whether `call` throws an E. */
template <class E, class F> static bool throws(F call) {
  try {
    call();
  } catch (const E &) {
    return true;
  }
  return false;
}

static nanoseconds now_ns() { return cctx::clock::now().time_since_epoch(); }

/* ---- cctx::ref ---------------------------------------------------------------------- */

TEST(a_ref_gives_its_reference_back) {
  {
    cctx::ref a = cctx::background().with_cancel(), b = a, c;
    CHECK_EQ(cctx_alive(), 1);
    CHECK(a == b && a != c);
    c = std::move(a);
    CHECK(a == cctx::background());
    CHECK(b == c);
    b = c = cctx::ref();
    CHECK_EQ(cctx_alive(), 0);
  }
  CHECK(cctx::ref().get() == cctx_background());
  CHECK(cctx::todo().get() == cctx_todo());
}

TEST(a_ref_adopts_and_borrows_what_c_has) {
  cctx *made = cctx_with_cancel(cctx_background());
  cctx::ref borrowed = cctx::ref::borrow(made), adopted = cctx::ref::adopt(made);
  CHECK(borrowed == adopted);
  CHECK(borrowed.get() == made);
  borrowed = {};
  cctx *released = adopted.release();
  CHECK(released == made);
  CHECK(adopted == cctx::background());
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(released);
  CHECK(throws<std::bad_alloc>([] { cctx::ref::adopt(nullptr); }));
}

TEST(timeouts_are_of_any_duration_and_saturate) {
  cctx_clock_set(100 * CCTX_SECOND);
  const cctx::ref root = cctx::background();
  CHECK_EQ(root.with_timeout(1500ms).remaining()->count(), 1500 * CCTX_MILLISECOND);
  CHECK_EQ(root.with_timeout(std::chrono::duration<double>(0.25)).remaining()->count(),
           250 * CCTX_MILLISECOND);
  CHECK_EQ(root.with_timeout(7ns).deadline()->time_since_epoch().count(),
           100 * CCTX_SECOND + 7);
  CHECK(!root.with_timeout(std::chrono::hours::max()).deadline());
  CHECK(!root.with_timeout(std::chrono::duration<double>(1e300)).remaining());
  CHECK_EQ(root.with_timeout(std::chrono::hours::min()).err(), CCTX_EDEADLINE);
  CHECK_EQ(root.with_timeout(-1ns).err(), CCTX_EDEADLINE);
  CHECK_EQ(root.with_deadline(cctx::clock::now() + 1s).remaining()->count(), CCTX_SECOND);
  CHECK(!root.with_deadline(cctx::clock::time_point::max()).deadline());
  CHECK(throws<std::invalid_argument>(
      [&] { (void)root.with_timeout(std::chrono::duration<double>(0.0 / 0.0)); }));
}

TEST(a_ref_derives_and_asks_as_c_does) {
  const cctx::ref request =
      cctx::background().with_metadata("tenant", "acme").with_cancel();
  const cctx::ref child = request.with_timeout(1h), detached = child.detached();
  CHECK(*child.metadata("tenant") == "acme");
  CHECK(!child.metadata("other"));
  CHECK(child.can_be_done() && !detached.can_be_done());
  CHECK_EQ(child.err(), 0);
  CHECK(request.cancel("enough"));
  CHECK(!request.cancel());
  CHECK_EQ(child.err(), CCTX_ECANCELED);
  CHECK_STR(child.cause().message, "enough");
  CHECK(std::string_view(child.cause().file).find("test_hpp.cpp") != std::string::npos);
  CHECK(child.cause().line > 0);
  CHECK(*detached.metadata("tenant") == "acme");
  CHECK_EQ(detached.err(), 0);
  CHECK_EQ(child.wait(), CCTX_ECANCELED);
  CHECK_EQ(detached.wait_for(0s), 0);
  CHECK(child.done_fd() >= 0);
}

TEST(misuse_is_told_by_exceptions_that_change_nothing) {
  const cctx::ref ctx = cctx::background().with_metadata("a", "1");
  CHECK(throws<std::logic_error>([&] { ctx.cancel(); }));
  CHECK(throws<std::invalid_argument>([&] { (void)ctx.with_metadata("not a name", ""); }));
  CHECK(throws<std::invalid_argument>([&] { (void)ctx.without_metadata("not a name"); }));
  CHECK(!ctx.without_metadata("a").metadata("a"));
  CHECK(ctx.with_metadata("a", std::string_view()).metadata("a")->empty());
  CHECK(throws<std::length_error>(
      [&] { (void)ctx.with_metadata("b", std::string(CCTX_METADATA_BYTES_MAX, 'x')); }));
  CHECK(throws<std::invalid_argument>([&] { (void)ctx.on_done(nullptr, nullptr); }));
  CHECK_EQ(ctx.err(), 0);
  CHECK_EQ(cctx_alive(), 1);
}

/* ---- check() ------------------------------------------------------------------------ */

TEST(check_throws_what_stopped_the_context) {
  cctx_clock_set(100 * CCTX_SECOND);
  const cctx::ref late = cctx::background().with_timeout(2s, "2 s at most");
  const cctx::ref early = late.with_cancel(), plain = late.with_cancel();
  int caught = 0;
  late.check();
  early.cancel("the client left");
  plain.cancel();
  try {
    early.check();
  } catch (const cctx::deadline_exceeded &) {
    CHECK(false);
  } catch (const cctx::canceled &e) {
    caught++;
    CHECK_STR(e.what(), "context canceled: the client left");
    CHECK_STR(e.message(), "the client left");
    CHECK_EQ(e.status(), CCTX_ECANCELED);
    CHECK(e.time() == cctx::clock::now());
    CHECK(std::string_view(e.file()).find("test_hpp.cpp") != std::string::npos);
  }
  try {
    plain.check();
  } catch (const std::exception &e) {
    caught++;
    CHECK_STR(e.what(), "context canceled");
  }
  cctx_clock_set(103 * CCTX_SECOND);
  try {
    late.check();
  } catch (const cctx::canceled &e) {
    caught++;
    CHECK(dynamic_cast<const cctx::deadline_exceeded *>(&e) != nullptr);
    CHECK_STR(e.what(), "context deadline exceeded: 2 s at most");
    CHECK(e.time().time_since_epoch() == 102s);
  }
  CHECK_EQ(caught, 3);
}

/* ---- cctx::key ---------------------------------------------------------------------- */

static cctx::key<bool> is_internal{"is_internal"};
static cctx::key<std::int64_t> depth{"depth"};
static cctx::key<double> weight{"weight"};
static cctx::key<std::string> session{"session"};

TEST(a_key_gives_back_the_type_it_was_given) {
  const cctx::ref ctx = cctx::background()
                            .with_value(is_internal, true)
                            .with_value(depth, 7)
                            .with_value(weight, 0.5)
                            .with_value(session, std::string("a\0b", 3));
  CHECK(ctx.value(is_internal) == std::optional(true));
  CHECK(ctx.value(depth) == std::optional<std::int64_t>(7));
  CHECK(ctx.value(weight) == std::optional(0.5));
  CHECK(ctx.value(session) == std::string("a\0b", 3));
  CHECK(!cctx::background().value(session));
  CHECK(!ctx.value(cctx::key<std::string>("session"))); /* private: another key */
}

TEST(a_named_key_is_the_same_in_c_and_holds_its_type) {
  const auto tenant = cctx::key<std::string>::named("hpp-tenant");
  const auto view = cctx::key<std::string_view>::named("hpp-tenant");
  const auto number = cctx::key<std::int64_t>::named("hpp-tenant");
  cctx *made =
      cctx_with_value(cctx_background(), cctx_key_named("hpp-tenant"), cctx_text("acme"));
  const cctx::ref ctx = cctx::ref::adopt(made);
  CHECK(*ctx.value(tenant) == "acme");
  CHECK(*ctx.value(view) == "acme");
  CHECK(!ctx.value(number));
  cctx_variant found;
  CHECK_EQ(cctx_value(ctx.with_value(tenant, "x").get(), tenant.get(), &found), 0);
  CHECK_EQ(found.type, CCTX_STRING);
  CHECK(throws<std::invalid_argument>([] { cctx::key<bool>::named(""); }));
  CHECK(throws<std::invalid_argument>(
      [] { cctx::key<bool>::named(std::string(256, 'x').c_str()); }));
}

struct Session {
  explicit Session(int *count) : count_(count) { ++*count_; }
  ~Session() { --*count_; }
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;
  int *count_;
};

static cctx::key<Session *> owner{"owner"};

TEST(an_object_lives_as_long_as_a_context_that_has_it) {
  int alive = 0;
  {
    auto object = std::make_shared<Session>(&alive);
    Session *address = object.get();
    cctx::ref ctx = cctx::background().with_value(owner, object), kept;
    object.reset();
    CHECK_EQ(alive, 1);
    CHECK(ctx.value(owner) == std::optional(address));
    kept = ctx.detached(); /* stores it a second time */
    ctx = {};
    CHECK_EQ(alive, 1);
    CHECK(kept.value(owner) == std::optional(address));
  }
  CHECK_EQ(alive, 0);
}

TEST(an_object_is_read_as_what_it_was_stored_as_and_can_be_kept) {
  int alive = 0;
  const auto shared = cctx::key<std::shared_ptr<Session>>::named("hpp-session");
  const auto pointer = cctx::key<Session *>::named("hpp-session");
  const auto other = cctx::key<std::string *>::named("hpp-session");
  std::shared_ptr<Session> kept;
  {
    const cctx::ref ctx =
        cctx::background().with_value(shared, std::make_shared<Session>(&alive));
    kept = *ctx.value(shared);
    CHECK(*ctx.value(pointer) == kept.get());
    CHECK(!ctx.value(other));
    CHECK(ctx.with_value(pointer, nullptr).value(pointer) == nullptr);
  }
  CHECK_EQ(alive, 1);
  kept.reset();
  CHECK_EQ(alive, 0);
}

/* ---- Blocks ------------------------------------------------------------------------- */

TEST(a_scope_attaches_and_detaches_also_by_an_exception) {
  const cctx::ref outer = cctx::background().with_cancel(), inner = outer.with_cancel();
  try {
    cctx::scope a(outer);
    {
      cctx::scope b(inner);
      CHECK(cctx::current() == inner);
    }
    CHECK(cctx::current() == outer);
    throw 1;
  } catch (int) {
  }
  CHECK(cctx::current() == cctx::background());
  CHECK(!std::is_copy_constructible_v<cctx::scope>);
  CHECK(!std::is_move_constructible_v<cctx::scope>);
}

TEST(a_request_begins_and_ends_with_its_block) {
  std::optional<cctx::ref> kept;
  {
    cctx::request request(cctx::background());
    kept = request.context();
    CHECK(cctx::current() == *kept);
    CHECK_EQ(kept->err(), 0);
  }
  CHECK(cctx::current() == cctx::background());
  CHECK_EQ(kept->err(), CCTX_ECANCELED);
  CHECK(cctx_has_ended(kept->get()));
}

TEST(a_finish_guard_cancels_at_the_end_of_its_block) {
  cctx::ref kept;
  int line;
  {
    line = __LINE__ + 1;
    cctx::finish_guard ctx(cctx::background().with_cancel());
    kept = ctx->with_cancel();
    CHECK_EQ((*ctx).err(), 0);
  }
  CHECK_EQ(kept.err(), CCTX_ECANCELED);
  CHECK_EQ(kept.cause().line, line);
}

/* ---- Being told --------------------------------------------------------------------- */

TEST(a_loop_runs_functions_with_what_they_captured) {
  cctx_clock_set(CCTX_SECOND);
  cctx::loop loop;
  const cctx::ref ctx = cctx::background().with_timeout(1s);
  std::vector<int> told;
  auto a = ctx.on_done(loop.get(),
                       [&told](const cctx::ref &done) { told.push_back(done.err()); });
  auto b = ctx.on_done(loop.get(), [&told](const cctx::ref &) { told.push_back(1); });
  CHECK(loop.next()->time_since_epoch() == now_ns() + 1s);
  CHECK(loop.fd() >= 0);
  CHECK_EQ(loop.run(), 0);
  CHECK(b.withdraw());
  CHECK(!b.withdraw());
  cctx_clock_set(3 * CCTX_SECOND);
  CHECK_EQ(loop.run(), 1);
  CHECK(told == std::vector<int>{CCTX_EDEADLINE});
  CHECK(!a.withdraw());
  CHECK(!loop.next());
}

TEST(an_observer_that_goes_prevents_its_callback_and_frees_what_it_captured) {
  const cctx::ref ctx = cctx::background().with_cancel();
  auto captured = std::make_shared<int>(0);
  {
    auto observer =
        ctx.on_done(CCTX_INLINE, [captured](const cctx::ref &) { ++*captured; });
    cctx::observer moved = std::move(observer), assigned;
    assigned = std::move(moved);
    CHECK_EQ(captured.use_count(), 2);
  }
  ctx.cancel();
  CHECK_EQ(*captured, 0);
  CHECK_EQ(captured.use_count(), 1);
}

TEST(a_callback_may_destroy_its_own_observer) {
  const cctx::ref ctx = cctx::background().with_cancel();
  auto text = std::make_shared<std::string>("captured");
  cctx::observer observer;
  observer = ctx.on_done(CCTX_INLINE, [&observer, text](const cctx::ref &) {
    observer = cctx::observer();
    text->append(", and good after it");
  });
  ctx.cancel();
  CHECK_STR(text->c_str(), "captured, and good after it");
  CHECK_EQ(text.use_count(), 1);
}

TEST(an_observer_may_outlive_its_loop_and_its_refs) {
  auto captured = std::make_shared<int>(0);
  cctx::observer observer;
  {
    cctx::loop loop;
    observer = cctx::background().with_cancel().on_done(
        loop.get(), [captured](const cctx::ref &) { ++*captured; });
  }
  CHECK(!observer.withdraw());
  CHECK_EQ(captured.use_count(), 1);
}

TEST(an_observer_that_goes_waits_for_its_callback_on_another_thread) {
  for (int i = 0; i < 20; i++) {
    const cctx::ref ctx = cctx::background().with_cancel();
    int told = 0;
    {
      auto observer = ctx.on_done(nullptr, [&told](const cctx::ref &) { ++told; });
      std::thread canceler([ctx] { ctx.cancel(); });
      canceler.join();
    }
    CHECK(told == 0 || told == 1); /* not written any more */
  }
  while (cctx_alive() > 0) usleep(100); /* the library's thread may hold the last one */
}

TEST(an_exception_never_crosses_a_frame_of_c) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    std::set_terminate([] { _exit(42); });
    const cctx::ref ctx = cctx::background().with_cancel();
    auto observer =
        ctx.on_done(CCTX_INLINE, [](const cctx::ref &) { throw std::logic_error("x"); });
    try {
      ctx.cancel();
    } catch (...) {
      _exit(1);
    }
    _exit(2);
  }
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 42);
}

/* ---- Memory ------------------------------------------------------------------------- */

static bool use_everything() try {
  int alive = 0;
  cctx::loop loop;
  cctx::finish_guard ctx(cctx::background().with_timeout(1h, "late"));
  const cctx::ref value =
      ctx->with_value(session, "s").with_value(owner, std::make_shared<Session>(&alive));
  const cctx::ref last = value.with_metadata("a", "1").detached(CCTX_KEEP_DEADLINE);
  cctx::scope scope(last);
  auto observer = last.on_done(loop.get(), [](const cctx::ref &) {});
  return true;
} catch (const std::bad_alloc &) {
  return false;
}

TEST(lack_of_memory_is_an_exception_that_leaves_nothing_behind) {
  FAIL_EACH_ALLOCATION(use_everything());
}
