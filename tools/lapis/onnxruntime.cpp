#include "tools/lapis/onnxruntime.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

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

int spawn(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) < 0) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lapis-XXXXXX").string();
  LAPIS_ASSERT(::mkdtemp(pattern.data()) != nullptr, "cannot create a temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string python() {
  if (const char* chosen = std::getenv("LAPIS_PYTHON")) return chosen;
  const Path beside = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "venv/bin/python";
  return std::filesystem::exists(beside) ? beside.string() : "python3";
}

Result<std::vector<Tensor>> run_onnxruntime(const Path& model, const std::vector<IoInfo>& input_infos,
                                            const std::vector<Tensor>& inputs,
                                            const std::vector<IoInfo>& output_infos) {
  const TemporaryFolder folder;
  std::vector<std::string> command = {
      python(), "-c", kScript, model.string(), folder.path().string(), std::to_string(inputs.size())};
  for (size_t i = 0; i < inputs.size(); ++i) {
    LAPIS_CHECK(write_npy(folder.path() / ("in" + std::to_string(i) + ".npy"), inputs[i]));
    command.push_back(input_infos[i].name);
  }
  for (const IoInfo& output : output_infos) command.push_back(output.name);
  const int code = spawn(command);
  if (code != 0)
    return error(ErrorKind::Input, "ONNX Runtime did not run the model (exit code " + std::to_string(code) + ")")
        .at(model.string())
        .help("its message is above; the Python package onnxruntime must be installed for " + command[0] +
              " (LAPIS_PYTHON chooses another interpreter)");
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < output_infos.size(); ++i) {
    LAPIS_TRY(Tensor t, read_npy(folder.path() / ("out" + std::to_string(i) + ".npy")));
    outputs.push_back(std::move(t));
  }
  return outputs;
}

}  // namespace lapis::cli
