// oneDNN's C functions, loaded when they are first asked for:
// whoever does not ask needs neither the library nor the OpenMP that it brings.
// Private to codegen/onednn.
//
//   const Loaded& loaded = library();
//   if (!loaded.api) return loaded.failure;
//   loaded.api->engine_create(&engine, dnnl_cpu, 0);
#pragma once

#include <oneapi/dnnl/dnnl.h>

#include <memory>
#include <optional>
#include <string>

namespace lapis::onednn {

#define LAPIS_ONEDNN_FUNCTIONS(f)                                                                                    \
  f(version) f(engine_create) f(stream_create) f(stream_wait) f(stream_destroy) f(memory_desc_create_with_tag)       \
      f(memory_desc_create_with_strides) f(memory_desc_clone) f(memory_desc_destroy) f(memory_desc_get_size)         \
          f(memory_create) f(memory_destroy) f(primitive_attr_create) f(primitive_attr_set_scratchpad_mode)          \
              f(primitive_attr_destroy) f(convolution_forward_primitive_desc_create) f(matmul_primitive_desc_create) \
                  f(reorder_primitive_desc_create) f(primitive_desc_query) f(primitive_desc_query_md)                \
                      f(primitive_desc_destroy) f(primitive_create) f(primitive_execute) f(primitive_destroy)

struct Api {
#define LAPIS_ONEDNN_MEMBER(name) decltype(&dnnl_##name) name = nullptr;
  LAPIS_ONEDNN_FUNCTIONS(LAPIS_ONEDNN_MEMBER)
#undef LAPIS_ONEDNN_MEMBER
  // Of the OpenMP beneath it.
  int (*omp_get_max_threads)() = nullptr;
  void (*omp_set_num_threads)(int) = nullptr;
  dnnl_engine_t engine = nullptr;
};

struct Loaded {
  std::optional<Api> api;
  std::string failure;  // why there is none
};
const Loaded& library();

// While it lives, what this thread asks of the library is done by this thread alone.
class OneThread {
 public:
  explicit OneThread(const Api& api) : api_(api), before_(api.omp_get_max_threads()) { api.omp_set_num_threads(1); }
  ~OneThread() { api_.omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;

 private:
  const Api& api_;
  const int before_;
};

// A handle of the library that ends with its owner.
template <class Handle> using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, dnnl_status_t (*)(Handle)>;

}  // namespace lapis::onednn
