// An object file linked into a shared library and loaded into this process: what a C program gets that links it.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "codegen/object/object.h"
#include "driver/compile.h"

namespace lapis::testing {

inline bool has_c_compiler() {
  static const bool kHas = std::system("cc --version > /dev/null 2>&1") == 0;
  return kHas;
}

class ObjectRunner {
 public:
  explicit ObjectRunner(const Compiled& compiled) {
    static int number = 0;
    directory_ = std::filesystem::temp_directory_path() /
                 ("lapis_objects_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
    std::filesystem::create_directories(directory_);
    const auto files = write_object(compiled.plan, compiled.code, {"model", directory_});
    EXPECT_TRUE(files.ok()) << to_string(files.diagnostics());
    const std::string link = "cd " + directory_.string() + " && test -z \"$(nm -u model.o)\" && " +
                             "cc -shared -nostdlib -Wl,-z,text -Wl,--fatal-warnings model.o -o model.so";
    EXPECT_EQ(std::system(link.c_str()), 0) << "it needs something from outside, or does not link";
    library_ = dlopen((directory_ / "model.so").c_str(), RTLD_NOW);
    for (const PlanIo& io : compiled.plan.outputs) outputs_.emplace_back(io.dtype, io.shape);
    arena_.resize(static_cast<size_t>(object_arena_bytes(compiled.plan)) + 64);
  }
  ~ObjectRunner() {
    if (library_) dlclose(library_);
    std::filesystem::remove_all(directory_);
  }
  ObjectRunner(const ObjectRunner&) = delete;
  ObjectRunner& operator=(const ObjectRunner&) = delete;

  // By the one call, or phase by phase as callers with threads do.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, bool by_phases) {
    std::vector<const void*> in;
    std::vector<void*> out;
    in.reserve(inputs.size());
    out.reserve(outputs_.size());
    for (const Tensor& t : inputs) in.push_back(t.raw());
    for (Tensor& t : outputs_) out.push_back(t.mutable_raw());
    const auto at = reinterpret_cast<uintptr_t>(arena_.data());
    void* arena = reinterpret_cast<void*>((at + 63) / 64 * 64);
    if (!by_phases) {
      EXPECT_EQ(function<int(const void*, void*, void*)>("model_run")(in.data(), out.data(), arena), 0);
      return outputs_;
    }
    const auto phases = function<size_t()>("model_phases")();
    for (size_t p = 0; p < phases; ++p)
      for (int64_t unit = function<int64_t(size_t)>("model_units")(p); unit-- > 0;)
        EXPECT_EQ(function<int(size_t, int64_t, int64_t, const void*, void*, void*)>("model_run_units")(
                      p, unit, unit + 1, in.data(), out.data(), arena),
                  0);
    return outputs_;
  }

 private:
  template <class F> F* function(const char* name) {
    void* symbol = library_ ? dlsym(library_, name) : nullptr;
    EXPECT_NE(symbol, nullptr) << name;
    return reinterpret_cast<F*>(symbol);
  }

  std::filesystem::path directory_;
  void* library_ = nullptr;
  std::vector<Tensor> outputs_;
  std::vector<uint8_t> arena_;
};

}  // namespace lapis::testing
