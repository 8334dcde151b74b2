#include "ir/ops/ops.h"

namespace lapis {

// Explicit, so that nothing depends on which object files a static linker keeps.
const std::vector<const OpDef*>& all_ops() {
  using namespace ops;
  static const std::vector<const OpDef*> kAll = {
      &LogSoftmax,
      &Softmax,
  };
  return kAll;
}

}  // namespace lapis
