/* SPDX-License-Identifier: Apache-2.0 */
/* The backup store: sessions that end, bindings that are undone, and what is recovered. */
#ifndef CCTX_CPP_BACKUP_HPP
#define CCTX_CPP_BACKUP_HPP

#include <cctx/backup.h>
#include <cctx/cpp/ref.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

/* ---- The backup store -------------------------------------------------------------- */

/** Enters a handler, and leaves it at the end of the block. */
class [[nodiscard]] cctx::backup {
public:
  explicit backup(const ref &ctx, const char *file = __builtin_FILE(),
                  int line = __builtin_LINE())
      : file_(file), line_(line) {
    if (cctx_backup_enter_at(&backup_, ctx.get(), file, line) != CCTX_OK)
      throw std::bad_alloc();
  }
  backup(const backup &) = delete;
  backup &operator=(const backup &) = delete;
  ~backup() { cctx_backup_leave_at(&backup_, file_, line_); }

  /** Its session, for as long as the reference is kept. */
  ref context() const noexcept { return ref::borrow(backup_.ctx); }

private:
  struct cctx_backup backup_;
  const char *file_;
  int line_;
};

/** Sessions by ids of the host. Stays where it is made: its bindings point at it. */
class cctx::manager {
public:
  class binding;

  /** std::invalid_argument for options out of their bounds. */
  explicit manager(const struct cctx_manager_options &options = CCTX_MANAGER_OPTIONS) {
    switch (cctx_manager_new(&manager_, &options)) {
    case CCTX_OK: return;
    case CCTX_EINVAL: throw std::invalid_argument("cctx: options out of their bounds");
    default: throw std::bad_alloc();
    }
  }
  manager(const manager &) = delete;
  manager &operator=(const manager &) = delete;
  ~manager() { cctx_manager_close(manager_); }

  /** Keep what it returns: that unbinds. std::invalid_argument for what is no session. */
  [[nodiscard]] binding bind(std::uint64_t id, const ref &session);

  /** What was bound last; nullopt unless it is valid. */
  std::optional<ref> find(std::uint64_t id) const noexcept {
    cctx *found = cctx_manager_get(manager_, id, nullptr);
    return found ? std::optional(ref::adopt(found)) : std::nullopt;
  }

  std::size_t sweep() noexcept { return cctx_manager_sweep(manager_); }

  struct cctx_manager_stats stats() const noexcept {
    struct cctx_manager_stats out;
    ::cctx_manager_stats(manager_, &out);
    return out;
  }

  cctx_manager *get() const noexcept { return manager_; }

private:
  cctx_manager *manager_ = nullptr;
};

/** A session that is bound to an id until this goes, which is before its manager does. */
class [[nodiscard]] cctx::manager::binding {
public:
  binding(binding &&other) noexcept
      : manager_(other.manager_), id_(other.id_), serial_(other.release()) {}
  binding &operator=(binding &&other) noexcept {
    if (this == &other) return *this;
    unbind();
    manager_ = other.manager_;
    id_ = other.id_;
    serial_ = other.release();
    return *this;
  }
  ~binding() { unbind(); }

  /** Now: whether this call did. */
  bool unbind() noexcept {
    const std::uint64_t serial = release();
    return serial != 0 && cctx_manager_unbind(manager_, id_, serial) == CCTX_OK;
  }

  /** Leave it to cctx_manager_unbind with this serial, or to a sweep; 0: it was. */
  std::uint64_t release() noexcept { return std::exchange(serial_, 0); }

private:
  friend class manager;
  binding(cctx_manager *of, std::uint64_t id, std::uint64_t serial) noexcept
      : manager_(of), id_(id), serial_(serial) {}
  cctx_manager *manager_;
  std::uint64_t id_, serial_; /* 0: it is not bound */
};

inline cctx::manager::binding cctx::manager::bind(std::uint64_t id, const ref &session) {
  std::uint64_t serial = 0;
  switch (cctx_manager_bind(manager_, id, session.get(), &serial)) {
  case CCTX_OK: return binding(manager_, id, serial);
  case CCTX_EINVAL: throw std::invalid_argument("cctx: only a session can be bound");
  default: throw std::bad_alloc();
  }
}

inline std::optional<cctx::ref> cctx::current_session() noexcept {
  cctx *found = cctx_session_current(nullptr);
  return found ? std::optional(ref::adopt(found)) : std::nullopt;
}

inline cctx::ref cctx::recover(const ref &cur, const struct cctx_recovery &how,
                               struct cctx_recovered *result) {
  cctx *out = nullptr;
  const int status = cctx_recover(&out, nullptr, cur.get(), &how, result);
  if (status == CCTX_ENOMEM) throw std::bad_alloc();
  if (status != CCTX_OK) throw std::runtime_error("cctx: the handler of a recovery failed");
  return ref::adopt(out);
}

/** `decide` gets the session's context and the caller's, and returns what to recover to;
 *  nullopt: not to. What it throws comes out here. */
template <class F>
cctx::ref cctx::recover_if(const ref &cur, F &&decide, struct cctx_recovery how,
                           struct cctx_recovered *result) {
  struct call {
    std::remove_reference_t<F> *decide;
    std::exception_ptr thrown;
  } call = {&decide, nullptr};
  cctx *out = nullptr;
  how.arg = &call;
  how.handler = [](void *arg, cctx *prev, cctx *now, cctx **to) -> int {
    auto *self = static_cast<struct call *>(arg);
    try {
      std::optional<ref> decided = (*self->decide)(ref::borrow(prev), ref::borrow(now));
      if (decided) *to = decided->release();
      return decided ? 1 : 0;
    } catch (...) {
      self->thrown = std::current_exception();
      return CCTX_EINVAL;
    }
  };
  const int status = cctx_recover(&out, nullptr, cur.get(), &how, result);
  if (call.thrown) std::rethrow_exception(call.thrown);
  if (status != CCTX_OK) throw std::bad_alloc();
  return ref::adopt(out);
}

#endif
