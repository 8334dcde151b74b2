#include "codegen/object/steps_ir.h"

#include <algorithm>
#include <sstream>

#include "codegen/object/object_ir.h"

namespace lapis {
namespace {

bool is_code(const Step& step) {
  return std::holds_alternative<Loop>(step.region) || std::holds_alternative<Contraction>(step.region);
}

// Values and labels are numbered through; whatever outlives an iteration lies
// in stack slots that the entry block makes.
class BodyIr {
 public:
  explicit BodyIr(const Plan& plan) : plan_(plan) {}

  std::string text() {
    steps(0, static_cast<int>(plan_.steps.size()));
    return constants_.str() + "define internal void @$N_body(ptr %bases) #0 {\n" + slots_.str() + out_.str() +
           "  ret void\n}\n";
  }

 private:
  void steps(int first, int end) {
    for (next_ = first; next_ < end;) {
      const int step = next_++;
      const Region& region = plan_.steps[static_cast<size_t>(step)].region;
      std::visit([&](const auto& r) { act(step, end, r); }, region);
    }
  }

  // All functions up to the next decision.
  void act(int step, int end, const Loop&) { code(step, end); }
  void act(int step, int end, const Contraction&) { code(step, end); }
  void code(int step, int end) {
    while (next_ < end && is_code(plan_.steps[static_cast<size_t>(next_)])) ++next_;
    out_ << "  call void @$N_code_steps(ptr %bases, i64 " << step << ", i64 " << next_ << ")\n";
  }

  void act(int step, int, const Call& call) {
    const std::string operands = slot("[" + std::to_string(call.inputs.size() + call.outputs.size()) + " x ptr]"),
                      parameters = "@$N_parameters" + std::to_string(step);
    int64_t number = 0;
    for (const auto* views : {&call.inputs, &call.outputs})
      for (const View& view : *views) {
        const std::string at = value("getelementptr ptr, ptr " + operands + ", i64 " + std::to_string(number++));
        store("ptr", address(view), at);
      }
    constants_ << parameters << " = internal constant [" << call.parameters.size() << " x i64] [";
    for (size_t i = 0; i < call.parameters.size(); ++i) constants_ << (i ? ", " : "") << "i64 " << call.parameters[i];
    constants_ << "]\n";
    out_ << "  call void @$N_routine_" << call.routine << "(ptr " << operands << ", ptr " << parameters << ")\n";
  }

  void act(int, int, const Branch& branch) {
    const int first = next_;
    const std::string then = label("then"), otherwise = label("else"), behind = label("end");
    branch_if(holds(branch.condition), then, otherwise);
    begin(then);
    steps(first, branch.otherwise);
    go_to(behind);
    begin(otherwise);
    steps(branch.otherwise, branch.end);
    go_to(behind);
    begin(behind);
    next_ = branch.end;
  }

  void act(int, int, const Repeat& repeat) {
    const int first = next_;
    const std::string counter = slot("i64"), head = label("head"), body = label("body"), behind = label("end");
    const std::string trips =
        repeat.trips ? value("load i64, ptr " + address(*repeat.trips)) : std::to_string(INT64_MAX);
    store("i64", "0", counter);
    go_to(head);
    begin(head);
    const std::string number = value("load i64, ptr " + counter);
    const std::string more = value("icmp slt i64 " + number + ", " + trips);
    if (repeat.condition) {
      const std::string ask = label("ask");
      branch_if(more, ask, behind);
      begin(ask);
      branch_if(holds(*repeat.condition), body, behind);
    } else {
      branch_if(more, body, behind);
    }
    begin(body);
    store("i64", number, address(repeat.counter));
    steps(first, repeat.end);
    for (const Repeat::Collection& c : repeat.collections) collect(c, number);
    store("i64", value("add i64 " + number + ", 1"), counter);
    go_to(head);
    begin(behind);
    next_ = repeat.end;
  }

  // Slice `number` gets the bytes of the part, if there is such a slice.
  void collect(const Repeat::Collection& c, const std::string& number) {
    const int64_t bytes = byte_size(c.part.dtype, element_count(c.part.shape)), count = c.all.shape[0];
    const std::string copy = label("copy"), behind = label("end");
    branch_if(value("icmp slt i64 " + number + ", " + std::to_string(count)), copy, behind);
    begin(copy);
    const std::string slice = c.backwards ? value("sub i64 " + std::to_string(count - 1) + ", " + number) : number;
    const std::string offset = value("mul i64 " + slice + ", " + std::to_string(bytes));
    const std::string to = value("getelementptr i8, ptr " + address(c.all) + ", i64 " + offset), from = address(c.part);
    // Not llvm.memcpy, which may become a call of the library's.
    out_ << "  call { i64, i64, i64 } asm sideeffect \"rep movsb\", \"={di},={si},={cx},{di},{si},{cx},~{memory},"
            "~{dirflag},~{fpsr},~{flags}\"(ptr "
         << to << ", ptr " << from << ", i64 " << bytes << ")\n";
    go_to(behind);
    begin(behind);
  }

  std::string address(const View& view) {
    const Buffer& b = plan_.buffers[static_cast<size_t>(view.buffer)];
    const bool in_io = b.space == Space::Input || b.space == Space::Output;
    const int64_t within = view.offset * bit_width(view.dtype) / 8;
    const std::string at = value("getelementptr i64, ptr %bases, i64 " + std::to_string(base_of(b)));
    const std::string base = value("inttoptr i64 " + value("load i64, ptr " + at) + " to ptr");
    return value("getelementptr i8, ptr " + base + ", i64 " + std::to_string(within + (in_io ? 0 : b.offset)));
  }

  static size_t base_of(const Buffer& b) {
    using Kind = abi::Argument::Kind;
    switch (b.space) {
      case Space::Constant: return base_number(Kind::Constants);
      case Space::Weights: return base_number(Kind::Weights);
      case Space::Arena: return base_number(Kind::Arena);
      case Space::Input:
      case Space::Output: break;
    }
    return base_number(Kind::Io, static_cast<uint64_t>(b.offset));
  }

  std::string holds(const View& condition) {
    return value("icmp ne i8 " + value("load i8, ptr " + address(condition)) + ", 0");
  }

  std::string value(const std::string& instruction) {
    std::string name = "%v" + std::to_string(count_++);
    out_ << "  " << name << " = " << instruction << "\n";
    return name;
  }
  void store(const std::string& type, const std::string& what, const std::string& where) {
    out_ << "  store " << type << " " << what << ", ptr " << where << "\n";
  }
  std::string slot(const std::string& type) {
    std::string name = "%slot" + std::to_string(count_++);
    slots_ << "  " << name << " = alloca " << type << ", align 16\n";
    return name;
  }
  std::string label(const char* what) { return what + std::to_string(count_++); }
  void begin(const std::string& label) { out_ << label << ":\n"; }
  void go_to(const std::string& label) { out_ << "  br label %" << label << "\n"; }
  void branch_if(const std::string& condition, const std::string& yes, const std::string& no) {
    out_ << "  br i1 " << condition << ", label %" << yes << ", label %" << no << "\n";
  }

  const Plan& plan_;
  std::ostringstream constants_, slots_, out_;
  int next_ = 0, count_ = 0;
};

}  // namespace

bool has_control(const Plan& plan) { return !std::ranges::all_of(plan.steps, is_code); }

std::set<std::string> routines_of(const Plan& plan) {
  std::set<std::string> names;
  for (const Step& step : plan.steps)
    if (const auto* call = std::get_if<Call>(&step.region)) names.insert(call->routine);
  return names;
}

std::string body_ir(const Plan& plan) {
  std::string declared;
  for (const std::string& routine : routines_of(plan))
    declared += "declare dso_local void @$N_routine_" + routine + "(ptr, ptr)\n";
  return declared + BodyIr(plan).text();
}

}  // namespace lapis
