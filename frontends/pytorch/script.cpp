#include "frontends/pytorch/script.h"

#include <algorithm>

#include "base/suggest.h"
#include "frontends/common/symbols.h"
#include "frontends/pytorch/checkpoint.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/script_state.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;

std::string symbol_of(const std::string& input, size_t axis) {
  return frontend::Symbols::unnamed(input, axis).symbols()[0];
}

// ---- what traced models keep of the inputs that they were traced with -----------------------------------------------

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

// ---- what the operators that read an input tell of it ---------------------------------------------------------------

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

// ---- the model ------------------------------------------------------------------------------------------------------

// One run of forward().
struct Run {
  explicit Run(size_t file_bytes) : writer(file_bytes) {}

  Writer writer;
  std::vector<Item> outputs = {};
  std::optional<Memory> memory = {};
  States left = {};
};

class Reader {
 public:
  Reader(Archive& archive, const ImportOptions& options)
      : archive_(archive), options_(options), library_(archive), known_(options), copies_(0, archive.file_bytes()) {}

  Result<ScriptModel> run() {
    Result<ScriptModel> model = runs();
    if (model.ok()) return model;
    Diagnostics found = unknown_inputs(parameters_, options_, attributes_);
    for (const Diagnostic& d : model.diagnostics()) found.push_back(d);
    return found;
  }

 private:
  // A module that changes itself is run until it is found as it was left:
  // that run stands for all behind the first ones.
  Result<ScriptModel> runs() {
    constexpr int kMostRuns = 4;
    States states;
    for (int i = 0; i < kMostRuns; ++i) {
      Run run(archive_.file_bytes());
      LAPIS_CHECK(carry_out(run, states));
      if (run.left == states) return finished(run);
      states = std::move(run.left);
    }
    return error(ErrorKind::Unsupported, "forward() leaves " + names_of(states) + " different in every run")
        .help("only tensors may change from run to run, and keep their sizes");
  }

  Result<const Function*> forward_of(const Item& root) {
    LAPIS_TRY(const ScriptClass* type, library_.find_class(root.object->type));
    const auto it = type ? type->methods.find("forward") : decltype(type->methods.end()){};
    if (type && it != type->methods.end()) return &it->second;
    return error(ErrorKind::Input, "the archive has no code of " + root.object->type + ".forward");
  }

  Status carry_out(Run& run, const States& states) {
    LAPIS_TRY(const Item root, read_archived_pickle(archive_, "data.pkl", "data/", copies_));
    LAPIS_TRY(const Item constants, read_archived_pickle(archive_, "constants.pkl", "constants/", copies_));
    if (!root.object) return error(ErrorKind::Input, "the archive holds " + root.description() + ", not a module");
    LAPIS_TRY(const Function* forward, forward_of(root));
    attributes_.clear();
    for (const auto& [name, value] : root.object->attributes) attributes_.push_back(name);
    LAPIS_TRY(std::vector<Item> arguments, inputs(*forward, run.writer));
    LAPIS_CHECK(run.memory.emplace(root, run.writer).enter(states));
    Interpreter interpreter(library_, run.writer, known_, constants.elements());
    LAPIS_TRY(const Item result, interpreter.call_method(root, "forward", std::move(arguments)));
    run.outputs = outputs_of(result);
    for (const Item& constant : constants.elements())
      if (constant.is(Item::Kind::Weight) && run.writer.is_changed_weight(constant))
        return error(ErrorKind::Unsupported,
                     "forward() changes a constant of the archive in place, which stays changed")
            .help("make the tensor a buffer of the module: register_buffer()");
    LAPIS_TRY(run.left, run.memory->leave(states, interpreter.changed_attributes(), run.outputs, known_));
    return ok();
  }

  static std::string names_of(const States& states) {
    std::string names;
    for (const auto& [path, state] : states.all) names += (names.empty() ? "'" : ", '") + path + "'";
    return names;
  }

  // Whether a state's next value needs the input is known when that state is: "b = a; a = x", of which only b is read.
  static std::set<std::string> inputs_needed(const Run& run) {
    std::set<std::string> needed;
    const auto is_needed = [&](const std::string& input) {
      const auto is_it = [&](const Item& item) { return item.text == input; };
      return run.writer.is_read(input) || std::any_of(run.outputs.begin(), run.outputs.end(), is_it) ||
             std::any_of(run.memory->inputs().begin(), run.memory->inputs().end(), [&](const auto& state) {
               return needed.contains(state.second) && is_it(run.memory->changed().at(state.first));
             });
    };
    for (bool grows = true; grows;) {
      grows = false;
      for (const auto& [path, input] : run.memory->inputs()) grows |= is_needed(input) && needed.insert(input).second;
    }
    return needed;
  }

  // States that nobody reads are none. The others are inputs, and what they become stands behind the results.
  Result<ScriptModel> finished(Run& run) {
    const std::set<std::string> needed = inputs_needed(run);
    std::set<std::string> unread;
    for (const auto& [path, input] : run.memory->inputs()) {
      if (!needed.contains(input)) unread.insert(input);
      if (!needed.contains(input) || run.left.all.at(path).is != path) continue;
      const std::string next = run.writer.unique(path + "_next");
      LAPIS_CHECK(run.writer.add({"aten.clone", "", next, "", {{"self", run.memory->changed().at(path)}}, {next}}));
      run.outputs.push_back(Item::tensor(next));
    }
    LAPIS_TRY(model_.graph, std::move(run.writer).finish(run.outputs));
    std::erase_if(model_.graph.inputs, [&](const std::string& input) { return unread.contains(input); });
    LAPIS_CHECK(complete_inputs());
    return std::move(model_);
  }

  // ---- inputs and outputs -------------------------------------------------------------------------------------------

  Result<std::vector<Item>> inputs(const Function& forward, Writer& writer) {
    const std::vector<Item> traced = traced_inputs(archive_);
    std::vector<Item> arguments;
    parameters_.clear();
    for (size_t i = 1; i < forward.parameters.size(); ++i) parameters_.push_back(forward.parameters[i].name);
    for (size_t i = 1; i < forward.parameters.size(); ++i) {
      const Parameter& parameter = forward.parameters[i];
      if (parameter.type.text != "Tensor" && !parameter.fallback.empty() && !number_given(parameter.name)) break;
      LAPIS_TRY(arguments.emplace_back(),
                input(parameter, i - 1 < traced.size() ? type_of_traced(traced[i - 1]) : std::nullopt, writer));
    }
    return arguments;
  }

  std::optional<Number> number_given(const std::string& name) const {
    if (const auto value = options_.values.find(name); value != options_.values.end()) return value->second;
    const auto dim = options_.dims.find(name);
    return dim == options_.dims.end() ? std::nullopt : std::optional(Number(dim->second));
  }

  Result<Item> input(const Parameter& parameter, const std::optional<Type>& traced, Writer& writer) {
    const std::string& name = parameter.name;
    const std::string& type = parameter.type.text;
    if (type == "Tensor") {
      writer.add_input(name, declared(name, traced));
      return Item::tensor(name);
    }
    const bool is_number = type == "int" || type == "float" || type == "bool";
    if (!is_number)
      return error(ErrorKind::Unsupported, "input '" + name + "' is neither a tensor nor a number")
          .help("export the model with tensors as inputs");
    const auto given = number_given(name);
    if (!given)
      return error(ErrorKind::Unsupported, "input '" + name + "' is a number, which the graph is made for")
          .help("give it: --value " + name + "=NUMBER");
    model_.numbers.insert(name);
    if (type == "float") return Item::of_float(given->real());
    if (type == "bool") return Item::of_bool(given->real() != 0);
    const auto integer = given->integer();
    if (!integer)
      return error(ErrorKind::Usage, "input '" + name + "' is an integer").help("give one: --value " + name + "=8000");
    return Item::of_int(*integer);
  }

  // Sizes that the user names are symbols. So many axes as he gives sizes for, where nothing else tells.
  Type declared(const std::string& name, const std::optional<Type>& traced) const {
    Type type = traced.value_or(Type::tensor(DType::Float32));
    const auto given = options_.shapes.find(name);
    if (given != options_.shapes.end() && !type.dims) type.dims.emplace(given->second.begin(), given->second.end());
    size_t named = 0;
    while (options_.dims.contains(symbol_of(name, named))) ++named;
    if (!type.dims && named > 0) type.dims.emplace(named);
    for (size_t axis = 0; type.dims && axis < type.dims->size(); ++axis) {
      Dim& size = (*type.dims)[axis];
      const bool is_given = given != options_.shapes.end() && given->second.size() == type.dims->size();
      if (!size.is_known() && is_given)
        size = Dim(given->second[axis]);
      else if (!size.is_known() || options_.dims.contains(symbol_of(name, axis)))
        size = frontend::Symbols::unnamed(name, axis);
    }
    return type;
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
                            .help("give them: --shape " + name + "=1x3x224x224"));
    }
    return status_of(std::move(found));
  }

  Archive& archive_;
  const ImportOptions& options_;
  std::vector<std::string> parameters_, attributes_;  // of forward(), of the module, which states may be called after
  ScriptLibrary library_;
  KnownValues known_;
  frontend::Expansion copies_;
  ScriptModel model_;
};

}  // namespace

bool is_torchscript(std::span<const std::byte> bytes) { return frontend::archive_has(bytes, {"constants.pkl"}); }

Diagnostics unknown_inputs(const std::vector<std::string>& inputs, const ImportOptions& options,
                           const std::vector<std::string>& others) {
  Diagnostics found;
  const auto is_in = [](const std::string& name, const auto& list) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  const auto check = [&](const auto& given) {
    for (const auto& [name, value] : given)
      if (!is_in(name, inputs) && !is_in(name.substr(0, name.find('.')), others))
        found.push_back(
            error(ErrorKind::Usage, "the model has no input '" + name + "'").help(suggestion(name, inputs)));
  };
  check(options.shapes);
  check(options.values);
  return found;
}

Result<ScriptModel> read_torchscript(const MappedFile& file, const ImportOptions& options) {
  LAPIS_TRY(Archive archive, Archive::open(file));
  return Reader(archive, options).run();
}

}  // namespace lapis::pytorch_frontend
