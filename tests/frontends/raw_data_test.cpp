// What lies in a file is not read into memory: large tensors borrow it,
// and are what a reader that copies everything would have made.
#include "frontends/onnx/raw_data.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/pages.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"
#include "tests/frontends/graphs.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

using onnx_frontend::split_model;

Tensor counted(DType dtype, Shape shape) {
  Tensor tensor(dtype, std::move(shape));
  for (int64_t i = 0; i < tensor.bytes(); ++i) tensor.mutable_raw()[i] = static_cast<std::byte>(i % 61);
  return tensor;
}

// Two large tensors between small ones; the length of the name moves all that follows.
std::string model_of(const std::string& name) {
  const auto graph = graph_of(
      "(int8[100] x, float[40,40] f, int8[100,100] q, float[40,40] p, float[3] s) => (int8[100,100] y, float[40,40] z, "
      "float[3] t) <float[3] c = {1, 2, 3}> { y = Add(x, q) u = Add(f, p) z = Relu(u) t = Add(s, c) }");
  for (const char* input : {"q", "p"}) {
    Value* const value = graph->find_value(input);
    graph->replace_all_uses(value, graph->add_constant(counted(value->dtype(), value->type().shape()), input + name));
    graph->remove_input(value);
  }
  return *export_onnx(*graph);
}

MappedFile in_memory(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return {{owner, reinterpret_cast<const std::byte*>(owner->data())}, owner->size()};
}

// Equal but for what the messages say: the one reader borrows, the other copies.
bool agree(const std::string& bytes) {
  const auto borrowed = import_onnx("m.onnx", in_memory(bytes), {});
  const auto copied = import_onnx(std::as_bytes(std::span(bytes)), "m.onnx");
  EXPECT_EQ(borrowed.ok(), copied.ok());
  if (!borrowed.ok() || !copied.ok()) return borrowed.ok() == copied.ok();
  EXPECT_TRUE(verify(**borrowed, VerifyLevel::Structure).empty());
  EXPECT_EQ(difference(**borrowed, **copied), "");
  return true;
}

TEST(RawData, IsWhatAReaderThatCopiesSees) {
  for (const std::string name : {"", "a", "ab", "abc"}) {
    const std::string model = model_of(name);
    const auto split = split_model(in_memory(model));
    ASSERT_TRUE(split);
    EXPECT_EQ(split->raw.size(), 100U * 100 + 40 * 40 * 4);
    EXPECT_LT(split->message.size() + split->raw.size(), model.size()) << "keys and lengths are gone too";
    EXPECT_TRUE(agree(model)) << name;
  }
}

TEST(RawData, StaysInTheFile) {
  const Path path = std::filesystem::temp_directory_path() / ("lapis_raw_" + std::to_string(::getpid()) + ".onnx");
  ASSERT_TRUE(write_file(path, model_of("")).ok());
  const auto graph = *import_onnx(path);
  std::filesystem::remove(path);
  for (const Value* constant : graph->constants()) {
    const Tensor& tensor = constant->constant();
    if (tensor.dtype() == DType::Int8) {
      EXPECT_TRUE(in_mapped_file(tensor.raw()));
    }
    if (tensor.bytes() < 4096) {
      EXPECT_FALSE(in_mapped_file(tensor.raw()));
    }
    const auto alignment = static_cast<uintptr_t>(bit_width(tensor.dtype()) / 8);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % alignment, 0U);
    if (tensor.bytes() >= 4096) {
      EXPECT_EQ(tensor, counted(tensor.dtype(), tensor.shape()));
    }
  }
}

TEST(RawData, IsNotSetApartWhereThatWouldSaveLittle) {
  const auto graph = graph_of("(float[3] s) => (float[3] t) <float[3] c = {1, 2, 3}> { t = Add(s, c) }");
  EXPECT_FALSE(split_model(in_memory(*export_onnx(*graph))));
  EXPECT_FALSE(split_model(in_memory("")));
  EXPECT_FALSE(split_model({}));
}

TEST(RawData, OfDamagedFilesIsReadAlike) {
  const std::string model = model_of("");
  const size_t contents = model.find(std::string(reinterpret_cast<const char*>(counted(DType::Int8, {64}).raw()), 64));
  ASSERT_NE(contents, std::string::npos);
  for (size_t byte = 0; byte < model.size(); byte += testing::kStride) {
    if (byte > contents + 4 && byte + 64 < contents + 10000) continue;  // numbers like any other
    for (const int bit : {0, 2, 7}) {
      std::string damaged = model;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
      ASSERT_TRUE(agree(damaged)) << "byte " << byte << " bit " << bit;
    }
    if (byte > contents && byte % 64 != 0) continue;
    ASSERT_TRUE(agree(model.substr(0, byte))) << "cut to " << byte;
  }
}

}  // namespace
}  // namespace lapis
