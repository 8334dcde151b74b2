#include "frontends/pytorch/exported.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontends/common/limits.h"
#include "frontends/pytorch/export_weights.h"
#include "frontends/pytorch/higher_order.h"
#include "frontends/pytorch/types.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Json;
using frontend::SourceGraph;

constexpr const char* kOldName = "serialized_exported_program.json";

// ---- arguments ------------------------------------------------------------------------------------------------------

Item argument(const Json& json);

Item list_of(const Json& json, Item (*element)(const Json&)) {
  std::vector<Item> items;
  for (const Json& one : frontend::elements(json)) items.push_back(element(one));
  return Item::list(std::move(items));
}

Item tensor(const Json& json) { return Item::tensor(frontend::text(json, "name")); }
Item integer(const Json& json) { return Item::of_int(frontend::integer(json).value_or(0)); }
Item truth(const Json& json) { return Item::of_bool(json.is_boolean() && json.get<bool>()); }
Item string(const Json& json) { return Item::of_string(frontend::text(json)); }

// Numbers that JSON does not have stand there as words.
Item real(const Json& json) {
  if (const auto value = frontend::number(json)) return Item::of_float(*value);
  const std::string word = frontend::text(json);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (word == "Infinity") return Item::of_float(kInfinity);
  return Item::of_float(word == "-Infinity" ? -kInfinity : std::nan(""));
}

// {"as_name": "sym_size"} or {"as_int": 3}
Item symbol(const Json& json) {
  const std::string name = frontend::text(json, "as_name");
  return name.empty() ? argument(json) : Item::symbol(name);
}

Item optional_tensor(const Json& json) { return argument(json); }
Item scalar_type(const Json& json) { return Item::of_int(scalar_type_of_export(frontend::integer(json).value_or(0))); }
Item nothing(const Json&) { return {}; }
Item graph(const Json&) { return Item::global("a graph"); }

template <Item (*Element)(const Json&)> Item list(const Json& json) { return list_of(json, Element); }

struct ArgumentRow {
  std::string_view kind;
  Item (*read)(const Json&);
};
constexpr ArgumentRow kArguments[] = {
    {"as_tensor", tensor},
    {"as_tensors", list<tensor>},
    {"as_optional_tensor", optional_tensor},
    {"as_optional_tensors", list<optional_tensor>},
    {"as_int", integer},
    {"as_ints", list<integer>},
    {"as_float", real},
    {"as_floats", list<real>},
    {"as_bool", truth},
    {"as_bools", list<truth>},
    {"as_string", string},
    {"as_strings", list<string>},
    {"as_sym_int", symbol},
    {"as_sym_ints", list<symbol>},
    {"as_sym_float", symbol},
    {"as_sym_floats", list<symbol>},
    {"as_sym_bool", symbol},
    {"as_sym_bools", list<symbol>},
    {"as_scalar_type", scalar_type},
    {"as_graph", graph},
    {"as_custom_obj", graph},
    // They say how a result is stored, which the graph does not.
    {"as_none", nothing},
    {"as_device", nothing},
    {"as_layout", nothing},
    {"as_memory_format", nothing},
};

// {"as_KIND": VALUE}
Item argument(const Json& json) {
  const auto* object = json.get_ptr<const Json::object_t*>();
  if (!object || object->empty()) return {};
  const auto& [kind, value] = *object->begin();
  for (const ArgumentRow& row : kArguments)
    if (row.kind == kind) return row.read(value);
  return Item::global(kind);
}

// Names of what a node computes, lists of tensors one by one.
void collect_names(const Item& item, std::vector<std::string>& names) {
  if (item.is_sequence())
    for (const Item& one : item.elements()) collect_names(one, names);
  else
    names.push_back(item.is(Item::Kind::Tensor) || item.is(Item::Kind::Symbol) ? item.text : "");
}

// ---- nodes ----------------------------------------------------------------------------------------------------------

// "torch.ops.aten.add.Tensor" is "aten.add" and "Tensor"; "_operator.mul" stays.
void name_operator(const std::string& target, Call& call) {
  constexpr std::string_view kPrefix = "torch.ops.";
  if (!target.starts_with(kPrefix)) {
    call.op = target;
    return;
  }
  call.op = target.substr(kPrefix.size());
  const size_t dot = call.op.rfind('.');
  if (dot == std::string::npos || std::count(call.op.begin(), call.op.end(), '.') < 2) return;
  call.overload = call.op.substr(dot + 1);
  call.op.resize(dot);
}

// The innermost place in the user's files: the last 'File "model.py", line 17, in forward' of a stack trace.
std::string written_at(const Json& node) {
  const Json* metadata = frontend::member(node, "metadata");
  const std::string trace = metadata ? frontend::text(*metadata, "stack_trace") : "";
  constexpr std::string_view kFile = "File \"", kLine = "\", line ";
  const size_t at = trace.rfind(kFile);
  const size_t line = at == std::string::npos ? at : trace.find(kLine, at);
  if (line == std::string::npos) return "";
  const size_t begin = at + kFile.size(), number = line + kLine.size();
  return trace.substr(begin, line - begin) + ":" +
         trace.substr(number, trace.find_first_not_of("0123456789", number) - number);
}

// What only checks, and computes nothing.
bool is_assertion(const std::string& op) {
  constexpr std::string_view kAssertions[] = {"aten._assert_async", "aten._assert_scalar",
                                              "aten._assert_tensor_metadata", "aten.sym_constrain_range",
                                              "aten.sym_constrain_range_for_size"};
  return std::find(std::begin(kAssertions), std::end(kAssertions), op) != std::end(kAssertions);
}

// Its result depends on the memory of its operand.
bool asks_how_elements_lie(const std::string& op) {
  constexpr std::string_view kAsking[] = {"aten.as_strided", "aten.is_contiguous", "aten.resize_",
                                          "aten.sym_storage_offset", "aten.sym_stride"};
  return std::find(std::begin(kAsking), std::end(kAsking), op) != std::end(kAsking);
}

class Reader {
 public:
  explicit Reader(size_t file_bytes, int depth = 0) : depth_(depth), writer_(file_bytes) {}
  // Knows which buffers the program changes in place: what they become by their names in the model.
  Reader(size_t file_bytes, std::unordered_map<std::string, std::string> changed_buffers)
      : depth_(0), writer_(file_bytes), changed_buffers_(std::move(changed_buffers)) {}

  // Those that it turned out to change, although nothing had said so.
  const std::unordered_map<std::string, std::string>& found_changed() const { return found_changed_; }

  Result<SourceGraph> run(const Json& program, ExportWeights& weights) {
    const Json* module = frontend::member(program, "graph_module");
    const Json* graph = module ? frontend::member(*module, "graph") : nullptr;
    const Json* signature = module ? frontend::member(*module, "signature") : nullptr;
    if (!graph || !signature) return error(ErrorKind::Input, "the program has no graph").help("save the model again");
    graph_ = graph;
    for (const Json& output : frontend::elements(*signature, "output_specs")) note_change(output);
    for (const Json& input : frontend::elements(*signature, "input_specs")) add_input(input, weights);
    for (const Json& node : frontend::elements(*graph, "nodes")) add_node(node);
    std::vector<Item> outputs;
    for (const Json& output : frontend::elements(*signature, "output_specs")) add_output(output, outputs);
    for (const auto& [path, name] : buffers_)
      if (writer_.is_changed(name)) found_changed_.emplace(path, name);
    for (const auto& [input, changed] : states_) LAPIS_CHECK(add_state(input, changed, outputs));
    if (!findings_.empty()) return findings_;
    return std::move(writer_).finish(outputs);
  }

 private:
  void report(Diagnostic d) { findings_.push_back(std::move(d)); }
  void collect(Diagnostics found) { findings_.insert(findings_.end(), found.begin(), found.end()); }

  // {"user_input": {...}}, {"parameter": {"arg": {"name": ...}, "parameter_name": ...}}, ...
  void add_input(const Json& spec, ExportWeights& weights) {
    struct Row {
      const char *kind, *name;
    };
    constexpr Row kRows[] = {
        {"parameter", "parameter_name"}, {"buffer", "buffer_name"}, {"tensor_constant", "tensor_constant_name"}};
    for (const Row& row : kRows)
      if (const Json* found = frontend::member(spec, row.kind)) {
        const Json* value = frontend::member(*found, "arg");
        const std::string name = value ? frontend::text(*value, "name") : "", path = frontend::text(*found, row.name);
        const auto changed = changed_buffers_.find(path);
        if (changed == changed_buffers_.end()) {
          buffers_.emplace(path, name);
          return add_weight(name, path, weights);
        }
        states_.emplace_back(name, changed->second);
        return add_user_input(name);
      }
    const Json* user = frontend::member(spec, "user_input");
    const Json* value = user ? frontend::member(*user, "arg") : nullptr;
    const Item item = value ? argument(*value) : Item();
    if (item.is(Item::Kind::Tensor)) return add_user_input(item.text);
    const bool is_constant = frontend::member(spec, "constant_input") || (value && !item.is(Item::Kind::Symbol));
    if (!is_constant)
      report(error(ErrorKind::Unsupported, "the model has an input that is no tensor")
                 .help("export it with tensors as inputs"));
  }

  void add_user_input(const std::string& name) {
    if (writer_.is_taken(name)) return report(error(ErrorKind::Input, "is defined twice").at("input '" + name + "'"));
    const auto& metas = frontend::members(*graph_, "tensor_values");
    const auto meta = metas.find(name);
    Type type = meta == metas.end() ? Type() : type_of_meta(meta->second);
    if (type.dtype == DType::Undefined || !type.dims)
      return report(error(ErrorKind::Unsupported, "is of no type that Lapis has").at("input '" + name + "'"));
    for (size_t axis = 0; axis < type.dims->size(); ++axis)
      if (!(*type.dims)[axis].is_known()) (*type.dims)[axis] = Dim::symbol(name + "_dim" + std::to_string(axis));
    writer_.add_input(name, std::move(type));
  }

  // Weights that share a tensor keep names of their own.
  // A buffer that nothing reads, such as a counter of batches, need not be there.
  void add_weight(const std::string& name, const std::string& path, ExportWeights& weights) {
    if (name.empty() || writer_.is_taken(name))
      return report(error(ErrorKind::Input, "is defined twice").at("tensor '" + path + "'"));
    Result<Item> item = weights.find(path);
    if (!item.ok()) return collect(item.diagnostics());
    if (item->object && item->object->type == kTensorOfParts) {
      parts_.emplace(name, item->object);
      return;
    }
    if (!item->is(Item::Kind::Weight))
      return report(error(ErrorKind::Input, "is no tensor").at("tensor '" + path + "'"));
    if (item->weight->defined())
      writer_.add_constant(name, *item->weight);
    else
      writer_.name_of_weight(*item, name);
  }

  void add_node(const Json& node) {
    Call call;
    name_operator(frontend::text(node, "target"), call);
    if (is_assertion(call.op)) return;
    call.written_at = written_at(node);
    if (is_higher_order(call.op)) return add_graphs_of(std::move(call), node);
    for (const Json& input : frontend::elements(node, "inputs")) {
      const Json* value = frontend::member(input, "arg");
      std::string name = frontend::text(input, "name");
      if (name.empty()) name = "argument" + std::to_string(call.arguments.size());
      call.arguments.push_back({std::move(name), value ? argument(*value) : Item()});
    }
    if (!add_outputs(node, call)) return;
    if (call.op == "export.access_subclass_inner_tensor") return add_part(call);
    if (asks_how_elements_lie(call.op) && !call.arguments.empty()) add_density(call);
    if (Status added = writer_.add(std::move(call)); !added.ok()) collect(added.diagnostics());
  }

  // Whether the elements of its operand lie row by row, where the program says.
  void add_density(Call& call) const {
    const auto& metas = frontend::members(*graph_, "tensor_values");
    const auto meta = metas.find(call.arguments[0].value.text);
    const auto is_dense = meta == metas.end() ? std::nullopt : is_dense_meta(meta->second);
    if (is_dense) call.arguments.push_back({"is_dense", Item::of_bool(*is_dense)});
  }

  // (tensor, "scale")
  void add_part(const Call& call) {
    const Tensor* part =
        call.arguments.size() == 2 ? part_of(call.arguments[0].value.text, call.arguments[1].value.text) : nullptr;
    if (!part || call.outputs.size() != 1 || call.outputs[0].empty())
      return report(
          error(ErrorKind::Input, "asks for what its tensor does not consist of").at("node '" + call.name + "'"));
    writer_.add_constant(call.outputs[0], *part);
  }

  const Tensor* part_of(const std::string& tensor, const std::string& part) const {
    const auto whole = parts_.find(tensor);
    if (whole == parts_.end()) return nullptr;
    const auto found = whole->second->attributes.find(part);
    const bool is_there = found != whole->second->attributes.end() && found->second.weight->defined();
    return is_there ? found->second.weight.get() : nullptr;
  }

  bool add_outputs(const Json& node, Call& call) {
    for (const Json& output : frontend::elements(node, "outputs")) collect_names(argument(output), call.outputs);
    call.name = call.outputs.empty() || call.outputs[0].empty() ? call.op : call.outputs[0];
    for (const std::string& output : call.outputs)
      if (!output.empty() && writer_.is_taken(output)) {
        report(error(ErrorKind::Input, "is defined twice").at("value '" + output + "'"));
        return false;
      }
    return true;
  }

  // ---- operators whose arguments are graphs -------------------------------------------------------------------------

  void add_graphs_of(Call call, const Json& node) {
    if (!add_outputs(node, call)) return;
    const Json* inputs = frontend::member(node, "inputs");
    const auto read = [&](const Json& graph) { return Reader(writer_.file_bytes(), depth_ + 1).body(graph); };
    Status added = add_higher_order(std::move(call), inputs ? *inputs : Json::array(), read, writer_);
    if (!added.ok()) collect(added.diagnostics());
  }

  // A graph that sees only its inputs.
  Result<SourceGraph> body(const Json& graph) {
    if (depth_ > frontend::kMaxDepth) return error(ErrorKind::Input, "graphs stand in each other too deeply");
    graph_ = &graph;
    for (const Json& input : frontend::elements(graph, "inputs")) {
      const Item item = argument(input);
      if (item.is(Item::Kind::Tensor) && !writer_.is_taken(item.text))
        writer_.add_input(item.text, Type());
      else
        report(error(ErrorKind::Unsupported, "a graph has an input that is no tensor, or the same twice"));
    }
    for (const Json& node : frontend::elements(graph, "nodes")) add_node(node);
    std::vector<Item> outputs;
    for (const Json& output : frontend::elements(graph, "outputs")) outputs.push_back(argument(output));
    if (!findings_.empty()) return findings_;
    return std::move(writer_).finish(outputs);
  }

  void add_output(const Json& spec, std::vector<Item>& outputs) {
    const Json* user = frontend::member(spec, "user_output");
    const Json* value = user ? frontend::member(*user, "arg") : nullptr;
    if (value) {
      const Item item = argument(*value);
      if (!item.is_none()) outputs.push_back(item);
      return;
    }
    if (const Json* mutation = frontend::member(spec, "user_input_mutation"))
      states_.emplace_back(frontend::text(*mutation, "user_input_name"), changed_name(*mutation));
  }

  // ---- what the program changes -------------------------------------------------------------------------------------

  static std::string changed_name(const Json& mutation) {
    const Json* value = frontend::member(mutation, "arg");
    return value ? frontend::text(*value, "name") : "";
  }

  // {"buffer_mutation": {"arg": {"name": "add"}, "buffer_name": "state"}}
  void note_change(const Json& spec) {
    const Json* mutation = frontend::member(spec, "buffer_mutation");
    if (!mutation) return;
    const std::string buffer = frontend::text(*mutation, "buffer_name");
    if (is_of_training(buffer))
      report(error(ErrorKind::Unsupported, "the model changes its buffer '" + buffer + "', as it does in training")
                 .help("call model.eval() before it is exported"));
    changed_buffers_.emplace(buffer, changed_name(*mutation));
  }

  static bool is_of_training(std::string_view buffer) {
    return buffer.ends_with("running_mean") || buffer.ends_with("running_var") ||
           buffer.ends_with("num_batches_tracked");
  }

  // What an input becomes stands behind the results.
  Status add_state(const std::string& input, const std::string& changed, std::vector<Item>& outputs) {
    const std::string next = writer_.unique(input + "_next");
    LAPIS_CHECK(writer_.add({"aten.clone", "", next, "", {{"self", Item::tensor(changed)}}, {next}}));
    outputs.push_back(Item::tensor(next));
    return ok();
  }

  const int depth_;  // of graphs within graphs
  const Json* graph_ = nullptr;
  Writer writer_;
  std::unordered_map<std::string, std::shared_ptr<const Object>> parts_;  // of tensors that consist of others
  std::unordered_map<std::string, std::string> changed_buffers_;  // what they become, by their names in the model
  std::unordered_map<std::string, std::string> buffers_, found_changed_;  // likewise: names in the program
  std::vector<std::pair<std::string, std::string>> states_;               // inputs, and what they become
  Diagnostics findings_;
};

// ---- the archive ----------------------------------------------------------------------------------------------------

Result<std::string> name_of_program(const Archive& archive) {
  if (archive.has(kOldName)) return std::string(kOldName);
  const std::vector<std::string> models = archive.names("models/", ".json");
  if (models.size() == 1) return models[0];
  return error(models.empty() ? ErrorKind::Input : ErrorKind::Unsupported,
               "the archive holds " + std::to_string(models.size()) + " programs")
      .help("torch.export.save(program, FILE) writes an archive with one");
}

// "range_constraints": {"s77": {"min_val": 1, "max_val": 1024}}
Status check_ranges(const Json& program, const ImportOptions& options) {
  Diagnostics found;
  for (const auto& [name, range] : frontend::members(program, "range_constraints")) {
    const auto given = options.dims.find(name);
    const Json* low = frontend::member(range, "min_val");
    const Json* high = frontend::member(range, "max_val");
    const auto least = low ? frontend::integer(*low) : std::nullopt,
               most = high ? frontend::integer(*high) : std::nullopt;
    if (given == options.dims.end()) continue;
    if (given->second < least.value_or(INT64_MIN) || given->second > most.value_or(INT64_MAX))
      found.push_back(error(ErrorKind::Mismatch, "dimension '" + name + "' cannot be " + std::to_string(given->second) +
                                                     ": the program was exported for " +
                                                     (least ? std::to_string(*least) : "any size") + " to " +
                                                     (most ? std::to_string(*most) : "any size"))
                          .help("export it with a wider torch.export.Dim"));
  }
  return status_of(std::move(found));
}

}  // namespace

bool is_exported_program(std::span<const std::byte> bytes) {
  return frontend::archive_has(bytes, {"archive_format", kOldName});
}

Result<SourceGraph> read_exported_program(const MappedFile& file, const ImportOptions& options) {
  LAPIS_TRY(Archive archive, Archive::open(file));
  LAPIS_TRY(const std::string name, name_of_program(archive));
  LAPIS_TRY(const MappedFile content, archive.content(name));
  LAPIS_TRY(const Json program, frontend::parse_json(content.bytes()));
  LAPIS_CHECK(check_ranges(program, options));
  LAPIS_TRY(ExportWeights weights, ExportWeights::open(archive, name));
  Reader first(archive.file_bytes());
  Result<SourceGraph> graph = first.run(program, weights);
  if (!graph.ok() || first.found_changed().empty()) return graph;
  return Reader(archive.file_bytes(), first.found_changed()).run(program, weights);
}

}  // namespace lapis::pytorch_frontend
