/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: what is undone where one ends. */
#ifndef CCTX_CPP_SCOPE_HPP
#define CCTX_CPP_SCOPE_HPP

#include <cctx/cpp/ref.hpp>

#include <new>
#include <utility>

/* ---- Blocks ---------------------------------------------------------------------- */

/** Makes a context current to the end of the block. */
class [[nodiscard]] cctx::scope {
public:
  explicit scope(const ref &ctx) {
    if (cctx_attach(ctx.get(), &token_) != CCTX_OK) throw std::bad_alloc();
  }
  scope(const scope &) = delete;
  scope &operator=(const scope &) = delete;
  ~scope() { cctx_detach(&token_); }

private:
  cctx_token token_;
};

/** Cancels a context at the end of the block: whatever still works for it stops. */
class [[nodiscard]] cctx::finish_guard {
public:
  explicit finish_guard(ref ctx, const char *file = __builtin_FILE(),
                        int line = __builtin_LINE()) noexcept
      : ctx_(std::move(ctx)), file_(file), line_(line) {}
  finish_guard(const finish_guard &) = delete;
  finish_guard &operator=(const finish_guard &) = delete;
  ~finish_guard() { cctx_finish_at(ctx_.release(), file_, line_); }

  const ref &operator*() const noexcept { return ctx_; }
  const ref *operator->() const noexcept { return &ctx_; }

private:
  ref ctx_;
  const char *file_;
  int line_;
};

#endif
