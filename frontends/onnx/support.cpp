#include "frontends/onnx/support.h"

#include <onnx/defs/schema.h>

#include <algorithm>

#include "frontends/onnx/definitions/definition.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/nodes.h"
#include "frontends/onnx/schema.h"
#include "frontends/onnx/sequences.h"
#include "ir/op.h"

namespace lapis::onnx_frontend {
namespace {

using frontend::Support;
using frontend::SupportedOperator;

std::string full_name(const std::string& domain, std::string_view op) {
  return domain.empty() ? std::string(op) : domain + "." + std::string(op);
}

SupportedOperator support_of(const onnx::OpSchema& schema) {
  const std::string domain = plain_domain(schema.domain());
  SupportedOperator op{.op = full_name(domain, schema.Name())};
  op.newest = schema.since_version();
  if (find_op(schema.Name(), domain)) {
    op.says = schema.Name();
  } else if (domain.empty() && is_sequence_operator(schema.Name())) {
    op.how = Support::Resolved;
    op.says = "tensors, where sequences and optionals are resolved";
  } else if (has_function(schema) || definitions::find(domain, schema.Name())) {
    op.how = Support::Resolved;
    op.says = "the operators of its definition";
  } else {
    op.how = Support::Refused;
    op.says = "Lapis has no record of it";
  }
  return op;
}

}  // namespace

std::vector<SupportedOperator> operators() {
  std::vector<SupportedOperator> all;
  for (const onnx::OpSchema& schema : onnx::OpSchemaRegistry::get_all_schemas())
    if (!schema.deprecated()) all.push_back(support_of(schema));
  for (const definitions::Definition* d : definitions::all())
    if (!find_schema(std::string(d->op()), kNewestOpset, std::string(d->domain)))
      all.push_back({.op = full_name(std::string(d->domain), d->op()),
                     .how = Support::Resolved,
                     .says = "the operators of its definition"});
  all.push_back(
      {.op = "com.microsoft.MatMulNBits", .how = Support::Resolved, .says = "DequantizeLinear of blocks and MatMul"});
  for (const OpDef* record : all_ops())
    if (!find_schema(std::string(record->name), kNewestOpset, std::string(record->domain)))
      all.push_back({.op = full_name(std::string(record->domain), record->name), .says = std::string(record->name)});
  std::ranges::sort(all, {}, &SupportedOperator::op);
  return all;
}

}  // namespace lapis::onnx_frontend
