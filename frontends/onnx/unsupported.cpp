#include "frontends/onnx/unsupported.h"

#include <onnx/onnx_pb.h>

#include "frontends/onnx/import.h"
#include "frontends/onnx/schema.h"

namespace lapis::onnx_frontend {
namespace {

bool is_onnx(const std::string& op) { return op.find("::") == std::string::npos; }

std::string hint_for(const std::string& op) {
  if (op.starts_with("com.microsoft::"))
    return "this operator belongs to ONNX Runtime: import the model as it was before ONNX Runtime optimized it, or "
           "have it written in QDQ format";
  if (!is_onnx(op)) return "export the model without custom operators, or define this one by a function in the model";
  if (!find_schema(op, kNewestOpset, ""))
    return "ONNX has no such operator up to opset " + std::to_string(kNewestOpset) + "; check the domain of the node";
  return "cut the model before these nodes or export it without them";
}

}  // namespace

void UnsupportedOperators::add(const onnx::NodeProto& node, const std::string& where, const std::string& owner) {
  constexpr size_t kShown = 3;
  const bool onnx_domain = node.domain().empty() || node.domain() == "ai.onnx";
  Entry& entry = found_[onnx_domain ? node.op_type() : node.domain() + "::" + node.op_type()];
  if (entry.count++ == 0) entry.owner = owner;
  if (entry.first_nodes.size() < kShown) entry.first_nodes.push_back(where);
}

Diagnostics UnsupportedOperators::diagnostics() const {
  Diagnostics all;
  for (const auto& [op, entry] : found_) {
    Diagnostic d =
        error(ErrorKind::Unsupported, "operator " + op + " is not supported (" + std::to_string(entry.count) +
                                          (entry.count == 1 ? " node)" : " nodes)"));
    std::string names;
    for (const std::string& name : entry.first_nodes) names += (names.empty() ? "'" : ", '") + name + "'";
    d.note((entry.count > entry.first_nodes.size() ? "the first are " : "at ") + names);
    if (!entry.owner.empty()) d.note("it is part of how ONNX defines " + entry.owner);
    all.push_back(d.help(hint_for(op)));
  }
  return all;
}

}  // namespace lapis::onnx_frontend
