/* SPDX-License-Identifier: Apache-2.0 */
/* Observers: functions that are called when a context is done. */
#ifndef CCTX_CPP_OBSERVER_HPP
#define CCTX_CPP_OBSERVER_HPP

#include <cctx/cpp/ref.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

/* ---- Being told ------------------------------------------------------------------ */

/** A loop of the host's own. What is registered when it goes never runs. */
class cctx::loop {
public:
  loop() : loop_(cctx_loop_new()) {
    if (loop_ == nullptr) throw std::bad_alloc();
  }
  cctx_loop *get() const noexcept { return loop_.get(); }
  int fd() const {
    const int made = cctx_loop_fd(get());
    if (made < 0) throw std::bad_alloc();
    return made;
  }
  /** nullopt: nothing is expected. */
  std::optional<clock::time_point> next() const noexcept {
    return clock::from_ns(cctx_loop_next(get()));
  }
  std::size_t run() const noexcept { return cctx_loop_run(get(), cctx_now()); }

private:
  struct deleter {
    void operator()(cctx_loop *loop) const noexcept { cctx_loop_free(loop); }
  };
  std::unique_ptr<cctx_loop, deleter> loop_;
};

/** A registration. Destroyed, it prevents the callback, or waits until one that is running
 *  on another thread has returned: so what the function captures may go right after. From
 *  inside its own callback it does not wait. */
class [[nodiscard]] cctx::observer {
public:
  observer() noexcept = default;
  observer(observer &&other) noexcept = default;
  observer &operator=(observer &&other) noexcept {
    withdraw();
    fn_ = std::move(other.fn_);
    token_ = other.token_;
    return *this;
  }
  ~observer() { withdraw(); }

  /** Do what destruction does: whether this prevented the callback. */
  bool withdraw() noexcept {
    if (fn_ == nullptr) return false;
    const bool prevented = cctx_off_done_wait(&token_) == 1;
    fn_.reset();
    return prevented;
  }

private:
  friend class cctx::ref;
  using function = std::function<void(const ref &)>;

  /* The function may destroy this object and so what it is kept in: it is moved out. */
  static void call(cctx *ctx, void *memory) noexcept {
    const function fn = std::move(*static_cast<function *>(memory));
    fn(ref::borrow(ctx));
  }

  std::unique_ptr<function> fn_;
  cctx_observer token_{};
};

inline cctx::observer cctx::ref::on_done(cctx_loop *by,
                                         std::function<void(const ref &)> fn) const {
  if (!fn) throw std::invalid_argument("cctx: on_done needs a function, not an empty one");
  observer made;
  made.fn_ = std::make_unique<observer::function>(std::move(fn));
  if (cctx_on_done(ctx_, by, observer::call, made.fn_.get(), &made.token_) != CCTX_OK) {
    made.fn_.reset();
    throw std::bad_alloc();
  }
  return made;
}

#endif
