// What calls hand on (calls.h says what the reader makes of them).
#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {

Status hand_on(Translation& t) {
  if (t.input_count() < t.output_count()) return error(ErrorKind::Input, "gives fewer values than it should");
  for (size_t i = 0; i < t.output_count(); ++i) {
    if (t.node().outputs[i].empty()) continue;
    const frontend::SourceValue& x = t.input(i);
    if (x.constant.defined()) {
      t.set_constant(i, x.constant, x.quantization);
      continue;
    }
    const Layout layout = frontend::plain_layout(t, i);
    LAPIS_TRY(Value * value, t.stored(i, layout));
    LAPIS_TRY(value, t.add(ops::Identity, {value}));
    LAPIS_CHECK(t.set_stored(i, value, layout));
  }
  return ok();
}

}  // namespace lapis::tflite_frontend
