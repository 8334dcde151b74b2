#include "base/target.h"

#include <algorithm>

#include "base/host.h"
#include "base/suggest.h"

namespace lapis {
namespace {

// Weakest first, so that closure is one pass from the strong end.
uint32_t closure(uint32_t bits) {
  for (size_t i = kIsas.size(); i-- > 0;)
    if (bits & bit(kIsas[i].isa)) bits |= kIsas[i].implies;
  return bits;
}

std::vector<std::string> known_features() {
  std::vector<std::string> names;
  for (const IsaRow& row : kIsas) names.emplace_back(row.name);
  return names;
}

}  // namespace

Target Target::with(Isa isa) const {
  Target t;
  t.bits_ = closure(bits_ | bit(isa));
  return t;
}

Target Target::host() {
  static const Target host = target_of(this_machine());
  return host;
}

int Target::vector_bytes() const {
  int bytes = kIsas.front().vector_bytes;
  for (const IsaRow& row : kIsas)
    if (has(row.isa)) bytes = std::max(bytes, row.vector_bytes);
  return bytes;
}

std::vector<Target> Target::levels() {
  const Target base;
  return {base.with(Isa::Avx2), base.with(Isa::Avx512), base.with(Isa::Avx512Vnni),
          base.with(Isa::Avx512Vnni).with(Isa::Avx512Vbmi).with(Isa::Avx512Bf16),
          base.with(Isa::AmxInt8).with(Isa::AmxBf16).with(Isa::Avx512Vbmi)};
}

Result<Target> Target::parse(std::string_view text) {
  if (text == "host") return host();
  const std::string whole(text);
  std::string_view arch = text.substr(0, text.find('+'));
  if (arch != "x86-64")
    return error(ErrorKind::Usage, "unknown target architecture '" + std::string(arch) + "' in '" + whole + "'")
        .help("write `host` or `x86-64+FEATURE...` with features " + joined(known_features()));
  Target t;
  text.remove_prefix(arch.size());
  while (!text.empty()) {
    text.remove_prefix(1);  // '+'
    const std::string_view name = text.substr(0, text.find('+'));
    const auto found = std::ranges::find(kIsas, name, &IsaRow::name);
    if (found == kIsas.end())
      return error(ErrorKind::Usage, "unknown target feature '" + std::string(name) + "' in '" + whole + "'")
          .help(suggestion(name, known_features()));
    t = t.with(found->isa);
    text.remove_prefix(name.size());
  }
  return t;
}

std::string Target::to_string() const {
  uint32_t implied = 0;
  for (const IsaRow& row : kIsas)
    if (has(row.isa)) implied |= row.implies;
  std::string text = "x86-64";
  for (const IsaRow& row : kIsas)
    if (has(row.isa) && !(implied & bit(row.isa))) text += "+" + std::string(row.name);
  return text;
}

}  // namespace lapis
