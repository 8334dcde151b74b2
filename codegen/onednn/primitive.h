// One primitive of oneDNN for a piece of a problem: so many rows of results in one single-threaded call.
// Private to codegen/onednn.
//
//   auto primitive = Primitive::make(api, problem, 14, nullptr);   // null: the library has none that is fast
//   std::vector<uint8_t> weights = primitive->pack(in_order);
//   primitive->run({input, weights.data(), bias, sums, scratchpad});
#pragma once

#include "base/tensor.h"
#include "codegen/onednn/library.h"
#include "codegen/onednn/problem.h"

namespace lapis::onednn {

class Primitive {
 public:
  // In the order of `weights`, or in the one that the library likes best.
  // Null if it has nothing but its reference code.
  static std::unique_ptr<Primitive> make(const Api& api, const Problem& problem, int64_t rows,
                                         const_dnnl_memory_desc_t weights);

  const_dnnl_memory_desc_t weights() const { return weights_.get(); }
  size_t scratchpad_bytes() const { return api_.memory_desc_get_size(scratchpad_.get()); }
  std::string name() const;  // of the library's implementation
  std::vector<uint8_t> pack(const Tensor& in_order) const;

  struct Memory {
    const void *input, *weights, *bias;
    void *sums, *scratchpad;  // 64-byte aligned
  };
  // False if the library cannot. Any number of threads may run one at the same time.
  bool run(const Memory& memory) const;

 private:
  using Descriptor = Owned<dnnl_memory_desc_t>;
  Primitive(const Api& api, const Problem& problem) : api_(api), problem_(problem) {}
  bool create(int64_t rows, const_dnnl_memory_desc_t weights);
  dnnl_status_t describe(dnnl_primitive_desc_t* result, const_dnnl_memory_desc_t weights,
                         const_dnnl_primitive_attr_t attributes) const;
  void describe_product(int64_t rows);
  void describe_convolution(int64_t rows);
  Descriptor tensor(std::initializer_list<int64_t> dims, dnnl_format_tag_t tag) const;
  Descriptor strided(std::initializer_list<int64_t> dims, std::initializer_list<int64_t> strides) const;
  Descriptor in_order() const;
  Descriptor query(dnnl_query_t what) const;

  const Api& api_;
  const Problem problem_;
  Descriptor input_{nullptr, nullptr}, bias_{nullptr, nullptr}, sums_{nullptr, nullptr}, any_{nullptr, nullptr},
      weights_{nullptr, nullptr}, scratchpad_{nullptr, nullptr};
  Owned<dnnl_primitive_desc_t> description_{nullptr, nullptr};
  Owned<dnnl_primitive_t> primitive_{nullptr, nullptr};
};

}  // namespace lapis::onednn
