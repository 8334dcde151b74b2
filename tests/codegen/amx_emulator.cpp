#include "tests/codegen/amx_emulator.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <span>

#include "base/host.h"
#include "base/small_float.h"

namespace lapis::testing {
namespace {

using Kind = AmxInstruction::Kind;

bool is_dot(Kind kind) { return kind >= Kind::DotUU; }

// ---- encodings: VEX.128.0F38.W0, C4 ~R~X~B 00010 | 0 vvvv 0 pp | opcode | ModRM ----

constexpr uint8_t kVex = 0xC4, kMap = 2;
enum Prefix : uint8_t { kNone, k66, kF3, kF2 };

struct Encoding {
  uint8_t opcode;
  Prefix prefix;
  bool memory;
  Kind kind;
};
constexpr Encoding kEncodings[] = {
    {0x49, kNone, true, Kind::Configure}, {0x49, kNone, false, Kind::Release}, {0x49, kF2, false, Kind::Zero},
    {0x4B, kF2, true, Kind::Load},        {0x4B, kF3, true, Kind::Store},      {0x5E, kNone, false, Kind::DotUU},
    {0x5E, k66, false, Kind::DotUS},      {0x5E, kF3, false, Kind::DotSU},     {0x5E, kF2, false, Kind::DotSS},
    {0x5C, kF3, false, Kind::DotBf16},
};

struct Fields {
  bool r, x, b, w, l;  // r, x, b as they extend register numbers
  int vvvv;            // as a register number
  int mod, reg, rm;
};

// The address behind ModRM. False where the processor would take another kind of address than tiles have.
bool decode_address(const uint8_t* at, const Fields& f, bool rows, AmxInstruction& i) {
  const uint8_t* next = at;
  if (f.rm == 4) {
    const uint8_t sib = *next++;
    const int index = (sib >> 3 & 7) | (f.x ? 8 : 0);
    i.index = index == 4 ? -1 : index;
    i.scale = 1 << (sib >> 6);
    i.base = (sib & 7) | (f.b ? 8 : 0);
    if ((sib & 7) == 5 && f.mod == 0) return false;  // no base: nothing of ours has that
    if (i.index < 0 && ((sib & 7) != 4 || i.scale != 1))
      return false;  // an index of nothing is written for rsp and r12 only
  } else {
    i.base = f.rm | (f.b ? 8 : 0);
    if (f.rm == 5 && f.mod == 0) return false;  // relative to the instruction
  }
  if (rows && (f.rm != 4 || i.index < 0)) return false;
  if (f.mod == 1) i.displacement = static_cast<int8_t>(*next++);
  if (f.mod == 2) {
    std::memcpy(&i.displacement, next, 4);
    next += 4;
  }
  i.length += static_cast<int>(next - at);
  return true;
}

bool decode_operands(const uint8_t* code, const Fields& f, AmxInstruction& i) {
  const bool no_vvvv = f.vvvv == 0;
  if (is_dot(i.kind)) {
    i.tile = f.reg;
    i.a = f.rm;
    i.b = f.vvvv;
    return !f.r && !f.b && f.vvvv < 8 && i.tile != i.a && i.tile != i.b && i.a != i.b;
  }
  if (i.kind == Kind::Configure) return no_vvvv && f.reg == 0 && !f.r && decode_address(code + 5, f, false, i);
  if (i.kind == Kind::Release) return no_vvvv && f.reg == 0 && f.rm == 0 && !f.r && !f.b;
  i.tile = f.reg;
  if (f.r || !no_vvvv) return false;
  return i.kind == Kind::Zero ? f.rm == 0 && !f.b : decode_address(code + 5, f, true, i);
}

}  // namespace

std::optional<AmxInstruction> decode_amx(const uint8_t* code) {
  if (code[0] != kVex || (code[1] & 31) != kMap) return std::nullopt;
  const Fields f{!(code[1] & 0x80),     !(code[1] & 0x40),  !(code[1] & 0x20),
                 (code[2] & 0x80) != 0, (code[2] & 4) != 0, ~code[2] >> 3 & 15,
                 code[4] >> 6,          code[4] >> 3 & 7,   code[4] & 7};
  if (f.w || f.l) return std::nullopt;
  for (const Encoding& e : kEncodings) {
    if (e.opcode != code[3] || e.prefix != (code[2] & 3) || e.memory != (f.mod != 3)) continue;
    AmxInstruction i{e.kind};
    i.length = 5;
    return decode_operands(code, f, i) ? std::optional(i) : std::nullopt;
  }
  return std::nullopt;
}

std::string AmxInstruction::to_string() const {
  static constexpr const char* kNames[] = {"ldtilecfg", "tilerelease", "tilezero", "tileloadd", "tilestored",
                                           "tdpbuud",   "tdpbusd",     "tdpbsud",  "tdpbssd",   "tdpbf16ps"};
  static constexpr const char* kRegisters[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                               "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  const std::string name = kNames[static_cast<size_t>(kind)];
  auto tmm = [](int n) { return "tmm" + std::to_string(n); };
  if (kind == Kind::Release) return name;
  if (kind == Kind::Zero) return name + " " + tmm(tile);
  if (is_dot(kind)) return name + " " + tmm(tile) + ", " + tmm(a) + ", " + tmm(b);
  std::string address = kRegisters[base];
  if (index >= 0) address += " + " + (scale > 1 ? std::to_string(scale) + "*" : "") + kRegisters[index];
  if (displacement != 0)
    address += (displacement < 0 ? " - " : " + ") + std::to_string(std::abs(static_cast<int64_t>(displacement)));
  address = "[" + address + "]";
  if (kind == Kind::Configure) return name + " " + address;
  return kind == Kind::Load ? name + " " + tmm(tile) + ", " + address : name + " " + address + ", " + tmm(tile);
}

// ---- what the instructions do ----

std::string TileState::configure(const uint8_t* shapes) {
  if (shapes[0] == 0) return release(), "";
  if (shapes[0] != 1) return "palette " + std::to_string(shapes[0]);
  if (shapes[1] != 0) return "a row to resume at, which only interrupted loads leave";
  TileState next;
  next.palette_ = 1;
  for (int t = 0; t < kTiles; ++t) {
    Tile& tile = next.tiles_[static_cast<size_t>(t)];
    tile.bytes = shapes[16 + 2 * t] | shapes[17 + 2 * t] << 8;
    tile.rows = shapes[48 + t];
    if (tile.bytes > kRowBytes || tile.rows > kRows || (tile.bytes == 0) != (tile.rows == 0))
      return "tmm" + std::to_string(t) + " cannot have " + std::to_string(tile.rows) + " rows of " +
             std::to_string(tile.bytes) + " bytes";
  }
  auto zeros = [&](int from, int to) {
    return std::all_of(shapes + from, shapes + to, [](uint8_t x) { return x == 0; });
  };
  if (!zeros(2, 16) || !zeros(32, 48) || !zeros(56, 64)) return "reserved bytes of the configuration are not zero";
  *this = next;
  return "";
}

std::string TileState::usable(int tile) const {
  if (!configured()) return "tiles are not configured";
  return tiles_[static_cast<size_t>(tile)].rows > 0 ? "" : "tmm" + std::to_string(tile) + " has no shape";
}

std::string TileState::zero(int tile) {
  if (const std::string why = usable(tile); !why.empty()) return why;
  tiles_[static_cast<size_t>(tile)].data = {};
  return "";
}

std::string TileState::load(int tile, const uint8_t* base, int64_t pitch) {
  if (const std::string why = zero(tile); !why.empty()) return why;
  Tile& t = tiles_[static_cast<size_t>(tile)];
  for (int r = 0; r < t.rows; ++r)
    std::memcpy(t.data[static_cast<size_t>(r)].data(), base + r * pitch, static_cast<size_t>(t.bytes));
  return "";
}

std::string TileState::store(int tile, uint8_t* base, int64_t pitch) const {
  if (const std::string why = usable(tile); !why.empty()) return why;
  const Tile& t = tiles_[static_cast<size_t>(tile)];
  for (int r = 0; r < t.rows; ++r)
    std::memcpy(base + r * pitch, t.data[static_cast<size_t>(r)].data(), static_cast<size_t>(t.bytes));
  return "";
}

namespace {

// One 32-bit lane of a product: a row of the first factor by a column of pairs, or of four bytes, of the second.
// `at(k)` is where step k of the column is.
template <class At> uint32_t sum_of_bytes(Kind kind, uint32_t sum, std::span<const uint8_t> row, At at) {
  const bool signed_x = kind == Kind::DotSU || kind == Kind::DotSS,
             signed_y = kind == Kind::DotUS || kind == Kind::DotSS;
  auto number = [](uint8_t byte, bool is_signed) {
    return is_signed ? static_cast<int8_t>(byte) : static_cast<int>(byte);
  };
  for (size_t k = 0; k < row.size(); ++k)
    sum += static_cast<uint32_t>(number(row[k], signed_x) * number(at(k / 4)[k % 4], signed_y));
  return sum;
}

float flushed(float x) { return std::abs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }

float half_at(const uint8_t* at) {
  BFloat16 half;
  std::memcpy(&half, at, sizeof half);
  return flushed(to_float(half));
}

// Products of even elements and of odd ones are added apart, each in order; then both together to the sum. Every
// addition rounds half to even, and subnormal numbers are zeros before and behind it.
template <class At> uint32_t sum_of_halves(uint32_t bits, std::span<const uint8_t> row, At at) {
  float sums[2] = {};
  for (size_t k = 0; k < row.size() / 4; ++k)
    for (size_t i = 0; i < 2; ++i)
      sums[i] = flushed(std::fma(half_at(&row[4 * k + 2 * i]), half_at(at(k) + 2 * i), sums[i]));
  return std::bit_cast<uint32_t>(flushed(flushed(std::bit_cast<float>(bits)) + flushed(sums[0] + sums[1])));
}

}  // namespace

std::string TileState::multiply(Kind kind, int sums, int a, int b) {
  for (const int tile : {sums, a, b})
    if (const std::string why = usable(tile); !why.empty()) return why;
  Tile& c = tiles_[static_cast<size_t>(sums)];
  const Tile &x = tiles_[static_cast<size_t>(a)], &y = tiles_[static_cast<size_t>(b)];
  if (c.rows != x.rows || c.bytes != y.bytes || x.bytes != 4 * y.rows || c.bytes % 4 != 0)
    return "the shapes of tmm" + std::to_string(sums) + ", tmm" + std::to_string(a) + " and tmm" + std::to_string(b) +
           " do not belong together";
  for (size_t m = 0; m < static_cast<size_t>(c.rows); ++m)
    for (size_t n = 0; n < static_cast<size_t>(c.bytes); n += 4) {
      uint32_t sum;
      std::memcpy(&sum, &c.data[m][n], 4);
      const std::span row(x.data[m].data(), static_cast<size_t>(x.bytes));
      auto column = [&](size_t k) { return &y.data[k][n]; };
      sum = kind == Kind::DotBf16 ? sum_of_halves(sum, row, column) : sum_of_bytes(kind, sum, row, column);
      std::memcpy(&c.data[m][n], &sum, 4);
    }
  return "";
}

// ---- the handler ----

namespace {

struct Run {
  TileState tiles;
  std::string fault;
  sigjmp_buf end;
};
thread_local Run* current = nullptr;
thread_local int64_t emulated = 0;

// In the order of the encodings of general registers.
constexpr int kGreg[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                         REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

std::string execute(const AmxInstruction& i, const greg_t* registers, TileState& tiles) {
  auto value = [&](int reg) { return reg < 0 ? greg_t{0} : registers[kGreg[reg]]; };
  auto* address = reinterpret_cast<uint8_t*>(value(i.base) + i.displacement);
  const int64_t pitch = value(i.index) * i.scale;
  switch (i.kind) {
    case Kind::Configure: return tiles.configure(address + pitch);
    case Kind::Release: return tiles.release(), "";
    case Kind::Zero: return tiles.zero(i.tile);
    case Kind::Load: return tiles.load(i.tile, address, pitch);
    case Kind::Store: return tiles.store(i.tile, address, pitch);
    default: return tiles.multiply(i.kind, i.tile, i.a, i.b);
  }
}

void handle(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto instruction = decode_amx(reinterpret_cast<const uint8_t*>(registers[REG_RIP]));
  if (!current) {  // not ours: the next trap ends the process
    signal(SIGILL, SIG_DFL);
    return;
  }
  current->fault = instruction ? execute(*instruction, registers, current->tiles) : "an illegal instruction";
  if (!current->fault.empty()) {
    if (instruction) current->fault = instruction->to_string() + ": " + current->fault;
    siglongjmp(current->end, 1);
  }
  ++emulated;
  registers[REG_RIP] += instruction->length;
}

void install() {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
}

}  // namespace

std::string run_with_amx(const std::function<void()>& run) {
  static const bool native = Target::host().has(Isa::AmxInt8);
  if (native) return run(), "";
  static std::once_flag once;
  std::call_once(once, install);
  Run state;
  current = &state;
  if (sigsetjmp(state.end, 1) == 0) {
    run();
    if (state.tiles.configured()) state.fault = "tiles are still configured at the end";
  }
  current = nullptr;
  return state.fault;
}

int64_t emulated_instructions() { return emulated; }

}  // namespace lapis::testing
