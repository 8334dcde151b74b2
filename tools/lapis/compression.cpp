#include "tools/lapis/compression.h"

#include <cmath>

#include "base/printable.h"
#include "tools/lapis/terminal.h"

namespace lapis::cli {

nlohmann::ordered_json sqnr_json(double sqnr) {
  if (std::isfinite(sqnr)) return sqnr;
  return print_sqnr(sqnr);
}

namespace {

nlohmann::ordered_json as_json(const NodeDamage& n) {
  return {{"node", n.node},
          {"operator", n.op},
          {"quantized", n.quantized},
          {"sqnr", sqnr_json(n.sqnr)},
          {"operands", sqnr_json(n.operands)}};
}

// "30.1 % of 432", "0 of 432".
std::string share_of(int64_t part, int64_t all) {
  if (part == 0 || all == 0) return "0";
  return fixed(100 * static_cast<double>(part) / static_cast<double>(all), 1) + " %";
}

}  // namespace

nlohmann::ordered_json as_json(const Damage& damage) {
  nlohmann::ordered_json json = {{"samples", damage.samples}, {"outputs", nlohmann::ordered_json::array()}};
  for (const OutputDamage& o : damage.outputs) {
    nlohmann::ordered_json output = {{"output", o.output}, {"sqnr", sqnr_json(o.sqnr)}};
    if (o.cause) output["cause"] = {{"node", o.cause->node.node}, {"quantized", o.cause->quantized}};
    json["outputs"].push_back(std::move(output));
  }
  for (const NodeDamage& n : damage.worst) json["worst"].push_back(as_json(n));
  return json;
}

nlohmann::ordered_json as_json(const PruneReport& report) {
  nlohmann::ordered_json json = {{"sparsity", report.sparsity()}};
  json["weights"] = nlohmann::ordered_json::array();
  for (const PrunedWeights& w : report.weights)
    json["weights"].push_back({{"node", w.node},
                               {"operator", w.op},
                               {"before", w.before},
                               {"elements", w.elements},
                               {"zeros", w.zeros},
                               {"pattern", w.pattern},
                               {"note", w.note}});
  if (report.damage) json["damage"] = as_json(*report.damage);
  return json;
}

std::string as_text(const Damage& damage, const std::string& cause) {
  if (damage.samples == 0) return "no " + cause + " noise to measure: no floats are left to compare\n";
  std::string text = "signal to " + cause + " noise against the float model, on " + std::to_string(damage.samples) +
                     (damage.samples == 1 ? " sample:\n" : " samples:\n");
  for (const OutputDamage& o : damage.outputs)
    text += "  output '" + printable(o.output) + "': " + print_sqnr(o.sqnr) + "\n";
  for (const NodeDamage& n : damage.worst)
    text += "  " + n.op + " '" + printable(n.node) + "'" + (n.quantized ? "" : " (float)") + ": from " +
            print_sqnr(n.operands) + " to " + print_sqnr(n.sqnr) + "\n";
  return text;
}

std::string as_text(const PruneReport& report) {
  std::vector<std::vector<std::string>> rows = {{"pattern", "weights", "left", "zero", "operator", "node"}};
  for (const PrunedWeights& w : report.weights)
    rows.push_back({w.pattern.empty() ? "-" : w.pattern, std::to_string(w.before), share_of(w.elements, w.before),
                    share_of(w.zeros, w.elements), w.op,
                    printable(w.node) + (w.note.empty() ? "" : "  (" + printable(w.note) + ")")});
  if (report.weights.empty()) return "nothing is pruned: the model has no Conv, Gemm or MatMul with constant weights\n";
  const bool unchanged = std::all_of(report.weights.begin(), report.weights.end(),
                                     [](const PrunedWeights& w) { return w.pattern.empty(); });
  return table(rows) + (unchanged ? "nothing is pruned: all nodes are left whole; " : "") +
         share_of(std::llround(report.sparsity() * 1e6), 1000000) + " of these weights are 0 or gone\n";
}

nlohmann::ordered_json as_json(const Bf16Report& report) {
  nlohmann::ordered_json json = {{"bf16_nodes", report.bf16_count()}, {"casts", report.casts}};
  json["nodes"] = nlohmann::ordered_json::array();
  for (const Bf16Decision& d : report.decisions)
    json["nodes"].push_back({{"node", d.node}, {"operator", d.op}, {"bf16", d.bf16}, {"note", d.note}});
  if (report.damage) json["damage"] = as_json(*report.damage);
  return json;
}

std::string as_text(const Bf16Report& report) {
  if (report.decisions.empty()) return "";
  std::string text = std::to_string(report.bf16_count()) + " of " + std::to_string(report.decisions.size()) +
                     " float nodes in bf16, " + std::to_string(report.casts) + " casts\n";
  for (const Bf16Decision& d : report.decisions)
    if (!d.bf16) text += "  fp32: " + d.op + " '" + printable(d.node) + "': " + printable(d.note) + "\n";
  return text + (report.damage ? as_text(*report.damage, "rounding") : "");
}

}  // namespace lapis::cli
