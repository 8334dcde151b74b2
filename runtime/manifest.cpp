#include "runtime/manifest.h"

#include <cstring>

#include "base/content_hash.h"

namespace lapis {
namespace {

class Writer {
 public:
  void u64(uint64_t v) { bytes_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void i64(int64_t v) { u64(static_cast<uint64_t>(v)); }
  void text(const std::string& s) {
    u64(s.size());
    bytes_ += s;
  }
  template <class T, class F> void list(const std::vector<T>& items, F&& write) {
    u64(items.size());
    for (const T& item : items) write(item);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what Writer wrote; after the first read past the end every read gives zero and failed() says so.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t u64() {
    uint64_t v = 0;
    if (!take(sizeof v)) return 0;
    std::memcpy(&v, bytes_.data() + at_ - sizeof v, sizeof v);
    return v;
  }
  int64_t i64() { return static_cast<int64_t>(u64()); }
  uint64_t number_below(uint64_t limit) {
    const uint64_t number = u64();
    if (number >= limit) failed_ = true;
    return failed_ ? 0 : number;
  }
  DType dtype() { return static_cast<DType>(number_below(static_cast<uint64_t>(DType::Int2) + 1)); }
  std::string text() {
    const uint64_t size = u64();
    if (!take(size)) return {};
    return {reinterpret_cast<const char*>(bytes_.data()) + at_ - size, size};
  }
  template <class T, class F> std::vector<T> list(F&& read) {
    std::vector<T> items;
    const uint64_t count = u64();
    if (count > (bytes_.size() - at_) / sizeof(uint64_t)) failed_ = true;  // an item takes at least one word
    for (uint64_t n = 0; n < count && !failed_; ++n) items.push_back(read());
    return items;
  }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && at_ == bytes_.size(); }

 private:
  bool take(uint64_t size) {
    if (failed_ || size > bytes_.size() - at_) return !(failed_ = true);
    at_ += size;
    return true;
  }
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

// ---- actions: their number in the variant, then their members in order ----------------------------------------------

void write(Writer& w, const Place& p) {
  w.u64(static_cast<uint64_t>(p.base));
  w.u64(p.offset);
  w.u64(p.io);
}
void write(Writer& w, const std::optional<Place>& p) {
  w.u64(p.has_value());
  if (p) write(w, *p);
}
void write(Writer& w, const TensorPlace& t) {
  write(w, t.place);
  w.u64(static_cast<uint64_t>(t.dtype));
  w.list(t.shape, [&](int64_t d) { w.i64(d); });
}
void write(Writer&, const std::monostate&) {}
void write(Writer& w, const CallInfo& c) {
  w.text(c.routine);
  for (const auto* list : {&c.inputs, &c.outputs}) w.list(*list, [&](const TensorPlace& t) { write(w, t); });
  w.list(c.parameters, [&](int64_t parameter) { w.i64(parameter); });
}
void write(Writer& w, const BranchInfo& b) {
  write(w, b.condition);
  w.u64(b.otherwise);
  w.u64(b.end);
}
void write(Writer& w, const RepeatInfo& r) {
  for (const auto* place : {&r.trips, &r.condition}) write(w, *place);
  write(w, r.counter);
  w.list(r.collections, [&](const RepeatInfo::Collection& c) {
    for (const Place* place : {&c.part, &c.all}) write(w, *place);
    w.i64(c.bytes);
    w.i64(c.count);
    w.u64(c.backwards);
  });
  w.u64(r.end);
}

Place read_place(Reader& r) {
  Place p;
  p.base = static_cast<Place::Base>(r.number_below(4));
  p.offset = r.u64();
  p.io = r.u64();
  return p;
}
std::optional<Place> read_optional_place(Reader& r) {
  return r.number_below(2) ? std::optional(read_place(r)) : std::nullopt;
}
TensorPlace read_tensor_place(Reader& r) {
  TensorPlace t;
  t.place = read_place(r);
  t.dtype = r.dtype();
  t.shape = r.list<int64_t>([&] { return r.i64(); });
  return t;
}
CallInfo read_call(Reader& r) {
  CallInfo c;
  c.routine = r.text();
  for (auto* list : {&c.inputs, &c.outputs}) *list = r.list<TensorPlace>([&] { return read_tensor_place(r); });
  c.parameters = r.list<int64_t>([&] { return r.i64(); });
  return c;
}
BranchInfo read_branch(Reader& r) {
  BranchInfo b;
  b.condition = read_place(r);
  b.otherwise = r.u64();
  b.end = r.u64();
  return b;
}
RepeatInfo::Collection read_collection(Reader& r) {
  RepeatInfo::Collection c;
  for (Place* place : {&c.part, &c.all}) *place = read_place(r);
  c.bytes = r.i64();
  c.count = r.i64();
  c.backwards = r.number_below(2) != 0;
  return c;
}
RepeatInfo read_repeat(Reader& r) {
  RepeatInfo repeat;
  for (auto* place : {&repeat.trips, &repeat.condition}) *place = read_optional_place(r);
  repeat.counter = read_place(r);
  repeat.collections = r.list<RepeatInfo::Collection>([&] { return read_collection(r); });
  repeat.end = r.u64();
  return repeat;
}
Action read_action(Reader& r) {
  switch (r.number_below(std::variant_size_v<Action>)) {
    case 1: return read_call(r);
    case 2: return read_branch(r);
    case 3: return read_repeat(r);
    default: return {};
  }
}

// ---- programs -------------------------------------------------------------------------------------------------------

void write(Writer& w, const abi::Argument& a) {
  for (const uint64_t word : {static_cast<uint64_t>(a.kind), uint64_t{a.written}, a.io, a.value, a.bytes, a.within})
    w.u64(word);
}
abi::Argument read_argument(Reader& r) {
  abi::Argument a;
  a.kind = static_cast<abi::Argument::Kind>(r.number_below(static_cast<uint64_t>(abi::Argument::Kind::Process)));
  a.written = r.number_below(2) != 0;
  for (uint64_t* word : {&a.io, &a.value, &a.bytes, &a.within}) *word = r.u64();
  return a;
}

void write_program(Writer& w, const Program& p) {
  auto io = [&](const IoInfo& i) {
    w.text(i.name);
    w.u64(static_cast<uint64_t>(i.dtype));
    w.list(i.shape, [&](int64_t d) { w.i64(d); });
  };
  auto step = [&](const StepInfo& s) {
    for (const std::string* text : {&s.name, &s.op, &s.precision, &s.kernel, &s.note}) w.text(*text);
    w.list(s.nodes, [&](const std::string& n) { w.text(n); });
    w.u64(s.code_offset);
    w.u64(s.code_size);
    w.i64(s.units);
    w.i64(s.macs);
    w.list(s.arguments, [&](const abi::Argument& a) { write(w, a); });
    w.u64(s.action.index());
    std::visit([&](const auto& action) { write(w, action); }, s.action);
  };
  w.text(p.target);
  w.text(p.producer);
  w.u64(p.plan_hash);
  w.u64(p.source_hash);
  w.i64(p.arena_bytes);
  w.list(p.inputs, io);
  w.list(p.outputs, io);
  w.list(p.steps, step);
  w.list(p.tables, [&](const TableInfo& t) {
    w.u64(t.offset);
    w.u64(t.rows);
    w.list(t.limits, [&](uint64_t limit) { w.u64(limit); });
  });
}

IoInfo read_io(Reader& r) {
  IoInfo io;
  io.name = r.text();
  io.dtype = r.dtype();
  io.shape = r.list<int64_t>([&] { return r.i64(); });
  return io;
}

StepInfo read_step(Reader& r) {
  StepInfo s;
  for (std::string* text : {&s.name, &s.op, &s.precision, &s.kernel, &s.note}) *text = r.text();
  s.nodes = r.list<std::string>([&] { return r.text(); });
  s.code_offset = r.u64();
  s.code_size = r.u64();
  s.units = r.i64();
  s.macs = r.i64();
  s.arguments = r.list<abi::Argument>([&] { return read_argument(r); });
  s.action = read_action(r);
  return s;
}

TableInfo read_table(Reader& r) {
  TableInfo t;
  t.offset = r.u64();
  t.rows = r.u64();
  t.limits = r.list<uint64_t>([&] { return r.u64(); });
  return t;
}

Program read_program(Reader& r) {
  Program p;
  p.target = r.text();
  p.producer = r.text();
  p.plan_hash = r.u64();
  p.source_hash = r.u64();
  p.arena_bytes = r.i64();
  p.inputs = r.list<IoInfo>([&] { return read_io(r); });
  p.outputs = r.list<IoInfo>([&] { return read_io(r); });
  p.steps = r.list<StepInfo>([&] { return read_step(r); });
  p.tables = r.list<TableInfo>([&] { return read_table(r); });
  return p;
}

Variant read_variant(Reader& r) {
  Variant v;
  for (uint64_t* word : {&v.code_size, &v.code_sum, &v.table_sum}) *word = r.u64();
  v.program = read_program(r);
  return v;
}

}  // namespace

uint64_t sum_of_tables(const Program& p) {
  Hasher h;
  for (const TableInfo& t : p.tables)
    h.add(content_hash(p.constants.subspan(t.offset, t.rows * t.limits.size() * sizeof(int32_t))));
  return h.value();
}

std::string write_manifest(std::span<const Program> variants) {
  Writer w;
  w.u64(variants.size());
  for (const Program& p : variants) {
    for (const uint64_t word : {p.code.size(), content_hash(p.code), sum_of_tables(p)}) w.u64(word);
    write_program(w, p);
  }
  return w.bytes();
}

std::optional<std::vector<Variant>> read_manifest(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  std::vector<Variant> variants = reader.list<Variant>([&] { return read_variant(reader); });
  if (!reader.done()) return std::nullopt;
  return variants;
}

}  // namespace lapis
