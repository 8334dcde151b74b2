// Compiling models: a model file (ONNX, TFLite) becomes an Executable for this
// host or another one (library Lapis::lapis).
//
//   auto executable = lapis::compile("resnet50.onnx", {.dims = {{"N", 1}}}).value();
//   lapis::compile("resnet50.onnx", {.target = "x86-64+avx2"}).value().save("resnet50-avx2.lapis");
#pragma once

#include "lapis/executable.h"
#include "lapis/translator.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  struct DimRange {
    int64_t lowest = 1, highest = 2147483647;
  };

  struct CompileOptions {
    // "x86-64+avx2", "x86-64+avx512vnni", ...; several, separated by commas,
    // make variants of which the host takes the strongest that it has.
    std::string target = "host";
    std::map<std::string, int64_t> dims;  // values of symbolic dimensions; a batch dimension defaults to 1
    std::map<std::string, std::vector<int64_t>> shapes;  // concrete input shapes
    // Symbolic dimensions that stay free within a range.
    // Those that nothing is said about are free too, but for a batch, which is 1.
    std::map<std::string, DimRange> ranges;
    // What operators become that Lapis does not know.
    std::vector<Translator> translators;
    // A file that keeps generated code for later processes; empty: none. One that cannot be read or written is no
    // error, only of no use. Who can write it can run code in the processes that use it.
    std::filesystem::path code_cache;
  };

  // Where dimensions stay free, sessions take inputs of any extent: what a new shape needs is made when it first comes,
  // from weights and code that all shapes share, and kept for all sessions.
  //   auto bert = lapis::compile("bert.onnx", {.ranges = {{"N", {1, 8}}, {"S", {1, 512}}}}).value();
  //
  // Errors: ErrorCode::Input for a file that is no model, ErrorCode::Unsupported listing every node that cannot be
  // compiled, ErrorCode::Usage for a range of no dimension, ErrorCode::Target if the result cannot run here (compile_to
  // can make it).
  LAPIS_EXPORT Result<Executable> compile(const std::filesystem::path& model, const CompileOptions& options = {});

  // Compiles for any targets and writes one artifact, without loading it here. ErrorCode::Usage for a symbolic
  // dimension without a value, or with a range: an artifact holds code for fixed shapes.
  //   lapis::compile_to("resnet50.lapis", "resnet50.onnx", {.target = "x86-64+avx2,x86-64+avx512vnni"}).value();
  LAPIS_EXPORT Result<std::filesystem::path> compile_to(
      const std::filesystem::path& artifact, const std::filesystem::path& model, const CompileOptions& options = {});

}  // namespace v1
}  // namespace lapis
