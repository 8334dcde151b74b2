// Instead of primitive.cpp in builds without oneDNN.
#include "codegen/onednn/row.h"

namespace lapis::onednn {

std::optional<kernels::Misfit> fits(const kernels::Kernel& kernel, const Contraction&) {
  return kernels::Misfit{"this build of Lapis is without oneDNN, which " + std::string(kernel.name) + " needs",
                         "choose another kernel, or build Lapis where CMake finds oneDNN (`./dev setup` installs it)"};
}

int64_t most_splits(const Contraction&) { return 1; }

Result<kernels::LibraryKernel> bind(const Contraction& c) {
  LAPIS_UNREACHABLE("'" << c.name << "' is bound to a library that is not there");
}

}  // namespace lapis::onednn
