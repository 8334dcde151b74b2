#include "frontends/common/translate.h"

#include <algorithm>
#include <unordered_set>

#include "frontends/common/findings.h"
#include "frontends/common/order.h"
#include "frontends/common/refusal.h"
#include "frontends/common/symbols.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

std::string quoted(const std::string& name) { return "'" + name + "'"; }

class Import {
 public:
  Import(const SourceGraph& source, const Dialect& dialect, const ImportOptions& options)
      : source_(source),
        dialect_(dialect),
        own_(options.translators),
        graph_(std::make_unique<Graph>(source.name.empty() ? "graph" : source.name)),
        symbols_(options),
        expansion_(source.nodes.size(), source.file_bytes),
        values_(source, *graph_, names_, expansion_) {
    for (const Translator& row : dialect.translators) rows_.emplace(row.op, &row);
    for (const OwnTranslator& own : own_)
      own_rows_.push_back({own.op, INT64_MIN, INT64_MAX, own.fewest_inputs, own.most_inputs, {nullptr}});
    for (size_t i = 0; i < own_.size(); ++i) {
      rows_.emplace(own_rows_[i].op, &own_rows_[i]);
      functions_.emplace(own_rows_[i].op, &own_[i].translate);
    }
    for (const Refused& row : dialect.refused) refused_.emplace(row.op, &row);
    if (dialect.folds_constants) values_.fold_constants();
  }

  Result<std::unique_ptr<Graph>> run() {
    for (const std::string& output : source_.outputs) names_.reserve(output);
    add_inputs();
    translate_all();
    set_outputs();
    symbols_.check(findings_);
    if (findings_.empty()) findings_.collect(infer_types(*graph_));
    if (!findings_.empty()) return findings_.all();
    if (dialect_.folds_constants) erase_unused_nodes();
    graph_->erase_unused_constants();
    return std::move(graph_);
  }

 private:
  // What computed a shape that turned out to be known is left over.
  void erase_unused_nodes() {
    std::vector<Node*> nodes;
    for (Node* node : graph_->nodes()) nodes.push_back(node);
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
      if (std::ranges::all_of((*node)->outputs(), [](const Value* v) { return !v || v->unused(); }))
        graph_->erase(*node);
  }

  // ---- inputs and outputs -------------------------------------------------------------------------------------------

  void add_inputs() {
    for (const std::string& name : source_.inputs) {
      if (Status added = add_input(name); !added.ok()) {
        findings_.collect(added, "input " + quoted(name));
        values_.poison(name);
      }
    }
  }

  Status add_input(const std::string& name) {
    const SourceValue& value = source_.values.at(name);
    if (values_.is_defined(name)) return error(ErrorKind::Input, "is listed twice");
    if (value.constant.defined()) return error(ErrorKind::Input, "is a constant");
    if (!value.unsupported.empty())
      return error(ErrorKind::Unsupported, value.unsupported + " are not supported").help(std::string(dialect_.hint));
    symbols_.note(value.type);
    Type type = symbols_.bound(value.type);
    if (auto problem = type.size_problem()) return error(ErrorKind::Input, "cannot be: " + *problem);
    values_.add_input(name, std::move(type));
    return ok();
  }

  void set_outputs() {
    if (source_.outputs.empty()) findings_.report(error(ErrorKind::Input, "the model has no outputs"));
    std::vector<Value*> outputs;
    std::unordered_set<const Value*> taken;
    for (const std::string& name : source_.outputs) {
      const std::string where = "output " + quoted(name);
      values_.enter(name, where);
      Result<Value*> value = output(name);
      if (!value.ok())
        findings_.collect(std::move(value).diagnostics(), where);
      else if (*value && !taken.insert(*value).second)
        findings_.report(error(ErrorKind::Input, "is listed twice").at(where));
      else if (*value)
        outputs.push_back(*value);
    }
    graph_->set_outputs(std::move(outputs));
  }

  // Null if the output was not translated, which has been reported.
  Result<Value*> output(const std::string& name) {
    Value* const none = nullptr;
    if (values_.is_poisoned(name)) return none;
    if (!values_.is_defined(name) && !values_.source(name).constant.defined()) {
      if (!findings_.empty()) return none;
      return error(ErrorKind::Input, "nothing in the model defines it");
    }
    LAPIS_TRY(Value * value, values_.stored(name, Layout::AsWritten));
    if (!dialect_.folds_constants || !value->is_constant() || value->name() == name) return value;
    return values_.add(ops::Identity, {value}, {}, name);
  }

  // ---- nodes --------------------------------------------------------------------------------------------------------

  void translate_all() {
    std::vector<OrderedNode> nodes;
    for (const SourceNode& node : source_.nodes) nodes.push_back(names_of(node));
    NodeOrder order = topological_order(
        nodes, [&](std::string_view name) { return source_.values.at(std::string(name)).given; },
        [&](size_t i) { return location_of(source_.nodes[i]); });
    findings_.collect(std::move(order.diagnostics));
    for (const SourceNode& node : source_.nodes)
      if (const Translator* row = row_of(node); row && row->wants_channels_first && !has_channels_first(node))
        values_.prefer_channels_first();
    for (const size_t i : order.nodes) visit(source_.nodes[i]);
  }

  // Formats that know both orders name theirs.
  static bool has_channels_first(const SourceNode& node) {
    const auto it = node.attributes.find("data_format");
    const auto* format = it == node.attributes.end() ? nullptr : std::get_if<std::string>(&it->second);
    return format && (format->starts_with("NC") || *format == "channels_first");
  }

  static OrderedNode names_of(const SourceNode& node) {
    OrderedNode names;
    std::unordered_set<std::string_view> seen;
    for (const std::string& name : node.inputs)
      if (seen.insert(name).second) names.reads.emplace_back(name);
    names.writes.assign(node.outputs.begin(), node.outputs.end());
    return names;
  }

  const Translator* row_of(const SourceNode& node) const {
    const auto it = rows_.find(node.op);
    return it == rows_.end() ? nullptr : it->second;
  }

  Diagnostic refusal(const SourceNode& node) const {
    const auto it = refused_.find(node.op);
    if (it == refused_.end()) return error(ErrorKind::Unsupported, "");
    return error(ErrorKind::Unsupported, std::string(it->second->reason)).help(std::string(it->second->hint));
  }

  // What is wrong with a node by itself is found behind other errors too;
  // only then comes what an earlier error has poisoned.
  void visit(const SourceNode& node) {
    values_.enter(node.name, location_of(node));
    const Translator* row = row_of(node);
    const std::string reason = functions_.contains(node.op) ? "" : refusal_of(node);
    Status done = !reason.empty() ? error(ErrorKind::Unsupported, reason) : row ? check(node, *row) : refusal(node);
    const bool poisoned = std::any_of(node.inputs.begin(), node.inputs.end(),
                                      [&](const std::string& name) { return values_.is_poisoned(name); });
    if (done.ok() && !poisoned) done = translate(node, *row);
    const bool translated = done.ok() && !poisoned;
    if (!done.ok()) report(node, std::move(done).diagnostics());
    if (!translated)
      for (const std::string& name : node.outputs) values_.poison(name);
  }

  void report(const SourceNode& node, Diagnostics found) {
    for (Diagnostic& d : found) {
      const std::string hint = d.hint.empty() ? std::string(dialect_.hint) : d.hint;
      const bool is_within = !node.bodies.empty() && d.message.starts_with("operator ");  // a report of its own
      if (d.kind == ErrorKind::Unsupported && !is_within)
        findings_.unsupported({.op = node.op,
                               .where = node.name,
                               .reason = d.message,
                               .note = node.written_at.empty() ? "" : "written at " + node.written_at,
                               .hint = hint});
      else
        findings_.report(d.at(location_of(node)));
    }
  }

  Status translate(const SourceNode& node, const Translator& row) {
    Translation translation(source_, node, dialect_, values_, own_);
    const auto own = functions_.find(node.op);
    LAPIS_CHECK(own == functions_.end() ? row.translate(translation) : (*own->second)(translation));
    return check_outputs(node);
  }

  // What needs no knowledge of the operator, so that it is found behind other errors too.
  Status check(const SourceNode& node, const Translator& row) const {
    if (node.version < row.oldest || node.version > row.newest)
      return error(ErrorKind::Unsupported, "version " + std::to_string(node.version) + ", versions " +
                                               std::to_string(row.oldest) + " to " + std::to_string(row.newest) +
                                               " are known");
    for (const auto* names : {&node.inputs, &node.outputs})
      for (const std::string& name : *names)
        if (const auto it = source_.values.find(name); it != source_.values.end() && !it->second.unsupported.empty())
          return error(ErrorKind::Unsupported, "it has " + it->second.unsupported);
    const auto present =
        static_cast<size_t>(std::find(node.inputs.begin(), node.inputs.end(), "") - node.inputs.begin());
    // Of operators that take any number, none may be absent.
    if (row.most_inputs == SIZE_MAX && present < node.inputs.size())
      return error(ErrorKind::Input, "lacks operand " + std::to_string(present));
    if (present < row.fewest_inputs || node.inputs.size() > row.most_inputs)
      return error(ErrorKind::Input, "has " + std::to_string(node.inputs.size()) + " operands, of which the first " +
                                         std::to_string(row.fewest_inputs) + " must be present and " +
                                         std::to_string(row.most_inputs) + " can be");
    return node.outputs.empty() || node.outputs[0].empty() ? Status(error(ErrorKind::Input, "has no output")) : ok();
  }

  Status check_outputs(const SourceNode& node) const {
    for (const std::string& name : node.outputs)
      if (!name.empty() && !values_.is_defined(name) && !values_.source(name).constant.defined())
        return error(ErrorKind::Input, "defines " + quoted(name) + " beyond what the operator computes");
    return ok();
  }

  const SourceGraph& source_;
  const Dialect& dialect_;
  const std::vector<OwnTranslator>& own_;  // of this framework
  std::vector<Translator> own_rows_;
  std::unordered_map<std::string_view, const std::function<Status(Translation&)>*> functions_;
  std::unordered_map<std::string_view, const Translator*> rows_;
  std::unordered_map<std::string_view, const Refused*> refused_;
  std::unique_ptr<Graph> graph_;
  Names names_;
  Symbols symbols_;
  Expansion expansion_;
  Values values_;
  Findings findings_;
};

}  // namespace

std::string location_of(const SourceNode& node) {
  return "node " + quoted(node.name) + " (" + node.op + (node.written_at.empty() ? "" : ", " + node.written_at) + ")";
}

Result<std::unique_ptr<Graph>> translate(const SourceGraph& source, const Dialect& dialect,
                                         const ImportOptions& options) {
  return Import(source, dialect, options).run();
}

// Where constants take the place of inputs, these are no longer listed.
static void give(SourceGraph& body, const std::vector<SourceValue>& known) {
  std::vector<std::string> open;
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    SourceValue& value = body.values.at(body.inputs[i]);
    if (i < known.size() && known[i].constant.defined()) {
      value = known[i];
      value.given = true;
      continue;
    }
    if (i < known.size() && !value.type.ranked() && known[i].type.dtype != DType::Undefined) value.type = known[i].type;
    value.unset = i < known.size() && known[i].unset;
    value.unfilled = i < known.size() && known[i].unfilled;
    open.push_back(body.inputs[i]);
  }
  body.inputs = std::move(open);
}

Result<std::shared_ptr<Graph>> Translation::body(size_t i) { return body(i, {}); }

Result<std::shared_ptr<Graph>> Translation::body(size_t i, const std::vector<SourceValue>& inputs) {
  if (i >= node_.bodies.size()) return error(ErrorKind::Input, "has no graph to run");
  SourceGraph source = *node_.bodies[i];
  source.file_bytes = source_.file_bytes;
  give(source, inputs);
  LAPIS_TRY(const std::unique_ptr<Graph> graph, frontend::translate(source, dialect_, {.translators = own_}));
  std::unordered_map<const Value*, Value*> nothing_around;
  return values_.graph().copy_subgraph(*graph, nothing_around);
}

}  // namespace lapis::frontend
