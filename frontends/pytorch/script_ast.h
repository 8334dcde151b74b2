// The subset of Python that TorchScript archives hold as text, parsed: a file is definitions of functions and classes.
//
//   LAPIS_TRY(const ScriptFile file, parse_script(text, "nets.py"));
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace lapis::pytorch_frontend {

struct Expression {
  enum class Kind : uint8_t { Name, Integer, Real, String, List, Tuple, Dict, Call, Attribute, Subscript };
  Kind kind = Kind::Name;
  std::string text;  // of a name, attribute or string
  int64_t integer = 0;
  double real = 0;
  int line = 0;
  std::vector<Expression> parts;  // elements; callee and arguments; object; object and index; keys and values in turn
  std::vector<std::string> keywords;  // of a call's arguments, "" where they have none
};

struct Statement {
  enum class Kind : uint8_t { Assign, Evaluate, Return, If, While, For, Pass, With };
  Kind kind = Kind::Pass;
  int line = 0;
  std::vector<Expression> targets;  // of an assignment, several where a tuple is unpacked; of a loop, one
  bool unpacks = false;
  Expression value = {};  // assigned, evaluated, returned, tested, iterated over
  std::vector<Statement> body, otherwise;
};

struct Parameter {
  std::string name;
  Expression type;
  std::vector<Expression> fallback;  // none or one
};

struct Function {
  std::string name, file;
  std::vector<Parameter> parameters;
  std::vector<Statement> body;
};

struct ScriptClass {
  bool is_tuple = false;  // with names for its elements
  std::map<std::string, Function, std::less<>> methods;
  std::map<std::string, Expression, std::less<>> constants;  // attributes that the class has, and not each object
};

struct ScriptFile {
  std::map<std::string, Function, std::less<>> functions;
  std::map<std::string, ScriptClass, std::less<>> classes;
};

Result<ScriptFile> parse_script(std::string_view text, const std::string& name);

}  // namespace lapis::pytorch_frontend
