#include "codegen/object/header.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <unordered_set>

#include "base/hash.h"

namespace lapis {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string_view c_type(DType dtype) {
  switch (dtype) {
    case DType::Float32: return "float";
    case DType::Float64: return "double";
    case DType::Int8: return "int8_t";
    case DType::Int16:
    case DType::UInt16: return dtype == DType::Int16 ? "int16_t" : "uint16_t";
    case DType::Int32: return "int32_t";
    case DType::UInt32: return "uint32_t";
    case DType::Int64: return "int64_t";
    case DType::UInt64: return "uint64_t";
    case DType::Float16:
    case DType::BFloat16: return "uint16_t";  // bits
    default: return "uint8_t";
  }
}

// A C string with exactly these bytes: what is not printable ASCII in octal, and '?' too, which may begin a trigraph.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const unsigned char c : text) {
    const bool plain = c >= ' ' && c < 127 && c != '"' && c != '\\' && c != '?';
    if (plain) {
      result += static_cast<char>(c);
      continue;
    }
    result += '\\';
    for (int shift : {6, 3, 0}) result += static_cast<char>('0' + (c >> shift & 7));
  }
  return result + "\"";
}

std::string braces(const Shape& shape) {
  std::string text = "{";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "}";
}

void describe(std::ostream& out, const std::string& prefix, const char* kind, const std::vector<PlanIo>& values) {
  out << "#define " << prefix << "_" << kind << "S " << values.size() << "\n";
  for (size_t i = 0; i < values.size(); ++i) {
    const PlanIo& v = values[i];
    const std::string start = "#define " + prefix + "_" + kind + "_" + std::to_string(i) + "_";
    out << start << "NAME " << quoted(v.name) << "\n"
        << start << "TYPE " << quoted(std::string(name_of(v.dtype))) << "\n"
        << start << "RANK " << v.shape.size() << "\n";
    if (!v.shape.empty()) out << start << "SHAPE " << braces(v.shape) << "\n";
    out << start << "ELEMENTS " << element_count(v.shape) << "\n"
        << start << "BYTES " << byte_size(v.dtype, element_count(v.shape)) << "\n";
  }
  out << "\n";
}

void members(std::ostream& out, const std::string& prefix, const std::string& type, const char* qualifier,
             const std::vector<PlanIo>& values) {
  const std::vector<std::string> names = member_names(values, prefix);
  out << "typedef struct {\n";
  for (size_t i = 0; i < values.size(); ++i)
    out << "  " << qualifier << c_type(values[i].dtype) << "* " << names[i] << ";  /* " << name_of(values[i].dtype)
        << to_string(values[i].shape) << " */\n";
  if (values.empty()) out << "  const void* unused;\n";
  out << "} " << type << ";\n\n";
}

// Words that cannot name a member: keywords of C and C++, types and macros of the headers that NAME.h includes,
// and what compilers define.
constexpr std::string_view kReserved =
    " NULL alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char16_t "
    "char32_t char8_t class co_await co_return co_yield compl concept const const_cast consteval "
    "constexpr constinit continue decltype default delete do double dynamic_cast else enum errno "
    "explicit export extern false float for friend goto i386 if inline int int16_t int32_t int64_t "
    "int8_t linux long max_align_t mutable namespace new noexcept not not_eq nullptr nullptr_t offsetof "
    "operator or or_eq private protected ptrdiff_t public register reinterpret_cast requires restrict "
    "return short signed size_t sizeof static static_assert static_cast struct switch template this "
    "thread_local throw true try typedef typeid typename typeof typeof_unqual uint16_t uint32_t uint64_t "
    "uint8_t union unix unreachable unsigned using virtual void volatile wchar_t while xor xor_eq ";

// Macros are written in capitals: those of <stdint.h>, and the header's own.
bool may_be_macro(const std::string& name, const std::string& prefix) {
  const bool capitals = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c >= 'a' && c <= 'z'; });
  return capitals && (name.starts_with(prefix) || name.find('_') != std::string::npos);
}

}  // namespace

std::vector<std::string> member_names(const std::vector<PlanIo>& values, const std::string& prefix) {
  std::vector<std::string> names;
  std::unordered_set<std::string> taken;
  for (const PlanIo& v : values) {
    std::string name;
    for (const unsigned char c : v.name) name += std::isalnum(c) && c < 128 ? static_cast<char>(c) : '_';
    const bool reserved = kReserved.find(" " + name + " ") != std::string_view::npos;
    const bool starts_well = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) && name[0] != '_';
    if (!starts_well || reserved || may_be_macro(name, upper(prefix))) name.insert(0, "v_");
    while (!taken.insert(name).second) name += "_";
    names.push_back(name);
  }
  return names;
}

std::string header_text(const Plan& plan, const ObjectOptions& options) {
  const std::string &n = options.name, N = upper(n);
  std::ostringstream out;
  out << "/* " << n << ": a compiled model for " << plan.target.to_string() << ". Generated by " << options.producer
      << " (plan " << hex(options.plan_hash) << ", source " << hex(options.source_hash) << ").\n"
      << " *\n"
      << " *   static _Alignas(" << N << "_ARENA_ALIGNMENT) unsigned char arena[" << N << "_ARENA_BYTES];\n"
      << " *   " << n << "_inputs inputs = {...};\n"
      << " *   " << n << "_outputs outputs = {...};\n"
      << " *   int status = " << n << "_run(&inputs, &outputs, arena);   (" << N << "_OK: the outputs are computed)\n"
      << " *\n"
      << " * Tensors are dense, in row-major order, aligned to their element type; inputs and outputs must not "
         "overlap. The arena is scratch\n"
      << " * memory: its contents need no initialization and mean nothing after a call. Calls with different arenas "
         "may run at the same time. */\n"
      << "#ifndef LAPIS_" << n << "_H\n#define LAPIS_" << n
      << "_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
      << "#ifdef " << N << "_ARENA_BYTES\n#error \"another model's macros begin with " << N << "_ too\"\n#endif\n"
      << "#define " << N << "_TARGET " << quoted(plan.target.to_string()) << "\n#define " << N << "_ARENA_BYTES "
      << object_arena_bytes(plan) << "\n#define " << N << "_ARENA_ALIGNMENT 64\n\n"
      << "#define " << N << "_OK 0\n#define " << N << "_MISALIGNED_ARENA 1\n#define " << N << "_UNSUPPORTED_CPU 2\n"
      << "#define " << N
      << "_INDEX_OUT_OF_RANGE 3 /* an index input selects outside of its tensor; it was clamped into it */\n\n";
  describe(out, N, "INPUT", plan.inputs);
  describe(out, N, "OUTPUT", plan.outputs);
  members(out, n, n + "_inputs", "const ", plan.inputs);
  members(out, n, n + "_outputs", "", plan.outputs);
  out << "/* 1 if this processor and operating system have what the code needs, else 0. Checked by " << n
      << "_run at the first call with an arena. */\n"
      << "int " << n << "_supported(void);\nsize_t " << n << "_arena_bytes(void);\n"
      << "int " << n << "_run(const " << n << "_inputs* inputs, const " << n << "_outputs* outputs, void* arena);\n\n"
      << "/* To use several threads: for each phase in order, run its units [0, " << n
      << "_units(phase)) in any partition, then wait for all of\n"
      << " * them. Does not check the processor: call " << n
      << "_supported first. A model with control flow or calls is one "
         "phase of one unit. */\n"
      << "size_t " << n << "_phases(void);\nint64_t " << n << "_units(size_t phase);\n"
      << "int " << n << "_run_units(size_t phase, int64_t begin, int64_t end, const " << n << "_inputs* inputs, const "
      << n << "_outputs* outputs, void* arena);\n\n"
      << "extern const char " << n << "_provenance[]; /* producer, target, hashes of plan and source */\n\n"
      << "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return out.str();
}

}  // namespace lapis
