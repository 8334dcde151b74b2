#include "tests/random/graphs/propose.h"

#include <cmath>
#include <limits>

namespace lapis::random_graphs {
namespace {

// Attributes whose values are words.
const std::map<std::string_view, std::vector<std::string>>& words() {
  static const std::map<std::string_view, std::vector<std::string>> kWords = {
      {"approximate", {"none", "tanh"}},
      {"auto_pad", {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}},
      {"coordinate_transformation_mode",
       {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"}},
      {"direction", {"LEFT", "RIGHT"}},
      {"keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}},
      {"mode", {"constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "DCR", "CRD"}},
      {"nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}},
      {"reduction", {"none", "add", "mul", "min", "max"}},
      {"round_mode", {"up", "down", "nearest"}}};
  return kWords;
}

std::optional<Attribute> draw_attribute(Random& random, const AttrDef& attribute) {
  switch (attribute.kind) {
    case AttrKind::Int:
      if (random.chance(2)) return Attribute(random.one_of({-1, 2, INT64_MAX, INT64_MIN}));
      return Attribute(random.between(0, 1));
    case AttrKind::Float: {
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      if (random.chance(90)) return Attribute(random.pick<float>({0, 1, -1, 0.5f, 0.1f, 2, -0.25f, 1e-5f, 3}));
      return Attribute(random.pick<float>({NAN, kInfinity, -kInfinity, -0.0f, 1e30f, 1e-40f}));
    }
    case AttrKind::String: {
      const auto known = words().find(attribute.name);
      if (known == words().end()) return std::nullopt;
      return Attribute(random.chance(2) ? std::string("nonsense") : random.pick(known->second));
    }
    default: return std::nullopt;
  }
}

// Operands of one type that broadcast against the first.
std::optional<Proposal> propose_generic(Draft& d, const OpDef& op) {
  Proposal p;
  if (op.inputs.empty()) return std::nullopt;
  TypeSet types = op.inputs[0].types;
  for (const OperandDef& operand : op.inputs)
    if (types & operand.types) types &= operand.types;
  Value* first = d.some(types);
  if (!first) return std::nullopt;
  size_t count = op.inputs.size();
  if (op.inputs.back().variadic) count = static_cast<size_t>(d.random.between(1, 4));
  for (size_t i = 0; i < count; ++i) {
    const OperandDef& operand = op.input(i);
    if (operand.optional && d.random.chance(30))
      p.inputs.push_back(nullptr);
    else if (i == 0)
      p.inputs.push_back(first);
    else
      p.inputs.push_back(allows(operand.types, first->dtype())
                             ? d.like(first->dtype(), draw_partner(d.random, first->type().shape()))
                             : d.some(operand.types));
    if (i > 0 && !operand.optional && !p.inputs.back()) return std::nullopt;
  }
  if (!p.inputs[0]) p.inputs[0] = first;
  if (d.random.chance(15) && count == 2) std::swap(p.inputs[0], p.inputs[1]);
  p.attributes = draw_attributes(d, op);
  p.outputs = op.outputs.size();
  return p;
}

ProposerTable all_tables() {
  ProposerTable all;
  for (const auto& table : {contraction_proposers, movement_proposers, indexing_proposers, reduction_proposers,
                            elementwise_proposers, control_flow_proposers, recurrent_proposers})
    all.merge(table());
  return all;
}

void spoil_attribute(Random& random, const OpDef& op, Proposal& p) {
  if (op.attributes.empty()) return;
  const AttrDef& a = random.pick(op.attributes);
  if (random.chance(20)) {
    p.attributes.erase(std::string(a.name));
  } else if (a.kind == AttrKind::Int) {
    p.attributes[std::string(a.name)] = random.one_of({-1, 0, 2, 7, 100, -100, INT64_MAX, INT64_MIN, int64_t{1} << 31});
  } else if (a.kind == AttrKind::Ints) {
    std::vector<int64_t> values = draw_ints(random, random.below(6), -2, 9);
    if (!values.empty() && random.chance(30)) values[0] = random.one_of({INT64_MAX, INT64_MIN, int64_t{1} << 32});
    p.attributes[std::string(a.name)] = std::move(values);
  } else if (a.kind == AttrKind::String) {
    p.attributes[std::string(a.name)] = std::string("nonsense");
  } else if (a.kind == AttrKind::Float) {
    p.attributes[std::string(a.name)] = std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace

const ProposerTable& proposers() {
  static const ProposerTable kAll = all_tables();
  return kAll;
}

std::optional<Proposal> propose(Draft& draft, const OpDef& op) {
  const auto row = proposers().find(op.name);
  return row == proposers().end() ? propose_generic(draft, op) : row->second(draft, op);
}

std::optional<Proposal> propose_spoiled(Draft& draft, const OpDef& op) {
  auto p = propose(draft, op);
  if (!p) return p;
  Random& random = draft.random;
  switch (random.between(0, 4)) {
    case 0: spoil_attribute(random, op, *p); break;
    case 1:
      if (!p->inputs.empty()) p->inputs[random.below(p->inputs.size())] = draft.some(kAnyType & ~types(DType::String));
      break;
    case 2: p->inputs.push_back(draft.some(kNumbers)); break;
    case 3:
      if (!p->inputs.empty()) p->inputs.pop_back();
      break;
    default:
      if (!p->inputs.empty() && p->inputs.back())
        p->inputs.back() = draft.fresh(p->inputs.back()->dtype(), draw_shape(random, 0, 5));
  }
  return p;
}

Attributes draw_attributes(Draft& draft, const OpDef& op) {
  Attributes attributes;
  for (const AttrDef& a : op.attributes)
    if (a.required || draft.random.chance(50))
      if (auto value = draw_attribute(draft.random, a)) attributes.emplace(a.name, *std::move(value));
  return attributes;
}

int64_t draw_axis(Random& random, int64_t rank) {
  if (rank == 0 || random.chance(2)) return random.one_of({0, -1, rank, -rank - 1});
  return random.between(-rank, rank - 1);
}

std::vector<int64_t> draw_ints(Random& random, size_t count, int64_t lowest, int64_t highest) {
  std::vector<int64_t> values(count);
  for (int64_t& value : values) value = random.between(lowest, highest);
  return values;
}

}  // namespace lapis::random_graphs
