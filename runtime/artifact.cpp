#include "runtime/artifact.h"

#include <cstring>
#include <fstream>

#include "base/hash.h"

namespace lapis {
namespace {

constexpr char kMagic[8] = {'L', 'A', 'P', 'I', 'S', '\r', '\n', '\x1a'};  // text-mode transfers break it visibly
constexpr uint64_t kPage = 4096;

struct Section {
  uint64_t offset = 0, size = 0;
};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  Section manifest, code, constants;
  uint64_t file_size;
  uint64_t checksum;  // of header (with 0 here), manifest and code
};

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
  std::string text() {
    const uint64_t size = u64();
    if (!take(size)) return {};
    return {reinterpret_cast<const char*>(bytes_.data()) + at_ - size, size};
  }
  template <class T, class F> std::vector<T> list(F&& read) {
    std::vector<T> items;
    for (uint64_t n = u64(); n > 0 && !failed_; --n) items.push_back(read());
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

std::string write_manifest(const Program& p) {
  Writer w;
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
  };
  w.text(p.target);
  w.text(p.producer);
  w.u64(p.plan_hash);
  w.u64(p.source_hash);
  w.i64(p.arena_bytes);
  w.list(p.inputs, io);
  w.list(p.outputs, io);
  w.list(p.steps, step);
  return w.bytes();
}

IoInfo read_io(Reader& r) {
  IoInfo io;
  io.name = r.text();
  io.dtype = static_cast<DType>(r.u64());
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
  return s;
}

Program read_manifest(Reader& r) {
  Program p;
  p.target = r.text();
  p.producer = r.text();
  p.plan_hash = r.u64();
  p.source_hash = r.u64();
  p.arena_bytes = r.i64();
  p.inputs = r.list<IoInfo>([&] { return read_io(r); });
  p.outputs = r.list<IoInfo>([&] { return read_io(r); });
  p.steps = r.list<StepInfo>([&] { return read_step(r); });
  return p;
}

bool plausible(const IoInfo& io) {
  constexpr int64_t kLimit = int64_t{1} << 40;
  if (io.dtype == DType::Undefined || static_cast<int>(io.dtype) > 26 || bit_width(io.dtype) < 8) return false;
  int64_t count = 1;
  for (int64_t d : io.shape) {
    if (d < 0 || d > kLimit || (d != 0 && count > kLimit / d)) return false;
    count *= d;
  }
  return true;
}

bool plausible(const Program& p) {
  constexpr int64_t kArenaLimit = int64_t{1} << 42;
  if (p.arena_bytes < 0 || p.arena_bytes > kArenaLimit) return false;
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const IoInfo& io : *list)
      if (!plausible(io)) return false;
  for (const StepInfo& s : p.steps)
    if (s.units < 0 || s.code_offset >= p.code.size() || s.code_size > p.code.size() - s.code_offset) return false;
  return true;
}

uint64_t checksum(Header header, std::span<const std::byte> manifest, std::span<const std::byte> code) {
  header.checksum = 0;
  Hasher h;
  h.add_bytes(&header, sizeof header);
  h.add_bytes(manifest.data(), manifest.size());
  h.add_bytes(code.data(), code.size());
  return h.value();
}

uint64_t next_page(uint64_t offset) { return (offset + kPage - 1) / kPage * kPage; }

Diagnostic corrupt(const Path& path, const std::string& what) {
  return error(ErrorKind::Input, "the artifact is damaged: " + what)
      .at(path.string())
      .help("compile the model again with `lapis compile`");
}

bool inside(const Section& s, uint64_t file_size) {
  return s.offset <= file_size && s.size <= file_size - s.offset && s.offset % kPage == 0;
}

}  // namespace

Status save_artifact(const Program& program, const Path& path) {
  const std::string manifest = write_manifest(program);
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.version = abi::kVersion;
  h.manifest = {kPage, manifest.size()};
  h.code = {next_page(h.manifest.offset + h.manifest.size), program.code.size()};
  h.constants = {next_page(h.code.offset + h.code.size), program.constants.size()};
  h.file_size = h.constants.offset + h.constants.size;
  h.checksum = checksum(h, std::as_bytes(std::span(manifest)), program.code);
  std::string file(h.file_size, '\0');
  std::memcpy(file.data(), &h, sizeof h);
  std::memcpy(file.data() + h.manifest.offset, manifest.data(), manifest.size());
  if (!program.code.empty()) std::memcpy(file.data() + h.code.offset, program.code.data(), program.code.size());
  if (!program.constants.empty())
    std::memcpy(file.data() + h.constants.offset, program.constants.data(), program.constants.size());
  return write_file(path, std::string_view(file));
}

Result<Program> load_artifact(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  Header h{};
  if (file.size < sizeof h) return corrupt(path, "it ends before its header does");
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
  if (h.file_size != file.size)
    return corrupt(path, "it has " + std::to_string(file.size) + " bytes instead of " + std::to_string(h.file_size));
  for (const Section& s : {h.manifest, h.code, h.constants})
    if (!inside(s, file.size)) return corrupt(path, "a section lies outside of the file");
  const auto manifest = file.bytes().subspan(h.manifest.offset, h.manifest.size),
             code = file.bytes().subspan(h.code.offset, h.code.size);
  if (checksum(h, manifest, code) != h.checksum) return corrupt(path, "the checksum does not match");
  Reader reader(manifest);
  Program p = read_manifest(reader);
  p.code = code;
  p.constants = file.bytes().subspan(h.constants.offset, h.constants.size);
  p.owner = file.data;
  if (!reader.done() || !plausible(p)) return corrupt(path, "the manifest makes no sense");
  return p;
}

bool is_artifact(const Path& path) {
  if (!check_regular(path).ok()) return false;  // reading a pipe would wait for its writer
  std::ifstream file(path, std::ios::binary);
  char magic[sizeof kMagic] = {};
  return file.read(magic, sizeof magic) && std::memcmp(magic, kMagic, sizeof kMagic) == 0;
}

}  // namespace lapis
