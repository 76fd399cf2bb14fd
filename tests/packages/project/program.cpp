// SPDX-License-Identifier: Apache-2.0
// The same in C++, by the header that lies beside the C headers.
#include <cctx.hpp>
#include <iostream>

int main() {
  const auto tenant = cctx::key<std::string>::named("tenant");
  {
    cctx::scope scope{cctx::background().with_value(tenant, "acme")};
    std::cout << cctx::current().value(tenant).value_or("nobody") << " of "
              << cctx_version() << "\n";
  }
  return cctx_alive() != 0;
}
