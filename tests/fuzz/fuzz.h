// What the fuzz targets share: the first model before time is counted, bytes as a file,
// and what must hold of whatever imports. A broken invariant is an exception that nothing catches here, so it is a
// finding like a bad access.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "codegen/lower/lower.h"
#include "driver/compile.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/infer.h"
#include "ir/verify.h"

namespace lapis::fuzz {

// ONNX registers its schemas with the first model, which takes seconds under sanitizers;
// no input shall be blamed for it.
inline void register_schemas() {
  const auto graph = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", "first");
  if (!graph.ok()) std::abort();
}

// Bytes as a file that readers of files can open.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ::write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  Path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Small enough for the reference to fold in milliseconds.
inline bool is_small(const Graph& graph) {
  constexpr int64_t kMostElements = 1 << 14;
  if (graph.node_count() > 100) return false;
  auto small = [](const Value* v) {
    return !v || (v->type().is_static() && element_count(v->type().shape()) <= kMostElements);
  };
  for (const Value* input : graph.inputs())
    if (!small(input)) return false;
  for (const Node* node : graph.nodes())
    for (const Value* output : node->outputs())
      if (!small(output)) return false;
  return true;
}

// Each level in turn, so that a finding does not wait for a processor that has it.
inline Target some_target(const Graph& graph) {
  const std::vector<Target> levels = Target::levels();
  return levels[graph.node_count() % levels.size()];
}

// Passes and lowering; every refusal is fine.
inline void compile_if_small(Graph& graph) {
  ModelOptions options;
  for (const std::string& symbol : free_symbols(graph)) options.dims[symbol] = 2;
  if (!bind_model(graph, options).ok() || !is_small(graph)) return;
  const auto prepared = run_passes(graph);
  if (prepared.ok()) static_cast<void>(codegen::lower(*prepared->graph, {some_target(graph), true}));
}

// Whatever imports holds together, survives export and import, and goes through the compiler.
inline void check_and_compile(const Result<std::unique_ptr<Graph>>& graph) {
  if (!graph.ok()) return;
  if (!verify(**graph, VerifyLevel::Structure).empty()) std::abort();
  const auto exported = export_onnx(**graph);
  if (exported.ok() && !import_onnx(std::as_bytes(std::span(*exported)), "again").ok()) std::abort();
  compile_if_small(**graph);
}

}  // namespace lapis::fuzz

// Allocations beyond libFuzzer's limit are findings;
// memory that cannot be had is an exception like without the sanitizer.
// Each target is one file, and nothing in it calls this.
extern "C" __attribute__((used, visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
