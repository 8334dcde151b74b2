#include "runtime/artifact.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "base/content_hash.h"
#include "runtime/manifest.h"

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
  auto variants = read_manifest(at(h.manifest));
  if (!variants) return "the manifest makes no sense";
  if (h.sums.size != (blocks_in(h.weights.size) + blocks_in(h.constants.size)) * sizeof(uint64_t))
    return "it has too few or too many sums";
  for (Variant& v : *variants)
    if (h.weights.size > 0) v.program.weights.append(at(h.weights), file.data);
  if (auto flaw = attach(*variants, at(h.code), at(h.constants))) return flaw;
  for (Variant& v : *variants) {
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
