// SPDX-License-Identifier: Apache-2.0
// Asks libcctx through cctx.hpp, and stops by its exception.
#include <cctx.hpp>
#include <pybind11/pybind11.h>

namespace py = pybind11;

static std::string describe() {
  const cctx::ref ctx = cctx::current();
  const auto tenant = ctx.metadata("tenant");
  return std::string(tenant.value_or("nobody")) + (ctx.err() ? " stop" : " go on");
}

// Counts to `steps`, unless the request ends before.
static int render(int steps) {
  py::gil_scoped_release released;
  const cctx::ref ctx = cctx::current(); // the caller's, read as the GIL is let go
  for (int done = 0; done < steps; done++)
    if (ctx.err()) return done;
  return steps;
}

PYBIND11_MODULE(_work, module) {
  module.def("describe", &describe, "Whose request this is, and whether it goes on.");
  module.def("render", &render, py::arg("steps"), "How many of the steps were done.");
}
