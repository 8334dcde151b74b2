#include "codegen/object/object_ir.h"

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

// The frame of runtime/abi.h on the stack: constants, arena, io pointers, status.
std::string frame_ir(const Plan& plan) {
  std::ostringstream out;
  const size_t inputs = plan.inputs.size(), count = inputs + plan.outputs.size();
  out << "  %io = alloca [" << std::max<size_t>(count, 1)
      << " x ptr], align 16\n  %frame = alloca [4 x ptr], align 16\n  %status = alloca i32, align 4\n  store i32 0, "
         "ptr %status\n";
  for (size_t i = 0; i < count; ++i) {
    out << "  %from" << i << " = getelementptr ptr, ptr " << (i < inputs ? "%inputs" : "%outputs") << ", i64 "
        << (i < inputs ? i : i - inputs) << "\n  %p" << i << " = load ptr, ptr %from" << i << "\n  %to" << i
        << " = getelementptr ptr, ptr %io, i64 " << i << "\n  store ptr %p" << i << ", ptr %to" << i << "\n";
  }
  out << "  store ptr @$N_constants, ptr %frame\n";
  const std::pair<int, const char*> fields[] = {
      {abi::kOffsetArena, "%arena"}, {abi::kOffsetIo, "%io"}, {abi::kOffsetStatus, "%status"}};
  for (const auto& [offset, value] : fields)
    out << "  %field" << offset << " = getelementptr i8, ptr %frame, i64 " << offset << "\n  store ptr " << value
        << ", ptr %field" << offset << "\n";
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

constexpr std::string_view kSomeUnits = R"(  %row = getelementptr [2 x i64], ptr @$N_steps, i64 %phase
  %offset = load i64, ptr %row
  %function = getelementptr i8, ptr @$N_code, i64 %offset
  call void %function(ptr %frame, i64 %begin, i64 %end)
)";
constexpr std::string_view kAllUnits = R"(  %some = icmp slt i64 %begin, %end
  br i1 %some, label %all, label %done
all:
  call void @$N_body(ptr %frame, ptr %arena, ptr %io)
  br label %done
done:
)";

// The functions [first, end) of the plan.
constexpr std::string_view kCodeSteps = R"(define internal void @$N_code_steps(ptr %frame, i64 %first, i64 %end) #0 {
entry:
  br label %next
next:
  %step = phi i64 [ %first, %entry ], [ %following, %do ]
  %more = icmp ult i64 %step, %end
  br i1 %more, label %do, label %done
do:
  %row = getelementptr [2 x i64], ptr @$N_steps, i64 %step
  %offset = load i64, ptr %row
  %place = getelementptr i64, ptr %row, i64 1
  %units = load i64, ptr %place
  %function = getelementptr i8, ptr @$N_code, i64 %offset
  call void %function(ptr %frame, i64 0, i64 %units)
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
      << frame_ir(plan) << kCheckAlignment << R"(  br i1 %aligned, label %work, label %misaligned
work:
)" << (has_control(plan) ? kAllUnits : kSomeUnits)
      << kReturnStatus << "}\n";
  return out.str();
}

// The CPU is checked once an arena: a note of it lies behind the plan's part. CPUID traps into hypervisors and costs microseconds.
std::string run_ir(const Plan& plan, uint64_t note) {
  std::ostringstream out;
  out << "define i32 @$N_run(ptr %inputs, ptr %outputs, ptr %arena) #0 {\n"
      << frame_ir(plan) << kCheckAlignment
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
  call void @$N_body(ptr %frame, ptr %arena, ptr %io)
)" << kReturnStatus
      << "}\n";
  return out.str();
}

// Offset and units of each function; then a row of none, for phases that are not, and one of one unit, for a plan that is one phase.
std::string tables_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  std::ostringstream out;
  const size_t none = image.symbols.size(), whole = none + 1, phases = has_control(plan) ? 1 : none;
  out << "declare dso_local void @$N_code(ptr, i64, i64)\n@$N_constants = external hidden constant i8\n@$N_steps = "
         "internal constant ["
      << whole + 1 << " x [2 x i64]] [";
  for (const CodeImage::Symbol& s : image.symbols) out << "[2 x i64] [i64 " << s.offset << ", i64 " << s.units << "], ";
  const std::string provenance = options.producer + "; target " + plan.target.to_string() + "; plan " +
                                 hex(options.plan_hash) + "; source " + hex(options.source_hash);
  out << "[2 x i64] zeroinitializer, [2 x i64] [i64 0, i64 1]]\n@$N_provenance = constant [" << provenance.size() + 1
      << " x i8] c\"" << provenance << "\\00\"\n";
  out << "define i64 @$N_arena_bytes() #0 {\n  ret i64 " << object_arena_bytes(plan)
      << "\n}\ndefine i64 @$N_phases() #0 {\n  ret i64 " << phases << "\n}\n"
      << "define i64 @$N_units(i64 %phase) #0 {\n  %known = icmp ult i64 %phase, " << phases
      << "\n  %row = select i1 %known, i64 " << (has_control(plan) ? std::to_string(whole) : "%phase") << ", i64 "
      << none
      << "\n  %at = getelementptr [2 x i64], ptr @$N_steps, i64 %row\n  %place = getelementptr i64, ptr %at, i64 1\n  "
         "%units = load i64, ptr %place\n  ret i64 %units\n}\n";
  return out.str();
}

}  // namespace

std::string api_ir(const Plan& plan, const CodeImage& image, const ObjectOptions& options) {
  Hasher note;
  note.add(options.plan_hash);
  note.add(plan.target.to_string());
  note.add(options.name);
  const std::string text = tables_ir(plan, image, options) + SupportedIr().text(requirements_of(plan.target)) +
                           std::string(kCodeSteps) + body_ir(plan) + run_ir(plan, note.value()) + run_units_ir(plan) +
                           "attributes #0 = { nounwind \"no-builtins\" }\n";
  return filled(text, options.name);
}

// The image between local labels, one for each step, so that debuggers and profilers name them.
std::string code_assembly(const CodeImage& image, const ObjectOptions& options) {
  std::string text = ".text\n.balign 64\n.local " + options.name + "_code\n" + options.name + "_code:\n";
  text.reserve(image.bytes.size() * 5);
  size_t next = 0;
  for (size_t i = 0; i < image.bytes.size(); ++i) {
    while (next < image.symbols.size() && image.symbols[next].offset <= i) {
      const std::string label = options.name + "_" + image.symbols[next].name;
      if (image.symbols[next].offset == i)
        text += "\n.local " + label + "\n.type " + label + ",@function\n.size " + label + "," +
                std::to_string(image.symbols[next].size) + "\n" + label + ":\n";
      ++next;
    }
    text += i % 64 == 0 ? "\n.byte " : ",";
    text += std::to_string(image.bytes[i]);
  }
  return text + "\n";
}

}  // namespace lapis
