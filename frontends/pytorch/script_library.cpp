#include "frontends/pytorch/script_library.h"

#include <algorithm>

namespace lapis::pytorch_frontend {
namespace {

struct Split {
  std::string module, name;
};

// "__torch__.nets.ResNet20" is ResNet20 in the module __torch__.nets.
Split split(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? Split{"", name} : Split{name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

Result<const ScriptFile*> ScriptLibrary::file_of(const std::string& module) {
  if (const auto it = files_.find(module); it != files_.end()) return &it->second;
  std::string path = module;
  std::replace(path.begin(), path.end(), '.', '/');
  const std::string entry = "code/" + path + ".py";
  if (!archive_.has(entry)) return static_cast<const ScriptFile*>(nullptr);
  LAPIS_TRY(const MappedFile content, archive_.content(entry));
  const std::string_view text(reinterpret_cast<const char*>(content.data.get()), content.size);
  LAPIS_TRY(ScriptFile file, parse_script(text, entry));
  return &files_.emplace(module, std::move(file)).first->second;
}

Result<const ScriptClass*> ScriptLibrary::find_class(const std::string& name) {
  const Split parts = split(name);
  LAPIS_TRY(const ScriptFile* file, file_of(parts.module));
  const ScriptClass* none = nullptr;
  if (!file) return none;
  const auto it = file->classes.find(parts.name);
  return it == file->classes.end() ? none : &it->second;
}

Result<const Function*> ScriptLibrary::find_function(const std::string& name) {
  const Split parts = split(name);
  LAPIS_TRY(const ScriptFile* file, file_of(parts.module));
  const Function* none = nullptr;
  if (!file) return none;
  const auto it = file->functions.find(parts.name);
  return it == file->functions.end() ? none : &it->second;
}

}  // namespace lapis::pytorch_frontend
