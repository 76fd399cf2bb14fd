/* SPDX-License-Identifier: Apache-2.0 */
/* The ground under the C++ headers: the names that are nested in cctx, and the clock. */
#ifndef CCTX_CPP_BASE_HPP
#define CCTX_CPP_BASE_HPP

#include <cctx/backup.h>
#include <cctx/clock.h>
#include <cctx/context.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>

/** The opaque type of C, which nobody makes, copies or destroys, as the place of the
 *  names. */
struct cctx {
  struct clock;
  class canceled;
  class deadline_exceeded;
  template <class T> class key;
  template <class T> class stored;
  class ref;
  class scope;
  class request;
  class finish_guard;
  class backup;
  class manager;
  class loop;
  class observer;

  static ref background() noexcept;
  static ref todo() noexcept;
  /** With a reference of its own. */
  static ref current() noexcept;
  /** nullopt: what is current belongs to no session. */
  static std::optional<ref> current_session() noexcept;

  /** `cur`, or what is made of it by taking over what it lacks from the current session.
   *  std::runtime_error for what a handler in `how` answers. */
  static ref recover(const ref &cur, const struct cctx_recovery &how = {},
                     struct cctx_recovered *result = nullptr);
  template <class F>
  static ref recover_if(const ref &cur, F &&decide, struct cctx_recovery how = {},
                        struct cctx_recovered *result = nullptr);

  cctx() = delete;
  cctx(const cctx &) = delete;
  cctx &operator=(const cctx &) = delete;
  ~cctx() = delete;
};

/* ---- Time ------------------------------------------------------------------------ */

/** A clock of the standard's kind over cctx_now, so that it stands where a test stops
 *  it. */
struct cctx::clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept { return time_point(duration(cctx_now())); }

  /** Nanoseconds, saturated. std::invalid_argument for what is not a number. */
  template <class Rep, class Period>
  static std::int64_t to_ns(const std::chrono::duration<Rep, Period> &time) {
    const long double ns = std::chrono::duration<long double, std::nano>(time).count();
    if (ns != ns) throw std::invalid_argument("cctx: a time must be a number, not NaN");
    if (ns >= 9223372036854775807.0L) return CCTX_NEVER;
    if (ns <= -9223372036854775807.0L) return INT64_MIN;
    return std::chrono::duration_cast<duration>(time).count();
  }

  /** nullopt for CCTX_NEVER. */
  static std::optional<time_point> from_ns(std::int64_t ns) noexcept {
    if (ns == CCTX_NEVER) return std::nullopt;
    return time_point(duration(ns));
  }
};

#endif
