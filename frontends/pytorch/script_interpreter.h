// Carries out functions of TorchScript on items: what is known is computed, what is not becomes nodes (writer.h).
// Its parts are four files: statements and expressions, branches and loops (script_control.cpp), calls
// (script_calls.cpp), and what the language has beside operators (script_builtins.cpp).
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "frontends/pytorch/script_known.h"
#include "frontends/pytorch/script_library.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {

// The types of what several values will be unpacked from:
// a tuple, and a list of parts of a tensor, which has the arguments that tell how many.
inline constexpr size_t kMostResults = 4096;
inline constexpr const char *kResults = "$results", *kParts = "$parts of";

class Interpreter {
 public:
  Interpreter(ScriptLibrary& library, Writer& writer, KnownValues& known, std::vector<Item> constants)
      : library_(library), writer_(&writer), known_(known), constants_(std::move(constants)) {}

  // A method of an object; `arguments` without self.
  Result<Item> call_method(const Item& self, const std::string& method, std::vector<Item> arguments);
  // What the code has changed of the objects, which the graph does not keep, as it is now: "_state".
  const std::map<std::string, Item>& changed_attributes() const { return changed_; }

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
  Status assign(const Statement& s, Frame& frame);
  Status assign_to(const Expression& target, Item value, Frame& frame);
  Result<std::vector<Item>> unpacked(const Item& value, size_t count, Frame& frame);
  Status set_attribute(const Item& object, const std::string& name, Item value, Frame& frame);

  // ---- quantized tensors (script_quantized.cpp)
  struct QuantizedAs {
    Item scale, zero_point;
    DType dtype;
    Item axis = {};  // of which each place has a scale; None: the tensor has one
  };
  Result<Item> rounded(const Item& x, const QuantizedAs& as, Frame& frame);
  Result<Item> real_weight(const Item& weight, Frame& frame);
  Result<Arguments> real_operands(const std::vector<Item>& a, size_t operands, bool is_packed, Frame& frame);
  Result<std::optional<Item>> quantized_operator(const std::string& op, const std::vector<Item>& a, Frame& frame);
  Result<Item> quantized_from_reals(const std::vector<Item>& a, Frame& frame);
  Result<std::optional<Item>> unknown_quantized(const std::string& op, const std::vector<Item>& a, Frame& frame);
  const QuantizedAs* quantized_as(const std::vector<Item>& arguments) const;
  Result<Item> on_quantized(const std::string& op, const Item& result, const QuantizedAs& as, Frame& frame);

  // ---- branches and loops
  struct Within;
  struct Way;
  using Forms = std::map<std::string, Item>;  // of variables (script_forms.h)
  Status branch(const Statement& s, Frame& frame);
  Result<Way> way(const std::vector<Statement>& statements, const std::string& prefix, Frame& frame);
  Status join(const std::string& name, const Item& condition, Way& then, Way& otherwise, Frame& frame);
  Result<std::vector<std::string>> add_branch(const std::string& name, const Item& condition, Way& then, Way& otherwise,
                                              const std::vector<Item>& of_then, const std::vector<Item>& of_else,
                                              const Frame& frame);
  Status repeat(const Statement& s, Frame& frame);
  Status repeat_counting(const Statement& s, Frame& frame);
  Status count_to(int64_t count, const Statement& s, Frame& frame);
  Result<bool> looped(const Statement& s, const Item& condition, const Item& count, bool is_known, Frame& frame);
  Status loop(const Statement& s, const Item& condition, const Item& count, Frame& frame);
  Result<Way> turn(const Statement& s, const Item& count, const Forms& forms, const std::string& prefix, Frame& frame);
  void start(const Forms& forms, Writer& turn, Frame& frame);
  Result<Item> goes_on_after(const Statement& s, const std::string& iteration, const Item& count, Frame& frame);
  Status add_loop(const std::string& name, const Item& condition, Way& turn, const Forms& forms, Frame& frame);
  Status behind_loop(const Way& turn, const Forms& forms, const std::vector<Item>& starts,
                     const std::vector<std::string>& changed, Frame& frame);
  std::string name_of_node(const char* kind, const Frame& frame);
  Call control_call(const char* op, const std::string& name, size_t results, const Frame& frame);
  Status located(Status status, const Frame& frame) const;

  Result<Item> evaluate(const Expression& e, Frame& frame);
  Result<Item> name(const Expression& e, Frame& frame);
  Result<Item> attribute(const Expression& e, Frame& frame);
  Result<Item> attribute_of(const Item& object, const std::string& name, Frame& frame);
  Result<Item> constant(const std::string& name, const Frame& frame);
  Result<Item> class_constant(const std::string& type, const std::string& name, Frame& frame);
  Result<Item> subscript(const Expression& e, Frame& frame);
  Result<Item> readable(const Item& item, const Frame& frame) const;
  Result<Item> element(const Item& of, const Item& given, Frame& frame);
  Result<Item> open_element(const Item& of, int64_t at, Frame& frame);
  Result<Item> list(const Expression& e, Frame& frame);
  Result<Item> call_expression(const Expression& e, Frame& frame);
  Result<Item> call_named(const std::string& name, const Expression& e, Frame& frame);
  Status restore(const Item& object);
  Result<Item> plain_operator(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> call_operator(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> size_of(Arguments arguments, Frame& frame);
  Result<Item> operator_on_tensors(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> call_primitive(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> call_function(const std::string& name, const Expression& e, Frame& frame);
  Result<Item> call_numeric(const std::string& op, Arguments arguments, Frame& frame);
  Result<Item> isinstance(const Expression& e, Frame& frame);
  Result<Item> folded(const std::string& op, const Item& list, Frame& frame);
  Result<Item> tensor_of(const Item& data, Frame& frame);
  std::optional<Type> type_of(const Item& tensor);
  static bool is_parts(const Item& item) { return item.object && item.object->type == kParts; }
  std::optional<int64_t> count_of_parts(const Item& parts);
  Result<Item> listed(const Item& item, Frame& frame);
  Item settled(const Item& item);
  Result<Arguments> arguments_of(const Expression& e, Frame& frame);
  Status check_list(const std::string& op, const std::vector<Item>& arguments, const Frame& frame);
  Result<std::optional<Item>> known_result(const std::string& op, const std::vector<Item>& arguments,
                                           const Frame& frame);
  Result<std::optional<Item>> known_for_sizes(const std::string& op, const std::vector<Item>& arguments,
                                              const Frame& frame);
  Result<Item> length(const Item& of, Frame& frame);
  Result<std::optional<Item>> presence(const std::string& op, const std::vector<Item>& arguments, Frame& frame);
  Result<Item> emit(const std::string& op, Arguments arguments, Frame& frame);
  std::optional<bool> decided(const Item& condition);
  Result<Item> as_number(const std::string& type, const Item& value, Frame& frame);
  Result<Item> known_number(const std::string& type, const Item& value, const Frame& frame);
  Result<Item> converted(const std::string& type, const Item& value, Frame& frame);
  Status step(Frame& frame);
  Diagnostic problem(ErrorKind kind, const std::string& what, const Frame& frame) const;
  std::string place(const Frame& frame) const;

  ScriptLibrary& library_;
  Writer* writer_;  // of the model, or of the graph of a branch or loop
  KnownValues& known_;
  std::unordered_set<const void*> own_lists_;  // and objects, that the code of this graph has made
  std::vector<std::shared_ptr<Object>> kept_;  // so that no address comes twice
  std::vector<Item> constants_;
  std::map<std::string, Item> changed_;
  std::unordered_set<const Object*> restored_;              // objects whose code is making their attributes
  std::unordered_map<std::string, QuantizedAs> quantized_;  // by the names of the reals
  int depth_ = 0, levels_ = 0, nestings_ = 0;
  int64_t steps_ = 0;
};

}  // namespace lapis::pytorch_frontend
