#include "tuning/reports/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>

#include "tuning/reports/svg.h"

namespace lapis {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kFarOut = 30;    // deviations that the range of values may have
constexpr double kAddsNoise = 1;  // dB between what a unit reads and what it gives
constexpr size_t kMostRows = 40;  // of the report
constexpr Spread kNoSpread = {kUnknown, kUnknown, kUnknown, kUnknown};

Spread named(const std::vector<Distribution>& all, const std::string& name, Seen Distribution::*of) {
  for (const Distribution& d : all)
    if (d.name == name) return spread_of(d.*of);
  return kNoSpread;
}

const NodeDamage* damage_of(const Damage& damage, const NodeGroup& unit) {
  const NodeDamage* found = nullptr;
  for (const NodeDamage& n : damage.nodes)
    for (const std::string& node : unit.nodes)
      if (n.node == node) found = &n;  // the last one has the result
  return found;
}

// The worst of what the nodes of a unit read from outside: that of its first node.
double operands_of(const Damage& damage, const NodeGroup& unit) {
  for (const NodeDamage& n : damage.nodes)
    if (n.node == unit.name) return n.operands;
  return kUnknown;
}

const UnitTime* time_of(const Insight& insight, const NodeGroup& unit) {
  for (const UnitTime& t : insight.times)
    if (t.name == unit.op + " " + unit.name) return &t;
  return nullptr;
}

// Noise to signal that arises in a unit.
double added_noise(const UnitDiagnosis& u) {
  const auto noise = [](double db) { return std::isnan(db) || std::isinf(db) ? 0 : std::pow(10, -db / 10); };
  return std::max(0.0, noise(u.sqnr) - noise(u.operands));
}

bool is_far_out(const Spread& s) { return s.max - s.min > kFarOut * s.deviation && s.deviation > 0; }

std::string advice_for(const UnitDiagnosis& u) {
  if (!u.int8 || !(u.sqnr < u.operands - kAddsNoise)) return "";
  std::string text;
  if (is_far_out(u.values))
    text = "its values reach " + svg::number(std::max(-u.values.min, u.values.max)) + " with a deviation of " +
           svg::number(u.values.deviation) +
           ": try `range: {method: mse}`, or `smooth: auto` where it feeds products; ";
  if (is_far_out(u.weights))
    text += "its weights reach " + svg::number(std::max(-u.weights.min, u.weights.max)) + " with a deviation of " +
            svg::number(u.weights.deviation) + ": try `equalize: true` or `algorithm: gptq`; ";
  return text + "in fp32 ({node: " + u.node + ", precision: fp32}) it costs " +
         svg::number(std::max(0.0, u.milliseconds), 3) + " ms";
}

UnitDiagnosis diagnosis_of(size_t u, const Insight& insight, const Attribution& attribution, const SearchSpace& space) {
  const NodeGroup& unit = space.units[u];
  UnitDiagnosis d;
  d.node = unit.name;
  d.op = unit.op;
  d.int8 = insight.int8.contains(unit.name);
  const NodeDamage* damage = damage_of(*insight.damage, unit);
  d.sqnr = damage ? damage->sqnr : kUnknown;
  d.operands = operands_of(*insight.damage, unit);
  d.alone = decibels(attribution.units[u].noise);
  d.milliseconds = attribution.units[u].milliseconds;
  d.values = named(insight.values, unit.name, &Distribution::fp32);
  d.int8_values = named(insight.values, unit.name, &Distribution::trial);
  d.weights = named(insight.weights, unit.name, &Distribution::fp32);
  const UnitTime* time = time_of(insight, unit);
  d.fp32_time = time ? time->fp32 : kUnknown;
  d.int8_time = time ? time->trial : kUnknown;
  d.advice = advice_for(d);
  return d;
}

bool is_wanted(const NodeGroup& unit, const std::vector<std::regex>& wanted) {
  const auto matches = [&](const std::string& node) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const std::regex& r) { return std::regex_match(node, r); });
  };
  return wanted.empty() || std::any_of(unit.nodes.begin(), unit.nodes.end(), matches);
}

// JSON has neither NaN nor infinity: exact values and unknown ones are null.
Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json json_of(const Spread& s) {
  if (std::isnan(s.min)) return {};
  return {{"min", s.min}, {"max", s.max}, {"mean", s.mean}, {"deviation", s.deviation}};
}

Json json_of(const UnitDiagnosis& u) {
  return {{"node", u.node},
          {"operator", u.op},
          {"precision", u.int8 ? "int8" : "fp32"},
          {"sqnr_db", json_of(u.sqnr)},
          {"operands_db", json_of(u.operands)},
          {"alone_db", json_of(u.alone)},
          {"saved_ms", u.milliseconds},
          {"values", json_of(u.values)},
          {"values_in_model", json_of(u.int8_values)},
          {"weights", json_of(u.weights)},
          {"fp32_ms", json_of(u.fp32_time)},
          {"model_ms", json_of(u.int8_time)},
          {"advice", u.advice}};
}

std::string cell(double value) { return std::isnan(value) ? "" : std::isinf(value) ? "exact" : svg::number(value, 3); }

std::string range_cell(const Spread& s) { return std::isnan(s.min) ? "" : cell(s.min) + " to " + cell(s.max); }

std::string row(const std::vector<std::string>& cells, const std::string& tag) {
  const std::string begin = "<" + tag + ">", end = "</" + tag + ">";
  std::string html = "<tr>";
  for (const std::string& text : cells) html.append(begin).append(svg::escaped(text)).append(end);
  return html + "</tr>\n";
}

}  // namespace

Spread spread_of(const Seen& seen) {
  const auto count = static_cast<double>(seen.histogram.count());
  if (seen.empty() || count == 0) return kNoSpread;
  const double mean = seen.sum / count;
  return {seen.histogram.min(), seen.histogram.max(), mean,
          std::sqrt(std::max(0.0, seen.squares / count - mean * mean))};
}

Diagnosis diagnosis_of(const Insight& insight, const Attribution& attribution, const SearchSpace& space,
                       const std::vector<std::string>& nodes) {
  Diagnosis diagnosis{insight.trial, 0, {}, {}, {}, insight.problem};
  if (!insight.damage) return diagnosis;
  diagnosis.samples = insight.damage->samples;
  diagnosis.outputs = insight.damage->outputs;
  diagnosis.warnings = warnings_of(*insight.damage);
  const std::vector<std::regex> wanted(nodes.begin(), nodes.end());
  for (size_t u = 0; u < space.units.size(); ++u)
    if (is_wanted(space.units[u], wanted)) diagnosis.units.push_back(diagnosis_of(u, insight, attribution, space));
  std::stable_sort(diagnosis.units.begin(), diagnosis.units.end(),
                   [](const auto& a, const auto& b) { return added_noise(a) > added_noise(b); });
  return diagnosis;
}

std::string to_json(const Diagnosis& d) {
  Json json = {{"trial", d.trial}, {"samples", d.samples}};
  if (!d.problem.empty()) json["problem"] = d.problem;
  for (const OutputDamage& o : d.outputs)
    json["outputs"].push_back({{"output", o.output}, {"sqnr_db", json_of(o.sqnr)}});
  for (const Diagnostic& w : d.warnings)
    json["warnings"].push_back({{"location", w.location}, {"message", w.message}, {"hint", w.hint}});
  json["units"] = Json::array();
  for (const UnitDiagnosis& u : d.units) json["units"].push_back(json_of(u));
  return json.dump(1) + "\n";
}

std::string to_html(const Diagnosis& d) {
  std::string html = "<h2>Diagnosis</h2>\n";
  if (!d.problem.empty()) return html + "<p>" + svg::escaped(d.problem) + "</p>\n";
  html +=
      "<p>Of trial " + std::to_string(d.trial) + " on " + std::to_string(d.samples) +
      " samples: signal to noise of what each node gives and reads (dB), those in which most noise arises first.</p>\n";
  for (const Diagnostic& w : d.warnings)
    html += "<p>" + svg::escaped(w.location + ": " + w.message + ". " + w.hint) + "</p>\n";
  html += "<table>\n" + row({"node", "precision", "gives", "reads", "values in fp32", "in the model", "weights",
                             "ms in fp32", "ms", "what to do"},
                            "th");
  for (size_t i = 0; i < std::min(kMostRows, d.units.size()); ++i) {
    const UnitDiagnosis& u = d.units[i];
    html += row({u.op + " " + u.node, u.int8 ? "int8" : "fp32", cell(u.sqnr), cell(u.operands), range_cell(u.values),
                 range_cell(u.int8_values), range_cell(u.weights), cell(u.fp32_time), cell(u.int8_time), u.advice},
                "td");
  }
  return html + "</table>\n";
}

}  // namespace lapis
