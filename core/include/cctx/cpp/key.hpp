/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that know the type of their values. */
#ifndef CCTX_CPP_KEY_HPP
#define CCTX_CPP_KEY_HPP

#include <cctx/cpp/base.hpp>
#include <cctx/value.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

/* ---- How a T is stored ------------------------------------------------------------ */

/** Of use to cctx::key alone. Each has: the type `argument` that one stores, the type
 *  `result` that one reads, `variant` while it lives, and `read`. */
template <class T> class cctx::stored {
  static_assert(sizeof(T) == 0,
                "cctx::key<T>: T is bool, std::int64_t, double, std::string, "
                "std::string_view, U * or std::shared_ptr<U>");
};

template <> class cctx::stored<bool> {
public:
  using argument = bool;
  using result = bool;
  explicit stored(bool value) noexcept : variant(cctx_bool(value)) {}
  const cctx_variant variant;
  static std::optional<bool> read(const cctx_variant &from) noexcept {
    return from.type == CCTX_BOOL ? std::optional(from.as.b) : std::nullopt;
  }
};

template <> class cctx::stored<std::int64_t> {
public:
  using argument = std::int64_t;
  using result = std::int64_t;
  explicit stored(std::int64_t value) noexcept : variant(cctx_int(value)) {}
  const cctx_variant variant;
  static std::optional<std::int64_t> read(const cctx_variant &from) noexcept {
    return from.type == CCTX_INT ? std::optional(from.as.i) : std::nullopt;
  }
};

template <> class cctx::stored<double> {
public:
  using argument = double;
  using result = double;
  explicit stored(double value) noexcept : variant(cctx_double(value)) {}
  const cctx_variant variant;
  static std::optional<double> read(const cctx_variant &from) noexcept {
    return from.type == CCTX_DOUBLE ? std::optional(from.as.d) : std::nullopt;
  }
};

template <> class cctx::stored<std::string_view> {
public:
  using argument = std::string_view;
  using result = std::string_view;
  explicit stored(std::string_view text) noexcept
      : variant(cctx_bytes(text.data(), text.size())) {}
  const cctx_variant variant;
  static std::optional<std::string_view> read(const cctx_variant &from) noexcept {
    if (from.type != CCTX_STRING) return std::nullopt;
    return std::string_view(from.as.s.bytes, from.as.s.len);
  }
};

template <> class cctx::stored<std::string> : public cctx::stored<std::string_view> {
public:
  using result = std::string;
  using stored<std::string_view>::stored;
  static std::optional<std::string> read(const cctx_variant &from) {
    const auto text = stored<std::string_view>::read(from);
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
};

/** In a box with a count of its own: of the contexts, and of this object. */
template <class U> class cctx::stored<std::shared_ptr<U>> {
  struct box {
    std::shared_ptr<U> object;
    std::atomic<std::size_t> users;
  };
  static inline char tag; /* its address says that a pointer is a box of a U */

  static void retain(void *memory) noexcept {
    static_cast<box *>(memory)->users.fetch_add(1, std::memory_order_relaxed);
  }
  static void release(void *memory) noexcept {
    box *at = static_cast<box *>(memory);
    if (at->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete at;
  }

public:
  using argument = std::shared_ptr<U>;
  using result = std::shared_ptr<U>;
  explicit stored(argument object)
      : variant(cctx_pointer(new box{std::move(object), {1}}, retain, release, &tag)) {}
  stored(const stored &) = delete;
  stored &operator=(const stored &) = delete;
  ~stored() { release(variant.as.p.ptr); }
  const cctx_variant variant;
  static std::optional<result> read(const cctx_variant &from) noexcept {
    if (from.type != CCTX_POINTER || from.as.p.owner != &tag) return std::nullopt;
    return static_cast<const box *>(from.as.p.ptr)->object;
  }
};

template <class U> class cctx::stored<U *> : public cctx::stored<std::shared_ptr<U>> {
public:
  using result = U *;
  using stored<std::shared_ptr<U>>::stored;
  static std::optional<U *> read(const cctx_variant &from) noexcept {
    const auto object = stored<std::shared_ptr<U>>::read(from);
    return object ? std::optional<U *>(object->get()) : std::nullopt;
  }
};

/* ---- Keys ------------------------------------------------------------------------ */

/** A key whose values have the type T. A private key is a static object:
 *
 *     static cctx::key<std::string> session{"session"};
 *     static cctx::key<Session *> owner{"owner"};     // keeps a std::shared_ptr<Session>
 *     static const auto tenant = cctx::key<std::string>::named("tenant");
 *
 *  | T                     | is stored as  | and read as                        |
 *  |-----------------------|---------------|------------------------------------|
 *  | bool, int64_t, double | T             | T                                  |
 *  | std::string           | string_view   | a copy                             |
 *  | std::string_view      | string_view   | borrowed while a ref to it is held |
 *  | std::shared_ptr<U>    | shared_ptr<U> | another owner                      |
 *  | U *                   | shared_ptr<U> | borrowed while a ref to it is held |
 *
 *  A value of another type, which Lua or C may have stored under the same name, is
 *  absent; nothing is converted. An object belongs to C++: elsewhere it is opaque.
 *  Libraries that do not share the symbols of U do not see each other's objects. */
template <class T> class cctx::key {
public:
  /** Private. `name` is for people, and is kept: a literal. */
  constexpr explicit key(const char *name) noexcept : own_{name, 0, 0}, key_(nullptr) {}

  /** The key of this name in every language. std::invalid_argument for a name that is empty
   *  or too long; std::runtime_error where there is no room for it. */
  static key named(const char *name) {
    const std::size_t len = std::string_view(name).size();
    if (len == 0 || len > CCTX_KEY_NAME_MAX)
      throw std::invalid_argument("cctx: the name of a key must have 1 to 255 characters");
    cctx_key *found = cctx_key_named(name);
    if (found == nullptr)
      throw std::runtime_error("cctx: no room for one more name of a key, or no memory");
    return key(found);
  }

  key(const key &) = delete;
  key &operator=(const key &) = delete;

  cctx_key *get() const noexcept { return key_ != nullptr ? key_ : &own_; }

private:
  explicit key(cctx_key *found) noexcept : own_{nullptr, 0, 0}, key_(found) {}
  mutable cctx_key own_; /* the core writes its id */
  cctx_key *key_;        /* null: own_ */
};

#endif
