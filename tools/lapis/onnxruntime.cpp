#include "tools/lapis/onnxruntime.h"

#include "tools/lapis/interrupt.h"
#include "tools/lapis/python.h"
#include "tuning/data/npy.h"

namespace lapis::cli {
namespace {

constexpr const char* kScript = R"(
import sys, numpy as np, onnxruntime as ort
model, folder, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = sys.argv[4:]
feeds = {name: np.load(f"{folder}/in{i}.npy") for i, name in enumerate(names[:n])}
for i, value in enumerate(session.run(names[n:], feeds)):
    np.save(f"{folder}/out{i}.npy", np.ascontiguousarray(value))
)";

}  // namespace

Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs,
                                            const std::vector<IoInfo>& output_infos) {
  LAPIS_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  std::vector<std::string> arguments = {"-c", kScript, model.string(), folder.path().string(),
                                        std::to_string(inputs.size())};
  for (size_t i = 0; i < inputs.size(); ++i) {
    LAPIS_CHECK(write_npy(folder.path() / ("in" + std::to_string(i) + ".npy"), inputs[i]));
    arguments.push_back(input_infos[i].name);
  }
  for (const IoInfo& output : output_infos) arguments.push_back(output.name);
  LAPIS_TRY(const pid_t child, start_python(arguments));
  const int code = wait_for(child);
  if (code != 0)
    return error(ErrorKind::Input, "ONNX Runtime did not run the model (exit code " + std::to_string(code) + ")")
        .at(model.string())
        .help("its message is above; the Python package onnxruntime must be installed for " + python() +
              " (LAPIS_PYTHON chooses another interpreter)");
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < output_infos.size(); ++i) {
    LAPIS_TRY(Tensor t, read_npy(folder.path() / ("out" + std::to_string(i) + ".npy")));
    outputs.push_back(std::move(t));
  }
  return outputs;
}

}  // namespace lapis::cli
