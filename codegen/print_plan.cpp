#include "codegen/print_plan.h"

#include <sstream>

#include "base/hash.h"
#include "codegen/kernels/schedule.h"
#include "codegen/scalar/ops.h"

namespace lapis {

const std::string& name_of(const Region& region) {
  return std::visit([](const auto& r) -> const std::string& { return r.name; }, region);
}

uint64_t Plan::hash() const {
  Hasher h;
  h.add(codegen::to_string(*this));
  for (const Step& step : steps)
    if (const auto* c = std::get_if<Contraction>(&step.region))
      h.add_bytes(c->taps.data(), c->taps.size() * sizeof(c->taps[0]));
  h.add_bytes(constants.data(), constants.size());
  for (const uint64_t weights : weight_hashes) h.add(weights);
  return h.value();
}

namespace codegen {
namespace {

void print_body(std::ostream& out, const std::vector<Instr>& body) {
  for (size_t i = 0; i < body.size(); ++i) out << "      %" << i << " = " << to_string(body[i]) << "\n";
}

void print(std::ostream& out, const Loop& loop, const Plan& plan) {
  out << "  loop over " << lapis::to_string(loop.domain);
  if (loop.reduced) out << ", the last " << loop.reduced << " inner";
  out << "\n";
  for (size_t i = 0; i < loop.views.size(); ++i)
    out << "    view " << i << ": " << to_string(loop.views[i], plan) << "\n";
  constexpr std::string_view kReduce[] = {"sum", "max", "min", "prod"};
  int number = 0;
  for (const Loop::Phase& phase : loop.phases) {
    out << "    " << (phase.over == Loop::Over::Row ? "row" : "inner") << "\n";
    print_body(out, phase.body);
    for (const Loop::Reduction& r : phase.reductions)
      out << "      r" << number++ << " = " << kReduce[static_cast<int>(r.kind)] << "(%" << r.value << ")\n";
    for (const Loop::Store& s : phase.stores) out << "      store %" << s.value << " -> view " << s.view << "\n";
  }
}

void print(std::ostream& out, const Contraction& c, const Plan& plan) {
  out << "  contraction " << lapis::name_of(c.a) << " x " << lapis::name_of(c.b) << ": " << c.pixels << " pixels, "
      << c.channels << " channels";
  if (c.groups != 1) out << " in " << c.groups << " groups";
  out << ", " << c.taps.size() << " taps of " << c.k << "\n";
  out << "    packed at";
  for (const int64_t offset : c.packed_offset) out << " " << offset;
  out << "\n    schedule " << kernels::to_string(c.schedule) << ", " << c.units << " units, zero point "
      << c.input_zero_point << "\n";
  out << "    in  " << to_string(c.input, plan) << "\n    out " << to_string(c.output, plan) << "\n";
  constexpr std::string_view kKinds[] = {" per channel: ", " per element: ", " per pixel: ", " table: "};
  for (size_t i = 0; i < c.operands.size(); ++i)
    out << "    operand " << i << kKinds[static_cast<size_t>(c.operands[i].kind)] << to_string(c.operands[i].view, plan)
        << "\n";
  if (c.computed) {
    out << "    weights of " << c.computed->batches << " batches in " << to_string(c.computed->panels, plan) << "\n";
    if (c.computed->starts) out << "    parameters in " << to_string(*c.computed->starts, plan) << "\n";
  }
  print_body(out, c.epilogue);
}

void print(std::ostream& out, const Call& call, const Plan& plan) {
  out << "  call " << call.routine;
  for (const int64_t parameter : call.parameters) out << " " << parameter;
  out << "\n";
  for (const View& view : call.inputs) out << "    in  " << to_string(view, plan) << "\n";
  for (const View& view : call.outputs) out << "    out " << to_string(view, plan) << "\n";
}

void print(std::ostream& out, const Branch& branch, const Plan& plan) {
  out << "  if " << to_string(branch.condition, plan) << "\n    else from step " << branch.otherwise
      << ", end before step " << branch.end << "\n";
}

void print(std::ostream& out, const Repeat& repeat, const Plan& plan) {
  out << "  repeat to before step " << repeat.end << ", counting in " << to_string(repeat.counter, plan) << "\n";
  if (repeat.trips) out << "    at most " << to_string(*repeat.trips, plan) << "\n";
  if (repeat.condition) out << "    while   " << to_string(*repeat.condition, plan) << "\n";
  for (const Repeat::Collection& c : repeat.collections)
    out << "    collect " << to_string(c.part, plan) << (c.backwards ? " backwards" : "") << " in "
        << to_string(c.all, plan) << (repeat.only_declared ? ", whose length is only declared\n" : "\n");
}

}  // namespace

std::string to_string(const Instr& i) {
  const scalar::Row& row = scalar::row_of(i.op);
  std::ostringstream out;
  out << lapis::name_of(i.type) << " " << row.name;
  for (int32_t arg : i.args)
    if (arg >= 0) out << " %" << arg;
  if (i.slot >= 0) out << " [" << i.slot << "]";
  if (row.immediates > 0) out << " " << lapis::to_string(i.imm);
  if (row.immediates > 1) out << ", " << lapis::to_string(i.imm2);
  return out.str();
}

std::string to_string(const View& v, const Plan& plan) {
  constexpr std::string_view kSpaces[] = {"constants", "weights", "arena", "input", "output"};
  const Buffer& b = plan.buffers[static_cast<size_t>(v.buffer)];
  std::ostringstream out;
  out << lapis::name_of(v.dtype) << lapis::to_string(v.shape) << " strides " << lapis::to_string(v.strides) << " at "
      << v.offset << " of " << b.name << " (" << kSpaces[static_cast<size_t>(b.space)] << " " << b.offset << ", "
      << b.bytes << " bytes)";
  return out.str();
}

std::string to_string(const Plan& plan) {
  std::ostringstream out;
  out << "plan for " << plan.target.to_string() << ", arena " << plan.arena_bytes << " bytes, constants "
      << plan.constants.size() << " bytes, weights " << plan.weights.size() << " bytes\n";
  for (const PlanIo& io : plan.inputs)
    out << "input " << io.name << ": " << lapis::name_of(io.dtype) << lapis::to_string(io.shape) << "\n";
  for (const PlanIo& io : plan.outputs)
    out << "output " << io.name << ": " << lapis::name_of(io.dtype) << lapis::to_string(io.shape) << "\n";
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    out << "step " << s << ": " << lapis::name_of(step.region) << " (" << step.op << ", " << step.precision << ")";
    for (const std::string& node : step.nodes) out << " " << node;
    out << "\n";
    std::visit([&](const auto& region) { print(out, region, plan); }, step.region);
  }
  return out.str();
}

}  // namespace codegen
}  // namespace lapis
