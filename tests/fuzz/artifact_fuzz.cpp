// Arbitrary bytes, and a real artifact with some of its bytes replaced, load as a program or are an error.
// Nothing is run.
#include <cstring>

#include "runtime/artifact.h"
#include "tests/fuzz/fuzz.h"

namespace lapis::fuzz {
namespace {

std::string g_artifact;

void load(std::span<const std::byte> bytes) {
  const MemoryFile file(bytes);
  const auto program = load_artifact(file.path());
  if (is_artifact(file.path()) || !program.ok()) return;
  std::abort();  // loaded without the magic
}

// Patches of an offset (2 bytes), a length and that many bytes.
std::string patched(std::span<const uint8_t> patches) {
  std::string bytes = g_artifact;
  while (patches.size() > 3) {
    const size_t at = (patches[0] | patches[1] << 8) % bytes.size(),
                 length = std::min({size_t{patches[2]}, patches.size() - 3, bytes.size() - at});
    std::memcpy(bytes.data() + at, patches.data() + 3, length);
    patches = patches.subspan(3 + length);
  }
  return bytes;
}

}  // namespace
}  // namespace lapis::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  using namespace lapis;
  const auto graph = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) "
      "}",
      "first");
  if (!graph.ok()) std::abort();
  const auto compiled = compile(**graph);
  const Path path = std::filesystem::temp_directory_path() / ("lapis_artifact_fuzz_" + std::to_string(::getpid()));
  if (!compiled.ok() || !save_artifact(compiled->program, path).ok()) std::abort();
  fuzz::g_artifact = *read_file(path);
  std::filesystem::remove(path);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  fuzz::load(std::as_bytes(std::span(data, size)));
  const std::string artifact = fuzz::patched({data, size});
  fuzz::load(std::as_bytes(std::span(artifact)));
  return 0;
}
