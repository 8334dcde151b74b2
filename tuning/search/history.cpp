#include "tuning/search/history.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/printable.h"

namespace lapis {

using Json = nlohmann::ordered_json;

size_t Trial::int8_nodes() const {
  int sum = 0;
  for (const auto& [op, count] : precisions) sum += count.int8;
  return static_cast<size_t>(sum);
}

bool better(const Trial& a, const Trial& b) {
  if (a.measured() != b.measured()) return a.measured();
  if (a.passes != b.passes) return a.passes;
  return a.score != b.score ? a.score > b.score : a.gain > b.gain;
}

std::vector<size_t> Attribution::worst(size_t most) const {
  std::vector<size_t> order(units.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return units[a].noise > units[b].noise; });
  while (!order.empty() && (order.size() > most || !(units[order.back()].noise > 0))) order.pop_back();
  return order;
}

size_t Attribution::measured() const {
  return static_cast<size_t>(
      std::count_if(units.begin(), units.end(), [](const UnitEffect& unit) { return unit.measured; }));
}

double decibels(double noise) { return noise > 1e-20 ? -10 * std::log10(noise) : 200; }

const Trial& History::confirmed(const Trial& trial) const {
  const auto at = std::find_if(whole.begin(), whole.end(), [&](const Trial& t) { return t.number == trial.number; });
  return at == whole.end() ? trial : *at;
}

const Trial* History::best_quantized() const {
  const Trial* best = nullptr;
  for (const Trial& t : trials)
    if (t.number > 0 && t.measured() && (!best || better(confirmed(t), *best))) best = &confirmed(t);
  return best;
}

const Trial* History::best() const {
  if (trials.empty()) return nullptr;
  const Trial* best = best_quantized();
  return !best || (best->passes && better(trials[0], *best)) ? &trials[0] : best;
}

std::vector<const Trial*> History::front() const {
  std::vector<const Trial*> order, front;
  for (const Trial& t : trials)
    if (t.measured()) order.push_back(&confirmed(t));
  // An estimate does not make a model more accurate than fp32.
  const auto certain = [](const Trial* t) { return t->early ? std::min(t->gain, 0.0) : t->gain; };
  std::stable_sort(order.begin(), order.end(), [&](const Trial* a, const Trial* b) {
    return certain(a) != certain(b) ? certain(a) > certain(b) : a->improvement > b->improvement;
  });
  for (const Trial* t : order)
    if (front.empty() || t->improvement > front.back()->improvement) front.push_back(t);
  return front;
}

bool History::met() const {
  return std::any_of(trials.begin(), trials.end(), [&](const Trial& t) { return t.number > 0 && confirmed(t).passes; });
}

// ---- files ----------------------------------------------------------------------------------------------------------

namespace {

constexpr int kVersion = 2;

Json as_json(const Precisions& count) {
  Json json = {{"int8", count.int8}, {"fp32", count.fp32}};
  if (count.bf16) json["bf16"] = count.bf16;
  return json;
}

Json json_of(const Trial& t) {
  Json json = {{"number", t.number}, {"configuration", t.configuration.key()}};
  if (!t.measured()) json["failure"] = t.failure;
  if (!t.on_top.empty()) json["on_top"] = t.on_top;
  json["passes"] = t.passes;
  json["accuracy"] = t.accuracy;
  json["gain"] = {t.gain_low, t.gain, t.gain_high};
  json["samples"] = t.samples;
  json["early"] = t.early;
  json["nan_samples"] = t.unusable;
  json["improvement"] = t.improvement;
  json["milliseconds"] = t.costs.milliseconds;
  json["throughput"] = t.costs.throughput;
  json["size_bytes"] = t.costs.size_bytes;
  json["memory_bytes"] = t.costs.memory_bytes;
  json["score"] = t.score;
  json["seconds"] = t.seconds;
  json["precisions"] = Json::object();
  for (const auto& [op, count] : t.precisions) json["precisions"][op] = as_json(count);
  return json;
}

// Throws nlohmann's exceptions on what is not as json_of made it.
Trial trial_of(const Json& json, const SearchSpace& space) {
  Trial t;
  t.number = json.at("number");
  const auto configuration =
      Configuration::from_key(json.at("configuration").get<std::string>(), space.candidates.size(), space.units.size());
  if (!configuration) throw Json::other_error::create(501, "a configuration of another model", &json);
  t.configuration = *configuration;
  t.failure = json.value("failure", "");
  t.on_top = json.value("on_top", "");
  t.passes = json.at("passes");
  t.accuracy = json.at("accuracy");
  t.gain_low = json.at("gain").at(0);
  t.gain = json.at("gain").at(1);
  t.gain_high = json.at("gain").at(2);
  t.samples = json.at("samples");
  t.early = json.at("early");
  t.unusable = json.at("nan_samples");
  t.improvement = json.at("improvement");
  t.costs = {json.at("milliseconds"), json.at("throughput"), json.at("size_bytes"), json.at("memory_bytes")};
  t.score = json.at("score");
  t.seconds = json.at("seconds");
  for (const auto& [op, count] : json.at("precisions").items())
    t.precisions[op] = {count.at("int8"), count.at("fp32"), count.value("bf16", 0)};
  return t;
}

Json json_of(const Attribution& a, const SearchSpace& space) {
  Json json = {{"candidate", a.candidate}, {"noise", a.noise}, {"sqnr_db", decibels(a.noise)}, {"seconds", a.seconds}};
  for (size_t u = 0; u < a.units.size(); ++u) {
    json["units"].push_back({{"unit", space.units[u].name},
                             {"operator", space.units[u].op},
                             {"nodes", space.units[u].nodes},
                             {"noise", a.units[u].noise},
                             {"sqnr_db", decibels(a.units[u].noise)},
                             {"milliseconds", a.units[u].milliseconds},
                             {"gain", a.units[u].gain}});
    if (!a.units[u].measured) json["units"].back()["measured"] = false;
  }
  return json;
}

Attribution attribution_of(const Json& json, const SearchSpace& space) {
  Attribution a{json.at("candidate").get<size_t>(), json.at("noise").get<double>(), {}, json.value("seconds", 0.0)};
  for (const Json& unit : json.at("units"))
    a.units.push_back({unit.at("noise"), unit.at("milliseconds"), unit.at("gain"), unit.value("measured", true)});
  if (a.units.size() != space.units.size()) throw Json::other_error::create(501, "units of another model", &json);
  return a;
}

}  // namespace

std::string to_json(const History& history, const SearchSpace& space) {
  Json json = {{"lapis_tuning", kVersion}, {"fingerprint", history.fingerprint}};
  json["met"] = history.met();
  if (const Trial* best = history.best()) json["best"] = best->number;
  json["front"] = Json::array();
  for (const Trial* t : history.front()) json["front"].push_back(t->number);
  for (const Candidate& c : space.candidates) json["candidates"].push_back(c.name);
  if (history.attribution) json["attribution"] = json_of(*history.attribution, space);
  json["trials"] = Json::array();
  for (const Trial& t : history.trials) json["trials"].push_back(json_of(t));
  json["on_all_samples"] = Json::array();
  for (const Trial& t : history.whole) json["on_all_samples"].push_back(json_of(t));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_json(const Trial& trial) { return json_of(trial).dump(-1, ' ', false, Json::error_handler_t::replace); }

// What `read` makes of the text; it may throw what nlohmann does.
template <class Read>
static auto read_json(const std::string& text, const std::string& where, Read&& read)
    -> Result<decltype(read(std::declval<Json>()))> {
  try {
    return read(Json::parse(text));
  } catch (const Json::exception& e) {
    return error(ErrorKind::Input, "not the history of this model's tuning: " + printable(e.what()))
        .at(where)
        .help("choose another workspace, or begin anew with --restart");
  }
}

Result<Trial> parse_trial(const std::string& text, const SearchSpace& space, const std::string& where) {
  return read_json(text, where, [&](const Json& json) { return trial_of(json, space); });
}

Result<History> parse_history(const std::string& text, const SearchSpace& space, const std::string& where) {
  return read_json(text, where, [&](const Json& json) {
    History history{json.at("fingerprint").get<std::string>(), {}, {}, {}};
    if (json.contains("attribution")) history.attribution = attribution_of(json["attribution"], space);
    for (const Json& trial : json.at("trials")) history.trials.push_back(trial_of(trial, space));
    for (const Json& trial : json.at("on_all_samples")) history.whole.push_back(trial_of(trial, space));
    return history;
  });
}

}  // namespace lapis
