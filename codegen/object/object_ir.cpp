#include "codegen/object/object_ir.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "base/hash.h"
#include "base/host.h"
#include "codegen/object/steps_ir.h"
#include "runtime/abi.h"

namespace lapis {
namespace {

// $N in a template is the object's name.
std::string filled(std::string_view text, const std::string& name) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) != "$N") {
      result += text[i];
      continue;
    }
    result += name;
    ++i;
  }
  return result;
}

// Writes a function that answers whether the processor and the operating system have what some code needs.
class SupportedIr {
 public:
  std::string text(const Requirements& needed) {
    out_ << "define i32 @$N_supported() #0 {\n";
    cpuid(0, 0);
    out_ << "  %highest = extractvalue { i32, i32, i32, i32 } %leaf" << leaves_
         << ", 0\n  %has7 = icmp uge i32 %highest, 7\n";
    branch("%has7");
    for (const CpuidMask& mask : needed.cpuid) {
      if (mask.leaf > 1) require_state(needed.xcr0);  // leaf 1 said that it can be asked
      require(mask);
    }
    if (needed.tiles) require_tiles();
    out_ << "  ret i32 1\nno:\n  ret i32 0\n}\n";
    return out_.str();
  }

 private:
  // Asks a leaf, unless it was the last one asked.
  void cpuid(uint32_t leaf, uint32_t subleaf) {
    if (std::exchange(asked_, std::pair(leaf, subleaf)) == std::pair(leaf, subleaf)) return;
    out_ << "  %leaf" << ++leaves_
         << " = call { i32, i32, i32, i32 } asm sideeffect \"cpuid\", "
            "\"={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}\"(i32 "
         << leaf << ", i32 " << subleaf << ")\n";
  }

  void branch(const std::string& condition) {
    const std::string label = "check" + std::to_string(++checks_);
    out_ << "  br i1 " << condition << ", label %" << label << ", label %no\n" << label << ":\n";
  }

  void require(const CpuidMask& mask) {
    cpuid(mask.leaf, mask.subleaf);
    const auto reg = static_cast<int>(mask.reg);
    const auto bits = static_cast<int32_t>(mask.bits);
    const std::string v = std::to_string(leaves_) + "_" + std::to_string(reg);
    out_ << "  %reg" << v << " = extractvalue { i32, i32, i32, i32 } %leaf" << leaves_ << ", " << reg << "\n  %and" << v
         << " = and i32 %reg" << v << ", " << bits << "\n  %ok" << v << " = icmp eq i32 %and" << v << ", " << bits
         << "\n";
    branch("%ok" + v);
  }

  void require_state(uint64_t bits) {
    if (std::exchange(state_is_known_, true)) return;
    out_ << "  %state = call { i32, i32 } asm sideeffect \"xgetbv\", "
            "\"={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}\"(i32 0)\n  %xcr0 = extractvalue { i32, i32 } %state, 0\n"
         << "  %xand = and i32 %xcr0, " << bits << "\n  %xok = icmp eq i32 %xand, " << bits << "\n";
    branch("%xok");
  }

  void require_tiles() {
    cpuid(kTilePaletteLeaf, 0);
    out_ << "  %palettes = extractvalue { i32, i32, i32, i32 } %leaf" << leaves_
         << ", 0\n  %some = icmp ne i32 %palettes, 0\n";
    branch("%some");
    out_ << "  %granted = call i64 asm sideeffect \"syscall\", "
            "\"={ax},{ax},{di},{si},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}\"(i64 158, i64 "
         << kRequestPermission << ", i64 " << kTileData << ")\n  %grant = icmp eq i64 %granted, 0\n";
    branch("%grant");
  }

  std::ostringstream out_;
  std::pair<uint32_t, uint32_t> asked_{UINT32_MAX, 0};
  int leaves_ = 0, checks_ = 0;
  bool state_is_known_ = false;
};

constexpr size_t kFirstIo = base_number(abi::Argument::Kind::Io);

// The addresses of all bases, on the stack.
std::string bases_ir(const Plan& plan) {
  std::ostringstream out;
  const size_t inputs = plan.inputs.size(), count = inputs + plan.outputs.size();
  out << "  %bases = alloca [" << kFirstIo + count
      << " x i64], align 16\n  %status = alloca i32, align 4\n  store i32 0, ptr %status\n";
  const auto store = [&](size_t base, const std::string& pointer) {
    out << "  %word" << base << " = ptrtoint ptr " << pointer << " to i64\n  %base" << base
        << " = getelementptr i64, ptr %bases, i64 " << base << "\n  store i64 %word" << base << ", ptr %base" << base
        << "\n";
  };
  store(0, "null");
  store(1, "%status");
  store(2, "@$N_constants");
  store(3, "@$N_weights");
  store(4, "%arena");
  for (size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    out << "  %from" << i << " = getelementptr ptr, ptr " << (i < inputs ? "%inputs" : "%outputs") << ", i64 "
        << (i < inputs ? i : i - inputs) << "\n  %p" << i << " = load ptr, ptr %from" << i << "\n";
    store(kFirstIo + i, "%p" + number);
  }
  return out.str();
}

// Calls the code of a step with its block, which is made on the stack.
std::string call_ir(const CodeImage& image) {
  size_t most = 1;
  for (const CodeImage::Symbol& s : image.symbols) most = std::max(most, s.arguments.size());
  std::ostringstream out;
  out << "define internal void @$N_call(i64 %step, i64 %begin, i64 %end, ptr %bases) #0 {\n  %block = alloca [" << most
      << R"( x i64], align 16
  %row = getelementptr [4 x i64], ptr @$N_steps, i64 %step
  %offset = load i64, ptr %row
  %first_at = getelementptr i64, ptr %row, i64 2
  %first = load i64, ptr %first_at
  %count_at = getelementptr i64, ptr %row, i64 3
  %count = load i64, ptr %count_at
  br label %next
next:
  %w = phi i64 [ 0, %0 ], [ %following, %word ]
  %more = icmp ult i64 %w, %count
  br i1 %more, label %word, label %call
word:
  %number = add i64 %first, %w
  %argument = getelementptr [2 x i64], ptr @$N_arguments, i64 %number
  %base = load i64, ptr %argument
  %base_at = getelementptr i64, ptr %bases, i64 %base
  %address = load i64, ptr %base_at
  %value_at = getelementptr i64, ptr %argument, i64 1
  %value = load i64, ptr %value_at
  %sum = add i64 %address, %value
  %to = getelementptr i64, ptr %block, i64 %w
  store i64 %sum, ptr %to
  %following = add i64 %w, 1
  br label %next
call:
  %function = getelementptr i8, ptr @$N_code, i64 %offset
  call void %function(ptr %block, i64 %begin, i64 %end)
  ret void
}
)";
  return out.str();
}

// 3 instead of abi::kIndexOutOfRange: 1 and 2 are taken by what only this API can report.
constexpr std::string_view kReturnStatus = R"(
  %fault = load i32, ptr %status
  %clean = icmp eq i32 %fault, 0
  %result = select i1 %clean, i32 0, i32 3
  ret i32 %result
misaligned:
  ret i32 1
)";

constexpr std::string_view kCheckAlignment = R"(
  %address = ptrtoint ptr %arena to i64
  %low = and i64 %address, 63
  %aligned = icmp eq i64 %low, 0
)";

constexpr std::string_view kSomeUnits = R"(  call void @$N_call(i64 %phase, i64 %begin, i64 %end, ptr %bases)
)";
constexpr std::string_view kAllUnits = R"(  %some = icmp slt i64 %begin, %end
  br i1 %some, label %all, label %done
all:
  call void @$N_body(ptr %bases)
  br label %done
done:
)";

// The functions [first, end) of the plan.
constexpr std::string_view kCodeSteps = R"(define internal void @$N_code_steps(ptr %bases, i64 %first, i64 %end) #0 {
entry:
  br label %next
next:
  %step = phi i64 [ %first, %entry ], [ %following, %do ]
  %more = icmp ult i64 %step, %end
  br i1 %more, label %do, label %done
do:
  %row = getelementptr [4 x i64], ptr @$N_steps, i64 %step
  %place = getelementptr i64, ptr %row, i64 1
  %units = load i64, ptr %place
  call void @$N_call(i64 %step, i64 0, i64 %units, ptr %bases)
  %following = add i64 %step, 1
  br label %next
done:
  ret void
}
)";

// A part of one function, or all steps where somebody must decide between them.
std::string run_units_ir(const Plan& plan) {
  std::ostringstream out;
  out << "define i32 @$N_run_units(i64 %phase, i64 %begin, i64 %end, ptr %inputs, ptr %outputs, ptr %arena) #0 {\n"
      << bases_ir(plan) << kCheckAlignment << R"(  br i1 %aligned, label %work, label %misaligned
work:
)" << (has_control(plan) ? kAllUnits : kSomeUnits)
      << kReturnStatus << "}\n";
  return out.str();
}

// The CPU is checked once an arena: a note of it lies behind the plan's part.
// CPUID traps into hypervisors and costs microseconds.
std::string run_ir(const Plan& plan, uint64_t note) {
  std::ostringstream out;
  out << "define i32 @$N_run(ptr %inputs, ptr %outputs, ptr %arena) #0 {\n"
      << bases_ir(plan) << kCheckAlignment
      << "  br i1 %aligned, label %check, label %misaligned\ncheck:\n  %note = getelementptr i8, ptr %arena, i64 "
      << plan.arena_bytes << "\n  %noted = load i64, ptr %note\n  %known = icmp eq i64 %noted, "
      << static_cast<int64_t>(note) << R"(
  br i1 %known, label %work, label %ask
ask:
  %answer = call i32 @$N_supported()
  %can = icmp ne i32 %answer, 0
  br i1 %can, label %remember, label %cannot
cannot:
  ret i32 2
remember:
  store i64 )"
      << static_cast<int64_t>(note) << R"(, ptr %note
  br label %work
work:
  call void @$N_body(ptr %bases)
)" << kReturnStatus
      << "}\n";
  return out.str();
}

// Code, units and arguments of each function; then a row of none, for phases that are not, and one of one unit,
// for a plan that is one phase.
std::string rows_ir(const CodeImage& image) {
  std::ostringstream steps, arguments;
  size_t count = 0;
  for (const CodeImage::Symbol& s : image.symbols) {
    steps << "[4 x i64] [i64 " << s.offset << ", i64 " << s.units << ", i64 " << count << ", i64 " << s.arguments.size()
          << "], ";
    for (const abi::Argument& a : s.arguments)
      arguments << "[2 x i64] [i64 " << base_number(a.kind, a.io) << ", i64 "
                << static_cast<int64_t>(a.value + a.within) << "], ";
    count += s.arguments.size();
  }
  std::ostringstream out;
  out << "@$N_steps = internal constant [" << image.symbols.size() + 2 << " x [4 x i64]] [" << steps.str()
      << "[4 x i64] zeroinitializer, [4 x i64] [i64 0, i64 1, i64 0, i64 0]]\n@$N_arguments = internal constant ["
      << count + 1 << " x [2 x i64]] [" << arguments.str() << "[2 x i64] zeroinitializer]\n";
  return out.str();
}

std::string tables_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  std::ostringstream out;
  const size_t none = image.symbols.size(), whole = none + 1, phases = has_control(plan) ? 1 : none;
  const std::string provenance = options.producer + "; target " + plan.target.to_string() + "; plan " +
                                 hex(options.plan_hash) + "; source " + hex(options.source_hash);
  out << "declare dso_local void @$N_code(ptr, i64, i64)\n@$N_constants = external hidden constant i8\n@$N_weights = "
         "external hidden constant i8\n"
      << rows_ir(image) << "@$N_provenance = constant [" << provenance.size() + 1 << " x i8] c\"" << provenance
      << "\\00\"\n";
  out << "define i64 @$N_arena_bytes() #0 {\n  ret i64 " << object_arena_bytes(plan)
      << "\n}\ndefine i64 @$N_phases() #0 {\n  ret i64 " << phases << "\n}\n"
      << "define i64 @$N_units(i64 %phase) #0 {\n  %known = icmp ult i64 %phase, " << phases
      << "\n  %row = select i1 %known, i64 " << (has_control(plan) ? std::to_string(whole) : "%phase") << ", i64 "
      << none
      << "\n  %at = getelementptr [4 x i64], ptr @$N_steps, i64 %row\n  %place = getelementptr i64, ptr %at, i64 1\n  "
         "%units = load i64, ptr %place\n  ret i64 %units\n}\n";
  return out.str();
}

}  // namespace

std::string api_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  Hasher note;
  note.add(options.plan_hash);
  note.add(plan.target.to_string());
  note.add(options.name);
  const std::string text = tables_ir(plan, image, options) + call_ir(image) +
                           SupportedIr().text(requirements_of(plan.target)) + std::string(kCodeSteps) + body_ir(plan) +
                           run_ir(plan, note.value()) + run_units_ir(plan) +
                           "attributes #0 = { nounwind \"no-builtins\" }\n";
  return filled(text, options.name);
}

// Where a function of so many bytes begins.
static std::string beginning_of(const std::string& label, uint64_t size) {
  return "\n.local " + label + "\n.type " + label + ",@function\n.size " + label + "," + std::to_string(size) + "\n" +
         label + ":\n";
}

// The image between local labels, one for each step, so that debuggers and profilers name them;
// several where steps share code.
std::string code_assembly(const CodeImage& image, const ObjectOptions& options) {
  std::multimap<uint64_t, const CodeImage::Symbol*> functions;
  for (const CodeImage::Symbol& s : image.symbols)
    if (s.size > 0) functions.emplace(s.offset, &s);
  std::string text = ".text\n.balign 64\n.local " + options.name + "_code\n" + options.name + "_code:\n";
  text.reserve(image.bytes.size() * 5);
  auto next = functions.begin();
  for (size_t i = 0; i < image.bytes.size(); ++i) {
    for (; next != functions.end() && next->first == i; ++next) {
      const std::string label = options.name + "_" + next->second->name;
      text += beginning_of(label, next->second->size);
    }
    text += i % 64 == 0 ? "\n.byte " : ",";
    text += std::to_string(image.bytes[i]);
  }
  return text + "\n";
}

}  // namespace lapis
