/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: that a context is done. */
#ifndef CCTX_CPP_ERROR_HPP
#define CCTX_CPP_ERROR_HPP

#include <cctx/cpp/base.hpp>

#include <cstdio>
#include <exception>
#include <string_view>

/* ---- Exceptions ------------------------------------------------------------------ */

/** What cctx::ref::check throws: the cause, copied. */
class cctx::canceled : public std::exception {
public:
  explicit canceled(const struct ::cctx_cause &cause) noexcept
      : status_(cause.status), line_(cause.line), time_(clock::duration(cause.time)) {
    const char *plain = cctx_status_message(cause.status);
    std::snprintf(message_, sizeof message_, "%s", cause.message);
    std::snprintf(file_, sizeof file_, "%s", cause.file);
    if (std::string_view(plain) == message_)
      std::snprintf(what_, sizeof what_, "%s", plain);
    else
      std::snprintf(what_, sizeof what_, "%s: %s", plain, message_);
  }

  /** "context canceled: MESSAGE", without a message that says no more. */
  const char *what() const noexcept override { return what_; }

  /** As in struct cctx_cause. */
  int status() const noexcept { return status_; }
  const char *message() const noexcept { return message_; }
  const char *file() const noexcept { return file_; }
  int line() const noexcept { return line_; }
  clock::time_point time() const noexcept { return time_; }

private:
  int status_, line_;
  clock::time_point time_;
  char message_[CCTX_MESSAGE_MAX], file_[CCTX_FILE_MAX], what_[CCTX_MESSAGE_MAX + 64];
};

/** The deadline passed: also a kind of canceled, as in Python. */
class cctx::deadline_exceeded : public cctx::canceled {
public:
  using canceled::canceled;
};

#endif
