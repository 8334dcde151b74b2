#include "frontends/tflite/read.h"

#include <algorithm>
#include <unordered_set>

#include "base/suggest.h"
#include "frontends/tflite/calls.h"
#include "frontends/tflite/lists.h"
#include "frontends/tflite/schema.h"
#include "frontends/tflite/tensors.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;

Diagnostic damaged(std::string message) { return error(ErrorKind::Input, std::move(message)); }

// Names of tensors that a signature gives, by number.
using GivenNames = std::map<int32_t, std::string>;

// One subgraph. What is wrong with it is reported, all at once.
class SubgraphReader {
 public:
  SubgraphReader(const std::vector<FlatTable>& codes, const TensorReader& tensors, frontend::Expansion& copies,
                 Diagnostics& findings)
      : codes_(codes), reader_(tensors), copies_(copies), findings_(findings) {}

  SourceGraph read(const FlatTable& graph, const GivenNames& given, bool is_main) {
    source_.name = graph.text(subgraph::Name);
    const std::vector<FlatTable> tensors = graph.tables(subgraph::Tensors);
    const std::vector<FlatTable> operations = graph.tables(subgraph::Operators);
    const std::vector<int32_t> inputs = graph.numbers<int32_t>(subgraph::Inputs);
    inputs_.insert(inputs.begin(), inputs.end());
    for (const FlatTable& operation : operations)
      for (const int32_t i : operation.numbers<int32_t>(node::Outputs)) computed_.insert(i);
    name_tensors(tensors, given);
    for (size_t i = 0; i < tensors.size(); ++i) read_tensor(tensors[i], i, is_main);
    source_.inputs = names_of(inputs, "the list of inputs", Absent::MustNot);
    source_.outputs = names_of(graph.numbers<int32_t>(subgraph::Outputs), "the list of outputs", Absent::MustNot);
    for (const FlatTable& operation : operations) read_node(operation);
    return std::move(source_);
  }

 private:
  void report(Diagnostic d, const std::string& where) { findings_.push_back(d.at(where)); }

  // ---- names --------------------------------------------------------------------------------------------------------

  // Tensors need no names, and may share one.
  void name_tensors(const std::vector<FlatTable>& tensors, const GivenNames& given) {
    std::unordered_set<std::string> taken;
    for (const auto& [i, name] : given) taken.insert(name);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (const auto it = given.find(static_cast<int32_t>(i)); it != given.end()) {
        names_.push_back(it->second);
        continue;
      }
      std::string name = tensors[i].text(tensor::Name);
      if (name.empty()) name = "tensor_" + std::to_string(i);
      while (!taken.insert(name).second) name += "_" + std::to_string(i);
      names_.push_back(std::move(name));
    }
  }

  // -1 stands for an operand or a result that is absent; inputs and outputs of the model are not.
  enum class Absent : int32_t { May = -1, MustNot = 0 };
  std::vector<std::string> names_of(const std::vector<int32_t>& indices, const std::string& where, Absent absent) {
    std::vector<std::string> names;
    for (const int32_t i : indices) {
      if (i < static_cast<int32_t>(absent) || i >= static_cast<int32_t>(names_.size())) {
        report(damaged("names tensor " + std::to_string(i) + " of " + std::to_string(names_.size())), where);
        return {};
      }
      names.push_back(i < 0 ? "" : names_[static_cast<size_t>(i)]);
      if (copies_.add_bytes(names.back().size())) continue;
      report(copies_.explosion("names"), where);
      return {};
    }
    return names;
  }

  // ---- tensors ------------------------------------------------------------------------------------------------------

  void read_tensor(const FlatTable& table, size_t i, bool is_main) {
    const auto number = static_cast<int32_t>(i);
    const bool is_input = inputs_.contains(number);
    Result<SourceValue> value = reader_.read(table, {.name = names_[i],
                                                     .is_input = is_input,
                                                     .is_computed = computed_.contains(number),
                                                     .names_sizes = is_input && is_main});
    if (value.ok()) return void(source_.values.emplace(names_[i], *std::move(value)));
    for (Diagnostic& d : std::move(value).diagnostics()) report(std::move(d), "tensor '" + names_[i] + "'");
    source_.values.emplace(names_[i], SourceValue());
  }

  // ---- operators ----------------------------------------------------------------------------------------------------

  void read_node(const FlatTable& operation) {
    SourceNode result;
    const auto code = operation.get<uint32_t>(node::OpcodeIndex, 0);
    result.inputs = names_of(operation.numbers<int32_t>(node::Inputs), "an operator's operands", Absent::May);
    result.outputs = names_of(operation.numbers<int32_t>(node::Outputs), "an operator's results", Absent::May);
    const size_t number = source_.nodes.size();
    result.name = result.outputs.empty() ? "operator_" + std::to_string(number) : result.outputs[0];
    if (code >= codes_.size())
      return report(damaged("is of kind " + std::to_string(code) + " of " + std::to_string(codes_.size())),
                    "node '" + result.name + "'");
    name_operator(result, codes_[code]);
    auto options = options_of(result.op, operation);
    if (!options.ok()) return report(std::move(options).diagnostics()[0], location_of(result));
    result.attributes = *std::move(options);
    source_.nodes.push_back(std::move(result));
  }

  // Numbers above 127 came later and have a field of their own.
  static void name_operator(SourceNode& result, const FlatTable& code) {
    const int64_t builtin = std::max<int64_t>(code.get<int8_t>(operator_code::DeprecatedBuiltin, 0),
                                              code.get<int32_t>(operator_code::Builtin, 0));
    result.version = code.get<int32_t>(operator_code::Version, 1);
    result.op = builtin == kCustom ? "CUSTOM " + code.text(operator_code::CustomCode) : builtin_name(builtin);
  }

  const std::vector<FlatTable>& codes_;
  const TensorReader& reader_;
  frontend::Expansion& copies_;
  Diagnostics& findings_;
  std::unordered_set<int32_t> inputs_, computed_;
  std::vector<std::string> names_;
  SourceGraph source_;
};

class Reader {
 public:
  explicit Reader(const MappedFile& mapped) : mapped_(mapped), file_(mapped.bytes()), copies_(0, mapped.size) {}

  Result<SourceGraph> run(const std::string& signature) {
    const FlatTable model = file_.root();
    Result<SourceGraph> source = read_model(model, signature);
    // A flaw explains whatever else seems to be wrong.
    if (file_.flaw()) return *file_.flaw();
    if (!source.ok()) return source;
    if (!findings_.empty()) return findings_;
    source->file_bytes = mapped_.size;
    return source;
  }

 private:
  Result<SourceGraph> read_model(const FlatTable& model, const std::string& signature) {
    const auto version = model.get<uint32_t>(model::Version, 0);
    if (!file_.flaw() && version != kVersion)
      return error(ErrorKind::Unsupported,
                   "the schema version is " + std::to_string(version) + ", not " + std::to_string(kVersion))
          .help("convert the model again");
    const std::vector<FlatTable> subgraphs = model.tables(model::Subgraphs);
    if (subgraphs.empty()) return damaged("the model has no graph").help("convert it again");
    if (!signature.empty()) LAPIS_CHECK(choose(model, signature));
    if (main_ >= subgraphs.size())
      return damaged("the signature calls graph " + std::to_string(main_) + " of " + std::to_string(subgraphs.size()));
    const std::vector<FlatTable> codes = model.tables(model::OperatorCodes);
    const TensorReader tensors(mapped_, model, copies_);
    std::vector<SourceGraph> graphs(subgraphs.size());
    for (size_t i = 0; i < subgraphs.size() && !file_.flaw(); ++i) {
      const bool is_main = i == main_;
      SubgraphReader reader(codes, tensors, copies_, findings_);
      graphs[i] = reader.read(subgraphs[i], is_main ? given_ : GivenNames(), is_main);
    }
    if (file_.flaw() || !findings_.empty()) return SourceGraph();
    for (SourceGraph& graph : graphs) set_elements_in_place(graph);
    return resolve_calls(graphs, main_);
  }

  Status choose(const FlatTable& model, const std::string& wanted) {
    std::vector<std::string> known;
    for (const FlatTable& s : model.tables(model::Signatures)) {
      known.push_back(s.text(signature::Key));
      if (known.back() != wanted) continue;
      main_ = s.get<uint32_t>(signature::Subgraph, 0);
      for (const int slot : {signature::Inputs, signature::Outputs})
        for (const FlatTable& named : s.tables(slot))
          given_.emplace(named.get<int32_t>(signature::Tensor, 0), named.text(signature::Name));
      return name_apart();
    }
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    return error(ErrorKind::Usage, "the model has no signature '" + wanted + "'")
        .help(known.empty() ? "leave --signature out" : "it has " + names);
  }

  // An input and an output may have one name.
  Status name_apart() {
    std::unordered_set<std::string> taken;
    for (auto& [i, name] : given_)
      while (name.empty() || !taken.insert(name).second) name += "_" + std::to_string(i);
    return ok();
  }

  const MappedFile& mapped_;
  FlatBuffer file_;
  frontend::Expansion copies_;
  size_t main_ = 0;
  GivenNames given_;
  Diagnostics findings_;
};

}  // namespace

Result<SourceGraph> read_model(const MappedFile& file, const std::string& signature) {
  return Reader(file).run(signature);
}

}  // namespace lapis::tflite_frontend
