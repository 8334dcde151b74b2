// What processes are asked and answer, as JSON. Tensors are {"dtype": "float", "shape": [2], "data": [1, 2.5]}, and
// text as {"text": "..."}. NaN and infinities, which JSON lacks, are null.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tuning/data/settings.h"
#include "tuning/process.h"

#include "base/tensor.h"

namespace lapis {

nlohmann::json to_json(const Tensor& tensor);
// nullopt: it is none. null becomes NaN.
std::optional<Tensor> tensor_from_json(const nlohmann::json& json);

// The answer, an object; {"error": "..."} is what the program has to say itself. `about` begins messages: "sample 3: ".
Result<nlohmann::json> ask(Process& process, const Settings& settings, const nlohmann::json& question,
                           const std::string& about = "");

// The options of rows that ask a process, and the process that these options describe.
std::vector<Option> process_options();
Result<std::shared_ptr<Process>> start_process(const Settings& settings);

}  // namespace lapis
