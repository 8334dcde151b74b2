#include "codegen/onednn/library.h"

#include <dlfcn.h>

namespace lapis::onednn {
namespace {

constexpr int kMajor = 3, kMinor = 2;

// The one that the build found, else what the system's loader finds.
void* open_library() {
  for (const char* file : {LAPIS_ONEDNN_FILE, "libdnnl.so.3"})
    if (void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

template <class Function> bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, Api& api) {
  bool all = find(library, "omp_get_max_threads", api.omp_get_max_threads) &&
             find(library, "omp_set_num_threads", api.omp_set_num_threads);
#define LAPIS_ONEDNN_FIND(name) all = all && find(library, "dnnl_" #name, api.name);
  LAPIS_ONEDNN_FUNCTIONS(LAPIS_ONEDNN_FIND)
#undef LAPIS_ONEDNN_FIND
  return all;
}

Loaded load() {
  void* const library = open_library();  // never closed: code that calls it may live as long as the process
  if (!library) return {std::nullopt, std::string("oneDNN cannot be loaded: ") + dlerror()};
  Api api;
  if (!find_all(library, api)) return {std::nullopt, "oneDNN lacks functions: it was built without OpenMP"};
  const dnnl_version_t& version = *api.version();
  if (version.major != kMajor || version.minor < kMinor)
    return {std::nullopt, "oneDNN has version " + std::to_string(version.major) + "." + std::to_string(version.minor) +
                              ", 3.2 is needed"};
  if (api.engine_create(&api.engine, dnnl_cpu, 0) != dnnl_success) return {std::nullopt, "oneDNN has no engine here"};
  return {api, {}};
}

}  // namespace

const Loaded& library() {
  static const Loaded loaded = load();
  return loaded;
}

}  // namespace lapis::onednn
