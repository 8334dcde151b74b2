// Carries out functions of TorchScript on items: what is known is computed, what is not becomes nodes (writer.h).
#pragma once

#include <unordered_map>

#include "frontends/pytorch/script_library.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {

class Interpreter {
 public:
  Interpreter(ScriptLibrary& library, Writer& writer, std::vector<Item> constants)
      : library_(library), writer_(writer), constants_(std::move(constants)) {}

  // A method of an object; `arguments` without self.
  Result<Item> call_method(const Item& self, const std::string& method, std::vector<Item> arguments);
  // What the code has changed of the objects, which the graph cannot keep: "_state".
  const std::vector<std::string>& changed_attributes() const { return changed_; }

 private:
  using Scope = std::unordered_map<std::string, Item>;
  struct Arguments {
    std::vector<Item> items;
    std::vector<std::string> keywords;  // as many; "": by position
  };
  struct Level {
    explicit Level(int& counter) : levels(++counter) {}
    ~Level() { --levels; }
    Level(const Level&) = delete;
    int& levels;
  };
  struct Frame {
    const Function& function;
    Scope names;
    std::string path;  // of the module whose code this is
    Item result = {};
    bool has_returned = false;
    int line = 0;
  };

  Result<Item> call(const Function& function, Arguments arguments, const std::string& path);
  Status bind(Frame& frame, Arguments arguments);
  Status run(const std::vector<Statement>& statements, Frame& frame);
  Status execute(const Statement& s, Frame& frame);
  Status branch(const Statement& s, Frame& frame);
  Status repeat(const Statement& s, Frame& frame);
  Status assign(const Statement& s, Frame& frame);
  Status assign_to(const Expression& target, Item value, Frame& frame);
  Result<std::vector<Item>> unpacked(const Item& value, size_t count, Frame& frame);
  Status set_attribute(const Item& object, const std::string& name, Item value, Frame& frame);

  Result<Item> evaluate(const Expression& e, Frame& frame);
  Result<Item> name(const Expression& e, Frame& frame);
  Result<Item> attribute(const Expression& e, Frame& frame);
  Result<Item> attribute_of(const Item& object, const std::string& name, Frame& frame);
  Result<Item> constant(const std::string& name, const Frame& frame);
  Result<Item> class_constant(const std::string& type, const std::string& name, Frame& frame);
  Result<Item> subscript(const Expression& e, Frame& frame);
  Result<Item> element(const Item& of, const Item& at, Frame& frame);
  Result<Item> list(const Expression& e, Frame& frame);
  Result<Item> call_expression(const Expression& e, Frame& frame);
  Result<Item> call_named(const std::string& name, const Expression& e, Frame& frame);
  Result<Item> call_operator(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> call_primitive(const std::string& op, const Arguments& arguments, Frame& frame);
  Result<Arguments> arguments_of(const Expression& e, Frame& frame);
  Result<Item> emit(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> as_number(const std::string& type, const Item& value, Frame& frame);
  Result<Item> known_number(const std::string& type, const Item& value, const Frame& frame);
  Status step(Frame& frame);
  Diagnostic problem(ErrorKind kind, const std::string& what, const Frame& frame) const;
  std::string place(const Frame& frame) const;

  ScriptLibrary& library_;
  Writer& writer_;
  std::vector<Item> constants_;
  std::vector<std::string> changed_;
  int depth_ = 0, levels_ = 0;
  int64_t steps_ = 0;
};

}  // namespace lapis::pytorch_frontend
