// The table of rows, and the one place that refuses a node.
#include <algorithm>
#include <unordered_map>

#include "codegen/lower/fuse.h"
#include "codegen/lower/host_call.h"
#include "codegen/lower/lowering.h"
#include "codegen/lower/op_lowering.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

OpLowerings all_rows() {
  OpLowerings rows;
  for (auto* family : {activation_rows, along_axis_rows, arithmetic_rows, control_flow_rows, convolution_rows,
                       copy_rows, gather_rows, logic_rows, matrix_product_rows, normalization_rows, pooling_rows,
                       quantization_rows, reduction_rows, resize_rows, softmax_rows, transcendental_rows, view_rows})
    for (OpLowering& row : family()) rows.push_back(std::move(row));
  return rows;
}

const std::unordered_map<const OpDef*, OpLowering>& table() {
  static const auto kTable = [] {
    std::unordered_map<const OpDef*, OpLowering> table;
    for (OpLowering& row : all_rows()) {
      const OpDef* op = row.op;
      LAPIS_ASSERT(table.try_emplace(op, std::move(row)).second, "two rows for " << op->name);
    }
    return table;
  }();
  return kTable;
}

bool has_elements_in_code(DType type) {
  return visit_dtype(type, [](auto) {});
}

Status check_values(const Node& node) {
  for (const std::vector<Value*>& values : {node.inputs(), node.outputs()})
    for (const Value* v : values) {
      if (!v) continue;
      const std::string type = v->type().to_string();
      if (!v->type().is_tensor()) return refuse("values of type " + type);
      if (!v->type().is_static())
        return refuse("the shape of '" + v->name() + "', " + type + ", is not known when compiling");
      if (!has_elements_in_code(v->dtype())) return refuse("tensors of " + std::string(name_of(v->dtype())));
    }
  return ok();
}

// Results without elements need storage that others can point to, and no code.
const Form kNothing{Role::Call, [](Lowering& l, const FusedRegion& region) { l.declare_results(*region.anchor); }};

bool has_elements(const Node& node) {
  return std::ranges::any_of(node.outputs(), [](const Value* v) { return v && element_count(v->type().shape()) > 0; });
}

Status check_constants(const Node& node, OperandMask mask) {
  for (size_t i = 0; i < node.inputs().size(); ++i)
    if (in_mask(mask, i) && node.input(i) && !node.input(i)->is_constant())
      return refuse(name_of_operand(node, i) + " is not constant");
  return ok();
}

}  // namespace

OpLowering& OpLowering::contraction(LegalFn legal, const Product& operands) {
  product = operands;
  return form({Role::Contraction, lower_contraction, legal});
}

OpLowering& OpLowering::scalar(Translate t, LegalFn legal) {
  translate = t;
  return form({Role::Scalar, lower_elementwise, legal}).follows();
}

OpLowering& OpLowering::view(ViewFn results) { return form({Role::View, lower_view}).keeps(results); }

const OpLowering* row_of(const OpDef& op) {
  const auto it = table().find(&op);
  return it == table().end() ? nullptr : &it->second;
}

Result<const Form*> form_of(const Node& node) {
  LAPIS_CHECK(check_values(node));
  if (!has_elements(node)) return &kNothing;
  const OpLowering* row = row_of(node);
  if (!row && !node.op().domain.empty()) return refuse("operators of domain '" + std::string(node.op().domain) + "'");
  if (!row) return refuse("no code generation for this operator yet");
  LAPIS_CHECK(check_constants(node, row->constant));
  Status why = ok();
  for (const Form& form : row->forms) {
    why = form.legal ? form.legal(node) : ok();
    if (why.ok()) return &form;
  }
  return why.diagnostics().front();
}

const Form* host_form_of(const Node& node) {
  static const Form kHost{Role::Call, lower_host_call};
  return can_be_called(node) && check_values(node).ok() ? &kHost : nullptr;
}

// ConvTranspose, DynamicQuantizeLinear, Einsum, GRU, LSTM and RNN are other operators after the pass `expand`,
// but where it says why not.
const std::vector<const OpDef*>& ops_without_code() {
  static const std::vector<const OpDef*> kOps = {&ops::ArgMax,
                                                 &ops::ArgMin,
                                                 &ops::Compress,
                                                 &ops::Constant,
                                                 &ops::ConstantOfShape,
                                                 &ops::ConvTranspose,
                                                 &ops::Dropout,
                                                 &ops::DynamicQuantizeLinear,
                                                 &ops::Einsum,
                                                 &ops::EyeLike,
                                                 &ops::GRU,
                                                 &ops::GatherElements,
                                                 &ops::GatherND,
                                                 &ops::GroupNormalization,
                                                 &ops::LRN,
                                                 &ops::LSTM,
                                                 &ops::NonMaxSuppression,
                                                 &ops::NonZero,
                                                 &ops::OneHot,
                                                 &ops::RNN,
                                                 &ops::Range,
                                                 &ops::ScatterElements,
                                                 &ops::ScatterND,
                                                 &ops::ShapeOf,
                                                 &ops::Size,
                                                 &ops::Trilu};
  return kOps;
}

bool has_window(const Node& node) {
  const OpLowering* row = row_of(node);
  return row && row->padding;
}

int64_t channel_axis(const Node& contraction) {
  return has_window(contraction) ? 1 : contraction.output()->type().rank() - 1;
}

Diagnostic refuse(std::string reason, std::string help) {
  return error(ErrorKind::Unsupported, std::move(reason)).help(std::move(help));
}

std::string name_of_operand(const Node& node, size_t i) {
  return "operand '" + std::string(node.op().input(i).name) + "'";
}

bool constant_scalar_or_absent(const Value* v) { return !v || scalar_constant(v).has_value(); }

bool zero_or_absent(const Value* v) {
  if (!v) return true;
  if (!v->is_constant()) return false;
  const Tensor& t = v->constant();
  for (int64_t i = 0; i < t.size(); ++i)
    if (t.as_double(i) != 0) return false;
  return true;
}

Status constant_scalars(const Node& node, std::initializer_list<size_t> which) {
  for (size_t i : which)
    if (!constant_scalar_or_absent(node.input(i)))
      return refuse(name_of_operand(node, i) + " is not one constant number");
  return ok();
}

}  // namespace lapis::codegen
