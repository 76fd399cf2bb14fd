/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: what is undone where one ends. */
#ifndef CCTX_CPP_SCOPE_HPP
#define CCTX_CPP_SCOPE_HPP

#include <cctx/cpp/ref.hpp>
#include <cctx/request.h>

#include <new>
#include <stdexcept>
#include <utility>

/* ---- Blocks ---------------------------------------------------------------------- */

/** Makes a context current to the end of the block. */
class [[nodiscard]] cctx::scope {
public:
  explicit scope(const ref &ctx, const char *file = __builtin_FILE(),
                 int line = __builtin_LINE())
      : file_(file), line_(line) {
    if (cctx_attach_at(ctx.get(), &token_, file, line) != CCTX_OK) throw std::bad_alloc();
  }
  scope(const scope &) = delete;
  scope &operator=(const scope &) = delete;
  ~scope() { cctx_detach_at(&token_, file_, line_); }

private:
  cctx_token token_;
  const char *file_;
  int line_;
};

/** Begins a request below a context, and ends it at the end of the block. What it begins
 *  with is derived before: request r{ctx.with_timeout(1s)}. */
class [[nodiscard]] cctx::request {
public:
  explicit request(const ref &parent, const char *file = __builtin_FILE(),
                   int line = __builtin_LINE())
      : file_(file), line_(line) {
    if (cctx_request_begin_at(&request_, parent.get(), nullptr, file, line) != CCTX_OK)
      throw std::bad_alloc();
  }
  /** std::invalid_argument, std::length_error for its metadata. */
  request(const ref &parent, const struct cctx_request_options &options,
          const char *file = __builtin_FILE(), int line = __builtin_LINE())
      : file_(file), line_(line) {
    switch (cctx_request_begin_at(&request_, parent.get(), &options, file, line)) {
    case CCTX_OK: return;
    case CCTX_EINVAL: throw std::invalid_argument("cctx: not a name of metadata");
    case CCTX_ETOOBIG: throw std::length_error("cctx: metadata over its budget");
    default: throw std::bad_alloc();
    }
  }
  request(const request &) = delete;
  request &operator=(const request &) = delete;
  ~request() { cctx_request_end_at(&request_, file_, line_); }

  /** Its context, for as long as the reference is kept. */
  ref context() const noexcept { return ref::borrow(request_.ctx); }

private:
  struct cctx_request request_;
  const char *file_;
  int line_;
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
