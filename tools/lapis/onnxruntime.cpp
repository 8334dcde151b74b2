#include "tools/lapis/onnxruntime.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tools/lapis/interrupt.h"
#include "tools/lapis/python.h"

namespace lapis::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kScript = R"(
import ctypes, json, sys, numpy as np, onnxruntime as ort
folder = sys.argv[1]
task = json.load(open(folder + "/task.json"))
types = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
session = ort.InferenceSession(task["model"], options, providers=["CPUExecutionProvider"])
feeds = {}
for i, io in enumerate(task["inputs"]):
    known = types.get(io["type"])
    array = np.fromfile(f"{folder}/in{i}", known or f"u{io['bytes']}").reshape(io["shape"])
    make = ort.OrtValue.ortvalue_from_numpy if known else lambda a: ort.OrtValue.ortvalue_from_numpy_with_onnx_type(a, io["type"])
    feeds[io["name"]] = make(array)
results = []
for i, value in enumerate(session.run_with_ort_values(task["outputs"], feeds)):
    shape, kind = value.shape(), value.element_type()
    bits = task["bits"][kind] if kind < len(task["bits"]) else 0
    size = (int(np.prod(shape, dtype=np.int64)) * bits + 7) // 8
    if not bits:
        sys.exit(f"the output '{task['outputs'][i]}' has elements of ONNX type {kind}, which are not compared")
    open(f"{folder}/out{i}", "wb").write(ctypes.string_at(value.data_ptr(), size) if size else b"")
    results.append({"type": kind, "shape": list(shape)})
json.dump(results, open(folder + "/results.json", "w"))
)";

}  // namespace

static Json task_of(const Path& model, const std::vector<IoInfo>& input_infos,
                    const std::vector<IoInfo>& output_infos) {
  Json task = {{"model", model.string()}, {"inputs", Json::array()}, {"outputs", Json::array()}};
  for (const IoInfo& input : input_infos)
    task["inputs"].push_back({{"name", input.name},
                              {"type", static_cast<int>(input.dtype)},
                              {"bytes", std::max(1, bit_width(input.dtype) / 8)},
                              {"shape", input.shape}});
  for (const IoInfo& output : output_infos) task["outputs"].push_back(output.name);
  for (int type = 0; type <= static_cast<int>(DType::Int2); ++type)
    task["bits"].push_back(bit_width(static_cast<DType>(type)));
  return task;
}

static Diagnostic did_not_run(const Path& model, int code) {
  return error(ErrorKind::Input, "ONNX Runtime did not run the model (exit code " + std::to_string(code) + ")")
      .at(model.string())
      .help("its message is above; the Python package onnxruntime must be installed for " + python() +
            " (LAPIS_PYTHON chooses another interpreter)");
}

static Result<std::vector<Tensor>> read_results(const Path& folder) {
  LAPIS_TRY(const std::string text, read_file(folder / "results.json"));
  std::vector<Tensor> outputs;
  for (const Json& result : Json::parse(text)) {
    const Path file = folder / ("out" + std::to_string(outputs.size()));
    LAPIS_TRY(const std::string bytes, read_file(file));
    Tensor t(static_cast<DType>(result["type"].get<int>()), result["shape"].get<Shape>());
    if (static_cast<int64_t>(bytes.size()) != t.bytes())
      return error(ErrorKind::Io, "the result of ONNX Runtime is incomplete").at(file.string());
    std::memcpy(t.mutable_raw(), bytes.data(), bytes.size());
    outputs.push_back(std::move(t));
  }
  return outputs;
}

Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs,
                                            const std::vector<IoInfo>& output_infos) {
  LAPIS_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  const Path& path = folder.path();
  for (size_t i = 0; i < inputs.size(); ++i)
    LAPIS_CHECK(write_file(path / ("in" + std::to_string(i)),
                           std::span(inputs[i].raw(), static_cast<size_t>(inputs[i].bytes()))));
  LAPIS_CHECK(
      write_file(path / "task.json",
                 task_of(model, input_infos, output_infos).dump(-1, ' ', false, Json::error_handler_t::replace)));
  LAPIS_TRY(const pid_t child, start_python({"-c", kScript, path.string()}));
  if (const int code = wait_for(child); code != 0) return did_not_run(model, code);
  return read_results(path);
}

}  // namespace lapis::cli
