/* SPDX-License-Identifier: Apache-2.0 */
/* cctx for C++17: the C functions with owners, types and exceptions, in headers alone.
 *
 *     static cctx::key<std::string> session{"session"};
 *
 *     cctx::finish_guard ctx{cctx::current().with_timeout(200ms)};
 *     cctx::scope scope{ctx->with_value(session, "s-17")};
 *     handle(request);         // anywhere below: cctx::current(), cctx_current()
 *
 *     cctx::current().check(); // throws cctx::deadline_exceeded, or cctx::canceled
 *
 * C took the name `cctx` for a type, so C++ cannot have it for a namespace: what is here is
 * nested in that type. It is a layer without a state of its own; C functions take `.get()`.
 * What a function does is said at its C namesake in cctx.h; here is what differs.
 *
 *   Ownership  A cctx::ref holds one reference, and is never empty. A scope detaches, a
 *              finish_guard cancels, an observer withdraws where its block ends.
 *   Threads    As in C. One ref, observer or loop object is used by one thread at a time.
 *   Errors     Lack of memory is std::bad_alloc. Each function names what else it throws;
 *              one marked noexcept throws nothing. After an exception all is as it was.
 *   Callbacks  What leaves one by an exception ends the process (std::terminate): below it
 *              are frames of C.
 *   Time       Any std::chrono::duration; what does not fit in 64 bits of ns saturates.
 */
#ifndef CCTX_HPP
#define CCTX_HPP

#include <cctx.h>

#include <cctx/cpp/base.hpp>     /* the names, and a clock of the standard's kind */
#include <cctx/cpp/error.hpp>    /* cctx::canceled, cctx::deadline_exceeded */
#include <cctx/cpp/key.hpp>      /* cctx::key<T> */
#include <cctx/cpp/ref.hpp>      /* cctx::ref: derive, cancel, ask */
#include <cctx/cpp/scope.hpp>    /* cctx::scope, request, finish_guard */
#include <cctx/cpp/observer.hpp> /* cctx::loop, cctx::observer */
#include <cctx/cpp/backup.hpp>   /* cctx::backup, manager, recover */

#endif
