#include "frontends/keras/read.h"

#include <algorithm>
#include <set>

#include "frontends/common/limits.h"
#include "frontends/common/refusal.h"
#include "frontends/common/symbols.h"
#include "frontends/keras/arguments.h"
#include "frontends/keras/classes.h"
#include "frontends/keras/masks.h"
#include "frontends/keras/model_graph.h"

namespace lapis::keras_frontend {
namespace {

using frontend::member;
using frontend::SourceAttribute;
using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;
using frontend::text;

Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("save the model again with model.save");
}

// A value that is there before the first node.
SourceValue given() {
  SourceValue value;
  value.given = true;
  return value;
}

SourceNode node_of(std::string op, std::string name, Names inputs) {
  SourceNode node;
  node.op = std::move(op);
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  return node;
}

bool is_refused(const SourceNode& node) { return node.attributes.contains(frontend::kRefusal); }

// The first reason stays.
void refuse(SourceNode& node, std::string reason) {
  if (!reason.empty()) node.attributes.emplace(frontend::kRefusal, std::move(reason));
}

// A model that is being taken apart: the top, or one that a layer of another is, called once.
struct Context {
  const Json& model;
  std::string prefix;
  Names inputs;  // none: it is the top, whose inputs are the graph's
  LayerPath path;
  int depth = 0;
};

class Reader {
 public:
  Reader(Weights weights, const KerasModel& model)
      : weights_(std::move(weights)), version_(model.version), expansion_(0, model.file_bytes), masks_(model.version) {
    source_.file_bytes = model.file_bytes;
  }

  Result<SourceGraph> run(const Json& model) {
    if (!is_model(model))
      return error(ErrorKind::Unsupported, "the model is of the class '" + text(model, "class_name") +
                                               "', which only its own program can rebuild")
          .help("load it in Keras and call model.export(FOLDER), which writes a SavedModel; Lapis reads that");
    source_.name = name_of(model);
    LAPIS_CHECK(note_places({model, "", {}, {}}));
    LAPIS_TRY(source_.outputs, add_model({model, "", {}, {}}));
    return std::move(source_);
  }

  Result<Names> add_model(const Context& context) {
    constexpr size_t kBytesOfLayer = 64;
    if (context.depth > frontend::kMaxDepth) return damaged("models lie within each other too deep");
    if (!expansion_.add_bytes(kBytesOfLayer * layers_of(context.model).size())) return expansion_.explosion("layers");
    return is_sequence(context.model) ? add_sequence(context) : add_functional(context);
  }

  Status add_input(const std::string& name, const Json& config, const Json* sizes);
  Result<Names> add_call(const Context& context, const Json& layer, const LayerPath& path, int64_t call,
                         Arguments arguments);
  Result<std::string> add_number(const std::string& layer, double number);

  const ModelGraph& graph_of(const Json& model);
  // Where the weights of each layer lie.
  std::map<std::string, LayerPath> paths_of(const Context& context) const;

 private:
  Status note_places(const Context& context);
  Result<Names> add_sequence(const Context& context);
  Result<Names> add_functional(const Context& context);
  Result<Names> add_layer(const Json& layer, const LayerPath& path, const std::string& name,
                          const Arguments& arguments);
  Result<Names> add_each_step(const Context& context, const Json& layer, const LayerPath& path, const std::string& name,
                              Arguments arguments);
  Result<Names> add_normalized(const Json& layer, const LayerPath& path, const std::string& name,
                               const Arguments& arguments);
  std::string mask_of_steps(Arguments& arguments) const;
  Status add_attributes(SourceNode& node, const Json& config, const Arguments& arguments);
  void add_operands(SourceNode& node, const Arguments& arguments) const;
  Status add_weights(SourceNode& node, const Json& config, const LayerPath& path);
  Result<Names> weights_at(const std::vector<Weight>& wanted, const LayerPath& path);
  Result<std::string> value_of(Masks::Made mask);
  Result<Names> finish(SourceNode node, size_t outputs);
  std::string free_name(const std::string& wanted) {
    std::string name = wanted;
    while (source_.values.contains(name)) name = wanted + "_" + std::to_string(++suffixes_[wanted]);
    return name;
  }

  Weights weights_;
  const int64_t version_;
  frontend::Expansion expansion_;
  SourceGraph source_;
  std::map<const Json*, ModelGraph> graphs_;
  std::map<std::string, std::vector<std::string>> places_;  // groups of weights by the name of a layer
  std::map<std::string, Names> known_weights_;              // by group or name of the layer
  std::map<std::string, size_t> suffixes_;                  // the last that made a name its own
  Masks masks_;
};

// ---- inputs ---------------------------------------------------------------------------------------------------------

Status Reader::add_input(const std::string& name, const Json& config, const Json* sizes_if_built) {
  const Json* shape = member(config, "batch_shape");
  if (!shape) shape = member(config, "batch_input_shape");
  if (!shape) shape = sizes_if_built;
  if (!shape || !shape->is_array())
    return damaged(
               "does not say what shape its data has: give the model an Input, or call model.build before it is saved")
        .at("input '" + name + "'");
  const std::vector<int64_t> sizes = sizes_of(*shape);
  if (sizes.size() > kMaxRank)
    return damaged("has " + std::to_string(sizes.size()) + " axes").at("input '" + name + "'");
  Dims dims;
  for (size_t axis = 0; axis < sizes.size(); ++axis)
    dims.push_back(sizes[axis] < 0 ? frontend::Symbols::unnamed(name, axis) : Dim(sizes[axis]));
  SourceValue value = given();
  value.type = Type::tensor(parse_dtype(text(config, "dtype")).value_or(DType::Float32), std::move(dims));
  if (text(config, "dtype") == "string") value.unsupported = "texts";
  if (flag(config, "sparse", false) || flag(config, "ragged", false)) value.unsupported = "sparse or ragged tensors";
  if (!source_.values.emplace(name, std::move(value)).second) return damaged("input '" + name + "' is there twice");
  source_.inputs.push_back(name);
  return ok();
}

// ---- Sequential -----------------------------------------------------------------------------------------------------

// The configuration of the first layer, or of the first one of the model that it is.
const Json& first_config(const Json& layer) {
  const Json* at = &layer;
  for (int i = 0; i < frontend::kMaxDepth && is_model(*at) && !layers_of(*at).empty(); ++i) at = &layers_of(*at)[0];
  return config_of(*at);
}

Result<Names> Reader::add_sequence(const Context& context) {
  Names at = context.inputs;
  const std::map<std::string, LayerPath> paths = paths_of(context);
  for (const Json& layer : layers_of(context.model)) {
    const bool is_input = text(layer, "class_name") == "InputLayer";
    if (at.empty()) {
      at = {is_input ? name_of(layer) : name_of(layer) + "_input"};
      LAPIS_CHECK(add_input(at[0], first_config(layer), member(config_of(context.model), "build_input_shape")));
    }
    if (is_input) continue;
    LAPIS_TRY(at, add_call(context, layer, paths.at(name_of(layer)), 0, {at, {}, {}}));
  }
  return at;
}

// ---- Functional -----------------------------------------------------------------------------------------------------

const ModelGraph& Reader::graph_of(const Json& model) {
  const auto [known, is_first] = graphs_.try_emplace(&model);
  if (is_first) known->second = model_graph(model);
  return known->second;
}

// Lists what the outputs need, operands first, and reads that in the order in which Keras runs it. What is open lies on
// a stack of its own, because models may be deep.
class FunctionalWalk {
 public:
  FunctionalWalk(Reader& reader, const Context& context)
      : reader_(reader), context_(context), graph_(reader.graph_of(context.model)), paths_(reader.paths_of(context)) {}

  Result<Names> run() {
    LAPIS_CHECK(begin());
    if (graph_.ends.empty()) return damaged("the model '" + name_of(context_.model) + "' does not say where it ends");
    for (const Place& end : graph_.ends) LAPIS_CHECK(visit(listed(end, graph_.outer_offsets)));
    LAPIS_TRY(const std::vector<Place> order, in_order_of_keras());
    for (const Place& place : order) LAPIS_CHECK(call(place));
    Names names;
    for (const Place& end : graph_.ends) {
      LAPIS_TRY(names.emplace_back(), value_at(listed(end, graph_.outer_offsets)));
    }
    return names;
  }

 private:
  using Key = std::pair<std::string, int64_t>;  // layer and call

  Status begin() {
    const std::vector<Place>& begins = graph_.begins;
    if (begins.empty()) return damaged("the model '" + name_of(context_.model) + "' does not say where it begins");
    if (!context_.inputs.empty() && context_.inputs.size() != begins.size())
      return damaged("the model '" + name_of(context_.model) + "' is called with " +
                     std::to_string(context_.inputs.size()) + " values, not " + std::to_string(begins.size()));
    for (size_t i = 0; i < begins.size(); ++i) {
      const std::string& name = begins[i].layer;
      LAPIS_TRY(const Json* layer, layer_of(name));
      if (context_.inputs.empty()) LAPIS_CHECK(reader_.add_input(name, config_of(*layer), nullptr));
      done_[{name, 0}] = {context_.inputs.empty() ? name : context_.inputs[i]};
    }
    return ok();
  }

  Status visit(const Place& end) {
    constexpr size_t kMostOpen = 1 << 20;
    struct Open {
      Place place;
      std::vector<Place> operands;
      size_t next = 0;
    };
    std::vector<Open> open;
    const auto enter = [&](const Place& place) -> Status {
      if (done_.contains({place.layer, place.call}) || needed_.contains({place.layer, place.call})) return ok();
      if (open.size() > kMostOpen || !entered_.insert({place.layer, place.call}).second)
        return damaged("layer '" + place.layer + "' depends on itself");
      LAPIS_TRY(std::vector<Place> operands, operands_of(place));
      open.push_back({place, std::move(operands)});
      return ok();
    };
    LAPIS_CHECK(enter(end));
    while (!open.empty()) {
      if (Open& top = open.back(); top.next < top.operands.size()) {
        const Place operand = top.operands[top.next++];
        LAPIS_CHECK(enter(operand));
        continue;
      }
      const Place& place = open.back().place;
      needed_.insert({place.layer, place.call});
      operands_first_.push_back(place);
      open.pop_back();
    }
    return ok();
  }

  // What is farther from the outputs runs first.
  // That matters where a layer takes away the mask of its data, which others read too.
  Result<std::vector<Place>> in_order_of_keras() const {
    std::map<Key, int64_t> depths;
    std::map<std::string, int64_t> of_layers;  // that several calls share
    std::vector<Place> order;
    const auto deepen = [&](const Place& place, int64_t depth) {
      const auto [known, is_new] = depths.try_emplace({place.layer, place.call}, depth);
      if (is_new) order.push_back(place);
      return known->second = std::max(known->second, depth);
    };
    for (auto place = operands_first_.rbegin(); place != operands_first_.rend(); ++place) {
      int64_t& depth = of_layers[place->layer];
      depth = deepen(*place, depth);
      LAPIS_TRY(const std::vector<Place> operands, operands_of(*place));
      for (const Place& operand : operands)
        if (needed_.contains({operand.layer, operand.call})) deepen(operand, depth + 1);
    }
    std::ranges::stable_sort(order, std::greater<>(), [&](const Place& place) {
      return depths.at({place.layer, place.call});
    });
    return order;
  }

  Result<const Json*> layer_of(const std::string& name) const {
    const auto layer = graph_.layers.find(name);
    if (layer == graph_.layers.end())
      return damaged("the model '" + name_of(context_.model) + "' has no layer '" + name + "'");
    return layer->second;
  }

  Result<const Call*> call_at(const Place& place) const {
    LAPIS_CHECK(layer_of(place.layer));
    const std::vector<Call>& calls = graph_.calls.at(place.layer);
    if (place.call < 0 || place.call >= static_cast<int64_t>(calls.size()))
      return damaged("layer '" + place.layer + "' has no call " + std::to_string(place.call));
    return &calls[static_cast<size_t>(place.call)];
  }

  Result<std::vector<Place>> operands_of(const Place& place) const {
    LAPIS_TRY(const Call* call, call_at(place));
    std::vector<Place> operands = keras_frontend::operands_of(*call);
    for (Place& operand : operands) operand = listed(operand, graph_.inner_offsets);
    return operands;
  }

  Status call(const Place& place) {
    LAPIS_TRY(const Call* call, call_at(place));
    Arguments arguments{{}, {}, call->options, call->has_others};
    LAPIS_TRY(arguments.operands, values_of(place.layer, call->operands));
    for (const auto& [name, operands] : call->named) {
      LAPIS_TRY(arguments.named[name], values_of(place.layer, operands));
    }
    LAPIS_TRY(done_[Key(place.layer, place.call)],
              reader_.add_call(context_, *graph_.layers.at(place.layer), paths_.at(place.layer), place.call,
                               std::move(arguments)));
    return ok();
  }

  Result<Names> values_of(const std::string& layer, const std::vector<Operand>& operands) {
    Names names;
    for (const Operand& operand : operands) {
      if (operand.is_absent) {
        names.emplace_back();
        continue;
      }
      LAPIS_TRY(names.emplace_back(), operand.place ? value_at(listed(*operand.place, graph_.inner_offsets))
                                                    : reader_.add_number(layer, operand.number));
    }
    return names;
  }

  Result<std::string> value_at(const Place& place) const {
    const Names& outputs = done_.at({place.layer, place.call});
    if (place.tensor < 0 || place.tensor >= static_cast<int64_t>(outputs.size()))
      return error(ErrorKind::Unsupported, "output " + std::to_string(place.tensor) + " of layer '" + place.layer +
                                               "', which Lapis does not know");
    return outputs[static_cast<size_t>(place.tensor)];
  }

  Reader& reader_;
  const Context& context_;
  const ModelGraph& graph_;
  const std::map<std::string, LayerPath> paths_;
  std::map<Key, Names> done_;
  std::set<Key> entered_, needed_;
  std::vector<Place> operands_first_;
};

Result<Names> Reader::add_functional(const Context& context) { return FunctionalWalk(*this, context).run(); }

// ---- layers ---------------------------------------------------------------------------------------------------------

std::map<std::string, LayerPath> Reader::paths_of(const Context& context) const {
  std::map<std::string, LayerPath> paths;
  std::map<std::string, int64_t> seen;
  for (const Json& layer : layers_of(context.model)) {
    const std::string name = name_of(layer);
    std::string key = snake_case(class_inside(layer));
    if (const int64_t before = seen[key]; !class_of(layer).starts_with("ops.") && seen[key]++ > 0)
      key += "_" + std::to_string(before);
    const std::string& outermost = context.path.outermost;
    paths.emplace(name, LayerPath{outermost.empty() ? name : outermost, name,
                                  context.path.group + "/" + weights_.container() + "/" + key});
  }
  return paths;
}

// A layer that several models share is kept where Keras came upon it first. Keras 2 does not even count it elsewhere.
Status Reader::note_places(const Context& context) {
  if (context.depth > frontend::kMaxDepth) return damaged("models lie within each other too deep");
  const std::map<std::string, LayerPath> paths = paths_of(context);
  for (const Json& layer : layers_of(context.model)) {
    const LayerPath& path = paths.at(name_of(layer));
    if (!expansion_.add_bytes(path.group.size())) return expansion_.explosion("layers");
    std::vector<std::string>& places = places_[path.layer];
    if (std::ranges::find(places, path.group) != places.end()) continue;
    places.push_back(path.group);
    if (places.size() > 1 && version_ < 3 && weights_.are_numbered() &&
        !weights_of(class_of(layer), config_of(layer)).empty())
      return error(ErrorKind::Unsupported,
                   "several models have the layer '" + path.layer + "', whose weights cannot be told from others'")
          .help("save the model as .h5, or with Keras 3");
    if (is_model(layer)) LAPIS_CHECK(note_places({layer, "", {}, path, context.depth + 1}));
  }
  return ok();
}

Result<Names> Reader::add_call(const Context& context, const Json& layer, const LayerPath& path, int64_t call,
                               Arguments arguments) {
  const std::string name = context.prefix + path.layer + (call == 0 ? "" : "_call" + std::to_string(call));
  size_t bytes = name.size();
  for (const std::string& operand : arguments.operands) bytes += operand.size();
  if (!expansion_.add_node() || !expansion_.add_bytes(bytes)) return expansion_.explosion("layers");
  if (arguments.operands.empty()) return damaged("is called without data").at("layer '" + name + "'");
  if (is_model(layer) && !arguments.named.empty())
    return error(ErrorKind::Unsupported, "is called with a mask, or with more than its inputs")
        .at("layer '" + name + "'")
        .help("save a model in which it is called with its data alone");
  if (is_model(layer)) return add_model({layer, name + "/", std::move(arguments.operands), path, context.depth + 1});
  if (class_of(layer) == "TimeDistributed") return add_each_step(context, layer, path, name, std::move(arguments));
  if (class_of(layer) == "SpectralNormalization") return add_normalized(layer, path, name, arguments);
  return add_layer(layer, path, name, arguments);
}

// The mask of a wrapper's data, which is no argument of what it wraps.
std::string Reader::mask_of_steps(Arguments& arguments) const {
  const auto given = arguments.named.extract("mask");
  return given && given.mapped().size() == 1 ? given.mapped()[0] : masks_.of(arguments.operands[0]);
}

// A wrapper whose steps are samples of the layer that it wraps.
Result<Names> Reader::add_each_step(const Context& context, const Json& layer, const LayerPath& path,
                                    const std::string& name, Arguments arguments) {
  const Json* inner = member(config_of(layer), "layer");
  if (!inner || context.depth > frontend::kMaxDepth) return damaged("wraps nothing").at("layer '" + name + "'");
  LayerPath inside = path;
  inside.group += "/layer";
  const std::string data = arguments.operands[0], mask = mask_of_steps(arguments);
  if (works_on_last_axis(class_of(*inner))) {
    LAPIS_TRY(const Names results, add_layer(*inner, inside, name, arguments));
    masks_.note(results[0], mask);
    return results;
  }
  LAPIS_TRY(arguments.operands, finish(node_of("TimeDistributed.begin", name + "/begin", {data}), 1));
  LAPIS_TRY(const std::string mask_of_one, value_of(masks_.taken_apart(name + "/begin", mask)));
  masks_.note(arguments.operands[0], mask_of_one);
  const Context within{layer, name + "/", {}, inside, context.depth + 1};
  LAPIS_TRY(Names results,
            is_model(*inner) ? add_model({*inner, name + "/", std::move(arguments.operands), inside, context.depth + 1})
            : class_of(*inner) == "TimeDistributed"
                ? add_each_step(within, *inner, inside, name + "/step", std::move(arguments))
                : add_layer(*inner, inside, name + "/step", arguments));
  if (results.size() != 1) return damaged("has several results for each step").at("layer '" + name + "'");
  const std::string step = results[0];
  LAPIS_TRY(results, finish(node_of("TimeDistributed.end", name, {step, data}), 1));
  masks_.note_steps(results[0], step, mask);
  return results;
}

// A wrapper that changes the weights of what it wraps while that is trained, and leaves them so.
Result<Names> Reader::add_normalized(const Json& layer, const LayerPath& path, const std::string& name,
                                     const Arguments& arguments) {
  const Json* inner = member(config_of(layer), "layer");
  if (!inner) return damaged("wraps nothing").at("layer '" + name + "'");
  const auto refused = [&](const char* reason) {
    return error(ErrorKind::Unsupported, reason).at("layer '" + name + "'").help("save a model without this wrapper");
  };
  if (!masks_.of(arguments.operands[0]).empty()) return refused("wraps a layer whose data has a mask");
  if (version_ >= 3 && class_of(*inner) == "Embedding") return refused("cuts what its table gives to whole numbers");
  LayerPath inside = path;
  inside.group += "/layer";
  return add_layer(*inner, inside, name, arguments);
}

Result<Names> Reader::add_layer(const Json& layer, const LayerPath& path, const std::string& name,
                                const Arguments& arguments) {
  const Json& config = config_of(layer);
  SourceNode node = node_of(operator_of(layer), name, {});
  LAPIS_CHECK(add_attributes(node, config, arguments));
  node.attributes.erase(frontend::kRefusal);
  refuse(node, refusal_of(layer));
  add_operands(node, arguments);
  refuse(node, masks_.hand_over(node, arguments.named.contains("mask")));
  LAPIS_TRY(const std::string mask, value_of(masks_.made_by(node, config)));
  masks_.take_away(node);
  if (!is_refused(node)) LAPIS_CHECK(add_weights(node, config, path));
  const size_t outputs = output_count(node.op, config);
  LAPIS_TRY(Names results, finish(std::move(node), outputs));
  masks_.note(results[0], mask);
  return results;
}

void note_directions(SourceNode& node, const Json& config, const Json& inner) {
  node.attributes.insert_or_assign("cell", class_of(inner));
  if (const Json* merge = member(config, "merge_mode"); merge && merge->is_null())
    node.attributes.insert_or_assign("merge_mode", std::string("none"));
  node.attributes.insert_or_assign("directions_differ", directions_differ(config));
}

// The configuration, and that of its cell; of a wrapper that of what it wraps too, whose class is "cell".
Status Reader::add_attributes(SourceNode& node, const Json& config, const Arguments& arguments) {
  const auto add_one = [&](const std::string& key, SourceAttribute value) {
    const auto* text = std::get_if<std::string>(&value);
    const auto* list = std::get_if<std::vector<int64_t>>(&value);
    const auto* reals = std::get_if<std::vector<double>>(&value);
    const size_t numbers = list ? list->size() : reals ? reals->size() : 1;
    node.attributes.emplace(key, value);
    return expansion_.add_bytes(key.size() + (text ? text->size() : sizeof(double) * numbers));
  };
  const auto add_all = [&](const Json& from) {
    for (const auto& [key, value] : from.items())
      if (auto attribute = attribute_of(value); attribute && !add_one(key, *std::move(attribute))) return false;
    return true;
  };
  const auto add = [&](const Json& from) { return add_all(from) && add_all(config_of_cell(from)); };
  bool fits = add(config);
  if (const Json* inner = member(config, "layer"); inner && node.op == "Bidirectional") {
    note_directions(node, config, *inner);
    fits = fits && add(config_of(*inner));
  }
  for (const auto& [name, value] : arguments.options) fits = fits && add_one(name, value);
  node.attributes.emplace("keras_version", version_);
  return fits ? ok() : Status(expansion_.explosion("options of layers"));
}

void Reader::add_operands(SourceNode& node, const Arguments& arguments) const {
  const bool fits = fill_slots(node, arguments);
  // Keras 3 says itself which it is when it predicts, Keras 2 does as the model says.
  const auto training = arguments.options.find("training");
  if (version_ < 3 && training != arguments.options.end() && training->second == SourceAttribute(true))
    refuse(node, "it is called with training=True");
  else if (!fits)
    refuse(node, "it is called with a mask, or with more than Lapis knows");
}

// The name of a mask, "" if there is none.
Result<std::string> Reader::value_of(Masks::Made mask) {
  if (!mask.node) return mask.name;
  if (!expansion_.add_node()) return expansion_.explosion("masks");
  LAPIS_TRY(const Names made, finish(*std::move(mask.node), 1));
  return made[0];
}

Status Reader::add_weights(SourceNode& node, const Json& config, const LayerPath& path) {
  const std::vector<Weight> wanted = weights_of(node.op, config);
  if (wanted.empty()) return ok();
  Result<Names> names = weights_at(wanted, path);
  if (!names.ok()) {
    Diagnostics found = std::move(names).diagnostics();
    for (Diagnostic& d : found) d.at("layer '" + node.name + "' (" + node.op + ")");
    return found;
  }
  node.inputs.insert(node.inputs.end(), names->begin(), names->end());
  return ok();
}

// The names of the weights of a layer, which its calls share; "" for those that it does not have.
Result<Names> Reader::weights_at(const std::vector<Weight>& wanted, const LayerPath& path) {
  const auto [known, is_new] = known_weights_.try_emplace(path.group);
  if (!is_new && known->second.size() != wanted.size()) return damaged("two layers have its name");
  if (!is_new) return known->second;
  Result<std::vector<Tensor>> found = weights_.read(path, wanted);
  if (const auto places = places_.find(path.layer);
      !found.ok() && weights_.are_numbered() && places != places_.end() && places->second.size() == 2) {
    LayerPath other = path;
    other.group = places->second[path.group == places->second[0] ? 1 : 0];
    found = weights_.read(other, wanted);
  }
  LAPIS_TRY(const std::vector<Tensor> tensors, std::move(found));
  auto tensor = tensors.begin();
  for (const Weight& w : wanted) {
    if (!w.exists) {
      known->second.emplace_back();
      continue;
    }
    const std::string name = free_name((path.is_nested() ? path.outermost + "/" : "") + path.layer + "/" + w.kind);
    SourceValue value = given();
    value.constant = *tensor++;
    value.type = Type::of(value.constant);
    if (!expansion_.add_bytes(2 * name.size())) return expansion_.explosion("layers");
    source_.values.emplace(name, std::move(value));
    known->second.push_back(name);
  }
  return known->second;
}

Result<std::string> Reader::add_number(const std::string& layer, double number) {
  const std::string name = free_name(layer + "/number");
  SourceValue value = given();
  value.constant = Tensor::scalar(static_cast<float>(number));
  value.type = Type::of(value.constant);
  if (!expansion_.add_bytes(name.size())) return expansion_.explosion("numbers");
  source_.values.emplace(name, std::move(value));
  return name;
}

Result<Names> Reader::finish(SourceNode node, size_t outputs) {
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(free_name(i == 0 ? node.name : node.name + ":" + std::to_string(i)));
    source_.values.emplace(node.outputs.back(), SourceValue{});
  }
  Names names = node.outputs;
  source_.nodes.push_back(std::move(node));
  return names;
}

}  // namespace

Result<SourceGraph> read_layers(const KerasModel& model, Weights weights) {
  return Reader(std::move(weights), model).run(model.description);
}

}  // namespace lapis::keras_frontend
