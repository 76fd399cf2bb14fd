/* SPDX-License-Identifier: Apache-2.0 */
/* References to contexts: what a C++ program derives, cancels and asks. */
#ifndef CCTX_CPP_REF_HPP
#define CCTX_CPP_REF_HPP

#include <cctx/cpp/error.hpp>
#include <cctx/cpp/key.hpp>
#include <cctx/current.h>
#include <cctx/loop.h>
#include <cctx/metadata.h>
#include <cctx/response.h>
#include <cctx/session.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

/* ---- Contexts -------------------------------------------------------------------- */

/** One reference to a context. Default-made and moved-from it refers to background, so that
 *  it can always be asked. Copying takes a reference, never blocks and never fails. */
class cctx::ref {
public:
  ref() noexcept : ctx_(cctx_background()) {}

  /** Take over a reference, such as a C constructor returns; its NULL is std::bad_alloc. */
  static ref adopt(cctx *owned) {
    if (owned == nullptr) throw std::bad_alloc();
    return ref(owned);
  }
  /** Take a reference of its own to what is borrowed, such as cctx_current() lends. */
  static ref borrow(cctx *ctx) noexcept { return ref(cctx_ref(ctx)); }

  ref(const ref &other) noexcept : ctx_(cctx_ref(other.ctx_)) {}
  ref(ref &&other) noexcept : ctx_(other.release()) {}
  ref &operator=(ref other) noexcept {
    std::swap(ctx_, other.ctx_);
    return *this;
  }
  ~ref() { cctx_unref(ctx_); }

  /** Borrowed; and handed to the caller, who gives it back. */
  cctx *get() const noexcept { return ctx_; }
  [[nodiscard]] cctx *release() noexcept { return std::exchange(ctx_, cctx_background()); }

  friend bool operator==(const ref &a, const ref &b) noexcept { return a.ctx_ == b.ctx_; }
  friend bool operator!=(const ref &a, const ref &b) noexcept { return a.ctx_ != b.ctx_; }

  /* Deriving. The place is the caller's line. */

  [[nodiscard]] ref with_cancel() const { return adopt(cctx_with_cancel(ctx_)); }

  [[nodiscard]] ref with_deadline(clock::time_point deadline, const char *message = nullptr,
                                  const char *file = __builtin_FILE(),
                                  int line = __builtin_LINE()) const {
    const std::int64_t ns = deadline.time_since_epoch().count();
    return adopt(cctx_with_deadline_at(ctx_, ns, message, file, line));
  }

  /** std::invalid_argument for a NaN. */
  template <class Rep, class Period>
  [[nodiscard]] ref with_timeout(const std::chrono::duration<Rep, Period> &timeout,
                                 const char *message = nullptr,
                                 const char *file = __builtin_FILE(),
                                 int line = __builtin_LINE()) const {
    const std::int64_t deadline = cctx_deadline_after(clock::to_ns(timeout));
    return adopt(cctx_with_deadline_at(ctx_, deadline, message, file, line));
  }

  [[nodiscard]] ref detached(unsigned flags = 0) const {
    return adopt(cctx_detached(ctx_, flags));
  }

  template <class T>
  [[nodiscard]] ref with_value(const key<T> &of, typename stored<T>::argument value) const {
    const stored<T> kept(std::move(value));
    return adopt(cctx_with_value(ctx_, of.get(), kept.variant));
  }

  /** std::invalid_argument for a name that no carrier can express, std::length_error over a
   *  budget. */
  [[nodiscard]] ref with_metadata(const char *name, std::string_view value,
                                  enum cctx_metadata_scope in = CCTX_REQUEST) const {
    const char *text = value.data() ? value.data() : ""; /* NULL would take it out */
    const struct cctx_metadata_pair pair = {in, name, text, value.size()};
    cctx *out = nullptr;
    switch (cctx_with_metadata(&out, ctx_, &pair, 1, nullptr)) {
    case CCTX_EINVAL: throw std::invalid_argument("cctx: not a name of metadata");
    case CCTX_ETOOBIG: throw std::length_error("cctx: metadata over its budget");
    default: return adopt(out);
    }
  }

  /** Takes the name out, of whatever scope. std::invalid_argument as above. */
  [[nodiscard]] ref without_metadata(const char *name) const {
    const struct cctx_metadata_pair pair = {CCTX_REQUEST, name, nullptr, 0};
    cctx *out = nullptr;
    if (cctx_with_metadata(&out, ctx_, &pair, 1, nullptr) == CCTX_EINVAL)
      throw std::invalid_argument("cctx: not a name of metadata");
    return adopt(out);
  }

  /* Stopping, and asking. */

  /** Whether this call stopped it. std::logic_error if it cannot be canceled by itself. */
  bool cancel(const char *message = nullptr, const char *file = __builtin_FILE(),
              int line = __builtin_LINE()) const {
    const int result = cctx_cancel_at(ctx_, message, file, line);
    if (result < 0)
      throw std::logic_error("cctx: only what with_cancel, with_timeout or with_deadline "
                             "made can be canceled");
    return result == 1;
  }

  /** 0, CCTX_ECANCELED or CCTX_EDEADLINE. */
  int err() const noexcept { return cctx_err(ctx_); }

  /** Return while it may go on; else throw cctx::deadline_exceeded or cctx::canceled. */
  void check() const {
    struct ::cctx_cause why;
    if (cctx_err(ctx_) == CCTX_OK) return;
    if (::cctx_cause(ctx_, &why) == CCTX_EDEADLINE) throw deadline_exceeded(why);
    throw canceled(why);
  }

  /** The strings are borrowed while this ref lives. */
  struct ::cctx_cause cause() const noexcept {
    struct ::cctx_cause why;
    ::cctx_cause(ctx_, &why);
    return why;
  }

  /** nullopt: there is none. */
  std::optional<clock::time_point> deadline() const noexcept {
    return clock::from_ns(cctx_deadline(ctx_));
  }
  std::optional<clock::duration> remaining() const noexcept {
    const std::int64_t left = cctx_remaining(ctx_);
    return left == CCTX_NEVER ? std::nullopt : std::optional(clock::duration(left));
  }

  bool can_be_done() const noexcept { return cctx_can_be_done(ctx_); }

  /** nullopt: absent, or of another type. May throw std::bad_alloc to copy a string. */
  template <class T>
  std::optional<typename stored<T>::result> value(const key<T> &of) const {
    cctx_variant found;
    if (cctx_value(ctx_, of.get(), &found) != CCTX_OK) return std::nullopt;
    return stored<T>::read(found);
  }

  /** Borrowed while this ref lives; nullopt if absent. */
  std::optional<std::string_view> metadata(const char *name) const noexcept {
    std::size_t len;
    const char *text = cctx_metadata(ctx_, name, &len);
    return text ? std::optional(std::string_view(text, len)) : std::nullopt;
  }

  /* Sessions: std::logic_error where there is none. */

  [[nodiscard]] ref with_session(const char *file = __builtin_FILE(),
                                 int line = __builtin_LINE()) const {
    return adopt(cctx_with_session_at(ctx_, CCTX_NEVER, file, line));
  }
  /** Disabled by itself after that time. */
  template <class Rep, class Period>
  [[nodiscard]] ref with_session(const std::chrono::duration<Rep, Period> &timeout,
                                 const char *file = __builtin_FILE(),
                                 int line = __builtin_LINE()) const {
    return adopt(cctx_with_session_at(ctx_, clock::to_ns(timeout), file, line));
  }
  /** One of enum cctx_session_state. */
  int session_state() const noexcept { return cctx_session_state(ctx_); }
  /** Whether this call did. */
  bool disable_session() const { return changed(cctx_session_disable(ctx_)); }
  bool end_session(const char *file = __builtin_FILE(), int line = __builtin_LINE()) const {
    return changed(cctx_session_end_at(ctx_, file, line));
  }

  /* Responses. Errors as with_metadata, and std::logic_error where nothing takes one. */

  [[nodiscard]] ref with_response(enum cctx_response_policy policy = CCTX_LAST) const {
    return adopt(cctx_with_response(ctx_, policy));
  }
  /** Of the request that is served; and of the call that is made, for its transport. */
  void set_response(const char *name, std::string_view value) const {
    send(cctx_response_set, name, value);
  }
  void receive_response(const char *name, std::string_view value) const {
    send(cctx_response_receive, name, value);
  }
  /** What it holds now, as metadata. */
  ref response() const noexcept { return ref(cctx_response(ctx_)); }

  /* Waiting. */

  int wait() const noexcept { return cctx_wait(ctx_, CCTX_NEVER); }
  template <class Rep, class Period>
  int wait_for(const std::chrono::duration<Rep, Period> &timeout) const {
    return cctx_wait(ctx_, cctx_deadline_after(clock::to_ns(timeout)));
  }
  int done_fd() const {
    const int fd = cctx_done_fd(ctx_);
    if (fd < 0) throw std::bad_alloc();
    return fd;
  }

  /** Call `fn` by `loop` (a host's, NULL, or CCTX_INLINE) unless the observer is destroyed
   *  first: keep it. std::invalid_argument for an empty function. */
  [[nodiscard]] observer on_done(cctx_loop *by, std::function<void(const ref &)> fn) const;

private:
  explicit ref(cctx *ctx) noexcept : ctx_(ctx) {}

  static bool changed(int result) {
    if (result < 0) throw std::logic_error("cctx: the context belongs to no session");
    return result == 1;
  }

  template <class F> void send(F *to, const char *name, std::string_view value) const {
    const char *text = value.data() ? value.data() : "";
    const struct cctx_metadata_pair pair = {CCTX_HOP, name, text, value.size()};
    switch (to(ctx_, &pair, 1, nullptr)) {
    case CCTX_OK: return;
    case CCTX_EINVAL: throw std::invalid_argument("cctx: not a name of metadata");
    case CCTX_ETOOBIG: throw std::length_error("cctx: metadata over its budget");
    case CCTX_ENOMEM: throw std::bad_alloc();
    default: throw std::logic_error("cctx: there is no response, or it has ended");
    }
  }

  cctx *ctx_; /* never null */
};

inline cctx::ref cctx::background() noexcept { return ref(); }
inline cctx::ref cctx::todo() noexcept { return ref::borrow(cctx_todo()); }
inline cctx::ref cctx::current() noexcept { return ref::adopt(cctx_current_ref()); }

#endif
