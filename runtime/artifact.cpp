#include "runtime/artifact.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "base/content_hash.h"

namespace lapis {
namespace {

constexpr char kMagic[8] = {'L', 'A', 'P', 'I', 'S', '\r', '\n', '\x1a'};  // text-mode transfers break it visibly
constexpr uint64_t kPage = 4096;
constexpr size_t kBlock = 64 << 10;  // of weights and constants with a sum of their own

struct Section {
  uint64_t offset = 0, size = 0;
};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  Section manifest, sums, code, weights, constants;
  uint64_t file_size;
  uint64_t checksum;  // of header (with 0 here), manifest and sums; the manifest has those of code and tables
};

uint64_t next_page(uint64_t offset) { return (offset + kPage - 1) / kPage * kPage; }

// Calls visit(offset, bytes) for each block of the weights, some of it zeros between its parts.
template <class Visit> void for_each_block(const Parts& weights, Visit visit) {
  std::vector<std::byte> block(std::min<uint64_t>(kBlock, weights.size()));
  for (uint64_t at = 0; at < weights.size(); at += kBlock) {
    const auto bytes = std::span(block).first(std::min<uint64_t>(kBlock, weights.size() - at));
    weights.copy(at, bytes);
    visit(at, std::span<const std::byte>(bytes));
  }
}
template <class Visit> void for_each_block(std::span<const std::byte> constants, Visit visit) {
  for (uint64_t at = 0; at < constants.size(); at += kBlock)
    visit(at, constants.subspan(at, std::min(kBlock, constants.size() - at)));
}

std::vector<uint64_t> sums_of(const Parts& weights, std::span<const std::byte> constants) {
  std::vector<uint64_t> sums;
  const auto add = [&](uint64_t, std::span<const std::byte> block) { sums.push_back(content_hash(block)); };
  for_each_block(weights, add);
  for_each_block(constants, add);
  return sums;
}

uint64_t blocks_in(uint64_t bytes) { return (bytes + kBlock - 1) / kBlock; }

uint64_t sum_of_tables(const Program& p) {
  Hasher h;
  for (const TableInfo& t : p.tables)
    h.add(content_hash(p.constants.subspan(t.offset, t.rows * t.limits.size() * sizeof(int32_t))));
  return h.value();
}

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

// ---- actions: their number in the variant, then their members in order -----------------------------------------------------------

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

// ---- programs ----------------------------------------------------------------------------------------------------------------------

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

// A program and what the manifest says about its sections.
struct Variant {
  uint64_t code_size = 0, code_sum = 0, table_sum = 0;
  Program program;
};

std::string write_manifest(std::span<const Program> variants) {
  Writer w;
  w.u64(variants.size());
  for (const Program& p : variants) {
    for (const uint64_t word : {p.code.size(), content_hash(p.code), sum_of_tables(p)}) w.u64(word);
    write_program(w, p);
  }
  return w.bytes();
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

uint64_t checksum(Header header, std::span<const std::byte> manifest, std::span<const std::byte> sums) {
  header.checksum = 0;
  Hasher h;
  h.add_bytes(&header, sizeof header);
  for (const auto section : {manifest, sums}) h.add(content_hash(section));
  return h.value();
}

// Where sections of these sizes lie; there is only one way.
void lay_out(Header& h) {
  uint64_t offset = kPage;
  for (Section* s : {&h.manifest, &h.sums, &h.code, &h.weights, &h.constants}) {
    s->offset = offset;
    offset = next_page(offset + s->size);
  }
  h.file_size = h.constants.offset + h.constants.size;
}

Diagnostic corrupt(const std::string& file, const std::string& what) {
  return error(ErrorKind::Input, "the artifact is damaged: " + what)
      .at(file)
      .help("compile the model again with `lapis compile`");
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// What is wrong with the layout that the header states, or nothing.
std::optional<std::string> flaw_of_layout(const Header& h, std::span<const std::byte> file) {
  if (h.file_size != file.size())
    return "it has " + std::to_string(file.size()) + " bytes instead of " + std::to_string(h.file_size);
  for (const Section& s : {h.manifest, h.sums, h.code, h.weights, h.constants})
    if (s.size > file.size()) return "a section is larger than the file";
  Header wanted = h;
  lay_out(wanted);
  if (std::memcmp(&wanted, &h, sizeof h) != 0) return "a section lies where it cannot be";
  uint64_t end = sizeof h;
  for (const Section& s : {h.manifest, h.sums, h.code, h.weights, h.constants}) {
    if (!is_zero(file.subspan(end, s.offset - end))) return "there is something between its sections";
    end = s.offset + s.size;
  }
  return std::nullopt;
}

// Magic and version, which say whether the rest can be understood at all.
Result<Header> read_header(const MappedFile& file, const Path& path) {
  Header h{};
  if (file.size < sizeof h) return corrupt(path.string(), "it ends before its header does");
  std::memcpy(&h, file.data.get(), sizeof h);
  if (std::memcmp(h.magic, kMagic, sizeof kMagic) != 0)
    return error(ErrorKind::Input, "not a Lapis artifact")
        .at(path.string())
        .help("compile a model with `lapis compile model.onnx -o model.lapis`");
  if (h.version != abi::kVersion)
    return error(ErrorKind::Input, "the artifact has format version " + std::to_string(h.version) +
                                       ", this runtime reads " + std::to_string(abi::kVersion))
        .at(path.string())
        .help("compile the model again with this version of Lapis");
  return h;
}

// What a Program of a file borrows from it, if that is what the manifest says; else what is wrong.
std::optional<std::string> attach(Variant& v, std::span<const std::byte> code, std::span<const std::byte> constants) {
  Program& p = v.program;
  p.code = code;
  p.constants = constants;
  if (content_hash(code) != v.code_sum) return "its code has changed";
  if (auto flaw = flaw_of(p)) return flaw;
  if (sum_of_tables(p) != v.table_sum) return "the tables in its constants have changed";
  return flaw_of_tables(p);
}

// The sections of all variants, which must fill the code section but for zeros up to the next page.
std::optional<std::string> attach(std::vector<Variant>& variants, std::span<const std::byte> code,
                                  std::span<const std::byte> constants) {
  uint64_t at = 0, end = 0;
  for (Variant& v : variants) {
    if (at > code.size() || v.code_size > code.size() - at) return "a variant lies outside of its section";
    if (!is_zero(code.subspan(end, at - end))) return "there is something between its variants";
    if (auto flaw = attach(v, code.subspan(at, v.code_size), constants)) return flaw;
    end = at + v.code_size;
    at = next_page(end);
  }
  if (variants.empty() || end != code.size()) return "it has more code than its variants";
  return std::nullopt;
}

// The programs in a file whose layout is right; what is wrong with them, or nothing.
std::optional<std::string> read_variants(const Header& h, const MappedFile& file, std::vector<Program>& programs) {
  const auto at = [&](const Section& s) { return file.bytes().subspan(s.offset, s.size); };
  if (checksum(h, at(h.manifest), at(h.sums)) != h.checksum) return "the checksum does not match";
  Reader reader(at(h.manifest));
  std::vector<Variant> variants = reader.list<Variant>([&] { return read_variant(reader); });
  if (!reader.done()) return "the manifest makes no sense";
  if (h.sums.size != (blocks_in(h.weights.size) + blocks_in(h.constants.size)) * sizeof(uint64_t))
    return "it has too few or too many sums";
  for (Variant& v : variants)
    if (h.weights.size > 0) v.program.weights.append(at(h.weights), file.data);
  if (auto flaw = attach(variants, at(h.code), at(h.constants))) return flaw;
  for (Variant& v : variants) {
    v.program.constant_sums = {reinterpret_cast<const uint64_t*>(at(h.sums).data()), h.sums.size / sizeof(uint64_t)};
    v.program.owner = file.data;
    programs.push_back(std::move(v.program));
  }
  return std::nullopt;
}

}  // namespace

// The largest constants, which must begin as those of all others.
static std::span<const std::byte> common_constants(std::span<const Program> variants) {
  const auto size = [](const Program& p) { return p.constants.size(); };
  const std::span<const std::byte> all = std::ranges::max_element(variants, {}, size)->constants;
  for (const Program& p : variants)
    LAPIS_ASSERT(p.constants.data() == all.data() || p.constants.empty() ||
                     std::memcmp(p.constants.data(), all.data(), p.constants.size()) == 0,
                 "variants whose constants were laid out apart");
  return all;
}

// The weights of the variant that has most, which must begin as those of all others.
static const Parts& common_weights(std::span<const Program> variants) {
  const auto size = [](const Program& p) { return p.weights.size(); };
  const Parts& all = std::ranges::max_element(variants, {}, size)->weights;
  for (const Program& p : variants)
    for (const Parts::Part& part : p.weights.all())
      LAPIS_ASSERT(all.at(part.offset) == part.bytes.data(), "variants whose weights were laid out apart");
  return all;
}

ArtifactImage::ArtifactImage(std::span<const Program> variants) : gap_(kPage, '\0') {
  LAPIS_ASSERT(!variants.empty(), "an artifact of nothing");
  constants_ = common_constants(variants);
  const std::string manifest = write_manifest(variants);
  weights_ = common_weights(variants);
  const std::vector<uint64_t> sums = sums_of(weights_, constants_);
  const auto sum_bytes = std::as_bytes(std::span(sums)), manifest_bytes = std::as_bytes(std::span(manifest));
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.version = abi::kVersion;
  h.manifest.size = manifest.size();
  h.sums.size = sum_bytes.size();
  for (const Program& p : variants) {
    codes_.push_back(p.code);
    h.code.size = next_page(h.code.size) + p.code.size();
  }
  h.weights.size = weights_.size();
  h.constants.size = constants_.size();
  lay_out(h);
  h.checksum = checksum(h, manifest_bytes, sum_bytes);
  head_.resize(h.code.offset);
  std::memcpy(head_.data(), &h, sizeof h);
  std::memcpy(head_.data() + h.manifest.offset, manifest.data(), manifest.size());
  if (!sums.empty()) std::memcpy(head_.data() + h.sums.offset, sums.data(), sum_bytes.size());
}

std::vector<std::span<const std::byte>> ArtifactImage::parts() const {
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(head_))};
  for (const auto code : codes_) {
    parts.push_back(code);
    parts.push_back(std::as_bytes(std::span(gap_)).first(next_page(code.size()) - code.size()));
  }
  uint64_t end = 0;
  const auto add_gap = [&](uint64_t until) { parts.push_back(std::as_bytes(std::span(gap_)).first(until - end)); };
  for (const Parts::Part& part : weights_.all()) {
    add_gap(part.offset);
    parts.push_back(part.bytes);
    end = part.end();
  }
  add_gap(next_page(end));
  parts.push_back(constants_);
  return parts;
}

static bool calls_library(const StepInfo& s) {
  return std::ranges::any_of(s.arguments,
                             [](const abi::Argument& a) { return a.kind == abi::Argument::Kind::Process; });
}

Status check_storable(const Program& program) {
  Diagnostics found;
  const auto refuse = [&](const StepInfo& s, const std::string& how, const char* help) {
    found.push_back(error(ErrorKind::Unsupported, "'" + s.name + "' (" + s.op + ") is " + how +
                                                      " in the process that compiled the model, so the program "
                                                      "cannot be saved")
                        .help(help));
  };
  for (const StepInfo& s : program.steps) {
    const auto* call = std::get_if<CallInfo>(&s.action);
    if (call && call->host)
      refuse(s, "evaluated by the reference",
             "compile the model without calls into the reference, which names what has no code");
    if (calls_library(s))
      refuse(s, "computed by " + s.kernel + ", a library", "leave that kernel out of its schedules");
  }
  return status_of(std::move(found));
}

Status save_artifact(std::span<const Program> variants, const Path& path) {
  for (const Program& p : variants) LAPIS_CHECK(check_storable(p));
  const ArtifactImage image(variants);
  return write_file(path, std::span<const std::span<const std::byte>>(image.parts()));
}

Result<std::vector<Program>> load_variants(const Path& path, const LoadOptions& options) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  LAPIS_TRY(const Header h, read_header(file, path));
  std::vector<Program> variants;
  if (auto flaw = flaw_of_layout(h, file.bytes())) return corrupt(path.string(), *flaw);
  if (auto flaw = read_variants(h, file, variants)) return corrupt(path.string(), *flaw);
  for (Program& p : variants) p.file = path.string();
  if (options.verify) LAPIS_CHECK(verify_constants(variants.front()));
  return variants;
}

Result<Program> load_artifact(const Path& path, const LoadOptions& options) {
  LAPIS_TRY(std::vector<Program> variants, load_variants(path, options));
  return best_variant(std::move(variants));
}

// "x86-64+avx512 lacks avx512 (the processor does not have AVX-512 F, ...)"
static std::string why_not(const Program& variant, const Machine& machine) {
  const Result<Target> target = Target::parse(variant.target);
  return variant.target + (target.ok() ? " needs " + what_lacks(*target, machine) : " is unknown to this runtime");
}

Result<Program> best_variant(std::vector<Program> variants, const Machine& machine) {
  if (variants.size() == 1) return std::move(variants.front());
  const Target host = target_of(machine);
  Program* best = nullptr;
  uint32_t most = 0;
  for (Program& p : variants)
    if (const Result<Target> t = Target::parse(p.target); t.ok() && host.contains(*t) && (!best || t->bits() > most)) {
      best = &p;
      most = t->bits();
    }
  if (best) return std::move(*best);
  Diagnostic none = error(ErrorKind::Target, "this host (" + host.to_string() + ") can run none of the artifact's " +
                                                 std::to_string(variants.size()) + " variants");
  for (const Program& p : variants) none.note(why_not(p, machine));
  return none.at(variants.front().file)
      .help("compile the model for this host too: --target " + host.to_string() + ",...");
}

Status verify_constants(const Program& p) {
  if (p.constant_sums.empty()) return ok();
  size_t next = 0;
  std::optional<Diagnostic> found;
  const auto compare = [&](const char* what) {
    return [&, what](uint64_t at, std::span<const std::byte> block) {
      if (content_hash(block) != p.constant_sums[next++] && !found)
        found = corrupt(
            p.file, std::string("its ") + what + " have changed in the 64 KiB from byte " + std::to_string(at) + " on");
    };
  };
  for_each_block(p.weights, compare("weights"));
  for_each_block(p.constants, compare("constants"));
  if (found) return *found;
  return ok();
}

bool is_artifact(const Path& path) {
  if (!check_regular(path).ok()) return false;  // reading a pipe would wait for its writer
  std::ifstream file(path, std::ios::binary);
  char magic[sizeof kMagic] = {};
  return file.read(magic, sizeof magic) && std::memcmp(magic, kMagic, sizeof kMagic) == 0;
}

}  // namespace lapis
