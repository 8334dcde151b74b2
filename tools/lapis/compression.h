// What verbs that make a model smaller say of it.
#pragma once

#include "passes/precision/bf16.h"
#include "passes/prune/prune.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {

// JSON has no infinities: what is exact or has no ratio is said in words.
nlohmann::ordered_json sqnr_json(double sqnr);
nlohmann::ordered_json as_json(const Damage& damage);
nlohmann::ordered_json as_json(const PruneReport& report);
std::string as_text(const Damage& damage, const std::string& cause);  // "quantization"
std::string as_text(const PruneReport& report);
nlohmann::ordered_json as_json(const Bf16Report& report);
std::string as_text(const Bf16Report& report);  // "" if nobody asked for bf16

}  // namespace lapis::cli
