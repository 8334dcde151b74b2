#include "frontends/tensorflow/saved_model.h"

#include <algorithm>
#include <charconv>

#include "base/suggest.h"
#include "frontends/common/protobuf.h"
#include "frontends/tensorflow/bundle.h"
#include "frontends/tensorflow/debug_info.h"
#include "frontends/tensorflow/frames.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::ProtoReader;

// Field numbers.
namespace saved {
enum Field { MetaGraph = 2 };
}
namespace meta {
enum Field { Info = 1, Graph = 2, Signature = 5 };
}
namespace info {
enum Field { Tag = 4 };
}
namespace signature {
enum Field { Input = 1, Output = 2 };
}

constexpr std::string_view kServing = "serving_default";

Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("copy or export the model again");
}

bool is_for_serving(std::string_view meta_graph) {
  ProtoReader fields(meta_graph);
  while (const auto field = fields.next()) {
    if (field->number != meta::Info) continue;
    ProtoReader parts(field->bytes);
    while (const auto part = parts.next())
      if (part->number == info::Tag && part->bytes == "serve") return true;
  }
  return false;
}

// The graph for serving, or the first one.
Result<std::string_view> meta_graph_of(std::string_view file) {
  std::optional<std::string_view> found;
  ProtoReader fields(file);
  while (const auto field = fields.next())
    if (field->number == saved::MetaGraph && field->has_bytes() && (!found || is_for_serving(field->bytes)))
      found = field->bytes;
  if (fields.flawed()) return damaged("the file is damaged or cut off");
  if (!found) return damaged("the model has no graph");
  return *found;
}

// ---- signatures -----------------------------------------------------------------------------------------------------

// A map's entry: its key, and field 1 of its value, which is the name of a tensor here.
std::optional<Port> port_of(std::string_view entry) {
  Port port;
  ProtoReader fields(entry);
  while (const auto field = fields.next()) {
    if (field->number == 1 && field->has_bytes()) port.name = field->bytes;
    if (field->number != 2) continue;
    ProtoReader tensor(field->bytes);
    while (const auto part = tensor.next())
      if (part->number == 1 && part->has_bytes()) port.ref = part->bytes;
  }
  return port.name.empty() || port.ref.empty() ? std::nullopt : std::optional(std::move(port));
}

Part part_of(std::string_view message) {
  Part part;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number != signature::Input && field->number != signature::Output) continue;
    if (const auto port = port_of(field->bytes))
      (field->number == signature::Input ? part.inputs : part.outputs).push_back(*port);
  }
  // As the framework hands them out: maps have no order of their own.
  std::ranges::sort(part.inputs, {}, &Port::name);
  std::ranges::sort(part.outputs, {}, &Port::name);
  return part;
}

std::map<std::string, Part> signatures_of(std::string_view meta_graph) {
  std::map<std::string, Part> all;
  ProtoReader fields(meta_graph);
  while (const auto field = fields.next()) {
    if (field->number != meta::Signature) continue;
    std::string name;
    Part part;
    ProtoReader entry(field->bytes);
    while (const auto half = entry.next()) {
      if (half->number == 1 && half->has_bytes()) name = half->bytes;
      if (half->number == 2) part = part_of(half->bytes);
    }
    if (!part.outputs.empty()) all.insert_or_assign(std::move(name), std::move(part));
  }
  return all;
}

Result<Part> signature_of(std::string_view meta_graph, const std::string& wanted) {
  std::map<std::string, Part> all = signatures_of(meta_graph);
  std::vector<std::string> names;
  for (const auto& [name, part] : all)
    if (!name.starts_with("__")) names.push_back(name);
  const std::string name = !wanted.empty() ? wanted : names.size() == 1 ? names[0] : std::string(kServing);
  if (const auto found = all.find(name); found != all.end()) return found->second;
  if (names.empty())
    return error(ErrorKind::Input, "the model has no signature, so it does not say what it computes")
        .help("name values of its graph with --inputs and --outputs, or save it again with signatures");
  return error(ErrorKind::Input, wanted.empty() ? "the model has several signatures, none of them the one for serving"
                                                : "the model has no signature '" + wanted + "'")
      .help("give --signature: it has " + joined(names));
}

// What the user names is a value of the signature or one of the graph.
Part chosen(const Part& whole, const ImportOptions& options) {
  Part part = whole;
  const auto choose = [](const std::vector<std::string>& names, const std::vector<Port>& known) {
    std::vector<Port> ports;
    for (const std::string& name : names) {
      const auto found = std::ranges::find(known, name, &Port::name);
      ports.push_back(found == known.end() ? Part::of(name) : *found);
    }
    return ports;
  };
  if (!options.inputs.empty()) part.inputs = choose(options.inputs, whole.inputs);
  if (!options.outputs.empty()) part.outputs = choose(options.outputs, whole.outputs);
  part.from_user = !options.inputs.empty();
  part.values = options.values;
  return part;
}

// ---- variables ------------------------------------------------------------------------------------------------------

// Which variable of the graph is which tensor of the files: what the part of the graph that restores them says. Names
// alone would not do, because several layers may call theirs the same.
class Restored {
 public:
  explicit Restored(const GraphDef& graph) {
    add(graph.nodes, {});
    for (const NodeDef& node : graph.nodes) {
      const auto* name = node.attribute<std::string>("f");
      const auto function = name ? graph.functions.find(*name) : graph.functions.end();
      if (function != graph.functions.end()) add_call(node, function->second);
    }
  }
  const std::unordered_map<std::string, std::string>& keys() const { return keys_; }

 private:
  using Arguments = std::unordered_map<std::string, std::string>;
  using Nodes = std::unordered_map<std::string_view, const NodeDef*>;

  static std::string node_of(const std::string& ref) { return ref.substr(0, ref.find(':')); }

  static size_t index_of(const std::string& ref) {
    const size_t at = ref.rfind(':');
    size_t index = 0;
    if (at != std::string::npos) std::from_chars(ref.data() + at + 1, ref.data() + ref.size(), index);
    return index;
  }

  void add_call(const NodeDef& call, const FunctionDef& function) {
    const auto restores = [](const NodeDef& node) { return node.op == "RestoreV2"; };
    if (std::ranges::none_of(function.nodes, restores)) return;
    Arguments arguments;
    for (size_t i = 0; i < std::min(function.inputs.size(), call.inputs.size()); ++i)
      arguments.emplace(function.inputs[i], node_of(call.inputs[i]));
    add(function.nodes, arguments);
  }

  void add(const std::vector<NodeDef>& nodes, const Arguments& arguments) {
    Nodes by_name;
    for (const NodeDef& node : nodes) by_name.emplace(node.name, &node);
    for (const NodeDef& node : nodes) {
      if ((node.op != "AssignVariableOp" && node.op != "Assign") || node.inputs.size() < 2) continue;
      const std::string variable = node_of(node.inputs[0]);
      const auto argument = arguments.find(variable);
      if (const auto key = key_of(by_name, node.inputs[1]))
        keys_.insert_or_assign(argument == arguments.end() ? variable : argument->second, *key);
    }
  }

  // Through Identity to the tensor that is restored.
  std::optional<std::string> key_of(const Nodes& nodes, std::string ref) {
    constexpr int kMostSteps = 8;
    for (int i = 0; i < kMostSteps; ++i) {
      const auto found = nodes.find(node_of(ref));
      if (found == nodes.end() || found->second->inputs.empty()) return std::nullopt;
      const NodeDef& node = *found->second;
      if (node.op == "RestoreV2" && node.inputs.size() > 1) {
        const std::vector<std::string>& names = names_in(nodes, node);
        const size_t index = index_of(ref);
        return index < names.size() ? std::optional(names[index]) : std::nullopt;
      }
      if (node.op != "Identity") return std::nullopt;
      ref = node.inputs[0];
    }
    return std::nullopt;
  }

  const std::vector<std::string>& names_in(const Nodes& nodes, const NodeDef& restore) {
    const auto [known, is_new] = names_.try_emplace(&restore);
    const auto list = nodes.find(node_of(restore.inputs[1]));
    if (is_new && list != nodes.end()) known->second = strings_of(list->second->tensor);
    return known->second;
  }

  static std::vector<std::string> strings_of(std::string_view tensor) {
    constexpr uint64_t kStrings = 8;
    std::vector<std::string> all;
    ProtoReader fields(tensor);
    while (const auto field = fields.next())
      if (field->number == kStrings && field->has_bytes()) all.emplace_back(field->bytes);
    return all;
  }

  std::unordered_map<std::string, std::string> keys_;
  std::unordered_map<const NodeDef*, std::vector<std::string>> names_;
};

bool has_variables(const Path& prefix) {
  std::error_code failed;
  return std::filesystem::exists(prefix.string() + ".index", failed);
}

Status add_variables(Model& model, const Path& prefix) {
  LAPIS_TRY(Bundle opened, Bundle::open(prefix));
  const auto bundle = std::make_shared<const Bundle>(std::move(opened));
  const auto keys = std::make_shared<const std::unordered_map<std::string, std::string>>(Restored(model.graph).keys());
  model.bytes += bundle->bytes();
  const auto copies = std::make_shared<frontend::Expansion>(0, bundle->bytes());
  model.variable = [bundle, keys, copies](const NodeDef& node) -> Result<Tensor> {
    const auto* shared = node.attribute<std::string>("shared_name");
    const auto key = keys->find(node.name);
    if (key != keys->end()) return bundle->tensor(key->second, *copies);
    for (const std::string& name : {shared ? *shared : std::string(), node.name})
      if (bundle->has(name)) return bundle->tensor(name, *copies);
    return Tensor();
  };
  return ok();
}

Result<SavedModel> read_graph(MappedFile file, std::string_view meta_graph) {
  SavedModel result;
  result.file = std::move(file);
  ProtoReader fields(meta_graph);
  while (const auto field = fields.next())
    if (field->number == meta::Graph && field->has_bytes()) {
      LAPIS_TRY(result.model.graph, parse_graph(field->bytes));
      LAPIS_CHECK(structure_loops(result.model.graph));
    }
  if (fields.flawed()) return damaged("the file is damaged or cut off within its graph");
  result.model.owner = result.file.data;
  result.model.bytes = result.file.size;
  return result;
}

}  // namespace

Path saved_model_folder(const Path& path) {
  constexpr const char* kFile = "saved_model.pb";
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) return std::filesystem::exists(path / kFile, failed) ? path : Path();
  if (path.filename() != kFile) return {};
  return path.has_parent_path() ? path.parent_path() : Path(".");
}

Result<SavedModel> read_saved_model(const Path& folder, const ImportOptions& options) {
  LAPIS_TRY(MappedFile file, map_file(folder / "saved_model.pb"));
  LAPIS_TRY(const std::string_view meta_graph, meta_graph_of(text_of(file.bytes())));
  LAPIS_TRY(SavedModel result, read_graph(std::move(file), meta_graph));
  const bool cut_by_hand = options.signature.empty() && !options.inputs.empty() && !options.outputs.empty();
  Result<Part> signature = signature_of(meta_graph, options.signature);
  if (!signature.ok() && !cut_by_hand) return std::move(signature).diagnostics();
  result.part = chosen(signature.ok() ? *signature : Part(), options);
  const Path variables = folder / "variables" / "variables";
  if (has_variables(variables)) LAPIS_CHECK(add_variables(result.model, variables));
  const auto info = std::make_shared<DebugInfo>(DebugInfo::beside(folder));
  result.model.written_at = [info](const std::string& node, const std::string& function) {
    return info->written_at(node, function);
  };
  return result;
}

Result<SavedModel> read_checkpoint(const Path& meta, const ImportOptions& options) {
  LAPIS_TRY(MappedFile file, map_file(meta));
  const std::string_view meta_graph = text_of(file.bytes());
  LAPIS_TRY(SavedModel result, read_graph(std::move(file), meta_graph));
  Part whole;
  if (!options.signature.empty() || !signatures_of(meta_graph).empty()) {
    LAPIS_TRY(whole, signature_of(meta_graph, options.signature));
  }
  result.part = chosen(whole, options);
  Path prefix = meta;
  prefix.replace_extension();
  if (!has_variables(prefix))
    return error(ErrorKind::Input, "the values of its variables are not beside it")
        .help("put " + prefix.filename().string() + ".index and " + prefix.filename().string() +
              ".data-00000-of-00001 into its folder");
  LAPIS_CHECK(add_variables(result.model, prefix));
  return result;
}

}  // namespace lapis::tensorflow_frontend
