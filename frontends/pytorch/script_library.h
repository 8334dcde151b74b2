// The code of a TorchScript archive: files are parsed when somebody names what is in them.
#pragma once

#include <map>

#include "frontends/common/archive.h"
#include "frontends/pytorch/script_ast.h"

namespace lapis::pytorch_frontend {

using frontend::Archive;

class ScriptLibrary {
 public:
  explicit ScriptLibrary(Archive& archive) : archive_(archive) {}

  // "__torch__.nets.ResNet20"; null if the archive has no such class, function or method.
  Result<const ScriptClass*> find_class(const std::string& name);
  Result<const Function*> find_function(const std::string& name);

 private:
  Result<const ScriptFile*> file_of(const std::string& module);
  Archive& archive_;
  std::map<std::string, ScriptFile, std::less<>> files_;  // by module
};

}  // namespace lapis::pytorch_frontend
