#include "frontends/pytorch/script.h"

#include <algorithm>

#include "frontends/common/symbols.h"
#include "frontends/pytorch/checkpoint.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;

std::string symbol_of(const std::string& input, size_t axis) {
  return frontend::Symbols::unnamed(input, axis).symbols()[0];
}

// ---- what traced models keep of the inputs that they were traced with -------------------------------------------------------------

// (number of the type, sizes) of each input of forward(); none if the archive does not say.
std::vector<Item> traced_inputs(Archive& archive) {
  const std::string entry = "traced_inputs.pkl";
  if (!archive.has(entry)) return {};
  const auto content = archive.content(entry);
  if (!content.ok()) return {};
  frontend::Expansion copies(0, archive.file_bytes());
  const auto traced = read_pickle(content->bytes(), nullptr, copies);
  const Item* inputs = traced.ok() ? traced->find("forward") : nullptr;
  return inputs ? inputs->elements() : std::vector<Item>();
}

std::optional<Type> type_of_traced(const Item& traced) {
  if (!traced.is(Item::Kind::Tuple) || traced.elements().size() != 2) return std::nullopt;
  const auto dtype = dtype_of_scalar_type(traced.elements()[0].integer);
  const std::vector<Item>& sizes = traced.elements()[1].elements();
  if (!dtype || sizes.size() > kMaxRank) return std::nullopt;
  Type type = Type::tensor(*dtype);
  type.dims.emplace();
  for (size_t axis = 0; axis < sizes.size(); ++axis)
    type.dims->push_back(axis == 0 || sizes[axis].integer < 0 ? Dim::unknown() : Dim(sizes[axis].integer));
  return type;
}

// ---- what the operators that read an input tell of it -------------------------------------------------------------------------------

int64_t number_of_operand(const SourceNode& node, const char* name) {
  const auto it = node.attributes.find(std::string(name) + "@");
  const auto* numbers = it == node.attributes.end() ? nullptr : std::get_if<std::vector<int64_t>>(&it->second);
  return numbers && numbers->size() == 1 ? (*numbers)[0] : -1;
}

// The shape of constant weights that go with data `input`.
std::optional<Shape> weights_for(const SourceGraph& graph, const SourceNode& node, const std::string& input) {
  const int64_t data = number_of_operand(node, "input"), weight = number_of_operand(node, "weight");
  if (data < 0 || weight < 0 || node.inputs[static_cast<size_t>(data)] != input) return std::nullopt;
  const auto it = graph.values.find(node.inputs[static_cast<size_t>(weight)]);
  return it == graph.values.end() || !it->second.constant.defined() ? std::nullopt
                                                                    : std::optional(it->second.constant.shape());
}

std::optional<Type> told_by_readers(const SourceGraph& graph, const std::string& input) {
  for (const SourceNode& node : graph.nodes) {
    const auto weights = weights_for(graph, node, input);
    if (!weights) continue;
    if (node.op == "aten.linear" && weights->size() == 2)
      return Type::tensor(DType::Float32, Dims{Dim::unknown(), (*weights)[1]});
    if (!node.op.starts_with("aten.conv") && node.op != "aten._convolution") continue;
    Dims dims(weights->size());
    const auto groups = node.attributes.find("groups");
    const auto* count = groups == node.attributes.end() ? nullptr : std::get_if<int64_t>(&groups->second);
    if (dims.size() > 1) dims[1] = Dim((*weights)[1]) * Dim(count ? *count : 1);
    return Type::tensor(DType::Float32, dims);
  }
  return std::nullopt;
}

// ---- the model ------------------------------------------------------------------------------------------------------------------------

class Reader {
 public:
  Reader(Archive& archive, const ImportOptions& options)
      : archive_(archive),
        options_(options),
        library_(archive),
        writer_(archive.file_bytes()),
        copies_(0, archive.file_bytes()) {}

  Result<ScriptModel> run() {
    LAPIS_TRY(const Item root, read_archived_pickle(archive_, "data.pkl", "data/", copies_));
    LAPIS_TRY(const Item constants, read_archived_pickle(archive_, "constants.pkl", "constants/", copies_));
    if (!root.object) return error(ErrorKind::Input, "the archive holds " + root.description() + ", not a module");
    LAPIS_TRY(const Function* forward, forward_of(root));
    LAPIS_TRY(std::vector<Item> arguments, inputs(*forward));
    Interpreter interpreter(library_, writer_, constants.elements());
    LAPIS_TRY(const Item result, interpreter.call_method(root, "forward", std::move(arguments)));
    LAPIS_CHECK(check_state(interpreter));
    LAPIS_TRY(model_.graph, std::move(writer_).finish(outputs_of(result)));
    LAPIS_CHECK(complete_inputs());
    return std::move(model_);
  }

 private:
  Result<const Function*> forward_of(const Item& root) {
    LAPIS_TRY(const ScriptClass* type, library_.find_class(root.object->type));
    const auto it = type ? type->methods.find("forward") : decltype(type->methods.end()){};
    if (type && it != type->methods.end()) return &it->second;
    return error(ErrorKind::Input, "the archive has no code of " + root.object->type + ".forward");
  }

  Result<std::vector<Item>> inputs(const Function& forward) {
    const std::vector<Item> traced = traced_inputs(archive_);
    std::vector<Item> arguments;
    for (size_t i = 1; i < forward.parameters.size(); ++i) {
      const Parameter& parameter = forward.parameters[i];
      if (parameter.type.text != "Tensor" && !parameter.fallback.empty() && !options_.dims.contains(parameter.name))
        break;
      LAPIS_TRY(arguments.emplace_back(),
                input(parameter, i - 1 < traced.size() ? type_of_traced(traced[i - 1]) : std::nullopt));
    }
    return arguments;
  }

  Result<Item> input(const Parameter& parameter, const std::optional<Type>& traced) {
    const std::string& name = parameter.name;
    const std::string& type = parameter.type.text;
    if (type == "Tensor") {
      writer_.add_input(name, declared(name, traced));
      return Item::tensor(name);
    }
    const auto given = options_.dims.find(name);
    const bool is_number = type == "int" || type == "float" || type == "bool";
    if (!is_number)
      return error(ErrorKind::Unsupported, "input '" + name + "' is neither a tensor nor a number")
          .help("export the model with tensors as inputs");
    if (given == options_.dims.end())
      return error(ErrorKind::Unsupported, "input '" + name + "' is a number, which the graph is made for")
          .help("give it: --dim " + name + "=VALUE");
    model_.numbers.insert(name);
    if (type == "float") return Item::of_float(static_cast<double>(given->second));
    return type == "int" ? Item::of_int(given->second) : Item::of_bool(given->second != 0);
  }

  // Sizes that the user names are symbols. So many axes as he names sizes for, where nothing else tells.
  Type declared(const std::string& name, const std::optional<Type>& traced) const {
    Type type = traced.value_or(Type::tensor(DType::Float32));
    size_t named = 0;
    while (options_.dims.contains(symbol_of(name, named))) ++named;
    if (!type.dims && named > 0) type.dims.emplace(named);
    for (size_t axis = 0; type.dims && axis < type.dims->size(); ++axis)
      if (!(*type.dims)[axis].is_known() || options_.dims.contains(symbol_of(name, axis)))
        (*type.dims)[axis] = frontend::Symbols::unnamed(name, axis);
    return type;
  }

  Status check_state(const Interpreter& interpreter) const {
    const auto& changed = interpreter.changed_attributes();
    if (changed.empty()) return ok();
    std::string names;
    for (const std::string& name : changed) names += (names.empty() ? "'" : ", '") + name + "'";
    return error(ErrorKind::Unsupported,
                 "forward() changes " + names + ", and a graph keeps no state from one run to the next")
        .help("make the state an input and an output of the model");
  }

  static std::vector<Item> outputs_of(const Item& result) {
    if (result.is_sequence()) return result.elements();
    if (!result.is(Item::Kind::Dict)) return {result};
    std::vector<Item> values;
    for (size_t i = 1; i < result.elements().size(); i += 2) values.push_back(result.elements()[i]);
    return values;
  }

  Status complete_inputs() {
    Diagnostics found;
    for (const std::string& name : model_.graph.inputs) {
      Type& type = model_.graph.values.at(name).type;
      if (type.dims) continue;
      const auto told = told_by_readers(model_.graph, name);
      if (told) type = *told;
      for (size_t axis = 0; type.dims && axis < type.dims->size(); ++axis)
        if (!(*type.dims)[axis].is_known()) (*type.dims)[axis] = frontend::Symbols::unnamed(name, axis);
      if (!told)
        found.push_back(error(ErrorKind::Unsupported, "TorchScript does not say how many axes it has")
                            .at("input '" + name + "'")
                            .help("give its sizes: --dim " + symbol_of(name, 0) + "=1 --dim " + symbol_of(name, 1) +
                                  "=... for each axis"));
    }
    return status_of(std::move(found));
  }

  Archive& archive_;
  const ImportOptions& options_;
  ScriptLibrary library_;
  Writer writer_;
  frontend::Expansion copies_;
  ScriptModel model_;
};

}  // namespace

bool is_torchscript(std::span<const std::byte> bytes) { return frontend::archive_has(bytes, {"constants.pkl"}); }

Result<ScriptModel> read_torchscript(const MappedFile& file, const ImportOptions& options) {
  LAPIS_TRY(Archive archive, Archive::open(file));
  return Reader(archive, options).run();
}

}  // namespace lapis::pytorch_frontend
