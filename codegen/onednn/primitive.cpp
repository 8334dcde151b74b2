#include "codegen/onednn/primitive.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"

namespace lapis::onednn {
namespace {

struct Dims {
  dnnl_dims_t values = {};
  Dims(std::initializer_list<int64_t> list) { std::ranges::copy(list, values); }
};

template <class Handle> Owned<Handle> owned(Handle handle, dnnl_status_t (*destroy)(Handle)) {
  return Owned<Handle>(handle, destroy);
}

}  // namespace

// ---- descriptions ---------------------------------------------------------------------------------------------------

Primitive::Descriptor Primitive::tensor(std::initializer_list<int64_t> dims, dnnl_format_tag_t tag) const {
  dnnl_memory_desc_t made = nullptr;
  api_.memory_desc_create_with_tag(&made, static_cast<int>(dims.size()), Dims(dims).values, dnnl_f32, tag);
  return owned(made, api_.memory_desc_destroy);
}

Primitive::Descriptor Primitive::strided(std::initializer_list<int64_t> dims,
                                         std::initializer_list<int64_t> strides) const {
  dnnl_memory_desc_t made = nullptr;
  api_.memory_desc_create_with_strides(&made, static_cast<int>(dims.size()), Dims(dims).values, dnnl_f32,
                                       Dims(strides).values);
  return owned(made, api_.memory_desc_destroy);
}

void Primitive::describe_product(int64_t rows) {
  const Problem& p = problem_;
  input_ = strided({rows, p.depth}, {p.pitch, 1});
  any_ = tensor({p.depth, p.channels}, dnnl_format_tag_any);
  bias_ = tensor({1, p.channels}, dnnl_ab);
  sums_ = tensor({rows, p.channels}, dnnl_ab);
}

void Primitive::describe_convolution(int64_t rows) {
  const Problem& p = problem_;
  const int64_t per_group = p.channels / p.groups,
                height = (rows - 1) * p.row_stride + (p.kernel_rows - 1) * p.row_dilation + 1;
  input_ = tensor({1, p.groups * p.depth, height, p.image_columns}, dnnl_nhwc);
  any_ = p.groups > 1 ? tensor({p.groups, per_group, p.depth, p.kernel_rows, p.kernel_columns}, dnnl_format_tag_any)
                      : tensor({per_group, p.depth, p.kernel_rows, p.kernel_columns}, dnnl_format_tag_any);
  bias_ = tensor({p.channels}, dnnl_a);
  sums_ = tensor({1, p.channels, rows, p.columns}, dnnl_nhwc);
}

// As Weights::in_order has them: [groups][channels/groups][taps][depth].
Primitive::Descriptor Primitive::in_order() const {
  const Problem& p = problem_;
  if (!p.convolution) return strided({p.depth, p.channels}, {1, p.depth});
  const int64_t row = p.kernel_columns * p.depth, channel = p.kernel_rows * row, per_group = p.channels / p.groups;
  if (p.groups == 1) return strided({per_group, p.depth, p.kernel_rows, p.kernel_columns}, {channel, 1, row, p.depth});
  return strided({p.groups, per_group, p.depth, p.kernel_rows, p.kernel_columns},
                 {per_group * channel, channel, 1, row, p.depth});
}

dnnl_status_t Primitive::describe(dnnl_primitive_desc_t* result, const_dnnl_memory_desc_t weights,
                                  const_dnnl_primitive_attr_t attributes) const {
  const Problem& p = problem_;
  if (!p.convolution)
    return api_.matmul_primitive_desc_create(result, api_.engine, input_.get(), weights, bias_.get(), sums_.get(),
                                             attributes);
  const Dims strides{p.row_stride, p.column_stride}, dilations{p.row_dilation - 1, p.column_dilation - 1}, none{0, 0},
      behind{0, p.needed_columns() - p.image_columns};
  return api_.convolution_forward_primitive_desc_create(
      result, api_.engine, dnnl_forward_inference, dnnl_convolution_direct, input_.get(), weights, bias_.get(),
      sums_.get(), strides.values, dilations.values, none.values, behind.values, attributes);
}

Primitive::Descriptor Primitive::query(dnnl_query_t what) const {
  dnnl_memory_desc_t copy = nullptr;
  api_.memory_desc_clone(&copy, api_.primitive_desc_query_md(description_.get(), what, 0));
  return owned(copy, api_.memory_desc_destroy);
}

// ---- life -----------------------------------------------------------------------------------------------------------

// Scratchpads are the caller's: the library's own belong to the thread that made the primitive.
bool Primitive::create(int64_t rows, const_dnnl_memory_desc_t weights) {
  problem_.convolution ? describe_convolution(rows) : describe_product(rows);
  dnnl_primitive_attr_t attributes = nullptr;
  if (api_.primitive_attr_create(&attributes) != dnnl_success) throw std::bad_alloc();
  const auto held = owned(attributes, api_.primitive_attr_destroy);
  api_.primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  dnnl_primitive_desc_t description = nullptr;
  if (describe(&description, weights ? weights : any_.get(), attributes) != dnnl_success) return false;
  description_ = owned(description, api_.primitive_desc_destroy);
  if (name().starts_with("ref") || name().find(":ref") != std::string::npos) return false;
  weights_ = query(dnnl_query_weights_md);
  scratchpad_ = query(dnnl_query_scratchpad_md);
  dnnl_primitive_t primitive = nullptr;
  if (api_.primitive_create(&primitive, description) != dnnl_success) return false;
  primitive_ = owned(primitive, api_.primitive_destroy);
  return true;
}

std::unique_ptr<Primitive> Primitive::make(const Api& api, const Problem& problem, int64_t rows,
                                           const_dnnl_memory_desc_t weights) {
  const OneThread alone(api);  // how it divides its work is settled here
  std::unique_ptr<Primitive> made(new Primitive(api, problem));
  return made->create(rows, weights) ? std::move(made) : nullptr;
}

std::string Primitive::name() const {
  const char* name = nullptr;
  api_.primitive_desc_query(description_.get(), dnnl_query_impl_info_str, 0, &name);
  return name ? name : "";
}

// ---- work -----------------------------------------------------------------------------------------------------------

namespace {

// The operands of one execution.
class Execution {
 public:
  explicit Execution(const Api& api) : api_(api) {
    if (api_.stream_create(&stream_, api_.engine, dnnl_stream_default_flags) != dnnl_success) stream_ = nullptr;
  }
  ~Execution() {
    for (size_t i = 0; i < count_; ++i) api_.memory_destroy(arguments_[i].memory);
    if (stream_) api_.stream_destroy(stream_);
  }
  Execution(const Execution&) = delete;

  void add(int argument, const_dnnl_memory_desc_t description, const void* at) {
    dnnl_memory_t memory = nullptr;
    complete_ &= api_.memory_create(&memory, description, api_.engine, const_cast<void*>(at)) == dnnl_success;
    if (complete_) arguments_[count_++] = {argument, memory};
  }
  bool run(const_dnnl_primitive_t primitive) {
    return complete_ && stream_ &&
           api_.primitive_execute(primitive, stream_, static_cast<int>(count_), arguments_.data()) == dnnl_success &&
           api_.stream_wait(stream_) == dnnl_success;
  }

 private:
  const Api& api_;
  dnnl_stream_t stream_ = nullptr;
  std::array<dnnl_exec_arg_t, 5> arguments_ = {};
  size_t count_ = 0;
  bool complete_ = true;
};

}  // namespace

bool Primitive::run(const Memory& memory) const {
  Execution execution(api_);
  execution.add(DNNL_ARG_SRC, input_.get(), memory.input);
  execution.add(DNNL_ARG_WEIGHTS, weights_.get(), memory.weights);
  execution.add(DNNL_ARG_BIAS, bias_.get(), memory.bias);
  execution.add(DNNL_ARG_DST, sums_.get(), memory.sums);
  execution.add(DNNL_ARG_SCRATCHPAD, scratchpad_.get(), memory.scratchpad);
  return execution.run(primitive_.get());
}

std::vector<uint8_t> Primitive::pack(const Tensor& weights) const {
  const OneThread alone(api_);
  std::vector<uint8_t> packed(api_.memory_desc_get_size(weights_.get()));
  const Descriptor from = in_order();
  dnnl_primitive_desc_t description = nullptr;
  const dnnl_status_t described =
      api_.reorder_primitive_desc_create(&description, from.get(), api_.engine, weights_.get(), api_.engine, nullptr);
  LAPIS_ASSERT(described == dnnl_success, "oneDNN cannot bring weights into the order that it asked for");
  const auto held = owned(description, api_.primitive_desc_destroy);
  dnnl_primitive_t reorder = nullptr;
  if (api_.primitive_create(&reorder, description) != dnnl_success) throw std::bad_alloc();
  const auto held_too = owned(reorder, api_.primitive_destroy);
  Execution execution(api_);
  execution.add(DNNL_ARG_FROM, from.get(), weights.raw());
  execution.add(DNNL_ARG_TO, weights_.get(), packed.data());
  if (!execution.run(reorder)) throw std::bad_alloc();
  return packed;
}

}  // namespace lapis::onednn
