#include "passes/prune/channels.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "passes/prune/channel_map.h"
#include "passes/prune/compensate.h"

namespace lapis {

namespace {

constexpr double kMostOfAGroup = 0.9;  // of its channels, where groups compete

// A channel with all that are joined with it.
struct Channel {
  int id = 0;
  double worth = 0;  // the mean over its members
  int members = 0;
  std::set<size_t> producers = {};  // by index
  double ratio = 1;                 // the least that a producer asks for
  bool global = true;
};

class Chooser {
 public:
  Chooser(const ChannelMap& map, const NodeRecipes& recipes) : map_(map) {
    for (size_t p = 0; p < map.producers().size(); ++p) add(p, recipes.of(*map.producers()[p].weights.node).sparsity);
    for (auto& [id, c] : channels_) c.worth /= c.members;
  }

  // The numbers that leave: of the channels that the same contractions compute, and that nothing holds,
  // those of least worth.
  std::set<int> run() {
    std::map<std::set<size_t>, std::vector<const Channel*>> groups;
    for (const auto& [id, c] : channels_)
      if (!map_.holds(id)) groups[c.producers].push_back(&c);
    std::vector<const Channel*> competing;
    double wanted = 0;
    for (auto& [producers, group] : groups) {
      std::stable_sort(group.begin(), group.end(), is_worth_less);
      const double ratio = group[0]->ratio, count = static_cast<double>(group.size());
      const bool global = group[0]->global;
      const double most = std::min(count - 1, global ? std::floor(kMostOfAGroup * count) : std::round(ratio * count));
      auto& to = global ? competing : leave_;
      to.insert(to.end(), group.begin(), group.begin() + static_cast<std::ptrdiff_t>(most));
      if (global) wanted += ratio * count;
    }
    std::stable_sort(competing.begin(), competing.end(), is_worth_less);
    competing.resize(std::min(competing.size(), static_cast<size_t>(std::llround(wanted))));
    leave_.insert(leave_.end(), competing.begin(), competing.end());
    std::set<int> gone;
    for (const Channel* c : leave_) gone.insert(c->id);
    return gone;
  }

 private:
  static bool is_worth_less(const Channel* a, const Channel* b) { return a->worth < b->worth; }

  void add(size_t p, const Sparsity& sparsity) {
    const ChannelMap::End& producer = map_.producers()[p];
    const std::vector<double> weights = producer.weights.read();
    const auto inputs = static_cast<size_t>(producer.weights.inputs());
    double total = 0;
    for (const double w : weights) total += w * w;
    const double mean = std::max(total / static_cast<double>(producer.ids.size()), 1e-300);
    for (size_t r = 0; r < producer.ids.size(); ++r) {
      Channel& c = channels_[map_.joined(producer.ids[r])];
      c.id = map_.joined(producer.ids[r]);
      for (size_t i = 0; i < inputs; ++i) c.worth += weights[r * inputs + i] * weights[r * inputs + i] / mean;
      ++c.members;
      c.producers.insert(p);
      c.ratio = std::min(c.ratio, sparsity.ratio);
      c.global = c.global && sparsity.scope == SparsityScope::Global;
    }
  }

  const ChannelMap& map_;
  std::map<int, Channel> channels_;
  std::vector<const Channel*> leave_;
};

// ---- what reads them makes good what is lost ------------------------------------------------------------------------

Mask inputs_that_leave(const ChannelMap& map, const ChannelMap::End& reader, const std::set<int>& gone) {
  Mask mask;
  for (int64_t tap = 0; tap < reader.weights.taps; ++tap)
    for (const int id : reader.ids) mask.push_back(gone.contains(map.joined(id)));
  return mask;
}

void adjust(Graph& graph, const WeightMatrix& m, const InputMoments& moments, const Mask& gone) {
  Rows rows = rows_of(m, &moments);
  remove_inputs(rows, group_of(moments, 0), gone);
  store_rows(graph, m, rows);
}

// Nothing makes it good.
void take_away(Graph& graph, const WeightMatrix& m, const Mask& gone) {
  Rows rows{m.read(), {}};
  for (size_t i = 0; i < rows.weights.size(); ++i)
    if (gone[i % gone.size()]) rows.weights[i] = 0;
  store_rows(graph, m, rows);
}

struct Loss {
  const WeightMatrix* weights;
  Mask inputs;  // that leave
};

Status compensate(Graph& graph, const ChannelMap& map, const std::set<int>& gone, const NodeRecipes& recipes,
                  Evaluator* evaluator, const SampleSource& source, int64_t samples) {
  std::vector<Node*> nodes;
  std::unordered_map<const Node*, Loss> losses;
  for (const ChannelMap::End& reader : map.readers()) {
    Node& node = *reader.weights.node;
    Mask mask = inputs_that_leave(map, reader, gone);
    if (!std::count(mask.begin(), mask.end(), 1)) continue;
    if (!recipes.of(node).sparsity.compensate || has_no_moments(node)) {
      take_away(graph, reader.weights, mask);
      continue;
    }
    nodes.push_back(&node);
    losses.emplace(&node, Loss{&reader.weights, std::move(mask)});
  }
  if (nodes.empty()) return ok();
  return for_each_moments(graph, nodes, kMomentsOfRows, *evaluator, source, samples,
                          [&](Node& node, const InputMoments& moments) -> Status {
                            const Loss& loss = losses.at(&node);
                            adjust(graph, *loss.weights, moments, loss.inputs);
                            return ok();
                          });
}

// ---- what is said of it ---------------------------------------------------------------------------------------------

std::string note_of(const ChannelMap& map, const ChannelMap::End& producer, const std::set<int>& gone) {
  const auto leaves = [&](int id) { return gone.contains(map.joined(id)); };
  const auto lost = std::count_if(producer.ids.begin(), producer.ids.end(), leaves);
  const std::string all = std::to_string(producer.ids.size());
  if (lost > 0) return std::to_string(static_cast<int64_t>(producer.ids.size()) - lost) + " of " + all + " channels";
  for (const int id : producer.ids)
    if (const std::string* reason = map.holds(id)) return "left whole: its channels are " + *reason;
  return "left whole: too few channels";
}

bool asks_for_channels(const NodeRecipes& recipes, const Node& node) {
  const Sparsity& s = recipes.of(node).sparsity;
  return s.on() && s.pattern.kind == SparsityPattern::Kind::Channels;
}

}  // namespace

Result<ChannelNotes> prune_channels(Graph& graph, const NodeRecipes& recipes, Evaluator* evaluator,
                                    const SampleSource& source, int64_t samples) {
  ChannelNotes notes;
  bool wanted = false;
  for (const Node* node : graph.nodes()) wanted = wanted || asks_for_channels(recipes, *node);
  if (!wanted) return notes;
  ChannelMap map(graph);
  for (const ChannelMap::End& producer : map.producers())
    if (const Node& node = *producer.weights.node; !asks_for_channels(recipes, node))
      map.hold(producer.ids, "computed by '" + node.name() + "' too, which the recipe leaves whole");
  const std::set<int> gone = Chooser(map, recipes).run();
  for (const ChannelMap::End& producer : map.producers())
    if (asks_for_channels(recipes, *producer.weights.node)) notes[producer.weights.node] = note_of(map, producer, gone);
  for (const auto& [node, reason] : map.refused())
    if (asks_for_channels(recipes, *node)) notes[node] = "left whole: " + reason;
  LAPIS_CHECK(compensate(graph, map, gone, recipes, evaluator, source, samples));
  map.remove([&](int id) { return gone.contains(id); });
  return notes;
}

}  // namespace lapis
