// The tensors of a .tflite file: their types, their data, and what their integers stand for.
//
//   TensorReader tensors(mapped, model, copies);
//   LAPIS_TRY(SourceValue value, tensors.read(table, {.name = "x", .is_input = true}));
#pragma once

#include "base/file.h"
#include "frontends/common/limits.h"
#include "frontends/common/source_graph.h"
#include "frontends/tflite/flatbuffer.h"

namespace lapis::tflite_frontend {

// What a tensor is in its graph.
struct TensorRole {
  const std::string& name;
  bool is_input = false, is_computed = false;  // by an operator
  bool names_sizes = false;                    // open sizes get names: those of the model's inputs
};

class TensorReader {
 public:
  // Data borrows from `mapped`; `copies` limits what is made beside it.
  TensorReader(const MappedFile& mapped, const FlatTable& model, frontend::Expansion& copies);
  Result<frontend::SourceValue> read(const FlatTable& table, const TensorRole& role) const;

 private:
  Result<std::span<const std::byte>> data_of(const FlatTable& table) const;
  Result<Type> type_of(const FlatTable& table, const TensorRole& role) const;
  Status read_constant(frontend::SourceValue& value, const FlatTable& table) const;
  Result<Tensor> constant(const FlatTable& table, DType dtype, std::span<const std::byte> data) const;
  Status read_quantization(frontend::SourceValue& value, const FlatTable& table) const;
  bool has_data(const FlatTable& table) const;

  const MappedFile& mapped_;
  frontend::Expansion& copies_;
  std::vector<FlatTable> buffers_;
};

}  // namespace lapis::tflite_frontend
